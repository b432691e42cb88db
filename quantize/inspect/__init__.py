"""What is in a file and what will go wrong with it: lint, audit, comparison."""

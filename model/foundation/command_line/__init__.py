"""The command line: its table of commands, the flags they share, and what a user sees of them."""

"""The program that runs a model on a machine: its source, how it is built, what it prints."""

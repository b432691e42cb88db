"""Lint: what in a float graph will not survive INT8 or costs too much, by rules."""

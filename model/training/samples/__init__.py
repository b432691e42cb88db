"""Photographs, and the pieces of them that a network in training is shown."""

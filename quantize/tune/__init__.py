"""Trials on the real file: sensitivity, search, curve, equalization."""

"""Ours beside other people's: detectors at one size, and converters on the same weights."""

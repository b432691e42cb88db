"""Emulated ARM, without a phone and without root: LiteRT in a Debian guest, counted instructions."""

"""Emulated ARM: real ARM code of LiteRT in a Debian guest, without a phone and without root."""

"""Proof for a made file: of what it was made, in forms that other tools read, signed and checked."""

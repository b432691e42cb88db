"""A recipe on a float file -> a quantized file with its record."""

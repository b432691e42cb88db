"""Activations on photographs -> ranges -> the bounds that the quantizer is given."""

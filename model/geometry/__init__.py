"""Pixels, anchors and boxes: the detector spec, the letterbox, decoding and suppression. NumPy only."""

"""WIDER FACE: its ground truth, its files of predictions, its protocol."""

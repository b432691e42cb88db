"""Quantization-aware training whose fake quantization is the integer file itself, interpreted in PyTorch."""

"""Checkpoint -> ONNX -> simplified ONNX, and checkpoint -> float TFLite, with parity between every two."""

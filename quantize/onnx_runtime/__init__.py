"""The recipes of TFLite files for ONNX Runtime, by NNCF."""

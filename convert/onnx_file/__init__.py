"""An ONNX file: its export, names and graph."""

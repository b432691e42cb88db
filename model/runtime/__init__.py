"""A model file that runs: TFLite and ONNX behind one interface, and every tensor of it."""

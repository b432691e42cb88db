"""A TFLite file: its buffers, operators, graph and names."""

"""The integer file as a PyTorch module: its kernels on whole numbers, with gradients, and what they learn."""

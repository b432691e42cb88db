"""How the detectors are trained: photographs, cached teacher views, losses, the loop."""

"""A running model, the input protocol, the loop from images to detections, average precision."""

"""What the detector is: networks, geometry (anchors, boxes, letterbox), checkpoints and training."""

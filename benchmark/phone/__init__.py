"""The demo app as a device: its benchmark mode and its detections."""

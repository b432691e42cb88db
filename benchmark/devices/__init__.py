"""Machines a model is timed on: this host, emulated ARM and devices over adb, with one result format."""

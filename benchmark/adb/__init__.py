"""Devices over adb: the one client, and what a device says about itself."""

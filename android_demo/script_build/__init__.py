"""Builds, verifies, tests and installs the Android app without the SDK or Google's Maven repository."""

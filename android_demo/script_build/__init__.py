"""Builds, verifies, tests and installs the Android app without Android Studio and without Google's Maven repository."""

"""The app's tests on the JVM, and what Python says they must find."""

"""The networks known by name: a file each."""

"""A file a kind of device."""

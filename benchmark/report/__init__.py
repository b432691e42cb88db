"""One page about all made files, and the gate on it."""

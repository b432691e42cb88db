"""What a file costs on an ARM core, layer by layer, from layers that were counted."""

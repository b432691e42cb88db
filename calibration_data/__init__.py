"""Everything known about images: label readers, pixels, the embedded demo set, selection, manifests."""

"""Everything known about images: readers of labels, pixels, the embedded demo set, selection and manifests."""

"""Everything known about images: label readers, pixels, the embedded demo set, selection, manifests."""

from model.foundation.exports import lazily

_NAMES = {
    "ImageSet": "calibration_data.image_set",
    "load_rgb": "calibration_data.images",
    "write_demo_set": "calibration_data.demo",
}
__all__ = [*_NAMES]  # noqa: PLE0604
__getattr__ = lazily(__name__, _NAMES)

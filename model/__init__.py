"""What the detector is: networks, geometry (anchors, boxes, letterbox), checkpoints and training."""

from model.foundation.exports import lazily

_NAMES = {
    "Artifact": "model.foundation.artifact",
    "Detector": "model.evaluation.detector",
    "TorchModel": "model.runtime.running",
    "detect_image": "model.evaluation.protocol",
    "evaluate": "model.evaluation.loop",
    "letterbox": "model.geometry.letterbox",
    "load_checkpoint": "model.checkpoint",
    "open_model": "model.runtime.running",
    "spec_of": "model.networks",
    "summarize": "model.parameters",
}
__all__ = [*_NAMES]  # noqa: PLE0604
__getattr__ = lazily(__name__, _NAMES)

"""The shortest way from a model file to faces: `Detector("x.tflite")(image)`."""

from __future__ import annotations

from pathlib import Path

from calibration_data.images import load_rgb
from model.evaluation.protocol import InputProtocol, detect_image
from model.geometry.boxes import Detections
from model.geometry.letterbox import Pixels
from model.geometry.spec import DetectorSpec, read_spec
from model.runtime.running import open_model


class Detector:
    """A model file that is ready to find faces in images of any size.

    Attributes:
        spec: Its geometry and thresholds.
    """

    def __init__(
        self,
        file: str | Path,
        spec: DetectorSpec | str | Path | None = None,
        score: float | None = None,
        threads: int = 1,
    ) -> None:
        """
        Args:
            file: .tflite, .onnx or .pth.
            spec: Or the JSON file that holds it. Needed for a .pth; for the others it replaces the spec that
                they carry.
            score: Faces above this score are returned; the spec's threshold if None.
            threads: Threads of the runtime.

        Raises:
            InputError: as `open_model`, or as `read_spec`.
        """
        described = read_spec(Path(spec)) if isinstance(spec, str | Path) else spec
        self._model = open_model(Path(file), described, threads)
        self.spec = self._model.spec
        self._protocol = InputProtocol(score_floor=self.spec.score_threshold if score is None else score)

    def __call__(self, image: Pixels | str | Path) -> Detections:
        """Find the faces in an image: uint8 RGB [H, W, 3], or the name of an image file.

        Returns:
            Detections in pixels of the image, best score first.

        Raises:
            InputError: the file is no image, or the outputs contradict the spec.
        """
        pixels = load_rgb(Path(image)) if isinstance(image, str | Path) else image
        return detect_image(self._model, pixels, self._protocol)

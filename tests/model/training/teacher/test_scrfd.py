from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from model.foundation.errors import InputError
from model.training.teacher.scrfd import STRIDES, Scrfd, corners
from tests.conftest import ROOT

PEERS = ROOT.parent / "shared" / "peers"


@pytest.mark.parametrize("name", ["small", "scrfd_2.5g", "scrfd_500m"])
def test_it_answers_as_the_file_does(name, small_teacher):
    path = small_teacher if name == "small" else PEERS / f"{name}.onnx"
    if not path.is_file():
        pytest.skip(f"{path} is not here: other people's detectors are not part of the project")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 64, 96)).astype(np.float32)
    with torch.inference_mode():
        logits, boxes, points = Scrfd(path).eval()(torch.from_numpy(pixels))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options)
    given = session.get_inputs()[0].name
    for index in range(2):
        wanted = session.run(None, {given: (pixels[index : index + 1] - 127.5) / 128})
        assert np.allclose(torch.sigmoid(logits[index]), np.concatenate(wanted[:3])[:, 0], atol=1e-5)
        for found, first in ((boxes, 3), (points, 6)):
            levels = [x * stride for x, stride in zip(wanted[first : first + 3], STRIDES, strict=True)]
            assert np.allclose(found[index], np.concatenate(levels), atol=1e-2)


def test_anchors_stand_on_corners():
    assert corners(32, 64).shape == (2 * (32 + 8 + 2), 2)
    assert corners(32, 64)[[0, 1, 2, 16]].tolist() == [[0, 0], [0, 0], [8, 0], [0, 8]]


def test_other_files_are_refused(tmp_path: Path, small_teacher):
    with pytest.raises(InputError, match="no such ONNX file"):
        Scrfd(tmp_path / "absent.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"no protobuf at all")
    with pytest.raises(InputError, match="no ONNX file"):
        Scrfd(tmp_path / "broken.onnx")
    model = onnx.load(str(small_teacher))
    del model.graph.output[6:]
    onnx.save(model, str(tmp_path / "other.onnx"))
    with pytest.raises(InputError, match="6 outputs"):
        Scrfd(tmp_path / "other.onnx")

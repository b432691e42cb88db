"""A model of the comparison is a JSON file."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.peers.models import WEIGHTS, peer_models, row_of
from benchmark.peers.workshop import RECIPES
from model.foundation.errors import InputError
from model.geometry.spec import read_spec
from model.networks import NETWORKS


def test_every_row_can_be_opened() -> None:
    for name, row in peer_models().items():
        assert (RECIPES / f"{row.recipe}.json").is_file(), name
        assert not row.ranges or (WEIGHTS / row.ranges).is_file(), name
        if row.spec is None:
            assert row.network in NETWORKS.names()
        else:
            assert read_spec(row_of(name)).network == name


def test_a_file_is_looked_for_in_the_given_folders(tmp_path: Path) -> None:
    row = peer_models(["yunet_n"])["yunet_n"]
    with pytest.raises(InputError, match=r"expected yunet_n.onnx, found it neither in model/weights nor in"):
        row.found([tmp_path])
    (tmp_path / "yunet_n.onnx").touch()
    assert row.found([tmp_path / "absent", tmp_path]) == tmp_path / "yunet_n.onnx"
    assert peer_models(["featherface_v2"])["featherface_v2"].found([]).parent == WEIGHTS


def test_an_unknown_model_is_said() -> None:
    with pytest.raises(InputError, match="unknown model 'yolo': expected some of blazeface_full"):
        peer_models(["yolo"])

"""Loading is strict and never runs code."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoint import load_checkpoint, load_state
from model.foundation.errors import InputError
from model.networks import NETWORKS
from model.networks.featherface_v2 import FeatherFaceV2


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return FeatherFaceV2().state_dict()


def _saved(path: Path, value: object) -> Path:
    torch.save(value, path)
    return path


def _refused(path: Path, because: str, network: str = "featherface_v2") -> None:
    with pytest.raises(InputError, match=because) as caught:
        load_checkpoint(path, network)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("asked", ["featherface_v1", "featherface_v2"])
def test_another_networks_checkpoint_is_recognised(asked: str, tmp_path: Path) -> None:
    weights = _saved(tmp_path / "weights.pth", NETWORKS["retinaface"].build().state_dict())
    _refused(weights, f"a checkpoint of retinaface, not of {asked}: use NETWORK=retinaface", asked)


def test_plain_and_wrapped_weights_load_and_what_was_done_is_said(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    assert load_checkpoint(_saved(tmp_path / "a.pth", state), "featherface_v2").notes == ()
    wrapped = {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in state.items()}}
    loaded = load_checkpoint(_saved(tmp_path / "b.pth", wrapped), "featherface_v2")
    assert "epoch" in loaded.notes[0]
    assert "module." in loaded.notes[1]
    counted = {**state, "total_ops": torch.zeros(1), "backbone.total_params": torch.zeros(1)}
    loaded = load_checkpoint(_saved(tmp_path / "c.pth", {"model_state_dict": counted}), "featherface_v2")
    assert "dropped 2 entries" in loaded.notes[-1]
    assert not loaded.network.training
    torch.testing.assert_close(loaded.network.state_dict(), state)


def test_files_that_are_no_checkpoints(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "x.pth"
    _refused(path, "no such checkpoint")
    path.write_bytes(b"")
    _refused(path, "empty")
    path.write_bytes(b"\n<!DOCTYPE html><html>")
    _refused(path, "HTML")
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    _refused(path, "LFS")
    path.write_bytes(os.urandom(1000))
    _refused(path, "not a PyTorch checkpoint")
    whole = _saved(tmp_path / "y.pth", state).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    _refused(path, "not a PyTorch checkpoint")
    _refused(_saved(path, [1, 2]), "expected a state_dict")
    _refused(_saved(path, {}), "expected a state_dict")
    _refused(_saved(path, {"a": 3}), "only tensors")


def test_a_flipped_bit_is_refused_wherever_it_is(tmp_path: Path) -> None:
    whole = _saved(tmp_path / "whole.pth", {"weight": torch.arange(300.0), "bias": torch.arange(20.0)})
    content, path = whole.read_bytes(), tmp_path / "flipped.pth"
    rng, read = np.random.default_rng(0), 0
    for place in rng.choice(len(content), 300, replace=False):
        bit = bytes([content[place] ^ 1 << int(rng.integers(8))])
        path.write_bytes(content[:place] + bit + content[place + 1 :])
        layer = torch.nn.ParameterDict({"weight": torch.zeros(300), "bias": torch.zeros(20)})
        try:
            load_state(layer, path, "layer")
        except InputError:
            continue
        read += 1  # what nothing reads: padding, dates
        torch.testing.assert_close(layer["weight"].data, torch.arange(300.0), rtol=0, atol=0)
        torch.testing.assert_close(layer["bias"].data, torch.arange(20.0), rtol=0, atol=0)
    assert read < 150


@pytest.mark.parametrize("shape", [(0, 64, 1, 1), (1, 64, 1, 1), (7,), ()])
def test_a_width_that_no_network_has_is_said(shape: tuple[int, ...], tmp_path: Path) -> None:
    key = NETWORKS["featherface_v1"].width_key
    _refused(
        _saved(tmp_path / "x.pth", {key: torch.zeros(shape)}),
        f"is no featherface_v1 .*{key}|missing",
        "featherface_v1",
    )


class _Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_code_in_a_pickle_does_not_run(tmp_path: Path, writer: str) -> None:
    path, proof = tmp_path / "x.pth", tmp_path / "it ran"
    if writer == "torch":
        torch.save({"state_dict": _Bomb(proof)}, path)
    else:
        path.write_bytes(pickle.dumps(_Bomb(proof)))
    _refused(path, "code|PyTorch")
    assert not proof.exists()


def test_weights_of_another_network_and_broken_values(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "x.pth"
    strange = {**state, "more": torch.zeros(1)}
    _refused(_saved(path, strange), "it lacks bif_cbam_0", "featherface_v1")
    _refused(_saved(path, strange), "missing: .*unexpected: backbone", "retinaface")
    first = next(iter(state))
    _refused(_saved(path, {k: v for k, v in state.items() if k != first}), f"1 missing: {first}")
    _refused(_saved(path, {**state, "more": torch.zeros(1)}), "1 unexpected: more")
    _refused(_saved(path, {**state, first: torch.zeros(3)}), "of another shape")
    for bad in (float("nan"), float("inf")):
        _refused(_saved(path, {**state, first: torch.full_like(state[first], bad)}), "NaN or infinite")
    _refused(_saved(path, state), "unknown network", "yolo")


def test_shared_variants_that_are_not_supported_are_refused(shared: Path) -> None:
    for path in sorted((shared / "checkpoints").glob("other_*.pth")):
        for network in ("featherface_v1", "featherface_v2", "retinaface"):
            _refused(path, "is no", network)


def test_the_training_snapshot_is_the_published_network(shared: Path) -> None:
    folder = shared / "checkpoints"
    snapshot = load_checkpoint(folder / "featherface_v1_w64_training_snapshot.pth", "featherface_v1")
    assert "dropped 248 entries" in snapshot.notes[0]
    published = load_checkpoint(folder / "featherface_v1_w64.pth", "featherface_v1").network.state_dict()
    torch.testing.assert_close(snapshot.network.state_dict(), published)

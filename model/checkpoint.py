"""Load untrusted checkpoints: never runs code, understands the usual wrappers, says what it dropped."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model.foundation.artifact import replacing
from model.foundation.damage import DAMAGED, damage_is_said
from model.foundation.errors import InputError
from model.layers.blocks import Detector
from model.networks import NETWORKS, Network

PROFILER_ENTRIES = ("total_ops", "total_params")
WRAPPERS = ("state_dict", "model_state_dict")


@dataclass(frozen=True)
class Loaded:
    """A network with a checkpoint's weights, in evaluation mode.

    Attributes:
        network: The module, float32 on the CPU.
        notes: What the loader renamed or dropped, one sentence each.
    """

    network: Detector
    notes: tuple[str, ...]


def load_checkpoint(path: Path, network: str) -> Loaded:
    """Build `network` and fill it from a checkpoint, strictly.

    Raises:
        InputError: the file is no checkpoint, would run code, belongs to another network, or holds
            values that are not finite; the message names the keys.
    """
    notes: list[str] = []
    state = _cleaned(_unwrapped(read_saved(path), path, notes), notes)
    kind = NETWORKS[network]
    other = _recognised(state, network)
    if other:
        raise InputError(f"{path} is a checkpoint of {other}, not of {network}: use NETWORK={other}")
    if kind.width_key is None:
        module = kind.build()
    else:
        if kind.width_key not in state:
            raise InputError(f"{path} is no {network} checkpoint: it lacks {kind.width_key}")
        module = _built(kind, state[kind.width_key], f"{path} is no {network} checkpoint: {kind.width_key}")
    _fill(module, state, path, network)
    return Loaded(module.eval(), tuple(notes))


def _built(kind: Network, weight: Tensor, what: str) -> Detector:
    """A network of the width that a weight says.

    Raises:
        InputError: no network has this width.
    """
    try:
        return kind.build(weight.shape[0])
    except (ValueError, IndexError, RuntimeError, ZeroDivisionError) as error:
        raise InputError(
            f"{what} of shape {list(weight.shape)} is of no width it can have ({error})"
        ) from None


def load_state(module: nn.Module, path: Path, what: str) -> tuple[str, ...]:
    """Fill any module from a checkpoint, strictly; what was renamed or dropped, one sentence each.

    Raises:
        InputError: as `load_checkpoint`.
    """
    notes: list[str] = []
    _fill(module, _cleaned(_unwrapped(read_saved(path), path, notes), notes), path, what)
    return tuple(notes)


def _recognised(state: Mapping[str, Tensor], network: str) -> str | None:
    """The other network whose parameters have exactly these names, if the asked one's have not."""
    names = set(state)
    if names == set(NETWORKS[network].build().state_dict()):
        return None
    return next((name for name in NETWORKS if names == set(NETWORKS[name].build().state_dict())), None)


def _fill(module: nn.Module, state: dict[str, Tensor], path: Path, what: str) -> None:
    _check(state, module.state_dict(), f"{path} is no {what} checkpoint")
    for name, value in state.items():
        if not torch.isfinite(value).all():
            raise InputError(
                f"{path}: {name} holds NaN or infinite values; the training that wrote it diverged"
            )
    module.load_state_dict(state)


def write_saved(path: Path, value: Any) -> None:
    """What `read_saved` reads, whole or not at all, and the same bytes for the same values.

    PyTorch's own writer of files puts the temporary one's name inside, and a full disk is no OSError of it.
    """
    held = io.BytesIO()
    torch.save(value, held)
    with replacing(path) as temporary:
        temporary.write_bytes(held.getbuffer())


def read_saved(path: Path, device: str | torch.device = "cpu") -> Any:
    """What `torch.save` wrote, without running code.

    Raises:
        InputError: absent, damaged, or more than tensors.
    """
    if not path.is_file():
        raise InputError(f"no such checkpoint file: {path}")
    with path.open("rb") as stream:
        start = stream.read(256)
    if not start:
        raise InputError(f"{path} is empty")
    if start.startswith(b"version https://git-lfs"):
        raise InputError(f"{path} is a Git LFS pointer, not the checkpoint: fetch it with 'git lfs pull'")
    if start.lstrip()[:1] == b"<":
        raise InputError(f"{path} is an HTML page, not a checkpoint: download the file itself")
    _check_sums(path)
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        if "Unsupported global" in str(error) or "Unsupported class" in str(error):
            raise InputError(
                f"{path} holds more than tensors, and loading it could run code; it was not run. "
                "Save the network's state_dict alone"
            ) from None
        raise InputError(f"{path} is not a PyTorch checkpoint, or it is damaged") from None
    except DAMAGED:
        raise InputError(f"{path} is not a PyTorch checkpoint, or it is truncated") from None


def _check_sums(path: Path) -> None:
    """Hold each entry of an archive against its checksum, which `torch.load` does not.

    Checkpoints of the time before archives are left to `torch.load`: they have none.

    Raises:
        InputError: an entry was changed, or cannot be read.
    """
    with path.open("rb") as stream:
        if stream.read(2) != b"PK":
            return
    what = f"{path} is not a PyTorch checkpoint, or it is damaged"
    with damage_is_said(what), zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise InputError(f"{path} is damaged: {damaged} is not what was saved; fetch the file again")


def _unwrapped(value: Any, path: Path, notes: list[str]) -> dict[str, Tensor]:
    for wrapper in WRAPPERS:
        if isinstance(value, Mapping) and isinstance(value.get(wrapper), Mapping):
            others = sorted(str(key) for key in value if key != wrapper)
            notes.append(f"took the entry {wrapper}" + (f", left {', '.join(others)}" if others else ""))
            value = value[wrapper]
            break
    if not isinstance(value, Mapping) or not value:
        raise InputError(f"{path}: expected a state_dict, found {type(value).__name__}")
    strangers = [
        str(key)
        for key, item in value.items()
        if not (isinstance(key, str) and isinstance(item, Tensor) and _is_plain(item))
    ]
    if strangers:
        raise InputError(f"{path}: expected only tensors in the state_dict, found {_listed(strangers)}")
    return dict(value)


def _is_plain(value: Tensor) -> bool:
    """Whether a tensor holds real numbers, one for each place."""
    return value.layout == torch.strided and value.device.type != "meta" and not value.is_complex()


def _cleaned(state: dict[str, Tensor], notes: list[str]) -> dict[str, Tensor]:
    if all(name.startswith("module.") for name in state):
        notes.append("removed the prefix module. of DataParallel")
        state = {name.removeprefix("module."): value for name, value in state.items()}
    kept = {name: value for name, value in state.items() if name.rsplit(".", 1)[-1] not in PROFILER_ENTRIES}
    if len(kept) < len(state):
        notes.append(
            f"dropped {len(state) - len(kept)} entries of a profiler ({' / '.join(PROFILER_ENTRIES)})"
        )
    return kept


def _check(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], what: str) -> None:
    missing = [name for name in expected if name not in found]
    unexpected = [name for name in found if name not in expected]
    reshaped = [
        f"{name} ({list(found[name].shape)} instead of {list(expected[name].shape)})"
        for name in expected
        if name in found and found[name].shape != expected[name].shape
    ]
    problems = [
        f"{len(names)} {label}: {_listed(names)}"
        for label, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped))
        if names
    ]
    if problems:
        raise InputError(f"{what}: {'; '.join(problems)}")


def _listed(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")

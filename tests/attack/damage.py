"""Ways to damage a file: each takes its bytes and a generator, and gives other bytes."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import flatbuffers
import numpy as np
import onnx
from google.protobuf.message import Message

from model.runtime.flatbuffer import parse_model

Damage = Callable[[bytes, np.random.Generator], bytes]
NUMBERS = (-1, 0, 1, 2, 7, 100, 1 << 20, (1 << 31) - 1, -(1 << 31))
VALUES = (
    None, True, -1, 0, 3, 1 << 70, 1e400, float("nan"), 1e-45, "", "x", "320", "<script>", "\ud800",
    "\0", "../../x", [], [[]], ["a", 1], {}, {"a": {}}, [1e30] * 3, "a" * 70_000,
)  # fmt: skip
"""What a JSON field may hold that it should not."""


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    """One bit is another."""
    place = int(rng.integers(len(content)))
    return content[:place] + bytes([content[place] ^ 1 << int(rng.integers(8))]) + content[place + 1 :]


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(len(content)))]


def noise(content: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes anywhere are others, as a bad disk leaves them."""
    place, length = int(rng.integers(len(content))), int(rng.integers(1, 64))
    return content[:place] + rng.bytes(length) + content[place + length :]


def other_kind(content: bytes, rng: np.random.Generator) -> bytes:
    """Another file under this name."""
    return [b"", b"\0" * 4096, b"<!DOCTYPE html><html>", b"version https://git-lfs.github.com/spec/v1\n",
            b"[" * 100_000, b"[]", b"null", b"\xff\xfe\xff", b"PK\x03\x04", b"{}", b"NaN",
            b'{"a": ' * 5000][int(rng.integers(12))]  # fmt: skip


def wrong_json(content: bytes, rng: np.random.Generator) -> bytes:
    """One value of a JSON document, or of one of its lines, is another; or one is gone; or one more."""
    lines = content.decode().splitlines() if content.count(b"\n{") else [content.decode()]
    number = int(rng.integers(len(lines)))
    document = json.loads(lines[number])
    places = list(_places(document))
    holder, key = places[int(rng.integers(len(places)))]
    choice = int(rng.integers(len(VALUES) + 2))
    if choice < len(VALUES):
        holder[key] = VALUES[choice]
    elif choice == len(VALUES):
        del holder[key]
    elif isinstance(holder, dict):
        holder["<b>&\"'"] = holder[key]
    else:
        holder.append(holder[key])
    lines[number] = json.dumps(document)
    return ("\n".join(lines) + "\n").encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, (dict, list)):
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from _places(item)


def wrong_word(content: bytes, rng: np.random.Generator) -> bytes:
    """One word of a text is another, or a line is doubled or gone."""
    lines = content.decode().splitlines()
    number = int(rng.integers(len(lines)))
    words = lines[number].split(" ")
    place = int(rng.integers(len(words)))
    choices = ["-1", "0", "nan", "1e400", "99999999999", "x", "", "../up.jpg", "/etc/passwd", "\0", "é\u2028",
               "#", "²", "$(true)", "<script>", "-", "."]  # fmt: skip
    choice = int(rng.integers(len(choices) + 2))
    if choice == len(choices):
        lines.insert(number, lines[number])
    elif choice > len(choices):
        del lines[number]
    else:
        words[place] = choices[choice]
        lines[number] = " ".join(words)
    return "\n".join(lines).encode()


def wrong_table(content: bytes, rng: np.random.Generator) -> bytes:
    """One number or name of a TFLite file is another, and the file is whole otherwise."""
    model = parse_model(content)
    holders = list(_holders(model))
    holder, name = holders[int(rng.integers(len(holders)))]
    setattr(holder, name, _other(getattr(holder, name), rng))
    builder = flatbuffers.Builder(1 << 16)
    try:
        builder.Finish(model.Pack(builder), b"TFL3")
    except (struct.error, TypeError, AttributeError, OverflowError):  # the schema cannot hold it there
        return flipped(content, rng)
    return bytes(builder.Output())


def _holders(model: Any) -> Iterator[tuple[Any, str]]:
    """Every field of every table that holds a number, a name or numbers."""
    if isinstance(model, list):
        for one in model:
            yield from _holders(one)
    elif hasattr(model, "__dict__"):
        for name, value in vars(model).items():
            number = isinstance(value, (int, bytes)) and not isinstance(value, bool)
            if number or (isinstance(value, np.ndarray) and len(value)):
                yield model, name
            else:
                yield from _holders(value)


def _other(value: Any, rng: np.random.Generator) -> Any:
    wrong = NUMBERS[int(rng.integers(len(NUMBERS)))]
    if isinstance(value, bytes):
        return [b"\xff\xfe", b"", b"image", b"<script>", b"a\nb"][int(rng.integers(5))]
    if not isinstance(value, np.ndarray):
        return wrong
    value, place = value.copy(), int(rng.integers(len(value)))
    floating = value.dtype.kind == "f"
    value[place] = (
        [np.nan, np.inf, 0, -1, 1e30][int(rng.integers(5))]
        if floating
        else np.array(wrong).astype(value.dtype)
    )
    return value


def wrong_proto(content: bytes, rng: np.random.Generator) -> bytes:
    """One field of an ONNX file is another, and the file is whole otherwise."""
    model = onnx.load_from_string(content)
    places = list(_fields(model))
    message, name, index = places[int(rng.integers(len(places)))]
    value = getattr(message, name) if index is None else getattr(message, name)[index]
    if isinstance(value, float):
        wrong: Any = [float("nan"), float("inf"), 0.0, -1.0][int(rng.integers(4))]
    elif isinstance(value, (int, bool)):
        wrong = NUMBERS[int(rng.integers(len(NUMBERS)))]
    else:
        wrong = [value[: len(value) // 2], value * 2, value[:0]][int(rng.integers(3))]
    try:
        if index is None:
            setattr(message, name, wrong)
        else:
            getattr(message, name)[index] = wrong
    except (ValueError, TypeError):  # no such value of an enumeration
        return flipped(content, rng)
    return bytes(model.SerializeToString())


def _fields(message: Message) -> Iterator[tuple[Message, str, int | None]]:
    for field, value in message.ListFields():
        repeated = not isinstance(value, (Message, int, float, str, bytes))
        for index, item in enumerate(value if repeated else [value]):
            if isinstance(item, Message):
                yield from _fields(item)
            else:
                yield message, field.name, index if repeated else None


def wrong_entry(content: bytes, rng: np.random.Generator) -> bytes:
    """One entry of an archive (checkpoint, .npz) is damaged or gone; its checksum says it is well."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        names = old.namelist()
        chosen = names[int(rng.integers(len(names)))]
        damage = [flipped, cut, noise, None][int(rng.integers(4))]
        for name in names:
            inside = old.read(name)
            if name == chosen and damage is None:
                continue
            new.writestr(name, damage(inside, rng) if name == chosen and inside else inside)
    return made.getvalue()


def wrong_state(content: bytes, rng: np.random.Generator) -> bytes:
    """A checkpoint whose tensors are of another type or shape, or which holds something else beside them."""
    import torch

    state = torch.load(io.BytesIO(content), weights_only=True)
    holder = next((state[key] for key in ("network", "weights") if key in state), state)
    names = [name for name, value in holder.items() if isinstance(value, torch.Tensor)]
    name = names[int(rng.integers(len(names)))]
    tensor = holder[name]
    floating = tensor.is_floating_point()
    wrong = [
        lambda: tensor.to(torch.complex64),
        tensor.half,
        lambda: tensor[None],
        lambda: tensor.flatten()[:0],
        lambda: torch.full_like(tensor, float("nan")) if floating else tensor,
        tensor.to_sparse,
        lambda: torch.zeros(3, 5, 7),
        lambda: tensor.repeat(2, *[1] * (tensor.ndim - 1)) if tensor.ndim else tensor,
        lambda: torch.empty(0, device="meta"),
        lambda: "text",
        lambda: {"a": tensor},
        lambda: 7,
        lambda: None,
    ]
    holder[name] = wrong[int(rng.integers(len(wrong)))]()
    if rng.integers(4) == 0:
        state = [
            {"state_dict": state},
            [state],
            {"model_state_dict": {}},
            {1: state},
            state[next(iter(state))],
        ][int(rng.integers(5))]
    made = io.BytesIO()
    torch.save(state, made)
    return made.getvalue()


def huge_header(content: bytes, rng: np.random.Generator) -> bytes:
    """An image whose header promises another size, checksum and all."""
    import zlib

    if not content.startswith(b"\x89PNG"):
        return flipped(content[:600], rng) + content[600:]
    sides = struct.pack(">II", *rng.choice([0, 1, 3, 70_000, 1 << 30, (1 << 32) - 1], 2).tolist())
    header = b"IHDR" + sides + content[24:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


def wild_exif(content: bytes, rng: np.random.Generator) -> bytes:
    """A photograph whose EXIF is noise, or turns it in a way that there is not."""
    from PIL import Image

    made, exif = io.BytesIO(), Image.Exif()
    tag = [0x0112, 0x010E, 0x8769, 0x8825, 0x927C][int(rng.integers(5))]
    value = [0, 9, 65535, "<script>alert(1)</script>\n$(reboot)", "é" * 3000][int(rng.integers(5))]
    if tag in (0x8769, 0x8825):
        block = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + rng.bytes(60)
    else:
        exif[tag] = value
        block = exif.tobytes()
    Image.open(io.BytesIO(content)).save(made, "JPEG", exif=block)
    return made.getvalue()

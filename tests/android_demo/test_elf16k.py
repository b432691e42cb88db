"""The layout for 16 KB pages changes where bytes stand in the file, never where they stand in memory."""

from __future__ import annotations

import struct

import pytest

from android_demo.script_build import elf16k
from android_demo.script_build.elf16k import (
    PAGE,
    PT_GNU_RELRO,
    PT_LOAD,
    LayoutError,
    load_alignment,
    realign,
    segments,
)

DATA = 0x8000


def library(code_size: int = 0x7000, data: int = DATA) -> bytes:
    """As lld links for 4 KB pages: code, RELRO data, and data one page further than in the file."""
    relro_size, data_size, bss = 0x6378, 0x380, 0x1000
    rows = [
        (PT_LOAD, 5, 0, 0, 0, code_size, code_size, 0x1000),
        (PT_LOAD, 6, data, data, data, relro_size, relro_size, 0x1000),
        (PT_LOAD, 6, data + relro_size, data + relro_size + 0x1000, 0, data_size, data_size + bss, 0x1000),
        (PT_GNU_RELRO, 4, data, data, data, relro_size, 0x7000, 1),
    ]
    tail = data + relro_size + data_size
    body = bytearray((index * 7 + index // 256) % 251 for index in range(tail))
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    elf16k.HEADER.pack_into(body, 0, ident, 3, 183, 1, 0, 64, tail, 0, 64, 56, len(rows), 64, 2, 1)
    for index, row in enumerate(rows):
        elf16k.SEGMENT.pack_into(body, 64 + 56 * index, *row)
    sections = [(0,) * 10, (0, 1, 3, data + relro_size + 0x1000, data + relro_size, data_size, 0, 0, 8, 0)]
    return bytes(body) + b"".join(elf16k.SECTION.pack(*row) for row in sections)


def memory(image: bytes) -> dict[int, tuple[int, int]]:
    """Address -> (byte, whether writable), as the loader maps the file; the rest of a segment is zero."""
    mapped = {}
    for part in segments(image):
        if part.kind == PT_LOAD:
            content = image[part.offset : part.offset + part.file_size].ljust(part.memory_size, b"\0")
            mapped.update({part.address + index: (value, part.flags) for index, value in enumerate(content)})
    return mapped


def test_every_byte_keeps_its_address() -> None:
    before, after = library(), realign(library())
    header = range(64 + 56 * 4)  # the program headers are in memory too, and have to change
    old, new = memory(before), memory(after)
    assert {at: value for at, value in old.items() if at not in header} == {
        at: new[at] for at in old if at not in header
    }
    assert all(new[at] == (0, 6) for at in new.keys() - old.keys()), (
        "only zeros between the two writable segments"
    )


def test_the_result_is_laid_out_for_16_kb() -> None:
    image = realign(library())
    assert load_alignment(library()) == 0x1000 and load_alignment(image) == PAGE
    loads = [part for part in segments(image) if part.kind == PT_LOAD]
    assert all(part.offset % PAGE == part.address % PAGE for part in loads)
    pages = [set(range(part.address // PAGE, -(-part.end // PAGE))) for part in loads]
    assert not pages[0] & pages[1], "code and data share no page"


def test_write_protection_covers_whole_pages_without_data() -> None:
    relro = next(part for part in segments(realign(library())) if part.kind == PT_GNU_RELRO)
    assert relro.end % PAGE == 0
    assert relro.end <= DATA + 0x6378 + 0x1000


def test_sections_follow_their_bytes() -> None:
    image = realign(library())
    start = struct.unpack_from("<Q", image, 40)[0]
    section = elf16k.SECTION.unpack_from(image, start + 64)
    original = elf16k.SECTION.unpack_from(library(), struct.unpack_from("<Q", library(), 40)[0] + 64)
    assert image[section[4] :][: section[5]] == library()[original[4] :][: original[5]]


def test_an_aligned_library_is_left_alone() -> None:
    image = realign(library())
    assert realign(image) is image


def test_code_that_shares_a_page_with_data_is_refused() -> None:
    with pytest.raises(LayoutError, match="same 16 KB page"):
        realign(library(code_size=0x8800, data=0x9000))


def test_what_is_no_library_is_refused() -> None:
    with pytest.raises(LayoutError, match="not a 64-bit"):
        realign(b"MZ" + bytes(100))

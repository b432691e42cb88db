"""Native libraries on phones with 16 KB memory pages: what a file allows, and laying one out anew.

The last TensorFlow Lite on Maven Central (2.16.1) was linked for 4 KB pages. Where its code and its data do
not share a 16 KB page, only the file's layout is wrong, not the addresses: the two writable segments become
one, the bytes move to offsets that agree with their addresses modulo 16 KB, and no instruction or relocation
changes. Where code and data share a page (the GPU delegate), only a new link would help: `realign` refuses.

Source: ELF-64 (gABI, chapter 5); bionic's linker_phdr.cpp (how segments are mapped, RELRO in whole pages).
"""

from __future__ import annotations

import struct
from dataclasses import astuple, dataclass, replace

PAGE = 0x4000
PT_LOAD, PT_GNU_RELRO = 1, 0x6474E552
WRITABLE = 2
HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
SECTION = struct.Struct("<IIQQQQIIQQ")


class LayoutError(Exception):
    """A library cannot be laid out for 16 KB pages."""


@dataclass(frozen=True)
class Segment:
    """A program header, in the order of ELF-64's fields."""

    kind: int
    flags: int
    offset: int
    address: int
    physical: int
    file_size: int
    memory_size: int
    alignment: int

    @property
    def end(self) -> int:
        """First address after the segment."""
        return self.address + self.memory_size


def segments(library: bytes) -> list[Segment]:
    """The program headers of a 64-bit little-endian ELF file.

    Raises:
        LayoutError: it is something else.
    """
    if library[:6] != b"\x7fELF\x02\x01":
        raise LayoutError("not a 64-bit little-endian ELF file")
    header = HEADER.unpack_from(library)
    start, size, count = header[5], header[9], header[10]
    rows = (SEGMENT.unpack_from(library, start + size * index) for index in range(count))
    return [Segment(*row) for row in rows]


def load_alignment(library: bytes) -> int:
    """The smallest page size in bytes that all loaded segments are laid out for."""
    if library[4:5] == b"\x01":
        start = struct.unpack_from("<I", library, 28)[0]
        size, count = struct.unpack_from("<HH", library, 42)
        rows = [struct.unpack_from("<8I", library, start + size * index) for index in range(count)]
        return min((int(row[7]) for row in rows if row[0] == PT_LOAD), default=0)
    return min((part.alignment for part in segments(library) if part.kind == PT_LOAD), default=0)


def realign(library: bytes) -> bytes:
    """Lay a library out for 16 KB pages; every byte keeps its address.

    Raises:
        LayoutError: its code shares a 16 KB page with writable data, or its layout is not the expected one.
    """
    parts = segments(library)
    loads = [part for part in parts if part.kind == PT_LOAD]
    if all(part.alignment >= PAGE for part in loads):
        return library
    fixed, data = loads[0], loads[1:]
    if fixed.flags & WRITABLE or not data or not all(part.flags & WRITABLE for part in data) or fixed.offset:
        raise LayoutError(
            "expected one read-only segment at the start of the file and writable ones after it"
        )
    if fixed.end > data[0].address - data[0].address % PAGE:
        raise LayoutError(
            f"code ends at {fixed.end:#x}, in the same 16 KB page as the data from {data[0].address:#x}"
        )
    return _write(library, parts, data)


def _write(library: bytes, parts: list[Segment], data: list[Segment]) -> bytes:
    first, last = data[0], data[-1]
    offset = first.address  # equal to the address: agrees with it modulo any page size
    image = bytearray(last.address + last.file_size - first.address)
    for part in data:
        begin = part.address - first.address
        image[begin : begin + part.file_size] = library[part.offset : part.offset + part.file_size]
    end = offset + len(image)
    tail_from = max(part.offset + part.file_size for part in data)
    result = bytearray(library[: first.offset].ljust(offset, b"\0")) + image + library[tail_from:]
    merged = replace(
        first, offset=offset, file_size=len(image), memory_size=last.end - first.address, alignment=PAGE
    )
    table = [_moved(part, merged, data) for part in parts if part not in data[1:]]
    _write_headers(result, table, data, end - tail_from)
    return bytes(result)


def _moved(part: Segment, merged: Segment, data: list[Segment]) -> Segment:
    if part == data[0]:
        return merged
    if part.kind == PT_LOAD:
        return replace(part, alignment=PAGE)
    if part.kind == PT_GNU_RELRO:
        # The loader write-protects whole pages: end at the last one that holds nothing else.
        protected = max(0, part.end - part.end % PAGE - part.address)
        return replace(
            part, offset=part.address, file_size=min(part.file_size, protected), memory_size=protected
        )
    if any(home.address <= part.address < home.end for home in data):
        return replace(part, offset=part.address)
    return part


def _write_headers(result: bytearray, table: list[Segment], data: list[Segment], shift: int) -> None:
    header = list(HEADER.unpack_from(result))
    segment_start, section_start, count = header[5], header[6], header[12]
    empty = Segment(0, 0, 0, 0, 0, 0, 0, 0)
    rows = table + [empty] * (header[10] - len(table))
    for index, part in enumerate(rows):
        SEGMENT.pack_into(result, segment_start + SEGMENT.size * index, *astuple(part))
    header[6] = section_start + shift
    HEADER.pack_into(result, 0, *header)
    for index in range(count):
        at = section_start + shift + SECTION.size * index
        section = list(SECTION.unpack_from(result, at))
        if section[3] and any(
            home.address <= section[3] < home.end or section[3] == home.end for home in data
        ):
            section[4] = section[3]
        elif not section[3] and section[4]:
            section[4] += shift
        SECTION.pack_into(result, at, *section)

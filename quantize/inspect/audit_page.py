"""An audit on the terminal."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from model.foundation.command_line.terminal import console, narrow_table
from quantize.inspect.audit import Audit
from quantize.inspect.islands import Island

ISLANDS = 12
NAMED = 4
"""So many layers are named in a line; the JSON has all."""


def print_audit(found: Audit) -> None:
    """Print what was found, from the whole to the parts."""
    screen = console(wide=True, soft_wrap=True)
    screen.print(Text.assemble((found.file, "bold"), f"  {found.bytes:,} bytes  sha256 {found.sha256}"))
    screen.print(_arithmetic(found))
    screen.print(_constants(found))
    for one in sorted(found.islands, key=lambda one: -len(one.layers))[:ISLANDS]:
        screen.print(_island(one))
    if len(found.islands) > ISLANDS:
        screen.print(f"and {len(found.islands) - ISLANDS} smaller stretches of float (--json)")
    if not found.islands:
        screen.print("no float island")
    for output in found.outputs:
        scale = (
            "float" if output.scale is None else f"scale {output.scale:.6g}, zero point {output.zero_point}"
        )
        shared = "" if output.own_scale else ", SHARED with another output"
        screen.print(f"output {output.name} {output.type} {list(output.shape)}: {scale}{shared}")
    screen.print(_xnnpack(found))
    not_builtin = ", ".join(found.not_builtin)
    screen.print(f"operators: {f'NOT builtin: {not_builtin}' if not_builtin else 'builtin only'}")
    screen.print(_identity(found))


def _arithmetic(found: Audit) -> Table:
    table = narrow_table()
    for title in ("arithmetic", "operators", "share", "M MACs", "share"):
        table.add_column(title, no_wrap=True, justify="left" if title == "arithmetic" else "right")
    table.add_column("layers", overflow="fold")
    macs, counts, layers = Counter[str](), Counter[str](), defaultdict[str, list[str]](list)
    for one in found.operators:
        macs[one.arithmetic] += one.macs
        counts[one.arithmetic] += 1
        layers[one.arithmetic].append(one.layer)
    computing = counts.total() - counts["unpacking"]
    for kind, count in counts.most_common():
        table.add_row(
            kind.replace("_", " "),
            str(count),
            "once" if kind == "unpacking" else f"{count / computing:.1%}",
            f"{macs[kind] / 1e6:.2f}",
            f"{macs[kind] / max(1, macs.total()):.1%}",
            _some(layers[kind]),
        )
    return table


def _constants(found: Audit) -> Table:
    table = Table("constants", "bytes", "share of the file")
    for kind, size in [*found.constants.items(), ("graph", found.bytes - sum(found.constants.values()))]:
        table.add_row(kind, f"{size:,}", f"{size / found.bytes:.1%}")
    return table


def _island(one: Island) -> str:
    place = {
        "between": "island of float between integers",
        "tail": "float at the outputs",
        "head": "float at the input",
        "apart": "float apart from the integers",
    }[one.place]
    ways = [f"from {_some(one.entered_at)}"] if one.entered_at else []
    ways += [f"to {_some(one.left_at)}"] if one.left_at else []
    inside = f"{len(one.layers)} operators ({_some(one.layers)})" if one.layers else "no operator"
    return f"{place}: {inside}, {one.macs / 1e6:.2f} M MACs; {', '.join(ways)}"


def _xnnpack(found: Audit) -> str:
    if found.runtime_problem is not None:
        return f"XNNPACK: unknown, the runtime cannot prepare the file: {found.runtime_problem}"
    figures = found.figures
    others = [one for one in found.operators if not one.xnnpack and one.at_each_inference]
    left = Counter(one.kind for one in others)
    names = [one.layer for one in others]
    kinds = ", ".join(f"{count} {kind}" for kind, count in left.most_common())
    line = (
        f"XNNPACK takes {figures['xnnpack_operators']:.1%} of the operators and "
        f"{figures['xnnpack_macs']:.1%} of the MACs in {figures['xnnpack_parts']:g} part(s)"
    )
    return f"{line}; it leaves {kinds}: {_some(names)}" if left else line


def _identity(found: Audit) -> str:
    origin = found.identity
    parts = [
        f"signature {', '.join(origin.signatures) or 'absent'}",
        f"spec {'inside' if origin.spec else 'absent'}",
        f"record {origin.record}",
    ]
    parts += [f"made from {role}: {state}" for role, state in origin.made_from.items()]
    return "; ".join(parts)


def _some(names: Iterable[str]) -> str:
    shown = list(dict.fromkeys(names))
    more = len(shown) - NAMED
    return ", ".join(shown[:NAMED]) + (f" and {more} more" if more > 0 else "")

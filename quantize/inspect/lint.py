"""`lint`: before any calibration, what of a network will not survive INT8, why, and what to do."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from model.foundation.artifact import sha256_of, write_json
from model.foundation.errors import GateError, InputError
from quantize.inspect.findings import LEVELS, Finding, at_least

FORMAT, VERSION = "featherface-lint", 1


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = subparsers.add_parser(
        "lint",
        help="before calibration: what will not survive INT8, by layer, why, and the remedy",
        description=__doc__,
    )
    command.add_argument(
        "model", nargs="?", type=Path, metavar="MODEL.onnx", help="an ONNX file, whoever made it"
    )
    command.add_argument("--network", metavar="NAME", help="one of this project's networks instead of a file")
    command.add_argument(
        "--checkpoint", type=Path, help="its weights (.pth); without them rules about weights are left out"
    )
    command.add_argument("--size", default="320", help="input size of the network (default: %(default)s)")
    command.add_argument(
        "--level", choices=LEVELS, default="warning",
        help="exit code 1 when there is a finding of this level or worse (default: %(default)s)",
    )  # fmt: skip
    command.add_argument("--json", type=Path, metavar="FILE", help="write the findings as JSON")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Lint, print, write; exit code 1 through GateError."""
    if (options.model is None) == (options.network is None):
        raise InputError("lint: give either an ONNX file or --network NAME")
    if options.checkpoint is not None and options.network is None:
        raise InputError("lint: --checkpoint goes with --network; an ONNX file has its weights inside")
    if options.model is not None:
        from convert.onnx_file.graph import read_onnx

        what, findings = options.model.name, lint(read_onnx(options.model), weights=True)
    else:
        what = f"{options.network} at {options.size}"
        findings = lint_network(options.network, options.checkpoint, options.size)
    _print(what, findings)
    if options.json is not None:
        source = options.model or options.checkpoint
        value = {
            "format": FORMAT,
            "version": VERSION,
            "title": f"Lint of {what}",
            "file": None if source is None else source.name,
            "sha256": None if source is None else sha256_of(source),
            "findings": [asdict(one) for one in findings],
        }
        write_json(options.json, value)
    if grave := at_least(findings, options.level):
        raise GateError(f"{what}: {len(grave)} finding(s) of level {options.level} or worse")
    return 0


def lint_network(name: str, checkpoint: Path | None, size: str) -> list[Finding]:
    """Lint a network of this project as it would be exported.

    Raises:
        InputError: no such network or size, or the checkpoint is not of it.
    """
    from model.geometry.spec import parse_size
    from model.networks.registry import network_named, spec_of

    spec = spec_of(name, *parse_size(size))
    from convert.onnx_file.export import simplified_onnx
    from convert.onnx_file.graph import OnnxGraph
    from model.checkpoint import load_checkpoint
    from model.foundation.progress import step

    network = (
        network_named(name).build().eval()
        if checkpoint is None
        else load_checkpoint(checkpoint, name).network
    )
    with step(f"{name}: export"):
        _, model = simplified_onnx(network, spec)
    return lint(OnnxGraph.of(model), weights=checkpoint is not None)


def lint(graph: Any, *, weights: bool) -> list[Finding]:
    """Apply all rules, the worst findings first; a rule speaks once of each layer.

    Args:
        graph: An OnnxGraph.
        weights: Whether the weights are trained ones, so that rules about weights make sense.
    """
    from quantize.inspect.lint_rules import RULES, uneven_channels

    return merged(graph, [rule for rule in RULES if weights or rule is not uneven_channels])


def merged(graph: Any, rules: list[Callable[[Any], Any]]) -> list[Finding]:
    """The findings of some rules, one for each rule, layer and reason."""
    found: Counter[Finding] = Counter(one for rule in rules for one in rule(graph))
    single = [replace(one, count=count) for one, count in found.items()]
    return sorted(single, key=lambda one: -LEVELS.index(one.level))


def _print(what: str, findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    colours = {"note": "cyan", "warning": "yellow", "error": "red"}
    for rule in dict.fromkeys(one.rule for one in findings):
        group = [one for one in findings if one.rule == rule]
        colour = colours[group[0].level]
        console.print(f"[{colour}]{group[0].level}[/{colour}] [bold]{rule}[/bold] in {len(group)} place(s)")
        for reason in dict.fromkeys(one.reason for one in group):
            layers = [
                one.layer + (f" (x{one.count})" if one.count > 1 else "")
                for one in group
                if one.reason == reason
            ]
            console.print(f"  {escape(', '.join(layers))}: {escape(reason)}")
        for remedy in dict.fromkeys(one.remedy for one in group):
            console.print(f"  [green]remedy[/green]: {escape(remedy)}")
    counts = Counter(one.level for one in findings)
    told = ", ".join(f"{counts[level]} {level}(s)" for level in reversed(LEVELS) if counts[level])
    console.print(f"{escape(what)}: {told or 'nothing that INT8 would not survive'}")

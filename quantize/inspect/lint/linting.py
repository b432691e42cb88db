"""Before any calibration: what of a network will not survive INT8, why, and what to do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

from rich.console import Console
from rich.markup import escape

import quantize.inspect.lint.cost_rules  # noqa: F401 (it registers its rules)
from convert.onnx_file.export import simplified_onnx
from convert.onnx_file.graph import OnnxGraph
from convert.tflite.as_onnx import as_onnx
from convert.tflite.graph import Graph
from model.checkpoint import load_checkpoint
from model.foundation.artifact import sha256_of
from model.foundation.command_line.progress import step
from model.foundation.errors import InputError
from model.geometry.spec import parse_size
from model.networks import NETWORKS, spec_of
from model.runtime.flatbuffer import read_model, spec_inside
from model.runtime.onnx_file import read_onnx
from quantize.apply.passes import FLOAT_PASSES
from quantize.inspect.lint.findings import LEVELS, Finding, Level
from quantize.inspect.lint.rules import RULES
from quantize.recipe import Recipe

MOST_VALUES = 150_000
"""Of a map whose range may be its least and largest value: between the largest that bore it (102,400 values,
FeatherFace V1's recipe) and the smallest that did not (204,800); see `pairs.json` of its tests."""
COLOURS = {"note": "cyan", "warning": "yellow", "error": "red"}


@dataclass(frozen=True)
class LintReport:
    """All findings in one network, the worst first.

    Attributes:
        title: What was looked at.
        file, sha256: The file it came from; None for a network with fresh weights.
        findings: One for each rule, layer and reason.
    """

    title: str
    file: str | None
    sha256: str | None
    findings: tuple[Finding, ...]
    format: str = "featherface-lint"
    version: int = 1

    @classmethod
    def of(cls, what: str, source: Path | None, findings: list[Finding]) -> LintReport:
        """Say what was looked at."""
        file, digest = (None, None) if source is None else (source.name, sha256_of(source))
        return cls(f"Lint of {what}", file, digest, tuple(findings))

    def at_least(self, level: Level) -> list[Finding]:
        """The findings of a level or worse."""
        return [one for one in self.findings if LEVELS.index(one.level) >= LEVELS.index(level)]


def lint_file(path: Path, recipe: Recipe | None = None) -> list[Finding]:
    """Lint an ONNX or float TFLite file, whoever made it.

    Args:
        path: Of a TFLite file that carries a spec the outputs are looked at as `apply` will cut them.
        recipe: Leaves out what it keeps in float: where no integers are, nothing is lost.

    Raises:
        InputError: no such file, neither of the two, or quantized already.
    """
    graph = _tflite_graph(path) if path.suffix == ".tflite" else OnnxGraph.of(read_onnx(path))
    found = lint(graph, weights=True)
    if recipe is None:
        return found
    return [*_rare_extremes(graph, recipe), *(one for one in found if _is_integer(recipe, one.layer))]


def _is_integer(recipe: Recipe, layer: str) -> bool:
    return recipe.precision_of(layer).needs_ranges


def _rare_extremes(graph: OnnxGraph, recipe: Recipe) -> list[Finding]:
    """Large maps whose range is their least and largest value."""
    if recipe.estimator != "min_max":
        return []
    large = {
        graph.layer(node): prod(graph.shape(node.output[0]))
        for node in graph.nodes
        if node.op_type == "Conv" and prod(graph.shape(node.output[0])) > MOST_VALUES
    }
    return [
        Finding(
            "rare_extremes",
            "error",
            layer,
            f"one of {values:,} values on any image sets the levels of all others",
            'give the recipe "estimator": "mse", or keep the layer in float16',
        )
        for layer, values in large.items()
        if _is_integer(recipe, layer)
    ]


def _tflite_graph(path: Path) -> OnnxGraph:
    model, spec = read_model(path), spec_inside(path)
    if spec is not None:
        for each in FLOAT_PASSES:
            spec = each(model, spec)
    graph = Graph.of(model)
    if any(one.scales is not None for one in graph.tensors):
        raise InputError(f"{path} is quantized already: audit looks at such files, lint at the float file")
    return as_onnx(graph)


def lint_network(name: str, size: str, checkpoint: Path | None) -> list[Finding]:
    """Lint a network of this project as it would be exported.

    Args:
        name: Of the network.
        size: Input size, "320" or "HEIGHTxWIDTH".
        checkpoint: Its weights; without them it is built anew, and rules about weights are left out.

    Raises:
        InputError: no such network or size, or the checkpoint is not of it.
    """
    spec = spec_of(name, *parse_size(size))
    if checkpoint is None:
        network = NETWORKS[name].build().eval()
    else:
        network = load_checkpoint(checkpoint, name).network
    with step(f"{name}: export"):
        _, model = simplified_onnx(network, spec)
    return lint(OnnxGraph.of(model), weights=checkpoint is not None)


def lint(graph: OnnxGraph, *, weights: bool) -> list[Finding]:
    """Apply all rules, the worst findings first; a rule speaks once of each layer and reason.

    Args:
        graph: The network.
        weights: Whether the weights are trained ones, so that rules about weights make sense.
    """
    rules = [one for one in RULES if weights or not one.needs_weights]
    found: Counter[Finding] = Counter(one for rule in rules for one in rule.findings(graph))
    single = [replace(one, count=count) for one, count in found.items()]
    return sorted(single, key=lambda one: -LEVELS.index(one.level))


def print_findings(what: str, findings: list[Finding], *, weights: bool) -> None:
    """Print the findings, rule by rule: where, why, what to do; and the rules that fresh weights left out."""
    console = Console(highlight=False, soft_wrap=True)
    for rule in dict.fromkeys(one.rule for one in findings):
        group = [one for one in findings if one.rule == rule]
        colour = COLOURS[group[0].level]
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
    left_out = [one.name for one in RULES if one.needs_weights and not weights]
    if left_out:
        console.print(f"not checked without --checkpoint: {', '.join(left_out)}", style="yellow")

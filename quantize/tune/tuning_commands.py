"""The commands `sensitivity`, `search`, `curve` and `bias-correction`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quantize.recipe import Recipe
    from quantize.tune.task import Subject

_RESUMES = "JSON lines of finished trials: a second run goes on there (default: beside --output)"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add all four."""
    from quantize.tune.task import add_subject

    sensitivity = subparsers.add_parser(
        "sensitivity", help="AP and SQNR with each layer alone in INT8, and with each alone in float"
    )
    add_subject(sensitivity)
    sensitivity.add_argument("--layers", help="regular expression: only layers whose name it matches")
    sensitivity.add_argument("--damage-only", action="store_true", help="leave out 'alone in float'")
    sensitivity.add_argument(
        "--output", type=Path, required=True, help="table (JSON); .svg and .jsonl beside"
    )
    sensitivity.add_argument("--journal", type=Path, help=_RESUMES)
    sensitivity.add_argument("--json", action="store_true", help="print the table as JSON")
    sensitivity.set_defaults(run=_sensitivity)

    search = subparsers.add_parser(
        "search", help="the smallest or fastest mix of INT8 and FP16 whose AP falls by no more than a limit"
    )
    add_subject(search)
    search.add_argument("--max-drop", type=float, default=0.5, help="largest drop in points (0.5)")
    search.add_argument("--metric", choices=("ap50",), default="ap50", help="of the drop (ap50)")
    search.add_argument("--cost", type=Path, help="the benchmark's counted instructions (JSON)")
    search.add_argument("--sensitivity", type=Path, help="table (JSON) that ranks the layers, made before")
    search.add_argument("--damage-only", action="store_true", help="rank by 'alone in INT8' only")
    search.add_argument("--recipe", type=Path, required=True, help="recipe (JSON) to write")
    search.add_argument(
        "--output", type=Path, required=True, help="candidates (JSON); .svg and .jsonl beside"
    )
    search.add_argument("--journal", type=Path, help=_RESUMES)
    search.add_argument("--json", action="store_true", help="print the result as JSON")
    search.set_defaults(run=_search)

    correct = subparsers.add_parser("bias-correction", help="prove that correcting INT8 biases helps, or not")
    add_subject(correct, images_needed=True)
    correct.add_argument("--recipe", type=Path, help="recipe to try instead of all layers in INT8")
    correct.add_argument("--output", type=Path, required=True, help="before and after (JSON)")
    correct.add_argument("--json", action="store_true", help="print the JSON too")
    correct.set_defaults(run=_correct)

    curve = subparsers.add_parser(
        "curve", help="AP of the INT8 file against the number of calibration images"
    )
    add_subject(curve, images_needed=True)
    curve.add_argument("--recipe", type=Path, help="recipe to try instead of all layers in INT8")
    curve.add_argument("--output", type=Path, required=True, help="curve (JSON); .svg beside it")
    curve.add_argument("--json", action="store_true", help="print the curve as JSON")
    curve.set_defaults(run=_curve)


def _sensitivity(options: argparse.Namespace) -> int:
    from model.foundation.artifact import write_json
    from quantize.tune.plots import plot_sensitivity
    from quantize.tune.search import chosen_layers
    from quantize.tune.sensitivity import measure_sensitivity
    from quantize.tune.tables import print_sensitivity, say
    from quantize.tune.task import Subject

    subject = Subject(options)
    bench = subject.bench("search", options.journal or options.output.with_suffix(".jsonl"))
    layers = chosen_layers(subject.layers, options.layers)
    table = measure_sensitivity(bench, layers, subject.estimator, repairs=not options.damage_only)
    value = table.to_json(f"Sensitivity of {subject.model.name}")
    write_json(options.output, value)
    plot_sensitivity(table, options.output.with_suffix(".svg"))
    say(value, options.json, lambda: print_sensitivity(table))
    return 0


def _search(options: argparse.Namespace) -> int:
    from model.foundation.artifact import write_json
    from model.foundation.records import to_json
    from quantize.tune.plots import plot_search
    from quantize.tune.search import Cost, Search, counted_cost, ranked_layers
    from quantize.tune.sensitivity import measure_sensitivity
    from quantize.tune.tables import print_found, say, search_json, search_line
    from quantize.tune.task import Subject

    subject = Subject(options)
    journal = options.journal or options.output.with_suffix(".jsonl")
    choosing, verifying = subject.bench("search", journal), subject.bench("verify", journal)
    if options.sensitivity is not None:
        order = ranked_layers(options.sensitivity, subject.layers)
    else:
        table = measure_sensitivity(
            choosing, subject.layers, subject.estimator, repairs=not options.damage_only
        )
        order = [row.layer for row in table.rows]
    macs = sum(layer.macs for layer in subject.layers)
    stem = subject.model.name.removesuffix("_float32.tflite")
    cost = (options.cost and counted_cost(options.cost, stem, macs)) or Cost()
    search = Search(choosing, verifying, order, options.max_drop, cost, subject.estimator)
    found = search.run(lambda candidate: None if options.json else search_line(candidate))
    value = search_json(found, options.max_drop, cost, subject.model.name)
    write_json(options.output, value)
    write_json(options.recipe, to_json(search.recipe(found.winner.in_float)))
    plot_search(found, options.max_drop, options.output.with_suffix(".svg"))
    say(value, options.json, lambda: print_found(found, options.max_drop, cost))
    return 0


def _with_recipe(options: argparse.Namespace) -> tuple[Subject, Recipe]:
    """The subject and the recipe to try: all INT8 if none is given."""
    from quantize.recipe import read_recipe
    from quantize.tune.sensitivity import all_int8
    from quantize.tune.task import Subject

    subject = Subject(options)
    return subject, all_int8(subject.estimator) if options.recipe is None else read_recipe(options.recipe)


def _curve(options: argparse.Namespace) -> int:
    from model.foundation.artifact import write_json
    from quantize.tune.curve import measure_curve
    from quantize.tune.plots import plot_curve
    from quantize.tune.tables import print_curve, say

    subject, recipe = _with_recipe(options)
    curve = measure_curve(subject, options.calibration, recipe)
    value = curve.to_json(f"AP against calibration images, {subject.model.name}")
    write_json(options.output, value)
    plot_curve(curve, options.output.with_suffix(".svg"))
    say(value, options.json, lambda: print_curve(curve))
    return 0


def _correct(options: argparse.Namespace) -> int:
    import json
    import tempfile

    from model.foundation.artifact import write_json
    from quantize.apply.bias_correction import correct_biases
    from quantize.apply.quantizer import apply_recipe
    from quantize.apply.steps import CORRECTION_IMAGES
    from quantize.calibrate.images import CalibrationImages
    from quantize.tune.before_after import Proof

    subject, recipe = _with_recipe(options)
    bench = subject.bench("search", None)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "quantized.tflite"
        apply_recipe(recipe, subject.model, bench.bounds, file)
        before = bench.score(file)
        images = list(CalibrationImages(options.calibration, subject.spec, CORRECTION_IMAGES))
        correct_biases(subject.model, file, images, file)
        proof = Proof(bench.float_file(), before, bench.score(file))
    write_json(options.output, proof.to_json())
    if options.json:
        print(json.dumps(proof.to_json(), indent=2))
    proof.require("bias correction")
    return 0

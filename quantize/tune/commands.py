"""The commands that try recipes on the real file, and `equalize`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from model.foundation.command_line import flags
from quantize.cost import Objective
from quantize.tune.subject import Folders, Subject

EXACT = 1e-4
"""Largest difference that equalization may make to an output on photographs, as a share of the output's
largest value."""
CHECKED = 8
"""So many photographs decide that."""
EQUALIZED = 48
"""So many images of the manifests, in turn, give the channels' ranges."""

Table = Annotated[flags.Output, Parameter(help="table (JSON) to write; a picture (.svg) stands beside it")]
Trials = Annotated[
    Path | None,
    Parameter(help="finished trials, where a second run goes on: .jsonl beside --output"),
]
DamageOnly = Annotated[bool, Parameter(help="leave out the trials with each layer alone in float")]


def sensitivity(
    *,
    of: Subject,
    output: Table,
    layers: Annotated[str | None, Parameter(help="only layers whose name this expression matches")] = None,
    damage_only: DamageOnly = False,
    journal: Trials = None,
    processes: flags.Processes = None,
    executor: flags.Executor = None,
    shard: flags.Shard = None,
) -> None:
    """AP and SQNR with each layer alone in INT8, and with each alone in float."""
    from model.foundation.workers import Shard, Workers, usable_cores
    from quantize.tune.plots import plot_sensitivity
    from quantize.tune.search import chosen_layers
    from quantize.tune.sensitivity import measure_sensitivity, sensitivity_recipes
    from quantize.tune.tables import print_sensitivity

    workers = Workers(processes or usable_cores(), executor)
    bench = of.bench("search", journal or output.with_suffix(".jsonl"))
    chosen = chosen_layers(of.layers, layers)
    if shard is not None:
        part = Shard.parse(shard).part(sensitivity_recipes(chosen, of.estimator, repairs=not damage_only))
        bench.try_all(part, workers, f"{of.model.name}: shard {shard}")
        print(f"shard {shard}: {len(part)} trials are kept in {journal or output.with_suffix('.jsonl')}")
        return
    table = measure_sensitivity(bench, chosen, of.estimator, repairs=not damage_only, workers=workers)
    _publish(
        output,
        table.to_json(f"Sensitivity of {of.model.name}"),
        partial(plot_sensitivity, table),
        partial(print_sensitivity, table),
    )


def search(
    *,
    of: Subject,
    recipe: Annotated[flags.Recipe, Parameter(help="recipe (JSON) to write")],
    output: Table,
    max_drop: Annotated[float, Parameter(help="largest drop in AP50, in points")] = 0.5,
    objective: Annotated[
        Objective, Parameter(help="what to make small: instructions on a core, or bytes")
    ] = "a53",
    sensitivity: Annotated[
        Path | None, Parameter(help="table (JSON) that ranks the layers, made before")
    ] = None,
    damage_only: DamageOnly = False,
    journal: Trials = None,
    processes: flags.Processes = None,
    executor: flags.Executor = None,
    quiet: flags.Quiet = False,
) -> None:
    """The smallest or fastest mix of INT8 and FP16 whose AP50 falls by no more than a limit.

    A file's instructions are the sum of its layers', which were counted on that core.

    The recipe is called as its file is. Ranges that were measured on --calibration are written beside it,
    NAME_ranges.json: with both, `apply` makes the file, and so does make with RECIPE=.
    """
    from msgspec import structs

    from model.foundation.records import write_record
    from model.foundation.workers import Workers, usable_cores
    from quantize.tune.plots import plot_search
    from quantize.tune.search import Search, price, ranked_layers, recipe_name
    from quantize.tune.sensitivity import measure_sensitivity
    from quantize.tune.tables import print_found, search_json, search_line

    name = recipe_name(recipe, of.detector.network)
    ranges = of.keep_ranges(recipe.with_name(f"{recipe.stem}_ranges.json"))
    trials = journal or output.with_suffix(".jsonl")
    choosing, verifying = of.bench("search", trials), of.bench("verify", trials)
    price(choosing.float_file(), objective)  # what cannot be priced is refused before the long work
    if sensitivity is not None:
        order = ranked_layers(sensitivity, of.layers)
    else:
        workers = Workers(processes or usable_cores(), executor)
        table = measure_sensitivity(
            choosing, of.layers, of.estimator, repairs=not damage_only, workers=workers
        )
        order = [row.layer for row in table.rows]
    stem = of.model.name.removesuffix("_float32.tflite")
    work = Search(choosing, verifying, order, max_drop, objective, of.estimator)
    found = work.run(lambda candidate: None if quiet else search_line(candidate))
    write_record(recipe, structs.replace(work.recipe(found.winner.in_float), name=name))
    _publish(
        output,
        search_json(found, max_drop, of.model.name),
        partial(plot_search, found, max_drop),
        partial(print_found, found, max_drop),
    )
    measured = f"--ranges {ranges}" if ranges else f"--calibration {' '.join(map(str, of.calibration))}"
    print(f"the file: featherface quantize --model {of.model} --recipe {recipe} \\")
    print(f"  {measured} --photographs FOLDER --output {of.model.with_name(f'{stem}_{name}.tflite')}")
    print(f"in make, with the other files: make tflite RECIPE={recipe}")


def curve(
    *,
    of: Subject,
    output: Table,
    recipe: Annotated[
        flags.Recipe | None, Parameter(help="recipe to try instead of all layers in INT8")
    ] = None,
) -> None:
    """AP of the INT8 file against the number of calibration images."""
    from quantize.recipe import read_recipe
    from quantize.tune.curve import measure_curve
    from quantize.tune.plots import plot_curve
    from quantize.tune.sensitivity import all_int8
    from quantize.tune.tables import print_curve

    measured = measure_curve(of, all_int8(of.estimator) if recipe is None else read_recipe(recipe))
    _publish(
        output,
        measured.to_json(f"AP against calibration images, {of.model.name}"),
        partial(plot_curve, measured),
        partial(print_curve, measured),
    )


def _publish(
    output: Path, table: dict[str, Any], plot: Callable[[Path], None], show: Callable[[], None]
) -> None:
    """Write a table (JSON) and its picture (.svg beside it), and print it."""
    from model.foundation.artifact import write_json

    write_json(output, table)
    plot(output.with_suffix(".svg"))
    show()


def equalize(
    *,
    checkpoint: flags.Checkpoint,
    network: flags.Network,
    calibration: flags.Calibration,
    output: Annotated[flags.Output, Parameter(help="checkpoint (.pth) to write")],
    size: flags.Size = "320",
    data: Annotated[Folders, Parameter(help="folders with label.txt and images/, to prove it on")] = [],
    limit: Annotated[
        flags.Limit, Parameter(help="only so many images of each folder's half, drawn at random with --seed")
    ] = 100,
    seed: flags.Seed = 0,
) -> None:
    """Rewrite a checkpoint exactly, so that INT8 loses less; with --data, exit code 1 if it does not help."""
    import copy

    from calibration_data.image_set import ImageSet
    from model.checkpoint import load_checkpoint, write_saved
    from model.foundation.artifact import Artifact
    from model.foundation.command_line.progress import step
    from model.geometry.spec import parse_size
    from model.networks import spec_of
    from model.runtime.running import TorchModel
    from quantize.calibrate.images import CalibrationImages
    from quantize.tune import equalize as equalizing
    from quantize.tune.before_after import Proof, int8_of

    spec = spec_of(network, *parse_size(size))
    module = load_checkpoint(checkpoint, network).network
    images = list(CalibrationImages(calibration, spec, EQUALIZED))
    before = copy.deepcopy(module)
    with step(f"equalize {checkpoint.name} on {len(images)} images"):
        equalizing.equalize(module, spec, images)
        runs = TorchModel(before, spec), TorchModel(module, spec)
        differences = equalizing.require_equal(*runs, images[:CHECKED], EXACT)
    write_saved(output, module.state_dict())
    proof = None
    if data:
        halves = (ImageSet.in_folder(folder).half("search").sample(limit, seed) for folder in data)
        faces = [image for half in halves for image in half.labelled]
        with step("INT8 before and after: convert, quantize, score"):
            whole, old = int8_of(before, spec, checkpoint, images, faces)
            _, new = int8_of(module, spec, output, images, faces)
        proof = Proof(whole, old, new)
    Artifact.save(
        output,
        sources={"checkpoint": checkpoint},
        step="cross-layer equalization",
        differences=differences,
        proof=None if proof is None else proof.to_json(),
    )
    if proof is not None:
        proof.require("equalization")

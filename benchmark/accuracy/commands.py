"""`evaluate`, `drift`, `wider-eval` and `hashes`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from benchmark.accuracy.options import ModelOptions, RunOptions, SetOptions
from model.foundation.command_line import flags

Resamples = Annotated[int, Parameter(help="of the bootstrap over images")]


def evaluate(
    model: flags.Models,
    *,
    images: flags.Images,
    labels: flags.Labels,
    json: flags.Json = None,
    write_predictions: Annotated[
        Path | None, Parameter(help="also write WIDER FACE's text format into FOLDER/MODEL")
    ] = None,
    of: SetOptions = SetOptions(),
    opened: ModelOptions = ModelOptions(),
    how: RunOptions = RunOptions(),
) -> None:
    """Measure AP, precision and recall of .tflite, .onnx and .pth files on a labelled set.

    The table states how images were fed, and recall by the height of faces in the network's input.
    """
    from model.foundation.command_line.progress import passing

    with passing("loading what models run on"):
        from benchmark.accuracy.evaluation import evaluate as evaluate_run
        from benchmark.accuracy.evaluation import run_model
        from benchmark.accuracy.tables import accuracy, classes, set_line
        from benchmark.accuracy.wider_predictions import write_set
    from model.foundation.command_line.terminal import wide_console
    from model.foundation.records import write_record

    pictures, wider = of.read(images, labels), of.wider_truth()
    evaluations = []
    for path in model:
        run = run_model(path, pictures, opened, how)
        if write_predictions is not None:
            write_set(write_predictions / path.stem, run.found)
        evaluations.append(evaluate_run(run, wider))
    if json is not None:
        write_record(json, {"evaluations": evaluations})
    console = wide_console()
    console.print(f"{pictures.name}: {set_line(evaluations)}")
    console.print(accuracy(evaluations).rich())
    if (by_class := classes(evaluations)) is not None:
        console.print(by_class.rich())
    for one in evaluations:
        if one.images_per_second is not None:
            console.print(f"{one.model}: {one.images_per_second:.1f} images/s")


def detect(
    model: flags.Model,
    *,
    images: Annotated[flags.Images, Parameter(help="a photograph, or a folder of them")],
    score: Annotated[float | None, Parameter(help="show faces above it (default: the spec's)")] = None,
    output: Annotated[
        flags.Output | None, Parameter(help="folder for the photographs with their faces drawn")
    ] = None,
    json: flags.Json = None,
    opened: ModelOptions = ModelOptions(),
) -> None:
    """Find the faces in photographs, and draw them.

    The quickest way to see whether a spec describes a foreign model: wrong boxes show at once.
    """
    from benchmark.accuracy.detect import detect_photographs
    from calibration_data.images import list_images
    from model.evaluation.detector import Detector
    from model.foundation.records import write_record

    paths = list_images(images) if images.is_dir() else [images]
    found = detect_photographs(Detector(model, opened.spec_for(model), score), paths, output)
    if json is not None:
        write_record(json, {"photographs": found})
    for one in found:
        print(f"{one.image}: {len(one.faces)} face(s)")
        for face in one.faces:
            box = " ".join(f"{value:.0f}" for value in face.box_xyxy)
            print(f"  {face.score:.3f}  {box}  {face.kind}".rstrip())
    if output is not None:
        print(f"pictures in {output}")


def drift(
    reference: Annotated[Path, Parameter(help="usually the float model")],
    candidate: Annotated[Path, Parameter(help="usually the quantized model")],
    *,
    images: flags.Images,
    labels: flags.Labels | None = None,
    output: Annotated[
        flags.Output | None, Parameter(help="folder for drift.json and the worst images, side by side")
    ] = None,
    json: flags.Json = None,
    resamples: Resamples = 1000,
    worst: Annotated[int, Parameter(help="images to draw")] = 8,
    of: SetOptions = SetOptions(),
    opened: ModelOptions = ModelOptions(),
    how: RunOptions = RunOptions(),
) -> None:
    """Say what changed between two models: metrics with 95 % intervals, faces lost, gained and moved.

    Without --labels the reference's own detections stand in.
    """
    from model.foundation.command_line.progress import passing

    with passing("loading what models run on"):
        from benchmark.accuracy import tables
        from benchmark.accuracy.drawing import draw_worst
        from benchmark.accuracy.drift import measure_drift
        from benchmark.accuracy.evaluation import run_model
    from model.foundation.command_line.terminal import wide_console
    from model.foundation.records import write_record

    pictures, wider = of.read(images, labels), of.wider_truth()
    runs = [run_model(path, pictures, opened, how) for path in (reference, candidate)]
    found, changes = measure_drift(runs[0], runs[1], wider, resamples, of.seed)
    if output is not None:
        write_record(output / "drift.json", found)
        draw_worst(output, runs[0], runs[1], [one.name for one in found.worst[:worst]], changes)
    if json is not None:
        write_record(json, found)
    console = wide_console()
    console.print(f"{found.candidate} against {found.reference} on {found.set}, {found.images} images")
    console.print(f"protocol: {found.protocol}")
    console.print(tables.drift(found).rich())
    console.print(tables.drift_sentence(found))


def wider_eval(
    *,
    predictions: Annotated[Path, Parameter(help="folder of EVENT/IMAGE.txt files")],
    ground_truth: Annotated[Path, Parameter(help="folder of wider_face_val.mat and wider_*_val.mat")],
    iou: Annotated[float, Parameter(help="overlap of a hit")] = 0.5,
    present_only: Annotated[
        bool, Parameter(help="leave out images without a file instead of scoring them as no detection")
    ] = False,
    json: flags.Json = None,
) -> None:
    """Evaluate prediction files by WIDER FACE's official protocol: easy, medium and hard AP.

    What is missing or odd among the files is said on the error stream.
    """
    import sys

    from benchmark.accuracy.wider_protocol import evaluate_predictions
    from model.foundation.records import write_record

    result = evaluate_predictions(predictions, ground_truth, iou, present_only)
    if json is not None:
        write_record(json, result)
    for note in result.notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"WIDER FACE protocol, IoU {iou:g}, {result.images} images")
    for subset, ap in result.ap.items():
        figure = f"{100 * ap:.2f}" if ap is not None else "no face"
        print(f"  {subset:6s} AP {figure:>7s}   ({result.faces[subset]} faces)")


def hashes(
    model: flags.Model,
    *,
    images: flags.Images,
    output: Annotated[flags.Output | None, Parameter(help="write the fingerprints (JSON)")] = None,
    against: Annotated[
        Path | None, Parameter(help="fingerprints of another machine; exit code 1 if one differs")
    ] = None,
    threads: Annotated[int, Parameter(help="of the runtime")] = 1,
    limit: flags.Limit = None,
    seed: flags.Seed = 0,
    opened: ModelOptions = ModelOptions(),
) -> None:
    """Fingerprint a model's raw outputs over images, to compare two machines bit by bit."""
    from benchmark.accuracy.bit_exact import OutputHashes, hash_outputs, require_same
    from model.foundation.records import read_record, write_record

    pictures = SetOptions(limit=limit, seed=seed).read(images, None)
    found = hash_outputs(model, opened.spec_for(model), pictures.images, threads)
    if output is not None:
        write_record(output, found)
    print(f"{model.name}: {len(found.images)} images, all outputs together {found.sha256}")
    if against is not None:
        same = require_same(found, read_record(against, OutputHashes))
        print(f"bit-exact: all outputs of {same} images are the same")

"""`evaluate`, `detect`, `drift` and `wider-eval`."""

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
    shard: flags.Shard = None,
    opened: ModelOptions = ModelOptions(),
    how: RunOptions = RunOptions(),
) -> None:
    """Measure AP, precision and recall of .tflite, .onnx and .pth files on a labelled set.

    The table states how images were fed, and recall by the height of faces in the network's input.
    """
    from model.foundation.command_line.progress import passing

    with passing("loading what models run on"):
        from benchmark.accuracy.evaluation import evaluate as evaluate_run
        from benchmark.accuracy.evaluation import run_model, run_part
        from benchmark.accuracy.tables import accuracy, classes, set_line
        from benchmark.accuracy.wider.predictions import write_set
    from model.foundation.command_line.terminal import console
    from model.foundation.records import write_record
    from model.foundation.workers import Shard

    pictures, wider = of.read(images, labels), of.wider_truth()
    if shard is not None:
        for path in model:
            done = run_part(path, pictures, opened, how, Shard.parse(shard))
            print(f"{path.name}: shard {shard}, {done} of {len(pictures.images)} images kept in {how.cache}")
        return
    evaluations = []
    for path in model:
        run = run_model(path, pictures, opened, how)
        if write_predictions is not None:
            write_set(write_predictions / path.stem, run.found)
        evaluations.append(evaluate_run(run, wider))
    if json is not None:
        write_record(json, {"evaluations": evaluations})
    screen = console(wide=True)
    screen.print(f"{pictures.name}: {set_line(evaluations)}")
    screen.print(accuracy(evaluations).rich())
    if (by_class := classes(evaluations)) is not None:
        screen.print(by_class.rich())
    for one in evaluations:
        if one.images_per_second is not None:
            screen.print(f"{one.model}: {one.images_per_second:.1f} images/s")


def detect(
    model: flags.Model,
    source: Annotated[
        str, Parameter(help="a photograph, a folder of them, a video, or a camera's number (0)")
    ],
    *,
    score: Annotated[float | None, Parameter(help="show faces above it (default: the spec's)")] = None,
    output: Annotated[
        flags.Output | None, Parameter(help="folder for the pictures with their faces drawn, and faces.json")
    ] = None,
    show: Annotated[bool, Parameter(help="in a window too; q or ctrl-C ends")] = False,
    json: flags.Json = None,
    opened: ModelOptions = ModelOptions(),
) -> None:
    """Find the faces in photographs, a video or a camera's pictures, and draw them.

    The quickest way to see whether a spec describes a foreign model: wrong boxes show at once. The
    milliseconds are of this computer, one thread, from pixels to faces.
    """
    from contextlib import ExitStack
    from statistics import median

    from benchmark.accuracy.detect import detect_pictures, kept_in
    from benchmark.accuracy.window import Window
    from calibration_data.video import open_pictures
    from model.evaluation.detector import Detector
    from model.foundation.errors import one_line
    from model.foundation.records import write_record

    found = []
    with ExitStack() as stack:
        pictures = stack.enter_context(open_pictures(source))
        takers = [] if output is None else [stack.enter_context(kept_in(output, source, pictures))]
        window = Window(f"{model.name}: {source}", pictures.rate is None) if show else None
        if window is not None:
            stack.callback(window.close)
            takers.append(lambda _, drawn: window.show(drawn))
        if source.isdecimal():
            stack.push(lambda error, *_: error is KeyboardInterrupt)  # how a camera is ended
        for one in detect_pictures(Detector(model, opened.spec_for(model), score), pictures.named, takers):
            print(f"{one_line(one.image)}: {len(one.faces)} face(s), {one.ms:.1f} ms")
            for face in one.faces:
                box = " ".join(f"{value:.0f}" for value in face.box_xyxy)
                print(f"  {face.score:.3f}  {box}  {one_line(face.kind)}".rstrip())
            found.append(one)
            if window is not None and window.closed:
                break
    for path in filter(None, (json, output and output / "faces.json")):
        write_record(path, {"pictures": found})
    if len(found) > 1:
        print(f"{len(found)} pictures, {median(one.ms for one in found):.1f} ms each (median)")
    if output is not None:
        print(f"pictures and faces.json in {output}")


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
    from model.foundation.command_line.terminal import console
    from model.foundation.records import write_record

    pictures, wider = of.read(images, labels), of.wider_truth()
    runs = [run_model(path, pictures, opened, how) for path in (reference, candidate)]
    found, changes = measure_drift(runs[0], runs[1], wider, resamples, of.seed)
    if output is not None:
        write_record(output / "drift.json", found)
        draw_worst(output, runs[0], runs[1], [one.name for one in found.worst[:worst]], changes)
    if json is not None:
        write_record(json, found)
    screen = console(wide=True)
    screen.print(f"{found.candidate} against {found.reference} on {found.set}, {found.images} images")
    screen.print(f"protocol: {found.protocol}")
    screen.print(tables.drift(found).rich())
    screen.print(tables.drift_sentence(found))


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

    from benchmark.accuracy.wider.protocol import evaluate_predictions
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

"""`devices`, `latency` and `run`: which machines there are, how fast they are, what bytes they return."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from model.foundation.command_line import flags
from model.foundation.errors import GateError
from quantize.cost import TABLE

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from benchmark.devices.kind import Wish
    from benchmark.devices.machine import Machine
    from benchmark.devices.raw_outputs import Comparison
    from benchmark.devices.results import Measurement

DEFAULT_RESULTS = Path("build/benchmark/latency.json")
DEFAULT_RUNS = Path("build/benchmark/run")
TfliteModels = Annotated[flags.Models, Parameter(help="model files: .tflite")]
KeepFiles = Annotated[bool, Parameter(help="leave pushed files on the device")]


@Parameter(name="*")
@dataclass(frozen=True)
class Target:
    """Which machine, and what it may need."""

    device: flags.Device = "host"
    benchmark_model: Annotated[
        Path | None, Parameter(help="TensorFlow Lite's, for a phone; without it the demo app runs")
    ] = None
    keep_files: KeepFiles = False

    def wish(self, *, counting: bool = False, photographs: Path | None = None) -> Wish:
        """What the machine is opened for."""
        from benchmark.devices.kind import Wish

        return Wish(counting, self.benchmark_model, photographs, self.keep_files)


def devices(*, json: flags.Json = None) -> None:
    """List the connected devices and everything they say about themselves, and the machines always there.

    Raises:
        DeviceError: the adb server neither runs nor starts.
    """
    from rich.table import Table

    from benchmark.devices.kind import KINDS
    from model.foundation.artifact import write_json
    from model.foundation.command_line.terminal import console
    from model.foundation.records import to_json

    found = [one for kind in KINDS.values() for one in kind.listed()]
    screen = console()
    for one in found:
        table = Table("", "", title=one.title, show_header=False)
        for name, value in one.rows.items():
            table.add_row(name, value or "absent")
        screen.print(table)
    if not found:
        screen.print("no device over adb (enable USB debugging and plug one in, or `adb connect HOST:PORT`)")
    always = [name for kind in KINDS.values() for name in kind.always]
    screen.print(f"always there: {', '.join(always)}")
    screen.print(f"--device takes {', '.join(kind.form for kind in KINDS.values())}")
    if json is not None:
        write_json(json, to_json([one.record for one in found]))


def latency(
    *,
    model: TfliteModels,
    target: Target = Target(),
    threads: str = "1",
    delegate: str = "xnnpack",
    cluster: str = "none",
    quick: bool = False,
    sustained: str = "0",
    profile: bool = False,
    images: Annotated[flags.Images | None, Parameter(help="photographs for the demo app, else noise")] = None,
    output: flags.Output = DEFAULT_RESULTS,
    resume: bool = False,
) -> None:
    """Time models on the host or a device; count instructions on emulated ARM.

    A measurement waits until a phone is cool, lasts 60 s and 1,024 inferences at least, and is repeated:
    passes that differ by more than 5 % are flagged.

    Args:
        threads: E.g. 1,2,4 or 1-4.
        delegate: xnnpack, none or gpu; several by comma.
        cluster: Pin to little, big, prime, each of them, or none.
        quick: Shorter than the method asks for; results are marked.
        sustained: Add a sustained run, e.g. 10m.
        profile: Add each operator's share.
        resume: Keep what the result file holds and is valid, do the rest.

    Raises:
        InputError: an option or model cannot be used.
        DeviceError: the device fails; what was finished is in the result file.
    """
    from dataclasses import replace

    from benchmark.devices import parsing
    from benchmark.devices.kind import parse_device
    from benchmark.devices.machine import CountingMachine
    from benchmark.devices.method import QUICK, method_for, settings_of
    from benchmark.devices.results import Limits, ResultFile, Setting
    from benchmark.devices.tables import problem_lines, tables_of
    from model.foundation.command_line.terminal import console

    models = parsing.whole_models(model)
    limits = replace(QUICK if quick else Limits(), sustained_s=parsing.duration_s(sustained))
    counts, delegates = parsing.thread_counts(threads), parsing.delegates(delegate)
    kind, asked = parse_device(target.device)
    only_timed = {
        "--threads": counts != [1],
        "--delegate": delegates != ["xnnpack"],
        "--cluster": cluster != "none",
        "--quick": quick,
        "--sustained": limits.sustained_s > 0,
        "--images": images is not None,
    }
    wish = target.wish(counting=True, photographs=images)
    results = ResultFile(output, resume=resume)
    found: list[Measurement] = []
    for name in kind.names_to_measure(asked):
        with kind.opened(name, wish) as machine:
            # Instructions are counted in one way only: on one thread, with XNNPACK.
            settings = [Setting()]
            if isinstance(machine, CountingMachine):
                parsing.refuse_in_counting(target.device, only_timed)
            else:
                clusters = parsing.clusters(cluster, machine.clusters)
                settings = list(settings_of(counts, delegates, clusters, limits))
            work = [(one, setting) for one in models for setting in settings]
            method = method_for(machine)
            for number, (one, setting) in enumerate(work, 1):
                said = f"[{number}/{len(work)}] {one.name}, {setting.words} on {machine.facts.name}"
                found.append(method.kept(one, setting, results, said, profile=profile))
    for shown in (*tables_of(found), *problem_lines(found)):
        console().print(shown)
    print(f"results: {output}")


def run(
    *,
    model: TfliteModels,
    images: flags.Images,
    target: Target = Target(),
    limit: flags.Limit = None,
    seed: flags.Seed = 0,
    compare: str | None = None,
    require_identical: bool = False,
    output: Annotated[
        flags.Output, Parameter(help="folder for MACHINE/MODEL/OUTPUT.npy and the comparison")
    ] = DEFAULT_RUNS,
) -> None:
    """Run photographs through models on a device and keep the raw outputs; compare them with another's.

    Args:
        compare: Second machine, written as after --device, or the folder that it left here: OUTPUT/MACHINE.
        require_identical: Fail (exit 1) unless every byte is equal.

    Raises:
        InputError: an option, model or photograph cannot be used.
        DeviceError: a machine fails.
        GateError: bytes differ under --require-identical.
    """
    from benchmark.devices import parsing, raw_outputs
    from benchmark.devices.kind import parse_device
    from benchmark.devices.results import ModelFile, now
    from calibration_data.image_set import ImageSet
    from model.foundation.records import write_record

    models = parsing.whole_models(model)
    chosen = list(ImageSet.read(images).sample(limit, seed).images.values())
    folders = []
    for word in filter(None, (target.device, compare)):
        folders.append(output / word.replace(":", "-"))
        if word == compare and Path(word).is_dir():
            folders[-1] = Path(word)
            continue
        kind, asked = parse_device(word)
        _run_models(kind.opened(asked, target.wish()), models, chosen, folders[-1])
    if compare is None:
        print(f"outputs of {len(chosen)} photographs: {folders[0]}")
        return
    first, second = (folder.name for folder in folders)
    agreement = {
        one.name: raw_outputs.compare(
            folders[0] / one.stem, folders[1] / one.stem, raw_outputs.output_names(one)
        )
        for one in models
    }
    found = raw_outputs.Comparison(
        (first, second),
        tuple(image.name for image in chosen),
        tuple(ModelFile.of(one) for one in models),
        agreement,
        now(),
    )
    _show(found)
    write_record(output / f"{first}-{second}.json", found)
    different = found.different
    if require_identical and different:
        raise GateError(f"{first} and {second} differ in {', '.join(different)}")


def _run_models(
    opened: AbstractContextManager[Machine], models: list[Path], images: list[Path], folder: Path
) -> None:
    from benchmark.devices.raw_outputs import run_model
    from model.foundation.command_line.progress import passing

    names = ", ".join(model.name for model in models)
    with passing(f"{folder.name} runs {names} on {len(images)} photographs"), opened as machine:
        for model in models:
            run_model(machine, model, images, folder / model.stem)


def _show(found: Comparison) -> None:
    from rich.table import Table

    from model.foundation.command_line.terminal import console

    title = f"{' and '.join(found.machines)}, {len(found.images)} photographs"
    table = Table("model", "output", "identical frames", "largest difference", "mean", title=title)
    for name, outputs in found.agreement.items():
        for output, one in outputs.items():
            counts = f"{one.identical}/{len(found.images)}"
            table.add_row(name, output, counts, f"{one.max_error:.3g}", f"{one.mean_error:.3g}")
    console().print(table)


def count_layers(*, output: flags.Output = TABLE) -> None:
    """Count single layers on each emulated core, after another runtime: what `search --objective` rests on.

    Args:
        output: Table (JSON) to write; by default the one that ships.

    Raises:
        DeviceError: the emulated machine fails.
    """
    from benchmark.devices.count_layers import write_table

    write_table(output)

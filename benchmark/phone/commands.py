"""`evaluate-phone`: the demo app detects on a phone; its figures stand beside this computer's."""

from __future__ import annotations

from pathlib import Path

from benchmark.devices.commands import KeepFiles
from model.foundation.command_line import flags


def evaluate_phone(
    *,
    model: flags.Models,
    images: flags.Images,
    labels: flags.Labels,
    device: flags.Device = "app",
    keep_files: KeepFiles = False,
    limit: flags.Limit = None,
    seed: flags.Seed = 0,
    threads: int = 4,
    delegate: str = "xnnpack",
    output: flags.Output = Path("build/benchmark/phone.json"),
) -> None:
    """Evaluate models on a phone with the demo app, beside this computer's figures on the same images.

    What differs on a phone is more than the runtime: it decodes and scales the photographs itself. They go
    in batches; repeated after an interruption, only what is missing is done (OUTPUT_parts keeps the rest).

    Args:
        threads: Threads on the phone.
        delegate: xnnpack, none or gpu.

    Raises:
        InputError: an option, a label or an image cannot be used, or the machine is no phone with the app.
        DeviceError: the phone or the app fails.
    """
    from benchmark.devices import parsing
    from benchmark.devices.kind import Wish, parse_device
    from benchmark.devices.kinds.app import AppMachine
    from benchmark.devices.machine import RunRequest
    from benchmark.devices.results import now
    from benchmark.phone.figures import PhoneFile, measured_on, table_of
    from calibration_data.image_set import ImageSet
    from model.foundation.command_line.progress import passing
    from model.foundation.command_line.terminal import console
    from model.foundation.errors import InputError
    from model.foundation.records import write_record

    models, chosen = parsing.whole_models(model), ImageSet.read(images, labels).sample(limit, seed)
    (delegate_,) = parsing.delegates(delegate)
    kind, asked = parse_device(device)
    found = []
    with kind.opened(asked, Wish(keep_files=keep_files)) as machine:
        if not isinstance(machine, AppMachine):
            raise InputError("evaluate-phone needs an Android phone with the demo app: --device app[:SERIAL]")
        for one in models:
            request = RunRequest(one, threads, delegate_, max_seconds=900)
            with passing(f"{machine.facts.name} detects on {len(chosen)} images"):
                found.append(measured_on(machine, request, chosen, parts_of(output)))
            console().print(table_of(found[-1]))
        write_record(output, PhoneFile(machine.facts, tuple(found), now()))


def parts_of(output: Path) -> Path:
    """Where the finished batches of an evaluation are kept."""
    return output.with_name(f"{output.stem}_parts")

"""`latency`: how long, or how many instructions, an inference takes."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmark.devices.arguments import (
    add_target,
    clusters_of,
    counts_of,
    delegates_of,
    duration_s,
    models_of,
    target_of,
)
from benchmark.devices.method import QUICK, Limits, Method, settings_of
from benchmark.devices.opening import Target, opened
from benchmark.devices.results import Measurement, ResultFile
from benchmark.devices.tables import cost_table, latency_table, operator_table, stage_table
from benchmark.emulation.armhf import ArmhfMachine
from benchmark.emulation.cost import arm64_cost, arm64_machine, armhf_cost
from benchmark.emulation.guest import CORES
from benchmark.phone.app import AppRun
from calibration_data.images import list_images
from model.foundation.artifact import sha256_of

DEFAULT_OUTPUT = Path("build/benchmark/latency.json")
COUNTED_CORES = ("cortex-a53", "cortex-a76")
"""One without and one with the dot-product instructions: what entry-level and better phones have."""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "latency",
        help="time models on the host or a device; count instructions on emulated ARM",
        description=__doc__,
    )
    add_target(parser)
    parser.add_argument("--model", type=Path, nargs="+", required=True, metavar="FILE", help="TFLite files")
    parser.add_argument("--threads", default="1", help="e.g. 1,2,4 or 1-4 (default: 1)")
    parser.add_argument(
        "--delegate", default="xnnpack", help="xnnpack, none, gpu, several by comma (default: xnnpack)"
    )
    parser.add_argument("--cluster", default="none", help="pin to little, big, prime, each of them, or none")
    parser.add_argument(
        "--quick", action="store_true", help="shorter than the method asks for; results are marked"
    )
    parser.add_argument("--sustained", default="0", metavar="TIME", help="add a sustained run, e.g. 10m")
    parser.add_argument("--profile", action="store_true", help="add each operator's share")
    parser.add_argument(
        "--images", type=Path, metavar="FOLDER", help="photographs for the app (default: noise)"
    )
    parser.add_argument(
        "--output", type=Path, default=DEFAULT_OUTPUT, metavar="FILE", help="result file (JSON)"
    )
    parser.add_argument(
        "--resume", action="store_true", help="keep what the result file holds and is valid, do the rest"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure every model in every setting, and print the tables.

    Raises:
        InputError: an option or model cannot be used.
        DeviceError: the device fails; what was finished is in the result file.
    """
    models = models_of(options.model)
    target = replace(target_of(options), task=_app_run(options.images))
    results = ResultFile(options.output, resume=options.resume)
    console = Console(stderr=True)
    if target.kind == "arm64":
        found = _count_arm64(models, target, options, results, console)
    elif target.kind == "armhf":
        found = _count_armhf(models, results, console)
    else:
        found = _time(models, target, options, results, console)
    show(found, Console())
    print(f"results: {options.output}")
    return 0


def _app_run(folder: Path | None) -> AppRun:
    """What the app is to do with a folder of photographs, or with noise.

    Raises:
        InputError: no such folder, or no image in it.
    """
    if folder is None:
        return AppRun()
    images = {path.relative_to(folder).as_posix(): path for path in list_images(folder)}
    return AppRun(images=images, image_set=folder.resolve().name)


def show(found: list[Measurement], console: Console) -> None:
    """Print the tables that the measurements fill."""
    if any(one.timing for one in found):
        console.print(latency_table(found))
    if any(one.instructions for one in found):
        console.print(cost_table(found))
    for one in found:
        if one.operators:
            console.print(operator_table(one))
        if one.stages_ms:
            console.print(stage_table(one))


def _time(
    models: list[Path], target: Target, options: argparse.Namespace, results: ResultFile, console: Console
) -> list[Measurement]:
    limits = replace(QUICK if options.quick else Limits(), sustained_s=duration_s(options.sustained))
    threads, delegates = counts_of(options.threads), delegates_of(options.delegate)
    found = []
    with opened(target) as ready:
        method = Method(ready.machine, ready.device, limits)
        settings = list(settings_of(threads, delegates, clusters_of(options.cluster, ready.facts)))
        for number, (model, setting) in enumerate((m, s) for m in models for s in settings):
            planned = method.planned(model, setting)
            one = results.measurements.get(planned.key)
            if one is None or not one.valid:
                cluster = f", {setting.cluster.name}" if setting.cluster else ""
                what = f"{model.name}, {setting.threads} threads, {setting.delegate}{cluster}"
                place = f"[{number + 1}/{len(models) * len(settings)}]"
                with console.status(f"{place} {what} on {ready.machine.facts.name}"):
                    one = method.measure(model, setting, profile=options.profile)
                results.add(one)
            found.append(one)
    return found


def _count_arm64(
    models: list[Path], target: Target, options: argparse.Namespace, results: ResultFile, console: Console
) -> list[Measurement]:
    cores = (target.name,) if target.name else COUNTED_CORES
    found = []
    for core in (core for core in CORES if core in cores):
        done = _finished(results, f"arm64:{core}", models, profiled=options.profile)
        waiting = [model for model in models if model not in done]
        found += list(done.values())
        if not waiting:
            continue
        with console.status(f"{core} boots") as status, arm64_machine(core, counting=True) as machine:
            for model in waiting:
                status.update(f"{core} counts {model.name}")
                one = arm64_cost(machine, model, profile=options.profile)
                results.add(one)
                found.append(one)
    return found


def _count_armhf(models: list[Path], results: ResultFile, console: Console) -> list[Measurement]:
    machine = ArmhfMachine()
    done = _finished(results, machine.facts.name, models, profiled=False)
    found = list(done.values())
    for model in models:
        if model not in done:
            with console.status(f"{machine.facts.name} counts {model.name}"):
                one = armhf_cost(machine, model)
            results.add(one)
            found.append(one)
    return found


def _finished(
    results: ResultFile, machine: str, models: list[Path], *, profiled: bool
) -> dict[Path, Measurement]:
    """The models that the result file has valid counts of, on this machine."""
    known = {
        one.model["sha256"]: one
        for one in results.measurements.values()
        if one.valid
        and one.machine["name"] == machine
        and one.instructions
        and (one.operators or not profiled)
    }
    hashes = {model: sha256_of(model) for model in models}
    return {model: known[digest] for model, digest in hashes.items() if digest in known}

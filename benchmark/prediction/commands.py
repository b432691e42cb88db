"""`predict` and `fit-cycles`: from counted instructions to predicted latencies, clearly called so."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from benchmark.devices.commands import DEFAULT_RESULTS
from benchmark.prediction.published import PUBLIC_COUNTS
from model.foundation.command_line import flags


def predict(
    *,
    results: Annotated[
        list[Path],
        Parameter(help="result files of `latency --device arm64|arm64-app --profile`", consume_multiple=True),
    ] = [DEFAULT_RESULTS],
    output: flags.Output = Path("build/benchmark/predictions.json"),
) -> None:
    """Predict frames a second of every counted model on classes of phones, with intervals.

    Predicted latency is instructions times cycles per instruction over the clock, never a measurement.

    Raises:
        InputError: no result file, or none with instructions and operator shares.
    """
    from benchmark.devices.results import merged, now
    from benchmark.prediction.cycles import PredictionFile, predictions_of
    from benchmark.prediction.tables import CAVEATS, fit_table, prediction_table
    from model.foundation.command_line.terminal import console
    from model.foundation.records import write_record

    found = predictions_of(merged(results))
    console().print(fit_table(), prediction_table(found))
    print(CAVEATS)
    write_record(output, PredictionFile(tuple(found), now()))


def fit_cycles(*, output: flags.Output = PUBLIC_COUNTS) -> None:
    """Count the instructions of the public networks anew, which cycles per instruction are fitted on.

    Needed after a new runtime, whose kernels are others: it builds MobileNet V1 and V2, and counts them on
    every emulated core that stands for a published latency.

    Raises:
        InputError: the emulated machines cannot be prepared.
        DeviceError: a guest fails.
    """
    from contextlib import ExitStack
    from tempfile import TemporaryDirectory

    from benchmark import wheels
    from benchmark.devices.kinds.arm64 import Arm64Machine
    from benchmark.devices.results import now
    from benchmark.prediction.cycles import LATENCIES, CountFile, NetworkCount
    from benchmark.prediction.public_networks import write_networks
    from model.foundation.command_line.progress import progress_console
    from model.foundation.records import write_record

    rows = []
    with (
        TemporaryDirectory() as folder,
        progress_console().status("building MobileNet V1 and V2") as status,
    ):
        networks = write_networks(Path(folder))
        for core in dict.fromkeys(one.emulated for one in LATENCIES):
            with ExitStack() as stack:
                machine = Arm64Machine(core, True, stack)
                for (network, kind), path in networks.items():
                    status.update(f"{core} counts {network} {kind}")
                    counted = machine.instructions(path)
                    rows.append(NetworkCount(network, kind, core, counted.count, counted.spread))
    write_record(output, CountFile(wheels.LITERT_ARM64.requirement, now(), tuple(rows)))
    print(f"{len(rows)} counts: {output}")

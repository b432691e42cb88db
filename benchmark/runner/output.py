"""Reads what benchmark_model, the C runner and its 32-bit twin print: one format, of several ages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmark.errors import DeviceError

_TIMINGS = re.compile(
    r"Inference timings in us: Init: (?P<init>[\d.e+]+), First inference: (?P<first>[\d.e+]+), "
    r"Warmup \(avg\): (?P<warmup>[\d.e+]+), Inference \(avg\): (?P<inference>[\d.e+]+)"
)
_STATISTICS = re.compile(r"^(?!Timings \(microseconds\)).*?\bcount=(\d+) (.*(?:avg|curr)=.*)$", re.MULTILINE)
_PEAK = re.compile(r"Overall peak memory footprint \(MB\) via [\w ]+: ([\d.]+)")
_FOOTPRINT = re.compile(
    r"Memory footprint delta from the start of the tool \(MB\): init=([\d.]+) overall=([\d.]+)"
)
_DELEGATED = re.compile(
    r"Replacing (\d+) out of (\d+) node\(s\) with delegate \(TfLiteXNNPack.* (\d+) partition"
)
_TENSOR = re.compile(r"(Input|Output) (\d+): name=(\S*) type=(\w+) shape=([\dx]*) bytes=(\d+)")


@dataclass(frozen=True)
class Delegated:
    """What XNNPACK took of a file: `taken` of its `operators`, in `parts` (each costs a hand-over)."""

    taken: int
    operators: int
    parts: int


@dataclass(frozen=True)
class Statistics:
    """Latencies of one stage in microseconds; a percentile that the runner does not print is None.

    Attributes:
        count: Runs.
        first, minimum, maximum, mean, std: Of all runs.
        p50, p90, p95, p99: Percentiles by the nearest rank.
    """

    count: int
    first: float
    minimum: float
    maximum: float
    mean: float
    std: float
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True)
class OperatorShare:
    """One operator's share of an inference.

    Attributes:
        kind: E.g. "Delegate/Convolution (NHWC, QC8) IGEMM".
        name: Its place, e.g. "[Delegate]:4" or the tensor it makes, as far as the runner knows it.
        share: Part of all operators' time, 0 to 1.
    """

    kind: str
    name: str
    share: float


@dataclass(frozen=True)
class Tensor:
    """An input or output of the model: name, element type, shape, bytes of one frame."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class RunnerOutput:
    """Everything a runner said about one run.

    Attributes:
        init_us: Loading and preparing the model.
        first_us: The first inference.
        warmup, inference: Statistics; None where the stage did not run.
        latencies_ns: Every timed run in nanoseconds, in order; empty where the runner does not keep them.
        peak_memory_mb: Peak memory of the process in MB, or None.
        operators: In run order; empty without profiling.
        delegated: What XNNPACK took; None where the runtime does not tell.
        inputs, outputs: The model's tensors; empty where the runner does not print them.
        stages_ms: Where the milliseconds of a frame go: stage -> mean; empty where only inference ran.
        problems: What the runner itself says against its figures.
    """

    init_us: float
    first_us: float
    warmup: Statistics | None
    inference: Statistics | None
    latencies_ns: tuple[int, ...] = ()
    peak_memory_mb: float | None = None
    operators: tuple[OperatorShare, ...] = ()
    delegated: Delegated | None = None
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def parse(text: str, runner: str) -> RunnerOutput:
    """Read a runner's output.

    Args:
        text: Standard output and standard error together.
        runner: Its name, for messages.

    Raises:
        DeviceError: the text has no timings; carries the runner's last error line.
    """
    timings = _TIMINGS.search(text)
    if timings is None:
        raise DeviceError(f"{runner} printed no timings: {last_error(text)}")
    stages = [_statistics(match.group(1), match.group(2)) for match in _STATISTICS.finditer(text)]
    # benchmark_model prints a line for the warm-up and one for the runs; either is absent if it had no runs.
    warmup = stages[0] if len(stages) > 1 or (stages and "Warmup: count" in text) else None
    inference = stages[-1] if stages and stages[-1] is not warmup else None
    peak = _PEAK.search(text) or _FOOTPRINT.search(text)
    tensors = {
        kind: tuple(_tensor(match) for match in _TENSOR.finditer(text) if match.group(1) == kind)
        for kind in ("Input", "Output")
    }
    return RunnerOutput(
        float(timings["init"]),
        float(timings["first"]),
        warmup,
        inference,
        peak_memory_mb=float(peak.group(peak.lastindex or 1)) if peak else None,
        operators=tuple(_operators(text)),
        delegated=_delegated(text),
        inputs=tensors["Input"],
        outputs=tensors["Output"],
    )


def _delegated(text: str) -> Delegated | None:
    found = _DELEGATED.search(text)
    return Delegated(*(int(number) for number in found.groups())) if found else None


def _statistics(count: str, rest: str) -> Statistics:
    values = {name: float(value) for name, value in re.findall(r"(\w+)=([\d.e+-]+)", rest)}
    return Statistics(
        int(count),
        values.get("first", values.get("curr", 0.0)),
        values.get("min", values.get("curr", 0.0)),
        values.get("max", values.get("curr", 0.0)),
        values.get("avg", values.get("curr", 0.0)),
        values.get("std", 0.0),
        p50=values.get("median", values.get("p50")),
        p90=values.get("p90"),
        p95=values.get("p95"),
        p99=values.get("p99"),
    )


def _tensor(match: re.Match[str]) -> Tensor:
    shape = tuple(int(side) for side in match.group(5).split("x") if side)
    return Tensor(match.group(3), match.group(4), shape, int(match.group(6)))


def _operators(text: str) -> list[OperatorShare]:
    """The first "Run Order" table: that of the inferences' operators; others follow it."""
    found: list[OperatorShare] = []
    columns: list[str] = []
    inside = False
    start = text.find("OperatorShare-wise Profiling Info")
    for line in text[max(start, 0) :].splitlines():
        if " Run Order " in line:
            if found:
                break
            inside = True
        elif inside and line.lstrip().startswith("[node type]"):
            columns = re.findall(r"\[([^\]]+)\]", line)
        elif inside and columns and line.strip():
            if operator := _operator(line, columns):
                found.append(operator)
        elif inside and found:
            break
    return found


def _operator(line: str, columns: list[str]) -> OperatorShare | None:
    numbers = len(columns) - 2  # all but the type at the start and the name at the end
    match = re.match(rf"\s*(\S.*?)((?:\s+[\d.]+%?){{{numbers}}})\s+(\[.*)?$", line + " ")
    if match is None:
        return None
    values = dict(zip(columns[1:-1], match.group(2).split(), strict=True))
    # Releases disagree on whether "avg ms" is a call's or an inference's; the percentage is the same in all.
    return OperatorShare(
        match.group(1).strip(), (match.group(3) or "").strip(), float(values["%"].rstrip("%")) / 100
    )


def last_error(text: str) -> str:
    """The last line that tells of an error, or else the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line or "error" in line or "failed" in line.lower()]
    return (errors or lines or ["it printed nothing"])[-1]

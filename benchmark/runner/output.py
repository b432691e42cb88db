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
class Timing:
    """Latencies of an inference in milliseconds; a figure that the runner does not give is None.

    Attributes:
        runs, seconds: How much was timed.
        init, first: Loading the model; its first inference.
        mean, std, minimum, maximum: Of the timed runs.
        p50, p90, p99: Percentiles by the nearest rank.
    """

    runs: int
    seconds: float
    init: float
    first: float
    mean: float
    std: float
    minimum: float
    maximum: float
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None

    @property
    def typical(self) -> float:
        """The median, or the mean where the runner tells none."""
        return self.mean if self.p50 is None else self.p50

    @property
    def fps(self) -> float:
        """Inferences a second, without camera and box decoding."""
        return 1000.0 / self.mean if self.mean else 0.0


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
        timing: None where nothing was timed.
        latencies_ns: Every timed run in nanoseconds, in order; empty where the runner does not keep them.
        peak_memory_mb: Peak memory of the process in MB, or None.
        operators: In run order; empty without profiling.
        delegated: What XNNPACK took; None where the runtime does not tell.
        inputs, outputs: The model's tensors; empty where the runner does not print them.
        stages_ms: Where the milliseconds of a frame go: stage -> mean; empty where only inference ran.
        problems: What the runner itself says against its figures.
    """

    timing: Timing | None = None
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
    # benchmark_model prints a line for the warm-up and one for the runs; either is absent if it had no runs.
    stages = list(_STATISTICS.finditer(text))
    timed = len(stages) > 1 or (stages and "Warmup: count" not in text)
    peak = _PEAK.search(text) or _FOOTPRINT.search(text)
    tensors = {
        kind: tuple(_tensor(match) for match in _TENSOR.finditer(text) if match.group(1) == kind)
        for kind in ("Input", "Output")
    }
    return RunnerOutput(
        _timing(stages[-1], timings) if timed else None,
        peak_memory_mb=float(peak.group(peak.lastindex or 1)) if peak else None,
        operators=tuple(_operators(text)),
        delegated=_delegated(text),
        inputs=tensors["Input"],
        outputs=tensors["Output"],
    )


def _delegated(text: str) -> Delegated | None:
    found = _DELEGATED.search(text)
    return Delegated(*(int(number) for number in found.groups())) if found else None


def _timing(stage: re.Match[str], timings: re.Match[str]) -> Timing:
    """Of microseconds."""
    told = re.findall(r"(\w+)=([\d.e+-]+)", stage.group(2))
    ms = {name: float(value) / 1e3 for name, value in told}
    mean, minimum, maximum = (ms.get(name, ms.get("curr", 0.0)) for name in ("avg", "min", "max"))
    return Timing(
        int(stage.group(1)),
        mean * int(stage.group(1)) / 1e3,
        float(timings["init"]) / 1e3,
        float(timings["first"]) / 1e3,
        mean,
        ms.get("std", 0.0),
        minimum,
        maximum,
        ms.get("median", ms.get("p50")),
        ms.get("p90"),
        ms.get("p99"),
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

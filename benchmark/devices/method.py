"""How a latency is measured on a real machine: cool, long enough, twice, with its conditions written down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmark.devices.adb import AdbDevice
from benchmark.devices.conditions import ConditionLog, cool_down, logged, throttle_ratio
from benchmark.devices.facts import Cluster
from benchmark.devices.machine import Delegate, Machine, RunRequest
from benchmark.devices.results import Measurement, Timing, machine_facts, model_facts, now
from benchmark.devices.runner_output import RunnerOutput, Statistics
from benchmark.phone.app import AppMachine
from model.foundation.errors import InputError

REPLICATE_TOLERANCE = 0.05
"""Source: MLPerf Inference rules, section on replicability: results within 5 %."""
MINUTE_NS = 60_000_000_000


@dataclass(frozen=True)
class Limits:
    """How long a measurement lasts.

    Attributes:
        runs, seconds: Both are reached. Source: MLPerf Mobile: at least 1024 samples and 60 s.
        warmup_runs, warmup_seconds: Both are reached before.
        cool_down_s: Longest wait for a device to cool.
        sample_every_s: Time between two looks at temperature and clocks.
        sustained_s: Length of the sustained run, or 0 for none.
        quick: Whether these are shorter than the method asks for; results are marked.
    """

    runs: int = 1024
    seconds: float = 60.0
    warmup_runs: int = 16
    warmup_seconds: float = 2.0
    cool_down_s: float = 600.0
    sample_every_s: float = 5.0
    sustained_s: float = 0.0
    quick: bool = False


QUICK = Limits(runs=50, seconds=1, warmup_runs=2, warmup_seconds=0.2, cool_down_s=30, quick=True)


@dataclass(frozen=True)
class Setting:
    """What varies between measurements of a model: threads, delegate, cluster (None: not pinned)."""

    threads: int
    delegate: Delegate
    cluster: Cluster | None = None

    def to_json(self, limits: Limits) -> dict[str, Any]:
        """The setting and the limits as JSON values."""
        cluster = None if self.cluster is None else asdict(self.cluster)
        return {"threads": self.threads, "delegate": self.delegate, "cluster": cluster, **asdict(limits)}


def settings_of(
    threads: Sequence[int], delegates: Sequence[Delegate], clusters: Sequence[Cluster | None]
) -> Iterator[Setting]:
    """Every sensible combination.

    A GPU needs neither clusters nor several threads, a cluster no more threads than it has processors.

    Raises:
        InputError: nothing is left.
    """
    found = False
    for delegate in delegates:
        for cluster in clusters if delegate != "gpu" else (None,):
            for count in threads if delegate != "gpu" else threads[:1]:
                if cluster is None or count <= len(cluster.processors):
                    found = True
                    yield Setting(count, delegate, cluster)
    if not found:
        sizes = ", ".join(f"{one.name} has {len(one.processors)}" for one in clusters if one)
        raise InputError(f"no cluster has the processors for {min(threads)} threads: {sizes}")


class Method:
    """Measures models on one machine.

    Attributes:
        machine: The machine.
        device: Its adb connection, for conditions; None on the host.
        limits: How long.
    """

    def __init__(self, machine: Machine, device: AdbDevice | None, limits: Limits) -> None:
        self.machine = machine
        self.device = device
        self.limits = limits

    def planned(self, model: Any, setting: Setting) -> Measurement:
        """The measurement to come, without figures: its key says whether it is finished already."""
        return Measurement(
            machine_facts(self.machine),
            {"name": self.machine.runner["name"]},
            model_facts(model),
            setting.to_json(self.limits),
        )

    def measure(self, model: Any, setting: Setting, *, profile: bool) -> Measurement:
        """Cool down, time twice, then memory and profile in passes of their own.

        Raises:
            DeviceError: the device or its runner fails; nothing of this measurement is kept.
        """
        request = self._request(model, setting)
        problems: list[str] = []
        conditions: dict[str, Any] = {}
        if self.device is not None:
            sample, waited = cool_down(self.device, self.limits.cool_down_s)
            conditions["cooled_down_for_s"] = round(waited, 1)
            if not sample.is_cool:
                problems.append(
                    f"began at thermal status {sample.thermal_status}: let the device cool and repeat"
                )
        with self._logged() as log:
            first = self.machine.run(request)
        stages = self._stages()
        if isinstance(self.machine, AppMachine):
            problems += self.machine.problems
        conditions.update(log.to_json())
        if conditions["highest_thermal_status"]:
            problems.append(f"the device throttled: thermal status {conditions['highest_thermal_status']}")
        second = self.machine.run(self._replicate(request))
        problems += replicate_problems(first, second)
        memory = self.machine.run(_short(request, memory=True)).peak_memory_mb
        operators = self.machine.run(_short(request, profile=True)).operators if profile else ()
        per_minute = self._sustained(request, conditions) if self.limits.sustained_s else ()
        return replace(
            self.planned(model, setting),
            timing=_timing(first),
            operators=operators,
            peak_memory_mb=memory,
            stages_ms=stages,
            replicate_ms=_typical_ms(second),
            conditions={**conditions, "runtime": self.machine.runner},
            per_minute=tuple(per_minute),
            problems=tuple(problems),
            measured_at=now(),
        )

    def _request(self, model: Any, setting: Setting) -> RunRequest:
        limits = self.limits
        return RunRequest(
            model,
            setting.threads,
            setting.delegate,
            warmup_runs=limits.warmup_runs,
            warmup_seconds=limits.warmup_seconds,
            runs=limits.runs,
            min_seconds=limits.seconds,
            max_seconds=max(900.0, limits.seconds * 15) if not limits.quick else 120.0,
            processors=setting.cluster.processors if setting.cluster else (),
        )

    def _replicate(self, request: RunRequest) -> RunRequest:
        """The second pass needs only enough runs for a stable median: a quarter."""
        return replace(request, runs=max(1, request.runs // 4), min_seconds=request.min_seconds / 4)

    @contextmanager
    def _logged(self) -> Iterator[ConditionLog]:
        if self.device is None:
            yield ConditionLog()
            return
        with logged(self.device, self.limits.sample_every_s) as log:
            yield log

    def _stages(self) -> dict[str, float]:
        """Where the milliseconds of a frame go, where the runner goes the whole path."""
        if not isinstance(self.machine, AppMachine):
            return {}
        latency = self.machine.last_result.get("latency") or {}
        return {name: float(stats["mean"]) for name, stats in latency.get("stages_ms", {}).items()}

    def _sustained(self, request: RunRequest, conditions: dict[str, Any]) -> list[dict[str, Any]]:
        """Latency by the minute: from one run if it keeps single latencies, else from runs of a minute."""
        minutes = max(1, round(self.limits.sustained_s / 60))
        long_run = replace(request, runs=1, min_seconds=minutes * 60.0, max_seconds=minutes * 120.0)
        with self._logged() as log:
            if self.machine.runner["name"] == "benchmark_model":
                minute = replace(
                    request, runs=1, min_seconds=60.0, max_seconds=120.0, warmup_runs=0, warmup_seconds=0.0
                )
                outputs = [self.machine.run(minute) for _ in range(minutes)]
                curve = [{"minute": place, "ms": _typical_ms(output)} for place, output in enumerate(outputs)]
            else:
                curve = per_minute_of(self.machine.run(long_run).latencies_ns)
        conditions["sustained"] = {**log.to_json(), "throttle_ratio": throttle_ratio(curve)}
        return curve


def per_minute_of(latencies_ns: Sequence[int]) -> list[dict[str, Any]]:
    """Median latency of each minute of back-to-back runs; a last minute needs at least its half."""
    minutes: list[list[int]] = []
    elapsed = 0
    for latency in latencies_ns:
        place = elapsed // MINUTE_NS
        if place == len(minutes):
            minutes.append([])
        elif place > len(minutes):
            minutes.extend([] for _ in range(place - len(minutes) + 1))
        minutes[place].append(latency)
        elapsed += latency
    if len(minutes) > 1 and elapsed - (len(minutes) - 1) * MINUTE_NS < MINUTE_NS // 2:
        minutes.pop()
    return [
        {"minute": place, "runs": len(part), "ms": sorted(part)[len(part) // 2] / 1e6}
        for place, part in enumerate(minutes)
        if part
    ]


def replicate_problems(first: RunnerOutput, second: RunnerOutput) -> list[str]:
    """What speaks against two passes that should agree."""
    one, other = _typical_ms(first), _typical_ms(second)
    difference = abs(one - other) / max(min(one, other), 1e-9)
    if difference <= REPLICATE_TOLERANCE:
        return []
    return [
        f"two passes differ by {difference:.1%} ({one:.2f} and {other:.2f} ms), "
        f"more than {REPLICATE_TOLERANCE:.0%}"
    ]


def _short(request: RunRequest, *, profile: bool = False, memory: bool = False) -> RunRequest:
    return replace(
        request,
        warmup_runs=1,
        warmup_seconds=0.0,
        runs=min(request.runs, 20),
        min_seconds=0.0,
        profile=profile,
        memory=memory,
    )


def _stats(output: RunnerOutput) -> Statistics:
    if output.inference is None:
        raise InputError("the runner timed no inference: give it at least one run")
    return output.inference


def _typical_ms(output: RunnerOutput) -> float:
    stats = _stats(output)
    return (stats.mean if stats.p50 is None else stats.p50) / 1e3


def _timing(output: RunnerOutput) -> Timing:
    stats = _stats(output)
    p50, p90, p99 = (None if value is None else value / 1e3 for value in (stats.p50, stats.p90, stats.p99))
    return Timing(
        stats.count,
        stats.mean * stats.count / 1e6,
        output.init_us / 1e3,
        output.first_us / 1e3,
        stats.mean / 1e3,
        stats.std / 1e3,
        stats.minimum / 1e3,
        stats.maximum / 1e3,
        p50,
        p90,
        p99,
    )

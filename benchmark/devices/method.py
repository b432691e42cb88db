"""How a model is measured on a machine: timed where time means something, else its instructions counted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmark.adb.facts import Cluster
from benchmark.devices.conditions import Conditions, HeatLog, cool_down, logged
from benchmark.devices.machine import CountingMachine, Delegate, Machine, Runner, RunRequest
from benchmark.devices.results import Limits, Measurement, Minute, ModelFile, ResultFile, Setting, now
from benchmark.runner.output import RunnerOutput, Timing
from model.foundation.command_line.progress import passing
from model.foundation.errors import InputError

REPLICATE_TOLERANCE = 0.05
"""Source: MLPerf Inference rules, section on replicability: results within 5 %."""
MINUTE_NS = 60_000_000_000

REPEATABILITY = 1e-3
"""Largest spread between the instructions of equal inferences; more than that and the count is flagged."""

TICK = 20_000
"""Instructions of a timer interrupt of the guest's kernel, generously: a short inference has one or none."""

QUICK = Limits(runs=50, seconds=1.0, warmup_runs=2, warmup_seconds=0.2, cool_down_s=30.0, quick=True)


def settings_of(
    threads: Sequence[int],
    delegates: Sequence[Delegate],
    clusters: Sequence[Cluster | None],
    limits: Limits | None = None,
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
                    yield Setting(count, delegate, cluster, limits)
    if not found:
        sizes = ", ".join(f"{one.name} has {len(one.processors)}" for one in clusters if one)
        raise InputError(f"no cluster has the processors for {min(threads)} threads: {sizes}")


class Method(ABC):
    """Measures models on one machine."""

    @abstractmethod
    def planned(self, model: Path, setting: Setting) -> Measurement:
        """The measurement to come, without figures: its key says whether it is finished already."""

    @abstractmethod
    def measure(self, model: Path, setting: Setting, *, profile: bool) -> Measurement:
        """Measure a model.

        Args:
            model: A TFLite file.
            setting: How to run it.
            profile: Add each operator's share, from a pass of its own.

        Raises:
            DeviceError: the device or its runner fails; nothing of this measurement is kept.
        """

    def kept(
        self, model: Path, setting: Setting, results: ResultFile, said: str, *, profile: bool = False
    ) -> Measurement:
        """What a result file holds of a model, or measured now and added: it was not, or not as asked.

        Args:
            model, setting, profile: See `measure`.
            results: The file.
            said: Shown while it is measured.

        Raises:
            DeviceError: as `measure`.
        """
        found = results.measurements.get(self.planned(model, setting).key)
        if found is None or not found.valid or (profile and not found.operators):
            with passing(said):
                found = self.measure(model, setting, profile=profile)
            results.add(found)
        return found


class Counting(Method):
    """Counts the instructions of an inference; threads, delegate and limits are always the same."""

    def __init__(self, machine: CountingMachine) -> None:
        self.machine = machine

    def planned(self, model: Path, setting: Setting) -> Measurement:
        del setting
        return Measurement(
            machine=self.machine.facts,
            runner=self.machine.runner,
            model=ModelFile.of(model),
            settings=Setting(),
        )

    def measure(self, model: Path, setting: Setting, *, profile: bool) -> Measurement:
        counted = self.machine.instructions(model)
        unstable = counted.spread * counted.count > max(REPEATABILITY * counted.count, TICK)
        return replace(
            self.planned(model, setting),
            instructions=counted,
            operators=self.machine.operators(model) if profile else (),
            problems=(f"equal inferences differ by {counted.spread:.2%}",) if unstable else (),
            measured_at=now(),
        )


class Timed(Method):
    """Times an inference: cool, long enough, twice, with its conditions written down."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def planned(self, model: Path, setting: Setting) -> Measurement:
        return Measurement(
            machine=self.machine.facts,
            runner=Runner(self.machine.runner.name),
            model=ModelFile.of(model),
            settings=setting,
        )

    def measure(self, model: Path, setting: Setting, *, profile: bool) -> Measurement:
        """Cool down, time twice, then memory and profile in passes of their own."""
        limits = setting.limits or Limits()
        request = _request(model, setting, limits)
        sample, waited = cool_down(self.machine.sample, limits.cool_down_s)
        problems: list[str] = []
        if sample is not None and not sample.is_cool:
            problems.append(
                f"began at thermal status {sample.thermal_status}: let the device cool and repeat"
            )
        with logged(self.machine.sample, limits.sample_every_s) as samples:
            first = self.machine.run(request)
        problems += first.problems
        heat = HeatLog.of(samples)
        if heat.highest_thermal_status:
            problems.append(f"the device throttled: thermal status {heat.highest_thermal_status}")
        # The second pass needs only enough runs for a stable median: a quarter.
        quarter = replace(request, runs=max(1, request.runs // 4), min_seconds=request.min_seconds / 4)
        second = self.machine.run(quarter)
        problems += replicate_problems(first, second)
        short = replace(
            request, warmup_runs=1, warmup_seconds=0.0, runs=min(request.runs, 20), min_seconds=0.0
        )
        memory = self.machine.run(replace(short, memory=True)).peak_memory_mb
        operators = self.machine.run(replace(short, profile=True)).operators if profile else ()
        conditions = Conditions(None if sample is None else round(waited, 1), heat)
        curve: list[Minute] = []
        if limits.sustained_s:
            with logged(self.machine.sample, limits.sample_every_s) as samples:
                curve = self._sustained(request, limits.sustained_s)
            conditions = replace(
                conditions, sustained=HeatLog.of(samples), throttle_ratio=throttle_ratio(curve)
            )
        return replace(
            self.planned(model, setting),
            timing=timed(first),
            operators=operators,
            peak_memory_mb=memory,
            stages_ms=dict(first.stages_ms),
            replicate_ms=timed(second).typical,
            conditions=replace(conditions, runtime=self.machine.runner),
            per_minute=tuple(curve),
            problems=tuple(problems),
            measured_at=now(),
        )

    def _sustained(self, request: RunRequest, seconds: float) -> list[Minute]:
        """Latency by the minute: from one run if it keeps single latencies, else from runs of a minute."""
        minutes = max(1, round(seconds / 60))
        if self.machine.keeps_latencies:
            whole = replace(request, runs=1, min_seconds=minutes * 60.0, max_seconds=minutes * 120.0)
            return per_minute_of(self.machine.run(whole).latencies_ns)
        minute = replace(
            request, runs=1, min_seconds=60.0, max_seconds=120.0, warmup_runs=0, warmup_seconds=0.0
        )
        return [Minute(place, timed(self.machine.run(minute)).typical) for place in range(minutes)]


def method_for(machine: Machine) -> Method:
    """The method that suits a machine."""
    return Counting(machine) if isinstance(machine, CountingMachine) else Timed(machine)


def _request(model: Path, setting: Setting, limits: Limits) -> RunRequest:
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


def per_minute_of(latencies_ns: Sequence[int]) -> list[Minute]:
    """Median latency of each minute of back-to-back runs; a last minute needs at least its half."""
    minutes: list[list[int]] = []
    elapsed = 0
    for latency in latencies_ns:
        place = elapsed // MINUTE_NS
        minutes.extend([] for _ in range(place - len(minutes) + 1))
        minutes[place].append(latency)
        elapsed += latency
    if len(minutes) > 1 and elapsed - (len(minutes) - 1) * MINUTE_NS < MINUTE_NS // 2:
        minutes.pop()
    return [
        Minute(place, sorted(part)[len(part) // 2] / 1e6, len(part))
        for place, part in enumerate(minutes)
        if part
    ]


def throttle_ratio(per_minute: Sequence[Minute]) -> float | None:
    """Latency of the last minute over the first's; above 1 it became slower. None below two minutes."""
    return per_minute[-1].ms / per_minute[0].ms if len(per_minute) > 1 else None


def replicate_problems(first: RunnerOutput, second: RunnerOutput) -> list[str]:
    """What speaks against two passes that should agree."""
    one, other = timed(first).typical, timed(second).typical
    difference = abs(one - other) / max(min(one, other), 1e-9)
    if difference <= REPLICATE_TOLERANCE:
        return []
    return [
        f"two passes differ by {difference:.1%} ({one:.2f} and {other:.2f} ms), "
        f"more than {REPLICATE_TOLERANCE:.0%}"
    ]


def timed(output: RunnerOutput) -> Timing:
    """What a runner timed.

    Raises:
        InputError: nothing.
    """
    if output.timing is None:
        raise InputError("the runner timed no inference: give it at least one run")
    return output.timing

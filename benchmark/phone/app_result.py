"""The app's result as the other runners' output."""

from __future__ import annotations

from typing import Any

from benchmark.devices.runner_output import RunnerOutput, Statistics, Tensor


def as_runner_output(result: dict[str, Any]) -> RunnerOutput:
    """The app's result as the other runners' output; times become microseconds."""
    latency = result.get("latency")
    inference = None
    samples: tuple[int, ...] = ()
    if latency is not None:
        inference = _statistics(
            latency["stages_ms"]["inference"], latency["runs"], result["first_inference_ms"]
        )
        samples = tuple(round(value * 1e6) for value in latency["samples_ms"]["inference"])
    memory = result.get("memory", {}).get("pss_bytes")
    outputs = result["model"]["outputs"]
    return RunnerOutput(
        result["init_ms"] * 1e3,
        result["first_inference_ms"] * 1e3,
        None,
        inference,
        latencies_ns=samples,
        peak_memory_mb=None if memory is None else memory / 2**20,
        outputs=tuple(Tensor(item["name"], item["dtype"], tuple(item["shape"]), 0) for item in outputs),
    )


def _statistics(stats: dict[str, float], runs: int, first_ms: float) -> Statistics:
    us = {name: value * 1e3 for name, value in stats.items() if value is not None}
    return Statistics(
        runs,
        first_ms * 1e3,
        us["min"],
        us["max"],
        us["mean"],
        us["std"],
        p50=us.get("p50"),
        p90=us.get("p90"),
        p99=us.get("p99"),
    )

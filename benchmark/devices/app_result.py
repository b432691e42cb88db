"""What the demo app's benchmark mode writes, as android_demo/BENCHMARK_MODE.md promises it."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmark.runner.output import RunnerOutput, Tensor, Timing


@dataclass(frozen=True)
class AppStatistics:
    """Milliseconds of one stage over all runs; a figure that the app cannot give is None."""

    mean: float
    std: float
    min: float
    max: float
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None


@dataclass(frozen=True)
class AppLatency:
    """What the task "latency" found: stage -> statistics, stage -> every run's milliseconds in order."""

    runs: int
    stages_ms: dict[str, AppStatistics]
    samples_ms: dict[str, list[float]]


@dataclass(frozen=True)
class AppFace:
    """One face, in pixels of the upright image: (x0, y0, x1, y1), five points (x, y)."""

    box_xyxy: tuple[float, float, float, float]
    score: float
    landmarks_xy: list[tuple[float, float]]


@dataclass(frozen=True)
class AppImage:
    """One image of the task "detect"; the size is None where it cannot be read, which `error` explains."""

    file: str
    height: int | None
    width: int | None
    error: str | None
    detections: list[AppFace] = field(default_factory=list)


@dataclass(frozen=True)
class AppTensor:
    """An output of the model."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class AppModel:
    """The model, as the app opened it."""

    outputs: tuple[AppTensor, ...]


@dataclass(frozen=True)
class AppVersion:
    """The app and its runtime."""

    version_name: str | None = None
    runtime: str | None = None


@dataclass(frozen=True)
class AppMemory:
    """After the last task."""

    pss_bytes: int | None = None


@dataclass(frozen=True)
class AppResult:
    """What the app wrote, as far as this side reads it; `flags` speak against its figures."""

    app: AppVersion
    model: AppModel
    init_ms: float | None
    first_inference_ms: float | None
    latency: AppLatency | None = None
    images: tuple[AppImage, ...] | None = None
    memory: AppMemory = AppMemory()
    flags: tuple[str, ...] = ()

    def as_runner_output(self) -> RunnerOutput:
        """As the other runners' output."""
        memory, timed = self.memory.pss_bytes, self.latency
        return RunnerOutput(
            None if timed is None else self._timing(timed.runs, timed.stages_ms["inference"]),
            latencies_ns=tuple(round(ms * 1e6) for ms in timed.samples_ms["inference"]) if timed else (),
            peak_memory_mb=None if memory is None else memory / 2**20,
            outputs=tuple(Tensor(one.name, one.dtype, one.shape, 0) for one in self.model.outputs),
            stages_ms={name: one.mean for name, one in timed.stages_ms.items()} if timed else {},
        )

    def _timing(self, runs: int, told: AppStatistics) -> Timing:
        once = self.init_ms or 0.0, self.first_inference_ms or 0.0
        whole = told.mean, told.std, told.min, told.max
        return Timing(runs, told.mean * runs / 1e3, *once, *whole, told.p50, told.p90, told.p99)

"""How latencies are measured: conditions, replicates, curves, locks and results, without a device."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.adb import client as adb
from benchmark.adb.facts import Cluster, MachineFacts
from benchmark.adb.heat import take_sample
from benchmark.devices.adb_machine import locked
from benchmark.devices.conditions import HeatLog, Look, cool_down, logged
from benchmark.devices.kinds.arm64 import spread_of
from benchmark.devices.machine import Machine, Runner, RunRequest
from benchmark.devices.method import (
    QUICK,
    Timed,
    per_minute_of,
    replicate_problems,
    settings_of,
    throttle_ratio,
)
from benchmark.devices.results import Limits, ResultFile, Setting, merged, read_results
from benchmark.errors import DeviceError
from benchmark.runner.output import RunnerOutput, Timing
from model.foundation.errors import InputError
from tests.benchmark.scripted_adb import Phone, recorded

LITTLE = Cluster("little", (0, 1, 2, 3), "Cortex-A55", 300000, 1800000)
BIG = Cluster("big", (4, 5), "Cortex-A76", 300000, 2200000)


def output(milliseconds: float, runs: int = 10) -> RunnerOutput:
    same = (milliseconds,) * 3
    timing = Timing(
        runs, milliseconds * runs / 1e3, 1.0, milliseconds * 2, milliseconds, 0.0, *same, *same[1:]
    )
    return RunnerOutput(timing, (round(milliseconds * 1e6),) * runs, peak_memory_mb=12.5)


class ScriptedMachine(Machine):
    """Answers each run with the next of its latencies, the last one for ever."""

    def __init__(self, *milliseconds: float) -> None:
        self.milliseconds = list(milliseconds)
        self.requests: list[RunRequest] = []

    @property
    def facts(self) -> MachineFacts:
        return MachineFacts("host", "scripted", "scripted")

    @property
    def runner(self) -> Runner:
        return Runner("scripted")

    def run(self, request: RunRequest) -> RunnerOutput:
        self.requests.append(request)
        return output(self.milliseconds.pop(0) if len(self.milliseconds) > 1 else self.milliseconds[0])


def test_no_measurement_has_no_curve():
    assert per_minute_of([]) == []
    assert throttle_ratio([]) is None


def test_the_curve_has_a_median_a_minute_and_leaves_an_unfinished_minute_out():
    latencies = [10_000_000] * 6000 + [20_000_000] * 3000 + [30_000_000] * 100
    curve = per_minute_of(latencies)
    assert [(one.minute, one.ms) for one in curve] == [(0, 10.0), (1, 20.0)]
    assert throttle_ratio(curve) == 2.0


def test_exactly_full_minutes_all_count():
    assert len(per_minute_of([60_000_000_000 // 4] * 8)) == 2


@pytest.mark.parametrize(("second", "valid"), [(10.4, True), (10.6, False), (9.4, False)])
def test_two_passes_must_agree_within_five_percent(second, valid):
    assert (replicate_problems(output(10.0), output(second)) == []) == valid


def test_settings_drop_what_a_cluster_cannot_do():
    found = list(settings_of([1, 4], ["xnnpack", "gpu"], [LITTLE, BIG]))
    assert [(one.threads, one.delegate, one.cluster and one.cluster.name) for one in found] == [
        (1, "xnnpack", "little"),
        (4, "xnnpack", "little"),
        (1, "xnnpack", "big"),
        (1, "gpu", None),
    ]
    with pytest.raises(InputError, match="no cluster has the processors for 8 threads: big has 2"):
        list(settings_of([8], ["xnnpack"], [BIG]))


def test_the_method_runs_long_enough_twice_and_memory_apart(tflite_file):
    machine = ScriptedMachine(10.0)
    one = Timed(machine).measure(tflite_file, Setting(2, "xnnpack", BIG, Limits()), profile=False)
    timed, replicate, memory = machine.requests
    assert (timed.runs, timed.min_seconds, timed.threads, timed.processors) == (1024, 60, 2, (4, 5))
    assert not timed.memory
    assert (replicate.runs, replicate.memory) == (256, False)
    assert memory.memory
    assert one.valid
    assert one.timing is not None
    assert (one.timing.p90, one.timing.first, one.timing.fps) == (10.0, 20.0, 100.0)
    assert (one.peak_memory_mb, one.replicate_ms) == (12.5, 10.0)


def test_a_replicate_that_differs_flags_the_measurement(tflite_file):
    one = Timed(ScriptedMachine(10.0, 12.0)).measure(tflite_file, Setting(limits=QUICK), profile=False)
    assert not one.valid
    assert "two passes differ by 20.0%" in one.problems[0]
    assert one.settings.limits == QUICK


def test_sustained_runs_have_a_curve_and_a_ratio(tflite_file):
    limits = replace(QUICK, sustained_s=120)
    machine = ScriptedMachine(10.0)
    one = Timed(machine).measure(tflite_file, Setting(limits=limits), profile=False)
    assert machine.requests[-1].min_seconds == 120
    assert one.per_minute[0].ms == 10.0
    assert one.conditions.sustained == HeatLog()
    assert one.conditions.throttle_ratio is None, "it takes two minutes to see one"


def test_results_come_back_as_they_were(tflite_file, tmp_path):
    one = Timed(ScriptedMachine(10.0)).measure(tflite_file, Setting(1, "xnnpack", BIG, QUICK), profile=False)
    path = tmp_path / "results.json"
    results = ResultFile(path, resume=False)
    results.add(one)
    (back,) = read_results(path)
    assert back == one
    assert back.key == one.key
    assert merged([path, path])[0].key == one.key
    assert one.key in ResultFile(path, resume=True).measurements
    assert ResultFile(path, resume=False).measurements == {}


def test_settings_make_different_measurements(tflite_file):
    method = Timed(ScriptedMachine(10.0))
    settings = [Setting(limits=QUICK), Setting(2, limits=QUICK), Setting(limits=Limits()), Setting()]
    assert len({method.planned(tflite_file, one).key for one in settings}) == 4


def test_a_foreign_file_is_no_result_file(tmp_path):
    path = tmp_path / "other.json"
    path.write_text("{}")
    with pytest.raises(InputError, match="missing required field"):
        ResultFile(path, resume=True)


def look_at(serial: str) -> Look:
    device = adb.AdbDevice(serial)
    return lambda since: take_sample(device, since)


def test_a_hot_phone_is_waited_for(adb_server):
    hot, cool = (
        recorded("galaxy_a13"),
        recorded("galaxy_a13").replace("Thermal Status: 2", "Thermal Status: 0"),
    )
    phone = Phone(answers=[("@@clocks", lambda _: (0, hot if len(phone.commands) < 4 else cool))])
    adb_server(ONE=phone)
    sample, _ = cool_down(look_at("ONE"), limit_s=30, every_s=0.05)
    assert sample.is_cool
    assert len(phone.commands) == 4


def test_a_phone_that_stays_hot_is_not_waited_for_for_ever(adb_server):
    adb_server(ONE=Phone(recorded("galaxy_a13")))
    sample, _ = cool_down(look_at("ONE"), limit_s=0.3, every_s=0.1)
    assert not sample.is_cool
    assert sample.thermal_status == 2


def test_a_sample_reads_clocks_heat_and_battery(adb_server):
    text = recorded("pixel_3a").replace("@@getprop", "@@clocks\n0|1708800\n6|1996800\n7|\n@@getprop")
    adb_server(ONE=Phone(answers=[("@@clocks", lambda _: (0, text))]))
    sample = take_sample(adb.AdbDevice("ONE"), time.monotonic())
    assert sample.clocks_khz == {0: 1708800, 6: 1996800}
    assert (sample.thermal_status, sample.celsius["CPU0"], sample.battery_celsius) == (0, 41.5, 28.9)


def test_conditions_are_logged_while_a_block_runs(adb_server):
    adb_server(ONE=Phone(recorded("galaxy_a13")))
    with logged(look_at("ONE"), every_s=0.05) as samples:
        deadline = time.monotonic() + 30
        while len(samples) < 4 and time.monotonic() < deadline:
            time.sleep(0.02)
    heat = HeatLog.of(samples)
    assert len(heat.samples) >= 4
    assert (heat.highest_thermal_status, heat.highest_celsius) == (2, 61.0)


def test_one_device_is_for_one_run(own_locks):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\nfrom benchmark.devices.adb_machine import locked\n"
            "with locked('R58T/30'):\n    print('held', flush=True); sys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    expected = pytest.raises(
        DeviceError, match=rf"another benchmark \(process {holder.pid}\) is using R58T/30"
    )
    with expected, locked("R58T/30"):
        pass
    with locked("another"):
        pass
    holder.kill()
    holder.wait()
    with locked("R58T/30"):
        pass


@pytest.mark.parametrize(
    ("counts", "spread"),
    [([100], 0.0), ([100, 100, 101, 99, 5000], 0.02), ([1000, 1001, 999, 1000, 1000], 0.001)],
)
def test_one_interrupted_inference_does_not_count(counts, spread):
    assert spread_of(counts) == pytest.approx(spread)

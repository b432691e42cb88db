"""`latency` and `devices` from the command line, against scripted phones."""

from __future__ import annotations

import json
import threading
from itertools import chain, repeat
from pathlib import Path

import pytest

from benchmark.__main__ import main
from benchmark.devices.adb_machine import FOLDER
from benchmark.devices.results import read_results
from tests.benchmark.scripted_adb import Phone, recorded

TIMINGS = """INFO: count=5 first=90000 curr=80000 min=80000 max=90000 avg=82000 std=10
INFO: count=50 first=80000 curr=80100 min=79000 max=81000 avg={avg} std=100 p5=79100 median={avg} p95=80900
INFO: Inference timings in us: Init: 3337, First inference: 90000, Warmup (avg): 82000, Inference (avg): {avg}
INFO: Overall peak memory footprint (MB) via periodic monitoring: 23.5
"""


@pytest.fixture
def phone(own_locks, adb_server) -> Phone:
    """A Pixel 3a that answers for benchmark_model."""
    phone = Phone(recorded("pixel_3a"))
    phone.answers.append(("benchmark_model --graph", lambda _: (0, TIMINGS.format(avg=80000))))
    adb_server(PIXEL=phone)
    return phone


def run(model: Path, binary: Path, output: Path, *more: str) -> int:
    arguments = ["latency", "--model", str(model), "--benchmark-model", str(binary), "--quick"]
    device = () if "--device" in more else ("--device", "adb")
    return main([*arguments, *device, "--output", str(output), *more])


def test_benchmark_model_on_each_cluster(phone, tflite_file, benchmark_model, tmp_path, capsys):
    output = tmp_path / "results.json"
    assert run(tflite_file, benchmark_model, output, "--cluster", "each", "--threads", "1,2") == 0
    found = read_results(output)
    assert [(one.settings.cluster and one.settings.cluster.name, one.settings.threads) for one in found] == [
        ("little", 1),
        ("little", 2),
        ("big", 1),
        ("big", 2),
    ]
    assert all(
        one.valid and one.timing and one.timing.p50 == 80.0 and one.timing.p99 is None for one in found
    )
    assert all(one.peak_memory_mb == 23.5 for one in found)
    assert found[0].machine.details["model"] == "Pixel 3a"
    commands = [command for command in phone.commands if "--graph" in command]
    assert all("taskset 3f " in command for command in commands[:6])
    assert all("taskset c0 " in command for command in commands[6:])
    assert len(phone.pushes) == 2
    assert not any(path.startswith(FOLDER) for path in phone.files)
    assert "80.00" in capsys.readouterr().out


def test_a_broken_series_keeps_what_is_done_and_resumes(
    phone, tflite_file, benchmark_model, tmp_path, capsys
):
    output = tmp_path / "results.json"
    phone.vanish_on = "--num_threads=2"
    assert run(tflite_file, benchmark_model, output, "--threads", "1,2,4") == 2
    error = capsys.readouterr().err
    assert "PIXEL" in error
    assert "--resume" in error
    assert [one.settings.threads for one in read_results(output)] == [1]
    phone.state, phone.vanish_on = "device", ""
    first_series = len([command for command in phone.commands if "--num_threads=1 " in command])
    pushes = len(phone.pushes)
    assert run(tflite_file, benchmark_model, output, "--threads", "1,2,4", "--resume") == 0
    assert [one.settings.threads for one in read_results(output)] == [1, 2, 4]
    assert len([command for command in phone.commands if "--num_threads=1 " in command]) == first_series
    assert len(phone.pushes) == pushes


def test_a_hanging_run_is_ended_on_the_phone(
    phone, tflite_file, benchmark_model, tmp_path, capsys, monkeypatch
):
    from benchmark.devices.kinds.adb import BenchmarkModelMachine

    # Twice a run's own limit is waited for before this; minus that, half a second is left.
    monkeypatch.setattr(BenchmarkModelMachine, "silence_s", 0.5 - 2 * 120)
    phone.hang_on = "--graph"
    assert run(tflite_file, benchmark_model, tmp_path / "results.json") == 2
    assert "did not answer" in capsys.readouterr().err
    assert any("kill -9" in command for command in phone.commands)


def test_a_runner_that_fails(phone, tflite_file, benchmark_model, tmp_path, capsys):
    phone.answers.insert(0, ("--graph", lambda _: (1, "ERROR: Failed to apply XNNPACK delegate.\n")))
    assert run(tflite_file, benchmark_model, tmp_path / "results.json") == 2
    assert "benchmark_model failed (1): ERROR: Failed to apply XNNPACK delegate." in capsys.readouterr().err


def test_passes_that_disagree_are_flagged(phone, tflite_file, benchmark_model, tmp_path, capsys):
    averages = chain([80000, 90000], repeat(80000))
    phone.answers.insert(0, ("--graph", lambda _: (0, TIMINGS.format(avg=next(averages)))))
    assert run(tflite_file, benchmark_model, tmp_path / "results.json") == 0
    (one,) = read_results(tmp_path / "results.json")
    assert not one.valid
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if line.startswith(tflite_file.name))
    assert row.split()[-1] == "INVALID"
    assert any(line.startswith(f"INVALID: {tflite_file.name}, ") and "differ by" in line for line in lines)
    assert run(tflite_file, benchmark_model, tmp_path / "results.json", "--resume") == 0
    (one,) = read_results(tmp_path / "results.json")
    assert one.valid, "a flagged measurement is repeated"


def test_a_throttling_phone_is_flagged(
    own_locks, adb_server, tflite_file, benchmark_model, tmp_path, monkeypatch
):
    from benchmark.devices import method

    monkeypatch.setattr(method, "cool_down", _cool)
    hot = Phone(recorded("galaxy_a13"))
    hot.answers.append(("benchmark_model --graph", lambda _: (0, TIMINGS.format(avg=80000))))
    adb_server(A13=hot)
    assert run(tflite_file, benchmark_model, tmp_path / "results.json") == 0
    (one,) = read_results(tmp_path / "results.json")
    assert any("throttled: thermal status 2" in problem for problem in one.problems)


def _cool(look, limit_s):
    return look(0.0), 0.0


@pytest.mark.parametrize(
    "case",
    [
        (["--cluster", "middle"], "no cluster 'middle' here; there is little, big"),
        (["--threads", "0"], "--threads takes numbers"),
        (["--delegate", "npu"], "--delegate takes xnnpack, none, gpu, found 'npu'"),
        (["--sustained", "long"], "a duration is a number"),
        (
            ["--device", "tablet"],
            "unknown kind of device 'tablet': expected one of adb, app, arm64",
        ),
        (["--device", "host:me"], "--device takes host, found a name behind it: 'me'"),
        (["--device", "arm64:max"], "expected a core out of cortex-a53"),
        (
            ["--device", "arm64", "--threads", "1,2"],
            "XNNPACK; leave out --threads, --quick, or give a device",
        ),
        (["--device", "arm64", "--delegate", "none"], "leave out --delegate, --quick"),
        (["--device", "arm64", "--cluster", "each", "--sustained", "1m"], "--cluster, --quick, --sustained"),
    ],
)
def test_options_that_cannot_be_used(phone, tflite_file, benchmark_model, tmp_path, capsys, case):
    more, message = case
    assert run(tflite_file, benchmark_model, tmp_path / "results.json", *more) == 2
    assert message in capsys.readouterr().err


def test_a_binary_for_another_processor(phone, tflite_file, benchmark_model, tmp_path, capsys):
    benchmark_model.write_bytes(benchmark_model.read_bytes().replace(b"\xb7\0", b"\x3e\0"))
    assert run(tflite_file, benchmark_model, tmp_path / "results.json") == 2
    assert "is for x86_64, the device runs arm64-v8a" in capsys.readouterr().err


def test_a_file_that_is_no_model(phone, benchmark_model, tmp_path, capsys):
    assert run(benchmark_model, benchmark_model, tmp_path / "results.json") == 2
    assert "not a TFLite file" in capsys.readouterr().err


def test_a_damaged_model_never_reaches_a_runner_that_it_would_crash(tmp_path, capsys):
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(b"\x1c\0\0\0TFL3" + bytes(range(200)))
    arguments = ["latency", "--device", "host", "--quick", "--model", str(damaged)]
    assert main([*arguments, "--output", str(tmp_path / "results.json")]) == 2
    assert "damaged.tflite is damaged or truncated" in capsys.readouterr().err


def test_a_second_run_on_the_same_phone_is_refused(phone, tflite_file, benchmark_model, tmp_path, capsys):
    entered, leave = threading.Event(), threading.Event()

    def wait(_: str) -> tuple[int, str]:
        entered.set()
        leave.wait(20)
        return 0, TIMINGS.format(avg=80000)

    phone.answers.insert(0, ("--graph", wait))
    first = threading.Thread(target=run, args=(tflite_file, benchmark_model, tmp_path / "one.json"))
    first.start()
    assert entered.wait(20)
    assert run(tflite_file, benchmark_model, tmp_path / "two.json") == 2
    leave.set()
    first.join()
    assert "is using 94AAY0TEST" in capsys.readouterr().err


def test_devices_are_listed_with_what_they_say(adb_server, tmp_path, capsys):
    adb_server(A=Phone(recorded("pixel_6")), B=Phone(state="unauthorized"), C=Phone(recorded("restricted")))
    assert main(["devices"]) == 0
    text = capsys.readouterr().out
    assert "Pixel 6" in text
    assert "2x Cortex-X1" in text
    assert "unlock its screen" in text
    assert main(["devices", "--json", str(tmp_path / "devices.json")]) == 0
    listed = {one["serial"]: one for one in json.loads((tmp_path / "devices.json").read_text())}
    assert listed["A"]["soc"] == "Google GS101"
    assert "thermal status" in listed["C"]["absent"]
    assert "unauthorized" in listed["B"]["problem"]


def test_what_a_device_says_is_no_markup(adb_server, tflite_file, benchmark_model, tmp_path, capsys):
    word = "[/red] <b> $(reboot) \x1b[31m"
    probe = recorded("pixel_3a").replace("Pixel 3a", word).replace("94AAY0TEST", "../../x; reboot")
    phone = Phone(probe)
    phone.answers.append(("benchmark_model --graph", lambda _: (1, f"ERROR: {word}\n")))
    adb_server(A=phone)
    assert main(["devices", "--json", str(tmp_path / "devices.json")]) == 0
    assert run(tflite_file, benchmark_model, tmp_path / "found.json") == 2
    said = capsys.readouterr()
    assert "[/red] <b> $(reboot)" in " ".join(said.out.split())
    assert "[/red] <b> $(reboot)" in said.err and "\x1b" not in said.out + said.err
    assert not any("reboot" in command for command in phone.commands)


def test_no_device_is_no_error_for_the_list(adb_server, capsys):
    adb_server()
    assert main(["devices"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "no device over adb" in text
    assert "always there: arm64:cortex-a53" in text
    assert "--device takes adb[:SERIAL], app[:SERIAL], arm64[:CORE], arm64-app[:CORE], armhf, host" in text


def test_ctrl_c_ends_the_runner_on_the_phone_and_keeps_what_is_done(
    phone, tflite_file, benchmark_model, tmp_path, capsys, monkeypatch
):
    from benchmark.adb.client import AdbDevice

    original = AdbDevice.shell

    def interrupted(self, command, timeout_s=60.0):
        if "--num_threads=2" in command:
            raise KeyboardInterrupt
        return original(self, command, timeout_s)

    monkeypatch.setattr(AdbDevice, "shell", interrupted)
    output = tmp_path / "results.json"
    assert run(tflite_file, benchmark_model, output, "--threads", "1,2") == 130
    assert any("kill -9" in command for command in phone.commands)
    assert [one.settings.threads for one in read_results(output)] == [1]

"""The adb client against scripted phones: every failure is one clear line."""

from __future__ import annotations

import pytest

from benchmark.adb import client as adb
from benchmark.errors import DeviceError, DeviceFullError, DeviceGoneError, DeviceTimeoutError
from tests.benchmark.scripted_adb import Phone, recorded


def test_no_device(adb_server):
    adb_server()
    assert adb.listed_devices() == []
    with pytest.raises(
        DeviceError, match=r"expected a device over adb, connected: none; enable USB debugging"
    ):
        adb.choose(None)


def test_the_only_device_needs_no_serial(adb_server, pixel):
    adb_server(PIXEL=pixel)
    assert adb.choose(None).serial == "PIXEL"


def test_two_devices_need_a_serial(adb_server, pixel):
    adb_server(ONE=pixel, TWO=Phone(state="unauthorized"))
    with pytest.raises(
        DeviceError, match=r"2 devices .* --device adb:SERIAL: ONE \(device\), TWO \(unauthorized\)"
    ):
        adb.choose(None)
    assert adb.choose("ONE").serial == "ONE"


def test_an_unknown_serial_names_those_present(adb_server, pixel):
    adb_server(ONE=pixel)
    with pytest.raises(DeviceError, match="expected device OTHER over adb, connected: ONE"):
        adb.choose("OTHER")


@pytest.mark.parametrize(
    ("state", "advice"),
    [
        ("unauthorized", "unlock its screen and allow USB debugging"),
        ("offline", "unplug it"),
        ("no permissions (missing udev rules?)", "udev rule"),
        ("recovery", "boot it into Android"),
    ],
)
def test_a_device_that_is_not_usable_says_what_to_do(adb_server, state, advice):
    adb_server(ONE=Phone(state=state))
    with pytest.raises(DeviceError, match=advice):
        adb.choose(None)


def test_an_address_that_nobody_answers(adb_server):
    adb_server()
    with pytest.raises(DeviceError, match="failed to connect"):
        adb.choose("192.0.2.1:5555")


@pytest.mark.parametrize("shell_v2", [True, False])
def test_exit_codes_and_output(adb_server, shell_v2):
    phone = Phone(shell_v2=shell_v2, answers=[("false", lambda _: (3, "told you\n"))])
    adb_server(ONE=phone)
    done = adb.AdbDevice("ONE").shell("false")
    assert (done.exit_code, done.stdout) == (3, "told you\n")
    with pytest.raises(DeviceError, match="`false` ended with 3: told you"):
        adb.AdbDevice("ONE").check("false")


def test_a_command_that_hangs(adb_server):
    adb_server(ONE=Phone(hang_on="sleep"))
    with pytest.raises(DeviceTimeoutError, match=r"ONE did not answer for 1 s during `sleep 99`"):
        adb.AdbDevice("ONE").shell("sleep 99", timeout_s=1)


@pytest.mark.parametrize("shell_v2", [True, False])
def test_a_device_that_disappears_in_a_command(adb_server, shell_v2):
    adb_server(ONE=Phone(vanish_on="reboot", shell_v2=shell_v2))
    device = adb.AdbDevice("ONE")
    with pytest.raises(DeviceError):
        device.shell("reboot")
    with pytest.raises(DeviceGoneError, match="offline"):
        device.shell("true")


def test_a_device_that_is_gone(adb_server):
    server = adb_server(ONE=Phone())
    device = adb.AdbDevice("ONE")
    del server.phones["ONE"]
    with pytest.raises(DeviceGoneError, match=r"ONE disappeared .* repeat with --resume"):
        device.shell("true")


def test_nothing_is_pushed_twice(adb_server, tmp_path):
    phone = Phone()
    adb_server(ONE=phone)
    source = tmp_path / "model"
    source.write_bytes(bytes(range(256)) * 1000)
    device = adb.AdbDevice("ONE")
    assert device.push(source, "/data/x/model")
    assert phone.files["/data/x/model"] == source.read_bytes()
    assert not device.push(source, "/data/x/model")
    assert len(phone.pushes) == 1
    source.write_bytes(b"changed")
    assert device.push(source, "/data/x/model")
    assert set(phone.files) == {"/data/x/model"}


@pytest.mark.parametrize("free_kb", [0, 10])
def test_a_full_device(adb_server, tmp_path, free_kb):
    phone = Phone(free_kb=free_kb)
    adb_server(ONE=phone)
    source = tmp_path / "model"
    source.write_bytes(bytes(100_000))
    with pytest.raises(DeviceFullError, match=r"ONE has 0\.0 MB free in /data/x, model needs 0\.1 MB"):
        adb.AdbDevice("ONE").push(source, "/data/x/model")
    assert phone.files == {}


def test_a_device_that_fills_up_during_a_push(adb_server, tmp_path):
    phone = Phone(free_kb=10, answers=[("df ", lambda _: (0, ""))])
    adb_server(ONE=phone)
    source = tmp_path / "model"
    source.write_bytes(bytes(100_000))
    with pytest.raises(DeviceError, match="ONE did not take model"):
        adb.AdbDevice("ONE").push(source, "/data/x/model")
    assert phone.files == {}


def test_a_damaged_push_is_noticed_and_removed(adb_server, tmp_path):
    phone = Phone(damage_pushes=True)
    adb_server(ONE=phone)
    source = tmp_path / "model"
    source.write_bytes(b"precious")
    with pytest.raises(DeviceError, match="arrived damaged"):
        adb.AdbDevice("ONE").push(source, "/data/x/model")
    assert phone.files == {}


def test_pull_is_whole_or_not_at_all(adb_server, tmp_path):
    content = bytes(range(256)) * 1000
    adb_server(ONE=Phone(files={"/data/out": content}))
    target = tmp_path / "out"
    adb.AdbDevice("ONE").pull("/data/out", target)
    assert target.read_bytes() == content
    with pytest.raises(DeviceError, match="No such file"):
        adb.AdbDevice("ONE").pull("/data/other", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_pull_that_is_cut_leaves_the_old_file(adb_server, tmp_path):
    adb_server(ONE=Phone(files={"/data/out": bytes(10)}, vanish_on="/data/out"))
    target = tmp_path / "out"
    target.write_bytes(b"old")
    with pytest.raises(DeviceGoneError):
        adb.AdbDevice("ONE").pull("/data/out", target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_lines_arrive_while_a_command_runs(adb_server):
    adb_server(ONE=Phone(logcat=lambda: ["one", "two\r", "three"]))
    with adb.AdbDevice("ONE").lines("logcat", silence_s=5) as lines:
        assert list(lines) == ["one", "two", "three"]


def test_a_command_that_falls_silent(adb_server):
    adb_server(ONE=Phone(hang_on="logcat"))
    expected = pytest.raises(DeviceTimeoutError, match="ONE did not answer for 1 s during `logcat`")
    with expected, adb.AdbDevice("ONE").lines("logcat", silence_s=1) as lines:
        list(lines)


def test_free_room_is_unknown_without_df(adb_server):
    adb_server(ONE=Phone(free_kb=None))
    assert adb.AdbDevice("ONE").free_bytes("/data") is None


def test_recorded_phones_are_there():
    assert "@@getprop" in recorded("pixel_3a")

"""What devices of several families say about themselves."""

from __future__ import annotations

import pytest

from benchmark.adb import client as adb
from benchmark.adb.facts import parse_clusters, parse_facts, read_facts
from benchmark.adb.heat import parse_battery, parse_thermal
from tests.benchmark.scripted_adb import Phone, recorded


def test_silence_is_absent_everywhere():
    facts = parse_facts("")
    assert not facts.is_android
    assert facts.clusters == ()
    assert {
        "model",
        "soc",
        "android",
        "abis",
        "clusters",
        "thermal status",
        "temperatures",
        "battery level",
    } <= set(facts.absent)


def test_two_clusters_of_a_qualcomm_phone(adb_server):
    adb_server(PIXEL=Phone(recorded("pixel_3a")))
    facts = read_facts(adb.AdbDevice("PIXEL"))
    assert (facts.manufacturer, facts.model, facts.soc) == ("Google", "Pixel 3a", "Qualcomm SDM670")
    assert (facts.android, facts.sdk, facts.cores, facts.memory_mb) == ("12", 32, 8, 3661)
    little, big = facts.clusters
    assert (little.name, little.processors, little.core) == (
        "little",
        (0, 1, 2, 3, 4, 5),
        "Kryo 3xx Silver (Cortex-A55)",
    )
    assert (big.name, big.processors, big.mask, big.max_khz) == ("big", (6, 7), "c0", 1996800)
    assert facts.thermal.status == 0
    assert facts.thermal.celsius["fe_therm"] == 31.7
    assert not {"stale", "vbat", "soc"} & set(facts.thermal.celsius)
    assert (facts.battery.percent, facts.battery.celsius, facts.battery.charging) == (85, 28.9, True)
    assert (facts.locked, facts.awake, facts.serial_number) == (False, True, "94AAY0TEST")
    assert facts.absent == []


def test_three_clusters_are_little_big_and_prime():
    clusters = parse_facts(recorded("pixel_6")).clusters
    assert [(one.name, one.mask, one.core) for one in clusters] == [
        ("little", "f", "Cortex-A55"),
        ("big", "30", "Cortex-A76"),
        ("prime", "c0", "Cortex-X1"),
    ]


def test_clusters_of_equal_speed_are_numbered():
    facts = parse_facts(recorded("galaxy_a13"))
    assert [one.name for one in facts.clusters] == ["cluster0", "cluster1"]
    assert facts.thermal.status == 2


def test_an_old_phone_without_thermal_service_and_with_crlf():
    facts = parse_facts(recorded("moto_e6_play"))
    assert (facts.model, facts.abis, facts.android) == ("moto e(6) play", ("armeabi-v7a", "armeabi"), "9")
    assert [(one.name, one.core) for one in facts.clusters] == [("all", "Cortex-A53")]
    assert facts.thermal.status is None
    assert facts.thermal.celsius == {"mtktscpu": 47.0, "mtktsbattery": 31.0}
    assert (facts.locked, facts.awake) == (True, False)
    assert facts.absent == ["thermal status"]


def test_a_phone_that_hides_its_clocks_and_heat():
    facts = parse_facts(recorded("restricted"))
    assert [(one.processors, one.max_khz) for one in facts.clusters] == [(tuple(range(8)), None)]
    assert {"clock frequencies", "thermal status", "battery level", "locked"} <= set(facts.absent)


def test_a_linux_board():
    facts = parse_facts(recorded("raspberry_pi_4"))
    assert not facts.is_android
    assert (facts.model, facts.abis) == ("Raspberry Pi 4 Model B Rev 1.4", ("aarch64",))
    assert facts.clusters[0].core == "Cortex-A72"
    assert facts.thermal.celsius == {"cpu-thermal": 48.686}
    assert facts.serial_number == "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "name", ["pixel_3a", "galaxy_a13", "moto_e6_play", "pixel_6", "restricted", "raspberry_pi_4"]
)
def test_facts_become_json_with_a_stable_identity(name):
    import json
    from dataclasses import asdict

    facts = parse_facts(recorded(name))
    machine = facts.as_machine("192.0.2.7:5555")
    assert machine.identity == facts.serial_number
    assert json.loads(json.dumps(asdict(machine)))["details"]["cores"] == facts.cores


def test_clusters_without_processors():
    assert parse_clusters("", "") == ()


def test_thermal_and_battery_of_nothing():
    assert parse_thermal("").status is None
    assert parse_battery("").charging is None

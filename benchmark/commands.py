"""The commands of benchmark: what is measured of model files, on labelled sets, in reports and on devices."""

from __future__ import annotations

from model.foundation.command_line.command_table import Command

_SET = "--images build/demo/evaluation/images --labels build/demo/evaluation/label.txt"
_INT8 = "build/featherface_v2_320x320_int8.tflite"
_FLOAT32 = "build/featherface_v2_320x320_float32.tflite"

COMMANDS = (
    Command("doctor", "benchmark.doctor:doctor", "what of the tool chain is here, and how to get the rest"),
    Command(
        "evaluate",
        "benchmark.accuracy.commands:evaluate",
        "AP, precision and recall of model files on a labelled set",
        f"--model {_INT8} {_FLOAT32} {_SET}",
    ),
    Command(
        "detect",
        "benchmark.accuracy.commands:detect",
        "find the faces in photographs, a video or a camera's pictures, and draw them",
        f"{_INT8} calibration_data/pictures/astronaut.jpg --output build/faces",
    ),
    Command(
        "demo",
        "benchmark.web_demo.commands:demo",
        "a web page on this machine: models side by side on a picture or the webcam",
        f"--model {_FLOAT32} {_INT8}",
    ),
    Command(
        "drift",
        "benchmark.accuracy.commands:drift",
        "what changed between two models: metrics with intervals, faces lost, gained and moved",
        f"--reference {_FLOAT32} --candidate {_INT8} {_SET} --output build/drift",
    ),
    Command(
        "wider-eval",
        "benchmark.accuracy.commands:wider_eval",
        "official WIDER FACE AP of prediction files",
        "--predictions predictions --ground-truth ground_truth",
    ),
    Command(
        "report",
        "benchmark.report.commands:report",
        "one page about a set of model files",
        f"--model {_FLOAT32} {_INT8} --set demo build/demo/evaluation/images "
        "build/demo/evaluation/label.txt --output build/report",
    ),
    Command(
        "gate",
        "benchmark.report.commands:gate",
        "fail when a report differs from a baseline by more than its budgets",
        "--baseline benchmark/baseline.json --report build/gate/report.json",
    ),
    Command(
        "summary",
        "benchmark.report.commands:summary",
        "size, parity, faces and host latency of made files",
        f"{_FLOAT32} {_INT8} --output build/summary.json",
        front="files",
    ),
    Command(
        "sign",
        "benchmark.trust.commands:sign",
        "OpenSSF signature, SLSA provenance and CycloneDX SBOM beside made files",
        f"{_INT8} --key key.pem",
    ),
    Command(
        "verify",
        "benchmark.trust.commands:verify",
        "made files held against their records, origin, spec and signature",
        f"{_INT8} --key key.pub",
    ),
    Command(
        "devices", "benchmark.devices.commands:devices", "connected devices and what they say of themselves"
    ),
    Command(
        "latency",
        "benchmark.devices.commands:latency",
        "time models on this host or a device; count instructions on emulated ARM",
        f"--device host --model {_INT8} --quick",
    ),
    Command(
        "run",
        "benchmark.devices.commands:run",
        "photographs through models on a machine: raw outputs, compared with another machine's",
        f"--device host --model {_INT8} --images build/demo/evaluation/images --limit 4",
    ),
    Command("arm", "benchmark.emulation.commands:arm", "prepare the emulated ARM machines and boot one"),
    Command(
        "count-layers",
        "benchmark.devices.commands:count_layers",
        "single layers counted on the emulated cores: the table behind search --objective",
        "--output build/counted_layers.json",
    ),
    Command(
        "peers",
        "benchmark.peers.commands:peers",
        "ours beside other people's: models, and converters on the same weights",
        "--set demo build/demo/evaluation/images build/demo/evaluation/label.txt --peer featherface_v2 "
        "--calibration build/calibration.json --photographs build/demo/evaluation/images",
    ),
    Command(
        "evaluate-phone",
        "benchmark.phone.commands:evaluate_phone",
        "figures of the demo app on a phone beside this computer's",
        f"--model {_INT8} {_SET} --device app",
    ),
    Command(
        "predict",
        "benchmark.prediction.commands:predict",
        "frames a second on classes of phones, from counted instructions",
        "--results build/benchmark/latency.json",
    ),
    Command(
        "fit-cycles",
        "benchmark.prediction.commands:fit_cycles",
        "count the public networks' instructions anew, after another runtime",
    ),
)

"""Runners' output of several ages."""
# ruff: noqa: E501 - lines as the runners print them

from __future__ import annotations

import pytest

from benchmark.errors import DeviceError
from benchmark.runner.output import Delegated, parse

OLD = """INFO: Initialized session in 3.337ms.
INFO: count=9 first=81913 curr=55502 min=55502 max=81913 avg=58984.7 std=8115
INFO: count=1061 first=56576 curr=56299 min=54669 max=60236 avg=56265.8 std=982
INFO: Inference timings in us: Init: 3337, First inference: 81913, Warmup (avg): 58984.7, Inference (avg): 56265.8
INFO: Memory footprint delta from the start of the tool (MB): init=2.43359 overall=8.67578
INFO: Overall peak memory footprint (MB) via periodic monitoring: 93.2383
"""

NEW = """INFO: count=1 curr=81913 p5=81913 median=81913 p95=81913
INFO: count=50 first=5 curr=6 min=4 max=9 avg=5.5 std=1 p5=4 median=5 p95=8
INFO: Inference timings in us: Init: 3e+06, First inference: 81913, Warmup (avg): 81913, Inference (avg): 5.5
"""

OURS = """Input 0: name=serving_default_images type=uint8 shape=1x320x320x3 bytes=307200
Output 0: name=boxes type=int8 shape=1x4200x4 bytes=16800
Warmup: count=2 first=3.000 curr=2.000 min=2.000 max=3.000 avg=2.500 std=0.500 p5=2.0 median=2.0 p90=3.0 p95=3.0 p99=3.0
Inference: count=3 first=1.000 curr=3.000 min=1.000 max=3.000 avg=2.000 std=0.8 p5=1.0 median=2.0 p90=3.0 p95=3.0 p99=3.0
INFO: Inference timings in us: Init: 30, First inference: 3, Warmup (avg): 2.500, Inference (avg): 2.000
============================== Run Order ==============================
\t             [node type]\t  [start]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t Delegate/Convolution (NHWC, QC8) IGEMM\t    0.000\t   1.665\t  1.422\t 61.939%\t 61.939%\t 0.000\t        1\t[Delegate]:0
\t               RELU\t     1.422\t    0.075\t    0.080\t 38.061%\t 100.000%\t 0.000\t        1\t[a b, c]:1

============================== Top by Computation Time ==============================
\t             [node type]\t  [start]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t               RELU\t     1.422\t    0.075\t    0.080\t 38.061%\t 100.000%\t 0.000\t        1\t[a b, c]:1
Timings (microseconds): count=3 first=9 curr=9 min=9 max=9 avg=9 std=0
INFO: Overall peak memory footprint (MB) via getrusage: 19.512
"""

APP = """log of tflite: Created TensorFlow Lite XNNPACK delegate for CPU.
log of tflite: Replacing 137 out of 141 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 4 partitions for the whole graph.
INFO: Inference timings in us: Init: 30, First inference: 3, Warmup (avg): 2.500, Inference (avg): 2.000
============================== Run Order ==============================
\t[node type]\t[ms]\t[%]\t[Name]
\tQUANTIZE\t0.790\t1.100%\t[0]
\tDelegate/Constant Pad (ND, X8)\t11.210\t15.300%\t[2]

"""


def test_the_app_s_runtime():
    output = parse(APP, "the runner")
    assert output.delegated == Delegated(taken=137, operators=141, parts=4)
    assert [(one.kind, one.name, round(one.share, 5)) for one in output.operators] == [
        ("QUANTIZE", "[0]", 0.011),
        ("Delegate/Constant Pad (ND, X8)", "[2]", 0.153),
    ]
    assert parse(OURS, "the runner").delegated is None


def test_nothing_is_an_error_with_the_runners_last_word():
    with pytest.raises(DeviceError, match="it printed nothing"):
        parse("", "the runner")
    with pytest.raises(DeviceError, match="benchmark_model printed no timings: ERROR: Failed to load model"):
        parse(
            "STARTING!\nERROR: Failed to load model\nBenchmarking failed.\n".replace("failed", "over"),
            "benchmark_model",
        )


def test_an_old_benchmark_model():
    output = parse(OLD, "benchmark_model")
    assert output.peak_memory_mb == 93.2383
    timing = output.timing
    assert (timing.init, timing.first, timing.runs, timing.mean) == pytest.approx(
        (3.337, 81.913, 1061, 56.2658)
    )
    assert (timing.p90, timing.typical) == (None, timing.mean)
    assert output.latencies_ns == ()


def test_a_new_benchmark_model_with_one_warmup_run():
    output = parse(NEW, "benchmark_model")
    assert (output.timing.init, output.timing.p50, output.timing.p99) == (3000, 0.005, None)


def test_our_runner():
    output = parse(OURS, "the runner")
    assert (output.timing.runs, output.timing.p99) == (3, 0.003)
    assert (output.inputs[0].dtype, output.inputs[0].shape) == ("uint8", (1, 320, 320, 3))
    assert output.outputs[0].bytes == 16800
    assert [(one.kind, one.name, round(one.share, 5)) for one in output.operators] == [
        ("Delegate/Convolution (NHWC, QC8) IGEMM", "[Delegate]:0", 0.61939),
        ("RELU", "[a b, c]:1", 0.38061),
    ]
    assert output.peak_memory_mb == 19.512


def test_runs_without_warmup():
    text = "\n".join(line for line in OURS.splitlines() if not line.startswith("Warmup"))
    output = parse(text, "the runner")
    assert output.timing.runs == 3


def test_a_warm_up_alone_is_no_timing():
    text = "\n".join(line for line in OURS.splitlines() if not line.startswith("Inference: count"))
    assert parse(text, "the runner").timing is None


def test_no_runs_at_all():
    output = parse(
        "INFO: Inference timings in us: Init: 3, First inference: 0, Warmup (avg): 0, Inference (avg): 0",
        "it",
    )
    assert output.timing is None

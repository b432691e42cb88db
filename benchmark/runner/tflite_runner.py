"""The C runner's twin for 32-bit ARM, where the only runtime is tflite-runtime 2.14 with its Python binding.

Runs under the Python of a 32-bit ARM system with numpy and tflite_runtime; takes the same flags and prints
the same lines as the C runner. Not part of the package: it is started by path on the other machine.
"""

import argparse
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np
from tflite_runtime.interpreter import Interpreter, OpResolverType


def parse(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--graph", required=True)
    parser.add_argument("--num_threads", type=int, default=1)
    parser.add_argument("--use_xnnpack", default="true")
    parser.add_argument("--num_runs", type=int, default=50)
    parser.add_argument("--warmup_runs", type=int, default=1)
    parser.add_argument("--min_secs", type=float, default=1)
    parser.add_argument("--warmup_min_secs", type=float, default=0.5)
    parser.add_argument("--max_secs", type=float, default=150)
    parser.add_argument("--report_peak_memory_footprint", default="false")
    parser.add_argument("--input_file")
    parser.add_argument("--output_dir")
    parser.add_argument("--latencies_file")
    parser.add_argument("--cpus")
    return parser.parse_args(arguments)


def processors(text):
    """The processors of a list like "0,2-3"."""
    found = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def print_tensors(kind, details):
    for index, detail in enumerate(details):
        shape = "x".join(str(side) for side in detail["shape"])
        size = int(np.prod(detail["shape"])) * np.dtype(detail["dtype"]).itemsize
        name = detail["name"].replace(" ", "_")
        print(f"{kind} {index}: name={name} type={np.dtype(detail['dtype']).name} shape={shape} bytes={size}")


def pattern(detail):
    """The pixel values that the C runner uses without an input file."""
    count, state, values = int(np.prod(detail["shape"])), 1, bytearray()
    for _ in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values.append(state >> 24)
    pixels = np.frombuffer(bytes(values), np.uint8).reshape(detail["shape"])
    return pixels.astype(np.float32) if detail["dtype"] == np.float32 else pixels.view(detail["dtype"])


def timed_run(interpreter):
    start = time.monotonic_ns()
    interpreter.invoke()
    return time.monotonic_ns() - start


def repeat(interpreter, runs, min_secs, max_secs):
    latencies, start = [], time.monotonic()
    while True:
        elapsed = time.monotonic() - start
        if (len(latencies) >= runs and elapsed >= min_secs) or elapsed >= max_secs:
            return latencies
        latencies.append(timed_run(interpreter))


def print_statistics(stage, latencies):
    if not latencies:
        return
    us = np.asarray(latencies) / 1e3
    rank = {share: float(np.percentile(us, share, method="inverted_cdf")) for share in (5, 50, 90, 95, 99)}
    print(
        f"{stage}: count={len(us)} first={us[0]:.3f} curr={us[-1]:.3f} min={us.min():.3f} max={us.max():.3f} "
        f"avg={us.mean():.3f} std={us.std():.3f} p5={rank[5]:.3f} median={rank[50]:.3f} p90={rank[90]:.3f} "
        f"p95={rank[95]:.3f} p99={rank[99]:.3f}"
    )


def write_outputs(interpreter, frames, folder):
    detail, outputs = interpreter.get_input_details()[0], interpreter.get_output_details()
    files = [(Path(folder) / f"{index}.raw").open("wb") for index in range(len(outputs))]
    for frame in frames:
        interpreter.set_tensor(detail["index"], frame)
        interpreter.invoke()
        for file, output in zip(files, outputs, strict=True):
            file.write(interpreter.get_tensor(output["index"]).tobytes())
    for file in files:
        file.close()


def main():
    options = parse(sys.argv[1:])
    if options.cpus:
        os.sched_setaffinity(0, processors(options.cpus))
    resolver = (
        OpResolverType.BUILTIN
        if options.use_xnnpack == "true"
        else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    start = time.monotonic_ns()
    interpreter = Interpreter(
        options.graph, num_threads=options.num_threads, experimental_op_resolver_type=resolver
    )
    interpreter.allocate_tensors()
    init_us = (time.monotonic_ns() - start) // 1000
    detail = interpreter.get_input_details()[0]
    print_tensors("Input", [detail])
    print_tensors("Output", interpreter.get_output_details())
    frames = [pattern(detail)]
    if options.input_file:
        values = np.fromfile(options.input_file, detail["dtype"])
        if values.size == 0 or values.size % int(np.prod(detail["shape"])):
            sys.exit(f"ERROR: {options.input_file}: {values.nbytes} bytes is no multiple of the input's")
        frames = list(values.reshape(-1, *detail["shape"]))
    interpreter.set_tensor(detail["index"], frames[0])
    warmup = (
        repeat(interpreter, options.warmup_runs, options.warmup_min_secs, options.max_secs)
        if options.warmup_runs
        else []
    )
    print_statistics("Warmup", warmup)
    timed = (
        repeat(interpreter, options.num_runs, options.min_secs, options.max_secs) if options.num_runs else []
    )
    print_statistics("Inference", timed)
    first = (warmup or timed or [0])[0] / 1e3
    mean = [float(np.mean(part)) / 1e3 if part else 0.0 for part in (warmup, timed)]
    print(
        f"INFO: Inference timings in us: Init: {init_us}, First inference: {first:.0f}, "
        f"Warmup (avg): {mean[0]:.3f}, Inference (avg): {mean[1]:.3f}"
    )
    if options.latencies_file:
        with Path(options.latencies_file).open("w") as file:
            file.writelines(f"{value}\n" for value in timed)
    if options.output_dir:
        write_outputs(interpreter, frames, options.output_dir)
    if options.report_peak_memory_footprint == "true":
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"INFO: Overall peak memory footprint (MB) via getrusage: {peak:.3f}")


main()

/* Timings, printed as TensorFlow Lite's benchmark_model prints them. */
#ifndef BENCHMARK_RUNNER_REPORT_H_
#define BENCHMARK_RUNNER_REPORT_H_

#include <stddef.h>
#include <stdint.h>

#include "session.h"

typedef struct {
  int64_t* ns; /* one latency a run */
  size_t count;
  size_t room;
} Latencies;

void latencies_add(Latencies* latencies, int64_t ns);
double latencies_mean_us(const Latencies* latencies);

/* "count=N first=... min=... avg=... p5=... median=... p90=... p95=... p99=...", in microseconds. */
void print_statistics(const char* stage, const Latencies* latencies);

/* One line a tensor: "Input 0: name=images type=uint8 shape=1x320x320x3 bytes=307200". */
void print_tensors(const Session* session);

/* One latency in nanoseconds a line. */
void write_latencies(const char* path, const Latencies* latencies);

#endif /* BENCHMARK_RUNNER_REPORT_H_ */

/* One loaded model with its tensors' memory. */
#ifndef BENCHMARK_RUNNER_SESSION_H_
#define BENCHMARK_RUNNER_SESSION_H_

#include <stddef.h>

#include "litert_api.h"

enum { kMaxTensors = 16 };

typedef struct {
  const char* name;
  LiteRtRankedTensorType type;
  size_t bytes;
  void* memory;
  LiteRtTensorBuffer buffer;
} Tensor;

typedef struct {
  LiteRtCompiledModel compiled;
  LiteRtProfiler profiler; /* NULL unless asked for */
  Tensor inputs[kMaxTensors];
  Tensor outputs[kMaxTensors];
  size_t input_count;
  size_t output_count;
} Session;

typedef struct {
  const char* graph;
  int num_threads;
  bool use_xnnpack;
  bool use_gpu;
  bool profile;
} SessionOptions;

/* Loads, compiles and allocates; ends the program with one line on stderr when LiteRT refuses. */
void session_open(const SessionOptions* options, Session* session);

/* One inference from the inputs' memory to the outputs' memory. */
void session_run(Session* session);

/* "float32", "uint8" ... or "type N". */
const char* element_name(LiteRtElementType type);

/* Prints `message` on stderr and ends the program with exit code 1. */
void fail(const char* format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif /* BENCHMARK_RUNNER_SESSION_H_ */

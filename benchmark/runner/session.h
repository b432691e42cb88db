/* One loaded model with its tensors' memory. Each runtime has a folder with its own session.c. */
#ifndef BENCHMARK_RUNNER_SESSION_H_
#define BENCHMARK_RUNNER_SESSION_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { kMaxTensors = 16, kMaxRank = 8 };

typedef struct {
  const char* name;
  const char* type; /* "float32", "uint8" ... */
  int rank;
  int32_t dimensions[kMaxRank];
  size_t bytes;
  void* memory;
} Tensor;

typedef struct {
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

/* Loads, compiles and allocates; ends the program with one line on stderr when the runtime refuses. */
void session_open(const SessionOptions* options, Session* session);

/* One inference from the inputs' memory to the outputs' memory. */
void session_run(Session* session);

/* The operators' shares of what runs in between; both do nothing unless `profile` was asked for. */
void session_profile_start(void);
void session_profile_stop(void);

/* The operators' tables as benchmark_model prints them; does nothing unless `profile` was asked for. */
void session_profile_print(void);

/* Ends the program at once with what it has printed, where a runtime's own end would fail. */
void session_exit(void) __attribute__((noreturn));

/* Prints `message` on stderr and ends the program with exit code 1. */
void fail(const char* format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif /* BENCHMARK_RUNNER_SESSION_H_ */

/* Loads a TFLite model, times it as benchmark_model does and writes its raw outputs.
 *
 * With LiteRT for Linux on ARM (boards, the emulated guest) and for the host, with the app's TensorFlow Lite for the guest. Flags carry benchmark_model's names;
 * --input_file, --output_dir, --latencies_file and --cpus are this runner's own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "report.h"
#include "session.h"

typedef struct {
  SessionOptions session;
  long num_runs, warmup_runs;
  double min_secs, warmup_min_secs, max_secs;
  bool peak_memory;
  const char* input_file; /* raw frames one after another, each as long as the first input */
  const char* output_dir; /* gets OUTPUT_INDEX.raw: that output of every frame, one after another */
  const char* latencies_file;
  const char* cpus; /* "0,2-3" */
} Options;

static int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static bool value_of(const char* argument, const char* name, const char** value) {
  size_t length = strlen(name);
  if (strncmp(argument, name, length) != 0 || argument[length] != '=') return false;
  *value = argument + length + 1;
  return true;
}

static double number(const char* name, const char* text) {
  char* end;
  double value = strtod(text, &end);
  if (end == text || *end != 0 || value < 0) fail("%s: expected a number of 0 or more, found \"%s\"", name, text);
  return value;
}

static bool truth(const char* name, const char* text) {
  if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0) return true;
  if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0) return false;
  fail("%s: expected true or false, found \"%s\"", name, text);
}

static Options parse(int count, char** arguments) {
  Options options = {.session = {.num_threads = 1, .use_xnnpack = true}, .num_runs = 50, .warmup_runs = 1,
                     .min_secs = 1, .warmup_min_secs = 0.5, .max_secs = 150};
  for (int i = 1; i < count; i++) {
    const char *argument = arguments[i], *text;
    if (value_of(argument, "--graph", &text)) options.session.graph = text;
    else if (value_of(argument, "--num_threads", &text)) options.session.num_threads = (int)number(argument, text);
    else if (value_of(argument, "--use_xnnpack", &text)) options.session.use_xnnpack = truth(argument, text);
    else if (value_of(argument, "--use_gpu", &text)) options.session.use_gpu = truth(argument, text);
    else if (value_of(argument, "--enable_op_profiling", &text)) options.session.profile = truth(argument, text);
    else if (value_of(argument, "--num_runs", &text)) options.num_runs = (long)number(argument, text);
    else if (value_of(argument, "--warmup_runs", &text)) options.warmup_runs = (long)number(argument, text);
    else if (value_of(argument, "--min_secs", &text)) options.min_secs = number(argument, text);
    else if (value_of(argument, "--warmup_min_secs", &text)) options.warmup_min_secs = number(argument, text);
    else if (value_of(argument, "--max_secs", &text)) options.max_secs = number(argument, text);
    else if (value_of(argument, "--report_peak_memory_footprint", &text)) options.peak_memory = truth(argument, text);
    else if (value_of(argument, "--input_file", &text)) options.input_file = text;
    else if (value_of(argument, "--output_dir", &text)) options.output_dir = text;
    else if (value_of(argument, "--latencies_file", &text)) options.latencies_file = text;
    else if (value_of(argument, "--cpus", &text)) options.cpus = text;
    else fail("unknown argument \"%s\"", argument);
  }
  if (options.session.graph == NULL) fail("give the model with --graph=FILE");
  if (options.session.num_threads < 1) fail("--num_threads must be 1 or more");
  return options;
}

/* Binds this process to the processors of `list`, e.g. "0,2-3": threads started later inherit it. */
static void pin(const char* list) {
  cpu_set_t set;
  const char* at = list;
  CPU_ZERO(&set);
  while (*at) {
    char* end;
    long first = strtol(at, &end, 10), last = first;
    if (end == at) fail("--cpus: expected a list like 0,2-3, found \"%s\"", list);
    if (*end == '-') last = strtol(end + 1, &end, 10);
    for (long cpu = first; cpu <= last && cpu < CPU_SETSIZE; cpu++) CPU_SET(cpu, &set);
    at = *end == ',' ? end + 1 : end;
    if (*end && *end != ',') fail("--cpus: expected a list like 0,2-3, found \"%s\"", list);
  }
  if (sched_setaffinity(0, sizeof set, &set) != 0) fail("--cpus=%s: %s", list, strerror(errno));
}

static FILE* open_frames(const Options* options, const Session* session, size_t* frames) {
  if (options->input_file == NULL) {
    *frames = 1;
    return NULL;
  }
  FILE* file = fopen(options->input_file, "rb");
  if (file == NULL) fail("%s: %s", options->input_file, strerror(errno));
  fseek(file, 0, SEEK_END);
  size_t size = (size_t)ftell(file), frame = session->inputs[0].bytes;
  if (size == 0 || size % frame) fail("%s: %zu bytes is no multiple of the input's %zu", options->input_file, size, frame);
  *frames = size / frame;
  return file;
}

/* Puts frame `index` of `file`, or without a file a fixed pattern of pixel values, into the first input. */
static void load_frame(FILE* file, size_t index, const Tensor* input) {
  if (file != NULL) {
    fseek(file, (long)(index * input->bytes), SEEK_SET);
    if (fread(input->memory, 1, input->bytes, file) != input->bytes) fail("the input file became shorter");
    return;
  }
  uint32_t state = 1;
  bool is_float = strcmp(input->type, "float32") == 0;
  size_t count = is_float ? input->bytes / sizeof(float) : input->bytes;
  for (size_t i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    uint8_t pixel = (uint8_t)(state >> 24);
    if (is_float) ((float*)input->memory)[i] = pixel;
    else ((uint8_t*)input->memory)[i] = pixel;
  }
}

static int64_t timed_run(Session* session) {
  int64_t start = now_ns();
  session_run(session);
  return now_ns() - start;
}

/* Runs until both `runs` and `min_secs` are reached, or `max_secs` is over. */
static void repeat(Session* session, long runs, double min_secs, double max_secs, Latencies* latencies) {
  int64_t start = now_ns();
  for (long i = 0;; i++) {
    double elapsed = (double)(now_ns() - start) / 1e9;
    if ((i >= runs && elapsed >= min_secs) || elapsed >= max_secs) return;
    latencies_add(latencies, timed_run(session));
  }
}

static void write_outputs(const Options* options, Session* session, FILE* frames, size_t count) {
  FILE* files[kMaxTensors];
  char path[4096];
  for (size_t i = 0; i < session->output_count; i++) {
    snprintf(path, sizeof path, "%s/%zu.raw", options->output_dir, i);
    if ((files[i] = fopen(path, "wb")) == NULL) fail("%s: %s", path, strerror(errno));
  }
  for (size_t frame = 0; frame < count; frame++) {
    load_frame(frames, frame, &session->inputs[0]);
    session_run(session);
    for (size_t i = 0; i < session->output_count; i++)
      if (fwrite(session->outputs[i].memory, 1, session->outputs[i].bytes, files[i]) != session->outputs[i].bytes)
        fail("%s: %s", options->output_dir, strerror(errno));
  }
  for (size_t i = 0; i < session->output_count; i++)
    if (fclose(files[i]) != 0) fail("%s: %s", options->output_dir, strerror(errno));
}

int main(int count, char** arguments) {
  Options options = parse(count, arguments);
  Session session;
  Latencies warmup = {0}, timed = {0};
  size_t frame_count;
  struct rusage usage;
  if (options.cpus != NULL) pin(options.cpus);
  int64_t start = now_ns();
  session_open(&options.session, &session);
  int64_t init_us = (now_ns() - start) / 1000;
  print_tensors(&session);
  FILE* frames = open_frames(&options, &session, &frame_count);
  load_frame(frames, 0, &session.inputs[0]);

  if (options.warmup_runs > 0) {
    repeat(&session, options.warmup_runs, options.warmup_min_secs, options.max_secs, &warmup);
    print_statistics("Warmup", &warmup);
  }
  session_profile_start();
  if (options.num_runs > 0) repeat(&session, options.num_runs, options.min_secs, options.max_secs, &timed);
  session_profile_stop();
  print_statistics("Inference", &timed);
  double first_us = warmup.count ? (double)warmup.ns[0] / 1e3 : timed.count ? (double)timed.ns[0] / 1e3 : 0;
  printf("INFO: Inference timings in us: Init: %lld, First inference: %.0f, Warmup (avg): %.3f, Inference (avg): %.3f\n",
         (long long)init_us, first_us, latencies_mean_us(&warmup), latencies_mean_us(&timed));
  session_profile_print();
  if (options.latencies_file != NULL) write_latencies(options.latencies_file, &timed);
  if (options.output_dir != NULL) write_outputs(&options, &session, frames, frame_count);
  if (options.peak_memory && getrusage(RUSAGE_SELF, &usage) == 0)
    printf("INFO: Overall peak memory footprint (MB) via getrusage: %.3f\n", (double)usage.ru_maxrss / 1024);
  session_exit();
}

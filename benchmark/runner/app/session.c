#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tflite_api.h"

typedef struct {
  char name[80]; /* a copy: XNNPACK drops its names after it has told them */
  double us;
  bool is_delegated, is_whole; /* whole: the delegate's node, whose operators have spoken for it */
} Operator;

static TfLiteInterpreter* interpreter;
static struct {
  bool is_wanted, is_on;
  Operator* operators;
  size_t count, room;
  int64_t began_ns;
} profile;

static size_t profile_add(const char* name, double us, bool is_delegated) {
  if (profile.count == profile.room) {
    profile.room = profile.room ? profile.room * 2 : 256;
    profile.operators = realloc(profile.operators, profile.room * sizeof *profile.operators);
    if (profile.operators == NULL) fail("out of memory after %zu operators", profile.count);
  }
  Operator* added = &profile.operators[profile.count];
  *added = (Operator){.us = us, .is_delegated = is_delegated};
  snprintf(added->name, sizeof added->name, "%s", name);
  return profile.count++;
}

static int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void event(TfLiteTelemetryProfiler* profiler, const char* name, uint64_t status) {
  (void)profiler, (void)name, (void)status;
}

static void operator_event(TfLiteTelemetryProfiler* profiler, const char* name, int64_t op, int64_t subgraph, uint64_t status) {
  (void)profiler, (void)name, (void)op, (void)subgraph, (void)status;
}

static void setting(TfLiteTelemetryProfiler* profiler, const char* name, const void* settings) {
  (void)profiler, (void)name, (void)settings;
}

static uint32_t begin(TfLiteTelemetryProfiler* profiler, const char* name, int64_t op, int64_t subgraph) {
  (void)profiler, (void)op, (void)subgraph;
  if (!profile.is_on) return 0;
  size_t place = profile_add(name, 0, false);
  profile.began_ns = now_ns();
  return (uint32_t)place;
}

static void end(TfLiteTelemetryProfiler* profiler, uint32_t place) {
  (void)profiler;
  if (!profile.is_on) return;
  profile.operators[place].us = (double)(now_ns() - profile.began_ns) / 1e3;
  profile.operators[place].is_whole = place + 1 < profile.count;
}

static void measured(TfLiteTelemetryProfiler* profiler, const char* name, uint64_t us, int64_t op, int64_t subgraph) {
  (void)profiler, (void)op, (void)subgraph;
  if (profile.is_on) profile_add(name, (double)us, true);
}

static TfLiteTelemetryProfiler profiler = {NULL, event, operator_event, setting, begin, end, measured};

static const char* type_name(const TfLiteTensor* tensor) {
  switch (TfLiteTensorType(tensor)) {
    case kTfLiteFloat32: return "float32";
    case kTfLiteInt32: return "int32";
    case kTfLiteUInt8: return "uint8";
    case kTfLiteInt64: return "int64";
    case kTfLiteInt16: return "int16";
    case kTfLiteInt8: return "int8";
    case kTfLiteFloat16: return "float16";
  }
  fail("tensor %s of TensorFlow Lite type %d is not supported by this runner", TfLiteTensorName(tensor),
       (int)TfLiteTensorType(tensor));
}

static Tensor tensor_of(const TfLiteTensor* source) {
  Tensor tensor = {.name = TfLiteTensorName(source), .type = type_name(source), .rank = TfLiteTensorNumDims(source),
                   .bytes = TfLiteTensorByteSize(source), .memory = TfLiteTensorData(source)};
  if (tensor.rank > kMaxRank) fail("tensor %s has %d dimensions: this runner takes up to %d", tensor.name, tensor.rank, kMaxRank);
  for (int i = 0; i < tensor.rank; i++) tensor.dimensions[i] = TfLiteTensorDim(source, i);
  return tensor;
}

/* As the app's Java classes do it. */
static TfLiteInterpreterOptions* options_of(const SessionOptions* wanted) {
  TfLiteInterpreterOptions* options = TfLiteInterpreterOptionsCreate();
  TfLiteXNNPackDelegateOptions delegate = TfLiteXNNPackDelegateOptionsDefault();
  delegate.num_threads = wanted->num_threads;
  TfLiteInterpreterOptionsSetNumThreads(options, wanted->num_threads);
  TfLiteInterpreterOptionsAddDelegate(options, TfLiteXNNPackDelegateCreate(&delegate));
  if (wanted->profile) TfLiteInterpreterOptionsSetTelemetryProfiler(options, &profiler);
  return options;
}

void session_open(const SessionOptions* options, Session* session) {
  if (!options->use_xnnpack || options->use_gpu) fail("this runner runs TensorFlow Lite with XNNPACK only");
  TfLiteModel* model = TfLiteModelCreateFromFile(options->graph);
  if (model == NULL) fail("%s: not a TFLite model that TensorFlow Lite %s can read", options->graph, TfLiteVersion());
  interpreter = TfLiteInterpreterCreate(model, options_of(options));
  if (interpreter == NULL || TfLiteInterpreterAllocateTensors(interpreter) != 0)
    fail("%s: TensorFlow Lite %s cannot prepare this model", options->graph, TfLiteVersion());
  profile.is_wanted = options->profile;
  session->input_count = (size_t)TfLiteInterpreterGetInputTensorCount(interpreter);
  session->output_count = (size_t)TfLiteInterpreterGetOutputTensorCount(interpreter);
  if (session->input_count > kMaxTensors || session->output_count > kMaxTensors)
    fail("%zu inputs and %zu outputs: this runner takes up to %d of each", session->input_count, session->output_count,
         kMaxTensors);
  for (size_t i = 0; i < session->input_count; i++)
    session->inputs[i] = tensor_of(TfLiteInterpreterGetInputTensor(interpreter, (int32_t)i));
  for (size_t i = 0; i < session->output_count; i++)
    session->outputs[i] = tensor_of(TfLiteInterpreterGetOutputTensor(interpreter, (int32_t)i));
}

void session_run(Session* session) {
  (void)session;
  if (TfLiteInterpreterInvoke(interpreter) != 0) fail("inference failed");
}

void session_profile_start(void) { profile.is_on = profile.is_wanted; }

void session_profile_stop(void) { profile.is_on = false; }

void session_profile_print(void) {
  double sum = 0;
  if (!profile.is_wanted) return;
  for (size_t i = 0; i < profile.count; i++) sum += profile.operators[i].is_whole ? 0 : profile.operators[i].us;
  printf("============================== Run Order ==============================\n");
  printf("\t[node type]\t[ms]\t[%%]\t[Name]\n");
  for (size_t i = 0; i < profile.count; i++) {
    const Operator* one = &profile.operators[i];
    if (one->is_whole) continue;
    printf("\t%s%s\t%.3f\t%.3f%%\t[%zu]\n", one->is_delegated ? "Delegate/" : "", one->name, one->us / 1e3,
           sum > 0 ? 100 * one->us / sum : 0, i);
  }
  printf("\n");
}

/* The library's own end belongs to another C library. */
void session_exit(void) {
  fflush(stdout);
  _exit(0);
}

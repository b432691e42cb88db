#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "litert_api.h"

static struct {
  LiteRtCompiledModel compiled;
  LiteRtProfiler profiler; /* NULL unless asked for */
  LiteRtTensorBuffer inputs[kMaxTensors], outputs[kMaxTensors];
} runtime;

static void check(LiteRtStatus status, const char* what) {
  if (status != 0) fail("%s failed with LiteRT status %d", what, status);
}

static size_t element_bytes(LiteRtElementType type) {
  switch (type) {
    case kElementInt64: return 8;
    case kElementFloat32:
    case kElementInt32: return 4;
    case kElementInt16:
    case kElementFloat16: return 2;
    case kElementInt8:
    case kElementUInt8: return 1;
  }
  fail("tensor of LiteRT element type %d is not supported by this runner", (int)type);
}

static const char* element_name(LiteRtElementType type) {
  switch (type) {
    case kElementFloat32: return "float32";
    case kElementInt32: return "int32";
    case kElementUInt8: return "uint8";
    case kElementInt64: return "int64";
    case kElementInt16: return "int16";
    case kElementInt8: return "int8";
    case kElementFloat16: return "float16";
  }
  return "unknown"; /* element_bytes refuses it before */
}

static LiteRtTensorBuffer tensor_allocate(LiteRtTensor source, Tensor* tensor) {
  LiteRtRankedTensorType type;
  LiteRtTensorBuffer buffer;
  check(LiteRtGetTensorName(source, &tensor->name), "reading a tensor's name");
  check(LiteRtGetRankedTensorType(source, &type), "reading a tensor's type");
  tensor->bytes = element_bytes(type.element_type);
  tensor->type = element_name(type.element_type);
  tensor->rank = type.layout.rank;
  for (int i = 0; i < tensor->rank; i++) {
    tensor->dimensions[i] = type.layout.dimensions[i];
    if (tensor->dimensions[i] < 1)
      fail("tensor %s has a dynamic shape; convert the model with fixed sizes", tensor->name);
    tensor->bytes *= (size_t)tensor->dimensions[i];
  }
  /* XNNPACK may read past the end of an input by up to 16 bytes: round up to the alignment and add one more. */
  size_t room = (tensor->bytes / kBufferAlignment + 2) * kBufferAlignment;
  if (posix_memalign(&tensor->memory, kBufferAlignment, room) != 0) fail("out of memory for tensor %s", tensor->name);
  memset(tensor->memory, 0, room);
  check(LiteRtCreateTensorBufferFromHostMemory(&type, tensor->memory, tensor->bytes, NULL, &buffer),
        "creating a tensor buffer");
  return buffer;
}

/* LiteRT reads its options as TOML text under a name. Source: litert/c/options/litert_{cpu,runtime}_options.cc. */
static void add_text_options(LiteRtOptions options, const char* name, const char* text) {
  LiteRtOpaqueOptions opaque;
  char* copy = strdup(text);
  if (copy == NULL) fail("out of memory");
  check(LiteRtCreateOpaqueOptions(name, copy, free, &opaque), "creating options");
  check(LiteRtAddOpaqueOptions(options, opaque), "adding options");
}

static LiteRtOptions make_options(const SessionOptions* wanted) {
  LiteRtOptions options;
  char text[96];
  check(LiteRtCreateOptions(&options), "creating options");
  int accelerators = kHwAcceleratorCpu | (wanted->use_gpu ? kHwAcceleratorGpu : 0);
  check(LiteRtSetOptionsHardwareAccelerators(options, accelerators), "choosing the accelerator");
  snprintf(text, sizeof text, "kernel_mode = \"%s\"\nnum_threads = %d\n", wanted->use_xnnpack ? "xnnpack" : "builtin",
           wanted->num_threads);
  add_text_options(options, "xnnpack", text);
  if (wanted->profile) add_text_options(options, "runtime_options_string", "enable_profiling = true\n");
  return options;
}

void session_open(const SessionOptions* options, Session* session) {
  LiteRtEnvironment environment;
  LiteRtModel model;
  LiteRtSignature signature;
  LiteRtSubgraph graph;
  memset(session, 0, sizeof *session);
  check(LiteRtCreateEnvironment(0, NULL, &environment), "starting LiteRT");
  if (LiteRtCreateModelFromFile(environment, options->graph, &model) != 0)
    fail("%s: not a TFLite model that this LiteRT can read", options->graph);
  LiteRtStatus status = LiteRtCreateCompiledModel(environment, model, make_options(options), &runtime.compiled);
  if (status != 0) fail("%s: LiteRT cannot prepare this model (status %d)", options->graph, status);
  check(LiteRtGetModelSignature(model, 0, &signature), "reading the signature");
  check(LiteRtGetSignatureSubgraph(signature, &graph), "reading the graph");
  check(LiteRtGetNumSubgraphInputs(graph, &session->input_count), "counting inputs");
  check(LiteRtGetNumSubgraphOutputs(graph, &session->output_count), "counting outputs");
  if (session->input_count > kMaxTensors || session->output_count > kMaxTensors)
    fail("%zu inputs and %zu outputs: this runner takes up to %d of each", session->input_count, session->output_count,
         kMaxTensors);
  for (size_t i = 0; i < session->input_count; i++) {
    LiteRtTensor tensor;
    check(LiteRtGetSubgraphInput(graph, i, &tensor), "reading an input");
    runtime.inputs[i] = tensor_allocate(tensor, &session->inputs[i]);
  }
  for (size_t i = 0; i < session->output_count; i++) {
    LiteRtTensor tensor;
    check(LiteRtGetSubgraphOutput(graph, i, &tensor), "reading an output");
    runtime.outputs[i] = tensor_allocate(tensor, &session->outputs[i]);
  }
  if (options->profile) check(LiteRtCompiledModelGetProfiler(runtime.compiled, &runtime.profiler), "profiling");
}

void session_run(Session* session) {
  check(LiteRtRunCompiledModel(runtime.compiled, 0, session->input_count, runtime.inputs, session->output_count,
                               runtime.outputs),
        "inference");
}

void session_profile_start(void) {
  if (runtime.profiler != NULL) LiteRtStartProfiler(runtime.profiler);
}

void session_profile_stop(void) {
  if (runtime.profiler != NULL) LiteRtStopProfiler(runtime.profiler);
}

void session_profile_print(void) {
  const char* summary = NULL;
  if (runtime.profiler == NULL) return;
  if (LiteRtGetProfileSummary(runtime.profiler, runtime.compiled, &summary) != 0 || summary == NULL)
    fail("this LiteRT gives no operator profile");
  printf("%s\n", summary);
  free((void*)summary);
}

void session_exit(void) { exit(0); }

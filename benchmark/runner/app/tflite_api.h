/* The part of TensorFlow Lite's C API (libtensorflowlite_jni.so 2.16) that the runner calls.
 *
 * The APK carries the library without its headers, so the declarations stand here.
 * Source: tensorflow/tensorflow v2.16.1, tensorflow/lite/core/c/ (c_api.h, c_api_types.h, c_api_experimental.h),
 * tensorflow/lite/delegates/xnnpack/xnnpack_delegate.h, tensorflow/lite/profiling/telemetry/c/profiler.h.
 */
#ifndef BENCHMARK_RUNNER_TFLITE_API_H_
#define BENCHMARK_RUNNER_TFLITE_API_H_

#include <stddef.h>
#include <stdint.h>

typedef int TfLiteStatus; /* 0 is success */
typedef struct TfLiteModel TfLiteModel;
typedef struct TfLiteInterpreter TfLiteInterpreter;
typedef struct TfLiteInterpreterOptions TfLiteInterpreterOptions;
typedef struct TfLiteTensor TfLiteTensor;
typedef struct TfLiteDelegate TfLiteDelegate;

typedef enum {
  kTfLiteFloat32 = 1,
  kTfLiteInt32 = 2,
  kTfLiteUInt8 = 3,
  kTfLiteInt64 = 4,
  kTfLiteInt16 = 7,
  kTfLiteInt8 = 9,
  kTfLiteFloat16 = 10,
} TfLiteType;

/* More room than the options take in any version; only the first of them is set here. */
typedef struct {
  int32_t num_threads;
  char rest[252];
} TfLiteXNNPackDelegateOptions;

/* What the interpreter tells of its operators while it runs. */
typedef struct TfLiteTelemetryProfilerStruct {
  void* data;
  void (*ReportTelemetryEvent)(struct TfLiteTelemetryProfilerStruct* profiler, const char* event, uint64_t status);
  void (*ReportTelemetryOpEvent)(struct TfLiteTelemetryProfilerStruct* profiler, const char* event, int64_t op,
                                 int64_t subgraph, uint64_t status);
  void (*ReportSettings)(struct TfLiteTelemetryProfilerStruct* profiler, const char* setting, const void* settings);
  uint32_t (*ReportBeginOpInvokeEvent)(struct TfLiteTelemetryProfilerStruct* profiler, const char* name, int64_t op,
                                       int64_t subgraph);
  void (*ReportEndOpInvokeEvent)(struct TfLiteTelemetryProfilerStruct* profiler, uint32_t event);
  /* For operators that measure themselves, as XNNPACK's do; in microseconds. */
  void (*ReportOpInvokeEvent)(struct TfLiteTelemetryProfilerStruct* profiler, const char* name, uint64_t elapsed,
                              int64_t op, int64_t subgraph);
} TfLiteTelemetryProfiler;

const char* TfLiteVersion(void);
TfLiteModel* TfLiteModelCreateFromFile(const char* path);
TfLiteInterpreterOptions* TfLiteInterpreterOptionsCreate(void);
void TfLiteInterpreterOptionsSetNumThreads(TfLiteInterpreterOptions* options, int32_t threads);
void TfLiteInterpreterOptionsAddDelegate(TfLiteInterpreterOptions* options, TfLiteDelegate* delegate);
void TfLiteInterpreterOptionsSetTelemetryProfiler(TfLiteInterpreterOptions* options, TfLiteTelemetryProfiler* profiler);
TfLiteXNNPackDelegateOptions TfLiteXNNPackDelegateOptionsDefault(void);
TfLiteDelegate* TfLiteXNNPackDelegateCreate(const TfLiteXNNPackDelegateOptions* options);
TfLiteInterpreter* TfLiteInterpreterCreate(const TfLiteModel* model, const TfLiteInterpreterOptions* options);
TfLiteStatus TfLiteInterpreterAllocateTensors(TfLiteInterpreter* interpreter);
TfLiteStatus TfLiteInterpreterInvoke(TfLiteInterpreter* interpreter);
int32_t TfLiteInterpreterGetInputTensorCount(const TfLiteInterpreter* interpreter);
int32_t TfLiteInterpreterGetOutputTensorCount(const TfLiteInterpreter* interpreter);
TfLiteTensor* TfLiteInterpreterGetInputTensor(const TfLiteInterpreter* interpreter, int32_t index);
const TfLiteTensor* TfLiteInterpreterGetOutputTensor(const TfLiteInterpreter* interpreter, int32_t index);
TfLiteType TfLiteTensorType(const TfLiteTensor* tensor);
int32_t TfLiteTensorNumDims(const TfLiteTensor* tensor);
int32_t TfLiteTensorDim(const TfLiteTensor* tensor, int32_t index);
size_t TfLiteTensorByteSize(const TfLiteTensor* tensor);
void* TfLiteTensorData(const TfLiteTensor* tensor);
const char* TfLiteTensorName(const TfLiteTensor* tensor);

#endif /* BENCHMARK_RUNNER_TFLITE_API_H_ */

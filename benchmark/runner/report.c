#include "report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "ERROR: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  va_end(arguments);
  exit(1);
}

void latencies_add(Latencies* latencies, int64_t ns) {
  if (latencies->count == latencies->room) {
    latencies->room = latencies->room ? latencies->room * 2 : 1024;
    latencies->ns = realloc(latencies->ns, latencies->room * sizeof *latencies->ns);
    if (latencies->ns == NULL) fail("out of memory after %zu runs", latencies->count);
  }
  latencies->ns[latencies->count++] = ns;
}

double latencies_mean_us(const Latencies* latencies) {
  double sum = 0;
  for (size_t i = 0; i < latencies->count; i++) sum += (double)latencies->ns[i];
  return latencies->count ? sum / (double)latencies->count / 1e3 : 0;
}

static int ascending(const void* left, const void* right) {
  int64_t a = *(const int64_t*)left, b = *(const int64_t*)right;
  return (a > b) - (a < b);
}

/* Nearest rank: the smallest latency that at least `share` of the runs do not exceed. */
static double quantile_us(const int64_t* sorted, size_t count, double share) {
  size_t rank = (size_t)ceil(share * (double)count);
  return (double)sorted[rank ? rank - 1 : 0] / 1e3;
}

void print_statistics(const char* stage, const Latencies* latencies) {
  size_t count = latencies->count;
  if (count == 0) return;
  int64_t* sorted = malloc(count * sizeof *sorted);
  if (sorted == NULL) fail("out of memory");
  memcpy(sorted, latencies->ns, count * sizeof *sorted);
  qsort(sorted, count, sizeof *sorted, ascending);
  double mean = latencies_mean_us(latencies), squares = 0;
  for (size_t i = 0; i < count; i++) squares += pow((double)sorted[i] / 1e3 - mean, 2);
  printf("%s: count=%zu first=%.3f curr=%.3f min=%.3f max=%.3f avg=%.3f std=%.3f", stage, count,
         (double)latencies->ns[0] / 1e3, (double)latencies->ns[count - 1] / 1e3, (double)sorted[0] / 1e3,
         (double)sorted[count - 1] / 1e3, mean, sqrt(squares / (double)count));
  printf(" p5=%.3f median=%.3f p90=%.3f p95=%.3f p99=%.3f\n", quantile_us(sorted, count, 0.05),
         quantile_us(sorted, count, 0.50), quantile_us(sorted, count, 0.90), quantile_us(sorted, count, 0.95),
         quantile_us(sorted, count, 0.99));
  free(sorted);
}

static void print_tensor(const char* kind, size_t index, const Tensor* tensor) {
  printf("%s %zu: name=%s type=%s shape=", kind, index, tensor->name, tensor->type);
  for (int i = 0; i < tensor->rank; i++) printf(i ? "x%d" : "%d", tensor->dimensions[i]);
  printf(" bytes=%zu\n", tensor->bytes);
}

void print_tensors(const Session* session) {
  for (size_t i = 0; i < session->input_count; i++) print_tensor("Input", i, &session->inputs[i]);
  for (size_t i = 0; i < session->output_count; i++) print_tensor("Output", i, &session->outputs[i]);
}

void write_latencies(const char* path, const Latencies* latencies) {
  FILE* file = fopen(path, "w");
  if (file == NULL) fail("%s: cannot be written", path);
  for (size_t i = 0; i < latencies->count; i++) fprintf(file, "%lld\n", (long long)latencies->ns[i]);
  if (fclose(file) != 0) fail("%s: cannot be written", path);
}

// Runs a model with the library of the APK, through its C interface: shipped_runtime LIBRARY MODEL RUNS OUTPUT
//
// Prints the nanoseconds of each inference; writes the outputs of the runner's own noise (benchmark/runner) to OUTPUT.

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/// More than the delegate's options take in any version; the first number is that of its threads.
typedef struct {
    int32_t threads;
    char rest[252];
} delegate_options;

static void *library;

static void *find(const char *name) {
    void *found = dlsym(library, name);
    if (!found) fprintf(stderr, "the library has no %s\n", name), _exit(2);
    return found;
}

#define CALL(result, name, ...) ((result(*)(__VA_ARGS__))find(#name))

int main(int count, char **arguments) {
    if (count != 5 || !(library = dlopen(arguments[1], RTLD_NOW | RTLD_GLOBAL))) return fprintf(stderr, "%s\n", dlerror()), 2;
    delegate_options options = CALL(delegate_options, TfLiteXNNPackDelegateOptionsDefault, void)();
    options.threads = 1;
    void *settings = CALL(void *, TfLiteInterpreterOptionsCreate, void)();
    CALL(void, TfLiteInterpreterOptionsSetNumThreads, void *, int32_t)(settings, 1);
    CALL(void, TfLiteInterpreterOptionsAddDelegate, void *, void *)
    (settings, CALL(void *, TfLiteXNNPackDelegateCreate, const delegate_options *)(&options));
    void *model = CALL(void *, TfLiteModelCreateFromFile, const char *)(arguments[2]);
    void *interpreter = CALL(void *, TfLiteInterpreterCreate, void *, void *)(model, settings);
    if (!interpreter || CALL(int, TfLiteInterpreterAllocateTensors, void *)(interpreter)) return 3;
    void *(*data)(const void *) = CALL(void *, TfLiteTensorData, const void *);
    size_t (*size)(const void *) = CALL(size_t, TfLiteTensorByteSize, const void *);
    int (*invoke)(void *) = CALL(int, TfLiteInterpreterInvoke, void *);
    void *input = CALL(void *, TfLiteInterpreterGetInputTensor, void *, int32_t)(interpreter, 0);
    uint32_t state = 1;
    for (size_t index = 0; index < size(input); index++) {
        state = state * 1664525u + 1013904223u;
        ((uint8_t *)data(input))[index] = (uint8_t)(state >> 24);
    }
    for (int run = 0; run < atoi(arguments[3]); run++) {
        struct timespec start, end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        if (invoke(interpreter)) return 4;
        clock_gettime(CLOCK_MONOTONIC, &end);
        printf("%lld\n", (end.tv_sec - start.tv_sec) * 1000000000ll + end.tv_nsec - start.tv_nsec);
    }
    FILE *target = fopen(arguments[4], "w");
    for (int32_t index = 0; target && index < 3; index++) {
        const void *output = CALL(const void *, TfLiteInterpreterGetOutputTensor, void *, int32_t)(interpreter, index);
        fwrite(data(output), 1, size(output), target);
    }
    if (!target || fclose(target)) return 5;
    fflush(stdout);
    _exit(0);  // the library's own end belongs to another C library
}

// The library's door for NativeLibrary.kt. There is no NDK here, so the two functions of JNI that it needs are called by
// their places in the table. Source: the Java Native Interface specification, chapter 4 (indices 230 and 231).

#include "sampler.h"

typedef void ***environment;
enum { GET_DIRECT_BUFFER_ADDRESS = 230, GET_DIRECT_BUFFER_CAPACITY = 231 };

static uint8_t *address(environment env, void *buffer) {
    return ((uint8_t * (*)(environment, void *))(*env)[GET_DIRECT_BUFFER_ADDRESS])(env, buffer);
}

static int64_t capacity(environment env, void *buffer) {
    return ((int64_t(*)(environment, void *))(*env)[GET_DIRECT_BUFFER_CAPACITY])(env, buffer);
}

#define ENTRY(name) __attribute__((visibility("default"))) name

int64_t ENTRY(Java_org_featherface_demo_NativeLibrary_workspaceBytes)(
    environment env, void *self, int32_t width, int32_t height, int32_t luma_row, int32_t chroma_row) {
    (void)env, (void)self;
    return sampler_workspace_bytes(width, height, luma_row, chroma_row);
}

int32_t ENTRY(Java_org_featherface_demo_NativeLibrary_prepare)(environment env, void *self, void *workspace) {
    (void)self;
    int32_t *at = (int32_t *)address(env, workspace);
    return at ? sampler_prepare(at, capacity(env, workspace)) : -1;
}

int32_t ENTRY(Java_org_featherface_demo_NativeLibrary_write)(
    environment env, void *self, void *workspace, void *luma, void *blue, void *red, void *tensor, int32_t form) {
    (void)self;
    sampler_planes planes = {address(env, luma), address(env, blue), address(env, red),
                             capacity(env, luma), capacity(env, blue), capacity(env, red)};
    int32_t *at = (int32_t *)address(env, workspace);
    uint8_t *target = address(env, tensor);
    if (!at || !target || !planes.luma || !planes.blue || !planes.red) return -1;
    int64_t needed = (int64_t)3 * at[CANVAS_WIDTH] * at[CANVAS_HEIGHT] * (form == FLOATS ? 4 : 1);
    return capacity(env, tensor) < needed ? -1 : sampler_write(at, &planes, target, form);
}

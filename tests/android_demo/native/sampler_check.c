// Holds the vectors against the plain loop, which the JVM's tests hold against Kotlin, and counts what a frame costs.
//
// Every buffer ends where an unreadable page begins: a read or write beyond it ends the program.
//
//   sampler_check alike LAYOUTS SEED
//   sampler_check cost WIDTH HEIGHT DEGREES CHROMA_STEP SIDE FLOATS FRAMES      (nanoseconds of each frame)

#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "sampler.h"

int64_t plain_workspace_bytes(int32_t, int32_t, int32_t, int32_t);
int32_t plain_prepare(int32_t *, int64_t);
int32_t plain_write(int32_t *, const sampler_planes *, void *, int32_t);

enum { PAGE = 65536 };

typedef struct {
    int32_t width, height, degrees, luma_stride, chroma_stride, chroma_step, canvas_width, canvas_height, form;
} layout;

static uint64_t state;

static uint32_t random_bits(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

static int32_t between(int32_t low, int32_t high) { return low + (int32_t)(random_bits() % (uint32_t)(high - low + 1)); }

typedef struct {
    void *start;
    size_t mapped;
    uint8_t *content;
} guarded;

static guarded guard(size_t bytes) {
    size_t pages = (bytes + PAGE - 1) / PAGE * PAGE;
    uint8_t *start = mmap(NULL, pages + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED || mprotect(start + pages, PAGE, PROT_NONE)) exit(3);
    return (guarded){start, pages + PAGE, start + pages - bytes};
}

static void drop(guarded memory) { munmap(memory.start, memory.mapped); }

static guarded noise(size_t bytes) {
    guarded memory = guard(bytes);
    for (size_t index = 0; index < bytes; index++) memory.content[index] = (uint8_t)(random_bits() >> 8);
    return memory;
}

static int32_t weight(float share) { return (int32_t)floorf(share * 2048 + 0.5f); }

/// The five arrays of one axis, as ResizeTaps.kt and SamplingPlan.kt make them. `last` >= 0: counted from that pixel back.
static void fill(int32_t *to, int32_t source, int32_t target, int32_t last, int32_t step, int32_t chroma_step) {
    for (int32_t pixel = 0; pixel < target; pixel++) {
        float position = (float)((pixel + 0.5) * ((double)source / target) - 0.5);
        int32_t before = (int32_t)floorf(position);
        float share = position - before;
        if (before < 0 || before >= source - 1) {
            before = before < 0 ? 0 : source - 1;
            share = 0;
        }
        int32_t after = before + 1 < source ? before + 1 : source - 1;
        int32_t first_weight = weight(1 - share), second_weight = weight(share);
        int32_t first = last < 0 ? before : last - before, second = last < 0 ? after : last - after;
        to[pixel] = first * step;
        to[target + pixel] = second * step;
        to[2 * target + pixel] = first_weight;
        to[3 * target + pixel] = second_weight;
        to[4 * target + pixel] = (second_weight > first_weight ? second : first) / 2 * chroma_step;
    }
}

static int32_t fitted(double side) {
    double whole = nearbyint(side);
    return whole < 1 ? 1 : (int32_t)whole;
}

static guarded workspace_for(const layout *of, int64_t *bytes) {
    int32_t sideways = of->degrees % 180 != 0;
    int32_t upright_width = sideways ? of->height : of->width, upright_height = sideways ? of->width : of->height;
    double by_width = (double)of->canvas_width / upright_width, by_height = (double)of->canvas_height / upright_height;
    double scale = by_height < by_width ? by_height : by_width;
    int32_t columns = fitted(upright_width * scale), rows = fitted(upright_height * scale);
    *bytes = sampler_workspace_bytes(columns, rows, of->width, (of->width + 1) / 2 * of->chroma_step);
    guarded memory = guard((size_t)*bytes);
    int32_t *at = (int32_t *)memory.content;
    int32_t header[] = {of->canvas_width, of->canvas_height, columns, rows, sideways, 0x7b7568};
    memcpy(at, header, sizeof header);
    int32_t turned_columns = of->degrees == 90 ? of->height - 1 : of->degrees == 180 ? of->width - 1 : -1;
    int32_t turned_rows = of->degrees == 180 ? of->height - 1 : of->degrees == 270 ? of->width - 1 : -1;
    fill(at + TAPS, upright_width, columns, turned_columns, sideways ? of->luma_stride : 1,
         sideways ? of->chroma_stride : of->chroma_step);
    fill(at + TAPS + 5 * columns, upright_height, rows, turned_rows, sideways ? 1 : of->luma_stride,
         sideways ? of->chroma_step : of->chroma_stride);
    return memory;
}

static layout any_layout(void) {
    static const int32_t sizes[][2] = {{640, 480}, {1280, 720}, {720, 480}, {1920, 1080}, {4000, 30}, {33, 4000}};
    layout of = {.degrees = 90 * between(0, 3), .chroma_step = between(1, 2), .form = between(0, 2)};
    if (between(0, 9) == 0) {
        int32_t pick = between(0, 5);
        of.width = sizes[pick][0], of.height = sizes[pick][1];
    } else {
        of.width = between(1, 200), of.height = between(1, 200);
    }
    of.canvas_width = between(1, 160), of.canvas_height = between(1, 160);
    if (between(0, 19) == 0) of.chroma_step = 3;
    if (between(0, 9) == 0) {
        // Exactly half, at any size and turn.
        of.canvas_width = of.canvas_height = between(1, 90);
        of.width = 2 * of.canvas_width, of.height = 2 * between(1, of.canvas_height);
    }
    of.luma_stride = of.width + (between(0, 1) ? between(0, 70) : 0);
    of.chroma_stride = (of.width + 1) / 2 * of.chroma_step + (between(0, 1) ? between(0, 70) : 0);
    return of;
}

typedef struct {
    guarded luma, blue, red;
    sampler_planes planes;
} frame;

/// As phones deliver them: the last row ends with its last pixel.
static frame frame_of(const layout *of) {
    int32_t chroma_width = (of->width + 1) / 2, chroma_height = (of->height + 1) / 2;
    int64_t luma = (int64_t)of->luma_stride * (of->height - 1) + of->width;
    int64_t chroma = (int64_t)of->chroma_stride * (chroma_height - 1) + (chroma_width - 1) * of->chroma_step + 1;
    frame made = {noise((size_t)luma), noise((size_t)chroma), noise((size_t)chroma), {0}};
    made.planes = (sampler_planes){made.luma.content, made.blue.content, made.red.content, luma, chroma, chroma};
    return made;
}

static void drop_frame(frame *of) { drop(of->luma), drop(of->blue), drop(of->red); }

static int differ(const layout *of, int *method) {
    int64_t bytes;
    guarded workspace = workspace_for(of, &bytes);
    frame shown = frame_of(of);
    size_t size = (size_t)of->canvas_width * of->canvas_height * 3 * (of->form == FLOATS ? 4 : 1);
    guarded found = guard(size), expected = guard(size);
    memset(found.content, 0xa5, size);
    int32_t *at = (int32_t *)workspace.content;
    int failed = sampler_prepare(at, bytes) || sampler_write(at, &shown.planes, found.content, of->form);
    *method = at[METHOD];
    failed = failed || plain_write(at, &shown.planes, expected.content, of->form) || memcmp(found.content, expected.content, size);
    shown.planes.red_size = at[CHROMA_NEEDED] - 1;
    failed = failed || !sampler_write(at, &shown.planes, found.content, of->form);
    failed = failed || sampler_prepare(at, 64) != -1;
    drop_frame(&shown), drop(workspace), drop(found), drop(expected);
    return failed;
}

static int alike(int count, uint64_t seed) {
    int methods[5] = {0}, method;
    for (int number = 0; number < count; number++) {
        state = seed + (uint64_t)number * 7919;
        random_bits();
        layout of = any_layout();
        if (differ(&of, &method)) {
            printf("layout %d differs: %dx%d turned by %d, strides %d %d, step %d, canvas %dx%d, form %d, method %d\n", number,
                   of.width, of.height, of.degrees, of.luma_stride, of.chroma_stride, of.chroma_step, of.canvas_width,
                   of.canvas_height, of.form, method);
            return 1;
        }
        methods[method]++;
    }
    printf("alike: %d layouts, by method %d %d %d %d %d\n", count, methods[0], methods[1], methods[2], methods[3], methods[4]);
    return 0;
}

static int cost(char **arguments) {
    layout of = {.width = atoi(arguments[0]), .height = atoi(arguments[1]), .degrees = atoi(arguments[2]),
                 .chroma_step = atoi(arguments[3]), .form = atoi(arguments[5])};
    of.canvas_width = of.canvas_height = atoi(arguments[4]);
    of.luma_stride = of.width, of.chroma_stride = (of.width + 1) / 2 * of.chroma_step;
    int64_t bytes;
    guarded workspace = workspace_for(&of, &bytes);
    frame shown = frame_of(&of);
    guarded tensor = guard((size_t)of.canvas_width * of.canvas_height * 12);
    if (sampler_prepare((int32_t *)workspace.content, bytes)) return 1;
    for (int number = 0; number < atoi(arguments[6]); number++) {
        struct timespec start, end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        sampler_write((int32_t *)workspace.content, &shown.planes, tensor.content, of.form);
        clock_gettime(CLOCK_MONOTONIC, &end);
        printf("%lld\n", (end.tv_sec - start.tv_sec) * 1000000000ll + end.tv_nsec - start.tv_nsec);
    }
    return 0;
}

int main(int count, char **arguments) {
    if (count == 4 && !strcmp(arguments[1], "alike")) return alike(atoi(arguments[2]), (uint64_t)atoll(arguments[3]));
    if (count == 9 && !strcmp(arguments[1], "cost")) return cost(arguments + 2);
    fprintf(stderr, "see the head of sampler_check.c\n");
    return 2;
}

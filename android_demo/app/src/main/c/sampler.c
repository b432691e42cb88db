#include "sampler.h"

#include <stddef.h>

#if defined(__ARM_NEON) && !defined(SAMPLER_PLAIN)
#define SAMPLER_NEON 1
#include <arm_neon.h>
#endif

// ITU-T T.871 (JFIF), section 7, in 16-bit fixed point; the same numbers as in Samplers.kt.
enum { RED_FROM_RED = 91881, GREEN_FROM_BLUE = 22554, GREEN_FROM_RED = 46802, BLUE_FROM_BLUE = 116130, HALF = 1 << 15 };

enum { LANES = 8 };

// How a layout is sampled, its METHOD: how many vectors of 16 bytes a block's samples lie in, and whether all weights are
// halves, as where 640 x 480 become 320 x 240.
enum { PLAIN, ONE_VECTOR, TWO_VECTORS, HALVES, FOUR_VECTORS };

#if defined(__aarch64__)
enum { MOST_VECTORS = 4 };  // TBL looks up in 64 bytes
#else
enum { MOST_VECTORS = 2 };  // VTBL in 32
#endif
enum { SLACK = 16 * MOST_VECTORS };

/// One axis of the picture.
typedef struct {
    int32_t count;
    const int32_t *first, *second, *first_weight, *second_weight, *chroma;
} taps;

/// Eight neighbouring samples of a stored row: where to load from, and which of the loaded bytes they are.
typedef struct {
    int32_t luma, chroma;
    uint8_t first[LANES], second[LANES], nearer[LANES];
    uint16_t first_weight[LANES], second_weight[LANES];
} block;

/// Without a C library the compiler's own calls of these would find nothing; with one (the tests), its own come first.
__attribute__((weak, visibility("hidden"), no_builtin)) void *memcpy(void *restrict to, const void *restrict from, size_t count) {
    uint8_t *target = to;
    const uint8_t *source = from;
    for (size_t index = 0; index < count; index++) target[index] = source[index];
    return to;
}

__attribute__((weak, visibility("hidden"), no_builtin)) void *memset(void *to, int value, size_t count) {
    uint8_t *target = to;
    for (size_t index = 0; index < count; index++) target[index] = (uint8_t)value;
    return to;
}

static taps taps_at(const int32_t *from, int32_t count) {
    return (taps){count, from, from + count, from + 2 * count, from + 3 * count, from + 4 * count};
}

static taps columns_of(const int32_t *workspace) { return taps_at(workspace + TAPS, workspace[CONTENT_WIDTH]); }

static taps rows_of(const int32_t *workspace) {
    return taps_at(workspace + TAPS + 5 * workspace[CONTENT_WIDTH], workspace[CONTENT_HEIGHT]);
}

static int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

static int32_t largest(const int32_t *values, int32_t count) {
    int32_t found = 0;
    for (int32_t index = 0; index < count; index++) found = larger(found, values[index]);
    return found;
}

/// The axis that runs along the planes' rows, in steps of bytes.
static taps cells_of(const int32_t *workspace) { return workspace[SIDEWAYS] ? rows_of(workspace) : columns_of(workspace); }

/// The axis that runs from row to row of the planes.
static taps lines_of(const int32_t *workspace) { return workspace[SIDEWAYS] ? columns_of(workspace) : rows_of(workspace); }

static int32_t blocks_for(int32_t cells) { return (cells + LANES - 1) / LANES; }

static int64_t padded(int64_t bytes) { return (bytes + 63) & ~(int64_t)63; }

static int64_t taps_bytes(int32_t width, int32_t height) {
    return padded(4 * (TAPS + 5 * ((int64_t)width + height)));
}

static int64_t blocks_bytes(int32_t width, int32_t height) {
    return padded((int64_t)sizeof(block) * blocks_for(larger(width, height)));
}

/// Samples of a line in a strip: pairs of blocks are turned together.
static int32_t strip_length(int32_t height) { return 2 * LANES * ((blocks_for(height) + 1) / 2); }

/// Eight lines of red, green and blue that wait to be turned.
static int64_t strip_bytes(int32_t height) { return (int64_t)3 * LANES * strip_length(height); }

int64_t sampler_workspace_bytes(int32_t width, int32_t height, int32_t luma_row, int32_t chroma_row) {
    int64_t rows = 2 * padded((int64_t)luma_row + SLACK) + 2 * padded((int64_t)chroma_row + SLACK);
    return taps_bytes(width, height) + blocks_bytes(width, height) + padded(strip_bytes(height)) + rows + 64;
}

/// Begin of the derived part, at a multiple of 64 from the workspace's begin.
static uint8_t *derived(int32_t *workspace) {
    return (uint8_t *)workspace + taps_bytes(workspace[CONTENT_WIDTH], workspace[CONTENT_HEIGHT]);
}

/// Smallest of up to `LANES` values, and in `reach` how far above it the largest lies.
static int32_t lowest(const int32_t *values, int32_t count, int32_t *reach) {
    int32_t low = values[0], high = values[0];
    for (int32_t index = 1; index < count; index++) {
        if (values[index] < low) low = values[index];
        high = larger(high, values[index]);
    }
    *reach = high - low;
    return low;
}

/// Fill one block; returns how many bytes its samples lie in.
static int32_t fill_block(block *target, const taps *cells, int32_t start) {
    int32_t luma[2 * LANES], chroma[LANES];
    for (int32_t lane = 0; lane < LANES; lane++) {
        // Beyond the end the last sample again: computed and thrown away.
        int32_t at = start + lane < cells->count ? start + lane : cells->count - 1;
        luma[lane] = cells->first[at];
        luma[LANES + lane] = cells->second[at];
        chroma[lane] = cells->chroma[at];
        target->first_weight[lane] = (uint16_t)cells->first_weight[at];
        target->second_weight[lane] = (uint16_t)cells->second_weight[at];
    }
    int32_t luma_reach, chroma_reach;
    target->luma = lowest(luma, 2 * LANES, &luma_reach);
    target->chroma = lowest(chroma, LANES, &chroma_reach);
    for (int32_t lane = 0; lane < LANES; lane++) {
        target->first[lane] = (uint8_t)(luma[lane] - target->luma);
        target->second[lane] = (uint8_t)(luma[LANES + lane] - target->luma);
        target->nearer[lane] = (uint8_t)(chroma[lane] - target->chroma);
    }
    return larger(luma_reach, chroma_reach) + 1;
}

static int all_halves(const taps *of) {
    for (int32_t index = 0; index < of->count; index++) {
        if (of->first_weight[index] != 1024 || of->second_weight[index] != 1024) return 0;
    }
    return 1;
}

int32_t sampler_prepare(int32_t *workspace, int64_t bytes) {
    taps cells = cells_of(workspace), lines = lines_of(workspace);
    workspace[LUMA_ROW] = larger(largest(cells.first, cells.count), largest(cells.second, cells.count)) + 1;
    workspace[CHROMA_ROW] = largest(cells.chroma, cells.count) + 1;
    int64_t needed = sampler_workspace_bytes(
        workspace[CONTENT_WIDTH], workspace[CONTENT_HEIGHT], workspace[LUMA_ROW], workspace[CHROMA_ROW]);
    if (bytes < needed) return -1;
    workspace[LUMA_NEEDED] =
        larger(largest(lines.first, lines.count), largest(lines.second, lines.count)) + workspace[LUMA_ROW];
    workspace[CHROMA_NEEDED] = largest(lines.chroma, lines.count) + workspace[CHROMA_ROW];
    block *blocks = (block *)derived(workspace);
    int32_t reach = 1, luma = 0, chroma = 0;
    for (int32_t index = 0; index < blocks_for(cells.count); index++) {
        reach = larger(reach, fill_block(&blocks[index], &cells, LANES * index));
        luma = larger(luma, blocks[index].luma);
        chroma = larger(chroma, blocks[index].chroma);
    }
    int32_t vectors = reach <= 16 ? 1 : reach <= 32 ? 2 : reach <= 64 ? 4 : 8;
    int32_t method = vectors == 1 ? ONE_VECTOR : vectors == 2 ? TWO_VECTORS : FOUR_VECTORS;
    if (vectors == 1 && all_halves(&cells) && all_halves(&lines)) method = HALVES;
    workspace[METHOD] = vectors <= MOST_VECTORS ? method : PLAIN;
    workspace[LUMA_REACH] = luma + 16 * vectors;
    workspace[CHROMA_REACH] = chroma + 16 * vectors;
    return 0;
}

/// Mix four neighbours with 11-bit weights, rounding as OpenCV's 8-bit bilinear resize does.
static int32_t mix(int32_t top, int32_t bottom, int32_t top_weight, int32_t bottom_weight) {
    return ((top_weight * (top >> 4) >> 16) + (bottom_weight * (bottom >> 4) >> 16) + 2) >> 2;
}

static uint8_t byte_of(int32_t value) { return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value); }

/// One pixel after another: the oracle's own loop, for layouts that the vectors do not reach and machines without them.
static void write_plain(const int32_t *workspace, const sampler_planes *planes, uint8_t *canvas) {
    taps columns = columns_of(workspace), rows = rows_of(workspace);
    for (int32_t y = 0; y < rows.count; y++) {
        const uint8_t *above = planes->luma + rows.first[y], *below = planes->luma + rows.second[y];
        uint8_t *to = canvas + (int64_t)3 * y * workspace[CANVAS_WIDTH];
        for (int32_t x = 0; x < columns.count; x++, to += 3) {
            int32_t first = columns.first[x], second = columns.second[x];
            int32_t left = columns.first_weight[x], right = columns.second_weight[x];
            int32_t light = mix(above[first] * left + above[second] * right, below[first] * left + below[second] * right,
                                rows.first_weight[y], rows.second_weight[y]);
            int32_t place = rows.chroma[y] + columns.chroma[x];
            int32_t blue = planes->blue[place] - 128, red = planes->red[place] - 128;
            to[0] = byte_of(light + ((RED_FROM_RED * red + HALF) >> 16));
            to[1] = byte_of(light - ((GREEN_FROM_BLUE * blue + GREEN_FROM_RED * red + HALF) >> 16));
            to[2] = byte_of(light + ((BLUE_FROM_BLUE * blue + HALF) >> 16));
        }
    }
}

#if SAMPLER_NEON
#define INLINE static inline __attribute__((always_inline))

typedef struct {
    uint8x8_t red, green, blue;
} colours;

/// What one line of samples reads: two rows of luma, one of each chroma, and the rows' weights.
typedef struct {
    const uint8_t *first, *second, *blue, *red;
    uint16_t first_weight, second_weight;
} line;

/// The bytes at the places `index` of the vectors at `from`.
INLINE uint8x8_t pick(const uint8_t *from, uint8x8_t index, const int32_t method) {
#if defined(__aarch64__)
    if (method == ONE_VECTOR || method == HALVES) return vqtbl1_u8(vld1q_u8(from), index);
    if (method == TWO_VECTORS) return vqtbl2_u8((uint8x16x2_t){{vld1q_u8(from), vld1q_u8(from + 16)}}, index);
    return vqtbl4_u8((uint8x16x4_t){{vld1q_u8(from), vld1q_u8(from + 16), vld1q_u8(from + 32), vld1q_u8(from + 48)}}, index);
#else
    if (method != TWO_VECTORS) return vtbl2_u8((uint8x8x2_t){{vld1_u8(from), vld1_u8(from + 8)}}, index);
    return vtbl4_u8((uint8x8x4_t){{vld1_u8(from), vld1_u8(from + 8), vld1_u8(from + 16), vld1_u8(from + 24)}}, index);
#endif
}

/// (a * p + b * q) >> 4 with 11-bit weights: at most 32655, so that signed products take it.
INLINE int16x8_t blend(uint8x8_t a, uint8x8_t b, uint16x8_t p, uint16x8_t q) {
    uint16x8_t wide_a = vmovl_u8(a), wide_b = vmovl_u8(b);
    uint32x4_t low = vmull_u16(vget_low_u16(wide_a), vget_low_u16(p));
    uint32x4_t high = vmull_u16(vget_high_u16(wide_a), vget_high_u16(p));
    low = vmlal_u16(low, vget_low_u16(wide_b), vget_low_u16(q));
    high = vmlal_u16(high, vget_high_u16(wide_b), vget_high_u16(q));
    return vreinterpretq_s16_u16(vcombine_u16(vshrn_n_u32(low, 4), vshrn_n_u32(high, 4)));
}

/// `mix` of eight pixels, not yet narrowed. The doubling product has its point at bit 15: one more shift makes 16.
INLINE int16x8_t mix_lanes(int16x8_t top, int16x8_t bottom, uint16x8_t top_weight, uint16x8_t bottom_weight) {
    int16x8_t sum = vshrq_n_s16(vqdmulhq_s16(top, vreinterpretq_s16_u16(top_weight)), 1);
    sum = vsraq_n_s16(sum, vqdmulhq_s16(bottom, vreinterpretq_s16_u16(bottom_weight)), 1);
    return vrshrq_n_s16(sum, 2);
}

/// (factor * value + 2^15) >> 16 for factors of 16 bits.
INLINE int16x8_t scaled(int16x8_t value, int16_t factor) {
    int32x4_t low = vmull_n_s16(vget_low_s16(value), factor), high = vmull_n_s16(vget_high_s16(value), factor);
    return vcombine_s16(vrshrn_n_s32(low, 16), vrshrn_n_s32(high, 16));
}

INLINE colours convert(int16x8_t light, uint8x8_t blue_bytes, uint8x8_t red_bytes) {
    int16x8_t blue = vreinterpretq_s16_u16(vsubl_u8(blue_bytes, vdup_n_u8(128)));
    int16x8_t red = vreinterpretq_s16_u16(vsubl_u8(red_bytes, vdup_n_u8(128)));
    // Whole multiples of 2^16 leave the product before the rounding: what is left of the factor has 16 bits.
    int16x8_t for_red = vaddq_s16(red, scaled(red, RED_FROM_RED - (1 << 16)));
    int16x8_t for_blue = vaddq_s16(vaddq_s16(blue, blue), scaled(blue, BLUE_FROM_BLUE - (2 << 16)));
    // Both factors are even: halved, and the point at bit 15.
    int32x4_t low = vmull_n_s16(vget_low_s16(blue), GREEN_FROM_BLUE / 2);
    int32x4_t high = vmull_n_s16(vget_high_s16(blue), GREEN_FROM_BLUE / 2);
    low = vmlal_n_s16(low, vget_low_s16(red), GREEN_FROM_RED / 2);
    high = vmlal_n_s16(high, vget_high_s16(red), GREEN_FROM_RED / 2);
    int16x8_t from_green = vcombine_s16(vrshrn_n_s32(low, 15), vrshrn_n_s32(high, 15));
    return (colours){vqmovun_s16(vaddq_s16(light, for_red)), vqmovun_s16(vsubq_s16(light, from_green)),
                     vqmovun_s16(vaddq_s16(light, for_blue))};
}

/// Eight pixels of a line.
INLINE colours sample(const line *of, const block *at, const int32_t sideways, const int32_t method) {
    uint8x8_t first = vld1_u8(at->first), second = vld1_u8(at->second), nearer = vld1_u8(at->nearer);
    const uint8_t *one = of->first + at->luma, *other = of->second + at->luma;
    uint8x8_t one_first = pick(one, first, method), one_second = pick(one, second, method);
    uint8x8_t other_first = pick(other, first, method), other_second = pick(other, second, method);
    int16x8_t light;
    if (method == HALVES) {
        uint16x8_t sum = vaddq_u16(vaddl_u8(one_first, one_second), vaddl_u8(other_first, other_second));
        light = vreinterpretq_s16_u16(vrshrq_n_u16(sum, 2));
    } else {
        uint16x8_t cell_first = vld1q_u16(at->first_weight), cell_second = vld1q_u16(at->second_weight);
        uint16x8_t line_first = vdupq_n_u16(of->first_weight), line_second = vdupq_n_u16(of->second_weight);
        // The picture's columns are blended before its rows, and the rounding between must stay there.
        if (sideways)
            light = mix_lanes(blend(one_first, other_first, line_first, line_second),
                              blend(one_second, other_second, line_first, line_second), cell_first, cell_second);
        else
            light = mix_lanes(blend(one_first, one_second, cell_first, cell_second),
                              blend(other_first, other_second, cell_first, cell_second), line_first, line_second);
    }
    return convert(light, pick(of->blue + at->chroma, nearer, method), pick(of->red + at->chroma, nearer, method));
}

INLINE void store(uint8_t *to, colours of) {
    uint8x8x3_t pixels = {{of.red, of.green, of.blue}};
    vst3_u8(to, pixels);
}

static void store_some(uint8_t *to, colours of, int32_t count) {
    uint8_t all[3 * LANES];
    store(all, of);
    for (int32_t index = 0; index < 3 * count; index++) to[index] = all[index];
}

/// Twice eight rows of eight bytes, side by side, become eight columns each.
INLINE void turn(uint8x16_t rows[LANES]) {
    for (int32_t pair = 0; pair < LANES; pair += 2) {
        uint8x16x2_t two = vtrnq_u8(rows[pair], rows[pair + 1]);
        rows[pair] = two.val[0];
        rows[pair + 1] = two.val[1];
    }
    for (int32_t half = 0; half < LANES; half += 4) {
        for (int32_t pair = half; pair < half + 2; pair++) {
            uint16x8x2_t two = vtrnq_u16(vreinterpretq_u16_u8(rows[pair]), vreinterpretq_u16_u8(rows[pair + 2]));
            rows[pair] = vreinterpretq_u8_u16(two.val[0]);
            rows[pair + 2] = vreinterpretq_u8_u16(two.val[1]);
        }
    }
    for (int32_t pair = 0; pair < LANES / 2; pair++) {
        uint32x4x2_t two = vtrnq_u32(vreinterpretq_u32_u8(rows[pair]), vreinterpretq_u32_u8(rows[pair + 4]));
        rows[pair] = vreinterpretq_u8_u32(two.val[0]);
        rows[pair + 4] = vreinterpretq_u8_u32(two.val[1]);
    }
}

/// The row at `offset`, copied to `spare` if the last vector would read beyond the plane's end.
static const uint8_t *whole(const uint8_t *plane, int64_t size, int64_t offset, const int32_t sizes[2], uint8_t *spare) {
    if (offset + sizes[1] <= size) return plane + offset;
    for (int32_t index = 0; index < sizes[0]; index++) spare[index] = plane[offset + index];
    return spare;
}

static line line_at(int32_t *workspace, const sampler_planes *planes, const taps *lines, int32_t number) {
    uint8_t *spare = derived(workspace) + blocks_bytes(workspace[CONTENT_WIDTH], workspace[CONTENT_HEIGHT]) +
                     padded(strip_bytes(workspace[CONTENT_HEIGHT]));
    int64_t luma_spare = padded(workspace[LUMA_ROW] + SLACK), chroma_spare = padded(workspace[CHROMA_ROW] + SLACK);
    int32_t luma[2] = {workspace[LUMA_ROW], workspace[LUMA_REACH]};
    int32_t chroma[2] = {workspace[CHROMA_ROW], workspace[CHROMA_REACH]};
    uint8_t *blue_spare = spare + 2 * luma_spare;
    return (line){
        whole(planes->luma, planes->luma_size, lines->first[number], luma, spare),
        whole(planes->luma, planes->luma_size, lines->second[number], luma, spare + luma_spare),
        whole(planes->blue, planes->blue_size, lines->chroma[number], chroma, blue_spare),
        whole(planes->red, planes->red_size, lines->chroma[number], chroma, blue_spare + chroma_spare),
        (uint16_t)lines->first_weight[number],
        (uint16_t)lines->second_weight[number],
    };
}

/// Upright or upside down: a stored row is a row of the picture.
INLINE void write_lines(int32_t *workspace, const sampler_planes *planes, uint8_t *canvas, const int32_t method) {
    taps lines = rows_of(workspace);
    int32_t width = workspace[CONTENT_WIDTH], rest = width % LANES;
    for (int32_t y = 0; y < lines.count; y++) {
        const block *at = (const block *)derived(workspace), *end = at + width / LANES;
        line from = line_at(workspace, planes, &lines, y);
        uint8_t *to = canvas + (int64_t)3 * y * workspace[CANVAS_WIDTH];
        for (; at < end; at++, to += 3 * LANES) store(to, sample(&from, at, 0, method));
        if (rest) store_some(to, sample(&from, at, 0, method), rest);
    }
}

/// Eight lines from `x` on, sampled along the stored rows, into the strip; fewer at the picture's edge.
INLINE void fill_strip(int32_t *workspace, const sampler_planes *planes, int32_t x, uint8_t *strip, const int32_t method) {
    taps lines = columns_of(workspace);
    int32_t length = strip_length(workspace[CONTENT_HEIGHT]), step = LANES * length;
    const block *end = (const block *)derived(workspace) + blocks_for(workspace[CONTENT_HEIGHT]);
    for (int32_t number = 0; number < LANES && x + number < lines.count; number++) {
        line from = line_at(workspace, planes, &lines, x + number);
        uint8_t *to = strip + number * length;
        for (const block *at = (const block *)derived(workspace); at < end; at++, to += LANES) {
            colours found = sample(&from, at, 1, method);
            vst1_u8(to, found.red);
            vst1_u8(to + step, found.green);
            vst1_u8(to + 2 * step, found.blue);
        }
    }
}

/// Eight columns of the picture, `count` of which lie inside it, out of the strip.
static void empty_strip(const int32_t *workspace, const uint8_t *strip, uint8_t *canvas, int32_t count) {
    int32_t height = workspace[CONTENT_HEIGHT], length = strip_length(height);
    int64_t stride = (int64_t)3 * workspace[CANVAS_WIDTH];
    for (int32_t y = 0; y < height; y += 2 * LANES) {
        // Lines beyond the picture's last are of an earlier strip or unset: turned along and not stored.
        uint8x16_t red[LANES], green[LANES], blue[LANES];
        for (int32_t number = 0; number < LANES; number++) {
            red[number] = vld1q_u8(strip + number * length + y);
            green[number] = vld1q_u8(strip + (LANES + number) * length + y);
            blue[number] = vld1q_u8(strip + (2 * LANES + number) * length + y);
        }
        turn(red), turn(green), turn(blue);
        uint8_t *to = canvas + y * stride;
        if (count == LANES && y + 2 * LANES <= height) {
            for (int32_t row = 0; row < LANES; row++, to += stride) {
                store(to, (colours){vget_low_u8(red[row]), vget_low_u8(green[row]), vget_low_u8(blue[row])});
                store(to + LANES * stride, (colours){vget_high_u8(red[row]), vget_high_u8(green[row]), vget_high_u8(blue[row])});
            }
            continue;
        }
        for (int32_t row = 0; row < LANES; row++, to += stride) {
            colours low = {vget_low_u8(red[row]), vget_low_u8(green[row]), vget_low_u8(blue[row])};
            colours high = {vget_high_u8(red[row]), vget_high_u8(green[row]), vget_high_u8(blue[row])};
            if (y + row < height) store_some(to, low, count);
            if (y + LANES + row < height) store_some(to + LANES * stride, high, count);
        }
    }
}

/// On its side: eight stored rows become eight columns of the picture, so that memory is read along its rows.
INLINE void write_strips(int32_t *workspace, const sampler_planes *planes, uint8_t *canvas, const int32_t method) {
    int32_t width = workspace[CONTENT_WIDTH];
    uint8_t *strip = derived(workspace) + blocks_bytes(width, workspace[CONTENT_HEIGHT]);
    for (int32_t x = 0; x < width; x += LANES) {
        fill_strip(workspace, planes, x, strip, method);
        empty_strip(workspace, strip, canvas + 3 * x, width - x < LANES ? width - x : LANES);
    }
}

static void write_content(int32_t *workspace, const sampler_planes *planes, uint8_t *canvas) {
    switch (workspace[METHOD] * 2 + workspace[SIDEWAYS]) {
        case 2 * ONE_VECTOR: write_lines(workspace, planes, canvas, ONE_VECTOR); break;
        case 2 * ONE_VECTOR + 1: write_strips(workspace, planes, canvas, ONE_VECTOR); break;
        case 2 * TWO_VECTORS: write_lines(workspace, planes, canvas, TWO_VECTORS); break;
        case 2 * TWO_VECTORS + 1: write_strips(workspace, planes, canvas, TWO_VECTORS); break;
        case 2 * HALVES: write_lines(workspace, planes, canvas, HALVES); break;
        case 2 * HALVES + 1: write_strips(workspace, planes, canvas, HALVES); break;
#if defined(__aarch64__)
        case 2 * FOUR_VECTORS: write_lines(workspace, planes, canvas, FOUR_VECTORS); break;
        case 2 * FOUR_VECTORS + 1: write_strips(workspace, planes, canvas, FOUR_VECTORS); break;
#endif
        default: write_plain(workspace, planes, canvas);
    }
}

/// Bytes to floats, front to back, where the bytes lie in the last quarter of the floats' own memory: what is written
/// never passes what is still to be read.
static void widen(void *tensor, int64_t count) {
    float *to = tensor;
    const uint8_t *from = (const uint8_t *)tensor + 3 * count;
    int64_t index = 0;
    for (; index + 16 <= count; index += 16) {
        uint8x16_t bytes = vld1q_u8(from + index);
        uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_u8(vget_high_u8(bytes));
        vst1q_f32(to + index, vcvtq_f32_u32(vmovl_u16(vget_low_u16(low))));
        vst1q_f32(to + index + 4, vcvtq_f32_u32(vmovl_u16(vget_high_u16(low))));
        vst1q_f32(to + index + 8, vcvtq_f32_u32(vmovl_u16(vget_low_u16(high))));
        vst1q_f32(to + index + 12, vcvtq_f32_u32(vmovl_u16(vget_high_u16(high))));
    }
    for (; index < count; index++) to[index] = from[index];
}

/// Flip the top bits of bytes.
static void make_signed(uint8_t *bytes, int64_t count) {
    int64_t index = 0;
    for (; index + 16 <= count; index += 16) vst1q_u8(bytes + index, veorq_u8(vld1q_u8(bytes + index), vdupq_n_u8(0x80)));
    for (; index < count; index++) bytes[index] ^= 0x80;
}

static int32_t fill_some(uint8_t *to, int32_t count, uint8_t red, uint8_t green, uint8_t blue) {
    uint8x16x3_t pixels = {{vdupq_n_u8(red), vdupq_n_u8(green), vdupq_n_u8(blue)}};
    int32_t done = 0;
    for (; done + 16 <= count; done += 16) vst3q_u8(to + 3 * done, pixels);
    return done;
}
#else
static void write_content(int32_t *workspace, const sampler_planes *planes, uint8_t *canvas) {
    write_plain(workspace, planes, canvas);
}

static void widen(void *tensor, int64_t count) {
    float *to = tensor;
    const uint8_t *from = (const uint8_t *)tensor + 3 * count;
    for (int64_t index = 0; index < count; index++) to[index] = from[index];
}

static void make_signed(uint8_t *bytes, int64_t count) {
    for (int64_t index = 0; index < count; index++) bytes[index] ^= 0x80;
}

static int32_t fill_some(uint8_t *to, int32_t count, uint8_t red, uint8_t green, uint8_t blue) {
    (void)to, (void)count, (void)red, (void)green, (void)blue;
    return 0;
}
#endif

/// The border's colour, for `count` pixels.
static void fill_border(uint8_t *to, int32_t count, int32_t colour) {
    uint8_t red = (uint8_t)(colour >> 16), green = (uint8_t)(colour >> 8), blue = (uint8_t)colour;
    for (int32_t x = fill_some(to, count, red, green, blue); x < count; x++) {
        to[3 * x] = red;
        to[3 * x + 1] = green;
        to[3 * x + 2] = blue;
    }
}

int32_t sampler_write(int32_t *workspace, const sampler_planes *planes, void *tensor, int32_t form) {
    if (planes->luma_size < workspace[LUMA_NEEDED]) return -1;
    if (planes->blue_size < workspace[CHROMA_NEEDED] || planes->red_size < workspace[CHROMA_NEEDED]) return -1;
    int32_t width = workspace[CANVAS_WIDTH], height = workspace[CANVAS_HEIGHT];
    int32_t content_width = workspace[CONTENT_WIDTH], content_height = workspace[CONTENT_HEIGHT];
    int64_t count = (int64_t)3 * width * height;
    uint8_t *canvas = form == FLOATS ? (uint8_t *)tensor + 3 * count : tensor;
    write_content(workspace, planes, canvas);
    for (int32_t y = 0; y < content_height && content_width < width; y++)
        fill_border(canvas + 3 * ((int64_t)y * width + content_width), width - content_width, workspace[PADDING]);
    fill_border(canvas + (int64_t)3 * content_height * width, width * (height - content_height), workspace[PADDING]);
    if (form == FLOATS) widen(tensor, count);
    if (form == SIGNED_BYTES) make_signed(canvas, count);
    return 0;
}

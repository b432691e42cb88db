// Camera planes -> the network's input tensor: turned upright, scaled, letterboxed, RGB, in one pass.
//
// Does what SamplingPlan.kt and Samplers.kt do, byte for byte: they are the oracle of the tests and what runs where this
// library does not load. No C library, no memory of its own: everything lives in a workspace that the caller owns.

#ifndef FEATHERFACE_SAMPLER_H
#define FEATHERFACE_SAMPLER_H

#include <stdint.h>

/// Where things lie in the workspace, in units of int32. The caller writes the first six and, from TAPS on, the columns'
/// and then the rows' five arrays: offsets of both taps, their weights, offsets of the chroma samples.
enum {
    CANVAS_WIDTH,
    CANVAS_HEIGHT,
    CONTENT_WIDTH,
    CONTENT_HEIGHT,
    SIDEWAYS,  // 1: the image's columns lie along the planes' rows
    PADDING,   // the border's colour, 0xRRGGBB
    METHOD,    // the rest is for sampler_prepare
    LUMA_NEEDED,
    CHROMA_NEEDED,
    LUMA_ROW,
    CHROMA_ROW,
    LUMA_REACH,
    CHROMA_REACH,
    TAPS = 16,
};

/// Bytes of a workspace for a picture of that many columns and rows whose planes' rows have that many bytes at most.
int64_t sampler_workspace_bytes(int32_t content_width, int32_t content_height, int32_t luma_row, int32_t chroma_row);

/// Derive what every frame of one layout shares. Returns 0, or -1 if the workspace is too small.
int32_t sampler_prepare(int32_t *workspace, int64_t bytes);

typedef struct {
    const uint8_t *luma, *blue, *red;
    int64_t luma_size, blue_size, red_size;
} sampler_planes;

/// What the numbers of a tensor are, its FORM: ElementType.kt has the same order. A signed byte is the pixel less 128.
enum { UNSIGNED_BYTES, SIGNED_BYTES, FLOATS };

/// Write one frame into `tensor`, [height, width, 3] as its FORM says.
///
/// Returns 0, or -1 if a plane is smaller than the layout says: then nothing was written.
int32_t sampler_write(int32_t *workspace, const sampler_planes *planes, void *tensor, int32_t form);

#endif

// The sampler without vectors, under other names: what the vectors are held against.
#define SAMPLER_PLAIN 1
#define sampler_workspace_bytes plain_workspace_bytes
#define sampler_prepare plain_prepare
#define sampler_write plain_write
#include "sampler.c"

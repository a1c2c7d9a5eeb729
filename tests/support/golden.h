/* The reference's answers: finds the folder of shared data, reads named tensors of an expect.safetensors with a small
 * reader of its own, so that a fault of the format room cannot hide itself. */
#ifndef R1_GOLDEN_H
#define R1_GOLDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "golden/tiny-r1/config.json" -> path in the shared data folder (R1_SHARED, else ../shared beside the source tree).
 * false when that is not there: the test then returns 77. */
bool golden_path(char *out, size_t size, const char *relative);

typedef struct golden golden;

/* NULL (after printing why) for a file that cannot be read. */
golden *golden_open(const char *path);
void golden_close(golden *g); /* takes NULL */

/* A tensor by name; NULL when absent or of another type. dim[4] gets the shape filled up with ones, borrowed. */
const float *golden_f32(const golden *g, const char *name, int64_t dim[4]);
const int32_t *golden_i32(const golden *g, const char *name, int64_t dim[4]);

/* Largest |a - b| over n elements, and the standard deviation of b: a test asks for a small quotient. NaN counts as
 * infinitely far. */
double golden_distance(const float *a, const float *b, int64_t n);
double golden_deviation(const float *b, int64_t n);

#endif

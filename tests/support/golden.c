#include "support/golden.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct golden {
    unsigned char *bytes; /* the file; data begins at 8 + header, aligned as safetensors pads it to 8 */
    size_t size, data;
    json_t *header;
};

bool golden_path(char *out, size_t size, const char *relative)
{
    const char *const root = getenv("R1_SHARED");
    struct stat st;
    snprintf(out, size, "%s/%s", root ? root : R1_SOURCE_DIR "/../shared", relative);
    return stat(out, &st) == 0;
}

golden *golden_open(const char *path)
{
    FILE *const f = fopen(path, "rb");
    golden *const g = calloc(1, sizeof *g);
    uint64_t header = 0;
    if (!f || !g || fseek(f, 0, SEEK_END) != 0) goto fail;
    g->size = (size_t)ftell(f);
    rewind(f);
    g->bytes = malloc(g->size + 1);
    if (!g->bytes || fread(g->bytes, 1, g->size, f) != g->size || g->size < 8) goto fail;
    memcpy(&header, g->bytes, 8);
    if (header > g->size - 8) goto fail;
    g->data = 8 + (size_t)header;
    g->header = json_loadb((const char *)g->bytes + 8, (size_t)header, 0, NULL);
    if (!g->header) goto fail;
    fclose(f);
    return g;
fail:
    printf("%s: cannot be read as safetensors\n", path);
    if (f) fclose(f);
    golden_close(g);
    return NULL;
}

void golden_close(golden *g)
{
    if (!g) return;
    json_decref(g->header);
    free(g->bytes);
    free(g);
}

static const void *find(const golden *g, const char *name, const char *type, int64_t dim[4])
{
    const json_t *const entry = json_object_get(g->header, name), *const shape = json_object_get(entry, "shape");
    const char *const dtype = json_string_value(json_object_get(entry, "dtype"));
    const json_t *const range = json_object_get(entry, "data_offsets");
    const int64_t begin = json_integer_value(json_array_get(range, 0)),
                  end = json_integer_value(json_array_get(range, 1));
    int64_t n = 1;
    if (!dtype || strcmp(dtype, type) != 0 || json_array_size(shape) > 4) return NULL;
    for (size_t i = 0; i < 4; i++) {
        dim[i] = i < json_array_size(shape) ? json_integer_value(json_array_get(shape, i)) : 1;
        n *= dim[i];
    }
    if (begin < 0 || end - begin != 4 * n || g->data + (size_t)end > g->size) return NULL;
    return g->bytes + g->data + begin;
}

const float *golden_f32(const golden *g, const char *name, int64_t dim[4]) { return find(g, name, "F32", dim); }
const int32_t *golden_i32(const golden *g, const char *name, int64_t dim[4]) { return find(g, name, "I32", dim); }

double golden_distance(const float *a, const float *b, int64_t n)
{
    double worst = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= worst)) worst = isnan(d) ? (double)INFINITY : d;
    }
    return worst;
}

double golden_deviation(const float *b, int64_t n)
{
    double sum = 0.0, squares = 0.0;
    for (int64_t i = 0; i < n; i++) sum += (double)b[i];
    const double mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) squares += ((double)b[i] - mean) * ((double)b[i] - mean);
    return sqrt(squares / (double)n);
}

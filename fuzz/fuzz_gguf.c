/* GGUF headers: every accepted value and tensor lies within the file; such a file then goes through the store and the
 * reader of its configuration. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(const r1i_gguf_value *v, const uint8_t *data, size_t size)
{
    const char *bytes;
    uint64_t n, index = 0;
    int64_t number;
    if (v->offset > size) abort();
    if (v->type == R1I_GGUF_STRING && (v->bytes < data || v->n > (uint64_t)(data + size - v->bytes))) abort();
    if (v->type != R1I_GGUF_ARRAY) return;
    const uint8_t *at = v->bytes;
    while (r1i_gguf_next_string(v, &at, &index, &bytes, &n))
        if (at > data + size) abort();
    if (v->elem == R1I_GGUF_STRING && index != v->n) abort();
    for (uint64_t i = 0; i < v->n && i < 64; i++) r1i_gguf_array_i64(v, i, &number);
}

/* The same bytes as a file, without a disk. */
static void open_as_store(const uint8_t *data, size_t size)
{
    char path[64];
    r1i_store *store;
    r1i_config c;
    r1i_name_list ignored = {0};
    r1_error err = {0};
    const int fd = memfd_create("fuzz", 0);
    if (fd < 0) return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, data, size) == (ssize_t)size && r1i_store_open(path, NULL, &store, &err) == R1_OK) {
        if (r1i_config_read(store, &c, &ignored, &err) == R1_OK && r1i_config_check(&c, NULL) != R1_OK) abort();
        r1i_name_list_free(&ignored);
        r1i_store_close(store);
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    r1i_gguf *g;
    r1_error err = {0};
    if (r1i_gguf_parse(data, size, &g, &err) != R1_OK) {
        if (err.code == R1_OK || err.message[0] == '\0' || err.offset < 0 || err.offset > (int64_t)size) abort();
        return 0;
    }
    for (int64_t i = 0; i < r1i_gguf_value_count(g); i++) {
        const r1i_gguf_value *const v = r1i_gguf_value_at(g, i);
        check_value(v, data, size);
        if (r1i_gguf_find(g, v->key) != v) abort();
    }
    for (int64_t i = 0; i < r1i_gguf_tensor_count(g); i++) {
        const r1i_gguf_tensor *const t = r1i_gguf_tensor_at(g, i);
        if (t->offset > size || t->bytes > size - t->offset) abort();
    }
    r1i_gguf_free(g);
    open_as_store(data, size);
    return 0;
}

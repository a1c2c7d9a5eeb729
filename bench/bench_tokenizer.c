/* Speed of the tokenizer on one thread, one JSON object a line: opening, a file in one call, the same line by line.
 * usage: bench_tokenizer FOLDER FILE [repeat=3]      (bench/peer_tokenizers.py prints the same for the tokenizers
 * library) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "r1/tokenizer.h"

static double clock_of(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct sum {
    uint64_t hash;
    size_t ids;
} sum;

static void encode(const r1_tokenizer *t, const char *text, size_t n, sum *s)
{
    int32_t *ids;
    size_t count;
    r1_error err = {0};
    if (r1_tokenizer_encode(t, text, n, 0, &ids, &count, &err) != R1_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    for (size_t i = 0; i < count; i++) s->hash = s->hash * 31 + (uint64_t)ids[i];
    s->ids += count;
    r1_free(ids);
}

static sum by_line(const r1_tokenizer *t, const char *text, size_t n)
{
    sum s = {0};
    for (size_t at = 0; at < n;) {
        const char *const end = memchr(text + at, '\n', n - at);
        const size_t size = end ? (size_t)(end - text) - at : n - at;
        encode(t, text + at, size, &s);
        at += size + 1;
    }
    return s;
}

static void report(const r1_tokenizer *t, const char *what, const char *text, size_t n, int repeat)
{
    double cpu = 1e9, wall = 1e9;
    sum s = {0};
    for (int i = 0; i < repeat; i++) {
        const double c = clock_of(CLOCK_THREAD_CPUTIME_ID), w = clock_of(CLOCK_MONOTONIC);
        s = (sum){0};
        if (strcmp(what, "whole") == 0) encode(t, text, n, &s);
        else s = by_line(t, text, n);
        const double dc = clock_of(CLOCK_THREAD_CPUTIME_ID) - c, dw = clock_of(CLOCK_MONOTONIC) - w;
        if (dc < cpu) cpu = dc;
        if (dw < wall) wall = dw;
    }
    printf("{\"engine\":\"r1\",\"what\":\"%s\",\"bytes\":%zu,\"ids\":%zu,\"hash\":\"%016llx\",\"cpu_seconds\":%.4f,\"seconds\":%.4f,"
           "\"megabytes_per_second\":%.1f}\n", what, n, s.ids, (unsigned long long)s.hash, cpu, wall,
           (double)n / cpu / 1e6);
}

int main(int argc, char **argv)
{
    r1_tokenizer *t;
    r1_error err = {0};
    uint8_t *text;
    size_t n;
    if (argc < 3) {
        fputs("usage: bench_tokenizer FOLDER FILE [repeat]\n", stderr);
        return 2;
    }
    const double start = clock_of(CLOCK_THREAD_CPUTIME_ID);
    if (r1_tokenizer_open(argv[1], NULL, &t, &err) != R1_OK ||
        r1i_file_read(argv[2], 1u << 30, &text, &n, &err) != R1_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 3;
    }
    printf("{\"engine\":\"r1\",\"what\":\"open\",\"cpu_seconds\":%.3f}\n", clock_of(CLOCK_THREAD_CPUTIME_ID) - start);
    const int repeat = argc > 3 ? atoi(argv[3]) : 3;
    report(t, "whole", (const char *)text, n, repeat);
    report(t, "lines", (const char *)text, n, repeat);
    r1_free(text);
    r1_tokenizer_close(t);
    return 0;
}

#include "eval/fingerprint.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { HEAD = 1 << 20, BLOCK = 4096, BLOCKS = 256, MAX_NAMES = 4096 };

static r1_status feed_file(r1i_sha256 *s, const char *path, const char *name, r1_error *err)
{
    r1i_map map;
    const r1_status st = r1i_map_open(path, &map, err);
    if (st != R1_OK) return st;
    char size[32];
    snprintf(size, sizeof size, "%llu", (unsigned long long)map.size);
    r1i_sha256_feed(s, name, strlen(name) + 1);
    r1i_sha256_feed(s, size, strlen(size) + 1);
    const uint64_t head = map.size < HEAD ? map.size : HEAD;
    if (head) r1i_sha256_feed(s, map.data, (size_t)head);
    for (uint64_t i = 1; map.size > HEAD && i <= BLOCKS; i++) {
        /* the last block ends the file */
        const uint64_t span = map.size - BLOCK, at = span / BLOCKS * i + span % BLOCKS * i / BLOCKS;
        r1i_sha256_feed(s, map.data + at, BLOCK);
    }
    r1i_map_close(&map);
    return R1_OK;
}

static bool counts(const char *name)
{
    static const char *const ending[] = {".safetensors", ".json", ".gguf", ".model", ".jinja"};
    const size_t n = strlen(name);
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
        const size_t m = strlen(ending[i]);
        if (n > m && strcmp(name + n - m, ending[i]) == 0) return true;
    }
    return false;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static r1_status feed_folder(r1i_sha256 *s, const char *dir, r1_error *err)
{
    char **const names = calloc(MAX_NAMES, sizeof *names);
    DIR *const d = names ? opendir(dir) : NULL;
    r1_status st = !names ? r1i_fail(err, R1_ERR_NOMEM, "%s", dir) : d ? R1_OK : r1i_fail_errno(err, errno, "%s", dir);
    size_t n = 0;
    for (const struct dirent *e; d && n < MAX_NAMES && (e = readdir(d));)
        if (counts(e->d_name) && (names[n] = strdup(e->d_name))) n++;
    if (d) closedir(d);
    if (n) qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++) {
        char *const path = r1i_path_join(dir, names[i]);
        if (st == R1_OK && !path) st = r1i_fail(err, R1_ERR_NOMEM, "%s", dir);
        if (st == R1_OK && r1i_file_exists(path)) st = feed_file(s, path, names[i], err);
        free(path);
        free(names[i]);
    }
    free(names);
    return st;
}

r1_status r1i_fingerprint(const char *model_path, char hex[R1I_SHA256_HEX], r1_error *err)
{
    r1i_sha256 s;
    r1i_sha256_init(&s);
    const r1_status st = r1i_is_directory(model_path) ? feed_folder(&s, model_path, err)
        : feed_file(&s, model_path, "", err);
    r1i_sha256_finish_hex(&s, hex);
    return st;
}

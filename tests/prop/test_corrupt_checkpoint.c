/* Truncations and random byte flips of every tiny checkpoint: opening ends in success or a named error, what is
 * accepted lies within its files, and memory stays below twice the files plus 64 MB. The seed is printed; R1_SEED sets
 * it. */
#include "support/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "format/safetensors.h"
#include "r1/checkpoint.h"
#include "support/golden.h"

/* The sanitizers keep freed memory for a while, so the bound on memory says nothing there. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { FLIPS = SANITIZED ? 2000 : 10000, CUTS = 400, MAX_FILES = 8 }; /* a sanitizer makes each open ten times slower */
static const char *const folders[] = {"tiny-llama", "tiny-qwen2", "tiny-r1", "tiny-r1-fp8", "tiny-r1-gguf",
                                      "tiny-r1-gguf-old"};
static uint64_t seed;

/* A writable copy of one checkpoint's files. */
typedef struct copy {
    char folder[64];
    char name[MAX_FILES][64];
    uint64_t size[MAX_FILES], header[MAX_FILES]; /* header: bytes before tensor data */
    int n;
    uint64_t bytes;
} copy;

static void path_in(const copy *c, int file, char path[160]) { snprintf(path, 160, "%s/%s", c->folder, c->name[file]); }

/* Where tensor data begins: safetensors says so; for GGUF and JSON the first 16 KB stand for it. */
static uint64_t header_of(const char *name, const uint8_t *bytes, uint64_t size)
{
    uint64_t n = 0;
    if (!strstr(name, ".safetensors") || strstr(name, ".json")) return size < 16384 ? size : 16384;
    for (int i = 0; i < 8; i++) n |= (uint64_t)bytes[i] << (8 * i);
    return 8 + n;
}

static bool make_copy(const char *folder, copy *c)
{
    char from[512], relative[64];
    *c = (copy){0};
    snprintf(relative, sizeof relative, "golden/%s", folder);
    if (!golden_path(from, sizeof from, relative)) return false;
    snprintf(c->folder, sizeof c->folder, "/tmp/r1-corrupt-%d", (int)getpid());
    mkdir(c->folder, 0700);
    DIR *const d = opendir(from);
    for (const struct dirent *e; d && (e = readdir(d));) {
        char source[800], path[160];
        uint8_t *bytes;
        size_t size;
        if (e->d_name[0] == '.' || strncmp(e->d_name, "expect", 6) == 0) continue;
        snprintf(source, sizeof source, "%s/%s", from, e->d_name);
        snprintf(c->name[c->n], sizeof c->name[0], "%.63s", e->d_name);
        path_in(c, c->n, path);
        assert_int_equal(r1i_file_read(source, 1 << 24, &bytes, &size, NULL), R1_OK);
        assert_int_equal(r1i_file_write_atomic(path, bytes, size, NULL), R1_OK);
        c->size[c->n] = size;
        c->header[c->n++] = header_of(e->d_name, bytes, size);
        c->bytes += size;
        free(bytes);
    }
    if (d) closedir(d);
    return c->n > 0;
}

static void remove_copy(const copy *c)
{
    for (int i = 0; i < c->n; i++) {
        char path[160];
        path_in(c, i, path);
        unlink(path);
    }
    rmdir(c->folder);
}

/* Opens the copy. A failure must have a code of bad input and a message; a success must stay within the files. */
static bool open_copy(const copy *c, const char *what)
{
    r1_checkpoint *k;
    r1_error e = {0};
    const r1_status st = r1_checkpoint_open(c->folder, NULL, &k, &e);
    if (st != R1_OK) {
        if (k || r1_status_exit_code(st, &e) != 3 || strlen(e.message) < 10)
            fail_msg("%s: status %d: %s", what, (int)st, e.message);
        return false;
    }
    for (int64_t i = 0; i < r1_checkpoint_tensor_count(k); i++) {
        const r1_tensor_info *const t = r1_checkpoint_tensor(k, i);
        bool inside = false;
        for (int f = 0; f < c->n; f++)
            inside = inside || (strcmp(t->file, c->name[f]) == 0 && t->offset <= c->size[f] &&
                                t->bytes <= c->size[f] - t->offset);
        if (!inside) fail_msg("%s: tensor %s leaves its file", what, t->name);
    }
    r1_checkpoint_close(k);
    return true;
}

static void flip_bytes(const copy *c, r1i_rng *rng)
{
    int accepted = 0;
    for (int i = 0; i < FLIPS; i++) {
        char path[160], what[256];
        uint8_t old = 0, bad;
        const int file = (int)r1i_rng_below(rng, (uint64_t)c->n);
        /* nine in ten in the header: flips of weights change nothing here */
        const off_t at = (off_t)r1i_rng_below(rng, r1i_rng_below(rng, 10) ? c->header[file] : c->size[file]);
        path_in(c, file, path);
        const int fd = open(path, O_RDWR);
        assert_true(fd >= 0 && pread(fd, &old, 1, at) == 1);
        bad = (uint8_t)(old ^ (1 + r1i_rng_below(rng, 255)));
        assert_int_equal(pwrite(fd, &bad, 1, at), 1);
        snprintf(what, sizeof what, "flip %d: %s byte %lld %02x -> %02x", i, path, (long long)at, old, bad);
        accepted += open_copy(c, what);
        assert_int_equal(pwrite(fd, &old, 1, at), 1);
        close(fd);
    }
    /* both ends are met: flips of weights and padding are harmless, others are not */
    if (accepted == 0 || accepted == FLIPS) fail_msg("%s: %d of %d flips accepted", c->folder, accepted, FLIPS);
}

static void cut_files(const copy *c, r1i_rng *rng)
{
    for (int i = 0; i < CUTS; i++) {
        char path[160], what[256];
        uint8_t *bytes;
        size_t size;
        const int file = i % c->n;
        const uint64_t keep = i < c->n ? 0 : i < 2 * c->n ? c->size[file] - 1
            : r1i_rng_below(rng, i % 2 ? c->header[file] : c->size[file]);
        path_in(c, file, path);
        assert_int_equal(r1i_file_read(path, 1 << 24, &bytes, &size, NULL), R1_OK);
        assert_int_equal(truncate(path, (off_t)keep), 0);
        snprintf(what, sizeof what, "%s cut to %llu", path, (unsigned long long)keep);
        /* JSON may end in white space and GGUF in padding; a safetensors file cannot do without its last byte */
        if (open_copy(c, what) && strstr(path, ".safetensors") && !strstr(path, ".json"))
            fail_msg("%s: accepted", what);
        FILE *const f = fopen(path, "wb"); /* not the atomic writer: a thousand fsyncs take a minute */
        assert_true(f && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
        free(bytes);
    }
}

static uint64_t peak_bytes(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)u.ru_maxrss * 1024;
}

static void test_corrupt(void **state)
{
    (void)state;
    r1i_rng rng = {.seed = seed};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        copy c;
        const uint64_t before = peak_bytes();
        if (!make_copy(folders[i], &c)) skip();
        assert_true(open_copy(&c, folders[i]));
        flip_bytes(&c, &rng);
        cut_files(&c, &rng);
        assert_true(open_copy(&c, folders[i])); /* every byte is back */
        remove_copy(&c);
        const uint64_t grown = peak_bytes() - before;
        print_message("%s: memory grew by %llu KiB over files of %llu KiB\n", folders[i],
                      (unsigned long long)grown / 1024, (unsigned long long)c.bytes / 1024);
        if (!SANITIZED) assert_true(grown < 2 * c.bytes + (UINT64_C(64) << 20));
    }
}

/* Every prefix of each header, in a buffer of exactly that length. */
static void test_every_truncation(void **state)
{
    (void)state;
    static const char *const files[] = {"tiny-llama/model.safetensors", "tiny-r1-gguf/model-00003-of-00003.gguf",
                                        "tiny-r1-gguf/model-00001-of-00003.gguf"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[512], relative[96];
        uint8_t *bytes;
        size_t size;
        snprintf(relative, sizeof relative, "golden/%s", files[i]);
        if (!golden_path(path, sizeof path, relative)) skip();
        assert_int_equal(r1i_file_read(path, 1 << 24, &bytes, &size, NULL), R1_OK);
        const bool gguf = strstr(path, ".gguf") != NULL;
        const uint64_t header = gguf ? 4096 : header_of(path, bytes, size);
        for (uint64_t n = 0; n < header; n++) {
            uint8_t *const cut = malloc(n ? n : 1);
            r1_error e = {0};
            r1i_gguf *g = NULL;
            r1i_safetensors st = {0};
            memcpy(cut, bytes, n);
            const r1_status status = gguf ? r1i_gguf_parse(cut, n, &g, &e) : r1i_safetensors_parse(cut, n, &st, &e);
            if (status != R1_ERR_FORMAT || e.offset < 0 || e.offset > (int64_t)n || g || st.entry)
                fail_msg("%s cut to %llu: status %d offset %lld: %s", path, (unsigned long long)n, (int)status,
                         (long long)e.offset, e.message);
            free(cut);
        }
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_truncation), cmocka_unit_test(test_corrupt)};
    const char *const given = getenv("R1_SEED");
    char path[512];
    seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)seed);
    if (!golden_path(path, sizeof path, "golden/tiny-r1")) return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

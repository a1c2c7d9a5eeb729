#include "data/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if R1_WITH_ZLIB
#include <zlib.h>
#endif
#if R1_WITH_ZSTD
#include <zstd.h>
#endif

enum { CHUNK = 1 << 16 };
typedef enum packing { PLAIN, GZIP, ZSTANDARD } packing;

struct r1i_stream {
    int fd;
    packing packing;
    uint8_t in[CHUNK];
    size_t begin, end;    /* of what in[] still holds */
    bool at_eof;          /* of the file */
    bool inside;          /* of a compressed frame: the end of the file would cut it */
    char *path;
#if R1_WITH_ZLIB
    z_stream z;
    bool z_open;
#endif
#if R1_WITH_ZSTD
    ZSTD_DStream *zstd;
#endif
};

static r1_status fill(r1i_stream *s, r1_error *err)
{
    if (s->begin < s->end || s->at_eof) return R1_OK;
    ssize_t n;
    do n = read(s->fd, s->in, sizeof s->in);
    while (n < 0 && errno == EINTR);
    if (n < 0) return r1i_fail_errno(err, errno, "%s", s->path);
    s->begin = 0;
    s->end = (size_t)n;
    s->at_eof = n == 0;
    return R1_OK;
}

void r1i_stream_close(r1i_stream *s)
{
    if (!s) return;
#if R1_WITH_ZLIB
    if (s->z_open) inflateEnd(&s->z);
#endif
#if R1_WITH_ZSTD
    ZSTD_freeDStream(s->zstd);
#endif
    if (s->fd >= 0) close(s->fd);
    free(s->path);
    free(s);
}

static r1_status start(r1i_stream *s, r1_error *err)
{
    static const uint8_t gzip[] = {0x1f, 0x8b}, zstandard[] = {0x28, 0xb5, 0x2f, 0xfd};
    const r1_status st = fill(s, err);
    if (st != R1_OK) return st;
    const size_t n = s->end;
    if (n >= sizeof gzip && memcmp(s->in, gzip, sizeof gzip) == 0) s->packing = GZIP;
    else if (n >= sizeof zstandard && memcmp(s->in, zstandard, sizeof zstandard) == 0) s->packing = ZSTANDARD;
#if R1_WITH_ZLIB
    if (s->packing == GZIP && !(s->z_open = inflateInit2(&s->z, 15 + 16) == Z_OK))
        return r1i_fail(err, R1_ERR_NOMEM, "%s", s->path);
#else
    if (s->packing == GZIP)
        return r1i_fail(err, R1_ERR_MISSING, "%s: this program was built without zlib, which reads .gz", s->path);
#endif
#if R1_WITH_ZSTD
    if (s->packing == ZSTANDARD && !(s->zstd = ZSTD_createDStream())) return r1i_fail(err, R1_ERR_NOMEM, "%s", s->path);
#else
    if (s->packing == ZSTANDARD)
        return r1i_fail(err, R1_ERR_MISSING, "%s: this program was built without zstd, which reads .zst", s->path);
#endif
    return R1_OK;
}

r1_status r1i_stream_open(const char *path, r1i_stream **out, r1_error *err)
{
    struct stat info;
    *out = NULL;
    r1i_stream *const s = calloc(1, sizeof *s);
    if (s) s->fd = -1;
    if (!s || !(s->path = strdup(path))) {
        r1i_stream_close(s);
        return r1i_fail(err, R1_ERR_NOMEM, "%s", path);
    }
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    r1_status st = R1_OK;
    if (s->fd < 0 || fstat(s->fd, &info) != 0) st = r1i_fail_errno(err, errno, "%s", path);
    else if (S_ISDIR(info.st_mode)) st = r1i_fail_errno(err, EISDIR, "%s", path);
    if (st == R1_OK) st = start(s, err);
    if (st == R1_OK) *out = s;
    else r1i_stream_close(s);
    return st;
}

static r1_status read_plain(r1i_stream *s, void *into, size_t cap, size_t *n)
{
    *n = s->end - s->begin < cap ? s->end - s->begin : cap;
    memcpy(into, s->in + s->begin, *n);
    s->begin += *n;
    return R1_OK;
}

#if R1_WITH_ZLIB
/* One call of inflate; *n = 0 asks for more input. Members may follow each other (gzip -c a b). */
static r1_status read_gzip(r1i_stream *s, void *into, size_t cap, size_t *n, r1_error *err)
{
    if (!s->inside && inflateReset(&s->z) != Z_OK) return r1i_fail(err, R1_ERR_BUG, "%s: inflateReset", s->path);
    s->inside = true;
    s->z.next_in = s->in + s->begin;
    s->z.avail_in = (uInt)(s->end - s->begin);
    s->z.next_out = into;
    s->z.avail_out = (uInt)(cap < CHUNK ? cap : CHUNK);
    const uInt room = s->z.avail_out;
    const int rc = inflate(&s->z, Z_NO_FLUSH);
    s->begin = s->end - s->z.avail_in;
    *n = room - s->z.avail_out;
    if (rc == Z_STREAM_END) s->inside = false;
    else if (rc != Z_OK && rc != Z_BUF_ERROR)
        return r1i_fail(err, R1_ERR_FORMAT, "%s: damaged gzip data (%s)", s->path,
                        s->z.msg ? s->z.msg : "no more is known");
    return R1_OK;
}
#endif

#if R1_WITH_ZSTD
static r1_status read_zstd(r1i_stream *s, void *into, size_t cap, size_t *n, r1_error *err)
{
    ZSTD_inBuffer in = {s->in, s->end, s->begin};
    ZSTD_outBuffer out = {into, cap, 0};
    const size_t rc = ZSTD_decompressStream(s->zstd, &out, &in);
    if (ZSTD_isError(rc))
        return r1i_fail(err, R1_ERR_FORMAT, "%s: damaged Zstandard data (%s)", s->path, ZSTD_getErrorName(rc));
    s->inside = rc != 0;
    s->begin = in.pos;
    *n = out.pos;
    return R1_OK;
}
#endif

r1_status r1i_stream_read(r1i_stream *s, void *into, size_t cap, size_t *n, r1_error *err)
{
    *n = 0;
    while (*n == 0 && cap > 0) {
        r1_status st = fill(s, err);
        if (st != R1_OK) return st;
        if (s->at_eof && s->begin == s->end && !s->inside) return R1_OK;
        const bool starved = s->at_eof && s->begin == s->end;
        if (s->packing == PLAIN) st = read_plain(s, into, cap, n);
#if R1_WITH_ZLIB
        if (s->packing == GZIP) st = read_gzip(s, into, cap, n, err);
#endif
#if R1_WITH_ZSTD
        if (s->packing == ZSTANDARD) st = read_zstd(s, into, cap, n, err);
#endif
        if (st != R1_OK) return st;
        /* Without input only what the library had buffered can come; nothing of it means that the file was cut. */
        if (starved && *n == 0 && s->inside)
            return r1i_fail(err, R1_ERR_FORMAT, "%s: the compressed data ends too early", s->path);
    }
    return R1_OK;
}

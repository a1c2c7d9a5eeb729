#include "data/jsonl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/stream.h"

struct r1i_jsonl {
    r1i_stream *stream;
    r1i_sha256 hash;
    char *path;
    char *buffer;         /* [cap]; the unread part is [begin, end) */
    size_t cap, begin, end;
    int64_t line;
    bool at_end;          /* of the stream */
};

enum { FIRST_BUFFER = 1 << 16 };

void r1i_jsonl_close(r1i_jsonl *in)
{
    if (!in) return;
    r1i_stream_close(in->stream);
    free(in->path);
    free(in->buffer);
    free(in);
}

r1_status r1i_jsonl_open(const char *path, r1i_jsonl **out, r1_error *err)
{
    *out = NULL;
    r1i_jsonl *const in = calloc(1, sizeof *in);
    if (!in || !(in->path = strdup(path)) || !(in->buffer = malloc(FIRST_BUFFER))) {
        r1i_jsonl_close(in);
        return r1i_fail(err, R1_ERR_NOMEM, "%s", path);
    }
    in->cap = FIRST_BUFFER;
    r1i_sha256_init(&in->hash);
    const r1_status st = r1i_stream_open(path, &in->stream, err);
    if (st == R1_OK) *out = in;
    else r1i_jsonl_close(in);
    return st;
}

void r1i_jsonl_hash(const r1i_jsonl *in, char hex[R1I_SHA256_HEX])
{
    r1i_sha256 copy = in->hash;
    r1i_sha256_finish_hex(&copy, hex);
}

/* More bytes behind `end`; makes room by moving the unread part forward or by growing. */
static r1_status refill(r1i_jsonl *in, r1_error *err)
{
    size_t n;
    if (in->begin > 0) {
        memmove(in->buffer, in->buffer + in->begin, in->end - in->begin);
        in->end -= in->begin;
        in->begin = 0;
    }
    if (in->end == in->cap) {
        char *const grown = realloc(in->buffer, in->cap * 2);
        if (!grown) return r1i_fail(err, R1_ERR_NOMEM, "%s line %lld", in->path, (long long)in->line + 1);
        in->buffer = grown;
        in->cap *= 2;
    }
    const r1_status st = r1i_stream_read(in->stream, in->buffer + in->end, in->cap - in->end, &n, err);
    if (st != R1_OK) return st;
    r1i_sha256_feed(&in->hash, in->buffer + in->end, n);
    in->end += n;
    in->at_end = n == 0;
    return R1_OK;
}

/* The next line without its newline: [*text, *text + *n), valid until the next call; *text NULL at the end. */
static r1_status next_line(r1i_jsonl *in, const char **text, size_t *n, r1_error *err)
{
    size_t seen = 0; /* bytes behind begin that hold no newline */
    *text = NULL;
    *n = 0;
    for (;;) {
        const char *const from = in->buffer + in->begin,
                          *const newline = memchr(from + seen, '\n', in->end - in->begin - seen);
        if (newline || (in->at_end && in->end > in->begin)) {
            *text = from;
            *n = newline ? (size_t)(newline - from) : in->end - in->begin;
            in->begin += *n + (newline != NULL);
            in->line++;
            return R1_OK;
        }
        if (in->at_end) return R1_OK;
        seen = in->end - in->begin;
        if (seen > R1I_JSONL_MAX_LINE)
            return r1i_fail(err, R1_ERR_FORMAT, "%s line %lld: longer than %d bytes", in->path, (long long)in->line + 1,
                            R1I_JSONL_MAX_LINE);
        const r1_status st = refill(in, err);
        if (st != R1_OK) return st;
    }
}

static r1_status fail_line(const r1i_jsonl *in, r1_error *err)
{
    r1i_error_prefix(err, "%s line %lld: ", in->path, (long long)in->line);
    if (err) err->line = 0; /* the message has it */
    return R1_ERR_FORMAT;
}

r1_status r1i_jsonl_next(r1i_jsonl *in, json_t **row, int64_t *line, r1_error *err)
{
    const char *text;
    size_t n;
    *row = NULL;
    for (;;) {
        r1_status st = next_line(in, &text, &n, err);
        if (st != R1_OK || !text) return st;
        if (in->line == 1 && n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3, n -= 3;
        size_t blank = 0;
        while (blank < n && strchr(" \t\r", text[blank]) && text[blank]) blank++;
        if (blank == n) continue;
        if (line) *line = in->line;
        st = r1i_json_parse(text, n, row, err);
        if (st == R1_ERR_NOMEM) return st;
        if (st == R1_OK && json_is_object(*row)) return R1_OK;
        if (st == R1_OK) r1i_fail(err, R1_ERR_FORMAT, "a JSON object was expected");
        json_decref(*row);
        *row = NULL;
        return fail_line(in, err);
    }
}

r1_status r1i_jsonl_find(const char *path, char **out, r1_error *err)
{
    static const char *const ending[] = {"", ".gz", ".zst"};
    const size_t n = strlen(path) + 8;
    *out = malloc(n);
    if (!*out) return r1i_fail(err, R1_ERR_NOMEM, "%s", path);
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
        snprintf(*out, n, "%s%s", path, ending[i]);
        if (r1i_file_exists(*out)) return R1_OK;
    }
    free(*out);
    *out = NULL;
    if (r1i_is_directory(path)) return r1i_fail_errno(err, EISDIR, "%s", path);
    r1i_fail(err, R1_ERR_IO, "there is no %s, nor with .gz or .zst behind it", path);
    if (err) err->sys_errno = ENOENT;
    return R1_ERR_IO;
}

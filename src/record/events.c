/* A record is: length (8 bytes), masked CRC of it, a serialised Event (event.proto), masked CRC of that. Written by
 * hand: six fields of protocol buffers need no library. */
#include "record/events.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct r1i_events {
    FILE *f;
    char *path;
};

uint32_t r1i_crc32c(const void *bytes, size_t n)
{
    const uint8_t *const p = bytes;
    uint32_t c = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++) c = (c >> 1) ^ (c & 1 ? 0x82f63b78u : 0u);
    }
    return ~c;
}

static uint32_t masked(const void *bytes, size_t n)
{
    const uint32_t c = r1i_crc32c(bytes, n);
    return ((c >> 15) | (c << 17)) + 0xa282ead8u;
}

/* ---- protocol buffers -------------------------------------------------------------------------------------------- */

enum { EVENT = 512, TAG = 200 };

typedef struct message {
    uint8_t bytes[EVENT];
    size_t n;
} message;

static void put(message *m, const void *bytes, size_t n)
{
    memcpy(m->bytes + m->n, bytes, n); /* every event fits: tags are cut to TAG bytes */
    m->n += n;
}
static void put_varint(message *m, uint64_t x)
{
    for (; x >= 0x80; x >>= 7) m->bytes[m->n++] = (uint8_t)(x | 0x80);
    m->bytes[m->n++] = (uint8_t)x;
}
static void put_little(message *m, uint64_t x, int n)
{
    for (int i = 0; i < n; i++) m->bytes[m->n++] = (uint8_t)(x >> (8 * i));
}
static void put_double(message *m, int field, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    put_varint(m, (uint64_t)field << 3 | 1);
    put_little(m, bits, 8);
}
static void put_float(message *m, int field, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    put_varint(m, (uint64_t)field << 3 | 5);
    put_little(m, bits, 4);
}
static void put_int(message *m, int field, int64_t x)
{
    put_varint(m, (uint64_t)field << 3);
    put_varint(m, (uint64_t)x);
}
static void put_bytes(message *m, int field, const void *bytes, size_t n)
{
    put_varint(m, (uint64_t)field << 3 | 2);
    put_varint(m, n);
    put(m, bytes, n);
}

static r1_status write_event(r1i_events *e, const message *m, r1_error *err)
{
    message head = {.n = 0}, tail = {.n = 0};
    put_little(&head, m->n, 8);
    put_little(&head, masked(head.bytes, 8), 4);
    put_little(&tail, masked(m->bytes, m->n), 4);
    if (fwrite(head.bytes, 1, head.n, e->f) == head.n && fwrite(m->bytes, 1, m->n, e->f) == m->n &&
        fwrite(tail.bytes, 1, tail.n, e->f) == tail.n)
        return R1_OK;
    return r1i_fail_errno(err, errno, "%s", e->path);
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static r1_status begin(r1i_events *e, int64_t first_step, r1_error *err)
{
    static const char version[] = "brain.Event:2";
    message m = {.n = 0}, start = {.n = 0}, log = {.n = 0};
    put_double(&m, 1, 0.0);
    put_bytes(&m, 3, version, sizeof version - 1);
    const r1_status st = write_event(e, &m, err);
    if (st != R1_OK || first_step <= 1) return st;
    put_int(&log, 1, 1); /* SessionLog.START: what earlier files hold from this step on is void */
    put_double(&start, 1, 0.0);
    put_int(&start, 2, first_step);
    put_bytes(&start, 7, log.bytes, log.n);
    return write_event(e, &start, err);
}

r1_status r1i_events_open(const char *dir, int64_t first_step, r1i_events **out, r1_error *err)
{
    *out = NULL;
    const size_t room = strlen(dir) + 64;
    r1i_events *const e = calloc(1, sizeof *e);
    if (!e || !(e->path = malloc(room))) {
        r1i_events_close(e);
        return r1i_fail(err, R1_ERR_NOMEM, "event file");
    }
    snprintf(e->path, room, "%s/events.out.tfevents.%010" PRId64 ".r1", dir, first_step);
    e->f = fopen(e->path, "wb");
    r1_status st = e->f ? begin(e, first_step, err) : r1i_fail_errno(err, errno, "%s", e->path);
    if (st == R1_OK) st = r1i_events_flush(e, err);
    if (st != R1_OK) {
        r1i_events_close(e);
        return st;
    }
    *out = e;
    return R1_OK;
}

r1_status r1i_events_scalar(r1i_events *e, double wall_time, int64_t step, const char *tag, float value, r1_error *err)
{
    message m = {.n = 0}, summary = {.n = 0}, v = {.n = 0};
    const size_t n = strlen(tag);
    put_bytes(&v, 1, tag, n < TAG ? n : TAG);
    put_float(&v, 2, value);
    put_bytes(&summary, 1, v.bytes, v.n);
    put_double(&m, 1, wall_time);
    put_int(&m, 2, step);
    put_bytes(&m, 5, summary.bytes, summary.n);
    return write_event(e, &m, err);
}

r1_status r1i_events_flush(r1i_events *e, r1_error *err)
{
    return fflush(e->f) == 0 ? R1_OK : r1i_fail_errno(err, errno, "%s", e->path);
}

void r1i_events_close(r1i_events *e)
{
    if (!e) return;
    if (e->f) fclose(e->f);
    free(e->path);
    free(e);
}

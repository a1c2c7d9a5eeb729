/* Eight lanes take the 8-byte words of a 64-byte group in turn: lane = rotate(lane ^ word, 29) * odd. Each step is a
 * bijection of the lane and of the word, so that a change confined to one word always changes the sum; eight lanes hide
 * the multiplier's latency (measured: as fast as the memory delivers). Words are read as they lie, so the sum belongs
 * to one byte order. */
#include "base/checksum.h"

#include <string.h>

static const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15); /* 2^64 / golden ratio, the usual odd constant with well
                                                           * spread bits */

static inline uint64_t step(uint64_t lane, uint64_t word)
{
    const uint64_t x = lane ^ word;
    return (x << 29 | x >> 35) * odd;
}

void r1i_checksum_begin(r1i_checksum *c)
{
    *c = (r1i_checksum){.bytes = 0};
    for (uint64_t i = 0; i < R1I_CHECKSUM_LANES; i++) c->lane[i] = (i + 1) * odd; /* else a run of zeros is nothing */
}

static void groups(r1i_checksum *c, const uint8_t *p, size_t n)
{
    uint64_t lane[R1I_CHECKSUM_LANES];
    memcpy(lane, c->lane, sizeof lane);
    for (size_t g = 0; g < n; g++, p += sizeof lane) {
        uint64_t word[R1I_CHECKSUM_LANES];
        memcpy(word, p, sizeof word);
        for (int i = 0; i < R1I_CHECKSUM_LANES; i++) lane[i] = step(lane[i], word[i]);
    }
    memcpy(c->lane, lane, sizeof lane);
}

void r1i_checksum_add(r1i_checksum *c, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    const size_t group = sizeof c->rest, held = (size_t)(c->bytes % group);
    c->bytes += n;
    if (held) {
        const size_t part = n < group - held ? n : group - held;
        memcpy(c->rest + held, p, part);
        if (held + part < group) return;
        groups(c, c->rest, 1);
        p += part;
        n -= part;
    }
    groups(c, p, n / group);
    if (n % group) memcpy(c->rest, p + n / group * group, n % group);
}

uint64_t r1i_checksum_end(const r1i_checksum *c)
{
    r1i_checksum last = *c;
    const size_t held = (size_t)(c->bytes % sizeof c->rest);
    if (held) {
        memset(last.rest + held, 0, sizeof last.rest - held); /* the length below tells padding from zeros */
        groups(&last, last.rest, 1);
    }
    uint64_t h = c->bytes;
    for (int i = 0; i < R1I_CHECKSUM_LANES; i++) h = step(h, last.lane[i]);
    h ^= h >> 32;
    h *= odd;
    return h ^ h >> 29;
}

uint64_t r1i_checksum_of(const void *bytes, size_t n)
{
    r1i_checksum c;
    r1i_checksum_begin(&c);
    r1i_checksum_add(&c, bytes, n);
    return r1i_checksum_end(&c);
}

/* Q6_K between the file's blocks and panels. A block of 256 values: ql[128] low nibbles, qh[64] high pairs of bits, scales[16], d; values 128 n
 * + 32 q + l have their low bits in nibble q / 2 of ql[64 n + 32 (q % 2) + l], their high ones in pair q of qh[32 n + l]. */
#include "tensor/panel_q6.h"

#include "tensor/panel_words.h"

enum { QL = 0, QH = 128, SCALES = 192, D = 208 };

/* The bits of `mask`, moved up by `by` (or down). */
R1I_PACK_INLINE r1i_words4 bits(r1i_words4 v, const int by, uint32_t mask) { return (by < 0 ? v >> -by : v << by) & mask; }

/* Line w of 16 columns that are nibbles q / 2 of the four words low, pairs q of high; their fourth words give the upper two bits. */
R1I_PACK_INLINE r1i_words4 line_of(const r1i_words4 low[4], const r1i_words4 high[4], const int q, const int w)
{
    const r1i_words4 top = w < 2 ? bits(low[3], 6 - 2 * w - 4 * (q >> 1), 0xc0c0c0c0u) : bits(high[3], 6 - 2 * q, 0xc0c0c0c0u);
    return bits(low[w], -4 * (q >> 1), 0x0f0f0f0fu) | bits(high[w], 4 - 2 * q, 0x30303030u) | top;
}

R1I_PACK_INLINE void put_lines(uint8_t *lines, const r1i_words4 low[4], const r1i_words4 high[4], const int q, size_t bytes)
{
    const r1i_words4 out[3] = {line_of(low, high, q, 0), line_of(low, high, q, 1), line_of(low, high, q, 2)};
    for (int w = 0; w < 3; w++) memcpy(lines + 2 * R1I_Q6_HALF * q + 64 * w, &out[w], bytes);
}

/* Four columns of 16 that share their bytes: those of pairs 0 to 3. */
R1I_PACK_INLINE void put_pairs(uint8_t *lines, const r1i_words4 a[4], const r1i_words4 b[4], const r1i_words4 high[4], size_t bytes)
{
    put_lines(lines, a, high, 0, bytes);
    put_lines(lines, b, high, 1, bytes);
    put_lines(lines, a, high, 2, bytes);
    put_lines(lines, b, high, 3, bytes);
}

static void put_four(uint8_t *lines, const uint8_t *src, size_t step)
{
    r1i_words4 a[4], b[4], high[4];
    r1i_words4_turned(src + SCALES, step, a);
    for (int w = 0; w < 4; w++) memcpy(lines + 64 * w, &a[w], 16);
    lines += R1I_Q6_SCALES;
    for (int n = 0; n < 2; n++)
        for (int l = 0; l < 2; l++) {
            r1i_words4_turned(src + QL + 64 * n + 16 * l, step, a);
            r1i_words4_turned(src + QL + 64 * n + 16 * l + 32, step, b);
            r1i_words4_turned(src + QH + 32 * n + 16 * l, step, high);
            put_pairs(lines + R1I_Q6_HALF * (8 * n + l), a, b, high, 16);
        }
}

/* Of each vector, the first word. */
static void put_one(uint8_t *lines, const uint8_t *src)
{
    r1i_words4 a[4] = {{0}}, b[4] = {{0}}, high[4] = {{0}};
    for (int w = 0; w < 4; w++) memcpy(lines + 64 * w, src + SCALES + 4 * w, 4);
    lines += R1I_Q6_SCALES;
    for (int n = 0; n < 2; n++)
        for (int l = 0; l < 2; l++) {
            for (int w = 0; w < 4; w++) {
                memcpy(&a[w], src + QL + 64 * n + 16 * l + 4 * w, 4);
                memcpy(&b[w], src + QL + 64 * n + 16 * l + 32 + 4 * w, 4);
                memcpy(&high[w], src + QH + 32 * n + 16 * l + 4 * w, 4);
            }
            put_pairs(lines + R1I_Q6_HALF * (8 * n + l), a, b, high, 4);
        }
}

void r1i_panel_q6_put(uint8_t *span, const uint8_t *src, size_t step, int count, int lane)
{
    uint8_t *const lines = (uint8_t *)(uintptr_t)r1i_q6_lines(span) + 4 * lane, *const d = (uint8_t *)(uintptr_t)r1i_q6_d(span) + 2 * lane;
    for (int n = 0; n < count; n++) memcpy(d + 2 * n, src + (size_t)n * step + D, 2);
    if (count == 4) put_four(lines, src, step);
    else put_one(lines, src);
}

void r1i_panel_q6_row(const uint8_t *span, int lane, uint8_t *block)
{
    const uint8_t *lines = r1i_q6_lines(span) + 4 * lane;
    memset(block, 0, SCALES);
    memcpy(block + D, r1i_q6_d(span) + 2 * lane, 2);
    for (int w = 0; w < 4; w++) memcpy(block + SCALES + 4 * w, lines + 64 * w, 4);
    lines += R1I_Q6_SCALES;
    for (int i = 0; i < 16; i++, lines += R1I_Q6_HALF) {
        const int n = i >> 3, q = i >> 1 & 3, l = 16 * (i & 1);
        uint32_t v[4];
        for (int w = 0; w < 3; w++) memcpy(&v[w], lines + 64 * w, 4);
        v[3] = (v[0] >> 6 & 0x03030303u) | (v[1] >> 4 & 0x0c0c0c0cu) | (v[2] >> 2 & 0x30303030u);
        for (int w = 0; w < 4; w++) {
            uint32_t low, high;
            uint8_t *const ql = block + QL + 64 * n + 32 * (q & 1) + l + 4 * w, *const qh = block + QH + 32 * n + l + 4 * w;
            memcpy(&low, ql, 4);
            memcpy(&high, qh, 4);
            low |= (v[w] & 0x0f0f0f0fu) << (q & 2) * 2;
            high |= (v[w] >> 4 & 0x03030303u) << 2 * q;
            memcpy(ql, &low, 4);
            memcpy(qh, &high, 4);
        }
    }
}

/* Between the file's blocks and panels in reading order. Element 32 g + l of a block (l < 32):
 *   Q3_K  hmask[32] qs[64] scales[12] d    pair g % 4 of qs[32 (g / 4) + l], above it bit g of hmask[l]
 *   Q5_K  d dmin scales[12] qh[32] qs[128] nibble g % 2 of qs[32 (g / 2) + l], above it bit g of qh[l]
 *   Q6_K  ql[128] qh[64] scales[16] d      nibble (g / 2) % 2 of ql[64 (g / 4) + 32 (g % 2) + l], above it pair g % 4
 *   of qh[32 (g / 4) + l] */
#include "tensor/panel_order.h"

#include "tensor/panel_words.h"

enum { LINE = 64, MOST_LINES = 52 };

/* Where a type's fields are, in the block and in the span. */
typedef struct order {
    int low, high, scales, d;          /* offsets in the block */
    int heads, scale_words, group;     /* halves at d; words of scales; bytes of a group's lines */
} order;

static order order_of(r1_dtype type)
{
    switch (type) {
    case R1_DTYPE_Q3_K: return (order){32, 0, 96, 108, 1, 3, R1I_Q3_GROUP};
    case R1_DTYPE_Q5_K: return (order){48, 16, 4, 0, 2, 3, R1I_Q5_GROUP};
    default: return (order){0, 128, 192, 208, 1, 4, R1I_Q6_GROUP};
    }
}

bool r1i_panel_in_order(r1_dtype type)
{
    return type == R1_DTYPE_Q3_K || type == R1_DTYPE_Q5_K || type == R1_DTYPE_Q6_K;
}

/* Lines of a span (after the line of d), and its d (Q5_K: and dmin 32 bytes on). */
static uint8_t *lines_of(r1_dtype type, const uint8_t *span)
{
    return (uint8_t *)(uintptr_t)(type == R1_DTYPE_Q5_K ? span + LINE : r1i_paired_lines(span));
}
static uint8_t *d_of(r1_dtype type, const uint8_t *span)
{
    return (uint8_t *)(uintptr_t)(type == R1_DTYPE_Q5_K ? span : type == R1_DTYPE_Q3_K ? r1i_q3_d(span)
                                  : r1i_q6_d(span));
}

/* ---- packing: four rows together, words of four columns of each ---- */

R1I_PACK_INLINE r1i_words4 down(r1i_words4 v, int by, uint32_t mask) { return v >> by & mask * 0x01010101u; }
R1I_PACK_INLINE r1i_words4 up(r1i_words4 v, int by, uint32_t mask) { return v << by & mask * 0x01010101u; }

R1I_PACK_INLINE void put_lines(uint8_t *lines, int n, const r1i_words4 *line)
{
    for (int i = 0; i < n; i++) memcpy(lines + LINE * i, &line[i], 16);
}

static void put_q3(uint8_t *lines, const uint8_t *src, size_t step)
{
    r1i_words4 low[8], high[8], v[8];
    for (int h = 0; h < 2; h++) r1i_words4_turned(src + 16 * h, step, high + 4 * h);
    for (int n = 0; n < 2; n++) {
        for (int h = 0; h < 2; h++) r1i_words4_turned(src + 32 + 32 * n + 16 * h, step, low + 4 * h);
        for (int q = 0; q < 4; q++, lines += R1I_Q3_GROUP) {
            for (int i = 0; i < 8; i++) v[i] = down(low[i], 2 * q, 3) | down(high[i], 4 * n + q, 1) << 2;
            const r1i_words4 top = v[3] | v[7] << 3;
            const r1i_words4 line[3] = {v[0] | v[4] << 3 | up(top, 6, 0xc0), v[1] | v[5] << 3 | up(top, 4, 0xc0),
                                        v[2] | v[6] << 3 | up(top, 2, 0xc0)};
            put_lines(lines, 3, line);
        }
    }
}

static void put_q5(uint8_t *lines, const uint8_t *src, size_t step)
{
    r1i_words4 low[8], high[8], v[8];
    for (int h = 0; h < 2; h++) r1i_words4_turned(src + 16 + 16 * h, step, high + 4 * h);
    for (int n = 0; n < 4; n++) {
        for (int h = 0; h < 2; h++) r1i_words4_turned(src + 48 + 32 * n + 16 * h, step, low + 4 * h);
        for (int q = 0; q < 2; q++, lines += R1I_Q5_GROUP) {
            for (int i = 0; i < 8; i++) v[i] = down(low[i], 4 * q, 15) | down(high[i], 2 * n + q, 1) << 4;
            const r1i_words4 line[5] = {v[0] | up(v[5], 3, 0xe0), v[1] | up(v[5], 5, 0x60) | up(v[7], 6, 0x80),
                                        v[2] | up(v[6], 3, 0xe0), v[3] | up(v[6], 5, 0x60) | up(v[7], 7, 0x80),
                                        v[4] | up(v[7], 3, 0xe0)};
            put_lines(lines, 5, line);
        }
    }
}

/* Line w (0..2) of 16 columns whose bits are nibbles q / 2 of the words low and pairs q of the words high. */
R1I_PACK_INLINE r1i_words4 q6_line(const r1i_words4 low[4], const r1i_words4 high[4], const int q, const int w)
{
    const r1i_words4 top = w < 2 ? up(low[3], 6 - 2 * w - 4 * (q / 2), 0xc0) : up(high[3], 6 - 2 * q, 0xc0);
    return down(low[w], 4 * (q / 2), 0x0f) | (q < 3 ? up(high[w], 4 - 2 * q, 0x30) : down(high[w], 2, 0x30)) | top;
}

R1I_PACK_INLINE void put_q6_quarter(uint8_t *lines, const r1i_words4 low[4], const r1i_words4 high[4], const int q)
{
    const r1i_words4 line[3] = {q6_line(low, high, q, 0), q6_line(low, high, q, 1), q6_line(low, high, q, 2)};
    put_lines(lines + R1I_Q6_GROUP * q, 3, line);
}

static void put_q6(uint8_t *lines, const uint8_t *src, size_t step)
{
    r1i_words4 a[4], b[4], high[4];
    for (int n = 0; n < 2; n++)
        for (int h = 0; h < 2; h++) {
            uint8_t *const at = lines + R1I_Q6_GROUP * 4 * n + R1I_Q6_GROUP / 2 * h;
            r1i_words4_turned(src + 64 * n + 16 * h, step, a);
            r1i_words4_turned(src + 64 * n + 32 + 16 * h, step, b);
            r1i_words4_turned(src + 128 + 32 * n + 16 * h, step, high);
            put_q6_quarter(at, a, high, 0);
            put_q6_quarter(at, b, high, 1);
            put_q6_quarter(at, a, high, 2);
            put_q6_quarter(at, b, high, 3);
        }
}

static void put_four(r1_dtype type, uint8_t *lines, const uint8_t *src, size_t step)
{
    const order o = order_of(type);
    r1i_words4 scales[4];
    r1i_words4_turned(src + o.scales + 4 * o.scale_words - 16, step, scales); /* 16 bytes that end with them */
    put_lines(lines, o.scale_words, scales + 4 - o.scale_words);
    lines += LINE * o.scale_words;
    if (type == R1_DTYPE_Q3_K) put_q3(lines, src, step);
    else if (type == R1_DTYPE_Q5_K) put_q5(lines, src, step);
    else put_q6(lines, src, step);
}

void r1i_panel_order_put(r1_dtype type, uint8_t *span, const uint8_t *src, size_t step, int count, int lane)
{
    const order o = order_of(type);
    uint8_t *const lines = lines_of(type, span) + 4 * lane, *const d = d_of(type, span) + 2 * lane;
    for (int n = 0; n < count; n++)
        for (int i = 0; i < o.heads; i++) memcpy(d + 32 * i + 2 * n, src + (size_t)n * step + o.d + 2 * i, 2);
    if (count == 4) {
        put_four(type, lines, src, step);
        return;
    }
    uint8_t four[LINE * MOST_LINES]; /* the edge of a matrix: the row four times, of which one is taken */
    const int n = o.scale_words + 8 * o.group / LINE;
    put_four(type, four, src, 0);
    for (int i = 0; i < n; i++) memcpy(lines + LINE * i, four + LINE * i, 4);
}

/* ---- and back ---- */

/* Four columns of each of a group's eight quads, out of the row's words of its lines. */
static void values_of(r1_dtype type, const uint32_t *line, uint32_t v[8])
{
    if (type == R1_DTYPE_Q5_K) {
        for (int i = 0; i < 5; i++) v[i] = line[i] & 0x1f1f1f1fu;
        v[5] = (line[0] >> 3 & 0x1c1c1c1cu) | (line[1] >> 5 & 0x03030303u);
        v[6] = (line[2] >> 3 & 0x1c1c1c1cu) | (line[3] >> 5 & 0x03030303u);
        v[7] = (line[4] >> 3 & 0x1c1c1c1cu) | (line[1] >> 6 & 0x02020202u) | (line[3] >> 7 & 0x01010101u);
        return;
    }
    const bool six = type == R1_DTYPE_Q6_K;
    for (int h = 0; h < 2; h++) {
        const uint32_t *const l = six ? line + 3 * h : line;
        const uint32_t top = (l[0] >> 6 & 0x03030303u) | (l[1] >> 4 & 0x0c0c0c0cu) | (l[2] >> 2 & 0x30303030u);
        for (int i = 0; i < 3; i++) v[4 * h + i] = six ? l[i] & 0x3f3f3f3fu : l[i] >> 3 * h & 0x07070707u;
        v[4 * h + 3] = six ? top : top >> 3 * h & 0x07070707u;
    }
}

static void or_word(uint8_t *p, uint32_t bits)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    word |= bits;
    memcpy(p, &word, sizeof word);
}

/* The bits of quad i of group g, into a block of zeros. */
static void put_bits(r1_dtype type, int g, int i, uint32_t v, uint8_t *low, uint8_t *high)
{
    switch (type) {
    case R1_DTYPE_Q3_K:
        or_word(low + 32 * (g / 4) + 4 * i, (v & 0x03030303u) << 2 * (g % 4));
        or_word(high + 4 * i, (v >> 2 & 0x01010101u) << g);
        break;
    case R1_DTYPE_Q5_K:
        or_word(low + 32 * (g / 2) + 4 * i, (v & 0x0f0f0f0fu) << 4 * (g % 2));
        or_word(high + 4 * i, (v >> 4 & 0x01010101u) << g);
        break;
    default:
        or_word(low + 64 * (g / 4) + 32 * (g % 2) + 4 * i, (v & 0x0f0f0f0fu) << 4 * (g / 2 % 2));
        or_word(high + 32 * (g / 4) + 4 * i, (v >> 4 & 0x03030303u) << 2 * (g % 4));
        break;
    }
}

void r1i_panel_order_row(r1_dtype type, const uint8_t *span, int lane, uint8_t *block)
{
    const order o = order_of(type);
    const uint8_t *lines = lines_of(type, span) + 4 * lane, *const d = d_of(type, span) + 2 * lane;
    memset(block, 0, (size_t)r1i_dtype(type)->block_bytes);
    for (int i = 0; i < o.heads; i++) memcpy(block + o.d + 2 * i, d + 32 * i, 2);
    for (int i = 0; i < o.scale_words; i++, lines += LINE) memcpy(block + o.scales + 4 * i, lines, 4);
    for (int g = 0; g < 8; g++, lines += o.group) {
        uint32_t line[6], v[8];
        for (int i = 0; i < o.group / LINE; i++) memcpy(&line[i], lines + LINE * i, 4);
        values_of(type, line, v);
        for (int i = 0; i < 8; i++) put_bits(type, g, i, v[i], block + o.low, block + o.high);
    }
}

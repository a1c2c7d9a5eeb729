/* Tiles of the codebook types (IQ1, IQ2, IQ3) where a byte can be looked up among 128 in registers (VBMI). The sixteen
 * rows of a span are turned first, so that a vector holds what the rows say of the same columns; then a group is a
 * look-up of 64 codes at once (avx512_codes.h), and code and sign of a value are the index of its byte. Part of
 * quant_tile.h. Beside look-ups row by row (lanes/quant_codebook.h, the other rows of the table) a quarter of the
 * time. */
#ifndef R1I_CODEBOOK512_H
#define R1I_CODEBOOK512_H

#include "backend/cpu/avx512/avx512_codes.h"
#include "backend/cpu/lanes/quant_codebook.h"

/* What a span's groups are made of, lane n for row n. */
typedef struct codebook_span {
    __m512i word[16]; /* IQ2_XXS, IQ3_XXS, IQ3_S: two words a group; IQ2_XS: four entries in two words; IQ2_S: eight of
                       * indices, eight of signs; IQ1: one */
    __m512i sign[8];  /* IQ3: a word a group */
    __m512i high[2];  /* IQ2_S, IQ3_S: a byte a group; */
    __m512i code[2];  /* scales of IQ2_XS, IQ2_S, IQ3_S: a nibble each */
} codebook_span;

/* ---- sixteen rows to sixteen lanes ---- */

/* Word w of row n becomes lane n of v[w]. */
R1I_INLINE void words_turn(__m512i v[16])
{
    __m512i a[16];
    R1I_UNROLL for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
    R1I_UNROLL for (int i = 0; i < 16; i += 4)
        R1I_UNROLL for (int j = 0; j < 2; j++) {
            v[i + 2 * j] = _mm512_unpacklo_epi64(a[i + j], a[i + 2 + j]);
            v[i + 2 * j + 1] = _mm512_unpackhi_epi64(a[i + j], a[i + 2 + j]);
        }
    /* v[4 r + c], 128-bit part q: word 4 q + c of rows 4 r .. 4 r + 3 */
    R1I_UNROLL for (int c = 0; c < 4; c++) {
        const __m512i low01 = _mm512_shuffle_i32x4(v[c], v[4 + c], 0x44),
                      high01 = _mm512_shuffle_i32x4(v[c], v[4 + c], 0xee);
        const __m512i low23 = _mm512_shuffle_i32x4(v[8 + c], v[12 + c], 0x44),
                      high23 = _mm512_shuffle_i32x4(v[8 + c], v[12 + c], 0xee);
        a[c] = _mm512_shuffle_i32x4(low01, low23, 0x88);
        a[4 + c] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
        a[8 + c] = _mm512_shuffle_i32x4(high01, high23, 0x88);
        a[12 + c] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
    }
    R1I_UNROLL for (int i = 0; i < 16; i++) v[i] = a[i];
}

/* The first `words` words at p of sixteen rows, `bytes` apart. */
R1I_INLINE void words_read(const uint8_t *p, size_t bytes, int words, __m512i v[16])
{
    const __mmask16 some = (__mmask16)((1u << words) - 1u);
    R1I_UNROLL for (int n = 0; n < LANES; n++)
        v[n] = words == 16 ? _mm512_loadu_si512(p + (size_t)n * bytes)
            : _mm512_maskz_loadu_epi32(some, p + (size_t)n * bytes);
    words_turn(v);
}

R1I_INLINE void span_read(const r1_dtype type, const uint8_t *b, size_t bytes, codebook_span *s)
{
    __m512i v[16];
    switch (type) {
    case R1_DTYPE_IQ2_XXS: case R1_DTYPE_IQ2_XS: case R1_DTYPE_IQ2_S: case R1_DTYPE_IQ3_XXS: case R1_DTYPE_IQ3_S:
        words_read(b + 2, bytes, 16, s->word);
        break;
    case R1_DTYPE_IQ1_S: words_read(b + 2, bytes, 12, s->word); break;
    default: words_read(b, bytes, 12, s->word); break; /* IQ1_M */
    }
    switch (type) {
    case R1_DTYPE_IQ3_XXS:
        words_read(b + 66, bytes, 8, v);
        R1I_UNROLL for (int g = 0; g < 8; g++) s->sign[g] = v[g];
        break;
    case R1_DTYPE_IQ3_S: /* high bits, signs, scales */
        words_read(b + 66, bytes, 11, v);
        s->high[0] = v[0], s->high[1] = v[1], s->code[0] = v[10];
        R1I_UNROLL for (int g = 0; g < 8; g++) s->sign[g] = v[2 + g];
        break;
    case R1_DTYPE_IQ2_S: /* high bits, scales */
        words_read(b + 66, bytes, 4, v);
        s->high[0] = v[0], s->high[1] = v[1], s->code[0] = v[2], s->code[1] = v[3];
        break;
    case R1_DTYPE_IQ2_XS:
        words_read(b + 66, bytes, 2, v);
        s->code[0] = v[0], s->code[1] = v[1];
        break;
    default: break;
    }
}

/* ---- scales: the roundings of codebook_scale ---- */

R1I_INLINE __m512 scale_of(const r1_dtype type, __m512 d, __m512i code)
{
    const __m512 c = _mm512_cvtepi32_ps(code), half = _mm512_set1_ps(0.5f), one = _mm512_set1_ps(1.0f),
                 two = _mm512_set1_ps(2.0f);
    switch (type) {
    case R1_DTYPE_IQ3_XXS: return _mm512_mul_ps(_mm512_mul_ps(d, _mm512_add_ps(half, c)), half);
    case R1_DTYPE_IQ3_S: return _mm512_mul_ps(d, _mm512_add_ps(one, _mm512_mul_ps(two, c)));
    case R1_DTYPE_IQ1_S: return _mm512_mul_ps(_mm512_mul_ps(d, _mm512_add_ps(_mm512_mul_ps(two, c), one)),
                                              _mm512_set1_ps(0.125f));
    default: return _mm512_mul_ps(_mm512_mul_ps(d, _mm512_add_ps(half, c)), _mm512_set1_ps(0.25f));
    }
}

/* The scale's code of group g, or of half g: s->word and s->sign keep it in their top bits, or there is a field of
 * nibbles. */
R1I_INLINE __m512i code_of(const r1_dtype type, const codebook_span *s, int g)
{
    switch (type) {
    case R1_DTYPE_IQ2_XXS: return _mm512_srli_epi32(s->word[2 * g + 1], 28);
    case R1_DTYPE_IQ3_XXS: return _mm512_srli_epi32(s->sign[g], 28);
    case R1_DTYPE_IQ1_S: return _mm512_and_si512(w16_shr(s->word[8 + g / 2], 12 + 16 * (g & 1)), _mm512_set1_epi32(7));
    default: return _mm512_and_si512(w16_shr(s->code[g / 8], 4 * (g % 8)), _mm512_set1_epi32(15));
    }
}

R1I_INLINE void span_scales(const r1_dtype type, const uint8_t *b, size_t bytes, const codebook_span *s,
                            quant_tile *restrict t)
{
    const int count = type == R1_DTYPE_IQ2_XS || type == R1_DTYPE_IQ2_S ? 16 : 8;
    _Alignas(32) uint16_t d[LANES];
    for (int n = 0; n < LANES; n++) memcpy(&d[n], b + (size_t)n * bytes, 2);
    const __m512 f = _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)(const void *)d));
    R1I_UNROLL for (int g = 0; g < count; g++) _mm512_store_ps(t->scale[g], scale_of(type, f, code_of(type, s, g)));
}

/* ---- look-ups in registers ---- */

/* table[index], for bytes below 128 and below 256. */
R1I_INLINE __m512i among_128(const uint8_t *table, __m512i index)
{
    return _mm512_permutex2var_epi8(_mm512_load_si512(table), index, _mm512_load_si512(table + 64));
}
R1I_INLINE __m512i among_256(const uint8_t *table, __m512i index)
{
    return _mm512_mask_mov_epi8(among_128(table, index), _mm512_movepi8_mask(index), among_128(table + 128, index));
}

/* Of each word, byte by byte: the eight bits from bit a, b, c, d on. They run on into the word beside it and wrap
 * around. */
R1I_INLINE __m512i bits_from(__m512i v, int a, int b, int c, int d)
{
    const uint64_t at = (uint64_t)(a & 63) | (uint64_t)(b & 63) << 8 | (uint64_t)(c & 63) << 16 |
        (uint64_t)(d & 63) << 24;
    const uint64_t next = (uint64_t)((a + 32) & 63) | (uint64_t)((b + 32) & 63) << 8 | (uint64_t)((c + 32) & 63) << 16 |
        (uint64_t)((d + 32) & 63) << 24;
    return _mm512_multishift_epi64_epi8(_mm512_set1_epi64((long long)(at | next << 32)), v);
}
/* Bits of a where mask has them, of b elsewhere. */
R1I_INLINE __m512i choose(uint8_t mask, __m512i a, __m512i b)
{
    return _mm512_ternarylogic_epi32(_mm512_set1_epi8((char)mask), a, b, 0xca);
}

/* The signs of group g, byte l those of columns 8 l to 8 l + 7. */
R1I_INLINE __m512i span_signs(const r1_dtype type, const codebook_span *s, __m512i high, int g)
{
    switch (type) {
    case R1_DTYPE_IQ2_XXS: return among_128(r1i_codes_even_signs, bits_from(s->word[2 * g + 1], 0, 7, 14, 21));
    case R1_DTYPE_IQ3_XXS: return among_128(r1i_codes_even_signs, bits_from(s->sign[g], 0, 7, 14, 21));
    case R1_DTYPE_IQ2_XS: return among_128(r1i_codes_even_signs, _mm512_srli_epi32(high, 1));
    case R1_DTYPE_IQ2_S: return s->word[8 + g];
    default: return s->sign[g]; /* IQ3_S */
    }
}

/* IQ2, group g: four entries of eight columns. An index is a code (bits 0, 1) and a sign (bit 4); bits 2, 3 and 5 are
 * anything. */
R1I_INLINE void group_iq2(const r1_dtype type, const codebook_span *s, int g, __m512i out[8])
{
    __m512i low, high = _mm512_setzero_si512(), codes[2];
    /* of each half word the low byte, and the high byte: a bit of the index, seven signs */
    if (type == R1_DTYPE_IQ2_XS) {
        const __m512i a = s->word[2 * g], c = s->word[2 * g + 1];
        const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        const __m512i from = _mm512_add_epi32(_mm512_set1_epi32(0x42400200),
                                              _mm512_mullo_epi32(lane, _mm512_set1_epi32(0x04040404)));
        low = _mm512_permutex2var_epi8(a, from, c);
        high = _mm512_permutex2var_epi8(a, _mm512_add_epi8(from, _mm512_set1_epi8(1)), c);
    } else {
        low = s->word[type == R1_DTYPE_IQ2_S ? g : 2 * g];
    }
    R1I_UNROLL for (int h = 0; h < 2; h++) {
        if (type == R1_DTYPE_IQ2_XXS) {
            codes[h] = among_256(r1i_codes_iq2xxs + 256 * h, low);
        } else if (type == R1_DTYPE_IQ2_XS) {
            const uint8_t *const t = r1i_codes_iq2xs + 512 * h;
            codes[h] = _mm512_mask_mov_epi8(among_256(t, low), _mm512_test_epi8_mask(high, _mm512_set1_epi8(1)),
                                            among_256(t + 256, low));
        } else {
            const uint8_t *const t = r1i_codes_iq2s + 1024 * h;
            const __m512i two = bits_from(w16_shr(s->high[g / 4], 8 * (g & 3)), 0, 2, 4, 6);
            const __mmask64 first = _mm512_test_epi8_mask(two, _mm512_set1_epi8(1)),
                            second = _mm512_test_epi8_mask(two, _mm512_set1_epi8(2));
            codes[h] = _mm512_mask_mov_epi8(_mm512_mask_mov_epi8(among_256(t, low), first, among_256(t + 256, low)),
                                            second, _mm512_mask_mov_epi8(among_256(t + 512, low), first,
                                                among_256(t + 768, low)));
        }
    }
    const __m512i signs = span_signs(type, s, high, g);
    const __m256i eights = _mm256_setr_epi8(72, 89, 107, 0, 72, 89, 107, 0, 72, 89, 107, 0, 72, 89, 107, 0,
                                            56, 39, 21, 0, 56, 39, 21, 0, 56, 39, 21, 0, 56, 39, 21, 0);
    const __m512i value = _mm512_broadcast_i32x8(eights); /* 64 +- 8, 25, 43 */
    R1I_UNROLL for (int i = 0; i < 8; i++) {
        const int at = 8 * (i / 2), sign = 4 * i - 4;
        const __m512i code = bits_from(codes[i & 1], at, at + 2, at + 4, at + 6);
        out[i] = _mm512_permutexvar_epi8(choose(0x0f, code, bits_from(signs, sign, sign + 1, sign + 2, sign + 3)),
                                         value);
    }
}

/* IQ3, group g: eight entries of four columns. An index is the code's high bit (1), its low ones (2, 3) and a sign (5);
 * bits 0 and 4 are anything. */
R1I_INLINE void group_iq3(const r1_dtype type, const codebook_span *s, int g, __m512i out[8])
{
    const __m512i signs = span_signs(type, s, _mm512_setzero_si512(), g);
    const int step = type == R1_DTYPE_IQ3_S ? 2 : 8, least = type == R1_DTYPE_IQ3_S ? 1 : 4;
    _Alignas(64) int8_t table[64];
    for (int i = 0; i < 64; i++) {
        const int code = (i >> 2 & 3) + 4 * (i >> 1 & 1),
                  v = type == R1_DTYPE_IQ3_XXS && code == 7 ? 62 : least + step * code;
        table[i] = (int8_t)(i & 32 ? 64 - v : 64 + v);
    }
    const __m512i value = _mm512_load_si512(table);
    R1I_UNROLL for (int h = 0; h < 2; h++) {
        const __m512i index = s->word[2 * g + h];
        __m512i low, top;
        if (type == R1_DTYPE_IQ3_XXS) {
            low = among_256(r1i_codes_iq3xxs, index);
            top = among_256(r1i_codes_iq3xxs + 256, index);
        } else {
            const __m512i one = bits_from(w16_shr(s->high[g / 4], 8 * (g & 3)), 4 * h, 4 * h + 1, 4 * h + 2, 4 * h + 3);
            const __mmask64 ninth = _mm512_test_epi8_mask(one, _mm512_set1_epi8(1));
            low = _mm512_mask_mov_epi8(among_256(r1i_codes_iq3s, index), ninth, among_256(r1i_codes_iq3s + 256, index));
            top = _mm512_mask_mov_epi8(among_256(r1i_codes_iq3s + 512, index), ninth,
                                       among_256(r1i_codes_iq3s + 768, index));
        }
        const int first = 16 * h - 4;
        /* a byte: four high bits, four signs */
        top = choose(0x0f, top, bits_from(signs, first, first + 4, first + 8, first + 12));
        R1I_UNROLL for (int k = 0; k < 4; k++) {
            const int a = 8 * k - 2, t = 8 * k - 1;
            out[4 * h + k] = _mm512_permutexvar_epi8(choose(0x0c, bits_from(low, a, a + 2, a + 4, a + 6),
                                                            bits_from(top, t, t + 1, t + 2, t + 3)), value);
        }
    }
}

/* IQ1, group g: four entries of eight columns, each one of 2048. Bytes 64 + 8 e, and +-1 for the group (IQ1_S) or the
 * entry (IQ1_M): an index is a code (bits 0, 1) and that sign (bit 4). */
R1I_INLINE void group_iq1(const r1_dtype type, const codebook_span *s, int g, __m512i out[8])
{
    const int a = 16 * (g & 1), step = type == R1_DTYPE_IQ1_S ? 3 : 4;
    const __m512i low = s->word[g], half = w16_shr(s->word[8 + g / 2], a),
                  high = bits_from(half, 0, step, 2 * step, 3 * step);
    const __mmask64 bit8 = _mm512_test_epi8_mask(high, _mm512_set1_epi8(1)),
                    bit9 = _mm512_test_epi8_mask(high, _mm512_set1_epi8(2)),
                    bit10 = _mm512_test_epi8_mask(high, _mm512_set1_epi8(4));
    const __m512i less = type == R1_DTYPE_IQ1_S
        ? _mm512_maskz_set1_epi32(_mm512_test_epi32_mask(half, _mm512_set1_epi32(0x8000)), 0x10101010)
                                                : _mm512_maskz_set1_epi8(_mm512_test_epi8_mask(high,
                                                    _mm512_set1_epi8(8)), 0x10);
    const __m512i value =
        _mm512_broadcast_i32x8(_mm256_setr_epi8(57, 65, 73, 0, 57, 65, 73, 0, 57, 65, 73, 0, 57, 65, 73, 0, 55, 63, 71,
                                                0, 55, 63, 71, 0, 55, 63, 71, 0, 55, 63, 71, 0));
    R1I_UNROLL for (int h = 0; h < 2; h++) {
        __m512i code[4];
        R1I_UNROLL for (int i = 0; i < 4; i++) {
            const uint8_t *const t = r1i_codes_iq1 + 2048 * h + 512 * i;
            code[i] = _mm512_mask_mov_epi8(among_256(t, low), bit8, among_256(t + 256, low));
        }
        code[0] = _mm512_mask_mov_epi8(_mm512_mask_mov_epi8(code[0], bit9, code[1]), bit10,
                                       _mm512_mask_mov_epi8(code[2], bit9, code[3]));
        R1I_UNROLL for (int l = 0; l < 4; l++) {
            const __m512i four = bits_from(code[0], 8 * l, 8 * l + 2, 8 * l + 4, 8 * l + 6);
            const __m512i sign = type == R1_DTYPE_IQ1_S ? less : bits_from(less, 8 * l, 8 * l, 8 * l, 8 * l);
            out[2 * l + h] = _mm512_permutexvar_epi8(choose(0x0f, four, sign), value);
        }
    }
}

R1I_INLINE void group_codebook(const r1_dtype type, const codebook_span *s, int g, __m512i out[8])
{
    switch (type) {
    case R1_DTYPE_IQ2_XXS: case R1_DTYPE_IQ2_XS: case R1_DTYPE_IQ2_S: group_iq2(type, s, g, out); return;
    case R1_DTYPE_IQ3_XXS: case R1_DTYPE_IQ3_S: group_iq3(type, s, g, out); return;
    default: group_iq1(type, s, g, out); return;
    }
}

/* What group_codebook needs of a span, and t's scales. */
R1I_INLINE void codebook_open(const r1_dtype type, const uint8_t *b, codebook_span *s, quant_tile *restrict t)
{
    const size_t bytes = (size_t)r1i_dtype(type)->block_bytes;
    span_read(type, b, bytes, s);
    if (type == R1_DTYPE_IQ1_M) codebook_scales(type, b, bytes, t);
    else span_scales(type, b, bytes, s, t);
}

R1I_INLINE void tile_codebook_512(const r1_dtype type, const uint8_t *b, quant_tile *restrict t)
{
    codebook_span s;
    codebook_open(type, b, &s, t);
    for (int g = 0; g < TILE_GROUPS; g++) {
        __m512i v[8];
        group_codebook(type, &s, g, v);
        R1I_UNROLL for (int i = 0; i < 8; i++) _mm512_store_si512(tile_group(t, g) + LANES * i, v[i]);
    }
}

#endif

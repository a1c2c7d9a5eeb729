/* Four rows' words of four bytes, turned: packing takes 16 bytes of each of four rows and writes words 0 of all, words
 * 1, and so on. Vectors of the compiler's, so that every instruction set has them. */
#ifndef R1I_PANEL_WORDS_H
#define R1I_PANEL_WORDS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define R1I_PACK_INLINE static inline __attribute__((always_inline))

typedef uint32_t r1i_words4 __attribute__((vector_size(16)));

/* v[w]: word w of each of the four rows that begin at p, `step` bytes apart. */
R1I_PACK_INLINE void r1i_words4_turned(const uint8_t *p, size_t step, r1i_words4 v[4])
{
    r1i_words4 a, b, c, d;
    memcpy(&a, p, sizeof a);
    memcpy(&b, p + step, sizeof b);
    memcpy(&c, p + 2 * step, sizeof c);
    memcpy(&d, p + 3 * step, sizeof d);
    const r1i_words4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), AB = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const r1i_words4 cd = __builtin_shufflevector(c, d, 0, 4, 1, 5), CD = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    v[0] = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    v[1] = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    v[2] = __builtin_shufflevector(AB, CD, 0, 1, 4, 5);
    v[3] = __builtin_shufflevector(AB, CD, 2, 3, 6, 7);
}

#endif

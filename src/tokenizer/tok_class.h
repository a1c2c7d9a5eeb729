/* What the pre-tokeniser patterns ask of a character: one byte of flags a code point, tabled at open from utf8proc. */
#ifndef R1I_TOK_CLASS_H
#define R1I_TOK_CLASS_H

#include "base/error.h"
#include "tokenizer/tok_utf8.h"

enum {
    R1I_CLASS_L = 1,      /* \p{L} */
    R1I_CLASS_M = 2,      /* \p{M} */
    R1I_CLASS_N = 4,      /* \p{N} */
    R1I_CLASS_P = 8,      /* \p{P} */
    R1I_CLASS_S = 16,     /* \p{S} */
    R1I_CLASS_SPACE = 32, /* White_Space, exactly */
    R1I_CLASS_BREAK = 64, /* CR, LF */
    R1I_CLASS_CJK = 128   /* the second step of DeepSeek-V3: U+4E00-9FA5, U+3040-30FF */
};

/* Planes 0 to 3 are tabled; above are only private use, tags and variation selectors. */
#define R1I_CLASS_TABLED 0x40000u

typedef struct r1i_classes {
    uint8_t *flags;      /* [R1I_CLASS_TABLED] */
    uint8_t *nfc_stable; /* [R1I_CLASS_TABLED] or NULL; 1: such a character never changes nor touches what is before */
} r1i_classes;

r1_status r1i_classes_make(r1i_classes *c, bool nfc, r1_error *err);
void r1i_classes_free(r1i_classes *c);

uint8_t r1i_class_compute(uint32_t cp);

/* Flags of the character at p of well-formed text, and its size. */
static inline unsigned r1i_class_at(const r1i_classes *c, const uint8_t *p, unsigned *size)
{
    if (p[0] < 0x80) {
        *size = 1;
        return c->flags[p[0]];
    }
    const uint32_t cp = r1i_utf8_get(p, size);
    return cp < R1I_CLASS_TABLED ? c->flags[cp] : r1i_class_compute(cp);
}

#endif

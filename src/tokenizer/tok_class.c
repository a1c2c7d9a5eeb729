#include "tokenizer/tok_class.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/tok_unicode.h"

static bool is_white_space(uint32_t cp)
{
    return (cp >= 0x09 && cp <= 0x0D) || cp == 0x20 || cp == 0x85 || cp == 0xA0 || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 || cp == 0x202F || cp == 0x205F ||
           cp == 0x3000;
}

uint8_t r1i_class_compute(uint32_t cp)
{
    unsigned f = 0;
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        f = R1I_CLASS_L;
        break;
    case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_MC: case UTF8PROC_CATEGORY_ME:
        f = R1I_CLASS_M;
        break;
    case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL: case UTF8PROC_CATEGORY_NO:
        f = R1I_CLASS_N;
        break;
    case UTF8PROC_CATEGORY_PC: case UTF8PROC_CATEGORY_PD: case UTF8PROC_CATEGORY_PS: case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI: case UTF8PROC_CATEGORY_PF: case UTF8PROC_CATEGORY_PO:
        f = R1I_CLASS_P;
        break;
    case UTF8PROC_CATEGORY_SM: case UTF8PROC_CATEGORY_SC: case UTF8PROC_CATEGORY_SK: case UTF8PROC_CATEGORY_SO:
        f = R1I_CLASS_S;
        break;
    default:
        break;
    }
    if (is_white_space(cp)) f |= R1I_CLASS_SPACE;
    if (cp == '\r' || cp == '\n') f |= R1I_CLASS_BREAK;
    if ((cp >= 0x4E00 && cp <= 0x9FA5) || (cp >= 0x3040 && cp <= 0x30FF)) f |= R1I_CLASS_CJK;
    return (uint8_t)f;
}

/* NFC_Quick_Check = Yes and combining class 0: a text of such characters only is in NFC, and each of them is a place
 * where a text may be cut for normalising. */
static bool is_nfc_stable(uint32_t cp)
{
    const utf8proc_property_t *const p = utf8proc_get_property((utf8proc_int32_t)cp);
    uint8_t utf8[4];
    utf8proc_int32_t buffer[64]; /* the longest canonical decomposition has 4 characters */
    if (p->combining_class != 0) return false;
    if (p->comb_index != UINT16_MAX && p->comb_index >= 0x8000) return false; /* may join the character before it */
    if (cp >= 0x1161 && cp <= 0x11FF) return false;                           /* Hangul vowels and finals do too */
    if (cp >= 0xAC00 && cp <= 0xD7A3) return true;
    if (p->decomp_seqindex == UINT16_MAX || p->decomp_type != 0) return true; /* no canonical decomposition */
    if (cp >= 0xD800 && cp <= 0xDFFF) return false;
    const unsigned n = r1i_utf8_put(utf8, cp);
    utf8proc_ssize_t m = utf8proc_decompose(utf8, (utf8proc_ssize_t)n, buffer, 63, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (m < 0 || m > 63) return false;
    m = utf8proc_reencode(buffer, m, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    return m == (utf8proc_ssize_t)n && memcmp(utf8, buffer, n) == 0;
}

r1_status r1i_classes_make(r1i_classes *c, bool nfc, r1_error *err)
{
    *c = (r1i_classes){0};
    c->flags = malloc(R1I_CLASS_TABLED);
    if (nfc) c->nfc_stable = malloc(R1I_CLASS_TABLED);
    if (!c->flags || (nfc && !c->nfc_stable)) {
        r1i_classes_free(c);
        return r1i_fail(err, R1_ERR_NOMEM, "character classes, %u bytes", R1I_CLASS_TABLED);
    }
    for (uint32_t cp = 0; cp < R1I_CLASS_TABLED; cp++) {
        c->flags[cp] = r1i_class_compute(cp);
        if (nfc) c->nfc_stable[cp] = is_nfc_stable(cp);
    }
    return R1_OK;
}

void r1i_classes_free(r1i_classes *c)
{
    free(c->flags);
    free(c->nfc_stable);
    *c = (r1i_classes){0};
}

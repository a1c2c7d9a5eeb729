/* Ids back to text: bytes are joined first and read as UTF-8 afterwards, so a character may span tokens. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/tok.h"

/* Where the vocabulary keeps an id's bytes, or NULL when it adds none. */
static const uint8_t *visible(const r1_tokenizer *t, int32_t id, unsigned flags, size_t *n)
{
    const char *bytes;
    if (!r1_tokenizer_token_bytes(t, id, &bytes, n)) return NULL;
    if ((flags & R1_DECODE_SKIP_SPECIAL) && r1_tokenizer_is_special(t, id)) *n = 0;
    return (const uint8_t *)bytes;
}

r1_status r1_tokenizer_decode(const r1_tokenizer *t, const int32_t *ids, size_t n, unsigned flags, char **text,
                              size_t *bytes, r1_error *err)
{
    size_t total = 0, size, left;
    *text = NULL;
    *bytes = 0;
    for (size_t i = 0; i < n; i++) {
        if (!visible(t, ids[i], flags, &size))
            return r1i_fail(err, R1_ERR_RANGE, "token id %d (number %zu) has no text; ids 0 to %d are defined", ids[i],
                            i, r1_tokenizer_size(t) - 1);
        if (!r1i_add_size(total, size, &total)) return r1i_fail(err, R1_ERR_NOMEM, "text of %zu tokens", n);
    }
    uint8_t *const raw = malloc(total + 1);
    uint8_t *const out = raw ? malloc(3 * total + 1) : NULL; /* a bad byte becomes three */
    if (!out) {
        free(raw);
        return r1i_fail(err, R1_ERR_NOMEM, "text of %zu bytes", total);
    }
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *const p = visible(t, ids[i], flags, &size);
        if (size) memcpy(raw + at, p, size);
        at += size;
    }
    *bytes = r1i_utf8_mend(out, raw, total, false, &left);
    out[*bytes] = 0;
    free(raw);
    *text = (char *)out;
    return R1_OK;
}

size_t r1_detokenizer_room(const r1_tokenizer *t) { return 3 * (t->vocab.longest + 4); }

size_t r1_detokenizer_push(r1_detokenizer *d, const r1_tokenizer *t, int32_t id, unsigned flags, char *out, size_t cap)
{
    size_t n, o = 0, left;
    const uint8_t *p = visible(t, id, flags, &n);
    if (!p || n == 0 || cap < 3 * (n + 4)) return 0;
    while (d->n_tail > 0) { /* finish the character that earlier tokens began */
        uint8_t whole[4];
        const size_t had = (size_t)d->n_tail, take = n < 4 - had ? n : 4 - had;
        memcpy(whole, d->tail, had);
        memcpy(whole + had, p, take);
        const r1i_utf8 c = r1i_utf8_check(whole, had + take);
        if (c.kind == R1I_UTF8_PARTIAL) { /* the token is used up */
            memcpy(d->tail + had, p, take);
            d->n_tail = (int)(had + take);
            return o;
        }
        /* a bad part never reaches past what was held: it was a good beginning until the byte after it */
        const size_t used = c.size > had ? c.size - had : 0;
        if (c.kind == R1I_UTF8_OK) memcpy(out, whole, c.size);
        else memcpy(out, "\xEF\xBF\xBD", 3);
        o = c.kind == R1I_UTF8_OK ? c.size : 3;
        p += used;
        n -= used;
        d->n_tail = 0;
    }
    o += r1i_utf8_mend((uint8_t *)out + o, p, n, true, &left);
    memcpy(d->tail, p + n - left, left);
    d->n_tail = (int)left;
    return o;
}

size_t r1_detokenizer_finish(r1_detokenizer *d, char *out, size_t cap)
{
    if (d->n_tail == 0 || cap < 3) return 0;
    d->n_tail = 0;
    memcpy(out, "\xEF\xBF\xBD", 3); /* a cut-off character is one bad part */
    return 3;
}

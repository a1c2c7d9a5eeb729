/* Text to ids: mend ill-formed bytes, cut at added tokens where the text may be trusted, normalise and pre-tokenise
 * what lies between, merge each piece. A cache of the call's own pieces spares most of the merging. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/tok.h"

/* A piece met before in this call: its text and where its ids stand in the output. */
typedef struct cached {
    const uint8_t *p;
    uint32_t n, count;
    size_t at;
} cached;

#define CACHE_MIN_BITS 8
#define CACHE_MAX_BITS 16 /* 1.5 MiB: larger ones miss the processor's cache more than they save */
#define CACHED_PIECE 64   /* longest */

/* Memory that lives until the call ends: pieces in the cache point into it. */
typedef struct block {
    struct block *next;
    uint8_t bytes[];
} block;

typedef struct encoder {
    const r1_tokenizer *t;
    r1i_ids ids;
    cached *cache;
    unsigned cache_shift;
    block *blocks;
    r1i_split_run split;
} encoder;

static uint8_t *room(void *user, size_t n)
{
    encoder *const e = user;
    size_t bytes;
    block *const b = r1i_add_size(sizeof *b, n, &bytes) ? malloc(bytes) : NULL;
    if (!b) return NULL;
    b->next = e->blocks;
    e->blocks = b;
    return b->bytes;
}

static r1_status encode_piece(encoder *e, const uint8_t *p, size_t n, r1_error *err)
{
    const r1i_vocab *const v = &e->t->vocab;
    if (e->t->ignore_merges) {
        const int32_t id = r1i_vocab_find(v, p, n);
        if (id >= 0 && !(v->flag[id] & R1I_TOKEN_SPECIAL)) return r1i_ids_push(&e->ids, id, err);
    }
    return r1i_bpe(v, p, n, &e->ids, err);
}

static r1_status piece(void *user, const uint8_t *p, size_t n, r1_error *err)
{
    encoder *const e = user;
    if (n > CACHED_PIECE || !e->cache) return encode_piece(e, p, n, err);
    cached *const c = &e->cache[r1i_hash_bytes(p, n) >> e->cache_shift];
    if (c->n == n && memcmp(c->p, p, n) == 0) {
        const r1_status st = r1i_ids_reserve(&e->ids, c->count, err);
        if (st != R1_OK) return st;
        const int32_t *const from = e->ids.id + c->at;
        int32_t *const to = e->ids.id + e->ids.n;
        for (uint32_t i = 0; i < c->count; i++) to[i] = from[i];
        e->ids.n += c->count;
        return R1_OK;
    }
    const size_t at = e->ids.n;
    const r1_status st = encode_piece(e, p, n, err);
    *c = (cached){p, st == R1_OK ? (uint32_t)n : 0, (uint32_t)(e->ids.n - at), at};
    return st;
}

/* Normalise p[0..n); a changed text is kept to the end of the call. */
static r1_status normalized(encoder *e, const uint8_t **p, size_t *n, r1_error *err)
{
    uint8_t *out;
    size_t out_n;
    if (e->t->normal.n == 0) return R1_OK;
    r1_status st = r1i_normalize(&e->t->normal, &e->t->classes, &e->split.match, *p, *n, &out, &out_n, err);
    if (st != R1_OK || out == *p) return st;
    uint8_t *const kept = room(e, out_n);
    if (kept && out_n) memcpy(kept, out, out_n);
    free(out);
    if (!kept) return r1i_fail(err, R1_ERR_NOMEM, "normalised text of %zu bytes", out_n);
    *p = kept;
    *n = out_n;
    return R1_OK;
}

/* Trusted regions of a text, sorted and apart from each other. */
typedef struct regions {
    const r1_span *span;
    size_t n;
} regions;

typedef r1_status (*gap_fn)(encoder *e, const uint8_t *text, size_t begin, size_t end, const regions *where,
                            r1_error *err);

/* Cut text[begin..end) at the tokens of a trie that lie inside trusted regions; the rest goes to `gap` in order. */
static r1_status cut(encoder *e, const r1i_added *added, const uint8_t *text, size_t begin, size_t end,
                     const regions *where, gap_fn gap, r1_error *err)
{
    size_t done = begin;
    for (size_t k = 0; k < where->n && added->nodes; k++) {
        size_t from = where->span[k].begin > done ? where->span[k].begin : done;
        const size_t limit = where->span[k].end < end ? where->span[k].end : end;
        r1i_added_match m;
        while (from < limit && r1i_added_find(added, &e->t->classes, text, end, done, from, limit, &m)) {
            r1_status st = m.begin > done ? gap(e, text, done, m.begin, where, err) : R1_OK;
            if (st == R1_OK) st = r1i_ids_push(&e->ids, m.id, err);
            if (st != R1_OK) return st;
            done = from = m.end;
        }
    }
    return done < end ? gap(e, text, done, end, where, err) : R1_OK;
}

static r1_status plain_gap(encoder *e, const uint8_t *text, size_t begin, size_t end, const regions *where,
                           r1_error *err)
{
    (void)where;
    return r1i_split(&e->split, text + begin, end - begin, err);
}

static r1_status raw_gap(encoder *e, const uint8_t *text, size_t begin, size_t end, const regions *where, r1_error *err)
{
    const uint8_t *p = text + begin;
    size_t n = end - begin;
    (void)where;
    const r1_status st = normalized(e, &p, &n, err);
    return st == R1_OK ? r1i_split(&e->split, p, n, err) : st;
}

/* Between tokens of the first kind: those of the second are found in the normalised text. Where only parts may be
 * trusted and normalising would move them, they are found in the text as it is. */
static r1_status second_pass(encoder *e, const uint8_t *text, size_t begin, size_t end, const regions *where,
                             r1_error *err)
{
    size_t k = 0;
    const uint8_t *p = text + begin;
    size_t n = end - begin;
    if (e->t->normalized.nodes == 0) return raw_gap(e, text, begin, end, where, err);
    while (k < where->n && where->span[k].end <= begin) k++;
    const bool whole = k < where->n && where->span[k].begin <= begin && where->span[k].end >= end;
    if (!whole) return cut(e, &e->t->normalized, text, begin, end, where, raw_gap, err);
    const r1_status st = normalized(e, &p, &n, err);
    const r1_span all = {0, n, true};
    return st == R1_OK ? cut(e, &e->t->normalized, p, 0, n, &(regions){&all, 1}, plain_gap, err) : st;
}

static r1_status encoder_begin(encoder *e, const r1_tokenizer *t, size_t text_bytes, r1_error *err)
{
    unsigned bits = CACHE_MIN_BITS;
    *e = (encoder){.t = t};
    while (bits < CACHE_MAX_BITS && (size_t)1 << bits < text_bytes / 4) bits++;
    e->cache_shift = 64 - bits;
    e->cache = calloc((size_t)1 << bits, sizeof *e->cache);
    e->split = (r1i_split_run){.splitter = &t->splitter, .classes = &t->classes, .piece = piece, .room = room,
                               .user = e};
    if (!e->cache) return r1i_fail(err, R1_ERR_NOMEM, "piece cache of %zu entries", (size_t)1 << bits);
    return r1i_ids_reserve(&e->ids, text_bytes / 3 + 8, err);
}

static void encoder_end(encoder *e)
{
    r1i_match_free(&e->split.match);
    free(e->cache);
    for (block *b = e->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(e->ids.id);
}

/* Text with ill-formed parts replaced, span by span: a character that a border cuts is ill-formed on both sides, so no
 * byte of an untrusted span can complete a character of a trusted one. `spans` are rewritten to fit. */
static r1_status mend(encoder *e, const uint8_t **text, size_t *n, r1_span *spans, size_t n_spans, r1_error *err)
{
    size_t k = 0, o = 0, left;
    while (k < n_spans && r1i_utf8_valid_prefix(*text + spans[k].begin, spans[k].end - spans[k].begin) ==
                              spans[k].end - spans[k].begin)
        k++;
    if (k == n_spans) return R1_OK;
    uint8_t *const out = *n < SIZE_MAX / 4 ? room(e, 3 * *n) : NULL;
    if (!out) return r1i_fail(err, R1_ERR_NOMEM, "text of %zu bytes", *n);
    for (k = 0; k < n_spans; k++) {
        const size_t begin = o;
        o += r1i_utf8_mend(out + o, *text + spans[k].begin, spans[k].end - spans[k].begin, false, &left);
        spans[k].begin = begin;
        spans[k].end = o;
    }
    *text = out;
    *n = o;
    return R1_OK;
}

/* Trusted spans, neighbours joined; in place. */
static size_t join_trusted(r1_span *spans, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (!spans[i].trusted || spans[i].begin == spans[i].end) continue;
        if (k > 0 && spans[k - 1].end == spans[i].begin) spans[k - 1].end = spans[i].end;
        else spans[k++] = spans[i];
    }
    return k;
}

/* spans tile the text and are ours to change. */
static r1_status encode(const r1_tokenizer *t, const char *text, size_t n, r1_span *spans, size_t n_spans, bool bos,
                        int32_t **ids, size_t *n_ids, r1_error *err)
{
    encoder e;
    const uint8_t *p = (const uint8_t *)text;
    r1_status st = encoder_begin(&e, t, n, err);
    if (st == R1_OK && bos) st = r1i_ids_push(&e.ids, t->bos, err);
    if (st == R1_OK) st = mend(&e, &p, &n, spans, n_spans, err);
    if (st == R1_OK && n > 0) {
        const regions where = {spans, join_trusted(spans, n_spans)};
        st = cut(&e, &t->raw, p, 0, n, &where, second_pass, err);
    }
    if (st == R1_OK) {
        *ids = e.ids.id;
        *n_ids = e.ids.n;
        e.ids.id = NULL;
    }
    encoder_end(&e);
    return st;
}

r1_status r1_tokenizer_encode(const r1_tokenizer *t, const char *text, size_t bytes, unsigned flags, int32_t **ids,
                              size_t *n, r1_error *err)
{
    r1_span all = {0, bytes, !(flags & R1_ENCODE_PLAIN)};
    *ids = NULL;
    *n = 0;
    return encode(t, text, bytes, &all, 1, (flags & R1_ENCODE_BOS) && r1_tokenizer_adds_bos(t), ids, n, err);
}

r1_status r1_tokenizer_encode_spans(const r1_tokenizer *t, const char *text, size_t bytes, const r1_span *spans,
                                    size_t n_spans, int32_t **ids, size_t *n, r1_error *err)
{
    size_t at = 0;
    *ids = NULL;
    *n = 0;
    for (size_t i = 0; i < n_spans; i++) {
        if (spans[i].begin != at || spans[i].end < at || spans[i].end > bytes)
            return r1i_fail(err, R1_ERR_USAGE, "span %zu is [%zu, %zu): spans must tile the text of %zu bytes", i,
                            spans[i].begin, spans[i].end, bytes);
        at = spans[i].end;
    }
    if (at != bytes) return r1i_fail(err, R1_ERR_USAGE, "spans end at byte %zu of %zu", at, bytes);
    r1_span *const mine = malloc((n_spans + 1) * sizeof *mine);
    if (!mine) return r1i_fail(err, R1_ERR_NOMEM, "%zu spans", n_spans);
    if (n_spans) memcpy(mine, spans, n_spans * sizeof *mine);
    const r1_status st = encode(t, text, bytes, mine, n_spans, false, ids, n, err);
    free(mine);
    return st;
}

typedef struct observer {
    encoder e;
    void (*piece)(void *user, const uint8_t *p, size_t n);
    void *user;
} observer;

static r1_status observe(void *user, const uint8_t *p, size_t n, r1_error *err)
{
    observer *const o = user;
    (void)err;
    o->piece(o->user, p, n);
    return R1_OK;
}

r1_status r1i_tok_pieces(const r1_tokenizer *t, const char *text, size_t n,
                         void (*piece_fn)(void *user, const uint8_t *p, size_t n), void *user, r1_error *err)
{
    observer o = {.piece = piece_fn, .user = user};
    const uint8_t *p = (const uint8_t *)text;
    r1_span all = {0, n, false};
    r1_status st = encoder_begin(&o.e, t, n, err);
    o.e.split.piece = observe;
    o.e.split.user = &o;
    if (st == R1_OK) st = mend(&o.e, &p, &n, &all, 1, err);
    if (st == R1_OK) st = normalized(&o.e, &p, &n, err);
    if (st == R1_OK) st = r1i_split(&o.e.split, p, n, err);
    encoder_end(&o.e);
    return st;
}

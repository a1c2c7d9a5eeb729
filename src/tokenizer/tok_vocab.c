#include "tokenizer/tok_vocab.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/tok_bpe.h"
#include "tokenizer/tok_utf8.h"

void r1i_vocab_init(r1i_vocab *v)
{
    *v = (r1i_vocab){.unknown = -1};
    for (int b = 0; b < 256; b++) v->byte_id[b] = -1;
}

void r1i_vocab_free(r1i_vocab *v)
{
    free(v->token);
    free(v->flag);
    free(v->text);
    free(v->slot);
    free(v->pair);
    free(v->merged);
    free(v->byte_pair);
    r1i_vocab_init(v);
}

static bool grow(void **p, size_t bytes)
{
    void *const q = realloc(*p, bytes);
    if (q) *p = q;
    return q != NULL;
}

static r1_status ensure_ids(r1i_vocab *v, size_t n, r1_error *err)
{
    if (n <= v->cap) return R1_OK;
    size_t cap = v->cap ? v->cap * 2 : 1024;
    if (cap < n) cap = n;
    if (!grow((void **)&v->token, cap * sizeof *v->token) || !grow((void **)&v->flag, cap))
        return r1i_fail(err, R1_ERR_NOMEM, "vocabulary of %zu ids", cap);
    memset(v->flag + v->cap, 0, cap - v->cap);
    v->cap = cap;
    return R1_OK;
}

static r1_status ensure_text(r1i_vocab *v, size_t more, r1_error *err)
{
    if (more <= v->text_cap - v->text_bytes) return R1_OK;
    const size_t cap = (v->text_bytes + more) * 2;
    if (cap > UINT32_MAX) return r1i_fail(err, R1_ERR_RANGE, "vocabulary text above 2 GiB");
    if (!grow((void **)&v->text, cap)) return r1i_fail(err, R1_ERR_NOMEM, "vocabulary text, %zu bytes", cap);
    v->text_cap = cap;
    return R1_OK;
}

static void slot_put(uint64_t *slot, size_t slots, uint64_t hash, uint64_t id_plus_1)
{
    size_t i = (size_t)hash & (slots - 1);
    while (slot[i]) i = (i + 1) & (slots - 1);
    slot[i] = (hash >> 32) << 32 | id_plus_1;
}

static r1_status grow_slots(r1i_vocab *v, size_t slots, r1_error *err)
{
    uint64_t *const slot = calloc(slots, sizeof *slot);
    if (!slot) return r1i_fail(err, R1_ERR_NOMEM, "vocabulary hash of %zu slots", slots);
    for (size_t i = 0; i < v->slots; i++) {
        if (!v->slot[i]) continue;
        const r1i_token t = v->token[(uint32_t)v->slot[i] - 1];
        slot_put(slot, slots, r1i_hash_bytes(v->text + t.at, t.size), (uint32_t)v->slot[i]);
    }
    free(v->slot);
    v->slot = slot;
    v->slots = slots;
    return R1_OK;
}

r1_status r1i_vocab_reserve(r1i_vocab *v, size_t ids, size_t text_bytes, r1_error *err)
{
    size_t slots = 4096;
    if (ids > R1I_VOCAB_MAX_IDS) ids = R1I_VOCAB_MAX_IDS;
    while (slots <= ids * 2) slots *= 2;
    r1_status st = ensure_ids(v, ids, err);
    if (st == R1_OK && text_bytes <= UINT32_MAX / 4) st = ensure_text(v, text_bytes / 2, err); /* it doubles */
    return st == R1_OK && slots > v->slots ? grow_slots(v, slots, err) : st;
}

int32_t r1i_vocab_find(const r1i_vocab *v, const uint8_t *text, size_t n)
{
    if (v->slots == 0) return -1;
    const uint64_t hash = r1i_hash_bytes(text, n);
    for (size_t i = (size_t)hash & (v->slots - 1); v->slot[i]; i = (i + 1) & (v->slots - 1)) {
        if (v->slot[i] >> 32 != hash >> 32) continue;
        const uint32_t id = (uint32_t)v->slot[i] - 1;
        if (v->token[id].size == n && memcmp(v->text + v->token[id].at, text, n) == 0) return (int32_t)id;
    }
    return -1;
}

static r1_status index_for_bpe(r1i_vocab *v, int32_t id, r1_error *err)
{
    const r1i_token t = v->token[id];
    if (r1i_vocab_find(v, v->text + t.at, t.size) >= 0)
        return r1i_fail(err, R1_ERR_FORMAT, "token %d has the text of token %d", id,
                        r1i_vocab_find(v, v->text + t.at, t.size));
    if (v->filled * 2 >= v->slots) {
        const r1_status st = grow_slots(v, v->slots ? v->slots * 2 : 4096, err);
        if (st != R1_OK) return st;
    }
    slot_put(v->slot, v->slots, r1i_hash_bytes(v->text + t.at, t.size), (uint64_t)id + 1);
    v->filled++;
    if (t.size == 1) v->byte_id[v->text[t.at]] = id;
    return R1_OK;
}

r1_status r1i_vocab_define(r1i_vocab *v, int64_t id, const uint8_t *text, size_t n, unsigned flags, r1_error *err)
{
    r1_status st;
    if (id < 0 || id >= R1I_VOCAB_MAX_IDS)
        return r1i_fail(err, R1_ERR_RANGE, "token id %lld, 0 to %d expected", (long long)id, R1I_VOCAB_MAX_IDS - 1);
    const size_t i = (size_t)id;
    if (i < v->size && (v->flag[i] & R1I_TOKEN_DEFINED)) {
        if (v->token[i].size != n || memcmp(v->text + v->token[i].at, text, n) != 0)
            return r1i_fail(err, R1_ERR_FORMAT, "token id %zu has two texts, \"%.*s\" and \"%.*s\"", i,
                            (int)(v->token[i].size < 64 ? v->token[i].size : 64),
                            (const char *)v->text + v->token[i].at, (int)(n < 64 ? n : 64), (const char *)text);
        v->flag[i] |= (uint8_t)flags;
        return R1_OK;
    }
    if ((st = ensure_ids(v, i + 1, err)) != R1_OK || (st = ensure_text(v, n, err)) != R1_OK) return st;
    if (n) memcpy(v->text + v->text_bytes, text, n);
    v->token[i] = (r1i_token){(uint32_t)v->text_bytes, (uint32_t)n};
    v->flag[i] = (uint8_t)(flags | R1I_TOKEN_DEFINED);
    v->text_bytes += n;
    if (n > v->longest) v->longest = n;
    if (i + 1 > v->size) v->size = i + 1;
    return (flags & R1I_TOKEN_BPE) && n ? index_for_bpe(v, (int32_t)i, err) : R1_OK;
}

r1_status r1i_vocab_begin_merges(r1i_vocab *v, uint64_t n, r1_error *err)
{
    if (n > R1I_VOCAB_MAX_MERGES)
        return r1i_fail(err, R1_ERR_UNSUPPORTED, "%llu merges, at most %d", (unsigned long long)n,
                        R1I_VOCAB_MAX_MERGES);
    unsigned bits = 4;
    while ((size_t)1 << bits < n * 2) bits++;
    v->pairs = (size_t)1 << bits;
    v->pair_shift = 64 - bits;
    v->merges = 0;
    v->merges_cap = (size_t)n;
    v->pair = malloc(v->pairs * sizeof *v->pair);
    v->merged = malloc((size_t)(n ? n : 1) * sizeof *v->merged);
    if (!v->pair || !v->merged) return r1i_fail(err, R1_ERR_NOMEM, "%llu merges", (unsigned long long)n);
    memset(v->pair, 0xFF, v->pairs * sizeof *v->pair);
    for (size_t i = 0; i < n; i++) v->merged[i] = -1;
    return R1_OK;
}

r1_status r1i_vocab_add_merge(r1i_vocab *v, int32_t left, int32_t right, int32_t result, uint32_t rank, r1_error *err)
{
    if (rank >= v->merges_cap) return r1i_fail(err, R1_ERR_BUG, "merge rank %u of %zu", rank, v->merges_cap);
    v->merged[rank] = result;
    if (left < 0 || right < 0 || result < 0) return R1_OK;
    const uint64_t key = (uint64_t)(uint32_t)left << 21 | (uint32_t)right;
    size_t i = (size_t)(key * 0x9E3779B97F4A7C15u >> v->pair_shift);
    while (v->pair[i] != UINT64_MAX && v->pair[i] >> 22 != key) i = (i + 1) & (v->pairs - 1);
    v->pair[i] = key << 22 | rank; /* a pair listed twice counts with its last rank, as in the reference */
    v->merges++;
    return R1_OK;
}

r1_status r1i_vocab_finish(r1i_vocab *v, r1_error *err)
{
    r1_status st;
    if (!v->pair && (st = r1i_vocab_begin_merges(v, 0, err)) != R1_OK) return st;
    v->byte_pair = malloc(65536 * sizeof *v->byte_pair);
    if (!v->byte_pair) return r1i_fail(err, R1_ERR_NOMEM, "table of byte pairs");
    for (unsigned i = 0; i < 65536; i++) {
        const int32_t a = v->byte_id[i >> 8], b = v->byte_id[i & 255];
        v->byte_pair[i] = a < 0 || b < 0 ? R1I_NO_RANK : r1i_vocab_rank(v, a, b);
    }
    return R1_OK;
}

bool r1i_byte_alphabet_decode(const char *text, size_t n, uint8_t *out, size_t *out_n)
{
    const uint8_t *const p = (const uint8_t *)text;
    size_t o = 0;
    for (size_t i = 0; i < n;) {
        const unsigned a = p[i];
        if (a >= 0x21 && a <= 0x7E) {
            out[o++] = (uint8_t)a;
            i++;
            continue;
        }
        /* U+00A1 to U+0143 are two bytes, lead C2 to C5 */
        if (a < 0xC2 || a > 0xC5 || i + 1 >= n || (p[i + 1] & 0xC0) != 0x80) return false;
        const unsigned cp = (a & 0x1F) << 6 | (p[i + 1] & 0x3F);
        if (cp >= 0xA1 && cp <= 0xFF && cp != 0xAD) out[o++] = (uint8_t)cp;
        else if (cp >= 0x100 && cp <= 0x120) out[o++] = (uint8_t)(cp - 0x100);
        else if (cp >= 0x121 && cp <= 0x142) out[o++] = (uint8_t)(cp - 0x121 + 0x7F);
        else if (cp == 0x143) out[o++] = 0xAD;
        else return false;
        i += 2;
    }
    *out_n = o;
    return true;
}

/* The merging half. Pair counts are kept up to date: a merge touches only the words that held the pair, and a heap
 * gives the next pair.
 *
 * Order: the highest count first; of equal counts the pair whose left id is smaller, then the smaller right id. This is
 * the order of the `tokenizers` trainer, found by experiment (tools/check_tokenizer_trainer.py) on texts made so that
 * ties abound.
 *
 * Every merge makes a new text: what a stretch of letters is merged into depends on that stretch alone as long as
 * nothing is merged across its ends, so no text arises from two different pairs. Hence a pair's words all come in the
 * step that made its younger side, its count only falls afterwards, and one heap entry a pair is enough. */
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "tokenizer/tok_bpe.h"
#include "tokenizer/tok_train.h"

typedef struct pair {
    uint64_t key;        /* left << 32 | right */
    int64_t count;
    uint32_t *word;      /* [n] words since the last heap entry was made */
    uint32_t n, cap;
} pair;

typedef struct entry {
    int64_t count;       /* when it was made; the pair's own may be lower by now */
    uint32_t pair, n;
    uint32_t *word;      /* [n] owned */
} entry;

typedef struct merger {
    r1i_tok_trainer *t;
    uint32_t *symbol;    /* ids of all words, one after the other */
    size_t *at;          /* [words] */
    uint32_t *length;    /* [words] */
    pair *pair;
    size_t pairs, cap_pairs;
    uint32_t *slot;      /* [slots] pair + 1 */
    size_t slots;
    uint32_t *touched;   /* pairs that have new words */
    size_t n_touched, cap_touched;
    entry *heap;
    size_t n_heap, cap_heap;
} merger;

static bool more(void **p, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap) return true;
    const size_t want = 2 * need + 64;
    void *const q = want < UINT32_MAX ? realloc(*p, want * size) : NULL;
    if (!q) return false;
    *p = q;
    *cap = want;
    return true;
}

static uint64_t hash_key(uint64_t key) { return (key ^ key >> 29) * 0x9E3779B97F4A7C15u >> 20; }

static bool rehash(merger *m)
{
    const size_t slots = m->slots ? 2 * m->slots : 1 << 14;
    uint32_t *const slot = calloc(slots, sizeof *slot);
    if (!slot) return false;
    for (size_t k = 0; k < m->pairs; k++) {
        size_t i = hash_key(m->pair[k].key) & (slots - 1);
        while (slot[i]) i = (i + 1) & (slots - 1);
        slot[i] = (uint32_t)k + 1;
    }
    free(m->slot);
    m->slot = slot;
    m->slots = slots;
    return true;
}

/* Index of a pair, made where it is new; UINT32_MAX without memory. */
static uint32_t find_pair(merger *m, uint32_t left, uint32_t right)
{
    const uint64_t key = (uint64_t)left << 32 | right;
    if (2 * (m->pairs + 1) > m->slots && !rehash(m)) return UINT32_MAX;
    size_t i = hash_key(key) & (m->slots - 1);
    for (; m->slot[i]; i = (i + 1) & (m->slots - 1))
        if (m->pair[m->slot[i] - 1].key == key) return m->slot[i] - 1;
    if (!more((void **)&m->pair, &m->cap_pairs, m->pairs + 1, sizeof *m->pair)) return UINT32_MAX;
    m->pair[m->pairs] = (pair){.key = key};
    m->slot[i] = (uint32_t)++m->pairs;
    return (uint32_t)m->pairs - 1;
}

/* The pair's count changes by that of a word; a gain remembers the word. */
static bool change(merger *m, uint32_t left, uint32_t right, uint32_t word, int sign)
{
    const uint32_t k = find_pair(m, left, right);
    if (k == UINT32_MAX) return false;
    pair *const p = &m->pair[k];
    p->count += sign * m->t->word[word].count;
    if (sign < 0) return true;
    if (p->n == 0) {
        if (!more((void **)&m->touched, &m->cap_touched, m->n_touched + 1, sizeof *m->touched)) return false;
        m->touched[m->n_touched++] = k;
    } else if (p->word[p->n - 1] == word) {
        return true; /* words come one after the other */
    }
    size_t cap = p->cap;
    if (!more((void **)&p->word, &cap, (size_t)p->n + 1, sizeof *p->word)) return false;
    p->cap = (uint32_t)cap;
    p->word[p->n++] = word;
    return true;
}

/* ---- heap -------------------------------------------------------------------------------------------------------- */

static bool before(const merger *m, const entry *a, const entry *b)
{
    return a->count != b->count ? a->count > b->count : m->pair[a->pair].key < m->pair[b->pair].key;
}

static void sift_down(merger *m, size_t i)
{
    const entry e = m->heap[i];
    for (size_t c; (c = 2 * i + 1) < m->n_heap; i = c) {
        if (c + 1 < m->n_heap && before(m, &m->heap[c + 1], &m->heap[c])) c++;
        if (!before(m, &m->heap[c], &e)) break;
        m->heap[i] = m->heap[c];
    }
    m->heap[i] = e;
}

static bool push(merger *m, entry e)
{
    if (!more((void **)&m->heap, &m->cap_heap, m->n_heap + 1, sizeof *m->heap)) return false;
    size_t i = m->n_heap++;
    for (; i > 0 && before(m, &e, &m->heap[(i - 1) / 2]); i = (i - 1) / 2) m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = e;
    return true;
}

/* The top entry with its pair's count of now; false when nothing is left to merge. */
static bool pop(merger *m, entry *out)
{
    while (m->n_heap) {
        entry *const top = &m->heap[0];
        const int64_t count = m->pair[top->pair].count;
        if (top->count != count) {
            top->count = count;
            sift_down(m, 0);
            continue;
        }
        if (count < 1) return false;
        *out = *top;
        m->heap[0] = m->heap[--m->n_heap];
        if (m->n_heap) sift_down(m, 0);
        return true;
    }
    return false;
}

/* Every pair that gained words gets an entry with just those. */
static bool queue_touched(merger *m)
{
    for (size_t k = 0; k < m->n_touched; k++) {
        pair *const p = &m->pair[m->touched[k]];
        const entry e = {p->count, m->touched[k], p->n, p->word};
        if (p->count <= 0) free(p->word);
        else if (!push(m, e)) return false;
        p->word = NULL;
        p->n = p->cap = 0;
    }
    m->n_touched = 0;
    return true;
}

/* ---- merging ----------------------------------------------------------------------------------------------------- */

/* Join left and right wherever they are neighbours in a word, from its beginning. */
static bool merge_word(merger *m, uint32_t word, uint32_t left, uint32_t right, uint32_t made)
{
    uint32_t *const s = m->symbol + m->at[word];
    const uint32_t n = m->length[word];
    uint32_t o = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (s[i] != left || i + 1 == n || s[i + 1] != right) {
            s[o++] = s[i];
            continue;
        }
        if (o > 0 && (!change(m, s[o - 1], left, word, -1) || !change(m, s[o - 1], made, word, 1))) return false;
        if (i + 2 < n && (!change(m, right, s[i + 2], word, -1) || !change(m, made, s[i + 2], word, 1))) return false;
        s[o++] = made;
        i++;
    }
    m->length[word] = o;
    return true;
}

static bool first_counts(merger *m)
{
    r1i_tok_trainer *const t = m->t;
    unsigned index[256];
    size_t at = 0;
    for (unsigned b = 0; b < 256; b++) index[b] = (unsigned)t->specials + r1i_alphabet_index((uint8_t)b);
    for (size_t w = 0; w < t->words; w++) {
        uint32_t *const s = m->symbol + (m->at[w] = at);
        m->length[w] = t->word[w].n;
        for (uint32_t i = 0; i < t->word[w].n; i++) s[i] = index[t->bytes[t->word[w].at + i]];
        for (uint32_t i = 0; i + 1 < t->word[w].n; i++)
            if (!change(m, s[i], s[i + 1], (uint32_t)w, 1)) return false;
        at += t->word[w].n;
    }
    return queue_touched(m);
}

static bool merge_all(merger *m, size_t vocab, const r1_env *env)
{
    r1i_tok_trainer *const t = m->t;
    size_t cap = 0, shown = 0;
    entry top;
    while (t->size < vocab && pop(m, &top)) {
        const uint32_t left = (uint32_t)(m->pair[top.pair].key >> 32), right = (uint32_t)m->pair[top.pair].key;
        const uint32_t made = (uint32_t)t->size;
        bool good = more((void **)&t->merge, &cap, t->merges + 1, sizeof *t->merge);
        if (good) t->merge[t->merges++] = (r1i_train_merge){left, right}, t->size++;
        for (uint32_t k = 0; k < top.n && good; k++) good = merge_word(m, top.word[k], left, right, made);
        free(top.word);
        if (!good || !queue_touched(m)) return false;
        if (t->size >= shown + 64) r1i_progress(env, "merging pairs", shown = t->size, vocab);
    }
    return true;
}

static void release(merger *m)
{
    for (size_t k = 0; k < m->pairs; k++) free(m->pair[k].word);
    for (size_t k = 0; k < m->n_heap; k++) free(m->heap[k].word);
    free(m->symbol), free(m->at), free(m->length), free(m->pair), free(m->slot), free(m->touched), free(m->heap);
}

r1_status r1i_tok_trainer_merge(r1i_tok_trainer *t, size_t vocab, const r1_env *env, r1_error *err)
{
    merger m = {.t = t};
    if (vocab < t->size)
        return r1i_fail(err, R1_ERR_USAGE,
                        "a vocabulary of %zu ids: at least %zu expected, for 256 bytes and %zu special tokens", vocab,
                        t->size, t->specials);
    m.symbol = malloc((t->n_bytes + 1) * sizeof *m.symbol);
    m.at = malloc((t->words + 1) * sizeof *m.at);
    m.length = malloc((t->words + 1) * sizeof *m.length);
    const bool good = m.symbol && m.at && m.length && first_counts(&m) && merge_all(&m, vocab, env);
    release(&m);
    return good ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "merging %zu distinct pieces of %zu bytes", t->words, t->n_bytes);
}

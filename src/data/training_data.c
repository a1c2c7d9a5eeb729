/* Documents shuffled and packed best-fit into chunks. */
#include "data/training_data.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "data/documents.h"
#include "data/token_cache.h"

struct r1i_training_data {
    r1i_training_data_params p;
    r1i_documents d;
    int64_t epoch;         /* that is packed below, -1: none */
    int64_t *order;        /* [documents] by chunk */
    int64_t *begin;        /* [chunks + 1] first of each chunk in order */
    int64_t chunks;
};

static int64_t length_of(const r1i_documents *d, int64_t i) { return d->begin[i + 1] - d->begin[i]; }

/* Fisher and Yates; the draw at place i is Philox(seed; epoch, stream, i). */
static void shuffle(int64_t *x, int64_t n, uint64_t seed, int64_t epoch, uint32_t stream)
{
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t k = (int64_t)(r1i_uniform(seed, (uint32_t)epoch, stream, (uint32_t)(i >> 32), (uint32_t)i) *
                                    (double)(i + 1));
        const int64_t t = x[i];
        x[i] = x[k];
        x[k] = t;
    }
}

/* ---- best fit ---------------------------------------------------------------------------------------------------- */

/* Open chunks by the room they have left: a stack for each amount, and a bit for each stack that holds something, so
 * that the tightest one is found in a few words. */
typedef struct bins {
    int64_t *top;          /* [capacity + 1] chunk, or -1 */
    int64_t *next;         /* [chunks] the one below it in its stack */
    int64_t *count;        /* [chunks] documents */
    uint64_t *some;        /* [(capacity + 64) / 64] */
    int64_t capacity, n;
} bins;

static void push(bins *b, int64_t chunk, int64_t left)
{
    b->next[chunk] = b->top[left];
    b->top[left] = chunk;
    b->some[left / 64] |= UINT64_C(1) << (left % 64);
}
static int64_t pop(bins *b, int64_t left)
{
    const int64_t chunk = b->top[left];
    b->top[left] = b->next[chunk];
    if (b->top[left] < 0) b->some[left / 64] &= ~(UINT64_C(1) << (left % 64));
    return chunk;
}

/* The least room that holds `n`, or -1. */
static int64_t tightest(const bins *b, int64_t n)
{
    uint64_t word = b->some[n / 64] & ~UINT64_C(0) << (n % 64);
    for (int64_t i = n / 64;; word = b->some[i]) {
        if (word) return i * 64 + __builtin_ctzll(word);
        if (++i > b->capacity / 64) return -1;
    }
}

static int64_t place(bins *b, int64_t n)
{
    const int64_t left = tightest(b, n);
    const int64_t chunk = left < 0 ? b->n++ : pop(b, left);
    const int64_t after = (left < 0 ? b->capacity : left) - n;
    b->count[chunk] = left < 0 ? 1 : b->count[chunk] + 1;
    if (after > 1 && b->count[chunk] < R1I_CHUNK_DOCUMENTS) push(b, chunk, after);
    return chunk;
}

/* Documents in descending length, the shuffled order among equals: counting sort. sorted [n], count [capacity + 2]
 * scratch. */
static void sort_by_length(const r1i_training_data *t, const int64_t *order, int64_t *sorted, int64_t *count)
{
    const int64_t cap = t->p.sequence_length, n = t->d.n;
    memset(count, 0, (size_t)(cap + 2) * sizeof *count);
    for (int64_t i = 0; i < n; i++) count[cap - length_of(&t->d, i) + 1]++;
    for (int64_t i = 0; i < cap; i++) count[i + 1] += count[i];
    for (int64_t i = 0; i < n; i++) sorted[count[cap - length_of(&t->d, order[i])]++] = order[i];
}

typedef struct packing {
    int64_t *sorted, *chunk, *count, *rank;
    bins b;
} packing;

static bool take_packing(const r1i_training_data *t, packing *k)
{
    const size_t n = (size_t)t->d.n, cap = (size_t)t->p.sequence_length;
    *k = (packing){.sorted = malloc(n * sizeof(int64_t)), .chunk = malloc(n * sizeof(int64_t)),
                   .count = malloc((cap + 2) * sizeof(int64_t)), .rank = malloc((n + 1) * sizeof(int64_t))};
    k->b = (bins){.top = malloc((cap + 1) * sizeof(int64_t)), .next = malloc(n * sizeof(int64_t)),
                  .count = malloc(n * sizeof(int64_t)), .some = calloc(cap / 64 + 1, sizeof(uint64_t)),
                  .capacity = (int64_t)cap};
    return k->sorted && k->chunk && k->count && k->rank && k->b.top && k->b.next && k->b.count && k->b.some;
}
static void free_packing(packing *k)
{
    free(k->sorted), free(k->chunk), free(k->count), free(k->rank);
    free(k->b.top), free(k->b.next), free(k->b.count), free(k->b.some);
}

/* Each document's chunk, chunks renumbered at random (kept in file order: as they came), and the lists of each. */
static void list_chunks(r1i_training_data *t, packing *k, int64_t epoch)
{
    const int64_t n = t->d.n, chunks = k->b.n;
    for (int64_t c = 0; c < chunks; c++) k->rank[c] = c;
    if (!t->p.keep_order) shuffle(k->rank, chunks, t->p.seed, epoch, 1);
    for (int64_t c = 0; c <= chunks; c++) t->begin[c] = 0;
    for (int64_t i = 0; i < n; i++) t->begin[k->rank[k->chunk[i]] + 1]++;
    for (int64_t c = 0; c < chunks; c++) t->begin[c + 1] += t->begin[c];
    int64_t *const at = k->b.next; /* no longer needed */
    for (int64_t c = 0; c < chunks; c++) at[c] = t->begin[c];
    for (int64_t i = 0; i < n; i++) t->order[at[k->rank[k->chunk[i]]]++] = k->sorted[i];
    t->chunks = chunks;
    t->epoch = epoch;
}

/* In file order a chunk is closed by the first document that does not fit. */
static void fill_in_order(const r1i_training_data *t, packing *k)
{
    int64_t left = 0, documents = 0;
    for (int64_t i = 0; i < t->d.n; i++) {
        const int64_t n = length_of(&t->d, i);
        if (n > left || documents == R1I_CHUNK_DOCUMENTS) left = t->p.sequence_length, documents = 0, k->b.n++;
        k->sorted[i] = i;
        k->chunk[i] = k->b.n - 1;
        left -= n;
        documents++;
    }
}

static r1_status pack(r1i_training_data *t, int64_t epoch, r1_error *err)
{
    packing k;
    if (t->epoch == epoch || (t->epoch >= 0 && t->p.keep_order)) return R1_OK;
    if (!take_packing(t, &k)) {
        free_packing(&k);
        return r1i_fail(err, R1_ERR_NOMEM, "packing %" PRId64 " documents", t->d.n);
    }
    for (int64_t i = 0; i <= t->p.sequence_length; i++) k.b.top[i] = -1;
    if (t->p.keep_order) {
        fill_in_order(t, &k);
    } else {
        for (int64_t i = 0; i < t->d.n; i++) t->order[i] = i;
        shuffle(t->order, t->d.n, t->p.seed, epoch, 0);
        sort_by_length(t, t->order, k.sorted, k.count);
        for (int64_t i = 0; i < t->d.n; i++) k.chunk[i] = place(&k.b, length_of(&t->d, k.sorted[i]));
    }
    list_chunks(t, &k, epoch);
    free_packing(&k);
    return R1_OK;
}

/* From the cache, or read and put there. */
static r1_status get_documents(r1i_training_data *t, const r1_tokenizer *tokenizer, const r1_chat_form *form,
                               const r1_env *env, r1_error *err)
{
    const char *const folder = t->p.cache_folder;
    char key[R1I_SHA256_HEX];
    bool found = false;
    r1_status st = folder ? r1i_token_cache_key(&t->p, key, err) : R1_OK;
    if (folder && st == R1_OK) st = r1i_token_cache_load(folder, key, &t->d, &found, err);
    if (found || st != R1_OK) return st;
    st = r1i_documents_read(&t->p, tokenizer, form, env, &t->d, err);
    return folder && st == R1_OK ? r1i_token_cache_save(folder, key, &t->d, err) : st;
}

/* ---- the handle -------------------------------------------------------------------------------------------------- */

r1_status r1i_training_data_open(const r1i_training_data_params *params, const r1_tokenizer *tokenizer,
                                 const r1_chat_form *form, const r1_env *env, r1i_training_data **out, r1_error *err)
{
    *out = NULL;
    r1i_training_data *const t = calloc(1, sizeof *t);
    if (!t) return r1i_fail(err, R1_ERR_NOMEM, "training data");
    t->p = *params;
    t->epoch = -1;
    r1_status st = get_documents(t, tokenizer, form, env, err);
    if (st == R1_OK) {
        t->order = malloc((size_t)t->d.n * sizeof *t->order);
        t->begin = malloc(((size_t)t->d.n + 1) * sizeof *t->begin);
        if (!t->order || !t->begin) st = r1i_fail(err, R1_ERR_NOMEM, "%" PRId64 " documents", t->d.n);
    }
    if (st == R1_OK) st = pack(t, 0, err);
    if (st != R1_OK) {
        r1i_training_data_close(t);
        return st;
    }
    *out = t;
    return R1_OK;
}

void r1i_training_data_close(r1i_training_data *t)
{
    if (!t) return;
    r1i_documents_free(&t->d);
    free(t->order);
    free(t->begin);
    free(t);
}

void r1i_training_data_stats(const r1i_training_data *t, r1i_training_stats *out)
{
    *out = (r1i_training_stats){.rows = t->d.rows, .documents = t->d.n, .skipped = t->d.skipped, .tokens = t->d.total,
                                .targets = t->d.targets, .chunks = t->chunks};
    memcpy(out->hash, t->d.hash, sizeof out->hash);
}

int64_t r1i_training_data_pages(const r1i_training_data *t, int64_t page)
{
    int64_t most = 0;
    for (int64_t c = 0; c < t->chunks; c++) {
        int64_t pages = 0;
        for (int64_t i = t->begin[c]; i < t->begin[c + 1]; i++)
            pages += (length_of(&t->d, t->order[i]) + page - 1) / page;
        if (pages > most) most = pages;
    }
    return most;
}

r1_status r1i_training_data_chunk(r1i_training_data *t, int64_t epoch, int64_t index, r1i_document *out, int64_t room,
                                  int64_t *n, r1_error *err)
{
    const r1_status st = pack(t, epoch, err);
    *n = 0;
    if (st != R1_OK) return st;
    if (index < 0 || index >= t->chunks || t->begin[index + 1] - t->begin[index] > room)
        return r1i_fail(err, R1_ERR_USAGE, "chunk %" PRId64 " of %" PRId64, index, t->chunks);
    for (int64_t i = t->begin[index]; i < t->begin[index + 1]; i++) {
        const int64_t d = t->order[i];
        out[(*n)++] = (r1i_document){.ids = t->d.ids + t->d.begin[d], .target = t->d.target + t->d.begin[d],
                                     .n = length_of(&t->d, d), .row = t->d.row[d]};
    }
    return R1_OK;
}

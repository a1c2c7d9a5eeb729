/* How much memory an engine takes, and how large a context fits: computed from the model's shape before anything is
 * allocated, and used for the allocation itself, so prediction and use cannot drift apart. */
#include "engine/engine_state.h"

#include <inttypes.h>
#include <string.h>

enum { DEFAULT_CONTEXT = 32768, DEFAULT_BATCH = 512, DEFAULT_SEQUENCES = 32 };

const char *r1_cache_type_name(r1_cache_type type) { return r1i_cache_name((r1i_cache_type)type); }

bool r1_cache_type_find(const char *name, r1_cache_type *out)
{
    if (strcmp(name, "q8_0") == 0) name = "q8";
    for (*out = R1_CACHE_F32; *out <= R1_CACHE_Q8; *out = (r1_cache_type)(*out + 1))
        if (strcmp(name, r1_cache_type_name(*out)) == 0) return true;
    *out = R1_CACHE_F32;
    return false;
}

r1_engine_params r1_engine_params_default(void) { return (r1_engine_params){.cache_type = R1_CACHE_F32}; }

static uint64_t aligned(uint64_t count, uint64_t bytes)
{
    return (count * bytes + R1I_ALIGN - 1) / R1I_ALIGN * R1I_ALIGN;
}

void r1i_engine_size_of(const r1_model *m, const r1_tokenizer *t, const r1_engine_params *p, int threads,
                        int64_t cache_pages, int64_t context, r1i_engine_size *out)
{
    const uint64_t rows = (uint64_t)p->max_batch_tokens, sequences = (uint64_t)p->max_sequences;
    const uint64_t vocab = (uint64_t)m->config.vocab_size;
    const int64_t layers = m->config.num_hidden_layers, mtp = m->mtp ? m->config.num_nextn_predict_layers : 0;
    out->cache_page = r1i_kv_bytes(m, (r1i_cache_type)p->cache_type, R1I_PAGE) / (uint64_t)layers *
        (uint64_t)(layers + mtp);
    out->cache = out->cache_page * (uint64_t)cache_pages;
    /* Beside the forward's own: the final-normed rows that scoring cuts into slices, and the head's activations. */
    out->scratch = r1i_forward_scratch_bytes(m, p->max_batch_tokens, context, threads) +
                   aligned(rows, (uint64_t)m->config.hidden_size * sizeof(float)) + aligned(rows, sizeof(int32_t));
    out->other = aligned(sequences * vocab, sizeof(float)) + aligned(sequences, sizeof(double)) +
                 (uint64_t)threads * r1i_sampler_bytes(m->config.vocab_size) +
                 aligned((uint64_t)threads, sizeof(r1i_sampler)) + aligned(rows, sizeof(int32_t)) +
                 aligned(sequences, sizeof(r1i_run)) + aligned(sequences, sizeof(int32_t)) +
                 aligned(sequences, sizeof(r1i_pick)) + aligned(sequences, sizeof(r1i_request *)) +
                 aligned(t ? r1_detokenizer_room(t) + 32 : 1, 1) + r1i_pages_bytes(cache_pages);
}

static int64_t pages_of(int64_t positions) { return r1i_pages_for(positions); }

/* Largest number of pages, at most `most`, whose engine fits; 0 when not even one does. */
static int64_t fitting_pages(const r1_model *m, const r1_tokenizer *t, const r1_engine_params *p, int threads,
                             uint64_t have, int64_t most)
{
    int64_t low = 0, high = most;
    while (low < high) {
        const int64_t mid = low + (high - low + 1) / 2;
        r1i_engine_size s;
        r1i_engine_size_of(m, t, p, threads, mid, mid * R1I_PAGE, &s);
        if (s.cache <= have && s.scratch <= have - s.cache && s.other <= have - s.cache - s.scratch) low = mid;
        else high = mid - 1;
    }
    return low;
}

static r1_status check_ranges(const r1_model *m, const r1_engine_params *p, r1_error *err)
{
    const int64_t longest = m->config.max_position_embeddings;
    if (p->context < 0 || p->context > longest)
        return r1i_fail(err, R1_ERR_RANGE, "a context of %" PRId64 " tokens, the model's positions end at %" PRId64,
                        p->context, longest);
    if (p->cache_tokens < 0 || p->cache_tokens > INT64_C(1) << 36)
        return r1i_fail(err, R1_ERR_RANGE, "cache_tokens is %" PRId64 ", expected 0 to 2^36", p->cache_tokens);
    if (p->max_batch_tokens < 0 || p->max_batch_tokens > 1 << 20)
        return r1i_fail(err, R1_ERR_RANGE, "max_batch_tokens is %d, expected 0 to %d", p->max_batch_tokens, 1 << 20);
    if (p->max_sequences < 0 || p->max_sequences > 1 << 16)
        return r1i_fail(err, R1_ERR_RANGE, "max_sequences is %d, expected 0 to %d", p->max_sequences, 1 << 16);
    if ((int)p->cache_type < 0 || p->cache_type > R1_CACHE_Q8)
        return r1i_fail(err, R1_ERR_RANGE, "cache_type is %d, expected f32, bf16 or q8", (int)p->cache_type);
    return R1_OK;
}

r1_status r1i_engine_resolve(const r1_model *m, const r1_tokenizer *t, int threads, uint64_t memory_available,
                             r1_engine_params *p, r1_error *err)
{
    const r1_status st = check_ranges(m, p, err);
    if (st != R1_OK) return st;
    if (p->max_batch_tokens == 0) p->max_batch_tokens = DEFAULT_BATCH;
    if (p->max_sequences == 0) p->max_sequences = DEFAULT_SEQUENCES;
    const int64_t longest = m->config.max_position_embeddings;
    const int64_t wished = p->context ? p->context : (longest < DEFAULT_CONTEXT ? longest : DEFAULT_CONTEXT);
    const int64_t want = pages_of(p->cache_tokens ? p->cache_tokens : wished);
    const int64_t fits = fitting_pages(m, t, p, threads, memory_available, want);
    if (fits < want && (p->context || p->cache_tokens || fits == 0)) {
        r1i_engine_size s;
        r1i_engine_size_of(m, t, p, threads, want, wished, &s);
        return r1i_fail(err, R1_ERR_NOMEM,
                        "a cache of %" PRId64 " tokens needs %" PRIu64 " MiB with its buffers, %" PRIu64
                        " MiB are left; the largest context that fits is %" PRId64 " tokens",
                        want * R1I_PAGE, (s.cache + s.scratch + s.other) >> 20, memory_available >> 20,
                        fits * R1I_PAGE);
    }
    p->context = fits < want ? fits * R1I_PAGE : wished;
    if (p->cache_tokens == 0) p->cache_tokens = p->context;
    p->cache_tokens = pages_of(p->cache_tokens) * R1I_PAGE;
    return R1_OK;
}

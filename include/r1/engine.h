/* * Generation: many requests share one engine, which batches them over one forward pass. Results of a request depend
 * on its prompt, sampling settings and seed only - never on its neighbours, the chunking, the pages or the number of
 * threads. */
#ifndef R1_ENGINE_H
#define R1_ENGINE_H

#include "r1/model.h"
#include "r1/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct r1_engine r1_engine; /* mutable; one owner thread steps it, other threads may submit and cancel */

/* Of keys and values between forwards. Part of what a result depends on: rollout, scoring and training must agree in
 * it. Q8: integers of 8 bits by groups of 32 dims with an f32 factor, 9 bits a value. */
typedef enum r1_cache_type { R1_CACHE_F32, R1_CACHE_BF16, R1_CACHE_Q8 } r1_cache_type;
/** "f32", "bf16", "q8". */
R1_API const char *r1_cache_type_name(r1_cache_type type);
/** By that name, or q8_0 for q8; false and f32 for any other. */
R1_API bool r1_cache_type_find(const char *name, r1_cache_type *out);

typedef struct r1_engine_params {
    int64_t context;           /* tokens of the longest sequence; 0: the model's, at most 32,768, less where memory is
                                * short */
    int64_t cache_tokens;      /* positions in all pages together; 0: enough for one sequence of `context` */
    int32_t max_batch_tokens;  /* rows of one forward, so the prefill chunk; 0: 512 */
    int32_t max_sequences;     /* decoding together, and rows of logits that scoring makes at a time; 0: 32 */
    r1_cache_type cache_type;
    bool no_prefix_cache;      /* do not look for pages of an equal prefix */
} r1_engine_params;
R1_API r1_engine_params r1_engine_params_default(void);

/** tokenizer nullable: then stop strings, thinking budgets by marker and text are not available, and ids >= vocab_size
 * rows are all defined. model and tokenizer are borrowed and must outlive the engine.
 * R1_ERR_NOMEM: the cache does not fit (message: want, have, and the largest context that fits). */
R1_API r1_status r1_engine_create(const r1_model *model, const r1_tokenizer *tokenizer, const r1_engine_params *params,
                                  const r1_env *env, r1_engine **out, r1_error *err);
R1_API void r1_engine_destroy(r1_engine *engine); /* takes NULL; open requests end with R1_FINISH_CANCELLED */

typedef struct r1_logit_bias { int32_t id; float bias; } r1_logit_bias;

/** Order of application: undefined ids masked, logit bias, penalties, temperature, top-k, top-p, min-p, draw. */
typedef struct r1_sampling {
    float temperature;         /* 0: argmax, lowest id on ties; default 0.6 */
    float top_p;               /* default 0.95; 1: off */
    int32_t top_k;             /* 0: off */
    float min_p;               /* 0: off */
    float repetition_penalty;  /* 1: off; over prompt and output */
    float presence_penalty, frequency_penalty; /* 0: off; over the output */
    uint64_t seed;             /* the draw for output position p is Philox(seed; step, prompt, sample, p) */
    uint32_t step, prompt, sample;
    const r1_logit_bias *logit_bias; /* copied at submit */
    size_t n_logit_bias;
    int32_t top_logprobs;      /* 0 .. 20: that many most likely ids with each token */
} r1_sampling;
R1_API r1_sampling r1_sampling_default(void);

typedef enum r1_finish {
    R1_FINISH_NONE, R1_FINISH_STOP, R1_FINISH_LENGTH, R1_FINISH_CANCELLED, R1_FINISH_ERROR
} r1_finish;

typedef struct r1_logprob { int32_t id; float logprob; } r1_logprob;

/** One generated token. Pointers are valid during the callback. */
typedef struct r1_token_event {
    int32_t id;
    int64_t index;             /* 0 for the first generated token */
    float logprob;             /* natural log, temperature 1, before penalties and truncation */
    const r1_logprob *top;     /* [n_top], most likely first */
    int32_t n_top;
    const char *text;          /* whole characters that this token completed; may be empty; stop strings held back */
    size_t text_bytes;
    bool forced;               /* written by a forced prefix or the thinking budget, not drawn */
} r1_token_event;

typedef struct r1_result {
    r1_finish finish;
    r1_error error;            /* for R1_FINISH_ERROR */
    const char *stop_string;   /* the one that matched, or NULL; valid during the callback */
    int64_t prompt_tokens, cached_tokens, output_tokens, preemptions;
    double queue_seconds, prefill_seconds, decode_seconds;
} r1_result;

typedef struct r1_request {
    const int32_t *prompt;     /* copied */
    size_t n_prompt;           /* at least 1 */
    int64_t max_tokens;        /* 0: as many as the context holds */
    r1_sampling sampling;
    const int32_t *stop_ids;   /* copied; besides these, the tokenizer's own unless ignore_eos */
    size_t n_stop_ids;
    const char *const *stop_strings; /* copied; matched in the text, not part of the output */
    size_t n_stop_strings;
    bool ignore_eos;
    const int32_t *forced;     /* ids that the output must begin with, copied */
    size_t n_forced;
    bool thinking_open;        /* the prompt ends inside the think block */
    int64_t think_budget;      /* > 0: after that many thinking tokens "\n</think>\n\n" is forced; 0: no limit */
    /* On the engine's thread. on_token returns false to cancel. Nullable. */
    bool (*on_token)(void *user, const r1_token_event *event);
    void (*on_done)(void *user, const r1_result *result);
    void *user;
} r1_request;

/* * Queue a request (any thread). R1_ERR_RANGE: an id outside the vocabulary, a prompt longer than the context, a
 * sampling value outside its range. *id is positive. on_done is called exactly once for a request that was accepted. */
R1_API r1_status r1_engine_submit(r1_engine *engine, const r1_request *request, int64_t *id, r1_error *err);
R1_API void r1_engine_cancel(r1_engine *engine, int64_t id);
/* * One forward over what is waiting, prefilling and decoding. *active: requests still open. Owner thread only. A
 * request's own failure ends that request; an error returned here is the engine's. */
R1_API r1_status r1_engine_step(r1_engine *engine, int64_t *active, r1_error *err);
/** Step until nothing is open. */
R1_API r1_status r1_engine_run(r1_engine *engine, r1_error *err);

typedef struct r1_engine_stats {
    /* the rooms' own size functions */
    uint64_t weight_bytes, cache_bytes, cache_bytes_used, scratch_bytes, other_bytes;
    int64_t context;           /* tokens of the longest sequence, as resolved */
    int64_t pages, pages_free, pages_cached, forwards, prefill_tokens, decode_tokens, preemptions, prefix_hit_tokens;
    double prefill_seconds, decode_seconds;
} r1_engine_stats;
R1_API void r1_engine_get_stats(const r1_engine *engine, r1_engine_stats *out);

/* * Log-probabilities of given ids, nothing sampled. logprob[n - 1] (nullable): logprob[i] of ids[i + 1] after
 * ids[0..i]. on_logits (nullable) receives each position's f32 logits [vocab_size] in order; returning false stops
 * (R1_ERR_STOPPED).
 * chunk: rows of one forward (0: max_batch_tokens). Uses the engine's pages; owner thread; R1_ERR_RANGE as for
 * submit. */
R1_API r1_status r1_engine_score(r1_engine *engine, const int32_t *ids, size_t n, int32_t chunk, float *logprob,
                                 bool (*on_logits)(void *user, int64_t position, const float *logits), void *user,
                                 r1_error *err);
/* * Logits of the first multi-token prediction layer, n - 1 rows: row j joins the trunk's state at j with ids[j + 1]
 * and predicts ids[j + 2]. R1_ERR_USAGE: fewer than two ids, or the model was opened without load_mtp;
 * R1_ERR_UNSUPPORTED: it has no such layer; else as r1_engine_score. */
R1_API r1_status r1_engine_score_mtp(r1_engine *engine, const int32_t *ids, size_t n, int32_t chunk,
                                     bool (*on_logits)(void *user, int64_t position, const float *logits), void *user,
                                     r1_error *err);

#ifdef __cplusplus
}
#endif
#endif

#include "engine/request.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "sample/sample.h"

/* ---- checking ---------------------------------------------------------------------------------------------------- */

static r1_status check_ids(const char *what, const int32_t *id, size_t n, int64_t vocab, r1_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (id[i] < 0 || id[i] >= vocab)
            return r1i_fail(err, R1_ERR_RANGE, "%s[%zu] is token id %d, expected 0 to %lld", what, i, id[i],
                            (long long)vocab - 1);
    return R1_OK;
}

static r1_status check_text_features(const r1_request *in, const r1i_request_limits *l, r1_error *err)
{
    if (in->n_stop_strings > 0 && !l->tokenizer)
        return r1i_fail(err, R1_ERR_USAGE, "stop strings need a tokenizer, the engine has none");
    if (in->think_budget < 0)
        return r1i_fail(err, R1_ERR_RANGE, "think_budget is %lld, expected 0 or more", (long long)in->think_budget);
    if (in->think_budget > 0 && l->n_think_end == 0)
        return r1i_fail(err, R1_ERR_UNSUPPORTED, "a thinking budget needs a tokenizer with the token </think>");
    for (size_t i = 0; i < in->n_stop_strings; i++) {
        const char *const s = in->stop_strings[i];
        if (!s || !*s) return r1i_fail(err, R1_ERR_RANGE, "stop string %zu is empty", i);
        if (((unsigned char)*s & 0xc0) == 0x80)
            return r1i_fail(err, R1_ERR_RANGE, "stop string %zu begins inside a UTF-8 character", i);
        if (strlen(s) > 4096)
            return r1i_fail(err, R1_ERR_RANGE, "stop string %zu has %zu bytes, expected at most 4096", i, strlen(s));
    }
    return R1_OK;
}

static r1_status check(const r1_request *in, const r1i_request_limits *l, int64_t *limit, r1_error *err)
{
    r1_status st;
    if (in->n_prompt == 0) return r1i_fail(err, R1_ERR_USAGE, "the prompt is empty, expected at least one token");
    if (in->n_prompt >= (size_t)l->context)
        return r1i_fail(err, R1_ERR_RANGE,
                        "the prompt's %zu tokens leave no room for an answer in a context of %lld tokens", in->n_prompt,
                        (long long)l->context);
    if (in->max_tokens < 0)
        return r1i_fail(err, R1_ERR_RANGE, "max_tokens is %lld, expected 0 or more", (long long)in->max_tokens);
    if (in->n_stop_ids > 4096 || in->n_stop_strings > 256 || in->sampling.n_logit_bias > (size_t)l->vocab)
        return r1i_fail(err, R1_ERR_RANGE, "more than 4096 stop ids, 256 stop strings or one logit bias a token");
    if ((st = check_ids("prompt", in->prompt, in->n_prompt, l->vocab, err)) != R1_OK) return st;
    if ((st = check_ids("forced", in->forced, in->n_forced, l->vocab, err)) != R1_OK) return st;
    if ((st = check_ids("stop_ids", in->stop_ids, in->n_stop_ids, l->vocab, err)) != R1_OK) return st;
    if ((st = r1i_sampling_check(&in->sampling, l->vocab, err)) != R1_OK) return st;
    if ((st = check_text_features(in, l, err)) != R1_OK) return st;
    *limit = l->context;
    if (in->max_tokens > 0 && in->max_tokens < l->context - (int64_t)in->n_prompt)
        *limit = (int64_t)in->n_prompt + in->max_tokens;
    /* The last token is never fed back, so its key and value are never stored. */
    if (r1i_pages_for(*limit - 1) > l->pages)
        return r1i_fail(err, R1_ERR_RANGE, "prompt and output of %lld tokens can never fit in a cache of %lld tokens",
                        (long long)*limit, (long long)(l->pages * R1I_PAGE_TOKENS));
    return R1_OK;
}

/* ---- one block --------------------------------------------------------------------------------------------------- */

/* Walks the block twice: with base NULL it only adds up. */
typedef struct block {
    uint8_t *base;
    size_t used;
} block;

static void *carve(block *b, size_t bytes)
{
    void *const p = b->base ? b->base + b->used : NULL;
    b->used += r1i_align_up(bytes, R1I_ALIGN);
    return p;
}

static void *carve_copy(block *b, const void *from, size_t bytes)
{
    void *const p = carve(b, bytes);
    if (p && bytes > 0) memcpy(p, from, bytes);
    return p;
}

static int32_t own_stop_ids(const r1_request *in, const r1i_request_limits *l, const int32_t **ids)
{
    *ids = NULL;
    return l->tokenizer && !in->ignore_eos ? r1_tokenizer_stop_ids(l->tokenizer, ids) : 0;
}

static void lay_out(block *b, r1i_request *r, const r1_request *in, const r1i_request_limits *l, int64_t limit)
{
    const int32_t *own;
    const int32_t n_own = own_stop_ids(in, l, &own);
    const size_t n_stop = in->n_stop_ids + (size_t)n_own;
    carve(b, sizeof *r);
    int32_t *const token = carve(b, (size_t)limit * sizeof *token);
    int32_t *const page = carve(b, (size_t)r1i_pages_for(limit) * sizeof *page);
    int32_t *const stop_id = carve(b, n_stop * sizeof *stop_id);
    const int32_t *const forced = carve_copy(b, in->forced, in->n_forced * sizeof *forced);
    const r1_logit_bias *const bias = carve_copy(b, in->sampling.logit_bias, in->sampling.n_logit_bias * sizeof *bias);
    const char **const string = carve(b, in->n_stop_strings * sizeof *string);
    for (size_t i = 0; i < in->n_stop_strings; i++) {
        const char *const s = carve_copy(b, in->stop_strings[i], strlen(in->stop_strings[i]) + 1);
        if (r) string[i] = s;
    }
    const size_t cap = r1i_stop_room(in->stop_strings, (int32_t)in->n_stop_strings, l->piece_room);
    char *const text = carve(b, cap);
    if (!r) return;
    memcpy(token, in->prompt, in->n_prompt * sizeof *token);
    if (in->n_stop_ids > 0) memcpy(stop_id, in->stop_ids, in->n_stop_ids * sizeof *stop_id);
    if (n_own > 0) memcpy(stop_id + in->n_stop_ids, own, (size_t)n_own * sizeof *stop_id);
    r->token = token;
    r->page = page;
    r->stop_id = stop_id;
    r->n_stop_id = (int32_t)n_stop;
    r->forced = forced;
    r->n_forced = (int64_t)in->n_forced;
    r->sampling = in->sampling;
    r->sampling.logit_bias = bias;
    r->stop = (r1i_stop){.string = string, .n = (int32_t)in->n_stop_strings, .text = text, .cap = cap, .matched = -1};
}

r1_status r1i_request_create(const r1_request *in, const r1i_request_limits *l, const r1_env *env, r1i_request **out,
                             r1_error *err)
{
    int64_t limit = 0;
    block size = {0};
    *out = NULL;
    const r1_status st = check(in, l, &limit, err);
    if (st != R1_OK) return st;
    lay_out(&size, NULL, in, l, limit);
    r1i_request *const r = r1i_alloc(env, size.used);
    if (!r) return r1i_fail(err, R1_ERR_NOMEM, "request of %zu bytes", size.used);
    *r = (r1i_request){0};
    lay_out(&(block){.base = (uint8_t *)r}, r, in, l, limit);
    r->bytes = size.used;
    if (env) r->env = *env;
    r->n_prompt = r->n_known = (int64_t)in->n_prompt;
    r->limit = limit;
    r->thinking = in->thinking_open;
    r->think_budget = in->think_budget;
    r->think_end_at = -1;
    r->on_token = in->on_token;
    r->on_done = in->on_done;
    r->user = in->user;
    r->result = (r1_result){.prompt_tokens = r->n_prompt, .error = {.offset = -1}};
    r->submitted = r1i_seconds();
    *out = r;
    return R1_OK;
}

void r1i_request_destroy(r1i_request *r)
{
    if (!r) return;
    const r1_env env = r->env;
    r1i_release(&env, r, r->bytes);
}

/* ---- tokens and text --------------------------------------------------------------------------------------------- */

int32_t r1i_request_forced(const r1i_request *r, const r1i_request_limits *l)
{
    const int64_t index = r->n_known - r->n_prompt;
    if (index < r->n_forced) return r->forced[index];
    return r->think_end_at >= 0 ? l->think_end[r->think_end_at] : -1;
}

static void follow_thinking(r1i_request *r, const r1i_request_limits *l, int32_t id, bool closing)
{
    if (closing) {
        if (++r->think_end_at == l->n_think_end) r->think_end_at = -1;
        if (id == l->think_close) r->thinking = false;
        return;
    }
    if (id == l->think_close) r->thinking = false;
    else if (id == l->think_open) r->thinking = true;
    else if (r->thinking) r->n_thinking++;
    if (r->thinking && r->think_budget > 0 && r->n_thinking >= r->think_budget) r->think_end_at = 0;
}

static bool is_stop_id(const r1i_request *r, int32_t id)
{
    for (int32_t i = 0; i < r->n_stop_id; i++)
        if (r->stop_id[i] == id) return true;
    return false;
}

void r1i_request_accept(r1i_request *r, const r1i_request_limits *l, int32_t id, bool forced, char *piece,
                        const char **text, size_t *text_bytes)
{
    assert(r->n_known < r->limit);
    const bool closing = r->n_known - r->n_prompt >= r->n_forced && r->think_end_at >= 0;
    r->token[r->n_known++] = id;
    r->result.output_tokens++;
    r1_finish finish = R1_FINISH_NONE;
    if (!forced && is_stop_id(r, id)) finish = R1_FINISH_STOP;
    else if (r->n_known == r->limit) finish = R1_FINISH_LENGTH;
    follow_thinking(r, l, id, closing);
    *text = r->stop.text;
    *text_bytes = 0;
    if (l->tokenizer) {
        size_t n = 0;
        bool matched = false;
        if (finish != R1_FINISH_STOP) {
            n = r1_detokenizer_push(&r->detokenizer, l->tokenizer, id, R1_DECODE_SKIP_SPECIAL, piece, l->piece_room);
            matched = r1i_stop_feed(&r->stop, piece, n, text_bytes);
        }
        if (!matched && finish != R1_FINISH_NONE) {
            n = r1_detokenizer_finish(&r->detokenizer, piece, l->piece_room);
            matched = r1i_stop_feed(&r->stop, piece, n, text_bytes);
            if (!matched) *text_bytes = r1i_stop_finish(&r->stop);
        }
        if (matched) {
            finish = R1_FINISH_STOP;
            r->result.stop_string = r->stop.string[r->stop.matched];
        }
    }
    r->result.finish = finish;
}

void r1i_request_text_used(r1i_request *r, size_t text_bytes) { r1i_stop_pass(&r->stop, text_bytes); }

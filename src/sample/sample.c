/* Truncation without sorting. Top-k and top-p both keep a prefix of the candidates in descending order of logit, ties
 * in ascending id; such a prefix is {key > K} plus the first few ids with key == K, and K is found by a radix select
 * over the order-preserving integer image of the float: 11, 11 and 10 bits, each pass over the bucket that the boundary
 * fell into. The cost is a few passes over the vocabulary whatever the distribution looks like. */
#include "sample/sample.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"

/* ---- elementary -------------------------------------------------------------------------------------------------- */

/* exp(x) for x <= 0, about 1e-15 relative; 0 below -708. Mul and add only: a fused multiply-add would be a library call
 * on the baseline instruction set, and libm's exp is not the same everywhere. */
static inline double exp_negative(double x)
{
    static const double c[] = {1.0, 1.0, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320,
                               1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600};
    enum { DEGREE = sizeof c / sizeof *c - 1 };
    if (!(x >= -708.0)) return 0.0;
    /* Adding 1.5 * 2^52 rounds to an integer in the low bits of the sum. */
    const double shifted = x * 1.4426950408889634 + 0x1.8p52;
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    const double k = shifted - 0x1.8p52;
    const double r = (x - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33; /* ln 2 in two parts; the first product is
                                                                             * exact */
    double y = c[DEGREE];
    for (int i = DEGREE - 1; i >= 0; i--) y = y * r + c[i];
    const uint64_t power = (bits + 1023) << 52; /* only the low 12 bits of the integer matter */
    double scale;
    memcpy(&scale, &power, sizeof scale);
    return y * scale;
}

/* Larger float, larger key. -0 and +0 get different keys, so logits are added to +0 first. */
static inline uint32_t key_of(float z)
{
    uint32_t u;
    z += 0.0f;
    memcpy(&u, &z, sizeof u);
    return u & 0x80000000u ? ~u : u | 0x80000000u;
}

/* ---- workspace --------------------------------------------------------------------------------------------------- */

static size_t part(size_t count, size_t bytes) { return r1i_align_up(count * bytes, R1I_ALIGN); }

size_t r1i_sampler_bytes(int64_t vocab)
{
    const size_t v = (size_t)vocab;
    return part(v, sizeof(double)) + 3 * part(v, sizeof(int32_t)) + part(R1I_SAMPLE_BUCKETS, sizeof(int32_t)) +
           part(R1I_SAMPLE_BUCKETS, sizeof(double));
}

void r1i_sampler_init(r1i_sampler *s, int64_t vocab, void *memory)
{
    const size_t v = (size_t)vocab;
    uint8_t *p = memory;
    *s = (r1i_sampler){.vocab = vocab};
    s->weight = (double *)(void *)p;
    p += part(v, sizeof(double));
    s->id = (int32_t *)(void *)p;
    p += part(v, sizeof(int32_t));
    s->adjusted = (float *)(void *)p;
    p += part(v, sizeof(float));
    s->count = (int32_t *)(void *)p;
    memset(s->count, 0, v * sizeof(int32_t));
    p += part(v, sizeof(int32_t));
    s->bucket_n = (int32_t *)(void *)p;
    p += part(R1I_SAMPLE_BUCKETS, sizeof(int32_t));
    s->bucket_mass = (double *)(void *)p;
}

/* ---- settings ---------------------------------------------------------------------------------------------------- */

r1_sampling r1_sampling_default(void)
{
    return (r1_sampling){.temperature = 0.6f, .top_p = 0.95f, .repetition_penalty = 1.0f};
}

r1_status r1i_sampling_check(const r1_sampling *p, int64_t vocab, r1_error *err)
{
    if (!(p->temperature >= 0.0f) || isinf(p->temperature))
        return r1i_fail(err, R1_ERR_RANGE, "temperature is %g, expected 0 or more", (double)p->temperature);
    if (!(p->top_p >= 0.0f && p->top_p <= 1.0f))
        return r1i_fail(err, R1_ERR_RANGE, "top_p is %g, expected 0 to 1", (double)p->top_p);
    if (p->top_k < 0) return r1i_fail(err, R1_ERR_RANGE, "top_k is %d, expected 0 or more", p->top_k);
    if (!(p->min_p >= 0.0f && p->min_p <= 1.0f))
        return r1i_fail(err, R1_ERR_RANGE, "min_p is %g, expected 0 to 1", (double)p->min_p);
    if (!(p->repetition_penalty > 0.0f) || isinf(p->repetition_penalty))
        return r1i_fail(err, R1_ERR_RANGE, "repetition_penalty is %g, expected more than 0",
                        (double)p->repetition_penalty);
    if (!isfinite(p->presence_penalty) || !isfinite(p->frequency_penalty))
        return r1i_fail(err, R1_ERR_RANGE, "presence and frequency penalties must be finite");
    if (p->top_logprobs < 0 || p->top_logprobs > R1I_TOP_LOGPROBS)
        return r1i_fail(err, R1_ERR_RANGE, "top_logprobs is %d, expected 0 to %d", p->top_logprobs, R1I_TOP_LOGPROBS);
    for (size_t i = 0; i < p->n_logit_bias; i++) {
        const r1_logit_bias b = p->logit_bias[i];
        if (b.id < 0 || b.id >= vocab)
            return r1i_fail(err, R1_ERR_RANGE, "logit bias of id %d, the vocabulary has %lld ids", b.id,
                            (long long)vocab);
        if (isnan(b.bias)) return r1i_fail(err, R1_ERR_RANGE, "logit bias of id %d is not a number", b.id);
    }
    return R1_OK;
}

/* ---- adjusting --------------------------------------------------------------------------------------------------- */

static r1_status check_logits(const float *z, int64_t n, r1_error *err)
{
    int bad = 0;
    for (int64_t i = 0; i < n; i++) bad |= !(z[i] < INFINITY); /* vectorises; NaN compares false */
    if (!bad) return R1_OK;
    int64_t i = 0;
    while (z[i] < INFINITY) i++;
    return r1i_fail(err, R1_ERR_RANGE, "the model's logit of token %lld is %s", (long long)i,
                    isnan(z[i]) ? "not a number" : "infinite");
}

static void apply_bias(const r1_sampling *p, float *z, int64_t n)
{
    for (size_t i = 0; i < p->n_logit_bias; i++) {
        const r1_logit_bias b = p->logit_bias[i];
        if (b.id >= n) continue;
        const float y = z[b.id] + b.bias;
        z[b.id] = isnan(y) ? -INFINITY : y; /* +infinity and -infinity for one id: forbidden wins */
    }
}

/* Logits of +infinity (from a bias) leave no finite difference to exponentiate: they share the whole probability. */
static void resolve_infinity(float *z, int64_t n)
{
    int any = 0;
    for (int64_t i = 0; i < n; i++) any |= z[i] == INFINITY;
    if (!any) return;
    for (int64_t i = 0; i < n; i++) z[i] = z[i] == INFINITY ? 0.0f : -INFINITY;
}

/* Repetition: a positive logit is divided, a negative one multiplied, once for each id that occurs in prompt or output.
 * Presence and frequency: subtracted, from the counts in the output. */
static void apply_penalties(r1i_sampler *s, const r1_sampling *p, const r1i_sample_history *h, float *z, int64_t n)
{
    const bool repetition = p->repetition_penalty != 1.0f;
    const bool counts = p->presence_penalty != 0.0f || p->frequency_penalty != 0.0f;
    if (!repetition && !counts) return;
    for (int64_t i = 0; i < h->n_output; i++) s->count[h->output[i]]++;
    for (int part_of = 0; part_of < 2 && repetition; part_of++) {
        const int32_t *const ids = part_of ? h->prompt : h->output;
        const int64_t m = part_of ? h->n_prompt : h->n_output;
        for (int64_t i = 0; i < m; i++) {
            const int32_t id = ids[i];
            if (id >= n || s->count[id] < 0) continue;
            z[id] = z[id] > 0.0f ? z[id] / p->repetition_penalty : z[id] * p->repetition_penalty;
            s->count[id] = -1 - s->count[id]; /* done; the count stays readable */
        }
    }
    for (int64_t i = 0; i < h->n_output && counts; i++) {
        const int32_t id = h->output[i];
        const int32_t c = s->count[id] < 0 ? -1 - s->count[id] : s->count[id];
        if (id >= n || c == 0) continue;
        z[id] = z[id] - p->frequency_penalty * (float)c - p->presence_penalty;
        s->count[id] = 0; /* once for each id */
    }
    for (int64_t i = 0; i < h->n_output; i++) s->count[h->output[i]] = 0;
    for (int64_t i = 0; i < h->n_prompt; i++) s->count[h->prompt[i]] = 0;
}

/* ---- choosing ---------------------------------------------------------------------------------------------------- */

/* The first of the largest; 0 if all are -infinity. NaN is refused before. Most blocks hold none that is larger than
 * what was found so far, which is a comparison that vectorises. */
static int32_t argmax(const float *z, int64_t n)
{
    enum { BLOCK = 256 };
    int64_t best = 0;
    float most = -INFINITY;
    for (int64_t from = 0; from < n; from += BLOCK) {
        const int64_t end = from + BLOCK < n ? from + BLOCK : n;
        int more = 0;
        for (int64_t i = from; i < end; i++) more |= z[i] > most;
        for (int64_t i = from; more && i < end; i++) {
            if (!(z[i] > most)) continue;
            most = z[i];
            best = i;
        }
    }
    return (int32_t)best;
}

/* Where a prefix of the descending order ends: everything above `key`, and the first `ties` candidates with it. */
typedef struct boundary {
    uint32_t key;
    int64_t ties;
} boundary;

typedef struct selection {
    uint32_t prefix, mask; /* keys still in question: key & mask == prefix */
    int64_t n;             /* candidates above them */
    double mass;           /* and their weight */
} selection;

/* One radix pass over the candidates in question: the bucket in which count reaches k, or mass reaches target. */
static void refine(r1i_sampler *s, const float *z, int64_t n, bool by_mass, int64_t k, double target, int shift,
                   int bits, selection *sel)
{
    const uint32_t low = (1u << bits) - 1u;
    memset(s->bucket_n, 0, sizeof(int32_t) << bits);
    if (by_mass) memset(s->bucket_mass, 0, sizeof(double) << bits);
    for (int64_t i = 0; i < n; i++) {
        const uint32_t key = key_of(z[s->id[i]]);
        if ((key & sel->mask) != sel->prefix) continue;
        const uint32_t b = (key >> shift) & low;
        s->bucket_n[b]++;
        if (by_mass) s->bucket_mass[b] += s->weight[i];
    }
    uint32_t chosen = 0;
    bool found = false;
    for (uint32_t b = low + 1; b-- > 0;) {
        if (s->bucket_n[b] == 0) continue;
        chosen = b; /* should rounding keep the mass from its target, the last bucket holds the boundary */
        found = by_mass ? sel->mass + s->bucket_mass[b] >= target : sel->n + s->bucket_n[b] >= k;
        if (found) break;
        sel->n += s->bucket_n[b];
        if (by_mass) sel->mass += s->bucket_mass[b];
    }
    if (!found) { /* every bucket was passed: step back into the last one */
        sel->n -= s->bucket_n[chosen];
        if (by_mass) sel->mass -= s->bucket_mass[chosen];
    }
    sel->prefix |= chosen << shift;
    sel->mask |= low << shift;
}

static boundary find_boundary(r1i_sampler *s, const float *z, int64_t n, bool by_mass, int64_t k, double target)
{
    selection sel = {0};
    refine(s, z, n, by_mass, k, target, 21, 11, &sel);
    refine(s, z, n, by_mass, k, target, 10, 11, &sel);
    refine(s, z, n, by_mass, k, target, 0, 10, &sel);
    boundary edge = {sel.prefix, 0};
    if (!by_mass) edge.ties = k - sel.n;
    for (int64_t i = 0; i < n && by_mass; i++) {
        if (key_of(z[s->id[i]]) != edge.key) continue;
        edge.ties++; /* the token that crosses is kept */
        sel.mass += s->weight[i];
        if (sel.mass >= target) break;
    }
    return edge;
}

/* Keep the candidates inside the boundary, in their order; weights move along when there are any. */
static int64_t keep(r1i_sampler *s, const float *z, int64_t n, boundary edge, bool weights)
{
    int64_t m = 0, ties = 0;
    for (int64_t i = 0; i < n; i++) {
        const uint32_t key = key_of(z[s->id[i]]);
        if (key < edge.key || (key == edge.key && ties++ >= edge.ties)) continue;
        s->id[m] = s->id[i];
        if (weights) s->weight[m] = s->weight[i];
        m++;
    }
    return m;
}

static double weigh(r1i_sampler *s, const float *z, int64_t n, float max, double inverse_temperature)
{
    double total = 0.0;
    for (int64_t i = 0; i < n; i++)
        s->weight[i] = exp_negative(((double)z[s->id[i]] - (double)max) * inverse_temperature);
    for (int64_t i = 0; i < n; i++) total += s->weight[i];
    return total;
}

static int32_t draw(const r1i_sampler *s, int64_t n, double total, double u)
{
    const double at = u * total;
    double sum = 0.0;
    int32_t last = s->id[0];
    for (int64_t i = 0; i < n; i++) {
        if (s->weight[i] == 0.0) continue;
        sum += s->weight[i];
        last = s->id[i];
        if (at < sum) break;
    }
    return last;
}

/* The row itself where nothing has to be changed. */
static const float *adjust(r1i_sampler *s, const r1_sampling *p, const r1i_sample_history *h, const float *logits,
                           int64_t n)
{
    if (p->n_logit_bias == 0 && p->repetition_penalty == 1.0f && p->presence_penalty == 0.0f &&
        p->frequency_penalty == 0.0f)
        return logits;
    memcpy(s->adjusted, logits, (size_t)n * sizeof *logits);
    apply_bias(p, s->adjusted, n);
    resolve_infinity(s->adjusted, n);
    apply_penalties(s, p, h, s->adjusted, n);
    return s->adjusted;
}

r1_status r1i_sample(r1i_sampler *s, const r1_sampling *p, const r1i_sample_history *h, const float *logits,
                     int64_t n_defined, double lse, int32_t *id, r1_error *err)
{
    const r1_status st = isfinite(lse) ? R1_OK : check_logits(logits, n_defined, err);
    *id = -1;
    if (st != R1_OK) return st;
    const float *const z = adjust(s, p, h, logits, n_defined);
    const int32_t best = argmax(z, n_defined);
    if (z[best] == -INFINITY)
        return r1i_fail(err, R1_ERR_RANGE, "every token is forbidden by the logit bias or the model");
    *id = best;
    if (p->temperature == 0.0f) return R1_OK;

    int64_t n = 0;
    for (int64_t i = 0; i < n_defined; i++) {
        s->id[n] = (int32_t)i;
        n += z[i] != -INFINITY;
    }
    if (p->top_k > 0 && p->top_k < n) n = keep(s, z, n, find_boundary(s, z, n, false, p->top_k, 0.0), false);
    double total = weigh(s, z, n, z[best], 1.0 / (double)p->temperature);
    if (p->top_p < 1.0f) n = keep(s, z, n, find_boundary(s, z, n, true, 0, (double)p->top_p * total), true);
    if (p->min_p > 0.0f) { /* relative to the most likely, whose weight is 1 */
        int64_t m = 0;
        for (int64_t i = 0; i < n; i++) {
            if (s->weight[i] < (double)p->min_p) continue;
            s->id[m] = s->id[i];
            s->weight[m++] = s->weight[i];
        }
        n = m;
    }
    total = 0.0;
    for (int64_t i = 0; i < n; i++) total += s->weight[i];
    *id = draw(s, n, total, r1i_uniform(p->seed, p->step, p->prompt, p->sample, (uint32_t)h->n_output));
    return R1_OK;
}

int32_t r1i_top_logprobs(const float *logits, int64_t n_defined, double lse, int32_t n, r1_logprob *out)
{
    float top[R1I_TOP_LOGPROBS];
    int32_t m = 0;
    if (n <= 0) return 0;
    for (int64_t i = 0; i < n_defined; i++) {
        if (m == n && !(logits[i] > top[n - 1])) continue;
        int32_t at = m < n ? m++ : n - 1;
        for (; at > 0 && logits[i] > top[at - 1]; at--) {
            top[at] = top[at - 1];
            out[at].id = out[at - 1].id;
        }
        top[at] = logits[i];
        out[at].id = (int32_t)i;
    }
    for (int32_t i = 0; i < m; i++) out[i].logprob = r1i_logprob(top[i], lse);
    return m;
}

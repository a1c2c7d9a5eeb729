/* Choosing experts (architecture.md 5.1): one implementation for every instruction set; a row is a few microseconds. */
#include "backend/cpu/cpu_ops.h"

#include <string.h>

#include "backend/cpu/elementary.h"

void r1i_cpu_affinities(const r1i_cpu_kernels *k, const r1i_router_shape *s, const float *logit, float *score)
{
    if (s->sigmoid) {
        k->sigmoid_row(score, logit, s->experts);
        return;
    }
    float max = -INFINITY, sum = 0.0f;
    for (int64_t e = 0; e < s->experts; e++) max = logit[e] > max ? logit[e] : max;
    for (int64_t e = 0; e < s->experts; e++) sum += score[e] = r1i_expf(logit[e] - max);
    for (int64_t e = 0; e < s->experts; e++) score[e] = score[e] / sum;
}

/* Index of the largest of v[n] that is not taken; the lower index wins a tie. -infinity, and what does not compare,
 * still counts as a candidate, so there is always an answer. */
static int64_t best_left(const float *v, const bool *taken, int64_t n)
{
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++)
        if (!taken[i] && (best < 0 || v[i] > v[best])) best = i;
    return best;
}

static float two_largest(const float *v, int64_t n)
{
    float a = -INFINITY, b = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        if (v[i] > a) {
            b = a;
            a = v[i];
        } else if (v[i] > b) {
            b = v[i];
        }
    }
    return n > 1 ? a + b : a;
}

/* Experts outside the best groups become -infinity (never 0: an eligible expert may have a negative score) and
 * taken. */
static void limit_groups(const r1i_router_shape *s, float *choice, bool *taken)
{
    const int64_t size = s->experts / s->groups;
    float score[R1I_ROUTER_GROUPS];
    bool kept[R1I_ROUTER_GROUPS] = {false};
    for (int64_t g = 0; g < s->groups; g++) score[g] = two_largest(choice + g * size, size);
    for (int64_t i = 0; i < s->topk_groups; i++) kept[best_left(score, kept, s->groups)] = true;
    for (int64_t e = 0; e < s->experts; e++) {
        if (kept[e / size]) continue;
        choice[e] = -INFINITY;
        taken[e] = true;
    }
}

static void route_row(const r1i_cpu_kernels *k, const r1i_router_shape *s, const float *logit, const float *bias,
                      int32_t *expert, float *weight)
{
    float score[R1I_ROUTER_EXPERTS], choice[R1I_ROUTER_EXPERTS];
    bool taken[R1I_ROUTER_EXPERTS], chosen[R1I_ROUTER_EXPERTS];
    memset(taken, 0, (size_t)s->experts * sizeof *taken);
    memset(chosen, 0, (size_t)s->experts * sizeof *chosen);
    r1i_cpu_affinities(k, s, logit, score);
    for (int64_t e = 0; e < s->experts; e++) choice[e] = bias ? score[e] + bias[e] : score[e];
    if (s->groups > 1) limit_groups(s, choice, taken);
    for (int64_t i = 0; i < s->topk; i++) {
        const int64_t e = best_left(choice, taken, s->experts);
        taken[e] = chosen[e] = true;
    }
    float sum = 0.0f;
    int64_t n = 0;
    for (int64_t e = 0; e < s->experts; e++) {
        if (!chosen[e]) continue;
        expert[n] = (int32_t)e;
        weight[n++] = score[e];
        sum += score[e];
    }
    for (int64_t i = 0; i < n; i++) weight[i] = (s->normalise ? weight[i] / (sum + 1e-20f) : weight[i]) * s->scaling;
}

enum { ROUTE_ROWS = 64 }; /* of one item: a few dozen microseconds */

typedef struct routing {
    const r1i_cpu_kernels *k;
    const r1i_router_shape *s;
    r1i_mat logits;
    const float *bias;
    int32_t *expert;
    float *weight;
} routing;

static void route_item(void *ctx, int64_t i, int thread)
{
    (void)thread;
    const routing *const a = ctx;
    const int64_t topk = a->s->topk,
                  end = (i + 1) * ROUTE_ROWS < a->logits.rows ? (i + 1) * ROUTE_ROWS : a->logits.rows;
    for (int64_t r = i * ROUTE_ROWS; r < end; r++)
        route_row(a->k, a->s, a->logits.p + r * a->logits.stride, a->bias, a->expert + r * topk, a->weight + r * topk);
}

r1_status r1i_cpu_router(r1i_exec *ex, const r1i_router_shape *s, r1i_mat logits, const float *bias, int32_t *expert,
                         float *weight)
{
    routing a = {ex->backend, s, logits, bias, expert, weight};
    r1i_pool_run(ex->pool, (logits.rows + ROUTE_ROWS - 1) / ROUTE_ROWS, route_item, &a);
    return R1_OK;
}

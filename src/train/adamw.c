#include "train/adamw.h"

#include <math.h>
#include <stdlib.h>

/* Elements of one work item: multiples of 16, so that the lanes of a sum do not depend on the cut. */
enum { ITEM = 1 << 16 };

static int64_t items_of(const r1i_trained *t) { return (t->floats + ITEM - 1) / ITEM; }

typedef struct norm_work {
    const r1i_gradients *g;
    double *sum; /* an item */
} norm_work;

/* Item i of all parameters' items. */
static const r1i_trained *locate(const r1i_gradients *g, int64_t *i)
{
    int64_t k = 0;
    for (; *i >= items_of(&g->param[k]); k++) *i -= items_of(&g->param[k]);
    return &g->param[k];
}

static void norm_item(void *ctx, int64_t i, int thread)
{
    (void)thread;
    const norm_work *const w = ctx;
    const int64_t item = i;
    const r1i_trained *const t = locate(w->g, &i);
    const int64_t end = (i + 1) * ITEM < t->floats ? (i + 1) * ITEM : t->floats;
    const float *const g = t->grad;
    int64_t k = i * ITEM;
    double lane[16] = {0};
    for (; k + 16 <= end; k += 16)
        /* whole lanes: the compiler makes vectors of them */
        for (int l = 0; l < 16; l++) lane[l] += (double)g[k + l] * (double)g[k + l];
    for (; k < end; k++) lane[k % 16] += (double)g[k] * (double)g[k];
    double sum = 0.0;
    for (int l = 0; l < 16; l++) sum += lane[l];
    w->sum[item] = sum;
}

static int64_t all_items(const r1i_gradients *g)
{
    int64_t n = 0;
    for (int64_t i = 0; i < g->n; i++) n += items_of(&g->param[i]);
    return n;
}

r1_status r1i_gradients_norm(const r1i_gradients *g, r1i_pool *pool, double *norm, r1_error *err)
{
    const int64_t n = all_items(g);
    norm_work w = {g, malloc((size_t)n * sizeof *w.sum)};
    if (!w.sum) return r1i_fail(err, R1_ERR_NOMEM, "gradient norm, %lld sums", (long long)n);
    r1i_pool_run(pool, n, norm_item, &w);
    double sum = 0.0;
    r1_status st = R1_OK;
    for (int64_t p = 0, at = 0; p < g->n && st == R1_OK; p++)
        for (int64_t i = 0; i < items_of(&g->param[p]) && st == R1_OK; i++, at++) {
            if (!isfinite(w.sum[at]))
                st = r1i_fail(err, R1_ERR_RANGE, "the gradient of %s is not finite", g->param[p].p.name);
            sum += w.sum[at];
        }
    free(w.sum);
    *norm = sqrt(sum);
    return st;
}

typedef struct step_work {
    r1i_gradients *g;
    float clip, beta1, beta2, rest1, rest2, lr, eps, decay, unbias1, unbias2;
} step_work;

static void step_item(void *ctx, int64_t i, int thread)
{
    (void)thread;
    const step_work *const s = ctx;
    const r1i_trained *const t = locate(s->g, &i);
    if (t->muon) return;
    const int64_t end = (i + 1) * ITEM < t->floats ? (i + 1) * ITEM : t->floats;
    const float decay = t->decay ? s->decay : 0.0f;
    float *restrict const w = t->data, *restrict const m = t->m, *restrict const v = t->v;
    const float *restrict const grad = t->grad;
    for (int64_t k = i * ITEM; k < end; k++) {
        const float g = grad[k] * s->clip;
        m[k] = s->beta1 * m[k] + s->rest1 * g;
        v[k] = s->beta2 * v[k] + s->rest2 * (g * g);
        const float by = (m[k] * s->unbias1) / (sqrtf(v[k] * s->unbias2) + s->eps);
        w[k] = w[k] - s->lr * (by + decay * w[k]);
    }
}

double r1i_clip_factor(const r1i_adamw *o, double norm)
{
    return o->clip > 0.0 && o->clip < norm + 1e-6 ? o->clip / (norm + 1e-6) : 1.0;
}

void r1i_adamw_step(const r1i_adamw *o, r1i_gradients *g, r1i_pool *pool, int64_t t, double norm)
{
    step_work s = {
        .g = g,
        .clip = (float)r1i_clip_factor(o, norm),
        .beta1 = (float)o->beta1,
        .beta2 = (float)o->beta2,
        .rest1 = (float)(1.0 - o->beta1),
        .rest2 = (float)(1.0 - o->beta2),
        .lr = (float)o->lr,
        .eps = (float)o->eps,
        .decay = (float)o->weight_decay,
        .unbias1 = (float)(1.0 / (1.0 - pow(o->beta1, (double)t))),
        .unbias2 = (float)(1.0 / (1.0 - pow(o->beta2, (double)t))),
    };
    r1i_pool_run(pool, all_items(g), step_item, &s);
    r1i_gradients_round(g, pool);
}

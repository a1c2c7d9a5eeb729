#include "train/muon.h"

#include <math.h>
#include <string.h>

enum { LANES = 16, STEPS = 5 };
static const float momentum = 0.95f;

bool r1i_muon_takes(const r1i_parameter *p)
{
    return p->w && p->cols > 0 && !strstr(p->name, "embed_tokens") && !strstr(p->name, "lm_head") &&
        !strstr(p->name, "shared_head.head");
}

int64_t r1i_muon_scratch(int64_t rows, int64_t cols)
{
    const int64_t small = rows < cols ? rows : cols;
    return 3 * rows * cols + 3 * small * small;
}

static r1_status largest(void *user, const r1i_parameter *p)
{
    int64_t *const most = user;
    if (!r1i_muon_takes(p)) return R1_OK;
    const int64_t n = r1i_muon_scratch(r1i_parameter_floats(p) / p->w->cols, p->w->cols);
    if (n > *most) *most = n;
    return R1_OK;
}

static int64_t thread_floats(const r1_model *m)
{
    int64_t most = 0;
    (void)r1i_model_parameters(m, largest, &most);
    return (most + LANES - 1) / LANES * LANES;
}

uint64_t r1i_muon_bytes(const r1_model *m, int threads)
{
    return (uint64_t)thread_floats(m) * sizeof(float) * (uint64_t)threads;
}

/* c [n, m] = a [n, k] b [k, m]: every element one chain over k, ascending. */
static void multiply(float *restrict c, const float *restrict a, const float *restrict b, int64_t n, int64_t k,
                     int64_t m)
{
    memset(c, 0, (size_t)(n * m) * sizeof *c);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < k; j++) {
            const float f = a[i * k + j];
            for (int64_t l = 0; l < m; l++) c[i * m + l] += f * b[j * m + l];
        }
}

/* x [r, c], r <= c, in place: x = a x + (b A + c A A) x with A = x x^T. */
static void newton_schulz(float *x, int64_t r, int64_t c, float *scratch)
{
    float *const turned = scratch, *const y = turned + r * c, *const a = y + r * c, *const aa = a + r * r,
                 *const q = aa + r * r;
    for (int step = 0; step < STEPS; step++) {
        for (int64_t i = 0; i < r; i++)
            for (int64_t k = 0; k < c; k++) turned[k * r + i] = x[i * c + k];
        multiply(a, x, turned, r, c, r);
        multiply(aa, a, a, r, r, r);
        for (int64_t k = 0; k < r * r; k++) q[k] = -4.7750f * a[k] + 2.0315f * aa[k];
        multiply(y, q, x, r, r, c);
        for (int64_t k = 0; k < r * c; k++) x[k] = 3.4445f * x[k] + y[k];
    }
}

void r1i_muon_matrix(float *data, float *m, const float *grad, int64_t rows, int64_t cols, int64_t tall, float clip,
                     float lr, float decay, float *scratch)
{
    const bool turn = rows > cols; /* the products are of the smaller side */
    const int64_t r = turn ? cols : rows, c = turn ? rows : cols, n = rows * cols;
    float *const x = scratch;
    double sum = 0.0;
    for (int64_t k = 0; k < n; k++) { /* panels: 16 rows beside each other, column by column */
        const int64_t row = k / (LANES * cols) * LANES + k % LANES, col = k / LANES % cols;
        const float g = grad[k] * clip;
        m[k] = momentum * m[k] + g;
        const float u = g + momentum * m[k];
        x[turn ? col * c + row : row * c + col] = u;
        sum += (double)u * (double)u;
    }
    const float unit = (float)(1.0 / (sqrt(sum) + 1e-7));
    for (int64_t k = 0; k < n; k++) x[k] *= unit;
    newton_schulz(x, r, c, scratch + n);
    const float size = 0.2f * sqrtf((float)tall);
    for (int64_t k = 0; k < n; k++) {
        const int64_t row = k / (LANES * cols) * LANES + k % LANES, col = k / LANES % cols;
        data[k] -= lr * (size * x[turn ? col * c + row : row * c + col] + decay * data[k]);
    }
}

typedef struct work {
    const r1i_gradients *g;
    float clip, lr, decay, *scratch;
    int64_t each;
} work;

static void one_parameter(void *ctx, int64_t i, int thread)
{
    const work *const w = ctx;
    const r1i_trained *const t = &w->g->param[i];
    if (!t->muon) return;
    const int64_t cols = t->p.w->cols, rows = t->p.w->rows > cols ? t->p.w->rows : cols;
    r1i_muon_matrix(t->data, t->m, t->grad, t->floats / cols, cols, rows, w->clip, w->lr, w->decay,
                    w->scratch + thread * w->each);
}

void r1i_muon_step(const r1i_adamw *o, const r1i_gradients *g, r1i_pool *pool, double norm, float *scratch)
{
    work w = {.g = g, .clip = (float)r1i_clip_factor(o, norm), .lr = (float)o->lr, .decay = (float)o->weight_decay,
              .scratch = scratch};
    for (int64_t i = 0; i < g->n; i++) {
        const r1i_trained *const t = &g->param[i];
        const int64_t n = t->muon ? r1i_muon_scratch(t->floats / t->p.w->cols, t->p.w->cols) : 0;
        if (n > w.each) w.each = n;
    }
    w.each = (w.each + LANES - 1) / LANES * LANES;
    r1i_pool_run(pool, g->n, one_parameter, &w);
}

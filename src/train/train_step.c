/* One optimiser step: micro-batches of packed documents through the stepper, the clip, AdamW, the routers' biases. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "train/trainer.h"

typedef struct filling {
    int64_t n, n_runs, pages;
} filling;

/* A document's rows behind what the micro-batch holds. A row predicts the id after it: its target is that id, its
 * weight 1 / (targets of the step) where the id is marked. */
static void add_document(r1i_trainer *t, filling *f, const r1i_document *d, float weight)
{
    t->runs[f->n_runs++] = (r1i_run){.first = f->n, .n = d->n, .pages = t->page + f->pages};
    for (int64_t i = 0; i < d->n; i++, f->n++) {
        const bool learned = i + 1 < d->n && d->target[i + 1];
        t->token[f->n] = d->ids[i];
        t->target[f->n] = i + 1 < d->n ? d->ids[i + 1] : 0;
        t->weight[f->n] = learned ? weight : 0.0f;
    }
    for (int64_t i = 0; i < (d->n + R1I_PAGE - 1) / R1I_PAGE; i++, f->pages++) t->page[f->pages] = (int32_t)f->pages;
}

/* Chunk `index` of the whole run's sequence of chunks. */
static r1_status chunk_of(r1i_trainer *t, int64_t index, int64_t *n, r1_error *err)
{
    return r1i_training_data_chunk(t->data, index / t->stats.chunks, index % t->stats.chunks, t->documents,
                                   R1I_CHUNK_DOCUMENTS, n, err);
}

/* The balance loss is a mean over the step's sequences. */
static r1_status count_targets(r1i_trainer *t, int64_t first, r1_train_step *out, r1_error *err)
{
    int64_t sequences = 0;
    for (int64_t c = 0; c < t->recipe.batch_size; c++) {
        int64_t n;
        const r1_status st = chunk_of(t, first + c, &n, err);
        if (st != R1_OK) return st;
        sequences += n;
        for (int64_t i = 0; i < n; i++) {
            out->tokens += t->documents[i].n;
            for (int64_t k = 1; k < t->documents[i].n; k++) out->targets += t->documents[i].target[k] != 0;
        }
    }
    t->stepper.tape.balance_alpha = sequences > 0 ? (float)(t->recipe.balance_alpha / (double)sequences) : 0.0f;
    return R1_OK;
}

static void count_load(void *user, int64_t layer, int64_t rows, int64_t topk, const int32_t *expert,
                       const float *weight)
{
    r1i_trainer *const t = user;
    int64_t *const load = t->load + layer * t->model->config.n_routed_experts;
    (void)weight;
    for (int64_t i = 0; i < rows * topk; i++) load[expert[i]]++;
}

/* b += speed * sign(mean load - load): over the global batch, after the optimiser (training.md 2.8). */
static void move_bias(const r1i_trainer *t, const r1i_layer *l, const int64_t *load)
{
    const int64_t n = t->model->config.n_routed_experts;
    const float speed = (float)t->recipe.bias_speed;
    int64_t sum = 0;
    for (int64_t e = 0; e < n; e++) sum += load[e];
    for (int64_t e = 0; e < n && l->router_bias; e++) {
        const int64_t off = sum - n * load[e];
        if (off != 0) l->router_bias[e] += off > 0 ? speed : -speed;
    }
}

/* The biases of all layers; the spread of the worst. */
static double balance(const r1i_trainer *t)
{
    const r1i_config *const c = &t->model->config;
    double worst = 0.0;
    for (int64_t i = 0; i < c->num_hidden_layers + (t->model->mtp ? c->num_nextn_predict_layers : 0) &&
         c->n_routed_experts > 0; i++) {
        const r1i_layer *const l = i < c->num_hidden_layers ? &t->model->layer[i]
            : &t->model->mtp[i - c->num_hidden_layers].layer;
        const int64_t *const load = t->load + i * c->n_routed_experts;
        int64_t sum = 0, most = 0;
        for (int64_t e = 0; e < c->n_routed_experts && l->moe; e++) {
            sum += load[e];
            if (load[e] > most) most = load[e];
        }
        if (sum == 0) continue;
        if (t->recipe.bias_speed > 0.0) move_bias(t, l, load);
        const double spread = (double)most * (double)c->n_routed_experts / (double)sum;
        if (spread > worst) worst = spread;
    }
    return worst;
}

static r1_status run_batches(r1i_trainer *t, int64_t first, r1_train_step *out, r1_error *err)
{
    const r1i_probe probe = {.router = count_load, .user = t};
    const float weight = 1.0f / (float)out->targets;
    r1_status st = R1_OK;
    t->stepper.tape.balance_loss = &out->balance_loss;
    for (int64_t c = 0; c < t->recipe.batch_size && st == R1_OK;) {
        filling f = {0};
        for (int64_t k = 0; k < t->recipe.micro_batch && c < t->recipe.batch_size && st == R1_OK; k++, c++) {
            int64_t n;
            st = chunk_of(t, first + c, &n, err);
            for (int64_t i = 0; i < n && st == R1_OK; i++) add_document(t, &f, &t->documents[i], weight);
        }
        const r1i_train_rows rows = {.batch = {.token = t->token, .n = f.n, .runs = t->runs, .n_runs = f.n_runs},
                                     .target = t->target, .weight = t->weight};
        if (st == R1_OK)
            st = r1i_stepper_run(&t->stepper, &rows, &out->loss, &out->mtp_loss, NULL, t->load ? &probe : NULL, err);
    }
    return st;
}

r1_status r1i_trainer_step(r1i_trainer *t, int64_t step, r1_train_step *out, r1_error *err)
{
    const double start = r1i_seconds();
    const int64_t first = (step - 1) * t->recipe.batch_size;
    const r1i_recipe *const r = &t->recipe;
    const r1i_config *const c = &t->model->config;
    *out = (r1_train_step){.step = step, .steps = t->steps, .epoch = first / t->stats.chunks};
    r1_status st = count_targets(t, first, out, err);
    if (st != R1_OK) return st;
    if (t->load)
        memset(t->load, 0, (size_t)((c->num_hidden_layers + c->num_nextn_predict_layers) * c->n_routed_experts) *
               sizeof *t->load);
    r1i_gradients_zero(&t->gradients, t->pool);
    if ((st = run_batches(t, first, out, err)) != R1_OK) return st;
    r1i_gradients_finish(&t->gradients, t->pool);
    if ((st = r1i_gradients_norm(&t->gradients, t->pool, &out->gradient_norm, err)) != R1_OK) return st;
    out->learning_rate = r1i_recipe_lr(r, step, t->steps);
    const r1i_adamw adamw = {.lr = out->learning_rate, .beta1 = r->beta1, .beta2 = r->beta2, .eps = r->eps,
                             .weight_decay = r->weight_decay, .clip = r->clip};
    if (r->muon) r1i_muon_step(&adamw, &t->gradients, t->pool, out->gradient_norm, t->muon_scratch);
    r1i_adamw_step(&adamw, &t->gradients, t->pool, step, out->gradient_norm);
    if (t->load) out->load_spread = balance(t);
    out->seconds = r1i_seconds() - start;
    out->tokens_per_second = (double)out->tokens / out->seconds;
    out->resident_bytes = r1i_memory_resident();
    out->peak_bytes = r1i_memory_peak();
    return R1_OK;
}

/* The tape: what a forward pass did, so that it can be walked backwards. Fronts append a record when the exec has a
 * tape; the model has no backward code of its own. Activations stay in the exec's (held) scratch, and a shadow holds
 * the gradient of each of their floats at a place of its own, so a view of an activation (columns, rows, a slice of
 * experts) is a view of its gradient. Within a layer a matrix (a block) has a place in the shadow only from the first
 * op of the walk back that gives to it until the op that made it is through: little lives at a time, and mostly in
 * caches. The residual stream and what else reaches beyond a layer has its own part. With `recompute` a layer keeps its
 * input alone and runs again when the walk comes to it.
 *
 * Gradients of activations begin at zero and every backward op adds to them, in the reverse order of the tape; where an
 * op ran in place, or is the first to give to a block and gives to all of it, it replaces them. Gradients of parameters
 * accumulate over calls, rows ascending, one chain of fmaf an element: cutting a batch between sequences moves no
 * bit. */
#ifndef R1I_TAPE_H
#define R1I_TAPE_H

#include "op/table.h"

typedef enum r1i_tape_op {
    R1I_TAPE_EMBED, R1I_TAPE_RMSNORM, R1I_TAPE_LINEAR, R1I_TAPE_ROPE, R1I_TAPE_ATTENTION, R1I_TAPE_SILU_MUL,
        R1I_TAPE_ROUTER, R1I_TAPE_GATHER, R1I_TAPE_COMBINE, R1I_TAPE_SCALE, R1I_TAPE_LAYER
} r1i_tape_op;

/* A stretch of the scratch: [begin, begin of the next), with its gradients from `shadow` on. */
typedef struct r1i_tape_region {
    size_t begin, shadow;
    bool layer;
} r1i_tape_region;

/* A matrix of a layer: bytes [begin, begin + bytes) of the scratch. */
typedef struct r1i_tape_block {
    size_t begin, bytes, shadow; /* shadow: where its gradient lies while it is live */
    int64_t first;            /* no earlier record knows it */
    int64_t halves;           /* its gradient lies there as rows of bf16, so many apart; 0: as f32 */
    bool live;
} r1i_tape_block;

/* Runs a layer again with the tape, its input restored to the residual stream. */
typedef r1_status (*r1i_tape_redo_fn)(const void *layer);

/* One product of a LINEAR record. */
typedef struct r1i_tape_job {
    r1i_mat y;
    r1i_act x;
    const r1i_weight *w;
    const float *bias;        /* nullable */
    bool add, bf16;           /* y was added to; both factors were rounded to bf16 */
} r1i_tape_job;

typedef struct r1i_record {
    r1i_tape_op op;
    r1i_mat y, x, z;          /* outputs and inputs, by op (tape.c) */
    r1i_mat saved;            /* a copy of what the forward overwrote */
    const r1i_weight *w;
    const float *vec;         /* a norm's gain, a router's bias */
    const int32_t *index;     /* tokens, rows, slots, experts */
    const float *weight;      /* gates [rows, topk] */
    int64_t n, dim, step;
    float scalar;
    bool flag, side;
    r1i_tape_redo_fn redo;    /* LAYER: x the residual stream, saved its rows at the layer's input */
    const void *layer;
    r1i_attn_shape attn;
    r1i_mat keys, values;     /* ATTENTION: as read from the cache; z, saved: where their gradients go */
    r1i_router_shape route;
    const r1i_run *runs;
    int64_t n_runs;
    r1i_tape_job *job;        /* LINEAR: [n] */
} r1i_record;

/* Where the gradient of a parameter is summed: f32 in the layout of its panels ([ceil(rows / 16)][cols][16]; a vector
 * as it lies), by the address of the parameter's data. NULL: frozen, nothing is summed. side: the record was made while
 * tape.side was set (a second use of a parameter in one pass, which needs a sum of its own: two chains of rows would
 * otherwise meet in an order that depends on the batch). */
typedef float *(*r1i_param_grad_fn)(void *user, const void *data, bool side);

typedef struct r1i_tape {
    r1i_arena *act;           /* the forward's scratch: held while the tape is in use */
    r1i_arena shadow;         /* of the shared regions, then of one layer; grows to what a step needs */
    r1i_tape_region *region;
    int64_t n_regions, room_regions;
    r1i_tape_block *block;    /* of all layers, ascending */
    int64_t n_blocks, room_blocks;
    size_t shared_bytes, layer_bytes;         /* of the shadow; layer_bytes: the largest layer so far */
    r1i_pool *pool;           /* of the walk back */
    bool recompute;
    r1i_arena work;           /* temporaries of one backward op */
    r1i_record *record;
    int64_t n, room;
    r1_env env;
    r1i_param_grad_fn param_grad;
    void *user;
    bool side;                /* marks the records made from now on */
    float balance_alpha;      /* weight of the sequence balance loss of every router; 0: none */
    double *balance_loss;     /* nullable: its value is added here (not part of the cross-entropy) */
    const r1i_run *runs;      /* of the batch under way, borrowed until the backward is done */
    int64_t n_runs;
    /* of the last kv_write, for the attention that follows: the rows written, and as the cache gives them back */
    r1i_mat source_keys, source_values, keys, values;
} r1i_tape;

/* act is borrowed and becomes held. layer_bytes: scratch of the largest layer, where layers are run again. Nothing is
 * allocated before the first record. */
void r1i_tape_create(r1i_tape *t, r1i_arena *act, bool recompute, size_t layer_bytes, const r1_env *env);
void r1i_tape_destroy(r1i_tape *t);
/* Forget all records; what act holds from `mark` on is given back. */
void r1i_tape_clear(r1i_tape *t, size_t mark);

/* Around a layer: its activations become a region. */
r1_status r1i_tape_begin_layer(r1i_exec *ex);
r1_status r1i_tape_end_layer(r1i_exec *ex);
/* A layer that runs without the tape now and with it later: keeps x's rows. `layer` stays valid until the walk back. */
r1_status r1i_tape_later(r1i_exec *ex, r1i_mat x, r1i_tape_redo_fn redo, const void *layer);

/* Whoever takes memory of the scratch for an activation within a layer says so, before the op that writes it.
 * R1_ERR_NOMEM. */
r1_status r1i_tape_block_add(r1i_exec *ex, const void *p, size_t bytes);
/* The gradient of an activation: same shape and stride, in the shadow; zero if nobody has given to its block. */
float *r1i_tape_grad(r1i_tape *t, const float *activation);
static inline r1i_mat r1i_tape_grad_mat(r1i_tape *t, r1i_mat m)
{
    return (r1i_mat){r1i_tape_grad(t, m.p), m.rows, m.cols, m.stride};
}

/* m[n], apart from each other, are about to be given to, all at once: assign[i] says that its block has nothing yet and
 * gets all of its floats from them, which must then be written, not added. */
void r1i_tape_open(r1i_tape *t, const r1i_mat *m, int64_t n, bool *assign);
/* The same for all of m and the record i that gives to it, where nobody needs f32: nothing was given before, all other
 * records that know the block are products which made it, their factors bf16, without bias or sum. Then to->bf16 is
 * where its rows go. */
void r1i_tape_open_bf16(r1i_tape *t, int64_t i, r1i_mat m, r1i_grad_to *to);
/* Where the rows of a product's gradient lie as bf16, and how far apart; NULL: they lie as f32. */
uint16_t *r1i_tape_grad_bf16(const r1i_tape *t, r1i_mat m, int64_t *stride);
/* The walk is through with record i: what no earlier record knows loses its place. */
void r1i_tape_close(r1i_tape *t, int64_t i);

/* Fronts: room for one more record, zeroed, or NULL (err filled). */
r1i_record *r1i_tape_add(r1i_exec *ex, r1i_tape_op op);
/* A dense copy of m in the held scratch. */
r1_status r1i_tape_copy(r1i_exec *ex, r1i_mat m, r1i_mat *out);

/* Zero the gradients of all shared regions; afterwards the caller writes those of the outputs. R1_ERR_NOMEM. */
r1_status r1i_tape_zero(r1i_tape *t, r1i_pool *pool, r1_error *err);
/* Temporaries of the walk back for one product with w of the rows x, of which rows and columns alone matter: w turned,
 * its gradient's scratch, and dy as bf16 where the product rounds. Those of one call add up. */
size_t r1i_tape_product_bytes(const r1i_weight *w, const r1i_mat *x, bool bf16);
/* Walk the records from the last to the first. ex is the forward's exec (its scratch is t->act). */
r1_status r1i_tape_backward(r1i_exec *ex, r1i_tape *t);

#endif

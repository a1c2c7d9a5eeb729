/* The one forward pass. Inference, scoring and training call r1i_forward; they differ in what the batch holds and in
 * what they ask to keep, not in code. */
#ifndef R1I_FORWARD_H
#define R1I_FORWARD_H

#include "model/kv.h"
#include "model/model.h"

/* A packed batch: rows of one sequence are consecutive and have consecutive positions. */
typedef struct r1i_batch {
    const int32_t *token;     /* [n] */
    int64_t n;
    const r1i_run *runs;      /* tile [0, n) in order */
    int64_t n_runs;
    const int32_t *logit_row; /* [n_logits] rows whose logits are wanted, ascending */
    int64_t n_logits;
} r1i_batch;

/* Sees intermediate values (tests, and later the tape): layer 0 .. L: embedding, then each layer's output (L: after the
 * final norm); router choices of MoE layers. Called between ops; pointers valid during the call. All nullable. */
typedef struct r1i_probe {
    void (*hidden)(void *user, int64_t layer, r1i_mat x);
    void (*router)(void *user, int64_t layer, int64_t rows, int64_t topk, const int32_t *expert, const float *weight);
    void *user;
} r1i_probe;

/* logits[n_logits, vocab_size]. hidden_out (nullable) [n, hidden_size] receives the final-normed rows (for MTP).
 * kv holds this batch's runs' pages; keys and values of all rows are written, then read.
 * Scratch comes from ex->scratch (r1i_forward_scratch_bytes) and is given back. Ids must be below vocab_size. */
r1_status r1i_forward(r1i_exec *ex, const r1_model *m, const r1i_kv *kv, const r1i_batch *batch, r1i_mat logits,
                      r1i_mat *hidden_out, const r1i_probe *probe);

/* MTP layer `depth`: row i joins the embedding of next_token[i] with hidden[i] (the trunk's final-normed output at the
 * same slot) and predicts the token after next_token[i]. The layer's own pages are those of kv layer num_hidden_layers
 * + depth. */
r1_status r1i_forward_mtp(r1i_exec *ex, const r1_model *m, int64_t depth, const r1i_kv *kv, const r1i_batch *batch,
                          const int32_t *next_token, r1i_mat hidden, r1i_mat logits);
/* The same without a head: normed [n, hidden_size] receives what the head would see (a trainer's loss does the
 * rest). */
r1_status r1i_forward_mtp_hidden(r1i_exec *ex, const r1_model *m, int64_t depth, const r1i_kv *kv,
                                 const r1i_batch *batch, const int32_t *next_token, r1i_mat hidden, r1i_mat normed,
                                 const r1i_probe *probe);

/* Scratch of a forward of at most `rows` rows, `logit_rows` of them with logits, at positions below max_positions. */
size_t r1i_forward_scratch_bytes(const r1_model *m, int64_t rows, int64_t max_positions, int threads);
/* For a forward that a tape records, logits not among it: the activations (nothing is given back, so all layers add up,
 * or with recompute their inputs and one layer), their gradients' shadow, and the largest layer. */
typedef struct r1i_tape_bytes {
    size_t act, shadow, layer;
} r1i_tape_bytes;
void r1i_forward_tape_bytes(const r1_model *m, int64_t rows, int64_t max_positions, int threads, bool recompute,
                            r1i_tape_bytes *out);
/* Temporaries of the walk back over that tape: about those of its largest record. */
size_t r1i_backward_bytes(const r1_model *m, int64_t rows, int64_t max_positions, int threads);

#endif

/* Every parameter of a model by its published name, in the order of the checkpoint: what an optimiser changes and a
 * checkpoint saves. A matrix in memory may be a part of a published tensor (kv_b is split into the two absorbed
 * stacks). */
#ifndef R1I_PARAMETERS_H
#define R1I_PARAMETERS_H

#include "model/model.h"
#include "model/tensor_names.h"

typedef struct r1i_parameter {
    char name[R1I_TENSOR_NAME]; /* Hugging Face */
    int64_t rows, cols;         /* of the published tensor; cols 0: a vector of `rows` */
    const r1i_weight *w;        /* a matrix, */
    /* with its f32 panels: the weight's own, or what its BF16 panels were rounded from; or */
    float *master;
    float *vec;                 /* a vector [rows] */
    int64_t row0;               /* first published row of this part */
    bool transposed;            /* w holds the published rows as its columns */
    bool selection_bias;        /* changed by the load of the experts, never by a gradient */
} r1i_parameter;

/* Under compute bf16 a trainable matrix exists twice. */
typedef struct r1i_master {
    const uint8_t *rounded;     /* BF16 panels */
    float *f32;                 /* F32 panels */
} r1i_master;

/* load.c, once f32 panels are packed: makes the BF16 panels of every matrix but the routers and points the model's
 * weights at them. R1_ERR_NOMEM. */
r1_status r1i_model_round_masters(r1_model *m, r1_error *err);
/* F32 panels [rows, cols] to BF16 panels, panels [p0, p1). */
void r1i_panels_round(uint16_t *out, const float *in, int64_t cols, int64_t p0, int64_t p1);

/* fn returning other than R1_OK ends the walk with that status. Parts of one tensor follow each other. A tied head is
 * not told twice. */
typedef r1_status (*r1i_parameter_fn)(void *user, const r1i_parameter *p);
r1_status r1i_model_parameters(const r1_model *m, r1i_parameter_fn fn, void *user);

/* Floats of a parameter's own memory (panels, padding rows included, or the vector), and where they begin. The model
 * must be trainable. */
int64_t r1i_parameter_floats(const r1i_parameter *p);
float *r1i_parameter_data(const r1i_parameter *p);
/* Between the layout in memory (own: as long as r1i_parameter_floats) and the published tensor's row-major f32 [rows,
 * cols]. */
void r1i_parameter_unpack(const r1i_parameter *p, const float *own, float *tensor);
void r1i_parameter_pack(const r1i_parameter *p, float *own, const float *tensor);

#endif

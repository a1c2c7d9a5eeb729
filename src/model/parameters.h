/* Every parameter of a model by its published name, in the order of the checkpoint: what an optimiser changes and a checkpoint saves.
 * A matrix in memory may be a part of a published tensor (kv_b is split into the two absorbed stacks). */
#ifndef R1I_PARAMETERS_H
#define R1I_PARAMETERS_H

#include "model/model.h"
#include "model/tensor_names.h"

typedef struct r1i_parameter {
    char name[R1I_TENSOR_NAME]; /* Hugging Face */
    int64_t rows, cols;         /* of the published tensor; cols 0: a vector of `rows` */
    const r1i_weight *w;        /* a matrix, or */
    float *vec;                 /* a vector [rows] */
    int64_t row0;               /* first published row of this part */
    bool transposed;            /* w holds the published rows as its columns */
    bool selection_bias;        /* changed by the load of the experts, never by a gradient */
} r1i_parameter;

/* fn returning other than R1_OK ends the walk with that status. Parts of one tensor follow each other. A tied head is not told twice. */
typedef r1_status (*r1i_parameter_fn)(void *user, const r1i_parameter *p);
r1_status r1i_model_parameters(const r1_model *m, r1i_parameter_fn fn, void *user);

/* Floats of a parameter's own memory (panels, padding rows included, or the vector), and where they begin. The model must be trainable. */
int64_t r1i_parameter_floats(const r1i_parameter *p);
float *r1i_parameter_data(const r1i_parameter *p);
/* Between the layout in memory (own: as long as r1i_parameter_floats) and the published tensor's row-major f32 [rows, cols]. */
void r1i_parameter_unpack(const r1i_parameter *p, const float *own, float *tensor);
void r1i_parameter_pack(const r1i_parameter *p, float *own, const float *tensor);

#endif

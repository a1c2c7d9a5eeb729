/* The distinct matrix shapes of a model: what `--ops` measures, and where in memory the matrices of one shape lie. */
#ifndef R1I_SHAPES_H
#define R1I_SHAPES_H

#include "model/model.h"

enum { R1I_SHAPE_NAMES = 128, R1I_SHAPE_JOBS = 128 };

typedef struct r1i_shape {
    char what[R1I_SHAPE_NAMES];      /* "ffn_gate ffn_up": all that share type and shape */
    const r1i_weight **w;            /* [n] in the order of a forward */
    int64_t n, room;
    int64_t together;                /* so many of them are one call in a forward over one row: heads, chosen experts */
    bool exact;                      /* the router: f32 activations whatever the mode */
} r1i_shape;

typedef struct r1i_shapes {
    r1_env env;
    r1i_shape *item;                 /* [n] */
    int n, room;
} r1i_shapes;

/* R1_ERR_NOMEM. */
r1_status r1i_shapes_of(const r1_model *m, const r1_env *env, r1i_shapes *out, r1_error *err);
void r1i_shapes_free(r1i_shapes *s);

#endif

/* AdamW with a global-norm clip (training.md 2.4) over the parameters of r1i_gradients, f32 master weights and
 * moments. */
#ifndef R1I_ADAMW_H
#define R1I_ADAMW_H

#include "base/pool.h"
#include "train/gradients.h"

typedef struct r1i_adamw {
    double lr, beta1, beta2, eps, weight_decay, clip; /* clip <= 0: none */
} r1i_adamw;

/* Global norm of the gradients: squares as double in 16 lanes a parameter, parameters ascending. R1_ERR_RANGE names the
 * first tensor with a gradient that is not finite: the weights are then as they were. */
r1_status r1i_gradients_norm(const r1i_gradients *g, r1i_pool *pool, double *norm, r1_error *err);
/* min(1, clip / (norm + 1e-6)). */
double r1i_clip_factor(const r1i_adamw *o, double norm);
/* Step t (1, 2, ...): g *= min(1, clip / (norm + 1e-6)); m, v, and w -= lr (m^ / (sqrt(v^) + eps) + decay w).
 * Elementwise in f32, the scalars of the step rounded once. */
void r1i_adamw_step(const r1i_adamw *o, r1i_gradients *g, r1i_pool *pool, int64_t t, double norm);

#endif

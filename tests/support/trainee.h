/* A model with what a step of training needs, for tests that drive the stepper themselves. */
#ifndef R1_SUPPORT_TRAINEE_H
#define R1_SUPPORT_TRAINEE_H

#include "support/test.h"
#include "train/loss.h"

typedef struct trainee {
    r1_model *m;
    r1i_pool *pool;
    r1i_gradients g;
    r1i_stepper s;
    r1_error err;
} trainee;

static inline void assert_ok(r1_status st, const r1_error *err)
{
    if (st != R1_OK) fail_msg("%s", err->message);
}

static inline void close_trainee(trainee *t)
{
    r1i_stepper_destroy(&t->s);
    r1i_gradients_destroy(&t->g);
    r1i_pool_destroy(t->pool);
    r1_model_close(t->m);
}

#endif

/* A row that all products of a region meet, as each thread makes it for itself (r1i_act.later): what a decode step
 * spends on norming and preparing a row is less than it takes one core to learn that another has, and to fetch the
 * lines. The copy lies on the thread's stack. */
#ifndef R1I_OWN_ROW_H
#define R1I_OWN_ROW_H

#include "backend/cpu/cpu_ops.h"

enum { R1I_OWN_COLS = 8192 }; /* R1 itself: 7168; its o_proj has 16,384 and is prepared by whoever comes first */

typedef struct r1i_own_row {
    bool made;
    r1i_act act;
    _Alignas(64) float x[R1I_OWN_COLS];
    int8_t q[R1I_OWN_COLS], fine_q[R1I_OWN_COLS];
    float d[R1I_OWN_COLS / 32], fine_d[R1I_OWN_COLS / 32];
    int32_t sum16[R1I_OWN_COLS / 16], fine_sum16[R1I_OWN_COLS / 16];
    uint8_t fine[R1I_OWN_COLS / 256];
} r1i_own_row;

static inline bool r1i_own_row_fits(const r1i_act *x)
{
    return x->later && x->x.rows == 1 && x->x.cols <= R1I_OWN_COLS && !(x->kinds & R1I_ACT_BF16);
}

/* What x was left to become, normed or gated, and prepared: into `to`, which may be x. */
static inline void r1i_row_make(const r1i_cpu_kernels *k, const r1i_act *x, const r1i_act *to)
{
    if (x->from) k->rmsnorm_row(to->x.p, x->from, x->gain, x->x.cols, x->eps);
    else if (x->up) k->silu_mul_row(to->x.p, x->x.p, x->up, x->x.cols);
    r1i_cpu_prepare_row(k, to, 0);
}

/* Fills `own` for x, which fits; nothing that x names is written. */
static inline void r1i_own_row_make(const r1i_cpu_kernels *k, const r1i_act *x, r1i_own_row *own)
{
    own->act = *x;
    if (x->from || x->up) own->act.x = r1i_mat_of(own->x, 1, x->x.cols);
    if (x->kinds & R1I_ACT_Q8) {
        own->act.q = own->q, own->act.fine_q = own->fine_q;
        own->act.d = own->d, own->act.fine_d = own->fine_d;
        own->act.sum16 = own->sum16, own->act.fine_sum16 = own->fine_sum16;
        own->act.fine = own->fine, own->act.fine_stride = 1;
    }
    r1i_row_make(k, x, &own->act);
    own->made = true;
}

#endif

/* Pieces of a row as sixteen lanes, the last of them perhaps in part, and the tree that folds lanes. Included after
 * what says what lanes are. */
#ifndef R1I_ROW_PIECES_H
#define R1I_ROW_PIECES_H

#include "backend/cpu/claim.h"

static inline float fold(v16 v)
{
    float lane[16];
    v16_store(lane, v);
    return r1i_fold16(lane);
}

/* A row that is about to be written, as far as it stays near. */
static inline void claim_row(float *y, int64_t n)
{
    enum { MOST = 16 * 1024 };
    r1i_claim(y, (size_t)(n < MOST ? n : MOST) * sizeof *y);
}

/* `left` > 0 columns from p on: whole vectors by plain loads. */
static inline v16 some(const float *p, int64_t left) { return left >= 16 ? v16_load(p) : v16_load_n(p, left); }
static inline void put(float *p, v16 v, int64_t left)
{
    if (left >= 16) v16_store(p, v);
    else v16_store_n(p, v, left);
}

#endif

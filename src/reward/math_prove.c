/* The parent's side of the exact proof. */
#include <stdlib.h>

#include "reward/math_inner.h"

struct r1i_prover {
    int unused;
};

int r1i_math_prove(r1i_math *math, const r1i_frac *difference, const char **why)
{
    (void)math;
    (void)difference;
    *why = "not proved equal";
    return 0;
}

void r1i_prover_destroy(r1i_prover *prover) { free(prover); }

/* Exact integers and rationals of bounded size: 64 bits in place, beyond that limbs in the scratch arena. Results that
 * would leave the cap (about 9,800 digits) fail the whole computation instead of taking its time. */
#ifndef R1I_MATH_NUMBER_H
#define R1I_MATH_NUMBER_H

#include "reward/math_mem.h"

enum { R1I_INT_LIMBS = 1024 }; /* of 32 bits */

typedef struct r1i_int {
    int64_t small;     /* the value where limb is NULL */
    const uint32_t *limb; /* magnitude, least first, top limb not 0; borrowed from the arena */
    int32_t n;         /* limbs, negative for a negative value */
} r1i_int;
typedef struct r1i_rat {
    r1i_int p, q;      /* q > 0, reduced */
} r1i_rat;

static inline r1i_int r1i_int_of(int64_t v) { return (r1i_int){.small = v}; }
static inline r1i_rat r1i_rat_of(int64_t v) { return (r1i_rat){{.small = v}, {.small = 1}}; }

int r1i_int_sign(const r1i_int *a);
static inline bool r1i_int_is(const r1i_int *a, int64_t v) { return !a->limb && a->small == v; }
int r1i_int_cmp(const r1i_int *a, const r1i_int *b);
r1i_int r1i_int_neg(r1i_mem *m, const r1i_int *a);
r1i_int r1i_int_add(r1i_mem *m, const r1i_int *a, const r1i_int *b);
r1i_int r1i_int_mul(r1i_mem *m, const r1i_int *a, const r1i_int *b);
/* Truncating division; b is not 0. quot and rem nullable. */
void r1i_int_div(r1i_mem *m, const r1i_int *a, const r1i_int *b, r1i_int *quot, r1i_int *rem);
r1i_int r1i_int_gcd(r1i_mem *m, const r1i_int *a, const r1i_int *b);
r1i_int r1i_int_pow(r1i_mem *m, const r1i_int *a, uint32_t e);
bool r1i_int_pow_fits(const r1i_int *a, uint64_t e); /* whether a^e stays within the cap */
r1i_int r1i_int_root(r1i_mem *m, const r1i_int *a, uint32_t k); /* floor of the k-th root of a >= 0 */
int r1i_int_bits(const r1i_int *a);
/* mantissa in [0.5, 1) times 2^exponent, within 2^-50 relative */
double r1i_int_double(const r1i_int *a, int *exponent);
r1i_int r1i_int_read(r1i_mem *m, const char *digits, size_t n); /* decimal digits only */
void r1i_int_write(r1i_mtext *t, const r1i_int *a);

r1i_rat r1i_rat_make(r1i_mem *m, r1i_int p, r1i_int q); /* q is not 0 */
r1i_rat r1i_rat_add(r1i_mem *m, const r1i_rat *a, const r1i_rat *b);
r1i_rat r1i_rat_mul(r1i_mem *m, const r1i_rat *a, const r1i_rat *b);
r1i_rat r1i_rat_neg(r1i_mem *m, const r1i_rat *a);
r1i_rat r1i_rat_inv(r1i_mem *m, const r1i_rat *a); /* a is not 0 */
r1i_rat r1i_rat_pow(r1i_mem *m, const r1i_rat *a, int32_t e);
r1i_int r1i_rat_floor(r1i_mem *m, const r1i_rat *a);
int r1i_rat_cmp(r1i_mem *m, const r1i_rat *a, const r1i_rat *b);
static inline int r1i_rat_sign(const r1i_rat *a) { return r1i_int_sign(&a->p); }
static inline bool r1i_rat_is(const r1i_rat *a, int64_t v) { return r1i_int_is(&a->p, v) && r1i_int_is(&a->q, 1); }
static inline bool r1i_rat_is_int(const r1i_rat *a) { return r1i_int_is(&a->q, 1); }
void r1i_rat_write(r1i_mtext *t, const r1i_rat *a); /* "3", "-2/7" */

#endif

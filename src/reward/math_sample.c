/* Enclosures in double precision: the value of a formula with a bound on its error. They decide signs, floors and the
 * order of an interval's ends, and they refute equality; they never establish it. */
#include "reward/math_poly.h"

#include <complex.h>
#include <math.h>

typedef struct ball {
    double complex v;
    double r; /* INFINITY: not known */
} ball;

static const double eps = 0x1p-50; /* a few roundings of each operation */

static ball unknown(void) { return (ball){0, INFINITY}; }
static ball settle(double complex v, double r)
{
    const double size = cabs(v);
    if (!(size < 1e150) || !(r < 1e150)) return unknown();
    return (ball){v, r + eps * size};
}
static ball add(ball a, ball b) { return settle(a.v + b.v, a.r + b.r); }
static ball mul(ball a, ball b)
{
    if (isinf(a.r) || isinf(b.r)) return unknown();
    return settle(a.v * b.v, cabs(a.v) * b.r + cabs(b.v) * a.r + a.r * b.r);
}
static ball divide(ball a, ball b)
{
    const double size = cabs(b.v) - b.r;
    if (!(size > 0) || isinf(a.r)) return unknown();
    return settle(a.v / b.v, (a.r + cabs(a.v / b.v) * b.r) / size);
}

static ball poly_ball(const r1i_poly *p, uint32_t seed, int depth);
static ball frac_ball(const r1i_frac *f, uint32_t seed, int depth)
{
    r1i_rat one;
    const ball n = poly_ball(&f->num, seed, depth);
    if (r1i_poly_const(&f->den, &one) && r1i_rat_is(&one, 1)) return n;
    return divide(n, poly_ball(&f->den, seed, depth));
}

/* A real function of a real ball, given a bound on its slope there. */
static ball real_fn(double v, double slope, double r) { return settle(v, slope * r + 4 * eps * fabs(v)); }

static ball power_ball(ball b, ball e)
{
    if (isinf(b.r) || isinf(e.r)) return unknown();
    if (fabs(cimag(b.v)) > 0 || fabs(cimag(e.v)) > 0 || creal(b.v) <= b.r) return unknown();
    const double x = creal(b.v), y = creal(e.v), v = pow(x, y);
    /* d(x^y) = x^y (y dx / x + ln x dy), taken at the worse end, doubled for the curvature within a small ball */
    const double slope = (fabs(y) * b.r / (x - b.r) + fabs(log(x)) * e.r);
    if (!(slope < 0.1)) return unknown();
    return settle(v, 2 * v * slope + 8 * eps * v * (1 + fabs(y * log(x))));
}

static uint32_t name_hash(const char *s, uint32_t seed)
{
    uint32_t h = 2166136261u ^ (seed * 0x9E3779B9u);
    for (; *s; s++) h = (h ^ (unsigned char)*s) * 16777619u;
    h ^= h >> 15;
    h *= 0x2C1B3C6Du;
    return h ^ h >> 12;
}

static ball fn_ball(const r1i_atom *a, uint32_t seed, int depth)
{
    const ball x = frac_ball(&a->arg[0], seed, depth);
    if (isinf(x.r) || a->n_args != 1) return unknown();
    if (a->op == R1I_MF_ABS) return settle(cabs(x.v), x.r);
    if (fabs(cimag(x.v)) > 0) return unknown();
    const double v = creal(x.v), r = x.r, edge = fabs(v) + r;
    switch (a->op) {
    case R1I_MF_SIN: return edge < 1e6 ? real_fn(sin(v), 1, r + eps * edge) : unknown();
    case R1I_MF_COS: return edge < 1e6 ? real_fn(cos(v), 1, r + eps * edge) : unknown();
    case R1I_MF_LN: return v > 2 * r ? real_fn(log(v), 1 / (v - r), r + eps * v) : unknown();
    case R1I_MF_ATAN: return real_fn(atan(v), 1, r);
    case R1I_MF_ASIN: return edge < 0.9999 ? real_fn(asin(v), 1 / sqrt(1 - edge * edge), r + eps) : unknown();
    case R1I_MF_FLOOR: return floor(v - r) == floor(v + r) ? settle(floor(v), 0) : unknown();
    case R1I_MF_SIGN: return v > r ? settle(1, 0) : v < -r ? settle(-1, 0) : unknown();
    case R1I_MF_ERF: return real_fn(erf(v), 1.2, r);
    default: return unknown();
    }
}

static ball atom_ball(const r1i_atom *a, uint32_t seed, int depth)
{
    if (depth > 60) return unknown();
    switch (a->kind) {
    case R1I_A_SYM: return settle(0.4 + 2 * (name_hash(a->key, seed) / 4294967296.0), 0);
    case R1I_A_PRIME: {
        int e;
        const double d = r1i_int_double(&a->prime, &e);
        return settle(ldexp(d, e), 0);
    }
    case R1I_A_CONST:
        if (a->op == R1I_MC_PI) return settle(M_PI, 0);
        if (a->op == R1I_MC_E) return settle(M_E, 0);
        if (a->op == R1I_MC_I) return (ball){I, 0};
        return unknown();
    case R1I_A_FN: return fn_ball(a, seed, depth + 1);
    case R1I_A_ROOT: return frac_ball(&a->arg[0], seed, depth + 1);
    case R1I_A_POWER: return power_ball(frac_ball(&a->arg[0], seed, depth + 1), frac_ball(&a->arg[1], seed, depth + 1));
    default: return unknown();
    }
}

static ball factor_ball(const r1i_factor *f, uint32_t seed, int depth)
{
    const ball b = atom_ball(f->atom, seed, depth);
    if (f->p == 1 && f->q == 1) return b;
    if (isinf(b.r)) return b;
    if (f->q == 1 && f->p <= 64) {
        ball r = b;
        for (int i = 1; i < f->p; i++) r = mul(r, b);
        return r;
    }
    return power_ball(b, (ball){(double)f->p / f->q, eps * f->p / f->q});
}

static ball poly_ball(const r1i_poly *p, uint32_t seed, int depth)
{
    ball sum = {0, 0};
    for (int i = 0; i < p->n; i++) {
        int ep, eq;
        const double n = r1i_int_double(&p->t[i].c.p, &ep), d = r1i_int_double(&p->t[i].c.q, &eq);
        if (ep - eq > 500 || ep - eq < -500) return unknown();
        ball t = settle(ldexp(n / d, ep - eq), 0);
        for (int j = 0; j < p->t[i].n; j++) t = mul(t, factor_ball(&p->t[i].f[j], seed, depth));
        sum = add(sum, t);
    }
    return sum;
}

r1i_ball r1i_math_ball(const r1i_frac *a, uint32_t seed)
{
    const ball b = frac_ball(a, seed, 0);
    return (r1i_ball){creal(b.v), cimag(b.v), b.r};
}

int r1i_math_sign(r1i_mem *m, const r1i_frac *a)
{
    r1i_rat c;
    if (r1i_frac_const(a, &c)) return r1i_rat_sign(&c);
    r1i_mem_work(m, 200);
    const r1i_ball b = r1i_math_ball(a, 0);
    if (isinf(b.rad) || fabs(b.im) > 0) return 0;
    return b.re > b.rad ? 1 : b.re < -b.rad ? -1 : 0;
}

bool r1i_math_floor(r1i_mem *m, const r1i_frac *a, int64_t *v)
{
    r1i_mem_work(m, 200);
    const r1i_ball b = r1i_math_ball(a, 0);
    if (isinf(b.rad) || fabs(b.im) > 0 || fabs(b.re) > 1e15 || floor(b.re - b.rad) != floor(b.re + b.rad)) return false;
    *v = (int64_t)floor(b.re);
    return true;
}

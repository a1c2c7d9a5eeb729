/* Functions of the normal form: of whole numbers, of complex constants, hyperbolic ones; the rest of them by name. */
#include "reward/math_poly.h"

static r1i_frac factorial(r1i_mem *m, const r1i_frac *a)
{
    int64_t n;
    if (r1i_frac_small(a, &n)) {
        if (n < 0) r1i_mem_fail(m, -1, "a factorial of a negative number");
        if (n > 2900) return r1i_math_fn_atom(m, R1I_MF_FACT, a, 1);
        r1i_rat r = r1i_rat_of(1);
        for (int64_t k = 2; k <= n; k++) {
            const r1i_int i = r1i_int_of(k);
            r.p = r1i_int_mul(m, &r.p, &i);
        }
        return r1i_frac_rat(m, &r);
    }
    /* (n + c)! = n! (n + 1) ... (n + c) */
    r1i_rat one, c = r1i_rat_of(0);
    if (r1i_poly_const(&a->den, &one) && a->num.n > 1 && a->num.t[a->num.n - 1].n == 0) c = a->num.t[a->num.n - 1].c;
    int64_t shift = 0;
    if (r1i_rat_is_int(&c) && !c.p.limb && c.p.small >= -12 && c.p.small <= 12) shift = c.p.small;
    const r1i_frac minus = r1i_frac_int(m, -shift);
    r1i_frac base = r1i_frac_add(m, a, &minus), r = r1i_math_fn_atom(m, R1I_MF_FACT, &base, 1);
    for (int64_t k = 1; k <= shift; k++) {
        const r1i_frac kk = r1i_frac_int(m, k), x = r1i_frac_add(m, &base, &kk);
        r = r1i_frac_mul(m, &r, &x);
    }
    for (int64_t k = 0; k > shift; k--) {
        const r1i_frac kk = r1i_frac_int(m, k), x = r1i_frac_add(m, &base, &kk);
        r = r1i_frac_div(m, &r, &x);
    }
    return r;
}

static r1i_frac binomial(r1i_mem *m, const r1i_frac *n, const r1i_frac *k)
{
    int64_t kk, nn;
    const bool whole = r1i_frac_small(n, &nn);
    if (r1i_frac_small(k, &kk)) {
        if (kk < 0) return r1i_frac_int(m, 0);
        if (whole && nn >= 0) {
            if (kk > nn) return r1i_frac_int(m, 0);
            if (kk > nn - kk) kk = nn - kk;
        }
        if (kk <= (whole ? 3000 : 40)) {
            r1i_frac r = r1i_frac_int(m, 1);
            for (int64_t i = 0; i < kk; i++) {
                const r1i_frac minus = r1i_frac_int(m, -i), x = r1i_frac_add(m, n, &minus);
                const r1i_rat by = r1i_rat_make(m, r1i_int_of(1), r1i_int_of(i + 1));
                r = r1i_frac_mul(m, &r, &x);
                r = r1i_frac_scale(m, &r, &by);
            }
            return r;
        }
    }
    const r1i_frac rest = r1i_frac_sub(m, n, k), a = factorial(m, n), b = factorial(m, k), c = factorial(m, &rest),
                   bc = r1i_frac_mul(m, &b, &c);
    return r1i_frac_div(m, &a, &bc);
}

static r1i_frac floor_of(r1i_mem *m, const r1i_frac *a)
{
    r1i_rat c;
    int64_t v;
    if (r1i_frac_const(a, &c)) {
        const r1i_rat r = {r1i_rat_floor(m, &c), r1i_int_of(1)};
        return r1i_frac_rat(m, &r);
    }
    if (r1i_frac_no_vars(a) && r1i_math_floor(m, a, &v)) return r1i_frac_int(m, v);
    /* whole multiples of symbols and whole constants do not pass through for symbols (n need not be whole); constants
     * do */
    r1i_rat one;
    r1i_frac whole = r1i_frac_int(m, 0), rest = *a;
    if (r1i_poly_const(&a->den, &one) && a->num.n > 1 && a->num.t[a->num.n - 1].n == 0) {
        const r1i_rat k = {r1i_rat_floor(m, &a->num.t[a->num.n - 1].c), r1i_int_of(1)};
        whole = r1i_frac_rat(m, &k);
        rest = r1i_frac_sub(m, a, &whole);
    }
    const r1i_frac f = r1i_math_fn_atom(m, R1I_MF_FLOOR, &rest, 1);
    return r1i_frac_add(m, &f, &whole);
}

static r1i_frac whole_numbers(r1i_mem *m, int fn, const r1i_frac *a, int n)
{
    r1i_rat c[64];
    bool all = n <= 64;
    for (int i = 0; i < n && all; i++) all = r1i_frac_const(&a[i], &c[i]);
    const bool whole = all && fn != R1I_MF_MAX && fn != R1I_MF_MIN;
    for (int i = 0; i < n && whole; i++) all &= r1i_rat_is_int(&c[i]);
    if (!all) { /* the order of arguments does not matter */
        r1i_frac sorted[64];
        if (n > 64) r1i_mem_fail(m, -1, "a function of more than 64 numbers");
        for (int i = 0; i < n; i++) {
            int k = i;
            for (; k > 0 && fn != R1I_MF_MOD && strcmp(r1i_frac_text(m, &sorted[k - 1]), r1i_frac_text(m, &a[i])) > 0;
                 k--) sorted[k] = sorted[k - 1];
            sorted[k] = a[i];
        }
        return r1i_math_fn_atom(m, fn, sorted, n);
    }
    r1i_rat r = c[0];
    if (fn == R1I_MF_MOD) {
        if (r1i_rat_sign(&c[1]) == 0) r1i_mem_fail(m, -1, "a division by zero");
        const r1i_rat inverse = r1i_rat_inv(m, &c[1]), q = r1i_rat_mul(m, &r, &inverse),
                      f = {r1i_rat_floor(m, &q), r1i_int_of(1)};
        r1i_rat part = r1i_rat_mul(m, &f, &c[1]);
        part = r1i_rat_neg(m, &part);
        r = r1i_rat_add(m, &r, &part);
    } else
        for (int i = 0; i < n; i++) {
            if (fn == R1I_MF_GCD) r.p = r1i_int_gcd(m, &r.p, &c[i].p);
            else if (fn == R1I_MF_LCM) {
                const r1i_int g = r1i_int_gcd(m, &r.p, &c[i].p);
                r1i_int q;
                if (r1i_int_sign(&g) == 0) continue;
                r1i_int_div(m, &c[i].p, &g, &q, NULL);
                r.p = r1i_int_mul(m, &r.p, &q);
                if (r1i_int_sign(&r.p) < 0) r.p = r1i_int_neg(m, &r.p);
            } else if ((fn == R1I_MF_MAX) == (r1i_rat_cmp(m, &c[i], &r) > 0)) r = c[i];
        }
    return r1i_frac_rat(m, &r);
}

/* Real, imaginary part, conjugate and argument of a constant in i. */
static r1i_frac complex_part(r1i_mem *m, int fn, const r1i_frac *a)
{
    r1i_rat one;
    r1i_atom *const unit = r1i_atom_const(m, R1I_MC_I);
    if (!r1i_frac_no_vars(a) || !r1i_poly_const(&a->den, &one)) return r1i_math_fn_atom(m, fn, a, 1);
    r1i_poly re = {0}, im = {0};
    for (int i = 0; i < a->num.n; i++) {
        const r1i_poly t = r1i_poly_term(m, &a->num.t[i]);
        if (r1i_poly_has(&t, unit)) im = r1i_poly_add(m, &im, &t);
        else re = r1i_poly_add(m, &re, &t);
    }
    const r1i_frac x = r1i_frac_poly(m, &re), iy = r1i_frac_poly(m, &im), i = r1i_frac_atom(m, unit),
                   y = r1i_frac_div(m, &iy, &i);
    if (fn == R1I_MF_RE) return x;
    if (fn == R1I_MF_IM) return y;
    if (fn == R1I_MF_CONJ) return r1i_frac_sub(m, &x, &iy);
    const int sx = r1i_math_sign(m, &x);
    const r1i_frac pi = r1i_frac_atom(m, r1i_atom_const(m, R1I_MC_PI));
    if (r1i_frac_zero(&y)) return sx < 0 ? pi : r1i_frac_int(m, 0);
    if (r1i_frac_zero(&x) || !sx) return r1i_math_fn_atom(m, fn, a, 1);
    const r1i_frac slope = r1i_frac_div(m, &y, &x);
    r1i_frac r = r1i_math_arc(m, R1I_MF_ATAN, &slope);
    if (sx < 0) r = r1i_math_sign(m, &y) < 0 ? r1i_frac_sub(m, &r, &pi) : r1i_frac_add(m, &r, &pi);
    return r;
}

static r1i_frac hyperbolic(r1i_mem *m, int fn, const r1i_frac *a)
{
    const r1i_frac e = r1i_frac_atom(m, r1i_atom_const(m, R1I_MC_E)), one = r1i_frac_int(m, 1);
    const r1i_frac up = r1i_math_pow(m, &e, a), down = r1i_frac_div(m, &one, &up), sum = r1i_frac_add(m, &up, &down),
                   dif = r1i_frac_sub(m, &up, &down), h = r1i_math_half(m), two = r1i_frac_int(m, 2);
    switch (fn) {
    case R1I_MF_SINH: return r1i_frac_mul(m, &dif, &h);
    case R1I_MF_COSH: return r1i_frac_mul(m, &sum, &h);
    case R1I_MF_TANH: return r1i_frac_div(m, &dif, &sum);
    case R1I_MF_COTH: return r1i_frac_div(m, &sum, &dif);
    case R1I_MF_SECH: return r1i_frac_div(m, &two, &sum);
    default: return r1i_frac_div(m, &two, &dif);
    }
}

static r1i_frac area(r1i_mem *m, int fn, const r1i_frac *arg)
{
    const r1i_frac one = r1i_frac_int(m, 1), h = r1i_math_half(m);
    r1i_frac a = *arg;
    if (fn >= R1I_MF_ACOTH) {
        a = r1i_frac_div(m, &one, arg);
        fn = fn == R1I_MF_ACOTH ? R1I_MF_ATANH : fn == R1I_MF_ASECH ? R1I_MF_ACOSH : R1I_MF_ASINH;
    }
    if (fn == R1I_MF_ATANH) {
        const r1i_frac p = r1i_frac_add(m, &one, &a), q = r1i_frac_sub(m, &one, &a), x = r1i_math_ln(m, &p),
                       y = r1i_math_ln(m, &q), d = r1i_frac_sub(m, &x, &y);
        return r1i_frac_mul(m, &d, &h);
    }
    const r1i_frac sq = r1i_frac_mul(m, &a, &a),
                   inner = fn == R1I_MF_ASINH ? r1i_frac_add(m, &sq, &one) : r1i_frac_sub(m, &sq, &one);
    const r1i_frac root = r1i_math_pow_rat(m, &inner, 1, 2), sum = r1i_frac_add(m, &a, &root);
    return r1i_math_ln(m, &sum);
}

r1i_frac r1i_math_function(r1i_mem *m, int fn, const r1i_frac *a, int n)
{
    r1i_frac x, y;
    const r1i_frac one = r1i_frac_int(m, 1);
    const r1i_rat minus = r1i_rat_of(-1);
    int64_t k;
    switch (fn) {
    case R1I_MF_SIN: case R1I_MF_COS: return r1i_math_sincos(m, fn, a);
    case R1I_MF_TAN: case R1I_MF_COT: case R1I_MF_SEC: case R1I_MF_CSC:
        x = r1i_math_sincos(m, R1I_MF_SIN, a);
        y = r1i_math_sincos(m, R1I_MF_COS, a);
        if (fn == R1I_MF_TAN) return r1i_frac_div(m, &x, &y);
        if (fn == R1I_MF_COT) return r1i_frac_div(m, &y, &x);
        return r1i_frac_div(m, &one, fn == R1I_MF_SEC ? &y : &x);
    case R1I_MF_ASIN: case R1I_MF_ACOS: case R1I_MF_ATAN: case R1I_MF_ACOT: case R1I_MF_ASEC: case R1I_MF_ACSC:
        if (n == 2) return r1i_math_fn_atom(m, fn, a, n);
        return r1i_math_arc(m, fn, a);
    case R1I_MF_SINH: case R1I_MF_COSH: case R1I_MF_TANH: case R1I_MF_COTH: case R1I_MF_SECH:
    case R1I_MF_CSCH: return hyperbolic(m, fn, a);
    case R1I_MF_ASINH: case R1I_MF_ACOSH: case R1I_MF_ATANH: case R1I_MF_ACOTH: case R1I_MF_ASECH:
    case R1I_MF_ACSCH: return area(m, fn, a);
    case R1I_MF_EXP:
        x = r1i_frac_atom(m, r1i_atom_const(m, R1I_MC_E));
        return r1i_math_pow(m, &x, a);
    case R1I_MF_LN: return r1i_math_ln(m, a);
    case R1I_MF_LOG:
        x = r1i_math_ln(m, &a[0]);
        y = r1i_math_ln(m, &a[1]);
        return r1i_frac_div(m, &x, &y);
    case R1I_MF_ABS: return r1i_math_abs(m, a);
    case R1I_MF_FLOOR: return floor_of(m, a);
    case R1I_MF_CEIL:
        x = r1i_frac_scale(m, a, &minus);
        x = floor_of(m, &x);
        return r1i_frac_scale(m, &x, &minus);
    case R1I_MF_ROOT:
        if (r1i_frac_small(&a[1], &k) && k != 0 && k < 1000 && k > -1000)
            return r1i_math_pow_rat(m, a, k < 0 ? -1 : 1, (int32_t)(k < 0 ? -k : k));
        x = r1i_frac_div(m, &one, &a[1]);
        return r1i_math_pow(m, a, &x);
    case R1I_MF_FACT: return factorial(m, a);
    case R1I_MF_FACT2: {
        if (!r1i_frac_small(a, &k) || k < 0 || k > 3000) return r1i_math_fn_atom(m, fn, a, n);
        r1i_rat r = r1i_rat_of(1);
        for (; k > 1; k -= 2) {
            const r1i_int i = r1i_int_of(k);
            r.p = r1i_int_mul(m, &r.p, &i);
        }
        return r1i_frac_rat(m, &r);
    }
    case R1I_MF_BINOM: return binomial(m, &a[0], &a[1]);
    case R1I_MF_GCD: case R1I_MF_LCM: case R1I_MF_MOD: case R1I_MF_MAX: case R1I_MF_MIN: return whole_numbers(m, fn, a,
        n);
    case R1I_MF_SIGN: case R1I_MF_SGN:
        k = r1i_frac_no_vars(a) ? r1i_math_sign(m, a) : 0;
        return k ? r1i_frac_int(m, k) : r1i_math_fn_atom(m, R1I_MF_SIGN, a, n);
    case R1I_MF_RE: case R1I_MF_IM: case R1I_MF_CONJ: case R1I_MF_ARG: return complex_part(m, fn, a);
    case R1I_MF_GAMMA:
        if (r1i_frac_small(a, &k) && k > 0 && k < 2900) {
            x = r1i_frac_int(m, k - 1);
            return factorial(m, &x);
        }
        return r1i_math_fn_atom(m, fn, a, n);
    default: return r1i_math_fn_atom(m, fn, a, n);
    }
}

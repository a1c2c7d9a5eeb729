/* Sines and cosines, their inverses, and the identities between them. */
#include "reward/math_poly.h"

static r1i_frac pi_times(r1i_mem *m, int64_t p, int64_t q)
{
    const r1i_rat c = r1i_rat_make(m, r1i_int_of(p), r1i_int_of(q));
    const r1i_frac pi = r1i_frac_atom(m, r1i_atom_const(m, R1I_MC_PI));
    return r1i_frac_scale(m, &pi, &c);
}

static r1i_frac ratio(r1i_mem *m, int64_t p, int64_t q)
{
    const r1i_rat c = r1i_rat_make(m, r1i_int_of(p), r1i_int_of(q));
    return r1i_frac_rat(m, &c);
}

/* sqrt(a + b sqrt c) / d */
static r1i_frac surd(r1i_mem *m, int64_t a, int64_t b, int64_t c, int64_t d)
{
    const r1i_frac x = r1i_frac_int(m, c), by = ratio(m, 1, d);
    r1i_frac r = r1i_math_pow_rat(m, &x, 1, 2);
    const r1i_rat bb = r1i_rat_of(b);
    const r1i_frac aa = r1i_frac_int(m, a);
    r = r1i_frac_scale(m, &r, &bb);
    r = r1i_frac_add(m, &r, &aa);
    r = r1i_math_pow_rat(m, &r, 1, 2);
    return r1i_frac_mul(m, &r, &by);
}

/* (a + b sqrt c) / d */
static r1i_frac linear(r1i_mem *m, int64_t a, int64_t b, int64_t c, int64_t d)
{
    const r1i_frac x = r1i_frac_int(m, c), by = ratio(m, 1, d), aa = r1i_frac_int(m, a);
    r1i_frac r = r1i_math_pow_rat(m, &x, 1, 2);
    const r1i_rat bb = r1i_rat_of(b);
    r = r1i_frac_scale(m, &r, &bb);
    r = r1i_frac_add(m, &r, &aa);
    return r1i_frac_mul(m, &r, &by);
}

static r1i_frac trig_atom(r1i_mem *m, int fn, const r1i_frac *a)
{
    r1i_atom *const sine =
        r1i_atom_get(m, R1I_A_FN, R1I_MF_SIN, r1i_mem_printf(m, "sin(%s)", r1i_frac_text(m, a)), a, 1);
    r1i_atom *const cosine =
        r1i_atom_get(m, R1I_A_FN, R1I_MF_COS, r1i_mem_printf(m, "cos(%s)", r1i_frac_text(m, a)), a, 1);
    if (!sine->rule_k) { /* sin^2 = 1 - cos^2 */
        const r1i_poly one = r1i_poly_int(m, 1), c2 = r1i_poly_atom(m, cosine, 2, 1);
        const r1i_rat minus = r1i_rat_of(-1);
        const r1i_poly n = r1i_poly_scale(m, &c2, &minus);
        sine->rule = r1i_poly_add(m, &one, &n);
        sine->rule_k = 2;
    }
    return r1i_frac_atom(m, fn == R1I_MF_SIN ? sine : cosine);
}

/* sin(p/q pi) for 0 <= p/q <= 1/2. */
static r1i_frac sin_table(r1i_mem *m, int64_t p, int64_t q)
{
    switch (q) {
    case 1: return r1i_frac_int(m, 0);
    case 2: return r1i_frac_int(m, 1);
    case 3: return linear(m, 0, 1, 3, 2);
    case 4: return linear(m, 0, 1, 2, 2);
    case 6: return ratio(m, 1, 2);
    case 5: return surd(m, 10, p == 1 ? -2 : 2, 5, 4);
    case 10: return linear(m, p == 1 ? -1 : 1, 1, 5, 4);
    case 8: return surd(m, 2, p == 1 ? -1 : 1, 2, 2);
    case 12: {
        const r1i_frac a = linear(m, 0, 1, 6, 4), b = linear(m, 0, 1, 2, 4);
        return p == 1 ? r1i_frac_sub(m, &a, &b) : r1i_frac_add(m, &a, &b);
    }
    default: break;
    }
    /* an angle up to pi/4, so that each value has one name */
    if (4 * p <= q) {
        const r1i_frac a = pi_times(m, p, q);
        return trig_atom(m, R1I_MF_SIN, &a);
    }
    const r1i_frac a = pi_times(m, q - 2 * p, 2 * q);
    return trig_atom(m, R1I_MF_COS, &a);
}

static r1i_frac of_arc(r1i_mem *m, int fn, const r1i_atom *arc)
{
    const r1i_frac x = arc->arg[0], one = r1i_frac_int(m, 1), x2 = r1i_frac_mul(m, &x, &x);
    if (arc->op == R1I_MF_ASIN) {
        if (fn == R1I_MF_SIN) return x;
        const r1i_frac d = r1i_frac_sub(m, &one, &x2);
        return r1i_math_pow_rat(m, &d, 1, 2);
    }
    const r1i_frac s = r1i_frac_add(m, &one, &x2), root = r1i_math_pow_rat(m, &s, 1, 2);
    return r1i_frac_div(m, fn == R1I_MF_SIN ? &x : &one, &root);
}

r1i_frac r1i_math_sincos(r1i_mem *m, int fn, const r1i_frac *a)
{
    r1i_rat one, turn = r1i_rat_of(0);
    r1i_frac rest = *a;
    if (++m->depth > 1200) r1i_mem_fail(m, -1, "nested too deeply to work out");
    if (r1i_poly_const(&a->den, &one)) {
        r1i_poly p = {0};
        for (int i = 0; i < a->num.n; i++) {
            const r1i_term *const t = &a->num.t[i];
            if (t->n == 1 && t->f[0].atom->kind == R1I_A_CONST && t->f[0].atom->op == R1I_MC_PI && t->f[0].p == 1 &&
                t->f[0].q == 1) turn = t->c;
            else {
                const r1i_poly x = r1i_poly_term(m, t);
                p = r1i_poly_add(m, &p, &x);
            }
        }
        rest = r1i_frac_poly(m, &p);
    }
    r1i_rat sign = r1i_rat_of(1);
    const r1i_rat minus = r1i_rat_of(-1);
    if (!r1i_frac_zero(&rest) && r1i_poly_sign(&rest.num) < 0) { /* sin(-x) = -sin x */
        rest = r1i_frac_scale(m, &rest, &minus);
        turn = r1i_rat_neg(m, &turn);
        if (fn == R1I_MF_SIN) sign = minus;
    }
    const r1i_rat half_turn = r1i_rat_make(m, r1i_int_of(1), r1i_int_of(2));
    if (fn == R1I_MF_COS) { /* cos x = sin(x + pi/2) */
        turn = r1i_rat_add(m, &turn, &half_turn);
        fn = R1I_MF_SIN;
    }
    /* turn = k/2 + r, 0 <= r < 1/2 */
    const r1i_rat twice = r1i_rat_add(m, &turn, &turn);
    const r1i_rat k = {r1i_rat_floor(m, &twice), r1i_int_of(1)};
    const r1i_rat back = r1i_rat_mul(m, &k, &half_turn), nb = r1i_rat_neg(m, &back), r = r1i_rat_add(m, &turn, &nb);
    const r1i_int four = r1i_int_of(4);
    r1i_int rem;
    r1i_int_div(m, &k.p, &four, NULL, &rem);
    const int quarter = (int)((rem.small + 4) % 4);
    r1i_frac v;
    if (quarter >= 2) sign = r1i_rat_neg(m, &sign);
    if (r1i_frac_zero(&rest)) {
        if (r.q.limb || r.p.limb || r.q.small > 100000) {
            r1i_frac angle = r1i_frac_atom(m, r1i_atom_const(m, R1I_MC_PI));
            angle = r1i_frac_scale(m, &angle, &r);
            v = trig_atom(m, quarter % 2 ? R1I_MF_COS : R1I_MF_SIN, &angle);
        } else if (quarter % 2) { /* sin(pi/2 + r) = sin(pi/2 - r) */
            r1i_rat c = r1i_rat_neg(m, &r);
            c = r1i_rat_add(m, &c, &half_turn);
            v = sin_table(m, c.p.small, c.q.small);
        } else v = sin_table(m, r.p.small, r.q.small);
    } else {
        r1i_frac angle = rest;
        if (r1i_rat_sign(&r) != 0) {
            r1i_frac shift = r1i_frac_atom(m, r1i_atom_const(m, R1I_MC_PI));
            shift = r1i_frac_scale(m, &shift, &r);
            angle = r1i_frac_add(m, &rest, &shift);
        }
        const r1i_factor *const f = angle.num.n == 1 && angle.num.t[0].n == 1 && r1i_rat_is(&angle.num.t[0].c, 1)
            ? &angle.num.t[0].f[0] : NULL;
        const bool arc = f && f->p == 1 && f->q == 1 && f->atom->kind == R1I_A_FN &&
            (f->atom->op == R1I_MF_ASIN || (f->atom->op == R1I_MF_ATAN && f->atom->n_args == 1));
        v = arc ? of_arc(m, quarter % 2 ? R1I_MF_COS : R1I_MF_SIN, f->atom)
            : trig_atom(m, quarter % 2 ? R1I_MF_COS : R1I_MF_SIN, &angle);
    }
    m->depth--;
    return r1i_rat_is(&sign, 1) ? v : r1i_frac_scale(m, &v, &sign);
}

/* acos, acot, asec and acsc by way of asin and atan; values of special angles; odd functions with a positive leading
 * term. */
r1i_frac r1i_math_arc(r1i_mem *m, int fn, const r1i_frac *a)
{
    const r1i_frac one = r1i_frac_int(m, 1), quarter = pi_times(m, 1, 2);
    r1i_frac x = *a;
    if (fn == R1I_MF_ASEC || fn == R1I_MF_ACSC) {
        x = r1i_frac_div(m, &one, a);
        fn = fn == R1I_MF_ASEC ? R1I_MF_ACOS : R1I_MF_ASIN;
    }
    if (fn == R1I_MF_ACOS || fn == R1I_MF_ACOT) {
        const r1i_frac c = r1i_math_arc(m, fn == R1I_MF_ACOS ? R1I_MF_ASIN : R1I_MF_ATAN, &x);
        return r1i_frac_sub(m, &quarter, &c);
    }
    if (r1i_frac_zero(&x)) return x;
    const r1i_rat minus = r1i_rat_of(-1);
    if (r1i_poly_sign(&x.num) < 0) {
        x = r1i_frac_scale(m, &x, &minus);
        const r1i_frac r = r1i_math_arc(m, fn, &x);
        return r1i_frac_scale(m, &r, &minus);
    }
    static const int64_t angles[][2] = {{1, 6}, {1, 4}, {1, 3}, {1, 2}, {1, 12}, {5, 12}, {1, 5}, {2, 5}, {1, 10},
                                        {3, 10}, {1, 8}, {3, 8}};
    if (r1i_frac_no_vars(&x))
        for (size_t i = 0; i < sizeof angles / sizeof *angles; i++) {
            const r1i_frac angle = pi_times(m, angles[i][0], angles[i][1]);
            if (fn == R1I_MF_ATAN && angles[i][1] == 2) continue;
            r1i_frac v = r1i_math_sincos(m, R1I_MF_SIN, &angle);
            if (fn == R1I_MF_ATAN) {
                const r1i_frac c = r1i_math_sincos(m, R1I_MF_COS, &angle);
                v = r1i_frac_div(m, &v, &c);
            }
            if (r1i_frac_same(&v, &x)) return angle;
            v = r1i_frac_scale(m, &v, &minus);
            if (r1i_frac_same(&v, &x)) return r1i_frac_scale(m, &angle, &minus);
        }
    const char *const key = r1i_mem_printf(m, "%s(%s)", r1i_mfn_name[fn], r1i_frac_text(m, &x));
    return r1i_frac_atom(m, r1i_atom_get(m, R1I_A_FN, fn, key, &x, 1));
}

/* ---- identities by exponentials ---- */

/* Each monomial of an angle gets one unit w = e^(i mono / d), d a common denominator; cos and sin are then (w^k +-
 * w^-k)/2. */
typedef struct basis {
    struct { r1i_poly mono; int64_t d; r1i_atom *w; bool pi; } e[24];
    int n;
} basis;

static bool learn_angle(r1i_mem *m, basis *b, const r1i_frac *a)
{
    r1i_rat one;
    if (!r1i_poly_const(&a->den, &one)) return false;
    for (int i = 0; i < a->num.n; i++) {
        r1i_term t = a->num.t[i];
        const r1i_rat c = t.c;
        t.c = r1i_rat_of(1);
        const r1i_poly mono = r1i_poly_term(m, &t);
        int k = 0;
        while (k < b->n && !r1i_poly_same(&b->e[k].mono, &mono)) k++;
        if (k == b->n) {
            if (b->n == 24) return false;
            b->e[b->n].mono = mono;
            b->e[b->n].d = 1;
            b->e[b->n].pi = t.n == 1 && t.f[0].atom->kind == R1I_A_CONST && t.f[0].atom->op == R1I_MC_PI &&
                t.f[0].p == 1 && t.f[0].q == 1;
            b->n++;
        }
        if (c.q.limb || c.q.small > 360) return false;
        int64_t x = b->e[k].d, y = c.q.small;
        while (y) {
            const int64_t r = x % y;
            x = y;
            y = r;
        }
        b->e[k].d = b->e[k].d / x * c.q.small;
        if (b->e[k].d > 360) return false;
    }
    return true;
}

static bool learn(r1i_mem *m, basis *b, const r1i_poly *p)
{
    for (int i = 0; i < p->n; i++)
        for (int j = 0; j < p->t[i].n; j++) {
            const r1i_atom *const a = p->t[i].f[j].atom;
            if (a->kind == R1I_A_FN && (a->op == R1I_MF_SIN || a->op == R1I_MF_COS)) {
                if (p->t[i].f[j].q != 1 || !learn_angle(m, b, &a->arg[0])) return false;
            }
        }
    return true;
}

/* w^2d = e^(2 pi i) = 1: the least relation is the cyclotomic polynomial, got by dividing x^n - 1 by those of n's
 * divisors. */
static r1i_poly cyclotomic(r1i_mem *m, r1i_atom *w, int32_t n)
{
    const r1i_rat minus = r1i_rat_of(-1);
    const r1i_poly one = r1i_poly_int(m, 1), neg = r1i_poly_scale(m, &one, &minus), x = r1i_poly_atom(m, w, n, 1);
    r1i_poly p = r1i_poly_add(m, &x, &neg), q;
    for (int32_t d = 1; d < n; d++)
        if (n % d == 0) {
            const r1i_poly c = cyclotomic(m, w, d);
            if (r1i_poly_div(m, &p, &c, &q)) p = q;
        }
    return p;
}

/* i itself is w^(d/2) where w = e^(i pi / d): two names for it would hide relations. */
static r1i_frac unit_i(r1i_mem *m, const basis *b)
{
    for (int k = 0; k < b->n; k++)
        if (b->e[k].pi) {
            const r1i_poly w = r1i_poly_atom(m, b->e[k].w, (int32_t)(b->e[k].d / 2), 1);
            return r1i_frac_poly(m, &w);
        }
    return r1i_frac_atom(m, r1i_atom_const(m, R1I_MC_I));
}

static r1i_frac in_units(r1i_mem *m, const basis *b, const r1i_atom *a)
{
    r1i_frac up = r1i_frac_int(m, 1);
    for (int i = 0; i < a->arg[0].num.n; i++) {
        r1i_term t = a->arg[0].num.t[i];
        const r1i_rat c = t.c;
        t.c = r1i_rat_of(1);
        const r1i_poly mono = r1i_poly_term(m, &t);
        int k = 0;
        while (!r1i_poly_same(&b->e[k].mono, &mono)) k++;
        if (c.p.limb || c.p.small > 100000 || c.p.small < -100000)
            r1i_mem_fail(m, -1, "an angle too large to work with");
        const int64_t e = c.p.small * (b->e[k].d / c.q.small);
        if (e > 720 || e < -720) r1i_mem_fail(m, -1, "an angle too large to work with");
        const r1i_poly w = r1i_poly_atom(m, b->e[k].w, (int32_t)(e < 0 ? -e : e), 1);
        const r1i_frac f = r1i_frac_poly(m, &w);
        up = e < 0 ? r1i_frac_div(m, &up, &f) : r1i_frac_mul(m, &up, &f);
    }
    const r1i_frac one = r1i_frac_int(m, 1), down = r1i_frac_div(m, &one, &up), h = ratio(m, 1, 2);
    r1i_frac r;
    if (a->op == R1I_MF_COS) r = r1i_frac_add(m, &up, &down);
    else {
        const r1i_frac i = unit_i(m, b), d = r1i_frac_sub(m, &up, &down);
        r = r1i_frac_div(m, &d, &i);
    }
    return r1i_frac_mul(m, &r, &h);
}

bool r1i_math_vanishes(r1i_mem *m, const r1i_poly *difference)
{
    if (difference->n == 0) return true;
    basis b = {.n = 0};
    if (!learn(m, &b, difference) || b.n == 0) return false;
    for (int i = 0; i < b.n; i++)
        if (b.e[i].pi && b.e[i].d % 2) b.e[i].d *= 2;
    for (int i = 0; i < b.n; i++) b.e[i].w = r1i_atom_get(m, R1I_A_OPAQUE, 0, r1i_mem_printf(m, "w%d", i), NULL, 0);
    r1i_frac sum = r1i_frac_int(m, 0);
    for (int i = 0; i < difference->n; i++) {
        const r1i_term *const t = &difference->t[i];
        r1i_frac x = r1i_frac_rat(m, &t->c);
        for (int j = 0; j < t->n; j++) {
            const r1i_factor *const f = &t->f[j];
            const bool trig = f->atom->kind == R1I_A_FN && (f->atom->op == R1I_MF_SIN || f->atom->op == R1I_MF_COS);
            const r1i_poly p = trig ? r1i_poly_int(m, 1) : r1i_poly_atom(m, f->atom, f->p, f->q);
            r1i_frac y = r1i_frac_poly(m, &p);
            if (f->atom->kind == R1I_A_CONST && f->atom->op == R1I_MC_I) y = unit_i(m, &b);
            if (trig) {
                y = in_units(m, &b, f->atom);
                y = r1i_math_pow_rat(m, &y, f->p, 1);
            }
            x = r1i_frac_mul(m, &x, &y);
        }
        sum = r1i_frac_add(m, &sum, &x);
    }
    if (r1i_frac_zero(&sum)) return true;
    /* powers of e^(i pi / d) are not independent: reduce by the cyclotomic polynomial */
    for (int i = 0; i < b.n; i++) {
        if (!b.e[i].pi) continue;
        const int32_t n = (int32_t)(2 * b.e[i].d);
        if (n > 180) return false;
        const r1i_poly c = cyclotomic(m, b.e[i].w, n);
        const r1i_rat minus = r1i_rat_of(-1);
        r1i_poly left = sum.num, kept = {0};
        while (left.n) {
            int k = 0, at = -1;
            const r1i_term *const t = &left.t[0];
            for (; k < t->n; k++)
                if (t->f[k].atom == b.e[i].w && t->f[k].p >= c.t[0].f[0].p) at = k;
            if (at < 0) {
                const r1i_poly one = r1i_poly_term(m, t);
                kept = r1i_poly_add(m, &kept, &one);
                left.t++;
                left.n--;
                continue;
            }
            r1i_term q = *t;
            q.f = r1i_mem_take(m, (size_t)t->n * sizeof *q.f);
            memcpy(q.f, t->f, (size_t)t->n * sizeof *q.f);
            q.f[at].p -= c.t[0].f[0].p;
            if (q.f[at].p == 0) {
                memmove(q.f + at, q.f + at + 1, (size_t)(t->n - at - 1) * sizeof *q.f);
                q.n--;
            }
            const r1i_poly qp = r1i_poly_term(m, &q);
            r1i_poly s = r1i_poly_mul(m, &qp, &c);
            s = r1i_poly_scale(m, &s, &minus);
            left = r1i_poly_add(m, &left, &s);
        }
        sum.num = kept;
    }
    return sum.num.n == 0;
}

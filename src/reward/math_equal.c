/* Equality of typed values: the normal form first, samples to refute, then an exact proof. */
#include <math.h>

#include "reward/math_inner.h"

static bool no(r1i_math *math, const char *why)
{
    math->why = why;
    return false;
}

/* Constants at one point, formulas at three. */
static bool differ_at_a_sample(const r1i_frac *a, const r1i_frac *b)
{
    const bool constant = r1i_frac_no_vars(a) && r1i_frac_no_vars(b);
    for (uint32_t seed = 0; seed < (constant ? 1u : 3u); seed++) {
        const r1i_ball x = r1i_math_ball(a, seed), y = r1i_math_ball(b, seed);
        if (isinf(x.rad) || isinf(y.rad)) continue;
        if (hypot(x.re - y.re, x.im - y.im) > 2 * (x.rad + y.rad)) return true;
    }
    return false;
}

static bool same_value(r1i_math *math, const r1i_shape *a, const r1i_shape *b)
{
    r1i_mem *const m = &math->scratch;
    r1i_rat x, y;
    if (a->open != b->open) return no(math, "one side still has to be worked out");
    if (strcmp(a->text, b->text) == 0) return true;
    if (r1i_frac_const(&a->frac, &x) && r1i_frac_const(&b->frac, &y)) return no(math, "different numbers");
    if (differ_at_a_sample(&a->frac, &b->frac)) return no(math, "their values differ");
    const r1i_frac d = r1i_frac_sub(m, &a->frac, &b->frac);
    if (r1i_frac_zero(&d) || r1i_math_vanishes(m, &d.num)) return true;
    const char *why = "";
    const int proof = r1i_math_prove(math, &d, &why);
    if (proof > 0) return true;
    return no(math, proof < 0 ? "proved different" : why);
}

static bool same_kids(r1i_math *math, const r1i_shape *a, const r1i_shape *b)
{
    if (a->n != b->n) return no(math, "another number of entries");
    for (int i = 0; i < a->n; i++)
        if (!r1i_math_same(math, a->kid[i], b->kid[i])) return false;
    return true;
}

/* Equality is an equivalence, so the first partner found is as good as any. */
static bool same_bag(r1i_math *math, const r1i_shape *a, const r1i_shape *b)
{
    if (a->n != b->n) return no(math, "another number of entries");
    bool *const used = r1i_mem_take(&math->scratch, (size_t)a->n + 1);
    for (int i = 0; i < a->n; i++) {
        int j = 0;
        r1i_mem_work(&math->scratch, a->n);
        while (j < b->n && (used[j] || !r1i_math_same(math, a->kid[i], b->kid[j]))) j++;
        if (j == b->n) return no(math, "an entry without its equal");
        used[j] = true;
    }
    return true;
}

static bool same_equation(r1i_math *math, const r1i_shape *a, const r1i_shape *b)
{
    if (strcmp(a->text, b->text) == 0) return true;
    if (a->name && b->name && strcmp(a->name, b->name) == 0 && r1i_math_same(math, a->kid[1], b->kid[1])) return true;
    if (a->frac.num.n && b->frac.num.n) {
        /* multiples of each other: the leading coefficients take the other's place */
        r1i_mem *const m = &math->scratch;
        r1i_shape x = {.kind = R1I_S_VALUE, .text = "", .frac = a->frac},
                  y = {.kind = R1I_S_VALUE, .text = " ", .frac = b->frac};
        if (r1i_poly_same(&a->frac.num, &b->frac.num) && r1i_poly_same(&a->frac.den, &b->frac.den)) return true;
        const r1i_rat p = a->frac.num.t[0].c, q = b->frac.num.t[0].c;
        x.frac = r1i_frac_scale(m, &a->frac, &q);
        y.frac = r1i_frac_scale(m, &b->frac, &p);
        return same_value(math, &x, &y);
    }
    return r1i_math_same(math, a->kid[0], b->kid[0]) && r1i_math_same(math, a->kid[1], b->kid[1]);
}

bool r1i_math_same(r1i_math *math, const r1i_shape *a, const r1i_shape *b)
{
    r1i_mem_work(&math->scratch, 4);
    if (a->kind != b->kind) return no(math, r1i_mem_printf(&math->scratch, "%s is not %s", a->what, b->what));
    switch (a->kind) {
    case R1I_S_VALUE: return same_value(math, a, b);
    case R1I_S_QTY:
        if (strcmp(a->name, b->name) != 0) return no(math, "other units");
        return same_value(math, a, b);
    case R1I_S_TUPLE:
        if (a->op != b->op) return no(math, "other ends of the interval");
        return same_kids(math, a, b);
    case R1I_S_INTERVALS:
        if ((a->name == NULL) != (b->name == NULL) || (a->name && strcmp(a->name, b->name) != 0))
            return no(math, "an interval of another variable");
        if (a->n != b->n) return no(math, "another number of intervals");
        for (int i = 0; i < a->n / 2; i++)
            if (a->closed[i] != b->closed[i]) return no(math, "other ends of the interval");
        return same_kids(math, a, b);
    case R1I_S_LIST: case R1I_S_SET: return same_bag(math, a, b);
    case R1I_S_UNION:
        if (a->op != b->op) return no(math, "another operation on sets");
        return a->op == R1I_M_MINUS ? same_kids(math, a, b) : same_bag(math, a, b);
    case R1I_S_MATRIX:
        if (a->op != b->op) return no(math, "a matrix of another size");
        return same_kids(math, a, b);
    case R1I_S_EQUATION: return same_equation(math, a, b);
    case R1I_S_ORDER:
        if (strcmp(a->name, b->name) != 0) return no(math, "another relation");
        return same_value(math, a, b);
    case R1I_S_FUNCTION:
        if (strcmp(a->name, b->name) != 0 || a->op != b->op) return no(math, "another function");
        return r1i_math_same(math, a->kid[0], b->kid[0]);
    case R1I_S_IN:
        if (strcmp(a->name, b->name) != 0) return no(math, "another variable");
        return same_kids(math, a, b);
    case R1I_S_RATIO: case R1I_S_PIECES: case R1I_S_SYSTEM: return same_kids(math, a, b);
    case R1I_S_CHOICE: return a->op == b->op ? true : no(math, "another choice");
    case R1I_S_WORDS:
        if (strcmp(a->what, b->what) != 0)
            return no(math, r1i_mem_printf(&math->scratch, "%s is not %s", a->what, b->what));
        return strcmp(a->text, b->text) == 0 ? true : no(math, "other words");
    }
    return no(math, "not comparable");
}

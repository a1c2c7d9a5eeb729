/* The normal form of a formula: sums and products expanded, roots split over primes, logarithms over factors, known
 * values filled in. Variables are taken as real, and two formulas as equal where both are: sqrt(x) sqrt(y) = sqrt(xy),
 * but sqrt(x^2) = |x|. */
#include "reward/math_poly.h"

#include <math.h>

static void deeper(r1i_mem *m)
{
    if (++m->depth > 1200) r1i_mem_fail(m, -1, "nested too deeply to work out");
}

static r1i_frac opaque(r1i_mem *m, const char *key)
{
    return r1i_frac_atom(m, r1i_atom_get(m, R1I_A_OPAQUE, 0, key, NULL, 0));
}

r1i_frac r1i_math_fn_atom(r1i_mem *m, int fn, const r1i_frac *args, int n)
{
    r1i_mtext t = {.mem = m};
    r1i_mtext_add(&t, r1i_mfn_name[fn]);
    r1i_mtext_add(&t, "(");
    for (int i = 0; i < n; i++) {
        r1i_mtext_add(&t, i ? ", " : "");
        r1i_frac_write(&t, &args[i]);
    }
    r1i_mtext_add(&t, ")");
    r1i_atom *const a = r1i_atom_get(m, R1I_A_FN, fn, t.s, args, n);
    if (fn == R1I_MF_ABS) {
        a->positive = true;
        if (!a->rule_k) { /* |x|^2 = x^2 for real x */
            r1i_rat one;
            if (r1i_poly_const(&args[0].den, &one)) {
                a->rule = r1i_poly_mul(m, &args[0].num, &args[0].num);
                a->rule_k = 2;
            }
        }
    }
    return r1i_frac_atom(m, a);
}

r1i_frac r1i_math_half(r1i_mem *m)
{
    const r1i_rat h = r1i_rat_make(m, r1i_int_of(1), r1i_int_of(2));
    return r1i_frac_rat(m, &h);
}

/* ---- powers ---- */

static r1i_frac pow_prime(r1i_mem *m, const r1i_int *p, int64_t e, int64_t q)
{
    /* p^(e/q) with the whole part taken out where it fits */
    r1i_frac r = r1i_frac_int(m, 1);
    const bool minus = e < 0;
    if (minus) e = -e;
    const int64_t whole = e / q, part = e % q;
    if (whole && r1i_int_pow_fits(p, (uint64_t)whole)) {
        const r1i_rat c = {r1i_int_pow(m, p, (uint32_t)whole), r1i_int_of(1)};
        r = r1i_frac_rat(m, &c);
        e = part;
    }
    if (e) {
        if (e > 1000000000) r1i_mem_fail(m, -1, "an exponent too large to work with");
        const r1i_poly f = r1i_poly_atom(m, r1i_atom_prime(m, p), (int32_t)e, (int32_t)q);
        const r1i_frac x = r1i_frac_poly(m, &f);
        r = r1i_frac_mul(m, &r, &x);
    }
    if (!minus) return r;
    const r1i_frac one = r1i_frac_int(m, 1);
    return r1i_frac_div(m, &one, &r);
}

enum { PRIMES = 64 };

/* n > 0 over the primes below 5,000; what is left counts as a prime of its own, perfect powers aside. Returns how
 * many. */
static int factorise(r1i_mem *m, r1i_int n, r1i_int *prime, int64_t *exponent)
{
    int k = 0;
    for (int64_t d = 2; d < 5000 && !r1i_int_is(&n, 1) && k < PRIMES - 1; d += d > 2 ? 2 : 1) {
        const r1i_int p = r1i_int_of(d);
        int64_t e = 0;
        if (!n.limb) {
            if (d * d > n.small) break;
            while (n.small % d == 0) n.small /= d, e++;
        } else
            for (;;) {
                r1i_int quot, rem;
                r1i_int_div(m, &n, &p, &quot, &rem);
                if (r1i_int_sign(&rem) != 0) break;
                n = quot;
                e++;
            }
        if (e) {
            prime[k] = p;
            exponent[k++] = e;
        }
    }
    if (r1i_int_is(&n, 1)) return k;
    int64_t e = 1;
    for (uint32_t r = 2; r <= 7; r++) {
        const r1i_int root = r1i_int_root(m, &n, r), back = r1i_int_pow(m, &root, r);
        if (r1i_int_cmp(&back, &n) != 0) continue;
        n = root;
        e *= r;
        r = 1;
    }
    prime[k] = n;
    exponent[k++] = e;
    return k;
}

/* n^(p/q) for n > 0 */
static r1i_frac pow_int_rat(r1i_mem *m, r1i_int n, int64_t p, int64_t q)
{
    r1i_int prime[PRIMES];
    int64_t e[PRIMES];
    r1i_frac r = r1i_frac_int(m, 1);
    if (q == 1 && p > 0 && r1i_int_pow_fits(&n, (uint64_t)p)) { /* no need to know the primes */
        const r1i_rat c = {r1i_int_pow(m, &n, (uint32_t)p), r1i_int_of(1)};
        return r1i_frac_rat(m, &c);
    }
    const int k = factorise(m, n, prime, e);
    for (int i = 0; i < k; i++) {
        const r1i_frac f = pow_prime(m, &prime[i], e[i] * p, q);
        r = r1i_frac_mul(m, &r, &f);
    }
    return r;
}

r1i_frac r1i_math_i_to(r1i_mem *m, int64_t k)
{
    const r1i_frac i = r1i_frac_atom(m, r1i_atom_const(m, R1I_MC_I));
    r1i_frac r = r1i_frac_int(m, 1);
    for (k = ((k % 4) + 4) % 4; k; k--) r = r1i_frac_mul(m, &r, &i);
    return r;
}

static r1i_frac pow_const(r1i_mem *m, const r1i_rat *c, int32_t p, int32_t q)
{
    r1i_int num = c->p;
    const bool minus = r1i_int_sign(&num) < 0;
    if (minus) num = r1i_int_neg(m, &num);
    r1i_frac r = pow_int_rat(m, num, p, q);
    if (!r1i_int_is(&c->q, 1)) {
        const r1i_frac d = pow_int_rat(m, c->q, p, q);
        r = r1i_frac_div(m, &r, &d);
    }
    if (!minus) return r;
    r1i_frac unit;
    if (q % 2) unit = r1i_frac_int(m, p % 2 ? -1 : 1); /* the real root */
    else if (q == 2) unit = r1i_math_i_to(m, p);
    else { /* the principal root: (-1)^(p/q) = e^(i pi p/q) */
        const r1i_rat turn = r1i_rat_make(m, r1i_int_of(p), r1i_int_of(q));
        r1i_frac angle = r1i_frac_atom(m, r1i_atom_const(m, R1I_MC_PI));
        angle = r1i_frac_scale(m, &angle, &turn);
        const r1i_frac c1 = r1i_math_sincos(m, R1I_MF_COS, &angle), s1 = r1i_math_sincos(m, R1I_MF_SIN, &angle),
                       i = r1i_math_i_to(m, 1);
        const r1i_frac is = r1i_frac_mul(m, &i, &s1);
        unit = r1i_frac_add(m, &c1, &is);
    }
    return r1i_frac_mul(m, &r, &unit);
}

/* sqrt(a + b sqrt c) = sqrt((a+d)/2) +- sqrt((a-d)/2) where d = sqrt(a^2 - b^2 c) is rational. */
static bool denest(r1i_mem *m, const r1i_poly *p, r1i_frac *out)
{
    const r1i_term *root = NULL;
    r1i_rat a = r1i_rat_of(0), c2;
    if (p->n > 2 || !r1i_poly_no_vars(p)) return false;
    for (int i = 0; i < p->n; i++) {
        if (p->t[i].n == 0) a = p->t[i].c;
        else root = &p->t[i];
    }
    if (!root || p->n != 2 || r1i_rat_sign(&a) <= 0) return false;
    for (int i = 0; i < root->n; i++)
        if (root->f[i].q != 2 || root->f[i].p != 1) return false;
    const r1i_poly b = r1i_poly_term(m, root), b2 = r1i_poly_mul(m, &b, &b);
    if (!r1i_poly_const(&b2, &c2)) return false;
    const r1i_rat a2 = r1i_rat_mul(m, &a, &a), minus = r1i_rat_neg(m, &c2), d2 = r1i_rat_add(m, &a2, &minus);
    if (r1i_rat_sign(&d2) < 0) return false;
    const r1i_int p1 = r1i_int_root(m, &d2.p, 2), q1 = r1i_int_root(m, &d2.q, 2), pp = r1i_int_mul(m, &p1, &p1),
                  qq = r1i_int_mul(m, &q1, &q1);
    if (r1i_int_cmp(&pp, &d2.p) != 0 || r1i_int_cmp(&qq, &d2.q) != 0) return false;
    const r1i_rat d = {p1, q1}, h = r1i_rat_make(m, r1i_int_of(1), r1i_int_of(2)), nd = r1i_rat_neg(m, &d);
    r1i_rat x = r1i_rat_add(m, &a, &d), y = r1i_rat_add(m, &a, &nd);
    x = r1i_rat_mul(m, &x, &h);
    y = r1i_rat_mul(m, &y, &h);
    const r1i_frac rx = pow_const(m, &x, 1, 2), ry = pow_const(m, &y, 1, 2);
    *out = r1i_rat_sign(&root->c) < 0 ? r1i_frac_sub(m, &rx, &ry) : r1i_frac_add(m, &rx, &ry);
    return true;
}

/* The polynomial whose square p is, leading coefficient positive. */
static bool poly_root(r1i_mem *m, const r1i_poly *p, r1i_poly *out)
{
    r1i_term lead = p->t[0];
    const r1i_int a = r1i_int_root(m, &lead.c.p, 2), b = r1i_int_root(m, &lead.c.q, 2), aa = r1i_int_mul(m, &a, &a),
                  bb = r1i_int_mul(m, &b, &b);
    if (r1i_int_cmp(&aa, &lead.c.p) != 0 || r1i_int_cmp(&bb, &lead.c.q) != 0) return false;
    lead.c = (r1i_rat){a, b};
    lead.f = r1i_mem_take(m, (size_t)lead.n * sizeof *lead.f + 1);
    for (int i = 0; i < lead.n; i++) {
        if (p->t[0].f[i].q != 1 || p->t[0].f[i].p % 2) return false;
        lead.f[i] = p->t[0].f[i];
        lead.f[i].p /= 2;
    }
    r1i_poly s = r1i_poly_term(m, &lead);
    const r1i_rat minus = r1i_rat_of(-1), two = r1i_rat_of(2);
    const r1i_poly lead2 = r1i_poly_scale(m, &s, &two);
    for (int k = 0; k < 40; k++) {
        r1i_poly sq = r1i_poly_mul(m, &s, &s), q;
        sq = r1i_poly_scale(m, &sq, &minus);
        const r1i_poly rest = r1i_poly_add(m, p, &sq);
        if (!rest.n) {
            *out = s;
            return true;
        }
        const r1i_poly first = r1i_poly_term(m, &rest.t[0]);
        if (!r1i_poly_div(m, &first, &lead2, &q)) return false;
        s = r1i_poly_add(m, &s, &q);
    }
    return false;
}

static r1i_frac pow_poly(r1i_mem *m, const r1i_poly *a, int32_t p, int32_t q);

static r1i_frac pow_factor(r1i_mem *m, const r1i_factor *f, int32_t p, int32_t q)
{
    r1i_atom *atom = f->atom;
    const bool squares = q % 2 == 0 && !atom->positive && f->q % 2 && f->p % 2 == 0;
    if (atom->kind == R1I_A_CONST && atom->op == R1I_MC_I) {
        if (q == 1) return r1i_math_i_to(m, (int64_t)f->p * p);
        const r1i_rat turn = r1i_rat_make(m, r1i_int_of((int64_t)f->p * p), r1i_int_of((int64_t)q * 2));
        r1i_frac angle = r1i_frac_atom(m, r1i_atom_const(m, R1I_MC_PI));
        angle = r1i_frac_scale(m, &angle, &turn);
        const r1i_frac c = r1i_math_sincos(m, R1I_MF_COS, &angle), s = r1i_math_sincos(m, R1I_MF_SIN, &angle),
                       i = r1i_math_i_to(m, 1), is = r1i_frac_mul(m, &i, &s);
        return r1i_frac_add(m, &c, &is);
    }
    if (squares && atom->kind != R1I_A_POWER) { /* sqrt(x^2) = |x| */
        const r1i_poly base = r1i_poly_atom(m, atom, 1, 1);
        const r1i_frac b = r1i_frac_poly(m, &base), size = r1i_math_abs(m, &b);
        return r1i_math_pow_rat(m, &size, f->p * p, q);
    }
    const int64_t e = (int64_t)f->p * p, d = (int64_t)f->q * q;
    if (e > 1000000000 || e < -1000000000 || d > 1000000) r1i_mem_fail(m, -1, "an exponent too large to work with");
    if (atom->kind == R1I_A_PRIME) return pow_prime(m, &atom->prime, e, d);
    if (atom->kind == R1I_A_ROOT || (atom->rule_k && d == 1)) {
        int64_t g = e < 0 ? -e : e, h = d;
        while (h) {
            const int64_t r = g % h;
            g = h;
            h = r;
        }
        const int32_t ee = (int32_t)((e < 0 ? -e : e) / g), dd = (int32_t)(d / g);
        r1i_frac r = r1i_frac_int(m, 1);
        if (ee / dd && atom->kind == R1I_A_ROOT) r = pow_poly(m, &atom->arg[0].num, ee / dd, 1);
        else if (ee / dd) { /* multiplied out, so that the atom's rule is applied on the way */
            r1i_poly x = r1i_poly_int(m, 1), b = r1i_poly_atom(m, atom, 1, 1);
            if (ee > 400) r1i_mem_fail(m, -1, "a power too large to work out");
            for (int32_t k = ee; k; k >>= 1) {
                if (k & 1) x = r1i_poly_mul(m, &x, &b);
                if (k > 1) b = r1i_poly_mul(m, &b, &b);
            }
            r = r1i_frac_poly(m, &x);
        }
        if (ee % dd) {
            const r1i_poly rest = r1i_poly_atom(m, atom, ee % dd, dd);
            const r1i_frac x = r1i_frac_poly(m, &rest);
            r = r1i_frac_mul(m, &r, &x);
        }
        if (e >= 0) return r;
        const r1i_frac one = r1i_frac_int(m, 1);
        return r1i_frac_div(m, &one, &r);
    }
    const r1i_poly x = r1i_poly_atom(m, atom, (int32_t)(e < 0 ? -e : e), (int32_t)d);
    const r1i_frac r = r1i_frac_poly(m, &x);
    if (e >= 0) return r;
    const r1i_frac one = r1i_frac_int(m, 1);
    return r1i_frac_div(m, &one, &r);
}

static r1i_frac held_power(r1i_mem *m, const r1i_poly *a, const r1i_frac *e)
{
    const r1i_frac base = r1i_frac_poly(m, a);
    const r1i_frac args[2] = {base, *e};
    const char *const key = r1i_mem_printf(m, "(%s)^(%s)", r1i_frac_text(m, &base), r1i_frac_text(m, e));
    return r1i_frac_atom(m, r1i_atom_get(m, R1I_A_POWER, 0, key, args, 2));
}

static r1i_frac pow_poly(r1i_mem *m, const r1i_poly *a, int32_t p, int32_t q)
{
    if (a->n == 0) {
        if (p <= 0) r1i_mem_fail(m, -1, "a division by zero");
        return r1i_frac_int(m, 0);
    }
    if (a->n == 1) {
        r1i_frac r = pow_const(m, &a->t[0].c, p, q);
        if (r1i_rat_sign(&a->t[0].c) < 0 && q % 2 == 0 && !r1i_poly_no_vars(a)) { /* sqrt(-x) is real where -x is */
            const r1i_rat minus = r1i_rat_of(-1);
            r1i_rat c = r1i_rat_neg(m, &a->t[0].c);
            const r1i_rat inverse = r1i_rat_inv(m, &a->t[0].c);
            const r1i_poly bare = r1i_poly_scale(m, a, &inverse), neg = r1i_poly_scale(m, &bare, &minus);
            const r1i_frac arg = r1i_frac_poly(m, &neg);
            r1i_atom *const root = r1i_atom_get(m, R1I_A_ROOT, 0, r1i_frac_text(m, &arg), &arg, 1);
            const r1i_poly x = r1i_poly_atom(m, root, p < 0 ? -p : p, q);
            const r1i_frac f = r1i_frac_poly(m, &x);
            r = pow_const(m, &c, p, q);
            return p < 0 ? r1i_frac_div(m, &r, &f) : r1i_frac_mul(m, &r, &f);
        }
        for (int i = 0; i < a->t[0].n; i++) {
            const r1i_frac f = pow_factor(m, &a->t[0].f[i], p, q);
            r = r1i_frac_mul(m, &r, &f);
        }
        return r;
    }
    if (q == 1) {
        const int32_t k = p < 0 ? -p : p;
        double terms = 1;
        for (int i = 1; i < a->n && terms < 1e7; i++) terms *= (double)(k + i) / i;
        r1i_frac r;
        if (terms > 1500 || k > 200) {
            const r1i_frac e = r1i_frac_int(m, k);
            r = held_power(m, a, &e);
        } else {
            r1i_poly x = r1i_poly_int(m, 1), b = *a;
            for (int32_t e = k; e; e >>= 1) {
                if (e & 1) x = r1i_poly_mul(m, &x, &b);
                if (e > 1) b = r1i_poly_mul(m, &b, &b);
            }
            r = r1i_frac_poly(m, &x);
        }
        if (p >= 0) return r;
        const r1i_frac one = r1i_frac_int(m, 1);
        return r1i_frac_div(m, &one, &r);
    }
    /* a fractional power of a sum: content out, then denest, perfect squares, or a root of its own */
    const r1i_rat content = r1i_poly_content(m, a), inverse = r1i_rat_inv(m, &content);
    r1i_poly primitive = r1i_poly_scale(m, a, &inverse), s;
    r1i_frac r = pow_const(m, &content, p, q), f = r1i_frac_poly(m, &primitive);
    if (q % 2 && r1i_poly_no_vars(a) && r1i_math_sign(m, &f) < 0) { /* the real root of a negative constant */
        const r1i_rat minus = r1i_rat_of(-1);
        primitive = r1i_poly_scale(m, &primitive, &minus);
        if (p % 2) r = r1i_frac_scale(m, &r, &minus);
    }
    if (q % 2 == 0 && q == 2 && denest(m, &primitive, &f)) {
        f = r1i_math_pow_rat(m, &f, p, 1);
        return r1i_frac_mul(m, &r, &f);
    }
    if (q % 2 == 0 && poly_root(m, &primitive, &s)) {
        const r1i_frac x = r1i_frac_poly(m, &s);
        f = r1i_math_abs(m, &x);
        f = r1i_math_pow_rat(m, &f, p, q / 2);
        return r1i_frac_mul(m, &r, &f);
    }
    const r1i_frac arg = r1i_frac_poly(m, &primitive);
    r1i_atom *const root = r1i_atom_get(m, R1I_A_ROOT, 0, r1i_frac_text(m, &arg), &arg, 1);
    const r1i_factor x = {root, 1, 1};
    f = pow_factor(m, &x, p, q);
    return r1i_frac_mul(m, &r, &f);
}

r1i_frac r1i_math_pow_rat(r1i_mem *m, const r1i_frac *base, int32_t p, int32_t q)
{
    int32_t a = p < 0 ? -p : p, b = q;
    while (b) {
        const int32_t r = a % b;
        a = b;
        b = r;
    }
    if (p == 0) return r1i_frac_int(m, 1);
    p /= a;
    q /= a;
    if (p == 1 && q == 1) return *base;
    deeper(m);
    r1i_rat one;
    r1i_frac r;
    if (r1i_poly_const(&base->den, &one)) r = pow_poly(m, &base->num, p, q);
    else {
        const r1i_frac x = pow_poly(m, &base->num, p, q), y = pow_poly(m, &base->den, p, q);
        r = r1i_frac_div(m, &x, &y);
    }
    m->depth--;
    return r;
}

/* base^(c * mono), mono without coefficient. */
static r1i_frac power_atom(r1i_mem *m, const r1i_frac *base, const r1i_frac *mono, const r1i_rat *c)
{
    if (c->p.limb || c->q.limb || c->p.small > 1000000000 || c->p.small < -1000000000 || c->q.small > 1000000) {
        const r1i_frac e = r1i_frac_scale(m, mono, c);
        const r1i_rat one = r1i_rat_of(1);
        return power_atom(m, base, &e, &one);
    }
    const r1i_frac args[2] = {*base, *mono};
    r1i_atom *const a = r1i_atom_get(m, R1I_A_POWER, 0,
                                     r1i_mem_printf(m, "(%s)^(%s)", r1i_frac_text(m, base), r1i_frac_text(m, mono)),
                                     args, 2);
    r1i_rat minus;
    if (r1i_frac_const(base, &minus) && r1i_rat_is(&minus, -1) && !a->rule_k) { /* (-1)^(2n) = 1 */
        a->rule = r1i_poly_int(m, 1);
        a->rule_k = 2;
    }
    a->positive = r1i_frac_const(base, &minus) ? r1i_rat_sign(&minus) > 0 : base->num.n == 1 && base->num.t[0].n == 1 &&
        base->num.t[0].f[0].atom->positive;
    const int64_t p = c->p.small, q = c->q.small;
    if (a->rule_k && q == 1) return p % 2 ? r1i_frac_atom(m, a) : r1i_frac_int(m, 1);
    const r1i_poly x = r1i_poly_atom(m, a, (int32_t)(p < 0 ? -p : p), (int32_t)q);
    const r1i_frac f = r1i_frac_poly(m, &x), unit = r1i_frac_int(m, 1);
    return p < 0 ? r1i_frac_div(m, &unit, &f) : f;
}

/* e^(c * mono) where mono is i times something is cos + i sin; e^(ln x) is x. */
static r1i_frac exp_term(r1i_mem *m, const r1i_term *t)
{
    r1i_term rest = {.c = t->c, .f = r1i_mem_take(m, (size_t)t->n * sizeof *rest.f + 1)};
    bool imaginary = false;
    for (int i = 0; i < t->n; i++) {
        if (t->f[i].atom->kind == R1I_A_CONST && t->f[i].atom->op == R1I_MC_I) imaginary = true;
        else rest.f[rest.n++] = t->f[i];
    }
    if (imaginary) {
        const r1i_poly p = r1i_poly_term(m, &rest);
        const r1i_frac angle = r1i_frac_poly(m, &p), c = r1i_math_sincos(m, R1I_MF_COS, &angle),
                       s = r1i_math_sincos(m, R1I_MF_SIN, &angle);
        const r1i_frac i = r1i_math_i_to(m, 1), is = r1i_frac_mul(m, &i, &s);
        return r1i_frac_add(m, &c, &is);
    }
    const r1i_frac e = r1i_frac_atom(m, r1i_atom_const(m, R1I_MC_E));
    for (int i = 0; i < t->n; i++) {
        const r1i_factor *const f = &t->f[i];
        /* e^(c u ln x) = x^(c u) */
        if (f->atom->kind == R1I_A_FN && f->atom->op == R1I_MF_LN && f->p == 1 && f->q == 1) {
            r1i_term u = {.c = t->c, .f = r1i_mem_take(m, (size_t)t->n * sizeof *u.f)};
            for (int k = 0; k < t->n; k++)
                if (k != i) u.f[u.n++] = t->f[k];
            const r1i_poly p = r1i_poly_term(m, &u);
            const r1i_frac exponent = r1i_frac_poly(m, &p);
            return r1i_math_pow(m, &f->atom->arg[0], &exponent);
        }
    }
    const r1i_rat one = r1i_rat_of(1);
    rest.c = one;
    const r1i_poly p = r1i_poly_term(m, &rest);
    const r1i_frac mono = r1i_frac_poly(m, &p);
    return power_atom(m, &e, &mono, &t->c);
}

/* One factor of the base to the c*mono. */
static r1i_frac base_term(r1i_mem *m, const r1i_frac *base, const r1i_term *t)
{
    r1i_term mono = *t;
    mono.c = r1i_rat_of(1);
    const r1i_poly p = r1i_poly_term(m, &mono);
    const r1i_frac mf = r1i_frac_poly(m, &p);
    r1i_rat c;
    if (r1i_frac_const(base, &c) && !r1i_rat_is(&c, -1) && r1i_rat_sign(&c) != 0) {
        /* over the primes, so that 4^n = 2^(2n) and 6^n = 2^n 3^n */
        const r1i_rat size = r1i_rat_sign(&c) < 0 ? r1i_rat_neg(m, &c) : c;
        r1i_frac r = r1i_frac_int(m, 1);
        if (r1i_rat_sign(&c) < 0) {
            const r1i_frac minus = r1i_frac_int(m, -1);
            r = power_atom(m, &minus, &mf, &t->c);
        }
        for (int side = 0; side < 2; side++) {
            r1i_int prime[PRIMES];
            int64_t e[PRIMES];
            const int k = factorise(m, side ? size.q : size.p, prime, e);
            for (int i = 0; i < k; i++) {
                const r1i_rat count = r1i_rat_of(side ? -e[i] : e[i]), power = r1i_rat_mul(m, &t->c, &count),
                              pr = {prime[i], r1i_int_of(1)};
                const r1i_frac pf = r1i_frac_rat(m, &pr), x = power_atom(m, &pf, &mf, &power);
                r = r1i_frac_mul(m, &r, &x);
            }
        }
        return r;
    }
    return power_atom(m, base, &mf, &t->c);
}

r1i_frac r1i_math_pow(r1i_mem *m, const r1i_frac *base, const r1i_frac *exponent)
{
    r1i_rat c, one;
    if (r1i_frac_const(exponent, &c)) {
        if (!c.p.limb && !c.q.limb && c.p.small <= 100000000 && c.p.small >= -100000000 && c.q.small <= 1000)
            return r1i_math_pow_rat(m, base, (int32_t)c.p.small, (int32_t)c.q.small);
        r1i_rat b;
        if (r1i_frac_const(base, &b) && r1i_rat_is(&b, 1)) return *base;
        const r1i_frac args[2] = {*base, *exponent};
        return r1i_frac_atom(m,
                             r1i_atom_get(m, R1I_A_POWER, 0,
                                          r1i_mem_printf(m, "(%s)^(%s)", r1i_frac_text(m, base),
                                                         r1i_frac_text(m, exponent)), args, 2));
    }
    deeper(m);
    r1i_frac r = r1i_frac_int(m, 1);
    if (r1i_frac_const(base, &c) && (r1i_rat_is(&c, 1) || r1i_rat_sign(&c) == 0)) r = *base;
    else if (!r1i_poly_const(&exponent->den, &one)) {
        const r1i_rat content = r1i_poly_content(m, &exponent->num),
                      sign = r1i_poly_sign(&exponent->num) < 0 ? r1i_rat_neg(m, &content) : content,
                      inverse = r1i_rat_inv(m, &sign);
        const r1i_frac mono = r1i_frac_scale(m, exponent, &inverse);
        r = power_atom(m, base, &mono, &sign);
    } else {
        const bool is_e = base->num.n == 1 && base->num.t[0].n == 1 && base->num.t[0].f[0].atom->kind == R1I_A_CONST &&
            base->num.t[0].f[0].atom->op == R1I_MC_E && base->num.t[0].f[0].q == 1 && base->num.t[0].f[0].p == 1 &&
            r1i_rat_is(&base->num.t[0].c, 1) && r1i_poly_const(&base->den, &one);
        for (int i = 0; i < exponent->num.n; i++) {
            const r1i_term *const t = &exponent->num.t[i];
            r1i_frac f;
            if (t->n == 0) {
                const r1i_frac e = r1i_frac_rat(m, &t->c);
                f = r1i_math_pow(m, base, &e);
            } else if (is_e) f = exp_term(m, t);
            else if (base->num.n == 1 && base->num.t[0].n == 1 && r1i_rat_is(&base->num.t[0].c, 1) &&
                     base->num.t[0].f[0].atom->kind == R1I_A_POWER && base->num.t[0].f[0].q == 1 &&
                     base->num.t[0].f[0].atom->positive && r1i_poly_const(&base->den, &one)) { /* (e^x)^n = e^(n x) */
                const r1i_atom *const a = base->num.t[0].f[0].atom;
                const r1i_poly tp = r1i_poly_term(m, t);
                const r1i_rat k = r1i_rat_of(base->num.t[0].f[0].p);
                r1i_frac e = r1i_frac_poly(m, &tp);
                e = r1i_frac_mul(m, &e, &a->arg[1]);
                e = r1i_frac_scale(m, &e, &k);
                f = r1i_math_pow(m, &a->arg[0], &e);
            } else f = base_term(m, base, t);
            r = r1i_frac_mul(m, &r, &f);
        }
    }
    m->depth--;
    return r;
}

/* ---- logarithms, absolute values ---- */

static r1i_frac ln_int(r1i_mem *m, const r1i_int *n)
{
    r1i_int prime[PRIMES];
    int64_t e[PRIMES];
    r1i_frac r = r1i_frac_int(m, 0);
    const int k = factorise(m, *n, prime, e);
    for (int i = 0; i < k; i++) {
        const r1i_rat p = {prime[i], r1i_int_of(1)}, count = r1i_rat_of(e[i]);
        const r1i_frac arg = r1i_frac_rat(m, &p), atom = r1i_math_fn_atom(m, R1I_MF_LN, &arg, 1),
                       part = r1i_frac_scale(m, &atom, &count);
        r = r1i_frac_add(m, &r, &part);
    }
    return r;
}

static r1i_frac ln_rat(r1i_mem *m, const r1i_rat *c)
{
    if (r1i_rat_sign(c) == 0) r1i_mem_fail(m, -1, "a logarithm of zero");
    const bool minus = r1i_rat_sign(c) < 0;
    const r1i_rat size = minus ? r1i_rat_neg(m, c) : *c;
    const r1i_frac a = ln_int(m, &size.p), b = ln_int(m, &size.q);
    r1i_frac r = r1i_frac_sub(m, &a, &b);
    if (minus) {
        const r1i_frac pi = r1i_frac_atom(m, r1i_atom_const(m, R1I_MC_PI)), i = r1i_math_i_to(m, 1),
                       turn = r1i_frac_mul(m, &pi, &i);
        r = r1i_frac_add(m, &r, &turn);
    }
    return r;
}

static r1i_frac ln_poly(r1i_mem *m, const r1i_poly *a)
{
    r1i_frac r;
    if (a->n != 1) {
        r1i_rat c = r1i_poly_content(m, a);
        const r1i_rat inverse = r1i_rat_inv(m, &c);
        const r1i_poly p = r1i_poly_scale(m, a, &inverse);
        const r1i_frac arg = r1i_frac_poly(m, &p), x = r1i_math_fn_atom(m, R1I_MF_LN, &arg, 1);
        r = ln_rat(m, &c);
        return r1i_frac_add(m, &r, &x);
    }
    r = ln_rat(m, &a->t[0].c);
    for (int i = 0; i < a->t[0].n; i++) {
        const r1i_factor *const f = &a->t[0].f[i];
        const r1i_rat e = r1i_rat_make(m, r1i_int_of(f->p), r1i_int_of(f->q));
        r1i_frac x;
        if (f->atom->kind == R1I_A_CONST && f->atom->op == R1I_MC_E) x = r1i_frac_int(m, 1);
        else if (f->atom->kind == R1I_A_CONST && f->atom->op == R1I_MC_I) {
            const r1i_frac pi = r1i_frac_atom(m, r1i_atom_const(m, R1I_MC_PI)), unit = r1i_math_i_to(m, 1),
                           h = r1i_math_half(m), turn = r1i_frac_mul(m, &pi, &unit);
            x = r1i_frac_mul(m, &turn, &h);
        } else if (f->atom->kind == R1I_A_POWER) {
            const r1i_frac l = r1i_math_ln(m, &f->atom->arg[0]);
            x = r1i_frac_mul(m, &l, &f->atom->arg[1]);
        } else if (f->atom->kind == R1I_A_ROOT) x = ln_poly(m, &f->atom->arg[0].num);
        else if (f->atom->kind == R1I_A_PRIME) x = ln_int(m, &f->atom->prime);
        else {
            const r1i_frac arg = r1i_frac_atom(m, f->atom);
            x = r1i_math_fn_atom(m, R1I_MF_LN, &arg, 1);
        }
        x = r1i_frac_scale(m, &x, &e);
        r = r1i_frac_add(m, &r, &x);
    }
    return r;
}

r1i_frac r1i_math_ln(r1i_mem *m, const r1i_frac *a)
{
    deeper(m);
    if (r1i_frac_zero(a)) r1i_mem_fail(m, -1, "a logarithm of zero");
    r1i_rat one;
    r1i_frac r = ln_poly(m, &a->num);
    if (!r1i_poly_const(&a->den, &one)) {
        const r1i_frac d = ln_poly(m, &a->den);
        r = r1i_frac_sub(m, &r, &d);
    }
    m->depth--;
    return r;
}

static r1i_frac abs_poly(r1i_mem *m, const r1i_poly *a)
{
    r1i_frac r;
    if (a->n == 1) {
        const r1i_rat c = r1i_rat_sign(&a->t[0].c) < 0 ? r1i_rat_neg(m, &a->t[0].c) : a->t[0].c;
        r = r1i_frac_rat(m, &c);
        for (int i = 0; i < a->t[0].n; i++) {
            const r1i_factor *const f = &a->t[0].f[i];
            if (f->atom->kind == R1I_A_CONST && f->atom->op == R1I_MC_I) continue;
            const r1i_poly p = r1i_poly_atom(m, f->atom, f->p, f->q);
            r1i_frac x = r1i_frac_poly(m, &p);
            if (!f->atom->positive && !(f->q == 1 && f->p % 2 == 0) && f->q % 2) {
                const r1i_frac arg = r1i_frac_atom(m, f->atom);
                const int sign = f->atom->constant ? r1i_math_sign(m, &arg) : 0;
                if (!sign) x = r1i_math_fn_atom(m, R1I_MF_ABS, &arg, 1);
                else if (sign < 0) {
                    const r1i_rat minus = r1i_rat_of(-1);
                    x = r1i_frac_scale(m, &arg, &minus);
                }
                x = sign ? r1i_math_pow_rat(m, &x, f->p, f->q) : r1i_math_pow_rat(m, &x, f->p, f->q);
            }
            r = r1i_frac_mul(m, &r, &x);
        }
        return r;
    }
    const r1i_rat minus = r1i_rat_of(-1);
    r1i_frac whole = r1i_frac_poly(m, a);
    r1i_atom *const unit = r1i_atom_const(m, R1I_MC_I);
    if (r1i_poly_has(a, unit) && r1i_poly_no_vars(a)) { /* sqrt(re^2 + im^2) */
        r1i_poly re = {0}, im = {0};
        for (int i = 0; i < a->n; i++) {
            const r1i_poly t = r1i_poly_term(m, &a->t[i]);
            if (r1i_poly_has(&t, unit)) im = r1i_poly_add(m, &im, &t);
            else re = r1i_poly_add(m, &re, &t);
        }
        const r1i_poly r2 = r1i_poly_mul(m, &re, &re);
        r1i_poly i2 = r1i_poly_mul(m, &im, &im);
        i2 = r1i_poly_scale(m, &i2, &minus);
        const r1i_poly sum = r1i_poly_add(m, &r2, &i2);
        const r1i_frac s = r1i_frac_poly(m, &sum);
        return r1i_math_pow_rat(m, &s, 1, 2);
    }
    const int sign = r1i_poly_no_vars(a) ? r1i_math_sign(m, &whole) : 0;
    if (sign) return sign < 0 ? r1i_frac_scale(m, &whole, &minus) : whole;
    r1i_rat c = r1i_poly_content(m, a);
    r1i_rat inverse = r1i_rat_inv(m, &c);
    if (r1i_poly_sign(a) < 0) inverse = r1i_rat_neg(m, &inverse);
    const r1i_poly p = r1i_poly_scale(m, a, &inverse);
    const r1i_frac arg = r1i_frac_poly(m, &p);
    r = r1i_math_fn_atom(m, R1I_MF_ABS, &arg, 1);
    return r1i_frac_scale(m, &r, &c);
}

r1i_frac r1i_math_abs(r1i_mem *m, const r1i_frac *a)
{
    r1i_rat one;
    if (r1i_frac_zero(a)) return *a;
    const r1i_frac n = abs_poly(m, &a->num);
    if (r1i_poly_const(&a->den, &one)) return n;
    const r1i_frac d = abs_poly(m, &a->den);
    return r1i_frac_div(m, &n, &d);
}

/* ---- the walk ---- */

/* Names of several letters are written so that they are not read as products; E and I so that they are not the
 * constants. */
static const char *symbol_key(r1i_mem *m, const char *name)
{
    static const char *const greek[] = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota",
                                        "kappa", "lambda", "mu", "nu", "xi", "omicron", "rho", "sigma", "tau",
        "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon",
        "Phi", "Psi", "Omega", "hbar", "aleph", "digamma", "square"};
    const size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (name[n] || n == 0 || (n == 1 && *name != 'E' && *name != 'I')) return name;
    for (size_t i = 0; n > 1 && i < sizeof greek / sizeof *greek; i++)
        if (strcmp(name, greek[i]) == 0) return name;
    return r1i_mem_printf(m, "\\mathrm{%s}", name);
}

static r1i_frac degrees_of(r1i_mem *m, const r1i_mnode *e)
{
    r1i_frac x = r1i_math_canon(m, e->kid[0]);
    if (strcmp(e->name, "deg") == 0) {
        const r1i_rat by = r1i_rat_make(m, r1i_int_of(1), r1i_int_of(180));
        const r1i_frac pi = r1i_frac_atom(m, r1i_atom_const(m, R1I_MC_PI));
        x = r1i_frac_scale(m, &x, &by);
        return r1i_frac_mul(m, &x, &pi);
    }
    if (strcmp(e->name, "%") == 0) {
        const r1i_rat by = r1i_rat_make(m, r1i_int_of(1), r1i_int_of(100));
        return r1i_frac_scale(m, &x, &by);
    }
    return opaque(m, r1i_math_shape_text(m, e));
}

r1i_frac r1i_math_canon(r1i_mem *m, const r1i_mnode *e)
{
    deeper(m);
    r1i_mem_work(m, 8);
    r1i_frac r;
    switch (e->kind) {
    case R1I_M_NUM: r = r1i_frac_rat(m, &e->num); break;
    case R1I_M_SYM: r = r1i_frac_atom(m, r1i_atom_get(m, R1I_A_SYM, 0, symbol_key(m, e->name), NULL, 0)); break;
    case R1I_M_CONST: r = r1i_frac_atom(m, r1i_atom_const(m, e->op)); break;
    case R1I_M_ADD:
        r = r1i_math_canon(m, e->kid[0]);
        for (int i = 1; i < e->n; i++) {
            const r1i_frac f = r1i_math_canon(m, e->kid[i]);
            r = r1i_frac_add(m, &r, &f);
        }
        break;
    case R1I_M_MUL:
        r = r1i_math_canon(m, e->kid[0]);
        for (int i = 1; i < e->n; i++) {
            const r1i_frac f = r1i_math_canon(m, e->kid[i]);
            r = r1i_frac_mul(m, &r, &f);
        }
        break;
    case R1I_M_POW: {
        const r1i_frac b = r1i_math_canon(m, e->kid[0]), x = r1i_math_canon(m, e->kid[1]);
        r = r1i_math_pow(m, &b, &x);
        break;
    }
    case R1I_M_FN: {
        r1i_frac args[64];
        if (e->n > 64) r1i_mem_fail(m, e->at, "a function of more than 64 numbers");
        bool plain = e->op != R1I_MF_PROB && e->op != R1I_MF_DET && e->op != R1I_MF_TRACE;
        for (int i = 0; i < e->n; i++) plain &= e->kid[i]->kind < R1I_M_LIST || e->kid[i]->kind == R1I_M_QTY;
        if (!plain) {
            r = opaque(m, r1i_math_shape_text(m, e));
            break;
        }
        for (int i = 0; i < e->n; i++) args[i] = r1i_math_canon(m, e->kid[i]);
        r = r1i_math_function(m, e->op, args, e->n);
        break;
    }
    case R1I_M_QTY: r = degrees_of(m, e); break;
    default: r = opaque(m, r1i_math_shape_text(m, e)); break;
    }
    m->depth--;
    return r;
}

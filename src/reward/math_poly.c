#include "reward/math_poly.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUCKETS = 64 };

r1i_atom *r1i_atom_get(r1i_mem *m, r1i_atom_kind kind, int op, const char *key, const r1i_frac *args, int n_args)
{
    if (!m->atoms) m->atoms = r1i_mem_take(m, BUCKETS * sizeof(r1i_atom *));
    uint32_t h = 2166136261u;
    for (const char *s = key; *s; s++) h = (h ^ (unsigned char)*s) * 16777619u;
    r1i_atom **const bucket = (r1i_atom **)m->atoms + h % BUCKETS;
    for (r1i_atom *a = *bucket; a; a = a->next)
        if (a->kind == kind && strcmp(a->key, key) == 0) return a;
    r1i_atom *const a = r1i_mem_take(m, sizeof *a);
    a->key = key;
    a->kind = kind;
    a->op = op;
    a->n_args = n_args;
    a->constant = kind == R1I_A_PRIME || kind == R1I_A_CONST;
    if (n_args) {
        a->arg = r1i_mem_take(m, (size_t)n_args * sizeof *a->arg);
        memcpy(a->arg, args, (size_t)n_args * sizeof *args);
        a->constant = kind != R1I_A_OPAQUE;
        for (int i = 0; i < n_args; i++) a->constant &= r1i_frac_no_vars(&args[i]);
    }
    a->next = *bucket;
    *bucket = a;
    return a;
}

r1i_atom *r1i_atom_const(r1i_mem *m, int what)
{
    static const char *const keys[] = {"pi", "e", "i", "oo", "zoo", "nan", "true", "false"};
    r1i_atom *const a = r1i_atom_get(m, R1I_A_CONST, what, keys[what], NULL, 0);
    a->positive = what == R1I_MC_PI || what == R1I_MC_E;
    if (what == R1I_MC_I && !a->rule_k) {
        a->rule = r1i_poly_int(m, -1);
        a->rule_k = 2;
    }
    return a;
}

r1i_atom *r1i_atom_prime(r1i_mem *m, const r1i_int *p)
{
    r1i_mtext t = {.mem = m};
    r1i_int_write(&t, p);
    r1i_atom *const a = r1i_atom_get(m, R1I_A_PRIME, 0, t.s, NULL, 0);
    a->prime = *p;
    a->positive = true;
    return a;
}

static int atom_cmp(const r1i_atom *a, const r1i_atom *b)
{
    if (a == b) return 0;
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    return strcmp(a->key, b->key);
}

/* A monomial order: lexicographic, a greater power of an earlier atom first. */
static int term_cmp(const r1i_term *a, const r1i_term *b)
{
    for (int i = 0;; i++) {
        if (i == a->n || i == b->n) return (i < a->n) - (i < b->n);
        const int c = atom_cmp(a->f[i].atom, b->f[i].atom);
        if (c) return c < 0 ? 1 : -1;
        const int64_t x = (int64_t)a->f[i].p * b->f[i].q, y = (int64_t)b->f[i].p * a->f[i].q;
        if (x != y) return x < y ? -1 : 1;
    }
}

static int32_t gcd32(int64_t a, int64_t b)
{
    while (b) {
        const int64_t r = a % b;
        a = b;
        b = r;
    }
    return (int32_t)(a < 0 ? -a : a);
}

static r1i_factor make_factor(r1i_mem *m, r1i_atom *a, int64_t p, int64_t q)
{
    const int64_t g = gcd32(p, q);
    p /= g;
    q /= g;
    if (p > 1000000000 || p < -1000000000 || q > 1000000) r1i_mem_fail(m, -1, "an exponent too large to work with");
    return (r1i_factor){a, (int32_t)p, (int32_t)q};
}

r1i_poly r1i_poly_rat(r1i_mem *m, const r1i_rat *c)
{
    if (r1i_rat_sign(c) == 0) return (r1i_poly){0};
    r1i_term *const t = r1i_mem_take(m, sizeof *t);
    t->c = *c;
    return (r1i_poly){1, t};
}

r1i_poly r1i_poly_int(r1i_mem *m, int64_t v)
{
    const r1i_rat c = r1i_rat_of(v);
    return r1i_poly_rat(m, &c);
}

r1i_poly r1i_poly_atom(r1i_mem *m, r1i_atom *a, int32_t p, int32_t q)
{
    r1i_poly r = r1i_poly_int(m, 1);
    r.t->n = 1;
    r.t->f = r1i_mem_take(m, sizeof *r.t->f);
    r.t->f[0] = make_factor(m, a, p, q);
    return r;
}

r1i_poly r1i_poly_term(r1i_mem *m, const r1i_term *t)
{
    r1i_poly r = {1, r1i_mem_take(m, sizeof *t)};
    *r.t = *t;
    return r;
}

r1i_poly r1i_poly_scale(r1i_mem *m, const r1i_poly *a, const r1i_rat *c)
{
    if (r1i_rat_sign(c) == 0) return (r1i_poly){0};
    r1i_poly r = {a->n, r1i_mem_take(m, (size_t)a->n * sizeof *r.t)};
    for (int i = 0; i < a->n; i++) {
        r.t[i] = a->t[i];
        r.t[i].c = r1i_rat_mul(m, &a->t[i].c, c);
    }
    return r;
}

r1i_poly r1i_poly_add(r1i_mem *m, const r1i_poly *a, const r1i_poly *b)
{
    if (!a->n) return *b;
    if (!b->n) return *a;
    r1i_mem_work(m, a->n + b->n);
    r1i_poly r = {0, r1i_mem_take(m, (size_t)(a->n + b->n) * sizeof *r.t)};
    int i = 0, j = 0;
    while (i < a->n || j < b->n) {
        const int c = i == a->n ? -1 : j == b->n ? 1 : term_cmp(&a->t[i], &b->t[j]);
        if (c > 0) r.t[r.n++] = a->t[i++];
        else if (c < 0) r.t[r.n++] = b->t[j++];
        else {
            const r1i_rat s = r1i_rat_add(m, &a->t[i].c, &b->t[j].c);
            if (r1i_rat_sign(&s) != 0) {
                r.t[r.n] = a->t[i];
                r.t[r.n++].c = s;
            }
            i++;
            j++;
        }
    }
    return r;
}

/* Whether a factor must be rewritten: i^2, an integer power of a prime or of a root's polynomial, sin^2. */
static bool reducible(const r1i_factor *f)
{
    switch (f->atom->kind) {
    case R1I_A_PRIME: return f->p >= f->q && r1i_int_pow_fits(&f->atom->prime, (uint64_t)(f->p / f->q));
    case R1I_A_ROOT: return f->p >= f->q;
    default: return f->atom->rule_k && f->q == 1 && f->p >= f->atom->rule_k;
    }
}

static r1i_poly poly_pow(r1i_mem *m, const r1i_poly *a, uint32_t e)
{
    r1i_poly r = r1i_poly_int(m, 1), b = *a;
    for (; e; e >>= 1) {
        if (e & 1) r = r1i_poly_mul(m, &r, &b);
        if (e > 1) b = r1i_poly_mul(m, &b, &b);
    }
    return r;
}

static r1i_term term_mul(r1i_mem *m, const r1i_term *a, const r1i_term *b, bool *reduce)
{
    r1i_term r = {.c = r1i_rat_mul(m, &a->c, &b->c)};
    r.f = a->n + b->n ? r1i_mem_take(m, (size_t)(a->n + b->n) * sizeof *r.f) : NULL;
    int i = 0, j = 0;
    while (i < a->n || j < b->n) {
        const int c = i == a->n ? 1 : j == b->n ? -1 : atom_cmp(a->f[i].atom, b->f[j].atom);
        if (c < 0) r.f[r.n++] = a->f[i++];
        else if (c > 0) r.f[r.n++] = b->f[j++];
        else {
            const r1i_factor x = a->f[i++], y = b->f[j++];
            r.f[r.n] = make_factor(m, x.atom, (int64_t)x.p * y.q + (int64_t)y.p * x.q, (int64_t)x.q * y.q);
            if (reducible(&r.f[r.n])) *reduce = true;
            if (r.f[r.n].p) r.n++;
        }
    }
    return r;
}

/* Rewrites one term by the rules of its atoms. */
static r1i_poly reduce_term(r1i_mem *m, const r1i_term *t)
{
    r1i_term rest = {.c = t->c, .f = r1i_mem_take(m, (size_t)t->n * sizeof *rest.f + 1)};
    r1i_poly extra = r1i_poly_int(m, 1);
    for (int i = 0; i < t->n; i++) {
        const r1i_factor f = t->f[i];
        if (!reducible(&f)) {
            rest.f[rest.n++] = f;
            continue;
        }
        r1i_mem_work(m, 4);
        const int k = f.atom->rule_k ? f.atom->rule_k : 1;
        const int32_t whole = f.p / f.q / k, left_p = f.p - whole * k * f.q;
        if (left_p) rest.f[rest.n++] = make_factor(m, f.atom, left_p, f.q);
        if (f.atom->kind == R1I_A_PRIME) {
            const r1i_rat by = {r1i_int_pow(m, &f.atom->prime, (uint32_t)whole), r1i_int_of(1)};
            rest.c = r1i_rat_mul(m, &rest.c, &by);
        } else {
            const r1i_poly *const rule = f.atom->kind == R1I_A_ROOT ? &f.atom->arg[0].num : &f.atom->rule;
            const r1i_poly by = poly_pow(m, rule, (uint32_t)whole);
            extra = r1i_poly_mul(m, &extra, &by);
        }
    }
    const r1i_poly single = r1i_poly_term(m, &rest);
    r1i_rat one;
    if (r1i_poly_const(&extra, &one)) return r1i_poly_scale(m, &single, &one);
    return r1i_poly_mul(m, &single, &extra);
}

static int by_term(const void *a, const void *b) { return -term_cmp(a, b); }

r1i_poly r1i_poly_mul(r1i_mem *m, const r1i_poly *a, const r1i_poly *b)
{
    r1i_rat c;
    if (!a->n || !b->n) return (r1i_poly){0};
    if (r1i_poly_const(a, &c)) return r1i_rat_is(&c, 1) ? *b : r1i_poly_scale(m, b, &c);
    if (r1i_poly_const(b, &c)) return r1i_rat_is(&c, 1) ? *a : r1i_poly_scale(m, a, &c);
    if (++m->depth > 2000) r1i_mem_fail(m, -1, "too large to work out");
    r1i_mem_work(m, (int64_t)a->n * b->n * 10);
    r1i_poly r = {0, r1i_mem_take(m, (size_t)a->n * (size_t)b->n * sizeof *r.t)}, extra = {0};
    for (int i = 0; i < a->n; i++)
        for (int j = 0; j < b->n; j++) {
            bool reduce = false;
            const r1i_term t = term_mul(m, &a->t[i], &b->t[j], &reduce);
            if (reduce) {
                const r1i_poly p = reduce_term(m, &t);
                extra = r1i_poly_add(m, &extra, &p);
            } else r.t[r.n++] = t;
        }
    if (r.n > 1) qsort(r.t, (size_t)r.n, sizeof *r.t, by_term);
    int n = 0;
    for (int i = 0; i < r.n; i++) {
        if (n && term_cmp(&r.t[n - 1], &r.t[i]) == 0) r.t[n - 1].c = r1i_rat_add(m, &r.t[n - 1].c, &r.t[i].c);
        else {
            if (n && r1i_rat_sign(&r.t[n - 1].c) == 0) n--;
            r.t[n++] = r.t[i];
        }
    }
    if (n && r1i_rat_sign(&r.t[n - 1].c) == 0) n--;
    r.n = n;
    m->depth--;
    return r1i_poly_add(m, &r, &extra);
}

/* b's leading monomial into a's: false when it does not divide. */
static bool term_div(r1i_mem *m, const r1i_term *a, const r1i_term *b, r1i_term *out)
{
    *out = (r1i_term){.f = a->n ? r1i_mem_take(m, (size_t)a->n * sizeof *out->f) : NULL};
    int j = 0;
    for (int i = 0; i < a->n; i++) {
        if (j < b->n && a->f[i].atom == b->f[j].atom) {
            const int64_t p = (int64_t)a->f[i].p * b->f[j].q - (int64_t)b->f[j].p * a->f[i].q;
            if (p < 0) return false;
            if (p) out->f[out->n++] = make_factor(m, a->f[i].atom, p, (int64_t)a->f[i].q * b->f[j].q);
            j++;
        } else out->f[out->n++] = a->f[i];
    }
    if (j < b->n) return false;
    const r1i_rat inverse = r1i_rat_inv(m, &b->c);
    out->c = r1i_rat_mul(m, &a->c, &inverse);
    return true;
}

bool r1i_poly_div(r1i_mem *m, const r1i_poly *a, const r1i_poly *b, r1i_poly *quot)
{
    r1i_poly rest = *a;
    *quot = (r1i_poly){0};
    for (int steps = 0; rest.n; steps++) {
        r1i_term t;
        if (steps > 400 || !term_div(m, &rest.t[0], &b->t[0], &t)) return false;
        const r1i_poly q = r1i_poly_term(m, &t);
        const r1i_rat minus = r1i_rat_of(-1);
        r1i_poly p = r1i_poly_mul(m, &q, b);
        p = r1i_poly_scale(m, &p, &minus);
        *quot = r1i_poly_add(m, quot, &q);
        const r1i_term lead = rest.t[0];
        rest = r1i_poly_add(m, &rest, &p);
        if (rest.n && term_cmp(&rest.t[0], &lead) >= 0) return false; /* a rule brought the term back */
    }
    return true;
}

bool r1i_poly_same(const r1i_poly *a, const r1i_poly *b)
{
    if (a->n != b->n) return false;
    for (int i = 0; i < a->n; i++)
        if (term_cmp(&a->t[i], &b->t[i]) != 0 || r1i_int_cmp(&a->t[i].c.p, &b->t[i].c.p) != 0 ||
            r1i_int_cmp(&a->t[i].c.q, &b->t[i].c.q) != 0) return false;
    return true;
}

bool r1i_poly_const(const r1i_poly *a, r1i_rat *c)
{
    if (a->n == 0) *c = r1i_rat_of(0);
    else if (a->n == 1 && a->t[0].n == 0) *c = a->t[0].c;
    else return false;
    return true;
}

bool r1i_poly_no_vars(const r1i_poly *a)
{
    for (int i = 0; i < a->n; i++)
        for (int j = 0; j < a->t[i].n; j++)
            if (!a->t[i].f[j].atom->constant) return false;
    return true;
}

bool r1i_poly_has(const r1i_poly *a, const r1i_atom *atom)
{
    for (int i = 0; i < a->n; i++)
        for (int j = 0; j < a->t[i].n; j++)
            if (a->t[i].f[j].atom == atom) return true;
    return false;
}

r1i_rat r1i_poly_content(r1i_mem *m, const r1i_poly *a)
{
    r1i_int p = r1i_int_of(0), q = r1i_int_of(1);
    for (int i = 0; i < a->n; i++) {
        p = r1i_int_gcd(m, &p, &a->t[i].c.p);
        const r1i_int g = r1i_int_gcd(m, &q, &a->t[i].c.q);
        r1i_int part;
        r1i_int_div(m, &a->t[i].c.q, &g, &part, NULL);
        q = r1i_int_mul(m, &q, &part);
    }
    return r1i_rat_make(m, p, q);
}

int r1i_poly_sign(const r1i_poly *a) { return a->n ? r1i_rat_sign(&a->t[0].c) : 0; }

r1i_frac r1i_frac_poly(r1i_mem *m, const r1i_poly *p) { return (r1i_frac){*p, r1i_poly_int(m, 1)}; }
r1i_frac r1i_frac_rat(r1i_mem *m, const r1i_rat *c) { return (r1i_frac){r1i_poly_rat(m, c), r1i_poly_int(m, 1)}; }
r1i_frac r1i_frac_int(r1i_mem *m, int64_t v) { return (r1i_frac){r1i_poly_int(m, v), r1i_poly_int(m, 1)}; }
r1i_frac r1i_frac_atom(r1i_mem *m, r1i_atom *a) { return (r1i_frac){r1i_poly_atom(m, a, 1, 1), r1i_poly_int(m, 1)}; }

static r1i_poly divide_monomial(r1i_mem *m, const r1i_poly *a, const r1i_term *by)
{
    r1i_poly r = {a->n, r1i_mem_take(m, (size_t)a->n * sizeof *r.t)};
    for (int i = 0; i < a->n; i++)
        if (!term_div(m, &a->t[i], by, &r.t[i])) r1i_mem_fail(m, -1, "a common factor that is none");
    return r;
}

/* The greatest monomial that divides every term of both. */
static r1i_term common_monomial(r1i_mem *m, const r1i_poly *a, const r1i_poly *b)
{
    r1i_term g = {.c = r1i_rat_of(1)};
    const r1i_term *const first = &a->t[0];
    g.f = first->n ? r1i_mem_take(m, (size_t)first->n * sizeof *g.f) : NULL;
    for (int i = 0; i < first->n; i++) {
        r1i_factor f = first->f[i];
        for (int which = 0; which < 2 && f.p; which++) {
            const r1i_poly *const p = which ? b : a;
            for (int k = 0; k < p->n && f.p; k++) {
                int j = 0;
                while (j < p->t[k].n && p->t[k].f[j].atom != f.atom) j++;
                if (j == p->t[k].n) f.p = 0;
                else if ((int64_t)p->t[k].f[j].p * f.q < (int64_t)f.p * p->t[k].f[j].q) f = p->t[k].f[j];
            }
        }
        if (f.p) g.f[g.n++] = f;
    }
    return g;
}

/* An atom of constants to whose square the denominator can be raised by its conjugate: i, or a square root. */
static r1i_atom *conjugable(const r1i_poly *den, int32_t *q)
{
    r1i_atom *best = NULL;
    for (int i = 0; i < den->n; i++)
        for (int j = 0; j < den->t[i].n; j++) {
            const r1i_factor *const f = &den->t[i].f[j];
            if (!f->atom->constant && f->atom->kind != R1I_A_ROOT && f->atom->kind != R1I_A_SYM) continue;
            const bool i_unit = f->atom->kind == R1I_A_CONST && f->atom->op == R1I_MC_I;
            if ((f->q == 2 || i_unit) && (!best || atom_cmp(f->atom, best) > 0)) {
                best = f->atom;
                *q = i_unit ? 1 : 2;
            }
        }
    return best;
}

static r1i_poly conjugate(r1i_mem *m, const r1i_poly *a, const r1i_atom *atom, int32_t q)
{
    r1i_poly r = {a->n, r1i_mem_take(m, (size_t)a->n * sizeof *r.t)};
    for (int i = 0; i < a->n; i++) {
        r.t[i] = a->t[i];
        for (int j = 0; j < a->t[i].n; j++)
            if (a->t[i].f[j].atom == atom && (q == 1 || a->t[i].f[j].q == 2)) r.t[i].c = r1i_rat_neg(m, &r.t[i].c);
    }
    return r;
}

/* 1/(1 + sqrt 2) = sqrt 2 - 1. Other roots of the same number stay, and the comparison multiplies crosswise. */
static void rationalise(r1i_mem *m, r1i_frac *f)
{
    for (int round = 0; round < 5 && f->den.n > 1; round++) {
        int32_t q = 0;
        r1i_atom *const atom = conjugable(&f->den, &q);
        if (!atom || f->den.n * f->den.n > 200 || f->num.n * f->den.n > 500) return;
        for (int i = 0; i < f->den.n; i++)
            for (int j = 0; j < f->den.t[i].n; j++)
                if (f->den.t[i].f[j].atom == atom && f->den.t[i].f[j].q != q) return;
        const r1i_poly c = conjugate(m, &f->den, atom, q);
        const r1i_poly den = r1i_poly_mul(m, &f->den, &c);
        if (den.n == 0) return;
        f->num = r1i_poly_mul(m, &f->num, &c);
        f->den = den;
    }
}

/* Primes under roots and i leave a denominator of one term: 1/sqrt 2 = sqrt 2 / 2. */
static void clear_monomial(r1i_mem *m, r1i_frac *f)
{
    if (f->den.n != 1) return;
    r1i_poly by = r1i_poly_int(m, 1);
    for (int j = 0; j < f->den.t[0].n; j++) {
        const r1i_factor *const x = &f->den.t[0].f[j];
        const bool unit = x->atom->rule_k == 2 && x->atom->kind == R1I_A_CONST;
        if ((x->atom->kind == R1I_A_PRIME && x->p < x->q) || unit || (x->atom->kind == R1I_A_ROOT && x->p < x->q)) {
            const r1i_poly p = unit ? r1i_poly_atom(m, x->atom, 1, 1) : r1i_poly_atom(m, x->atom, x->q - x->p, x->q);
            by = r1i_poly_mul(m, &by, &p);
        }
    }
    r1i_rat one;
    if (r1i_poly_const(&by, &one)) return;
    f->num = r1i_poly_mul(m, &f->num, &by);
    f->den = r1i_poly_mul(m, &f->den, &by);
}

static r1i_atom *only_atom(const r1i_poly *a, r1i_atom *only)
{
    for (int i = 0; i < a->n; i++) {
        if (a->t[i].n > 1) return NULL;
        if (a->t[i].n == 1) {
            if ((only && a->t[i].f[0].atom != only) || a->t[i].f[0].q != 1 || a->t[i].f[0].p > 64) return NULL;
            only = a->t[i].f[0].atom;
        }
    }
    return only;
}

/* Euclid in one variable, coefficients made coprime at each step. */
static void cancel_univariate(r1i_mem *m, r1i_frac *f)
{
    r1i_atom *const x = only_atom(&f->num, NULL);
    if (!x || x->rule_k || x->kind == R1I_A_ROOT || only_atom(&f->den, x) != x) return;
    r1i_poly a = f->num, b = f->den;
    while (b.n) {
        r1i_poly rest = a;
        r1i_term t;
        while (rest.n && term_div(m, &rest.t[0], &b.t[0], &t)) {
            const r1i_poly q = r1i_poly_term(m, &t);
            const r1i_rat minus = r1i_rat_of(-1);
            r1i_poly p = r1i_poly_mul(m, &q, &b);
            p = r1i_poly_scale(m, &p, &minus);
            rest = r1i_poly_add(m, &rest, &p);
        }
        a = b;
        b = rest;
        if (b.n) {
            r1i_rat c = r1i_poly_content(m, &b);
            c = r1i_rat_inv(m, &c);
            b = r1i_poly_scale(m, &b, &c);
        }
    }
    r1i_poly num, den;
    if (a.n > 1 && r1i_poly_div(m, &f->num, &a, &num) && r1i_poly_div(m, &f->den, &a, &den)) {
        f->num = num;
        f->den = den;
    }
}

static r1i_frac normal(r1i_mem *m, r1i_frac f)
{
    if (f.den.n == 0) r1i_mem_fail(m, -1, "a division by zero");
    if (f.num.n == 0) return r1i_frac_int(m, 0);
    r1i_rat c;
    if (r1i_poly_const(&f.den, &c)) {
        if (r1i_rat_is(&c, 1)) return f;
        c = r1i_rat_inv(m, &c);
        return (r1i_frac){r1i_poly_scale(m, &f.num, &c), r1i_poly_int(m, 1)};
    }
    rationalise(m, &f);
    clear_monomial(m, &f);
    const r1i_term g = common_monomial(m, &f.num, &f.den);
    if (g.n) {
        f.num = divide_monomial(m, &f.num, &g);
        f.den = divide_monomial(m, &f.den, &g);
    }
    r1i_poly q;
    if (f.den.n > 1 && f.num.n >= 1) {
        if (f.num.n > 1 && r1i_poly_div(m, &f.num, &f.den, &q)) return r1i_frac_poly(m, &q);
        if (f.num.n > 1 && f.num.n <= f.den.n && r1i_poly_div(m, &f.den, &f.num, &q)) {
            f.num = r1i_poly_int(m, 1);
            f.den = q;
        } else if (f.num.n > 1) cancel_univariate(m, &f);
    }
    c = r1i_poly_content(m, &f.den);
    if (r1i_poly_sign(&f.den) < 0) c = r1i_rat_neg(m, &c);
    if (!r1i_rat_is(&c, 1)) {
        c = r1i_rat_inv(m, &c);
        f.num = r1i_poly_scale(m, &f.num, &c);
        f.den = r1i_poly_scale(m, &f.den, &c);
    }
    return f;
}

r1i_frac r1i_frac_add(r1i_mem *m, const r1i_frac *a, const r1i_frac *b)
{
    if (!a->num.n) return *b;
    if (!b->num.n) return *a;
    if (r1i_poly_same(&a->den, &b->den)) {
        const r1i_frac f = {r1i_poly_add(m, &a->num, &b->num), a->den};
        return normal(m, f);
    }
    const r1i_poly x = r1i_poly_mul(m, &a->num, &b->den), y = r1i_poly_mul(m, &b->num, &a->den);
    const r1i_frac f = {r1i_poly_add(m, &x, &y), r1i_poly_mul(m, &a->den, &b->den)};
    return normal(m, f);
}

r1i_frac r1i_frac_scale(r1i_mem *m, const r1i_frac *a, const r1i_rat *c)
{
    if (r1i_rat_sign(c) == 0) return r1i_frac_int(m, 0);
    return (r1i_frac){r1i_poly_scale(m, &a->num, c), a->den};
}

r1i_frac r1i_frac_sub(r1i_mem *m, const r1i_frac *a, const r1i_frac *b)
{
    const r1i_rat minus = r1i_rat_of(-1);
    const r1i_frac n = r1i_frac_scale(m, b, &minus);
    return r1i_frac_add(m, a, &n);
}

r1i_frac r1i_frac_mul(r1i_mem *m, const r1i_frac *a, const r1i_frac *b)
{
    const r1i_frac f = {r1i_poly_mul(m, &a->num, &b->num), r1i_poly_mul(m, &a->den, &b->den)};
    return normal(m, f);
}

r1i_frac r1i_frac_div(r1i_mem *m, const r1i_frac *a, const r1i_frac *b)
{
    if (!b->num.n) r1i_mem_fail(m, -1, "a division by zero");
    const r1i_frac f = {r1i_poly_mul(m, &a->num, &b->den), r1i_poly_mul(m, &a->den, &b->num)};
    return normal(m, f);
}

bool r1i_frac_const(const r1i_frac *a, r1i_rat *c)
{
    r1i_rat d;
    return r1i_poly_const(&a->den, &d) && r1i_rat_is(&d, 1) && r1i_poly_const(&a->num, c);
}

bool r1i_frac_small(const r1i_frac *a, int64_t *v)
{
    r1i_rat c;
    if (!r1i_frac_const(a, &c) || !r1i_rat_is_int(&c) || c.p.limb || c.p.small > INT32_MAX || c.p.small < -INT32_MAX)
        return false;
    *v = c.p.small;
    return true;
}

bool r1i_frac_no_vars(const r1i_frac *a) { return r1i_poly_no_vars(&a->num) && r1i_poly_no_vars(&a->den); }
bool r1i_frac_same(const r1i_frac *a, const r1i_frac *b)
{
    return r1i_poly_same(&a->num, &b->num) && r1i_poly_same(&a->den, &b->den);
}

static void factor_write(r1i_mtext *t, const r1i_factor *f)
{
    const r1i_atom *const a = f->atom;
    char part[48];
    if (a->kind == R1I_A_POWER) { /* base^(c m) */
        const r1i_rat c = {r1i_int_of(f->p), r1i_int_of(f->q)};
        const r1i_frac e = r1i_frac_scale(t->mem, &a->arg[1], &c);
        const char *const base = r1i_frac_text(t->mem, &a->arg[0]);
        const bool simple = strpbrk(base, " +-*/^") == NULL;
        r1i_mtext_add(t, simple ? "" : "(");
        r1i_mtext_add(t, base);
        r1i_mtext_add(t, simple ? "^(" : ")^(");
        r1i_frac_write(t, &e);
        r1i_mtext_add(t, ")");
        return;
    }
    if (f->q == 2 && f->p == 1) {
        r1i_mtext_add(t, "sqrt(");
        r1i_mtext_add(t, a->key);
        r1i_mtext_add(t, ")");
        return;
    }
    const bool wrap = a->kind == R1I_A_ROOT ||
        (a->kind == R1I_A_OPAQUE && (f->p != 1 || f->q != 1) && strpbrk(a->key, " +-*/^"));
    r1i_mtext_add(t, wrap ? "(" : "");
    r1i_mtext_add(t, a->key);
    r1i_mtext_add(t, wrap ? ")" : "");
    if (f->p == 1 && f->q == 1) return;
    snprintf(part, sizeof part, f->q == 1 ? "^%d" : "^(%d/%d)", f->p, f->q);
    r1i_mtext_add(t, part);
}

void r1i_poly_write(r1i_mtext *t, const r1i_poly *a)
{
    if (!a->n) r1i_mtext_add(t, "0");
    for (int i = 0; i < a->n; i++) {
        const r1i_term *const x = &a->t[i];
        r1i_rat c = x->c;
        r1i_mem_work(t->mem, 2 + x->n);
        if (r1i_rat_sign(&c) < 0) {
            r1i_mtext_add(t, i ? " - " : "-");
            c = r1i_rat_neg(t->mem, &c);
        } else if (i) r1i_mtext_add(t, " + ");
        const bool one = r1i_rat_is(&c, 1);
        if (!one || x->n == 0) r1i_rat_write(t, &c);
        for (int j = 0; j < x->n; j++) {
            if (j || !one) r1i_mtext_add(t, "*");
            factor_write(t, &x->f[j]);
        }
    }
}

void r1i_frac_write(r1i_mtext *t, const r1i_frac *a)
{
    r1i_rat c;
    if (r1i_poly_const(&a->den, &c) && r1i_rat_is(&c, 1)) {
        r1i_poly_write(t, &a->num);
        return;
    }
    const bool wrap = a->num.n > 1, single = a->den.n == 1 && a->den.t[0].n == 1 && r1i_rat_is(&a->den.t[0].c, 1);
    r1i_mtext_add(t, wrap ? "(" : "");
    r1i_poly_write(t, &a->num);
    r1i_mtext_add(t, wrap ? ")" : "");
    r1i_mtext_add(t, single ? "/" : "/(");
    r1i_poly_write(t, &a->den);
    r1i_mtext_add(t, single ? "" : ")");
}

const char *r1i_frac_text(r1i_mem *m, const r1i_frac *a)
{
    r1i_mtext t = {.mem = m};
    r1i_frac_write(&t, a);
    return t.s;
}

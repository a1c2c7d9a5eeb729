/* Sets of the real line: unions of intervals and points with constant ends, in their one normal form. */
#include <math.h>
#include <stdlib.h>

#include "reward/math_shape_in.h"

typedef struct piece {
    r1i_shape *lo, *hi;
    bool lo_in, hi_in;
} piece;
typedef struct line {
    piece *p;
    int n;
} line;

static int infinite(const r1i_shape *s)
{
    if (s->kind != R1I_S_VALUE) return 0;
    return strcmp(s->text, "oo") == 0 ? 1 : strcmp(s->text, "-oo") == 0 ? -1 : 0;
}

/* -1, 0, 1, or 2 when the order cannot be told. */
static int compare(r1i_mem *m, const r1i_shape *a, const r1i_shape *b)
{
    const int ia = infinite(a), ib = infinite(b);
    if (strcmp(a->text, b->text) == 0) return 0;
    if (ia || ib) return ia < ib ? -1 : 1;
    if (a->kind != b->kind || (a->kind != R1I_S_VALUE && a->kind != R1I_S_QTY)) return 2;
    if (!r1i_frac_no_vars(&a->frac) || !r1i_frac_no_vars(&b->frac)) return 2;
    const r1i_frac d = r1i_frac_sub(m, &a->frac, &b->frac);
    if (r1i_frac_zero(&d)) return 0;
    const int s = r1i_math_sign(m, &d);
    return s ? s : 2;
}

static r1i_shape *infinity(r1i_mem *m, int sign)
{
    const r1i_rat c = r1i_rat_of(sign);
    r1i_frac f = r1i_frac_atom(m, r1i_atom_const(m, R1I_MC_INF));
    f = r1i_frac_scale(m, &f, &c);
    return r1i_shape_value(m, &f);
}

r1i_shape *r1i_shape_named(r1i_mem *m, r1i_shape *s)
{
    r1i_mtext t = {.mem = m};
    if (s->kind != R1I_S_INTERVALS) return s;
    if (s->name) {
        r1i_mtext_add(&t, s->name);
        r1i_mtext_add(&t, " \\in ");
    }
    for (int i = 0; i < s->n; i += 2) {
        const int closed = s->closed[i / 2];
        r1i_mtext_add(&t, i ? " \\cup " : "");
        if (closed == 3 && strcmp(s->kid[i]->text, s->kid[i + 1]->text) == 0) {
            r1i_mtext_add(&t, "\\{");
            r1i_mtext_add(&t, s->kid[i]->text);
            r1i_mtext_add(&t, "\\}");
            continue;
        }
        r1i_mtext_add(&t, closed & 1 ? "[" : "(");
        r1i_mtext_add(&t, s->kid[i]->text);
        r1i_mtext_add(&t, ", ");
        r1i_mtext_add(&t, s->kid[i + 1]->text);
        r1i_mtext_add(&t, closed & 2 ? "]" : ")");
    }
    s->text = t.s;
    return s;
}

static r1i_shape *to_shape(r1i_mem *m, const line *l, const char *name)
{
    bool points = true;
    for (int i = 0; i < l->n; i++)
        points &= l->p[i].lo_in && l->p[i].hi_in && strcmp(l->p[i].lo->text, l->p[i].hi->text) == 0;
    if (points) {
        r1i_shape **const kids = r1i_mem_take(m, (size_t)l->n * sizeof *kids + 1);
        for (int i = 0; i < l->n; i++) kids[i] = l->p[i].lo;
        return r1i_shape_set(m, kids, l->n);
    }
    r1i_shape *const s = r1i_shape_make(m, R1I_S_INTERVALS, "interval", 2 * l->n);
    s->closed = r1i_mem_take(m, (size_t)l->n);
    s->name = name;
    for (int i = 0; i < l->n; i++) {
        s->kid[2 * i] = l->p[i].lo;
        s->kid[2 * i + 1] = l->p[i].hi;
        s->closed[i] = (uint8_t)((l->p[i].lo_in ? 1 : 0) | (l->p[i].hi_in ? 2 : 0));
        s->open |= l->p[i].lo->open || l->p[i].hi->open;
    }
    return r1i_shape_named(m, s);
}

static bool from_shape(r1i_mem *m, const r1i_shape *s, line *l)
{
    l->n = 0;
    if (s->kind == R1I_S_TUPLE) {
        s = r1i_shape_interval(m, s);
        if (!s) return false;
    }
    if (s->kind == R1I_S_INTERVALS) {
        l->p = r1i_mem_take(m, (size_t)s->n * sizeof *l->p);
        for (int i = 0; i < s->n; i += 2)
            l->p[l->n++] = (piece){s->kid[i], s->kid[i + 1], (s->closed[i / 2] & 1) != 0, (s->closed[i / 2] & 2) != 0};
        return true;
    }
    if (s->kind != R1I_S_SET) return false;
    l->p = r1i_mem_take(m, (size_t)s->n * sizeof *l->p + 1);
    for (int i = 0; i < s->n; i++) {
        if (s->kid[i]->kind != R1I_S_VALUE || !r1i_frac_no_vars(&s->kid[i]->frac)) return false;
        l->p[l->n++] = (piece){s->kid[i], s->kid[i], true, true};
    }
    return true;
}

/* Sorted by the lower end, overlaps and touching ends merged; false when an order cannot be told. */
static bool tidy(r1i_mem *m, line *l)
{
    for (int i = 1; i < l->n; i++) {
        r1i_mem_work(m, 16);
        for (int k = i; k > 0; k--) {
            const int c = compare(m, l->p[k].lo, l->p[k - 1].lo);
            if (c == 2) return false;
            if (c > 0 || (c == 0 && (!l->p[k].lo_in || l->p[k - 1].lo_in))) break;
            const piece t = l->p[k];
            l->p[k] = l->p[k - 1];
            l->p[k - 1] = t;
        }
    }
    int n = 0;
    for (int i = 0; i < l->n; i++) {
        if (n) {
            piece *const a = &l->p[n - 1];
            const piece *const b = &l->p[i];
            const int touch = compare(m, b->lo, a->hi);
            if (touch == 2) return false;
            if (touch < 0 || (touch == 0 && (b->lo_in || a->hi_in))) {
                const int c = compare(m, b->hi, a->hi);
                if (c == 2) return false;
                if (c > 0) {
                    a->hi = b->hi;
                    a->hi_in = b->hi_in;
                } else if (c == 0) a->hi_in |= b->hi_in;
                continue;
            }
        }
        l->p[n++] = l->p[i];
    }
    l->n = n;
    return true;
}

static bool cut(r1i_mem *m, const line *a, const line *b, line *out)
{
    out->p = r1i_mem_take(m, (size_t)(a->n * b->n + 1) * sizeof *out->p);
    out->n = 0;
    for (int i = 0; i < a->n; i++)
        for (int j = 0; j < b->n; j++) {
            piece r = a->p[i];
            const piece *const s = &b->p[j];
            const int lo = compare(m, s->lo, r.lo), hi = compare(m, s->hi, r.hi);
            if (lo == 2 || hi == 2) return false;
            if (lo > 0) r.lo = s->lo, r.lo_in = s->lo_in;
            else if (lo == 0) r.lo_in &= s->lo_in;
            if (hi < 0) r.hi = s->hi, r.hi_in = s->hi_in;
            else if (hi == 0) r.hi_in &= s->hi_in;
            const int width = compare(m, r.lo, r.hi);
            if (width == 2) return false;
            if (width < 0 || (width == 0 && r.lo_in && r.hi_in)) out->p[out->n++] = r;
        }
    return tidy(m, out);
}

static bool complement(r1i_mem *m, line *a, line *out)
{
    if (!tidy(m, a)) return false;
    out->p = r1i_mem_take(m, (size_t)(a->n + 1) * sizeof *out->p);
    out->n = 0;
    r1i_shape *from = infinity(m, -1);
    bool in = false;
    for (int i = 0; i < a->n; i++) {
        const piece p = {from, a->p[i].lo, in, !a->p[i].lo_in};
        if (infinite(a->p[i].lo) >= 0) out->p[out->n++] = p;
        from = a->p[i].hi;
        in = !a->p[i].hi_in;
    }
    if (infinite(from) <= 0) out->p[out->n++] = (piece){from, infinity(m, 1), in, false};
    return true;
}

r1i_shape *r1i_shape_interval(r1i_mem *m, const r1i_shape *t)
{
    if (t->kind == R1I_S_INTERVALS) {
        r1i_shape *const copy = r1i_mem_take(m, sizeof *copy);
        *copy = *t;
        return copy;
    }
    if (t->kind != R1I_S_TUPLE || t->n != 2) return NULL;
    for (int i = 0; i < 2; i++)
        if (t->kid[i]->kind != R1I_S_VALUE && t->kid[i]->kind != R1I_S_QTY) return NULL;
    const int c = compare(m, t->kid[0], t->kid[1]);
    if (c == 1 || (c == 0 && t->op != 3)) return NULL;
    piece p = {t->kid[0], t->kid[1], (t->op & 1) && !infinite(t->kid[0]), (t->op & 2) && !infinite(t->kid[1])};
    const line l = {&p, 1};
    return to_shape(m, &l, NULL);
}

r1i_shape *r1i_shape_ray(r1i_mem *m, const char *x, char rel, const r1i_frac *at)
{
    r1i_shape *const a = r1i_shape_value(m, at), *const low = infinity(m, -1), *const high = infinity(m, 1);
    piece p[2] = {{low, a, false, rel == 'l'}, {a, high, rel == 'g', false}};
    const line l = {rel == '<' || rel == 'l' || rel == 'n' ? p : p + 1, rel == 'n' ? 2 : 1};
    /* no condition at all */
    if ((infinite(a) > 0 && (rel == '<' || rel == 'l')) || (infinite(a) < 0 && (rel == '>' || rel == 'g'))) {
        piece every = {low, high, false, false};
        const line all = {&every, 1};
        return to_shape(m, &all, x);
    }
    if (infinite(a)) return r1i_shape_words(m, "statement", r1i_mem_printf(m, "%s %c %s", x, rel, a->text));
    return to_shape(m, &l, x);
}

r1i_shape *r1i_shape_combine(r1i_mem *m, r1i_shape **kids, int n, r1i_mkind how)
{
    const char *name = NULL;
    line all = {0};
    for (int i = 0; i < n; i++)
        if (kids[i]->kind == R1I_S_INTERVALS && kids[i]->name) name = kids[i]->name;
    if (!name) return NULL;
    for (int i = 0; i < n; i++) {
        const r1i_shape *const k = kids[i];
        line l;
        /* 1 < 2 in a chain */
        if (k->kind == R1I_S_WORDS && strcmp(k->what, "statement") == 0 && how == R1I_M_AND) continue;
        if (k->kind == R1I_S_EQUATION && k->op && k->name && strcmp(k->name, name) == 0 &&
            k->kid[1]->kind == R1I_S_VALUE && r1i_frac_no_vars(&k->kid[1]->frac)) {
            l.p = r1i_mem_take(m, sizeof *l.p);
            l.p[0] = (piece){k->kid[1], k->kid[1], true, true};
            l.n = 1;
        } else if (k->kind != R1I_S_INTERVALS || !k->name || strcmp(k->name, name) != 0 || !from_shape(m, k, &l))
            return NULL;
        if (!all.p) all = l;
        else if (how == R1I_M_AND) {
            line both;
            if (!cut(m, &all, &l, &both)) return NULL;
            all = both;
        } else {
            line both = {r1i_mem_take(m, (size_t)(all.n + l.n) * sizeof *both.p), all.n + l.n};
            memcpy(both.p, all.p, (size_t)all.n * sizeof *both.p);
            memcpy(both.p + all.n, l.p, (size_t)l.n * sizeof *both.p);
            if (!tidy(m, &both)) return NULL;
            all = both;
        }
    }
    return to_shape(m, &all, name);
}

r1i_shape *r1i_shape_sets(r1i_mem *m, const r1i_mnode *e)
{
    if (e->kind == R1I_M_NUMBERS) {
        if (strcmp(e->name, "empty") == 0) return r1i_shape_set(m, NULL, 0);
        if (strcmp(e->name, "R") == 0) {
            piece p = {infinity(m, -1), infinity(m, 1), false, false};
            const line l = {&p, 1};
            return to_shape(m, &l, NULL);
        }
        const char *const mark = strpbrk(e->name, "^_");
        return r1i_shape_words(m, "set",
                               mark ? r1i_mem_printf(m, "\\mathbb{%c}%c{%s}", e->name[0], *mark, mark + 1)
                               : r1i_mem_printf(m, "\\mathbb{%s}", e->name));
    }
    if (e->n > 2) { /* of program syntax: two at a time */
        r1i_mnode *pair = e->kid[0];
        for (int i = 1; i < e->n; i++) pair = r1i_mnode_make(m, (r1i_mkind)e->kind, 0, 2, pair, e->kid[i]);
        return r1i_math_shape(m, pair);
    }
    r1i_shape *const a = r1i_math_shape(m, e->kid[0]);
    for (int i = 1; i < e->n; i++) {
        r1i_shape *const b = r1i_math_shape(m, e->kid[i]);
        line x, y, z;
        bool done = from_shape(m, a, &x) && from_shape(m, b, &y);
        if (done && e->kind == R1I_M_UNION) {
            z = (line){r1i_mem_take(m, (size_t)(x.n + y.n) * sizeof *z.p + 1), x.n + y.n};
            memcpy(z.p, x.p, (size_t)x.n * sizeof *z.p);
            memcpy(z.p + x.n, y.p, (size_t)y.n * sizeof *z.p);
            done = tidy(m, &z);
        } else if (done && e->kind == R1I_M_CUT) done = tidy(m, &x) && tidy(m, &y) && cut(m, &x, &y, &z);
        else if (done) {
            line rest;
            done = complement(m, &y, &rest) && tidy(m, &x) && cut(m, &x, &rest, &z);
        }
        r1i_shape *s;
        if (done) s = to_shape(m, &z, NULL);
        else {
            s = r1i_shape_make(m, R1I_S_UNION, "union", 2);
            s->op = e->kind;
            const bool swap = e->kind != R1I_M_MINUS && strcmp(a->text, b->text) > 0;
            s->kid[0] = swap ? b : a;
            s->kid[1] = swap ? a : b;
            const char *const op = e->kind == R1I_M_UNION ? "\\cup" : e->kind == R1I_M_CUT ? "\\cap" : "\\setminus";
            s->text = r1i_mem_printf(m, "%s %s %s", s->kid[0]->text, op, s->kid[1]->text);
        }
        return s;
    }
    return a;
}

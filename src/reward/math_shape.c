#include "reward/math_shape.h"

#include <math.h>
#include <stdlib.h>

#include "reward/math_shape_in.h"

static bool formula(const r1i_mnode *e) { return e->kind < R1I_M_LIST; }

r1i_shape *r1i_shape_make(r1i_mem *m, r1i_skind kind, const char *what, int n)
{
    r1i_shape *const s = r1i_mem_take(m, sizeof *s);
    s->kind = kind;
    s->what = what;
    s->n = n;
    s->decimals = -1;
    s->text = "";
    s->scale = r1i_rat_of(1);
    if (n) s->kid = r1i_mem_take(m, (size_t)n * sizeof *s->kid);
    return s;
}

r1i_shape *r1i_shape_words(r1i_mem *m, const char *what, const char *text)
{
    r1i_shape *const s = r1i_shape_make(m, R1I_S_WORDS, what, 0);
    s->text = s->name = text;
    (void)m;
    return s;
}

/* The tree with every "plus or minus" decided one way. */
static r1i_mnode *decide(r1i_mem *m, const r1i_mnode *e, int sign)
{
    r1i_mnode *const r = r1i_mem_take(m, sizeof *r);
    *r = *e;
    if (e->n) r->kid = r1i_mem_take(m, (size_t)e->n * sizeof *r->kid);
    for (int i = 0; i < e->n; i++) r->kid[i] = decide(m, e->kid[i], sign);
    if (e->kind != R1I_M_PM) return r;
    if (e->op * sign > 0) return r->kid[0];
    return r1i_mnode_make(m, R1I_M_MUL, 0, 2, r1i_mnode_int(m, -1), r->kid[0]);
}

static r1i_mnode *rename_symbol(r1i_mem *m, const r1i_mnode *e, const char *from, const char *to)
{
    r1i_mnode *const r = r1i_mem_take(m, sizeof *r);
    *r = *e;
    if (e->n) r->kid = r1i_mem_take(m, (size_t)e->n * sizeof *r->kid);
    for (int i = 0; i < e->n; i++) r->kid[i] = rename_symbol(m, e->kid[i], from, to);
    if (e->kind == R1I_M_SYM && strcmp(e->name, from) == 0) r->name = to;
    return r;
}

/* Numbers joined by signs, or multiplied and divided: what a school exercise asks to work out. */
static bool literal(const r1i_mnode *e)
{
    if (e->kind == R1I_M_NUM) return true;
    if (e->kind == R1I_M_POW) return literal(e->kid[0]) && r1i_mnode_is_int(e->kid[1], -1);
    if (e->kind != R1I_M_MUL && e->kind != R1I_M_ADD) return false;
    for (int i = 0; i < e->n; i++)
        if (!literal(e->kid[i])) return false;
    return true;
}

static bool left_open(const r1i_mnode *e)
{
    if (e->kind == R1I_M_BIND) return true;
    if (e->kind == R1I_M_ADD && literal(e) && !e->degrees) return true;
    for (int i = 0; i < e->n; i++)
        if (left_open(e->kid[i])) return true;
    return false;
}

static int printed_digits(r1i_mem *m, const r1i_mnode *e)
{
    const r1i_int ten = r1i_int_of(10);
    const r1i_rat scale = {r1i_int_pow(m, &ten, (uint32_t)e->decimals), r1i_int_of(1)},
                  v = r1i_rat_mul(m, &e->num, &scale);
    r1i_mtext t = {.mem = m};
    r1i_int_write(&t, &v.p);
    return (int)t.n - (t.s[0] == '-');
}

r1i_shape *r1i_shape_value(r1i_mem *m, const r1i_frac *f)
{
    r1i_rat c;
    r1i_shape *const s = r1i_shape_make(m, R1I_S_VALUE, "expression", 0);
    s->frac = *f;
    if (r1i_frac_const(f, &c)) s->what = r1i_rat_is_int(&c) ? "integer" : "rational";
    else if (r1i_frac_no_vars(f)) s->what = "constant";
    s->text = r1i_frac_text(m, f);
    return s;
}

static r1i_shape *value(r1i_mem *m, const r1i_mnode *e)
{
    const r1i_frac f = r1i_math_canon(m, e);
    r1i_shape *const s = r1i_shape_value(m, &f);
    s->open = left_open(e);
    if (s->open) s->text = r1i_mem_printf(m, "%s", s->text);
    if (e->kind == R1I_M_NUM && e->decimals >= 0) {
        s->decimals = e->decimals;
        s->digits = printed_digits(m, e);
    }
    return s;
}

static int by_text(const void *a, const void *b)
{
    return strcmp((*(r1i_shape *const *)a)->text, (*(r1i_shape *const *)b)->text);
}

static void join(r1i_mtext *t, r1i_shape *const *kids, int n)
{
    for (int i = 0; i < n; i++) {
        if (i) r1i_mtext_add(t, ", ");
        r1i_mtext_add(t, kids[i]->text);
    }
}

r1i_shape *r1i_shape_set(r1i_mem *m, r1i_shape **kids, int n)
{
    r1i_shape *const s = r1i_shape_make(m, R1I_S_SET, "set", n);
    s->n = 0;
    for (int i = 0; i < n; i++) {
        if (kids[i]->kind == R1I_S_LIST) { /* {1 +- sqrt 5, -2} */
            r1i_shape **const all = r1i_mem_take(m, (size_t)(n + kids[i]->n) * sizeof *all);
            memcpy(all, kids, (size_t)i * sizeof *all);
            memcpy(all + i, kids[i]->kid, (size_t)kids[i]->n * sizeof *all);
            memcpy(all + i + kids[i]->n, kids + i + 1, (size_t)(n - i - 1) * sizeof *all);
            return r1i_shape_set(m, all, n - 1 + kids[i]->n);
        }
        s->kid[s->n++] = kids[i];
    }
    if (s->n > 1) qsort(s->kid, (size_t)s->n, sizeof *s->kid, by_text);
    int k = 0;
    for (int i = 0; i < s->n; i++)
        if (!k || strcmp(s->kid[k - 1]->text, s->kid[i]->text) != 0) s->kid[k++] = s->kid[i];
    s->n = k;
    r1i_mtext t = {.mem = m};
    r1i_mtext_add(&t, "\\{");
    join(&t, s->kid, s->n);
    r1i_mtext_add(&t, "\\}");
    s->text = t.s;
    return s;
}

static r1i_shape *list(r1i_mem *m, r1i_shape **kids, int n)
{
    if (n == 1) return kids[0];
    int total = 0;
    for (int i = 0; i < n; i++) total += kids[i]->kind == R1I_S_LIST ? kids[i]->n : 1;
    r1i_shape *const s = r1i_shape_make(m, R1I_S_LIST, "list", total);
    s->n = 0;
    for (int i = 0; i < n; i++) {
        if (kids[i]->kind == R1I_S_LIST) {
            memcpy(s->kid + s->n, kids[i]->kid, (size_t)kids[i]->n * sizeof *kids);
            s->n += kids[i]->n;
        } else s->kid[s->n++] = kids[i];
        s->open |= kids[i]->open;
    }
    r1i_shape **const written = r1i_mem_take(m, (size_t)s->n * sizeof *written);
    memcpy(written, s->kid, (size_t)s->n * sizeof *written);
    if (s->n > 1) qsort(s->kid, (size_t)s->n, sizeof *s->kid, by_text);
    s->other = r1i_shape_make(m, R1I_S_TUPLE, "tuple", s->n); /* as it was written, for a comparison with a tuple */
    s->other->kid = written;
    r1i_mtext t = {.mem = m}, w = {.mem = m};
    join(&t, s->kid, s->n);
    s->text = t.s;
    r1i_mtext_add(&w, "(");
    join(&w, written, s->n);
    r1i_mtext_add(&w, ")");
    s->other->text = w.s;
    return s;
}

static r1i_shape *tuple(r1i_mem *m, const r1i_mnode *e)
{
    r1i_shape *const s = r1i_shape_make(m, R1I_S_TUPLE, e->n == 2 && (e->op & 3) ? "interval" : "tuple", e->n);
    s->op = e->op & 3;
    for (int i = 0; i < e->n; i++) {
        s->kid[i] = r1i_math_shape(m, e->kid[i]);
        s->open |= s->kid[i]->open;
    }
    r1i_mtext t = {.mem = m};
    r1i_mtext_add(&t, s->op & R1I_MI_LEFT ? "[" : "(");
    join(&t, s->kid, s->n);
    r1i_mtext_add(&t, s->op & R1I_MI_RIGHT ? "]" : ")");
    s->text = t.s;
    if (e->n == 2 && (e->op & 8 || s->op)) {
        r1i_shape *const i = r1i_shape_interval(m, s);
        if (i && (e->op & 8 || s->op != 3)) return i;
    }
    return s;
}

static void quantity_text(r1i_mem *m, r1i_shape *s)
{
    const char *const v = r1i_frac_text(m, &s->frac);
    const bool wrap = strpbrk(v, " /*^") != NULL;
    const char *const left = wrap ? "(" : "", *const right = wrap ? ")" : "";
    if (strcmp(s->name, "eur") == 0 || strcmp(s->name, "gbp") == 0 || strcmp(s->name, "yuan") == 0) {
        s->text = r1i_mem_printf(m, "%s%s%s%s", s->name[0] == 'e' ? "\xE2\x82\xAC" : s->name[0] == 'g' ? "\xC2\xA3" : "\xC2\xA5", left, v, right);
        return;
    }
    if (strcmp(s->name, "%") == 0) s->text = r1i_mem_printf(m, "%s%s%s%%", left, v, right);
    else if (strcmp(s->name, "deg") == 0) s->text = r1i_mem_printf(m, "%s%s%s^\\circ", left, v, right);
    else if (strcmp(s->name, "$") == 0) s->text = r1i_mem_printf(m, "\\$%s%s%s", left, v, right);
    else s->text = r1i_mem_printf(m, "%s%s%s \\text{%s}", left, v, right, s->name);
}

static r1i_shape *quantity(r1i_mem *m, const r1i_mnode *e)
{
    r1i_shape *const inner = r1i_math_shape(m, e->kid[0]);
    if (inner->kind != R1I_S_VALUE) r1i_mem_fail(m, e->at, "a unit of no number");
    r1i_shape *const s = r1i_shape_make(m, R1I_S_QTY,
                                        strcmp(e->name, "%") == 0 ? "percentage" : strcmp(e->name, "deg") == 0
                                        ? "angle" : "quantity", 0);
    s->frac = r1i_frac_scale(m, &inner->frac, &e->num);
    s->scale = e->num;
    s->name = e->name;
    s->op = e->op;
    s->decimals = inner->decimals;
    s->digits = inner->digits;
    s->open = inner->open;
    s->other = inner;
    quantity_text(m, s);
    return s;
}

/* Sums and multiples of quantities: -$5, 2 hours 30 minutes. NULL when there are none. */
static r1i_shape *of_quantities(r1i_mem *m, const r1i_mnode *e)
{
    int found = 0;
    for (int i = 0; i < e->n; i++) found += e->kid[i]->kind == R1I_M_QTY;
    if (!found || (e->kind != R1I_M_ADD && e->kind != R1I_M_MUL)) return NULL;
    const r1i_mnode *unit = NULL;
    if (e->kind == R1I_M_ADD && found != e->n) r1i_mem_fail(m, e->at, "a sum of a number and a quantity");
    if (e->kind == R1I_M_MUL && found != 1) r1i_mem_fail(m, e->at, "a product of quantities");
    r1i_frac f = r1i_frac_int(m, e->kind == R1I_M_MUL);
    for (int i = 0; i < e->n; i++) {
        const r1i_mnode *const k = e->kid[i];
        r1i_frac x = r1i_math_canon(m, k->kind == R1I_M_QTY ? k->kid[0] : k);
        if (k->kind == R1I_M_QTY) {
            if (unit && strcmp(unit->name, k->name) != 0) r1i_mem_fail(m, e->at, "a sum of different units");
            if (!unit) unit = k;
            if (e->kind == R1I_M_ADD) x = r1i_frac_scale(m, &x, &k->num);
        }
        f = e->kind == R1I_M_MUL ? r1i_frac_mul(m, &f, &x) : r1i_frac_add(m, &f, &x);
    }
    r1i_mnode q = *unit;
    r1i_mnode *zero = r1i_mnode_int(m, 0);
    q.kid = &zero;
    r1i_shape *const s = quantity(m, &q);
    if (e->kind == R1I_M_MUL) f = r1i_frac_scale(m, &f, &unit->num);
    s->frac = f;
    const r1i_rat inverse = r1i_rat_inv(m, &unit->num);
    const r1i_frac bare = r1i_frac_scale(m, &f, &inverse);
    s->other = r1i_shape_value(m, &bare);
    quantity_text(m, s);
    return s;
}

static r1i_shape *ratio(r1i_mem *m, const r1i_mnode *e)
{
    r1i_shape *const s = r1i_shape_make(m, R1I_S_RATIO, "ratio", e->n);
    r1i_frac f[16];
    r1i_int p = r1i_int_of(0), q = r1i_int_of(1);
    bool rational = true;
    for (int i = 0; i < e->n; i++) {
        r1i_rat c;
        f[i] = r1i_math_canon(m, e->kid[i]->kind == R1I_M_QTY ? e->kid[i]->kid[0] : e->kid[i]);
        rational &= r1i_frac_const(&f[i], &c);
        if (!rational) continue;
        p = r1i_int_gcd(m, &p, &c.p);
        const r1i_int g = r1i_int_gcd(m, &q, &c.q);
        r1i_int part;
        r1i_int_div(m, &c.q, &g, &part, NULL);
        q = r1i_int_mul(m, &q, &part);
    }
    if (rational && r1i_int_sign(&p) != 0) {
        const r1i_rat scale = r1i_rat_make(m, q, p);
        for (int i = 0; i < e->n; i++) f[i] = r1i_frac_scale(m, &f[i], &scale);
    } else if (!rational && !r1i_frac_zero(&f[e->n - 1])) {
        const r1i_frac last = f[e->n - 1];
        for (int i = 0; i < e->n; i++) f[i] = r1i_frac_div(m, &f[i], &last);
    }
    r1i_mtext t = {.mem = m};
    for (int i = 0; i < e->n; i++) {
        s->kid[i] = r1i_shape_value(m, &f[i]);
        r1i_mtext_add(&t, i ? ":" : "");
        r1i_mtext_add(&t, s->kid[i]->text);
    }
    s->text = t.s;
    if (e->n == 2 && !r1i_frac_zero(&f[1])) {
        const r1i_frac quotient = r1i_frac_div(m, &f[0], &f[1]);
        s->other = r1i_shape_value(m, &quotient);
    }
    return s;
}

/* ---- relations ---- */

static bool is_name(const r1i_mnode *e)
{
    if (e->kind == R1I_M_SYM || e->kind == R1I_M_CALL || e->kind == R1I_M_TEXT || e->kind == R1I_M_FN) return true;
    if (e->kind != R1I_M_MUL && e->kind != R1I_M_TUPLE) return false;
    for (int i = 0; i < e->n; i++)
        if (e->kid[i]->kind != R1I_M_SYM) return false;
    return true;
}

static bool mentions(const r1i_mnode *e, const r1i_mnode *names)
{
    if (names->kind == R1I_M_SYM && r1i_mnode_has_name(e, names->name)) return true;
    for (int i = 0; i < names->n; i++)
        if (mentions(e, names->kid[i])) return true;
    return false;
}

static r1i_shape *definition(r1i_mem *m, const r1i_mnode *left, const r1i_mnode *right)
{
    r1i_shape *const s = r1i_shape_make(m, R1I_S_FUNCTION, "function", 2);
    const r1i_mnode *body = right;
    r1i_mtext t = {.mem = m};
    r1i_mtext_add(&t, left->name);
    r1i_mtext_add(&t, "(");
    for (int i = 0; i < left->n; i++) {
        const char *const to = r1i_mem_printf(m, "\\hat{%d}", i + 1);
        body = rename_symbol(m, body, left->kid[i]->name, to);
        r1i_mtext_add(&t, i ? ", " : "");
        r1i_mtext_add(&t, to);
    }
    s->kid[0] = r1i_math_shape(m, body);
    s->kid[1] = r1i_math_shape(m, right);
    s->open = s->kid[1]->open;
    s->name = left->name;
    s->op = left->n;
    r1i_mtext_add(&t, ") = ");
    r1i_mtext_add(&t, s->kid[0]->text);
    s->text = t.s;
    return s;
}

static r1i_shape *equation(r1i_mem *m, const r1i_mnode *left, const r1i_mnode *right)
{
    bool defines = left->kind == R1I_M_CALL && left->n > 0;
    for (int i = 0; i < left->n && defines; i++) defines = left->kid[i]->kind == R1I_M_SYM;
    if (defines) return definition(m, left, right);
    r1i_shape *const s = r1i_shape_make(m, R1I_S_EQUATION, "equation", 2);
    s->kid[1] = r1i_math_shape(m, right);
    s->op = is_name(left) && !mentions(right, left);
    if (left->kind == R1I_M_FN && s->kid[1]->kind == R1I_S_VALUE && !r1i_frac_no_vars(&s->kid[1]->frac)) s->op = 0;
    s->open = s->kid[1]->open;
    if (formula(left) && formula(right)) {
        const r1i_frac a = r1i_math_canon(m, left), d = r1i_frac_sub(m, &a, &s->kid[1]->frac);
        s->kid[0] = r1i_shape_value(m, &a);
        if (r1i_frac_no_vars(&a) && r1i_frac_no_vars(&s->kid[1]->frac) && left->kind != R1I_M_CALL &&
            right->kind != R1I_M_CALL) {
            r1i_poly p = d.num;
            if (!r1i_frac_zero(&d) && !r1i_math_vanishes(m, &p)) r1i_mem_fail(m, left->at, "a false equation");
            r1i_shape *const v = s->kid[1];
            if (s->kid[0]->text[0]) v->open = v->open && left_open(left);
            return v;
        }
        /* 5 = x */
        if (!s->op && is_name(right) && !mentions(left, right) && right->kind != R1I_M_FN)
            return equation(m, right, left);
        r1i_rat c = d.num.n ? r1i_poly_content(m, &d.num) : r1i_rat_of(1);
        if (r1i_poly_sign(&d.num) < 0) c = r1i_rat_neg(m, &c);
        c = r1i_rat_inv(m, &c);
        const r1i_poly p = r1i_poly_scale(m, &d.num, &c);
        s->frac = r1i_frac_poly(m, &p);
        s->text = r1i_mem_printf(m, "%s = 0", r1i_frac_text(m, &s->frac));
        if (s->op && left->kind == R1I_M_SYM) { /* solved form reads better and is as unique */
            s->name = left->name;
            s->text = r1i_mem_printf(m, "%s = %s", s->kid[0]->text, s->kid[1]->text);
            if (!r1i_frac_no_vars(&s->kid[1]->frac)) s->text = r1i_mem_printf(m, "%s = 0", r1i_frac_text(m, &s->frac));
        }
        return s;
    }
    s->kid[0] = r1i_math_shape(m, left);
    if (s->kid[0]->kind == R1I_S_VALUE && s->kid[1]->kind == R1I_S_VALUE) s->frac = s->kid[1]->frac;
    s->op = s->op || is_name(left);
    s->name = left->kind == R1I_M_SYM ? left->name : NULL;
    s->text = r1i_mem_printf(m, "%s = %s", s->kid[0]->text, s->kid[1]->text);
    return s;
}

static r1i_shape *words_of(r1i_mem *m, const r1i_mnode *e)
{
    static const struct { char c; const char *s; } names[] = {{'=', "="}, {'<', "<"}, {'>', ">"}, {'l', "\\le"},
                                                              {'g', "\\ge"}, {'n', "\\ne"}, {'a', "\\approx"},
                                                              {'e', "\\equiv"},
        {'i', "\\in"}, {'o', "\\notin"}, {'t', "\\to"}, {'s', "\\subset"}, {'d', "\\mid"}};
    r1i_mtext t = {.mem = m};
    for (int i = 0; i < e->n; i++) {
        if (i) {
            r1i_mtext_add(&t, " ");
            for (size_t k = 0; k < sizeof names / sizeof *names; k++)
                if (names[k].c == e->name[i - 1]) r1i_mtext_add(&t, names[k].s);
            if (e->name[i - 1] == 'm') r1i_mtext_add(&t, "\\pmod{");
            else r1i_mtext_add(&t, " ");
        }
        r1i_mtext_add(&t, r1i_math_shape(m, e->kid[i])->text);
        if (i && e->name[i - 1] == 'm') r1i_mtext_add(&t, "}");
    }
    return r1i_shape_words(m, "relation", t.s);
}

/* a rel b with one variable, to its interval; several variables to a polynomial compared with 0. */
static r1i_shape *order(r1i_mem *m, const r1i_mnode *left, char rel, const r1i_mnode *right)
{
    const r1i_frac a = r1i_math_canon(m, left), b = r1i_math_canon(m, right), d = r1i_frac_sub(m, &a, &b);
    r1i_rat one;
    r1i_atom *x = NULL;
    bool linear = r1i_poly_const(&d.den, &one);
    r1i_poly slope = {0}, rest = {0};
    for (int i = 0; i < d.num.n && linear; i++) {
        const r1i_term *const t = &d.num.t[i];
        r1i_term c = {.c = t->c, .f = r1i_mem_take(m, (size_t)t->n * sizeof *c.f + 1)};
        bool has = false;
        for (int j = 0; j < t->n; j++) {
            if (t->f[j].atom->constant) c.f[c.n++] = t->f[j];
            else if ((!x || x == t->f[j].atom) && t->f[j].p == 1 && t->f[j].q == 1) x = t->f[j].atom, has = true;
            else linear = false;
        }
        const r1i_poly p = r1i_poly_term(m, &c);
        if (has) slope = r1i_poly_add(m, &slope, &p);
        else rest = r1i_poly_add(m, &rest, &p);
    }
    if (!x && linear && r1i_frac_no_vars(&d)) {
        const int sign = r1i_frac_zero(&d) ? 0 : r1i_math_sign(m, &d);
        const bool holds = rel == '<' ? sign < 0 : rel == '>' ? sign > 0 : rel == 'l' ? sign <= 0 : rel == 'g'
            ? sign >= 0 : sign != 0;
        const bool infinite = strstr(r1i_frac_text(m, &d), "oo") != NULL;
        if (!holds && !infinite) r1i_mem_fail(m, left->at, "a false inequality");
        return r1i_shape_words(m, "statement", holds ? "true" : "true");
    }
    if (linear && x && slope.n && (x->kind == R1I_A_SYM || x->kind == R1I_A_OPAQUE)) {
        const r1i_frac k = r1i_frac_poly(m, &slope), r = r1i_frac_poly(m, &rest);
        const int sign = r1i_math_sign(m, &k);
        if (sign) {
            const r1i_rat minus = r1i_rat_of(-1);
            r1i_frac at = r1i_frac_div(m, &r, &k);
            at = r1i_frac_scale(m, &at, &minus);
            if (sign < 0) rel = rel == '<' ? '>' : rel == '>' ? '<' : rel == 'l' ? 'g' : rel == 'g' ? 'l' : rel;
            return r1i_shape_ray(m, x->key, rel, &at);
        }
    }
    r1i_shape *const s = r1i_shape_make(m, R1I_S_ORDER, "inequality", 0);
    r1i_rat c = d.num.n ? r1i_poly_content(m, &d.num) : r1i_rat_of(1);
    const bool plain = r1i_poly_const(&d.den, &one);
    if (r1i_poly_sign(&d.num) < 0) {
        c = r1i_rat_neg(m, &c);
        rel = rel == '<' ? '>' : rel == '>' ? '<' : rel == 'l' ? 'g' : rel == 'g' ? 'l' : rel;
    }
    c = r1i_rat_inv(m, &c);
    s->frac = d;
    s->frac.num = r1i_poly_scale(m, &d.num, &c);
    (void)plain;
    s->name = rel == '<' ? "<" : rel == '>' ? ">" : rel == 'l' ? "<=" : rel == 'g' ? ">=" : "!=";
    s->text = r1i_mem_printf(m, "%s %s 0", r1i_frac_text(m, &s->frac), s->name);
    return s;
}

static r1i_shape *chain(r1i_mem *m, const r1i_mnode *e)
{
    /* x = 1/3 \approx 0.333: the first closed side counts, the rounding is kept beside it */
    const r1i_mnode *const first = e->kid[0];
    int last = e->n - 1;
    r1i_shape *other = NULL;
    if (e->name[last - 1] == 'a') {
        other = r1i_math_shape(m, e->kid[last]);
        last--;
    }
    if (strchr(e->name, 'a') && strchr(e->name, 'a') < e->name + last) return words_of(m, e);
    r1i_shape *s;
    if (last == 0 && is_name(first)) { /* x \approx 3.14 */
        s = equation(m, first, e->kid[1]);
        return s;
    }
    if (last == 0) s = r1i_math_shape(m, first);
    else {
        for (int i = 1; i < last; i++) {
            if (!formula(e->kid[i]) || !formula(e->kid[last])) return words_of(m, e);
            const r1i_frac a = r1i_math_canon(m, e->kid[i]), b = r1i_math_canon(m, e->kid[last]),
                           d = r1i_frac_sub(m, &a, &b);
            if (r1i_frac_zero(&d) || r1i_math_vanishes(m, &d.num)) continue;
            if (r1i_frac_no_vars(&d)) r1i_mem_fail(m, e->kid[i]->at, "a false equation");
            return words_of(m, e);
        }
        s = equation(m, first, e->kid[last]);
    }
    if (other) {
        const r1i_shape *const v = s->kind == R1I_S_EQUATION ? s->kid[1] : s;
        if (other->kind == R1I_S_QTY && v->kind == R1I_S_QTY) other = other->other;
        if (other->kind != R1I_S_VALUE && other->kind != R1I_S_QTY) return words_of(m, e);
        s->approximate = true;
        if (s->kind == R1I_S_EQUATION) s->kid[1]->approximate = true, s->kid[1]->other = other;
        else if (s->kind == R1I_S_VALUE) s->other = other;
    }
    return s;
}

static r1i_shape *relation(r1i_mem *m, const r1i_mnode *e)
{
    const char *const rel = e->name;
    bool equals = true, orders = true, formulas = true;
    for (int i = 0; rel[i]; i++) {
        equals &= rel[i] == '=' || rel[i] == 'a';
        orders &= strchr("<>lgn", rel[i]) != NULL;
    }
    for (int i = 0; i < e->n; i++) formulas &= formula(e->kid[i]);
    if (e->n == 2 && rel[0] == '=') {
        if (e->kid[0]->kind >= R1I_M_LIST && e->kid[0]->kind != R1I_M_TEXT && e->kid[0]->kind != R1I_M_QTY &&
            e->kid[0]->kind != R1I_M_MATRIX && e->kid[0]->kind != R1I_M_TUPLE) return words_of(m, e);
        return equation(m, e->kid[0], e->kid[1]);
    }
    if (equals) return chain(m, e);
    if (orders && formulas) {
        r1i_shape *kids[32];
        int n = 0;
        for (int i = 0; i + 1 < e->n; i++) kids[n++] = order(m, e->kid[i], rel[i], e->kid[i + 1]);
        if (n == 1) return kids[0];
        r1i_shape *const both = r1i_shape_combine(m, kids, n, R1I_M_AND);
        return both ? both : list(m, kids, n);
    }
    if (e->n == 2 && rel[0] == 'i' && e->kid[0]->kind == R1I_M_SYM) {
        r1i_shape *set = r1i_math_shape(m, e->kid[1]);
        if (set->kind == R1I_S_TUPLE) set = r1i_shape_interval(m, set);
        if (!set) return words_of(m, e);
        if (set->kind == R1I_S_INTERVALS) {
            r1i_shape *const s = r1i_mem_take(m, sizeof *s);
            *s = *set;
            s->name = e->kid[0]->name;
            s->text = r1i_mem_printf(m, "%s \\in %s", s->name, set->text);
            return s;
        }
        r1i_shape *const s = r1i_shape_make(m, R1I_S_IN, "membership", 1);
        s->name = e->kid[0]->name;
        s->kid[0] = set;
        s->text = r1i_mem_printf(m, "%s \\in %s", s->name, set->text);
        return s;
    }
    return words_of(m, e);
}

static r1i_shape *set_of(r1i_mem *m, const r1i_mnode *e)
{
    const r1i_mnode *x = e->kid[0];
    r1i_shape *kids[16];
    int n = 0;
    if (x->kind == R1I_M_REL && x->n == 2 && x->name[0] == 'i' && x->kid[0]->kind == R1I_M_SYM) {
        kids[n++] = r1i_math_shape(m, x);
        x = x->kid[0];
    }
    bool intervals = x->kind == R1I_M_SYM && e->n <= 12;
    for (int i = 1; i < e->n && intervals; i++) kids[n++] = r1i_math_shape(m, e->kid[i]);
    for (int i = 0; i < n && intervals; i++)
        intervals = kids[i]->kind == R1I_S_INTERVALS && kids[i]->name && strcmp(kids[i]->name, x->name) == 0;
    r1i_shape *const s = intervals ? r1i_shape_combine(m, kids, n, R1I_M_AND) : NULL;
    if (s) {
        s->name = NULL;
        return r1i_shape_named(m, s);
    }
    const r1i_mnode *body = e;
    if (x->kind == R1I_M_SYM) body = rename_symbol(m, e, x->name, "\\hat{1}");
    r1i_mtext t = {.mem = m};
    r1i_mtext_add(&t, "\\{");
    for (int i = 0; i < e->n; i++) {
        r1i_mtext_add(&t, i == 0 ? "" : i == 1 ? " \\mid " : ", ");
        r1i_mtext_add(&t, r1i_math_shape(m, body->kid[i])->text);
    }
    r1i_mtext_add(&t, "\\}");
    return r1i_shape_words(m, "set", t.s);
}

static r1i_shape *several(r1i_mem *m, const r1i_mnode *e)
{
    r1i_shape **const kids = r1i_mem_take(m, (size_t)e->n * sizeof *kids);
    int n = 0;
    for (int i = 0; i < e->n; i++) {
        kids[n] = r1i_math_shape(m, e->kid[i]);
        /* "k pi, k in Z": that a parameter is whole goes without saying */
        const bool whole = kids[n]->kind == R1I_S_IN && strstr(kids[n]->text, "\\mathbb{Z}") && i + 1 == e->n && n > 0;
        n += !whole;
    }
    r1i_shape *s = r1i_shape_combine(m, kids, n, e->kind == R1I_M_LIST ? R1I_M_AND : (r1i_mkind)e->kind);
    /* x < 1, x > 2 */
    if (e->kind == R1I_M_LIST && s && s->kind == R1I_S_SET) s = r1i_shape_combine(m, kids, n, R1I_M_OR);
    return s ? s : list(m, kids, n);
}

static r1i_shape *pieces(r1i_mem *m, const r1i_mnode *e)
{
    r1i_shape *const s = r1i_shape_make(m, R1I_S_PIECES, "cases", e->n);
    r1i_mtext t = {.mem = m};
    r1i_mtext_add(&t, "Piecewise(");
    for (int i = 0; i < e->n; i++) {
        s->kid[i] = r1i_math_shape(m, e->kid[i]);
        r1i_mtext_add(&t, i == 0 ? "(" : i % 2 ? ", " : "), (");
        r1i_mtext_add(&t, s->kid[i]->text);
    }
    r1i_mtext_add(&t, "))");
    s->text = t.s;
    return s;
}

r1i_shape *r1i_math_shape(r1i_mem *m, const r1i_mnode *e)
{
    r1i_shape *s;
    if (++m->depth > 1200) r1i_mem_fail(m, e->at, "nested too deeply to work out");
    r1i_mem_work(m, 8);
    if (e->kind != R1I_M_SET && e->kind != R1I_M_LIST && e->kind != R1I_M_CHOICE && r1i_mnode_has(e, R1I_M_PM, -1)) {
        r1i_shape *both[2] = {r1i_math_shape(m, decide(m, e, 1)), r1i_math_shape(m, decide(m, e, -1))};
        s = strcmp(both[0]->text, both[1]->text) == 0 ? both[0] : list(m, both, 2);
        m->depth--;
        return s;
    }
    switch (e->kind) {
    case R1I_M_LIST: case R1I_M_AND: case R1I_M_OR: s = several(m, e); break;
    case R1I_M_TUPLE: s = tuple(m, e); break;
    case R1I_M_SET: {
        r1i_shape **const kids = r1i_mem_take(m, (size_t)e->n * sizeof *kids);
        for (int i = 0; i < e->n; i++) kids[i] = r1i_math_shape(m, e->kid[i]);
        s = r1i_shape_set(m, kids, e->n);
        break;
    }
    case R1I_M_UNION: case R1I_M_CUT: case R1I_M_MINUS: case R1I_M_NUMBERS: s = r1i_shape_sets(m, e); break;
    case R1I_M_SETOF: s = set_of(m, e); break;
    case R1I_M_MATRIX: s = r1i_shape_matrix(m, e); break;
    case R1I_M_REL: s = relation(m, e); break;
    case R1I_M_NOT: s = r1i_shape_words(m, "statement",
                                        r1i_mem_printf(m, "%s %s", e->op ? "\\forall" : "\\neg",
                                                       r1i_math_shape(m, e->kid[0])->text)); break;
    case R1I_M_PIECES: s = pieces(m, e); break;
    case R1I_M_QTY: s = quantity(m, e); break;
    case R1I_M_RATIO: s = ratio(m, e); break;
    case R1I_M_CLOCK: {
        const int t = (int)e->num.p.small;
        s = r1i_shape_words(m, "time of day", r1i_mem_printf(m, "%02d:%02d:%02d", t / 3600, t / 60 % 60, t % 60));
        break;
    }
    case R1I_M_DATE: s = r1i_shape_words(m, "date", e->name); break;
    case R1I_M_BASE: s = r1i_shape_words(m, "numeral", r1i_mem_printf(m, "%s_{%d}", e->name, e->op)); break;
    case R1I_M_CHOICE:
        s = r1i_shape_make(m, R1I_S_CHOICE, "choice", 0);
        s->op = e->op;
        s->text = r1i_mem_printf(m, "\\text{(%c)}", e->op);
        if (e->n) s->other = r1i_math_shape(m, e->kid[0]);
        break;
    case R1I_M_TEXT: s = r1i_shape_words(m, "text", r1i_mem_printf(m, "\\text{%s}", e->name)); s->name = e->name; break;
    default:
        s = of_quantities(m, e);
        if (!s) s = r1i_shape_matrices(m, e);
        if (!s) s = value(m, e);
        break;
    }
    m->depth--;
    return s;
}

static int binders(const r1i_mnode *e)
{
    int most = 0;
    for (int i = 0; i < e->n; i++) {
        const int k = binders(e->kid[i]);
        if (k > most) most = k;
    }
    return most + (e->kind == R1I_M_BIND);
}

/* How a node without algebraic rules is written; bound variables are numbered so that their names do not matter. */
const char *r1i_math_shape_text(r1i_mem *m, const r1i_mnode *e)
{
    r1i_mtext t = {.mem = m};
    if (e->kind == R1I_M_CALL || e->kind == R1I_M_FN) {
        r1i_mtext_add(&t, e->kind == R1I_M_CALL ? e->name : r1i_mfn_name[e->op]);
        r1i_mtext_add(&t, "(");
        for (int i = 0; i < e->n; i++) {
            r1i_mtext_add(&t, i ? ", " : "");
            r1i_mtext_add(&t, r1i_math_shape(m, e->kid[i])->text);
        }
        r1i_mtext_add(&t, ")");
        return t.s;
    }
    if (e->kind != R1I_M_BIND) return r1i_math_shape(m, e)->text;
    static const char *const names[] = {"Sum", "Product", "Integral", "Limit", "Derivative", "Derivative"};
    const r1i_mnode *body = e->kid[0], *var = e->kid[1];
    if (e->n == 4 && var->kind == R1I_M_SYM) {
        const char *const to = r1i_mem_printf(m, "\\hat{%d}", binders(e));
        body = rename_symbol(m, body, var->name, to);
        var = rename_symbol(m, var, var->name, to);
    }
    if (e->n == 3 && e->op <= R1I_MB_PROD) { /* over all k, i < j ... */
        return r1i_mem_printf(m, "%s_{%s} (%s)", e->op ? "\\prod" : "\\sum", r1i_math_shape(m, e->kid[2])->text,
                              r1i_math_shape(m, body)->text);
    }
    r1i_mtext_add(&t, names[e->op]);
    r1i_mtext_add(&t, "(");
    r1i_mtext_add(&t, r1i_math_shape(m, body)->text);
    r1i_mtext_add(&t, ", ");
    const bool limit = e->op == R1I_MB_LIM;
    if (e->n > 2 && !limit) r1i_mtext_add(&t, "(");
    r1i_mtext_add(&t, var->name);
    for (int i = 2; i < e->n - limit; i++) {
        r1i_mtext_add(&t, ", ");
        r1i_mtext_add(&t, r1i_math_shape(m, e->kid[i])->text);
    }
    if (limit && !r1i_mnode_is_int(e->kid[3], 0)) r1i_mtext_add(&t, r1i_mnode_is_int(e->kid[3], 1) ? ", '+'" : ", '-'");
    r1i_mtext_add(&t, e->n > 2 && !limit ? "))" : ")");
    return t.s;
}

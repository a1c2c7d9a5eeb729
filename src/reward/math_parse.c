/* Formulas: sums, products (also implied), powers, and the primaries they are made of. */
#include "reward/math_parse.h"

_Noreturn void r1i_mp_fail(r1i_mparse *p, const char *why) { r1i_mem_fail(p->m, p->tok[p->i].at, why); }

void r1i_mp_need(r1i_mparse *p, int op, const char *why)
{
    if (!r1i_mp_take(p, op)) r1i_mp_fail(p, why);
}

void r1i_mp_deeper(r1i_mparse *p)
{
    if (++p->m->depth > R1I_MATH_DEPTH) r1i_mp_fail(p, "nested deeper than 200");
}

r1i_mnode *r1i_mp_neg(r1i_mem *m, r1i_mnode *e)
{
    if (e->kind == R1I_M_NUM && r1i_rat_sign(&e->num) > 0) {
        r1i_mnode *const r = r1i_mem_take(m, sizeof *r);
        *r = *e;
        r->num = r1i_rat_neg(m, &e->num);
        return r;
    }
    return r1i_mnode_make(m, R1I_M_MUL, 0, 2, r1i_mnode_int(m, -1), e);
}

/* A quotient of two literals is the rational number, so that 1/2 is a literal as \frac12 is. */
r1i_mnode *r1i_mp_div(r1i_mem *m, r1i_mnode *a, r1i_mnode *b)
{
    if (a->kind == R1I_M_NUM && b->kind == R1I_M_NUM && a->decimals < 0 && b->decimals < 0 &&
        r1i_rat_sign(&b->num) != 0) {
        const r1i_rat inverse = r1i_rat_inv(m, &b->num), v = r1i_rat_mul(m, &a->num, &inverse);
        r1i_mnode *const e = r1i_mnode_rat(m, &v);
        e->at = a->at;
        e->end = b->end;
        return e;
    }
    r1i_mnode *const inverse = r1i_mnode_make(m, R1I_M_POW, 0, 2, b, r1i_mnode_int(m, -1));
    if (r1i_mnode_is_int(a, 1)) return inverse;
    return r1i_mnode_make(m, R1I_M_MUL, 0, 2, a, inverse);
}

/* LaTeX takes one character where a command's argument has no braces: \frac12 is one half. */
static r1i_mnode *one_digit(r1i_mparse *p)
{
    r1i_mtok *const t = r1i_mp_now(p);
    r1i_mtok first = *t;
    first.n = 1;
    first.end = first.at + 1;
    if (t->n > 1 && t->s[1] >= '0' && t->s[1] <= '9') {
        t->s++;
        t->n--;
        t->at++;
    } else {
        first = *t;
        p->i++;
    }
    return r1i_mp_number(p, &first);
}

r1i_mnode *r1i_mp_group(r1i_mparse *p)
{
    if (r1i_mp_take(p, '{')) {
        r1i_mp_deeper(p);
        const int bars = p->bars;
        p->bars = 0;
        r1i_mnode *const e = r1i_mp_entry(p);
        p->bars = bars;
        r1i_mp_need(p, '}', "expected }");
        r1i_mp_back(p);
        e->paren = true;
        return e;
    }
    if (r1i_mp_now(p)->type == R1I_T_NUM) return one_digit(p);
    if (r1i_mp_op(p, '-') || r1i_mp_op(p, '+')) {
        const bool minus = r1i_mp_op(p, '-');
        p->i++;
        r1i_mnode *const e = r1i_mp_group(p);
        return minus ? r1i_mp_neg(p->m, e) : e;
    }
    r1i_mp_deeper(p);
    const r1i_mtok *const t = r1i_mp_now(p);
    r1i_mnode *e;
    if (t->type == R1I_T_SYM && !(p->tok[p->i + 1].type == R1I_T_OP && p->tok[p->i + 1].op == '_')) {
        e = r1i_mnode_name(p->m, R1I_M_SYM, t->s, t->n);
        p->i++;
    } else e = r1i_mp_power(p);
    r1i_mp_back(p);
    return e;
}

static bool text_token(const r1i_mtok *t, char *out, size_t room, size_t *used)
{
    const char *s = t->s;
    size_t n = t->n;
    char c[2] = {0};
    switch (t->type) {
    case R1I_T_FN: s = r1i_mfn_name[t->op], n = strlen(s); break;
    case R1I_T_CONST: s = t->op == R1I_MC_PI ? "pi" : t->op == R1I_MC_E ? "e" : t->op == R1I_MC_I ? "i" : "oo",
        n = strlen(s); break;
    case R1I_T_OP:
        if (t->op >= 128 || !strchr("+-*/,=()'<>!|", t->op)) return t->op == R1I_OP_DOTS;
        c[0] = (char)t->op;
        s = c;
        n = 1;
        break;
    default: break;
    }
    if (!s || *used + n >= room) return false;
    memcpy(out + *used, s, n);
    *used += n;
    return true;
}

/* a_1, x_{n+1}, m_{\max}: the subscript's tokens become part of the name. */
const char *r1i_mp_subscript(r1i_mparse *p, const char *name)
{
    char part[200];
    size_t n = 0;
    int depth = 0;
    if (r1i_mp_take(p, '{')) {
        for (depth = 1;; p->i++) {
            const r1i_mtok *const t = r1i_mp_now(p);
            if (t->type == R1I_T_END) r1i_mp_fail(p, "a subscript without its }");
            if (r1i_mp_op(p, '{')) depth++;
            else if (r1i_mp_op(p, '}')) {
                if (--depth == 0) break;
            } else if (r1i_mp_op(p, '_') || r1i_mp_op(p, '^')) {
                if (n + 1 >= sizeof part) r1i_mp_fail(p, "a long subscript");
                part[n++] = '_';
            } else if (!text_token(t, part, sizeof part, &n)) r1i_mp_fail(p, "no subscript of a name");
        }
        p->i++;
    } else {
        if (!text_token(r1i_mp_now(p), part, sizeof part, &n)) r1i_mp_fail(p, "expected a subscript");
        p->i++;
    }
    if (n == 0) r1i_mp_fail(p, "an empty subscript");
    bool simple = true;
    for (size_t i = 0; i < n; i++)
        simple &= (part[i] >= '0' && part[i] <= '9') || ((part[i] | 32) >= 'a' && (part[i] | 32) <= 'z' && n == 1);
    return r1i_mem_printf(p->m, simple ? "%s_%.*s" : "%s_{%.*s}", name, (int)n, part);
}

bool r1i_mp_starts(const r1i_mparse *p)
{
    const r1i_mtok *const t = &p->tok[p->i];
    switch (t->type) {
    case R1I_T_NUM: case R1I_T_CONST: case R1I_T_FN: case R1I_T_BIG: case R1I_T_ACCENT: return true;
    case R1I_T_SYM:
        if (p->integrals && strcmp(t->s, "d") == 0 && (t[1].type == R1I_T_SYM || t[1].type == R1I_T_CONST))
            return false;
        return true;
    case R1I_T_ENV: return t->op == 1;
    case R1I_T_OP: break;
    default: return false;
    }
    switch (t->op) {
    case '(': case '{': case '[': case R1I_OP_FRAC: case R1I_OP_SQRT: case R1I_OP_SQRT +
        1000: case R1I_OP_BINOM: case R1I_OP_LFLOOR: case R1I_OP_LCEIL:
    case R1I_OP_LVERT: case R1I_OP_BOX: case R1I_OP_LANGLE: case R1I_OP_DOTS: case R1I_OP_PARTIAL:
    case R1I_OP_ANGLE: case R1I_OP_LSET: case R1I_OP_NABLA: return true;
    case '|': case R1I_OP_NORM: return p->bars == 0 && !p->given;
    default: return false;
    }
}

static r1i_mnode *quantity(r1i_mparse *p, r1i_mnode *e, const char *unit, int free_noun)
{
    r1i_mnode *const q = r1i_mnode_make(p->m, R1I_M_QTY, free_noun, 1, e);
    q->name = unit;
    q->num = r1i_rat_of(1);
    return q;
}

/* A unit with its power: \text{cm}^2, square metres, m/s; words that are no unit count things. */
static r1i_mnode *with_unit(r1i_mparse *p, r1i_mnode *e)
{
    const r1i_mtok *const t = r1i_mp_now(p);
    r1i_rat scale = r1i_rat_of(1);
    const char *unit = r1i_math_unit(p->m, t->s, t->n, &scale);
    p->i++;
    int power = 1;
    if (r1i_mp_op(p, '^')) {
        const int save = p->i++;
        r1i_mnode *const k = r1i_mp_group(p);
        if (k->kind == R1I_M_NUM && r1i_rat_is_int(&k->num) && !k->num.p.limb && k->num.p.small > -9 &&
            k->num.p.small < 9) power = (int)k->num.p.small;
        else p->i = save;
    }
    if (!unit) {
        r1i_mnode *const q = quantity(p, e, r1i_math_words(p->m, t->s, t->n), 1);
        return q;
    }
    if (power != 1) unit = r1i_mem_printf(p->m, "%s^%d", unit, power);
    r1i_mnode *const q = quantity(p, e, unit, 0);
    q->num = power == 1 ? scale : r1i_rat_pow(p->m, &scale, power);
    return q;
}

static r1i_mnode *degrees(r1i_mparse *p, r1i_mnode *e)
{
    r1i_mnode *q = quantity(p, e, "deg", 0);
    /* minutes and seconds of arc */
    if (r1i_mp_now(p)->type == R1I_T_NUM &&
        (r1i_mp_op_at(p, p->i + 1, '\'') || (r1i_mp_op_at(p, p->i + 1, '^') && r1i_mp_op_at(p, p->i + 2, '\'')))) {
        const r1i_rat sixtieth = r1i_rat_make(p->m, r1i_int_of(1), r1i_int_of(60));
        r1i_mnode *const minutes = r1i_mp_number(p, r1i_mp_now(p));
        p->i += r1i_mp_op_at(p, p->i + 1, '\'') ? 2 : 3;
        q->kid[0] = r1i_mnode_make(p->m, R1I_M_ADD, 0, 2, e,
                                   r1i_mnode_make(p->m, R1I_M_MUL, 0, 2, minutes, r1i_mnode_rat(p->m, &sixtieth)));
        q->kid[0]->paren = true;
    }
    const r1i_mtok *const t = r1i_mp_now(p);
    if ((t->type == R1I_T_SYM || t->type == R1I_T_TEXT) && t->n == 1 && (*t->s == 'C' || *t->s == 'F') &&
        t[1].type == R1I_T_END) {
        q->name = *t->s == 'C' ? "degC" : "degF";
        p->i++;
    }
    return q;
}

static r1i_mnode *power_of(r1i_mparse *p, r1i_mnode *base)
{
    if (r1i_mp_op(p, R1I_OP_CIRC) || r1i_mp_op(p, R1I_OP_DEG)) {
        p->i++;
        return degrees(p, base);
    }
    if (r1i_mp_op(p, '{') && (r1i_mp_op_at(p, p->i + 1, R1I_OP_CIRC) || r1i_mp_op_at(p, p->i + 1, R1I_OP_DEG)) &&
        r1i_mp_op_at(p, p->i + 2, '}')) {
        p->i += 3;
        return degrees(p, base);
    }
    /* x^{\prime}, x^*, A^T */
    int i = p->i + (r1i_mp_op(p, '{') ? 1 : 0);
    const bool group = i > p->i;
    if (r1i_mp_op_at(p, i, '\'') || r1i_mp_op_at(p, i, '*') ||
        ((r1i_mp_op_at(p, i, '+') || r1i_mp_op_at(p, i, '-')) && r1i_mp_op_at(p, i + 1, '}'))) {
        int primes = 0;
        while (p->tok[i].type == R1I_T_OP &&
               (p->tok[i].op == '\'' || p->tok[i].op == '*' || p->tok[i].op == '+' || p->tok[i].op == '-')) i++,
               primes++;
        p->i = i;
        if (group) r1i_mp_need(p, '}', "expected }");
        return r1i_mnode_make(p->m, R1I_M_FN, R1I_MF_PRIME, 2, base, r1i_mnode_int(p->m, primes));
    }
    if (r1i_mp_sym(p, i, "T") && (!group || r1i_mp_op_at(p, i + 1, '}')) && base->kind != R1I_M_NUM &&
        (base->kind == R1I_M_MATRIX)) {
        p->i = i + 1 + group;
        return r1i_mnode_make(p->m, R1I_M_FN, R1I_MF_TRANSPOSE, 1, base);
    }
    r1i_mnode *e;
    r1i_mp_deeper(p);
    if (r1i_mp_op(p, '{')) e = r1i_mp_group(p);
    else if (r1i_mp_op(p, '-') || r1i_mp_op(p, '+')) {
        const bool minus = r1i_mp_op(p, '-');
        p->i++;
        e = r1i_mp_power(p);
        if (minus) e = r1i_mp_neg(p->m, e);
    } else if (r1i_mp_now(p)->type == R1I_T_NUM) { /* x^10: nobody means x^1 0 */
        e = r1i_mp_number(p, r1i_mp_now(p));
        p->i++;
        if (r1i_mp_take(p, '^')) e = power_of(p, e);
    } else if (r1i_mp_starts(p)) e = r1i_mp_power(p);
    else r1i_mp_fail(p, "expected an exponent");
    r1i_mp_back(p);
    if (base->kind == R1I_M_QTY) r1i_mp_fail(p, "a power of a quantity");
    return r1i_mnode_make(p->m, R1I_M_POW, 0, 2, base, e);
}

static r1i_mnode *sqrt_of(r1i_mparse *p)
{
    const bool cube = r1i_mp_now(p)->op != R1I_OP_SQRT;
    r1i_mnode *index = cube ? r1i_mnode_int(p->m, 3) : NULL;
    p->i++;
    if (!cube && r1i_mp_op(p, '[')) {
        p->i++;
        index = r1i_mp_sum(p);
        r1i_mp_need(p, ']', "expected ] after a root's index");
    }
    r1i_mnode *e;
    if (r1i_mp_op(p, '(')) {
        e = r1i_mp_brackets(p);
        if (e->kind == R1I_M_TUPLE && e->n == 2)
            return r1i_mnode_make(p->m, R1I_M_FN, R1I_MF_ROOT, 2, e->kid[0], e->kid[1]);
    } else if (r1i_mp_now(p)->type == R1I_T_NUM) { /* nobody means \sqrt12 to be \sqrt{1}2 */
        e = r1i_mp_number(p, r1i_mp_now(p));
        p->i++;
    } else e = r1i_mp_group(p);
    if (e->kind >= R1I_M_LIST && e->kind != R1I_M_QTY) r1i_mp_fail(p, "a root of no number");
    if (index && r1i_mnode_is_int(index, 2)) index = NULL;
    if (index) return r1i_mnode_make(p->m, R1I_M_FN, R1I_MF_ROOT, 2, e, index);
    const r1i_rat half = r1i_rat_make(p->m, r1i_int_of(1), r1i_int_of(2));
    return r1i_mnode_make(p->m, R1I_M_POW, 0, 2, e, r1i_mnode_rat(p->m, &half));
}

r1i_mnode *r1i_mp_fraction(r1i_mparse *p)
{
    r1i_mnode *const d = r1i_mp_derivative(p);
    if (d) return d;
    p->i++;
    r1i_mnode *a;
    /* \int \frac{dx}{x}: the differential stands in the numerator */
    if (p->integrals && r1i_mp_op(p, '{')) {
        p->i++;
        a = r1i_mp_sym(p, p->i, "d") && p->tok[p->i + 1].type == R1I_T_SYM ? r1i_mnode_int(p->m, 1) : r1i_mp_sum(p);
        if (r1i_mp_sym(p, p->i + 1, "d")) r1i_mp_take(p, '*');
        if (r1i_mp_sym(p, p->i, "d") && p->tok[p->i + 1].type == R1I_T_SYM) {
            p->differential = p->tok[p->i + 1].s;
            p->i += 2;
        }
        r1i_mp_need(p, '}', "expected }");
        a->paren = true;
    } else a = r1i_mp_group(p);
    r1i_mnode *const b = r1i_mp_group(p);
    if ((a->kind >= R1I_M_LIST && a->kind != R1I_M_QTY && a->kind != R1I_M_TEXT) ||
        (b->kind >= R1I_M_LIST && b->kind != R1I_M_TEXT && b->kind != R1I_M_QTY))
        r1i_mp_fail(p, "a fraction of no numbers");
    return r1i_mp_div(p->m, a, b);
}

static r1i_mnode *bars(r1i_mparse *p, int close, int fn)
{
    const int before = p->bars;
    r1i_mp_deeper(p);
    p->bars = 1;
    p->i++;
    r1i_mnode *const e = r1i_mp_sum(p);
    p->bars = before;
    r1i_mp_need(p, close, "an absolute value without its end");
    r1i_mp_back(p);
    return r1i_mnode_make(p->m, R1I_M_FN, fn, 1, e);
}

static r1i_mnode *between(r1i_mparse *p, int close, int fn)
{
    r1i_mp_deeper(p);
    const int before = p->bars;
    p->bars = 0;
    p->i++;
    r1i_mnode *const e = r1i_mp_sum(p);
    p->bars = before;
    r1i_mp_need(p, close, "expected the closing bracket");
    r1i_mp_back(p);
    return r1i_mnode_make(p->m, R1I_M_FN, fn, 1, e);
}

static bool calls(const r1i_mparse *p, const char *name, int primes)
{
    if (!r1i_mp_op(p, '(')) return false;
    const size_t n = strcspn(name, "_'^");
    if (primes || (n == 1 && strchr("fghFGH", *name)) || (n > 1 && strncmp(name, "varphi", n) == 0)) return true;
    /* x(t), y(x), S(n) of a motion, a curve, a sum: letters that are no coefficients, of one plain variable */
    const r1i_mtok *const arg = &p->tok[p->i + 1];
    if (n == 1 && arg->type == R1I_T_SYM && arg->n == 1 && r1i_mp_op_at(p, p->i + 2, ')') &&
        ((*arg->s == 't' && !strchr("abckmnt", *name)) ||
         (strchr("xn", *arg->s) && !strchr("abckmntx", *name)))) return true;
    int depth = 0, entries = 1;
    bool plain = true, relation = false; /* N(n) = ... defines; Q(x, y) is no product */
    for (int i = p->i; p->tok[i].type != R1I_T_END; i++) {
        const r1i_mtok *const t = &p->tok[i];
        if (t->type == R1I_T_OP && (t->op == '(' || t->op == '[' || t->op == R1I_OP_LSET)) depth++;
        else if (t->type == R1I_T_OP && (t->op == ')' || t->op == ']' || t->op == R1I_OP_RSET)) {
            if (--depth == 0) {
                const r1i_mtok *const next = t + 1;
                const bool defines = plain && next->type == R1I_T_OP && next->op == '=' &&
                    (p->i < 2 || (p->tok[p->i - 2].type == R1I_T_OP && p->tok[p->i - 2].op == ','));
                return entries > 1 || relation || defines;
            }
        } else if (depth == 1 && t->type == R1I_T_OP && t->op == ',') entries++;
        else if (depth == 1 && t->type == R1I_T_OP && t->op == '|' && strcmp(name, "P") == 0) relation = true;
        else if (depth == 1 && t->type == R1I_T_OP &&
                 (t->op == '=' || t->op == '<' || t->op == '>' || t->op == R1I_OP_LE || t->op == R1I_OP_GE ||
                  t->op == R1I_OP_MID)) relation = true;
        else if (t->type == R1I_T_ACCENT && r1i_mp_op_at(p, i + 1, '{') && r1i_mp_op_at(p, i + 3, '}')) i += 3;
        else if (t->type != R1I_T_SYM) plain = false;
    }
    return false;
}

/* P(A|B): one bar alone before the closing bracket parts an event from its condition. */
static bool given(const r1i_mparse *p)
{
    int depth = 0, n = 0;
    for (int i = p->i; p->tok[i].type != R1I_T_END; i++) {
        if (r1i_mp_op_at(p, i, '(')) depth++;
        else if (r1i_mp_op_at(p, i, ')') && --depth < 0) break;
        n += r1i_mp_op_at(p, i, '|');
    }
    return n == 1;
}

static r1i_mnode *symbol(r1i_mparse *p)
{
    const r1i_mtok *const t = r1i_mp_now(p);
    const char *name = t->type == R1I_T_CONST ? (t->op == R1I_MC_E ? "e" : "i") : t->s;
    p->i++;
    int primes = 0;
    if (t->plain && r1i_mp_op(p, '(') && t->n > 1) {
        r1i_mnode *const e = r1i_mp_program_call(p, name);
        if (e) return e;
    }
    if (r1i_mp_op(p, '(') && (strcmp(name, "Gamma") == 0 || strcmp(name, "zeta") == 0)) {
        p->i++;
        r1i_mnode *const arg = r1i_mp_sum(p);
        r1i_mp_need(p, ')', "expected )");
        return r1i_mnode_make(p->m, R1I_M_FN, *name == 'G' ? R1I_MF_GAMMA : R1I_MF_ZETA, 1, arg);
    }
    while (r1i_mp_op(p, '_') || r1i_mp_op(p, '\'')) {
        if (r1i_mp_take(p, '\'')) primes++;
        else {
            p->i++;
            name = r1i_mp_subscript(p, name);
        }
    }
    if (r1i_mp_op(p, '^') && r1i_mp_op_at(p, p->i + 1, '{') && r1i_mp_op_at(p, p->i + 2, '\'')) {
        p->i += 2;
        while (r1i_mp_take(p, '\'')) primes++;
        r1i_mp_need(p, '}', "expected }");
    }
    if (t->n == 1 && strchr("fghFGH", *t->s) && r1i_mp_op(p, '^') && r1i_mp_op_at(p, p->i + 1, '{') &&
        r1i_mp_op_at(p, p->i + 2, '-') && p->tok[p->i + 3].type == R1I_T_NUM && p->tok[p->i + 3].n == 1 &&
        /* f^{-1}(x) */
        *p->tok[p->i + 3].s == '1' && r1i_mp_op_at(p, p->i + 4, '}') && r1i_mp_op_at(p, p->i + 5, '(')) {
        p->i += 5;
        name = r1i_mem_printf(p->m, "%s^{-1}", name);
    }
    if (primes) name = r1i_mem_printf(p->m, "%s%.*s", name, primes > 8 ? 8 : primes, "''''''''");
    int close = p->i + 1; /* f{\left(x \right)}: how some printers write a call */
    for (int depth = 0; r1i_mp_op(p, '{') && r1i_mp_op_at(p, p->i + 1, '(') && p->tok[close].type != R1I_T_END;
         close++) {
        depth += r1i_mp_op_at(p, close, '(') - r1i_mp_op_at(p, close, ')');
        if (depth == 0) break;
    }
    const bool braced = r1i_mp_op(p, '{') && r1i_mp_op_at(p, p->i + 1, '(') && r1i_mp_op_at(p, close + 1, '}');
    if (braced || (t->n > 0 && calls(p, name, primes))) {
        r1i_mnode **args;
        p->i += braced ? 2 : 1;
        r1i_mp_deeper(p);
        const int bars_before = p->bars, given_before = p->given;
        p->bars = 0;
        p->given = given(p);
        const int n = r1i_mp_entries(p, &args);
        p->given = given_before;
        p->bars = bars_before;
        r1i_mp_need(p, ')', "expected )");
        if (braced) r1i_mp_need(p, '}', "expected }");
        r1i_mp_back(p);
        if (n == 0) r1i_mp_fail(p, "a function without arguments");
        r1i_mnode *const e = r1i_mnode_many(p->m, R1I_M_CALL, 0, n, args);
        e->name = name;
        return e;
    }
    r1i_mnode *const e = r1i_mnode_name(p->m, R1I_M_SYM, name, strlen(name));
    return e;
}

static r1i_mnode *accent(r1i_mparse *p)
{
    const char *const what = r1i_mp_now(p)->s;
    const uint32_t at = r1i_mp_now(p)->at;
    p->i++;
    if (strcmp(what, "plain") == 0) {
        r1i_mnode *const e = r1i_mp_group(p);
        if (r1i_mp_take(p, '_') || r1i_mp_take(p, '^')) r1i_mp_group(p); /* what stands under a brace */
        return e;
    }
    /* the conjugate of a formula; of a name it stays a name */
    if (strcmp(what, "overline") == 0 && r1i_mp_op(p, '{')) {
        bool sum = false;
        sum = p->tok[p->i + 1].type == R1I_T_SYM && p->tok[p->i + 1].n == 1 && r1i_mp_op_at(p, p->i + 2, '}');
        for (int i = p->i; !r1i_mp_op_at(p, i, '}') && p->tok[i].type != R1I_T_END; i++)
            sum |= r1i_mp_op_at(p, i, '+') || r1i_mp_op_at(p, i, '-');
        if (sum) return r1i_mnode_make(p->m, R1I_M_FN, R1I_MF_CONJ, 1, r1i_mp_group(p));
    }
    char part[100];
    size_t n = 0;
    const bool group = r1i_mp_take(p, '{');
    do {
        if (group && r1i_mp_op(p, '}')) break;
        if (r1i_mp_op(p, '_') || r1i_mp_op(p, '{') || r1i_mp_op(p, '^')) {
            p->i++;
            continue;
        }
        if (r1i_mp_now(p)->type == R1I_T_END || !text_token(r1i_mp_now(p), part, sizeof part, &n))
            r1i_mem_fail(p->m, at, "an accent over no name");
        p->i++;
    } while (group);
    while (group && r1i_mp_take(p, '}')) {}
    if (n == 0) r1i_mem_fail(p->m, at, "an accent over nothing");
    const char *name = r1i_mem_printf(p->m, "\\%s{%.*s}", what, (int)n, part);
    if (r1i_mp_take(p, '_')) name = r1i_mp_subscript(p, name);
    return r1i_mnode_name(p->m, R1I_M_SYM, name, strlen(name));
}

static r1i_mnode *op_primary(r1i_mparse *p)
{
    r1i_mem *const m = p->m;
    const int op = r1i_mp_now(p)->op;
    switch (op) {
    case '(': case '[': case '{': case R1I_OP_LSET: case R1I_OP_LANGLE: return r1i_mp_brackets(p);
    case R1I_OP_FRAC: return r1i_mp_fraction(p);
    case R1I_OP_SQRT: case R1I_OP_SQRT + 1000: return sqrt_of(p);
    case R1I_OP_BINOM: {
        p->i++;
        r1i_mnode *const a = r1i_mp_group(p), *const b = r1i_mp_group(p);
        return r1i_mnode_make(m, R1I_M_FN, R1I_MF_BINOM, 2, a, b);
    }
    case R1I_OP_LFLOOR: return between(p, R1I_OP_RFLOOR, R1I_MF_FLOOR);
    case R1I_OP_LCEIL: return between(p, R1I_OP_RCEIL, R1I_MF_CEIL);
    case R1I_OP_LVERT: return bars(p, R1I_OP_RVERT, R1I_MF_ABS);
    case '|':
        if (r1i_mp_op_at(p, p->i + 1, '|') && !p->bars) {
            /* ||x|| as a norm only where no bar is left inside; else nested absolute values */
            int k = p->i + 2, n = 0;
            for (; p->tok[k].type != R1I_T_END; k++) n += r1i_mp_op_at(p, k, '|');
            if (n == 2 && r1i_mp_op_at(p, k - 1, '|') && r1i_mp_op_at(p, k - 2, '|')) {
                p->i++;
                r1i_mnode *const e = bars(p, '|', R1I_MF_NORM);
                r1i_mp_need(p, '|', "expected ||");
                return e;
            }
        }
        return bars(p, '|', R1I_MF_ABS);
    case R1I_OP_NORM: return bars(p, R1I_OP_NORM, R1I_MF_NORM);
    case R1I_OP_BOX: p->i++; return r1i_mp_group(p);
    case R1I_OP_MONEY: {
        const char *const money = r1i_mp_now(p)->s;
        p->i++;
        r1i_mnode *const e = r1i_mp_power(p);
        return quantity(p, e, money, 0);
    }
    case R1I_OP_EMPTY: p->i++; return r1i_mnode_name(m, R1I_M_NUMBERS, "empty", 5);
    case R1I_OP_NUMBERS: {
        const char *name = r1i_mp_now(p)->s;
        p->i++;
        if (r1i_mp_op(p, '^') || r1i_mp_op(p, '_')) {
            const bool up = r1i_mp_op(p, '^');
            p->i++;
            const bool group = r1i_mp_take(p, '{');
            const char *mark = r1i_mp_op(p, '+') ? "+" : r1i_mp_op(p, '-') ? "-" : r1i_mp_op(p, '*') ? "*"
                : r1i_mp_now(p)->type == R1I_T_NUM ? r1i_mem_text(m, r1i_mp_now(p)->s, r1i_mp_now(p)->n) : NULL;
            if (!mark) r1i_mp_fail(p, "a set of numbers raised to no power");
            p->i++;
            if (group) r1i_mp_need(p, '}', "expected }");
            name = r1i_mem_printf(m, "%s%c%s", name, up ? '^' : '_', mark);
        } else if (r1i_mp_op(p, '+') && (p->tok[p->i + 1].type == R1I_T_END)) {
            p->i++;
            name = r1i_mem_printf(m, "%s^+", name);
        }
        return r1i_mnode_name(m, R1I_M_NUMBERS, name, strlen(name));
    }
    case R1I_OP_DOTS: p->i++; return r1i_mnode_name(m, R1I_M_SYM, "...", 3);
    case R1I_OP_PARTIAL: p->i++; return r1i_mnode_name(m, R1I_M_SYM, "\\partial", 8);
    case R1I_OP_NABLA: p->i++; return r1i_mnode_name(m, R1I_M_SYM, "\\nabla", 6);
    case R1I_OP_ANGLE: {
        char part[64];
        size_t n = 0;
        p->i++;
        const char *const what = p->tok[p->i - 1].s;
        const bool braces = r1i_mp_take(p, '{');
        while (r1i_mp_now(p)->type == R1I_T_SYM || r1i_mp_now(p)->type == R1I_T_CONST || (n && r1i_mp_op(p, '_'))) {
            if (r1i_mp_take(p, '_')) {
                const char *const with = r1i_mp_subscript(p, "");
                const size_t w = strlen(with);
                if (n + w >= sizeof part) r1i_mp_fail(p, "a long angle");
                memcpy(part + n, with, w);
                n += w;
            } else {
                if (!text_token(r1i_mp_now(p), part, sizeof part, &n)) r1i_mp_fail(p, "a long angle");
                p->i++;
            }
        }
        if (n == 0 && !braces && r1i_mp_now(p)->type == R1I_T_NUM) return r1i_mp_number_primary(p);
        if (braces) r1i_mp_need(p, '}', "expected } after an angle");
        const char *const name = r1i_mem_printf(m, "\\%s{%.*s}", what, (int)n, part);
        return r1i_mnode_name(m, R1I_M_SYM, name, strlen(name));
    }
    default: r1i_mp_fail(p, "expected a number, a name or an opening bracket");
    }
}

static r1i_mnode *primary(r1i_mparse *p)
{
    const r1i_mtok *const t = r1i_mp_now(p);
    switch (t->type) {
    case R1I_T_NUM: return r1i_mp_number_primary(p);
    case R1I_T_SYM:
        if (p->integrals && strcmp(t->s, "d") == 0 && t[1].type == R1I_T_SYM) r1i_mp_fail(p, "expected an integrand");
        return symbol(p);
    case R1I_T_CONST:
        if ((t->op == R1I_MC_E || t->op == R1I_MC_I) && t[1].type == R1I_T_OP && (t[1].op == '_' || t[1].op == '\''))
            return symbol(p);
        p->i++;
        return r1i_mnode_make(p->m, R1I_M_CONST, t->op, 0);
    case R1I_T_FN: return r1i_mp_function(p);
    case R1I_T_BIG: return r1i_mp_big(p);
    case R1I_T_ACCENT: return accent(p);
    case R1I_T_ENV: return r1i_mp_environment(p);
    case R1I_T_TEXT: { /* a name in words: \text{Area} = 5 */
        int64_t word;
        p->i++;
        if (r1i_math_number_word(t->s, t->n, &word)) return r1i_mnode_int(p->m, word);
        const char *const words = r1i_math_words(p->m, t->s, t->n);
        if (strcmp(words, "true") == 0 || strcmp(words, "false") == 0)
            return r1i_mnode_make(p->m, R1I_M_CONST, *words == 't' ? R1I_MC_TRUE : R1I_MC_FALSE, 0);
        if (*words == 0) r1i_mp_fail(p, "expected a value");
        r1i_mnode *const e = r1i_mnode_name(p->m, R1I_M_TEXT, words, strlen(words));
        e->at = t->at;
        e->end = t->end;
        if (r1i_mp_op(p, '_')) {
            p->i++;
            e->name = r1i_mp_subscript(p, e->name);
        }
        return e;
    }
    case R1I_T_END: r1i_mp_fail(p, "the answer ends where a value is due");
    default: return op_primary(p);
    }
}

r1i_mnode *r1i_mp_power(r1i_mparse *p)
{
    r1i_mp_deeper(p);
    r1i_mnode *e = primary(p);
    for (;;) {
        const r1i_mtok *const t = r1i_mp_now(p);
        if (t->type != R1I_T_OP) break;
        if (t->op == '^') {
            p->i++;
            e = power_of(p, e);
        } else if (t->op == '!' ) {
            p->i++;
            const bool twice = r1i_mp_op(p, '!') && !r1i_mp_now(p)->space;
            if (twice) p->i++;
            e = r1i_mnode_make(p->m, R1I_M_FN, twice ? R1I_MF_FACT2 : R1I_MF_FACT, 1, e);
        } else if (t->op == '%') {
            p->i++;
            e = quantity(p, e, "%", 0);
        /* f \circ g */
        } else if (t->op == R1I_OP_CIRC &&
                   (t[1].type == R1I_T_SYM || t[1].type == R1I_T_FN || (t[1].type == R1I_T_OP && t[1].op == '('))) {
            p->i++;
            r1i_mnode *const inner = r1i_mp_power(p);
            e = r1i_mnode_make(p->m, R1I_M_CALL, 0, 2, e, inner);
            e->name = "compose";
        } else if (t->op == R1I_OP_DEG || (t->op == R1I_OP_CIRC)) {
            p->i++;
            e = degrees(p, e);
        } else if (t->op == R1I_OP_MONEY && e->kind == R1I_M_NUM) {
            p->i++;
            e = quantity(p, e, t->s, 0);
        } else if (t->op == '\'' && e->kind == R1I_M_CALL) {
            p->i++;
            e = r1i_mnode_make(p->m, R1I_M_FN, R1I_MF_PRIME, 2, e, r1i_mnode_int(p->m, 1));
        } else if (t->op == '_' && e->paren && e->kind == R1I_M_NUM && r1i_rat_is_int(&e->num)) { /* (101)_2 */
            r1i_mtext digits = {.mem = p->m};
            r1i_int_write(&digits, &e->num.p);
            p->i++;
            const r1i_mtok number_token = {.type = R1I_T_NUM, .s = digits.s, .n = (uint32_t)digits.n};
            e = r1i_mp_in_base(p, &number_token);
        } else break;
    }
    r1i_mp_back(p);
    return e;
}

static r1i_mnode *signed_power(r1i_mparse *p)
{
    int minus = 0, pm = 0;
    while (r1i_mp_op(p, '-') || r1i_mp_op(p, '+') || r1i_mp_op(p, R1I_OP_PM) || r1i_mp_op(p, R1I_OP_MP)) {
        if (r1i_mp_op(p, '-')) minus ^= 1;
        if (r1i_mp_op(p, R1I_OP_PM)) pm = 1;
        if (r1i_mp_op(p, R1I_OP_MP)) pm = -1;
        p->i++;
    }
    r1i_mnode *e = r1i_mp_power(p);
    if (minus) e = r1i_mp_neg(p->m, e);
    if (pm) e = r1i_mnode_make(p->m, R1I_M_PM, pm, 1, e);
    return e;
}

static bool numeric(const r1i_mnode *e)
{
    if (e->kind == R1I_M_SYM || e->kind == R1I_M_CALL || e->kind == R1I_M_TEXT) return false;
    for (int i = 0; i < e->n; i++)
        if (!numeric(e->kid[i])) return false;
    return true;
}

static r1i_mnode *product(r1i_mparse *p, r1i_mnode *a, r1i_mnode *b)
{
    if ((a->kind == R1I_M_TEXT || b->kind == R1I_M_TEXT)) r1i_mp_fail(p, "words in the middle of a formula");
    if (a->kind == R1I_M_MUL && !a->paren) {
        r1i_mnode **const kids = r1i_mem_take(p->m, (size_t)(a->n + 1) * sizeof *kids);
        memcpy(kids, a->kid, (size_t)a->n * sizeof *kids);
        kids[a->n] = b;
        r1i_mem_work(p->m, a->n);
        return r1i_mnode_many(p->m, R1I_M_MUL, 0, a->n + 1, kids);
    }
    return r1i_mnode_make(p->m, R1I_M_MUL, 0, 2, a, b);
}

r1i_mnode *r1i_mp_term(r1i_mparse *p)
{
    r1i_mp_deeper(p);
    r1i_mnode *e = signed_power(p);
    for (;;) {
        const r1i_mtok *const t = r1i_mp_now(p);
        if (p->integrals && t->type == R1I_T_OP && t->op == '*' && r1i_mp_sym(p, p->i + 1, "d") &&
            t[2].type == R1I_T_SYM) break;
        if (t->type == R1I_T_OP && (t->op == '*' || t->op == '/' || t->op == R1I_OP_DIV)) {
            p->i++;
            r1i_mnode *const f = signed_power(p);
            if (e->kind == R1I_M_TEXT || f->kind == R1I_M_TEXT) r1i_mp_fail(p, "words in a product");
            e = t->op == '*' ? product(p, e, f) : r1i_mp_div(p->m, e, f);
        } else if (t->type == R1I_T_OP && t->op == R1I_OP_BMOD) {
            p->i++;
            r1i_mnode *const f = signed_power(p);
            e = r1i_mnode_make(p->m, R1I_M_FN, R1I_MF_MOD, 2, e, f);
        } else if (t->type == R1I_T_OP && t->op == R1I_OP_CHOOSE) {
            p->i++;
            e = r1i_mnode_make(p->m, R1I_M_FN, R1I_MF_BINOM, 2, e, r1i_mp_term(p));
        } else if (t->type == R1I_T_OP && t->op == R1I_OP_OVER) {
            p->i++;
            e = r1i_mp_div(p->m, e, r1i_mp_term(p));
        } else if (t->type == R1I_T_TEXT && (numeric(e) || r1i_math_unit(p->m, t->s, t->n, &(r1i_rat){{0}, {0}})) &&
                   e->kind != R1I_M_TEXT) {
            e = with_unit(p, e);
            if (r1i_mp_now(p)->type == R1I_T_NUM && !e->op) { /* 2 hours 30 minutes */
                r1i_mnode *const rest = r1i_mp_term(p);
                if (rest->kind != R1I_M_QTY) r1i_mp_fail(p, "a number after a unit");
                e = r1i_mnode_make(p->m, R1I_M_ADD, 0, 2, e, rest);
                break;
            }
        } else if (r1i_mp_starts(p) && e->kind != R1I_M_TEXT) {
            if (t->type == R1I_T_NUM && e->kind == R1I_M_NUM && !e->paren && !(t[1].type == R1I_T_OP && t[1].op == '^'))
                r1i_mp_fail(p, "two numbers in a row");
            if (e->kind == R1I_M_QTY) r1i_mp_fail(p, "a quantity times something");
            r1i_mnode *const f = r1i_mp_power(p);
            if (f->kind == R1I_M_REL && f->paren) continue; /* ... (k \in \mathbb{Z}) */
            if (f->kind == R1I_M_PIECES || e->kind == R1I_M_PIECES) r1i_mp_fail(p, "a product with cases");
            /* 2x^\circ: the sign is the whole product's */
            if (f->kind == R1I_M_QTY && (f->kid[0]->kind == R1I_M_NUM || f->kid[0]->kind == R1I_M_SYM)) {
                r1i_mnode *const q = r1i_mem_take(p->m, sizeof *q);
                *q = *f;
                q->kid = r1i_mem_take(p->m, sizeof *q->kid);
                q->kid[0] = product(p, e, f->kid[0]);
                e = q;
            } else e = product(p, e, f);
        } else break;
    }
    r1i_mp_back(p);
    return e;
}

r1i_mnode *r1i_mp_sum(r1i_mparse *p)
{
    r1i_mp_deeper(p);
    r1i_mnode *e = r1i_mp_term(p);
    int n = 1, cap = 4;
    r1i_mnode **kids = NULL;
    while (r1i_mp_op(p, '+') || r1i_mp_op(p, '-') || r1i_mp_op(p, R1I_OP_PM) || r1i_mp_op(p, R1I_OP_MP)) {
        const int op = r1i_mp_now(p)->op;
        if (op == '+' && p->tok[p->i + 1].type == R1I_T_END) break;
        p->i++;
        r1i_mnode *f = r1i_mp_term(p);
        if (op == '-') f = r1i_mp_neg(p->m, f);
        if (op == R1I_OP_PM || op == R1I_OP_MP) f = r1i_mnode_make(p->m, R1I_M_PM, op == R1I_OP_PM ? 1 : -1, 1, f);
        if (e->kind == R1I_M_TEXT || f->kind == R1I_M_TEXT) r1i_mp_fail(p, "words in a sum");
        if (!kids || n == cap) {
            r1i_mnode **const grown = r1i_mem_take(p->m, (size_t)(cap * 2) * sizeof *grown);
            if (kids) memcpy(grown, kids, (size_t)n * sizeof *grown);
            else grown[0] = e;
            kids = grown;
            cap *= 2;
        }
        kids[n++] = f;
    }
    if (kids) e = r1i_mnode_many(p->m, R1I_M_ADD, 0, n, kids);
    r1i_mp_back(p);
    return e;
}

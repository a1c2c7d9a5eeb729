/* Functions with their arguments, sums, products, integrals, limits, derivatives, environments, and the calls of
 * program syntax. */
#include "reward/math_parse.h"

static bool reciprocal_trig(int fn) { return fn <= R1I_MF_CSCH; }

/* \sin 2x: the factors up to the next function, sign or explicit operator. */
static r1i_mnode *bare_argument(r1i_mparse *p)
{
    r1i_mp_deeper(p);
    bool minus = false;
    while (r1i_mp_op(p, '-') || r1i_mp_op(p, '+')) minus ^= r1i_mp_take(p, '-') || !r1i_mp_take(p, '+');
    r1i_mnode *e = r1i_mp_power(p);
    while (r1i_mp_starts(p) && r1i_mp_now(p)->type != R1I_T_FN && r1i_mp_now(p)->type != R1I_T_BIG &&
           !r1i_mp_op(p, '(') && !r1i_mp_op(p, '[') && !r1i_mp_op(p, R1I_OP_LSET))
        e = r1i_mnode_make(p->m, R1I_M_MUL, 0, 2, e, r1i_mp_power(p));
    if (r1i_mp_op(p, '/') && (p->tok[p->i + 1].type == R1I_T_NUM) && e->kind != R1I_M_FN) { /* \sin \pi/3 */
        p->i++;
        e = r1i_mp_div(p->m, e, r1i_mp_power(p));
    }
    r1i_mp_back(p);
    return minus ? r1i_mp_neg(p->m, e) : e;
}

static r1i_mnode *with_arguments(r1i_mparse *p, int fn, r1i_mnode *const *args, int n)
{
    static const struct { int fn, least, most; } counts[] = {
        {R1I_MF_GCD, 1, 64}, {R1I_MF_LCM, 1, 64}, {R1I_MF_MAX, 1, 64}, {R1I_MF_MIN, 1, 64}, {R1I_MF_BINOM, 2, 2},
        {R1I_MF_MOD, 2, 2},
        {R1I_MF_ROOT, 2, 3}, {R1I_MF_LN, 1, 2}, {R1I_MF_PROB, 1, 9}, {R1I_MF_INNER, 2, 2}, {R1I_MF_ATAN, 1, 2},
        {R1I_MF_SUP, 1, 9}, {R1I_MF_INF, 1, 9},
    };
    int least = 1, most = 1;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i].fn == fn) least = counts[i].least, most = counts[i].most;
    if (n < least || n > most) r1i_mp_fail(p, "a function with another number of arguments");
    if (fn == R1I_MF_LN && n == 2) return r1i_mnode_make(p->m, R1I_M_FN, R1I_MF_LOG, 2, args[0], args[1]);
    if (fn == R1I_MF_LOG && n == 1)
        return r1i_mnode_make(p->m, R1I_M_FN, R1I_MF_LOG, 2, args[0], r1i_mnode_int(p->m, 10));
    return r1i_mnode_many(p->m, R1I_M_FN, fn, n, args);
}

r1i_mnode *r1i_mp_function(r1i_mparse *p)
{
    r1i_mem *const m = p->m;
    int fn = r1i_mp_now(p)->op;
    r1i_mnode *base = NULL, *power = NULL;
    p->i++;
    r1i_mp_deeper(p);
    const char *sub = NULL;
    for (int k = 0; k < 2; k++) {
        if (r1i_mp_op(p, '_') && !base) {
            p->i++;
            if (fn == R1I_MF_LN || fn == R1I_MF_LOG) base = r1i_mp_group(p);
            else if (fn == R1I_MF_MAX || fn == R1I_MF_MIN || fn == R1I_MF_SUP || fn == R1I_MF_INF)
                r1i_mp_subscript(p, "");
            else sub = r1i_mp_subscript(p, r1i_mfn_name[fn]);
        } else if (r1i_mp_op(p, '^') && !power) {
            p->i++;
            power = r1i_mp_group(p);
        }
    }
    (void)sub;
    if (fn == R1I_MF_LOG && base) fn = R1I_MF_LN;
    if (fn == R1I_MF_LN && !base && p->tok[p->i].type == R1I_T_NUM && p->tok[p->i - 1].type == R1I_T_FN &&
        p->tok[p->i].n == 2 && !p->tok[p->i].space &&
        memcmp(p->tok[p->i].s, "10", 2) == 0 && r1i_mp_op_at(p, p->i + 1, '(')) { /* log10(x) */
        p->i++;
        base = r1i_mnode_int(m, 10);
    }
    r1i_mnode *e;
    const bool list = r1i_mp_op(p, '(') || (r1i_mp_op(p, R1I_OP_LSET) && (fn == R1I_MF_MAX || fn == R1I_MF_MIN)) ||
        (r1i_mp_op(p, '[') && fn >= R1I_MF_RE);
    const bool group = r1i_mp_op(p, '{') &&
        (fn == R1I_MF_MAX || fn == R1I_MF_MIN || fn == R1I_MF_GCD || fn == R1I_MF_LCM);
    if (list || group) {
        const int close = group ? '}' : r1i_mp_op(p, '(') ? ')' : r1i_mp_op(p, '[') ? ']' : R1I_OP_RSET;
        r1i_mnode **args;
        const int bars = p->bars, integrals = p->integrals;
        p->i++;
        p->bars = p->integrals = 0;
        const int n = r1i_mp_entries(p, &args);
        p->bars = bars;
        p->integrals = integrals;
        r1i_mp_need(p, close, "expected the closing bracket of a function's arguments");
        e = with_arguments(p, fn, args, n);
    } else {
        r1i_mnode *arg = r1i_mp_op(p, '{') ? r1i_mp_power(p) : bare_argument(p);
        if (arg->kind == R1I_M_TUPLE || arg->kind == R1I_M_SET) e = with_arguments(p, fn, arg->kid, arg->n);
        else e = with_arguments(p, fn, &arg, 1);
    }
    for (int i = 0; i < e->n; i++)
        if (e->kid[i]->kind >= R1I_M_LIST && e->kid[i]->kind != R1I_M_QTY && e->kid[i]->kind != R1I_M_MATRIX &&
            fn != R1I_MF_PROB && fn != R1I_MF_MAX && fn != R1I_MF_MIN)
            r1i_mp_fail(p, "a function of no number");
    if (base) e = r1i_mnode_make(m, R1I_M_FN, R1I_MF_LOG, 2, e->kid[0], base);
    if (power) {
        if (r1i_mnode_is_int(power, -1) && reciprocal_trig(fn)) {
            static const uint8_t inverse[] = {R1I_MF_ASIN, R1I_MF_ACOS, R1I_MF_ATAN, R1I_MF_ACOT, R1I_MF_ASEC,
                                              R1I_MF_ACSC};
            if (fn <= R1I_MF_CSC) e->op = inverse[fn];
            else if (fn >= R1I_MF_SINH) e->op = fn - R1I_MF_SINH + R1I_MF_ASINH;
        } else e = r1i_mnode_make(m, R1I_M_POW, 0, 2, e, power);
    }
    r1i_mp_back(p);
    return e;
}

/* The limits of a big operator: _{..} and ^{..} in either order. */
static r1i_mnode *bound(r1i_mparse *p)
{
    const r1i_mtok *const t = r1i_mp_now(p);
    if (t->type != R1I_T_SYM) return r1i_mp_group(p);
    p->i++; /* in \int^b_a the subscript is the integral's */
    return r1i_mnode_name(p->m, R1I_M_SYM, t->s, t->n);
}

static void limits(r1i_mparse *p, r1i_mnode **low, r1i_mnode **high)
{
    for (int k = 0; k < 2; k++) {
        if (r1i_mp_op(p, '_') && !*low) {
            p->i++;
            *low = bound(p);
        } else if (r1i_mp_op(p, '^') && !*high) {
            p->i++;
            *high = bound(p);
        }
    }
}

static r1i_mnode *integral(r1i_mparse *p, int n)
{
    r1i_mem *const m = p->m;
    r1i_mnode *low = NULL, *high = NULL, *body;
    limits(p, &low, &high);
    const char *const outer = p->differential;
    p->differential = NULL;
    p->integrals++;
    if (r1i_mp_sym(p, p->i, "d") && (p->tok[p->i + 1].type == R1I_T_SYM)) body = r1i_mnode_int(m, 1);
    else body = r1i_mp_sum(p);
    p->integrals--;
    const char *var = p->differential;
    p->differential = outer;
    if (!var) {
        r1i_mp_take(p, '*');
        if (!r1i_mp_sym(p, p->i, "d") || p->tok[p->i + 1].type != R1I_T_SYM)
            r1i_mp_fail(p, "an integral without its dx");
        p->i++;
        var = p->tok[p->i].s;
        p->i++;
        if (r1i_mp_op(p, '_')) {
            p->i++;
            var = r1i_mp_subscript(p, var);
        }
    }
    r1i_mnode *x = r1i_mnode_name(m, R1I_M_SYM, var, strlen(var));
    if (n == 1 && p->integrals == 0) /* \int f dy dx with one sign for both */
        for (int i = p->i; r1i_mp_sym(p, i, "d") && p->tok[i + 1].type == R1I_T_SYM; i += 2) n++;
    for (; n > 1; n--) { /* the first differential is the innermost */
        if (!r1i_mp_sym(p, p->i, "d") || p->tok[p->i + 1].type != R1I_T_SYM)
            r1i_mp_fail(p, "an integral without its dy");
        body = r1i_mnode_make(m, R1I_M_BIND, R1I_MB_INT, 2, body, x);
        x = r1i_mnode_name(m, R1I_M_SYM, p->tok[p->i + 1].s, p->tok[p->i + 1].n);
        p->i += 2;
    }
    if (low && high) return r1i_mnode_make(m, R1I_M_BIND, R1I_MB_INT, 4, body, x, low, high);
    if (low || high) return r1i_mnode_make(m, R1I_M_BIND, R1I_MB_INT, 3, body, x, low ? low : high);
    return r1i_mnode_make(m, R1I_M_BIND, R1I_MB_INT, 2, body, x);
}

static r1i_mnode *limit(r1i_mparse *p)
{
    r1i_mem *const m = p->m;
    r1i_mp_need(p, '_', "a limit without x \\to a");
    const bool group = r1i_mp_take(p, '{');
    r1i_mnode *const x = r1i_mp_power(p);
    if (x->kind != R1I_M_SYM) r1i_mp_fail(p, "a limit in no variable");
    r1i_mp_need(p, R1I_OP_TO, "expected \\to in a limit");
    r1i_mnode *to;
    int side = 0;
    r1i_mp_deeper(p);
    const int from = p->i;
    /* x \to 0^+ : the sign is the side */
    to = r1i_mp_op(p, '-') || r1i_mp_op(p, '+') ? r1i_mp_term(p) : r1i_mp_sum(p);
    if (to->kind == R1I_M_FN && to->op == R1I_MF_PRIME) { /* what ^{+} and ^{-} parse as */
        for (int i = from; i < p->i; i++)
            side = r1i_mp_op_at(p, i, '+') ? 1 : r1i_mp_op_at(p, i, '-') && i > from ? -1 : side;
        to = to->kid[0];
    }
    r1i_mp_back(p);
    if (r1i_mp_op(p, '^')) {
        p->i++;
        const bool inner = r1i_mp_take(p, '{');
        side = r1i_mp_op(p, '+') ? 1 : r1i_mp_op(p, '-') ? -1 : 0;
        if (side) p->i++;
        if (inner) r1i_mp_need(p, '}', "expected }");
    }
    if (group) r1i_mp_need(p, '}', "expected } after a limit's point");
    r1i_mnode *const body = r1i_mp_term(p);
    r1i_mnode *const e = r1i_mnode_make(m, R1I_M_BIND, R1I_MB_LIM, 4, body, x, to, r1i_mnode_int(m, side));
    return e;
}

/* \sum_{i=1}: from here on i is an index and not the imaginary unit. */
static void index_i(r1i_mparse *p)
{
    const int at = p->i + 1 + (r1i_mp_op_at(p, p->i + 1, '{') ? 1 : 0);
    if (!r1i_mp_op(p, '_') || p->tok[at].type != R1I_T_CONST || p->tok[at].op != R1I_MC_I) return;
    for (int i = at; p->tok[i].type != R1I_T_END; i++)
        if (p->tok[i].type == R1I_T_CONST && p->tok[i].op == R1I_MC_I) p->tok[i].type = R1I_T_SYM;
}

r1i_mnode *r1i_mp_big(r1i_mparse *p)
{
    r1i_mem *const m = p->m;
    const int what = r1i_mp_now(p)->op;
    p->i++;
    r1i_mp_deeper(p);
    r1i_mnode *e;
    const char *const times = p->tok[p->i - 1].s;
    if (what == R1I_MB_INT) e = integral(p, times ? *times - '0' : 1);
    else if (what == R1I_MB_LIM) e = limit(p);
    else {
        r1i_mnode *low = NULL, *high = NULL;
        index_i(p);
        limits(p, &low, &high);
        if (!low) r1i_mp_fail(p, "a sum or product without its index");
        r1i_mnode *const body = r1i_mp_term(p);
        if (low->kind == R1I_M_REL && low->n == 2 && low->name[0] == '=' && low->kid[0]->kind == R1I_M_SYM && high) {
            e = r1i_mnode_make(m, R1I_M_BIND, what, 4, body, low->kid[0], low->kid[1], high);
            if (high->kind == R1I_M_REL && high->n == 2) e->kid[3] = high->kid[1];
        } else e = r1i_mnode_make(m, R1I_M_BIND, what, 3, body, r1i_mnode_name(m, R1I_M_SYM, "", 0), low);
    }
    r1i_mp_back(p);
    return e;
}

/* After the numerator's d or \partial: an order ^n; returns it or 1. */
static int order(r1i_mparse *p)
{
    if (!r1i_mp_op(p, '^')) return 1;
    p->i++;
    r1i_mnode *const k = r1i_mp_group(p);
    if (k->kind != R1I_M_NUM || !r1i_rat_is_int(&k->num) || k->num.p.limb || k->num.p.small < 1 || k->num.p.small > 20)
        r1i_mp_fail(p, "a derivative of no whole order");
    return (int)k->num.p.small;
}

r1i_mnode *r1i_mp_derivative(r1i_mparse *p)
{
    r1i_mem *const m = p->m;
    const int start = p->i;
    if (!r1i_mp_op_at(p, start + 1, '{')) return NULL;
    const bool partial = r1i_mp_op_at(p, start + 2, R1I_OP_PARTIAL);
    if (!partial && !r1i_mp_sym(p, start + 2, "d")) return NULL;
    int close = start + 2, depth = 1; /* the numerator's end and what opens the denominator */
    while (depth && p->tok[close].type != R1I_T_END) {
        if (r1i_mp_op_at(p, close, '{')) depth++;
        if (r1i_mp_op_at(p, close, '}')) depth--;
        close++;
    }
    if (!r1i_mp_op_at(p, close, '{')) return NULL;
    const bool fits = partial ? r1i_mp_op_at(p, close + 1, R1I_OP_PARTIAL) : r1i_mp_sym(p, close + 1, "d");
    if (!fits || (p->tok[close + 2].type != R1I_T_SYM)) return NULL;
    p->i = start + 3;
    const int n = order(p);
    r1i_mnode *body = r1i_mp_op(p, '}') ? NULL : r1i_mp_sum(p);
    r1i_mp_need(p, '}', "expected } after a derivative's numerator");
    r1i_mp_need(p, '{', "expected {");
    r1i_mnode *vars[20];
    int used = 0;
    while (!r1i_mp_op(p, '}')) {
        if (partial ? !r1i_mp_take(p, R1I_OP_PARTIAL) : !r1i_mp_sym(p, p->i, "d"))
            r1i_mp_fail(p, "expected d or \\partial");
        if (!partial) p->i++;
        if (p->tok[p->i].type != R1I_T_SYM) r1i_mp_fail(p, "a derivative by no variable");
        const char *name = p->tok[p->i].s;
        p->i++;
        if (r1i_mp_op(p, '_')) {
            p->i++;
            name = r1i_mp_subscript(p, name);
        }
        const int k = order(p);
        for (int i = 0; i < k; i++) {
            if (used == 20) r1i_mp_fail(p, "a derivative of too high an order");
            vars[used++] = r1i_mnode_name(m, R1I_M_SYM, name, strlen(name));
        }
    }
    p->i++;
    if (used != n) r1i_mp_fail(p, "a derivative whose orders differ");
    if (!body) body = r1i_mp_term(p);
    for (int i = used; i-- > 0;)
        body = r1i_mnode_make(m, R1I_M_BIND, partial ? R1I_MB_PDIFF : R1I_MB_DIFF, 2, body, vars[i]);
    return body;
}

static r1i_mnode *rows(r1i_mparse *p, bool cases)
{
    r1i_mem *const m = p->m;
    int cap = 16, n = 0, columns = 0, in_row = 0;
    r1i_mnode **cell = r1i_mem_take(m, (size_t)cap * sizeof *cell);
    r1i_mp_deeper(p);
    while (p->tok[p->i].type != R1I_T_ENV) {
        if (n == cap) {
            r1i_mnode **const grown = r1i_mem_take(m, (size_t)cap * 2 * sizeof *grown);
            memcpy(grown, cell, (size_t)cap * sizeof *grown);
            cell = grown;
            cap *= 2;
        }
        while (cases && (r1i_mp_op(p, R1I_OP_IF) || r1i_mp_op(p, ','))) p->i++;
        if (cases && in_row == 1 && (r1i_mp_op(p, R1I_OP_ROW) || p->tok[p->i].type == R1I_T_ENV))
            cell[n++] = r1i_mnode_make(m, R1I_M_CONST, R1I_MC_TRUE, 0);
        else cell[n++] = r1i_mp_entry(p);
        in_row++;
        if (cases) while (r1i_mp_op(p, ',') || r1i_mp_op(p, R1I_OP_IF)) p->i++;
        if (r1i_mp_take(p, '&')) continue;
        if (cases && in_row == 1 && !(r1i_mp_op(p, R1I_OP_ROW) || p->tok[p->i].type == R1I_T_ENV)) continue;
        const bool more = r1i_mp_take(p, R1I_OP_ROW);
        if (!more && p->tok[p->i].type != R1I_T_ENV) r1i_mp_fail(p, "expected & or \\\\ in a matrix");
        if (columns && in_row != columns && !cases) r1i_mp_fail(p, "rows of different lengths");
        if (in_row > columns) columns = in_row;
        in_row = 0;
    }
    r1i_mp_back(p);
    if (n == 0) r1i_mp_fail(p, "an empty matrix");
    return r1i_mnode_many(m, R1I_M_MATRIX, columns, n, cell);
}

r1i_mnode *r1i_mp_environment(r1i_mparse *p)
{
    const char *const name = r1i_mp_now(p)->s;
    if (r1i_mp_now(p)->op == 0) r1i_mp_fail(p, "\\end without its \\begin");
    p->i++;
    r1i_mp_deeper(p);
    const bool cases = strcmp(name, "cases") == 0 || strcmp(name, "dcases") == 0;
    static const char *const known[] = {"matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "Vmatrix", "smallmatrix",
                                        "array", "cases", "dcases", "aligned", "align", "gathered", "split", "equation",
                                        "gather"};
    bool found = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) found |= strcmp(name, known[i]) == 0;
    if (!found) r1i_mp_fail(p, "an unknown environment");
    const int bars = p->bars, integrals = p->integrals;
    p->bars = p->integrals = 0;
    r1i_mnode *e = rows(p, cases);
    p->bars = bars;
    p->integrals = integrals;
    if (p->tok[p->i].op != 0 || strcmp(p->tok[p->i].s, name) != 0)
        r1i_mp_fail(p, "\\begin and \\end of different names");
    p->i++;
    r1i_mp_back(p);
    if (cases && e->op == 2 && e->n % 2 == 0 && e->kid[0]->kind != R1I_M_REL) e->kind = R1I_M_PIECES;
    else if (cases || strcmp(name, "aligned") == 0 || strcmp(name, "align") == 0 || strcmp(name, "gathered") == 0 ||
             strcmp(name, "split") == 0) {
        if (e->n == 1) return e->kid[0];
        e->kind = R1I_M_AND; /* a system */
    } else if (strcmp(name, "vmatrix") == 0) e = r1i_mnode_make(p->m, R1I_M_FN, R1I_MF_DET, 1, e);
    else if (strcmp(name, "Vmatrix") == 0) e = r1i_mnode_make(p->m, R1I_M_FN, R1I_MF_NORM, 1, e);
    return e;
}

static r1i_mnode *program_matrix(r1i_mparse *p, r1i_mnode *e)
{
    if (e->kind != R1I_M_TUPLE && e->kind != R1I_M_MATRIX) r1i_mp_fail(p, "a matrix without rows");
    if (e->kind == R1I_M_TUPLE) e = r1i_mnode_many(p->m, R1I_M_MATRIX, 1, e->n, e->kid);
    return e;
}

static r1i_mnode *unit_to_index(r1i_mem *m, r1i_mnode *e)
{
    if (e->kind == R1I_M_CONST && e->op == R1I_MC_I) return r1i_mnode_name(m, R1I_M_SYM, "i", 1);
    for (int i = 0; i < e->n; i++) e->kid[i] = unit_to_index(m, e->kid[i]);
    return e;
}

/* (x, a, b) of Integral(f, (x, a, b)) and its like. */
static r1i_mnode *program_bound(r1i_mparse *p, int what, r1i_mnode *body, const r1i_mnode *range)
{
    r1i_mem *const m = p->m;
    if (range->kind == R1I_M_TUPLE && range->kid[0]->kind == R1I_M_CONST && range->kid[0]->op == R1I_MC_I) {
        range->kid[0] = r1i_mnode_name(m, R1I_M_SYM, "i", 1);
        body = unit_to_index(m, body);
    }
    if (range->kind == R1I_M_SYM) return r1i_mnode_make(m, R1I_M_BIND, what, 2, body, range);
    if (range->kind != R1I_M_TUPLE || range->n < 2 || range->n > 3 || range->kid[0]->kind != R1I_M_SYM)
        r1i_mp_fail(p, "bounds that are not (x, a, b)");
    if (what == R1I_MB_DIFF) {
        const r1i_mnode *const k = range->kid[1];
        if (k->kind != R1I_M_NUM || k->num.p.limb || k->num.p.small < 1 || k->num.p.small > 20)
            r1i_mp_fail(p, "a derivative of no whole order");
        for (int64_t i = 0; i < k->num.p.small; i++) body = r1i_mnode_make(m, R1I_M_BIND, what, 2, body, range->kid[0]);
        return body;
    }
    if (range->n == 2) return r1i_mnode_make(m, R1I_M_BIND, what, 3, body, range->kid[0], range->kid[1]);
    return r1i_mnode_make(m, R1I_M_BIND, what, 4, body, range->kid[0], range->kid[1], range->kid[2]);
}

static r1i_mnode *relation_of(r1i_mem *m, const char *rel, r1i_mnode *const *a)
{
    r1i_mnode *const e = r1i_mnode_many(m, R1I_M_REL, 0, 2, a);
    e->name = rel;
    return e;
}

static r1i_mnode *program_build(r1i_mparse *p, const char *name, r1i_mnode **a, int n)
{
    r1i_mem *const m = p->m;
    static const struct { const char *name; char rel[2]; } rels[] = {{"Eq", "="}, {"Equality", "="}, {"Ne", "n"},
                                                                     {"Unequality", "n"}, {"Lt", "<"},
        {"StrictLessThan", "<"}, {"Gt", ">"}, {"StrictGreaterThan", ">"}, {"Le", "l"}, {"LessThan", "l"}, {"Ge", "g"}, {"GreaterThan", "g"}, {"Contains", "i"}};
    for (size_t i = 0; i < sizeof rels / sizeof *rels; i++)
        if (strcmp(name, rels[i].name) == 0 && n == 2) return relation_of(m, rels[i].rel, a);
    static const struct { const char *name; int kind; } plain[] = {{"Add", R1I_M_ADD}, {"Mul", R1I_M_MUL},
                                                                   {"FiniteSet", R1I_M_SET}, {"Union", R1I_M_UNION},
        {"Intersection", R1I_M_CUT}, {"Complement", R1I_M_MINUS}, {"Tuple", R1I_M_TUPLE}, {"Point", R1I_M_TUPLE}, {"And", R1I_M_AND}, {"Or", R1I_M_OR}, {"Not", R1I_M_NOT}};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(name, plain[i].name) == 0) return r1i_mnode_many(m, (r1i_mkind)plain[i].kind, 0, n, a);
    if (strcmp(name, "Pow") == 0 && n == 2) return r1i_mnode_make(m, R1I_M_POW, 0, 2, a[0], a[1]);
    if (strcmp(name, "Rational") == 0 && n == 2) return r1i_mp_div(m, a[0], a[1]);
    if (strncmp(name, "Interval", 8) == 0 && n >= 2) {
        const char *const how = name + 8;
        int closed = R1I_MI_LEFT | R1I_MI_RIGHT;
        if (strcmp(how, ".open") == 0) closed = 0;
        else if (strcmp(how, ".Lopen") == 0) closed = R1I_MI_RIGHT;
        else if (strcmp(how, ".Ropen") == 0) closed = R1I_MI_LEFT;
        if (n >= 3 && a[2]->kind == R1I_M_CONST && a[2]->op == R1I_MC_TRUE) closed &= ~R1I_MI_LEFT;
        if (n >= 4 && a[3]->kind == R1I_M_CONST && a[3]->op == R1I_MC_TRUE) closed &= ~R1I_MI_RIGHT;
        return r1i_mnode_make(m, R1I_M_TUPLE, closed | 8, 2, a[0], a[1]);
    }
    if (strcmp(name, "Matrix") == 0 || strcmp(name, "ImmutableMatrix") == 0 ||
        strcmp(name, "MutableDenseMatrix") == 0 ||
        strcmp(name, "ImmutableDenseMatrix") == 0) return program_matrix(p, a[0]);
    static const struct { const char *name; int what; } bound[] = {{"Integral", R1I_MB_INT}, {"Sum", R1I_MB_SUM},
                                                                   {"Product", R1I_MB_PROD}, {"Derivative", R1I_MB_DIFF}, {"Limit", R1I_MB_LIM}};
    for (size_t i = 0; i < sizeof bound / sizeof *bound; i++) {
        if (strcmp(name, bound[i].name) != 0 || n < 2) continue;
        if (bound[i].what == R1I_MB_LIM) {
            int side = 1;
            if (n == 4 && a[3]->kind == R1I_M_TEXT)
                side = strcmp(a[3]->name, "-") == 0 ? -1 : strcmp(a[3]->name, "+-") == 0 ? 0 : 1;
            if (n < 3) r1i_mp_fail(p, "a limit without its point");
            return r1i_mnode_make(m, R1I_M_BIND, R1I_MB_LIM, 4, a[0], a[1], a[2], r1i_mnode_int(m, n == 3 ? 0 : side));
        }
        r1i_mnode *e = a[0];
        for (int k = 1; k < n; k++) {
            if (bound[i].what == R1I_MB_DIFF && a[k]->kind == R1I_M_NUM) r1i_mp_fail(p, "a derivative by no variable");
            e = program_bound(p, bound[i].what, e, a[k]);
        }
        return e;
    }
    if (n == 1 && (strcmp(name, "Integer") == 0 || strcmp(name, "Float") == 0 || strcmp(name, "Rational") == 0 ||
                   strcmp(name, "Symbol") == 0)) return a[0];
    if (strcmp(name, "Piecewise") == 0) {
        r1i_mnode **const kids = r1i_mem_take(m, (size_t)n * 2 * sizeof *kids);
        for (int i = 0; i < n; i++) {
            if (a[i]->kind != R1I_M_TUPLE || a[i]->n != 2) r1i_mp_fail(p, "pieces that are not (value, condition)");
            kids[2 * i] = a[i]->kid[0];
            kids[2 * i + 1] = a[i]->kid[1];
        }
        return r1i_mnode_many(m, R1I_M_PIECES, 2, 2 * n, kids);
    }
    return NULL;
}

r1i_mnode *r1i_mp_program_call(r1i_mparse *p, const char *name)
{
    const int start = p->i;
    r1i_mnode **args;
    p->i++;
    r1i_mp_deeper(p);
    const int bars = p->bars, integrals = p->integrals;
    p->bars = p->integrals = 0;
    const int n = r1i_mp_entries(p, &args);
    p->bars = bars;
    p->integrals = integrals;
    r1i_mp_need(p, ')', "expected )");
    r1i_mp_back(p);
    r1i_mnode *const e = n ? program_build(p, name, args, n) : NULL;
    if (!e) p->i = start;
    return e;
}

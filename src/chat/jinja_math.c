/* Arithmetic with Python's rules: integers stay integers, "/" does not, "//" and "%" round towards minus infinity, "+"
 * and "*" join and repeat sequences. Integers are 64 bits; what Python would widen is refused by name. */
#include <math.h>
#include <string.h>

#include "chat/jinja.h"

static const char *const names[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};

J_NORETURN static void too_large(jctx *c) { r1i_j_fail(c, R1_ERR_UNSUPPORTED, "an integer beyond 64 bits"); }

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

static int64_t int_pow(jctx *c, int64_t base, int64_t e)
{
    int64_t out = 1;
    while (e > 0) {
        if ((e & 1) && __builtin_mul_overflow(out, base, &out)) too_large(c);
        e >>= 1;
        if (e && __builtin_mul_overflow(base, base, &base)) too_large(c);
    }
    return out;
}

static jval float_math(jctx *c, int op, double a, double b)
{
    switch (op) {
    case OP_ADD: return r1i_j_float(a + b);
    case OP_SUB: return r1i_j_float(a - b);
    case OP_MUL: return r1i_j_float(a * b);
    case OP_POW: {
        if (a == 0 && b < 0) r1i_j_raise(c, "0.0 cannot be raised to a negative power");
        const double r = pow(a, b);
        if (isnan(r) && !isnan(a) && !isnan(b)) r1i_j_fail(c, R1_ERR_UNSUPPORTED, "a complex number");
        if (isinf(r) && isfinite(a) && isfinite(b)) r1i_j_raise(c, "(34, 'Numerical result out of range')");
        return r1i_j_float(r);
    }
    default: break;
    }
    if (b == 0)
        r1i_j_raise(c, op == OP_DIV ? "float division by zero" : op == OP_MOD ? "float modulo"
                    : "float floor division by zero");
    if (op == OP_DIV) return r1i_j_float(a / b);
    double mod = fmod(a, b), div = (a - mod) / b;
    if (mod != 0) {
        if ((b < 0) != (mod < 0)) {
            mod += b;
            div -= 1;
        }
    } else {
        mod = copysign(0.0, b);
    }
    if (op == OP_MOD) return r1i_j_float(mod);
    double whole = div != 0 ? floor(div) : copysign(0.0, a / b);
    if (div - whole > 0.5) whole += 1;
    return r1i_j_float(whole);
}

static jval int_math(jctx *c, int op, int64_t a, int64_t b)
{
    int64_t r = 0;
    bool bad = false;
    switch (op) {
    case OP_ADD: bad = __builtin_add_overflow(a, b, &r); break;
    case OP_SUB: bad = __builtin_sub_overflow(a, b, &r); break;
    case OP_MUL: bad = __builtin_mul_overflow(a, b, &r); break;
    case OP_POW:
        if (b < 0) return float_math(c, op, (double)a, (double)b);
        if (a == 0 || a == 1) return r1i_j_int(b == 0 ? 1 : a);
        if (a == -1) return r1i_j_int(b & 1 ? -1 : 1);
        return r1i_j_int(int_pow(c, a, b));
    default:
        if (b == 0) r1i_j_raise(c, op == OP_DIV ? "division by zero" : "integer division or modulo by zero");
        if (op == OP_DIV) return r1i_j_float((double)((long double)a / (long double)b));
        if (b == -1) { /* INT64_MIN / -1 */
            if (op == OP_MOD) return r1i_j_int(0);
            bad = __builtin_sub_overflow((int64_t)0, a, &r);
            break;
        }
        r = op == OP_MOD ? a - floor_div(a, b) * b : floor_div(a, b);
    }
    if (bad) too_large(c);
    return r1i_j_int(r);
}

static jval repeat(jctx *c, jval seq, jval times)
{
    int64_t k = times.kind == J_BOOL ? times.u.b : times.u.i;
    if (k < 0) k = 0;
    if (seq.kind == J_STR) {
        jout o = {.markup = seq.u.s->markup};
        if (seq.u.s->n)
            for (int64_t i = 0; i < k; i++) r1i_j_puts(c, &o, seq.u.s);
        return r1i_j_sv(r1i_j_done(c, &o));
    }
    const size_t n = seq.u.l->n;
    if (n && (uint64_t)k > c->max_output / sizeof(jval) / n)
        r1i_j_fail(c, R1_ERR_RANGE, "a list of more items than the output limit allows");
    jlist *const l = r1i_j_list(c, n * (size_t)k);
    for (size_t i = 0; n && i < (size_t)k; i++) memcpy(l->v + i * n, seq.u.l->v, n * sizeof *l->v);
    return r1i_j_listv(l, seq.kind);
}

static jval join_sequences(jctx *c, jval a, jval b)
{
    if (a.kind == J_STR) {
        const bool markup = a.u.s->markup || b.u.s->markup;
        jout o = {.markup = markup};
        r1i_j_puts(c, &o, markup ? r1i_j_escape(c, a) : a.u.s);
        r1i_j_puts(c, &o, markup ? r1i_j_escape(c, b) : b.u.s);
        return r1i_j_sv(r1i_j_done(c, &o));
    }
    jlist *const l = r1i_j_list(c, a.u.l->n + b.u.l->n);
    if (a.u.l->n) memcpy(l->v, a.u.l->v, a.u.l->n * sizeof *l->v);
    if (b.u.l->n) memcpy(l->v + a.u.l->n, b.u.l->v, b.u.l->n * sizeof *l->v);
    return r1i_j_listv(l, a.kind);
}

static bool is_int(jval v) { return v.kind == J_INT || v.kind == J_BOOL; }
static bool is_sequence(jval v) { return v.kind == J_STR || v.kind == J_LIST || v.kind == J_TUPLE; }

jval r1i_j_math(jctx *c, int op, jval a, jval b)
{
    r1i_j_step(c, 1);
    if (op == OP_MOD && a.kind == J_STR) return r1i_j_sv(r1i_j_percent(c, a.u.s, b));
    if (is_int(a) && is_int(b))
        return int_math(c, op, a.kind == J_INT ? a.u.i : a.u.b, b.kind == J_INT ? b.u.i : b.u.b);
    if (r1i_j_number(a) && r1i_j_number(b)) return float_math(c, op, r1i_j_double(a), r1i_j_double(b));
    if (op == OP_ADD && a.kind == b.kind && is_sequence(a)) return join_sequences(c, a, b);
    if (op == OP_MUL && is_sequence(a) && is_int(b)) return repeat(c, a, b);
    if (op == OP_MUL && is_int(a) && is_sequence(b)) return repeat(c, b, a);
    if (a.kind == J_UNDEF) r1i_j_raise(c, "%s", a.u.u->message);
    if (b.kind == J_UNDEF) r1i_j_raise(c, "%s", b.u.u->message);
    if (op == OP_ADD && a.kind == J_STR)
        r1i_j_raise(c, "can only concatenate str (not \"%s\") to str", r1i_j_type_name(b));
    r1i_j_raise(c, "unsupported operand type(s) for %s: '%s' and '%s'", names[op], r1i_j_type_name(a),
                r1i_j_type_name(b));
}

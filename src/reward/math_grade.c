/* What an answer may leave open beside equality (docs/grading.md has the table). Every rule here is symmetric but the
 * rounding by the gold's own digits, which an option turns on. */
#include <ctype.h>
#include <math.h>

#include "reward/math_inner.h"

static bool no(r1i_math *math, const char *why)
{
    math->why = why;
    return false;
}

/* A decimal that prints at least so many places stands for the number it is the rounding of. */
static bool rounds(r1i_math *math, const r1i_shape *a, const r1i_shape *b, bool gold_first)
{
    r1i_mem *const m = &math->scratch;
    const int rule = math->options.rounding_decimals;
    const r1i_shape *coarse = NULL;
    if (rule == -1 || a->open || b->open || !r1i_frac_no_vars(&a->frac) || !r1i_frac_no_vars(&b->frac)) return false;
    if (rule == -2) {
        coarse = gold_first ? a : b;
        if (coarse->decimals < 1 || coarse->digits < 3) return false;
        const r1i_shape *const fine = gold_first ? b : a;
        if (fine->decimals >= 0 && fine->decimals < coarse->decimals) return false;
    } else {
        if (a->decimals >= 0 && (b->decimals < 0 || a->decimals <= b->decimals)) coarse = a;
        else if (b->decimals >= 0) coarse = b;
        if (!coarse || coarse->decimals < (rule > 0 ? rule : 6)) return false;
    }
    const r1i_int ten = r1i_int_of(10);
    const r1i_int scale = r1i_int_pow(m, &ten, (uint32_t)coarse->decimals), two = r1i_int_of(2);
    const r1i_rat half = r1i_rat_make(m, r1i_int_of(1), r1i_int_mul(m, &scale, &two));
    const r1i_frac d = r1i_frac_sub(m, &a->frac, &b->frac), size = r1i_math_abs(m, &d), h = r1i_frac_rat(m, &half),
                   slack = r1i_frac_sub(m, &h, &size);
    return r1i_frac_zero(&slack) || r1i_math_sign(m, &slack) > 0;
}

static bool accepts_bag(r1i_math *math, const r1i_shape *a, const r1i_shape *b, bool gold_first)
{
    if (a->n != b->n) return no(math, "another number of entries");
    if (a->n > 200) return no(math, "too many entries");
    bool *const used = r1i_mem_take(&math->scratch, (size_t)a->n + 1);
    for (int i = 0; i < a->n; i++) {
        int j = 0;
        while (j < b->n && (used[j] || !r1i_math_accepts(math, a->kid[i], b->kid[j], gold_first))) j++;
        if (j == b->n) return no(math, "an entry without its equal");
        used[j] = true;
    }
    return true;
}

static bool accepts_row(r1i_math *math, const r1i_shape *a, const r1i_shape *b, bool gold_first)
{
    if (a->n != b->n) return no(math, "another number of entries");
    for (int i = 0; i < a->n; i++)
        if (!r1i_math_accepts(math, a->kid[i], b->kid[i], gold_first)) return false;
    return true;
}

static bool one_of(const r1i_shape *a, const r1i_shape *b, r1i_skind kind, const r1i_shape **is,
                   const r1i_shape **other)
{
    if ((a->kind == kind) == (b->kind == kind)) return false;
    *is = a->kind == kind ? a : b;
    *other = a->kind == kind ? b : a;
    return true;
}

static r1i_shape with(const r1i_frac *f)
{
    return (r1i_shape){.kind = R1I_S_VALUE, .what = "number", .text = "", .decimals = -1, .frac = *f};
}

/* A number with a unit against a number without, or with another unit. */
static bool accepts_quantity(r1i_math *math, const r1i_shape *q, const r1i_shape *v, bool gold_first)
{
    r1i_mem *const m = &math->scratch;
    if (v->kind == R1I_S_QTY) {
        const bool loose = q->op || v->op || strcmp(q->name, "unit") == 0 || strcmp(v->name, "unit") == 0;
        if (strcmp(q->name, v->name) == 0 && rounds(math, q, v, gold_first)) return true;
        if (!loose || math->options.strict_units) return no(math, "other units");
        return r1i_math_accepts(math, q->other, v->other, gold_first);
    }
    if (v->kind != R1I_S_VALUE) return no(math, r1i_mem_printf(m, "%s is not %s", q->what, v->what));
    const bool percent = strcmp(q->name, "%") == 0, degrees = strcmp(q->name, "deg") == 0;
    if (percent || degrees) {
        const r1i_rat by = r1i_rat_make(m, r1i_int_of(1), r1i_int_of(percent ? 100 : 180));
        r1i_frac f = r1i_frac_scale(m, &q->frac, &by);
        if (degrees) {
            const r1i_frac pi = r1i_frac_atom(m, r1i_atom_const(m, R1I_MC_PI));
            f = r1i_frac_mul(m, &f, &pi);
        }
        r1i_shape s = with(&f);
        s.text = r1i_frac_text(m, &f);
        s.open = q->open;
        if (percent && q->decimals >= 0) s.decimals = q->decimals + 2, s.digits = q->digits;
        if (r1i_math_same(math, &s, v)) return true;
        if (percent && rounds(math, &s, v, gold_first)) return true;
        if (percent && math->options.percent_is_fraction) return no(math, "a percentage is a hundredth of its number");
    }
    if (math->options.strict_units && !percent) return no(math, "the unit is missing on one side");
    return r1i_math_accepts(math, q->other, v, gold_first);
}

/* x = 1, y = 2 as the point (1, 2): names in the order of the alphabet. */
static bool accepts_named_point(r1i_math *math, const r1i_shape *list, const r1i_shape *tuple, bool gold_first)
{
    const r1i_shape *const w = list->other;
    if (!w || w->n != tuple->n) return no(math, "another number of entries");
    for (int i = 0; i < w->n; i++) {
        if (w->kid[i]->kind != R1I_S_EQUATION || !w->kid[i]->name) return no(math, "a list is not a tuple");
        if (i && strcmp(w->kid[i - 1]->name, w->kid[i]->name) >= 0) return no(math, "a list is not a tuple");
        if (!r1i_math_accepts(math, w->kid[i]->kid[1], tuple->kid[i], gold_first)) return false;
    }
    return true;
}

static bool plain_list(const r1i_shape *s)
{
    for (int i = 0; i < s->n; i++)
        if (s->kid[i]->kind == R1I_S_EQUATION) return false;
    return true;
}

static bool single_letter(const r1i_shape *s, int letter)
{
    if (s->kind == R1I_S_VALUE || (s->kind == R1I_S_WORDS && strcmp(s->what, "text") == 0)) {
        const char *const t = s->kind == R1I_S_WORDS ? s->name : s->text;
        if (t[0] && !t[1]) return toupper((unsigned char)t[0]) == letter;
        return s->kind == R1I_S_VALUE && strncmp(t, "\\mathrm{", 8) == 0 && t[8] == letter && t[9] == '}';
    }
    return false;
}

static bool mixed(r1i_math *math, const r1i_shape *a, const r1i_shape *b, bool gold_first)
{
    const r1i_shape *x, *y;
    if (one_of(a, b, R1I_S_CHOICE, &x, &y)) {
        if (single_letter(y, x->op)) return true;
        return x->other ? r1i_math_accepts(math, x->other, y, gold_first) : no(math, "a choice against something else");
    }
    if (one_of(a, b, R1I_S_EQUATION, &x, &y)) {
        if (y->kind == R1I_S_FUNCTION && x->op) return r1i_math_accepts(math, x->kid[1], y->kid[1], gold_first);
        if (y->kind == R1I_S_SET || y->kind == R1I_S_VALUE || y->kind == R1I_S_QTY || y->kind == R1I_S_TUPLE ||
            y->kind == R1I_S_MATRIX || y->kind == R1I_S_WORDS || y->kind == R1I_S_RATIO || y->kind == R1I_S_INTERVALS ||
            y->kind == R1I_S_UNION || y->kind == R1I_S_PIECES)
            return x->op ? r1i_math_accepts(math, x->kid[1], y, gold_first) : no(math, "an equation is no value");
        /* (x, y) = (1, 2) */
        if (y->kind == R1I_S_LIST && x->op && x->kid[1]->kind == R1I_S_TUPLE)
            return accepts_named_point(math, y, x->kid[1], gold_first);
        return no(math, "an equation is no value");
    }
    if (one_of(a, b, R1I_S_FUNCTION, &x, &y)) return r1i_math_accepts(math, x->kid[1], y, gold_first);
    if (one_of(a, b, R1I_S_QTY, &x, &y)) return accepts_quantity(math, x, y, gold_first);
    if (one_of(a, b, R1I_S_LIST, &x, &y)) {
        if (y->kind == R1I_S_SET) return accepts_bag(math, x, y, gold_first);
        if (y->kind == R1I_S_TUPLE && (y->op == 0 || (y->op == 3 && y->n > 2)))
            return plain_list(x) && x->other ? accepts_row(math, x->other, y, gold_first)
                : accepts_named_point(math, x, y, gold_first);
        return no(math, r1i_mem_printf(&math->scratch, "a list is not %s", y->what));
    }
    if (one_of(a, b, R1I_S_IN, &x, &y)) return r1i_math_accepts(math, x->kid[0], y, gold_first);
    if (one_of(a, b, R1I_S_INTERVALS, &x, &y) && y->kind == R1I_S_TUPLE) {
        r1i_shape *const i = r1i_shape_interval(&math->scratch, y);
        return i ? r1i_math_accepts(math, x, i, gold_first) : no(math, "no interval");
    }
    if (one_of(a, b, R1I_S_MATRIX, &x, &y) && y->kind == R1I_S_TUPLE && (y->op == 0 || y->op == 3) &&
        (x->op == 1 || x->op == x->n)) return accepts_row(math, x, y, gold_first);
    if (one_of(a, b, R1I_S_RATIO, &x, &y) && y->kind == R1I_S_VALUE && x->other)
        return r1i_math_same(math, x->other, y);
    if (one_of(a, b, R1I_S_SET, &x, &y) && x->n == 1 && y->kind == R1I_S_VALUE)
        return r1i_math_accepts(math, x->kid[0], y, gold_first);
    return no(math, r1i_mem_printf(&math->scratch, "%s is not %s", a->what, b->what));
}

static bool named_rest(r1i_math *math, const r1i_shape *a, const r1i_shape *b, bool gold_first)
{
    /* both are equations: the same name, or one of them names its value in words */
    if (!a->op || !b->op) return no(math, "other equations");
    const bool words = a->kid[0]->kind == R1I_S_WORDS || b->kid[0]->kind == R1I_S_WORDS;
    if (!words && strcmp(a->kid[0]->text, b->kid[0]->text) != 0) return no(math, "equations of other names");
    return r1i_math_accepts(math, a->kid[1], b->kid[1], gold_first);
}

bool r1i_math_accepts(r1i_math *math, const r1i_shape *a, const r1i_shape *b, bool gold_first)
{
    if (++math->scratch.depth > 1500) r1i_mem_fail(&math->scratch, -1, "nested too deeply to work out");
    bool yes = r1i_math_same(math, a, b);
    if (!yes && a->approximate && a->other && a->kind == R1I_S_VALUE)
        yes = r1i_math_accepts(math, a->other, b, gold_first);
    if (!yes && b->approximate && b->other && b->kind == R1I_S_VALUE)
        yes = r1i_math_accepts(math, a, b->other, gold_first);
    if (!yes) {
        const char *const why = math->why;
        if (a->kind != b->kind) yes = mixed(math, a, b, gold_first);
        else
            switch (a->kind) {
            case R1I_S_VALUE:
                yes = rounds(math, a, b, gold_first);
                math->why = why;
                break;
            case R1I_S_QTY: yes = accepts_quantity(math, a, b, gold_first); break;
            case R1I_S_TUPLE:
                if (a->op == b->op || (a->n > 2 && a->op % 3 == 0 && b->op % 3 == 0))
                    yes = accepts_row(math, a, b, gold_first);
                break;
            case R1I_S_SET: case R1I_S_LIST: yes = accepts_bag(math, a, b, gold_first); break;
            case R1I_S_MATRIX: yes = a->op == b->op && accepts_row(math, a, b, gold_first); break;
            case R1I_S_EQUATION: yes = named_rest(math, a, b, gold_first); break;
            case R1I_S_INTERVALS:
                if ((!a->name || !b->name || strcmp(a->name, b->name) == 0) && a->n == b->n) {
                    yes = true;
                    for (int i = 0; i < a->n / 2; i++) yes &= a->closed[i] == b->closed[i];
                    yes = yes && accepts_row(math, a, b, gold_first);
                }
                break;
            default: break;
            }
    }
    math->scratch.depth--;
    return yes;
}

/* Numbers as they are written: decimals with their digits, powers of ten, repeating decimals, mixed numbers, numerals
 * in a base. */
#include "reward/math_parse.h"

r1i_mnode *r1i_mp_number(r1i_mparse *p, const r1i_mtok *t)
{
    r1i_mem *const m = p->m;
    const char *const s = t->s;
    size_t n = t->n, whole = 0, decimals = 0;
    int64_t exponent = 0;
    while (whole < n && s[whole] >= '0' && s[whole] <= '9') whole++;
    r1i_mnode *const e = r1i_mnode_make(m, R1I_M_NUM, 0, 0);
    e->at = t->at;
    e->end = t->end;
    if (whole < n && s[whole] == '/') {
        e->num = r1i_rat_make(m, r1i_int_read(m, s, whole), r1i_int_read(m, s + whole + 1, n - whole - 1));
        return e;
    }
    e->num = (r1i_rat){r1i_int_read(m, s, whole), r1i_int_of(1)};
    const r1i_int ten = r1i_int_of(10);
    size_t i = whole;
    if (i < n && s[i] == '.') {
        for (i++; i < n && s[i] >= '0' && s[i] <= '9'; i++) decimals++;
        char *const all = r1i_mem_take(m, whole + decimals + 1);
        memcpy(all, s, whole);
        memcpy(all + whole, s + whole + 1, decimals);
        e->num = r1i_rat_make(m, r1i_int_read(m, all, whole + decimals), r1i_int_pow(m, &ten, (uint32_t)decimals));
        e->decimals = (int32_t)decimals;
    }
    if (i < n) { /* e or E */
        const bool minus = s[i + 1] == '-';
        for (i += s[i + 1] == '-' || s[i + 1] == '+' ? 2 : 1; i < n; i++) exponent = exponent * 10 + (s[i] - '0');
        if (exponent > 9000) r1i_mem_fail(m, t->at, "an exponent beyond 9,000");
        const r1i_rat scale = {r1i_int_pow(m, &ten, (uint32_t)exponent), r1i_int_of(1)};
        const r1i_rat by = minus ? r1i_rat_inv(m, &scale) : scale;
        e->num = r1i_rat_mul(m, &e->num, &by);
        const int64_t printed = (int64_t)decimals + (minus ? exponent : -exponent);
        e->decimals = printed > 0 ? (int32_t)printed : 0;
    }
    return e;
}

/* A digit string with a subscripted base, 52_8: typed, so that it never equals 52. */
r1i_mnode *r1i_mp_in_base(r1i_mparse *p, const r1i_mtok *t)
{
    int base = 0;
    r1i_mtok *s = r1i_mp_now(p);
    const bool group = r1i_mp_op(p, '{');
    if (group) s = &p->tok[++p->i];
    if (s->type == R1I_T_NUM && s->n <= 2) for (uint32_t i = 0; i < s->n; i++) base = base * 10 + (s->s[i] - '0');
    int64_t word;
    if (s->type == R1I_T_TEXT && r1i_math_number_word(s->s, s->n, &word) && word < 100) base = (int)word;
    p->i++;
    if (group) r1i_mp_need(p, '}', "expected } after a base");
    bool digits = base >= 2 && base <= 36;
    for (uint32_t i = 0; i < t->n && digits; i++) digits = t->s[i] == '.' || (t->s[i] >= '0' && t->s[i] - '0' < base);
    if (!digits) r1i_mp_fail(p, "no numeral of that base");
    uint32_t zeros = 0;
    while (zeros + 1 < t->n && t->s[zeros] == '0') zeros++;
    r1i_mnode *const e = r1i_mnode_name(p->m, R1I_M_BASE, t->s + zeros, t->n - zeros);
    e->op = base;
    return e;
}

r1i_mnode *r1i_mp_number_primary(r1i_mparse *p)
{
    r1i_mem *const m = p->m;
    const r1i_mtok *const t = r1i_mp_now(p);
    p->i++;
    if (r1i_mp_take(p, '_')) return r1i_mp_in_base(p, t);
    r1i_mnode *const e = r1i_mp_number(p, t);
    const r1i_mtok *const u = r1i_mp_now(p);
    if (e->decimals >= 0) { /* 0.1\overline{6} */
        if (u->type == R1I_T_ACCENT && (strcmp(u->s, "overline") == 0 || strcmp(u->s, "dot") == 0) &&
            r1i_mp_op_at(p, p->i + 1, '{') && u[2].type == R1I_T_NUM && r1i_mp_op_at(p, p->i + 3, '}')) {
            p->i += 4;
            const r1i_int ten = r1i_int_of(10), one = r1i_int_of(-1), nines = r1i_int_pow(m, &ten, u[2].n);
            const r1i_int q = r1i_int_add(m, &nines, &one), scale = r1i_int_pow(m, &ten, (uint32_t)e->decimals);
            const r1i_rat tail = r1i_rat_make(m, r1i_int_read(m, u[2].s, u[2].n), r1i_int_mul(m, &q, &scale));
            e->num = r1i_rat_add(m, &e->num, &tail);
            e->decimals = -1;
        }
        return e;
    }
    /* 0.\overline{3}: the point is a token of its own there */
    if (r1i_mp_op(p, '.') && u[1].type == R1I_T_ACCENT && r1i_mp_op_at(p, p->i + 2, '{') && u[3].type == R1I_T_NUM &&
        r1i_mp_op_at(p, p->i + 4, '}')) {
        p->i += 5;
        const r1i_int ten = r1i_int_of(10), one = r1i_int_of(-1), nines = r1i_int_pow(m, &ten, u[3].n);
        const r1i_rat tail = r1i_rat_make(m, r1i_int_read(m, u[3].s, u[3].n), r1i_int_add(m, &nines, &one));
        e->num = r1i_rat_add(m, &e->num, &tail);
        return e;
    }
    if (!r1i_rat_is_int(&e->num)) return e;
    /* mixed numbers: 1\frac45, 1 4/5, 1 and a half as one character */
    r1i_rat part;
    const int save = p->i;
    if (u->type == R1I_T_OP && u->op == R1I_OP_FRAC && !p->integrals) {
        const r1i_mtok keep[3] = {u[0], u[1], u[2]};
        int k = 1;
        while (k < 8 && (u[k].type == R1I_T_NUM || (u[k].type == R1I_T_OP && (u[k].op == '{' || u[k].op == '}')))) k++;
        const int digits = (u[1].type == R1I_T_NUM) + (u[2].type == R1I_T_NUM) + (u[3].type == R1I_T_NUM) +
            (k > 4 && u[4].type == R1I_T_NUM) + (k > 5 && u[5].type == R1I_T_NUM);
        if (digits >= 1) {
            r1i_mnode *const f = r1i_mp_fraction(p);
            if (f->kind == R1I_M_NUM && !r1i_rat_is_int(&f->num) && r1i_int_cmp(&f->num.p, &f->num.q) < 0 &&
                r1i_rat_sign(&f->num) > 0) {
                e->num = r1i_rat_add(m, &e->num, &f->num);
                return e;
            }
            p->i = save;
            p->tok[p->i] = keep[0];
            p->tok[p->i + 1] = keep[1];
            p->tok[p->i + 2] = keep[2];
        }
    } else if (u->type == R1I_T_NUM && memchr(u->s, '/', u->n)) {
        r1i_mnode *const f = r1i_mp_number(p, u);
        p->i++;
        e->num = r1i_rat_add(m, &e->num, &f->num);
    } else if (u->type == R1I_T_NUM && u->space && r1i_mp_op_at(p, p->i + 1, '/') && u[2].type == R1I_T_NUM &&
               !memchr(u->s, '.', u->n)) {
        r1i_mnode *const a = r1i_mp_number(p, u), *const b = r1i_mp_number(p, u + 2);
        if (r1i_rat_is_int(&b->num) && r1i_int_cmp(&a->num.p, &b->num.p) < 0) {
            p->i += 3;
            part = r1i_rat_make(m, a->num.p, b->num.p);
            e->num = r1i_rat_add(m, &e->num, &part);
        }
    }
    return e;
}

#include "reward/math_node.h"

#include <stdarg.h>

const char *const r1i_mfn_name[R1I_MF_N] = {
#define X(id, name) name,
    R1I_MATH_FUNCTIONS(X)
#undef X
};

r1i_mnode *r1i_mnode_many(r1i_mem *m, r1i_mkind kind, int op, int n, r1i_mnode *const *kids)
{
    r1i_mnode *const e = r1i_mem_take(m, sizeof *e);
    e->kind = (uint8_t)kind;
    e->op = op;
    e->n = n;
    e->decimals = -1;
    if (n) {
        e->kid = r1i_mem_take(m, (size_t)n * sizeof *e->kid);
        memcpy(e->kid, kids, (size_t)n * sizeof *kids);
        e->at = kids[0]->at;
        e->end = kids[n - 1]->end;
    }
    return e;
}

r1i_mnode *r1i_mnode_make(r1i_mem *m, r1i_mkind kind, int op, int n, ...)
{
    r1i_mnode *kids[4] = {0};
    va_list args;
    va_start(args, n);
    for (int i = 0; i < n && i < 4; i++) kids[i] = va_arg(args, r1i_mnode *);
    va_end(args);
    return r1i_mnode_many(m, kind, op, n, kids);
}

r1i_mnode *r1i_mnode_rat(r1i_mem *m, const r1i_rat *v)
{
    r1i_mnode *const e = r1i_mnode_make(m, R1I_M_NUM, 0, 0);
    e->num = *v;
    return e;
}

r1i_mnode *r1i_mnode_int(r1i_mem *m, int64_t v)
{
    const r1i_rat r = r1i_rat_of(v);
    return r1i_mnode_rat(m, &r);
}

r1i_mnode *r1i_mnode_name(r1i_mem *m, r1i_mkind kind, const char *s, size_t n)
{
    r1i_mnode *const e = r1i_mnode_make(m, kind, 0, 0);
    e->name = r1i_mem_text(m, s, n);
    return e;
}

bool r1i_mnode_has(const r1i_mnode *e, r1i_mkind kind, int op)
{
    if (e->kind == kind && (op < 0 || e->op == op)) return true;
    for (int i = 0; i < e->n; i++)
        if (r1i_mnode_has(e->kid[i], kind, op)) return true;
    return false;
}

bool r1i_mnode_has_name(const r1i_mnode *e, const char *name)
{
    if (e->kind == R1I_M_SYM && strcmp(e->name, name) == 0) return true;
    for (int i = 0; i < e->n; i++)
        if (r1i_mnode_has_name(e->kid[i], name)) return true;
    return false;
}

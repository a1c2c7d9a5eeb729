/* Recording: room for records, copies of what a forward overwrites, the shadow where gradients lie. */
#include "op/tape.h"

#include <string.h>

r1_status r1i_tape_create(r1i_tape *t, r1i_arena *act, const r1_env *env, r1_error *err)
{
    *t = (r1i_tape){.act = act};
    if (env) t->env = *env;
    const r1_status st = r1i_arena_create(&t->shadow, "gradients of activations", &t->env, act->size, err);
    if (st == R1_OK) act->held = true;
    return st;
}

void r1i_tape_destroy(r1i_tape *t)
{
    if (t->act) t->act->held = false;
    r1i_arena_destroy(&t->shadow);
    r1i_arena_destroy(&t->work);
    r1i_release(&t->env, t->record, (size_t)t->room * sizeof *t->record);
    *t = (r1i_tape){0};
}

void r1i_tape_clear(r1i_tape *t)
{
    t->n = 0;
    t->act->used = 0;
}

float *r1i_tape_grad(const r1i_tape *t, const float *activation)
{
    const uintptr_t at = (uintptr_t)activation - (uintptr_t)t->act->base;
    return (float *)(void *)(t->shadow.base + at);
}

static bool more_room(r1i_tape *t)
{
    const int64_t room = t->room ? 2 * t->room : 256;
    r1i_record *const bigger = r1i_alloc(&t->env, (size_t)room * sizeof *bigger);
    if (!bigger) return false;
    if (t->n) memcpy(bigger, t->record, (size_t)t->n * sizeof *bigger);
    r1i_release(&t->env, t->record, (size_t)t->room * sizeof *t->record);
    t->record = bigger;
    t->room = room;
    return true;
}

r1i_record *r1i_tape_add(r1i_exec *ex, r1i_tape_op op)
{
    r1i_tape *const t = ex->tape;
    if (t->n == t->room && !more_room(t)) {
        r1i_fail(ex->err, R1_ERR_NOMEM, "tape of %lld records", (long long)t->n);
        return NULL;
    }
    r1i_record *const r = &t->record[t->n++];
    *r = (r1i_record){.op = op, .side = t->side};
    return r;
}

r1_status r1i_tape_copy(r1i_exec *ex, r1i_mat m, r1i_mat *out)
{
    float *const p = r1i_arena_take(ex->scratch, (size_t)(m.rows * m.cols) * sizeof *p, ex->err);
    *out = r1i_mat_of(p, m.rows, m.cols);
    if (!p) return R1_ERR_NOMEM;
    for (int64_t r = 0; r < m.rows; r++) memcpy(p + r * m.cols, m.p + r * m.stride, (size_t)m.cols * sizeof *p);
    return R1_OK;
}

void r1i_tape_zero(r1i_tape *t) { memset(t->shadow.base, 0, t->act->used); }

/* The dense SwiGLU feed-forward (architecture.md 2). */
#include "model/pass.h"

/* Not for a tape and an adapter, which want the two apart, nor for one row, which reads each weight as one stream. */
bool r1i_ffn_paired(const r1i_pass *p, const r1i_ffn *f)
{
    return p->n > 1 && !p->ex->tape && !f->gate.lora && !f->up.lora;
}

int64_t r1i_ffn_jobs(const r1i_pass *p, const r1i_ffn *f, const r1i_act *x, r1i_mat gate, r1i_mat up,
                     r1i_linear_job *jobs)
{
    jobs[0] = (r1i_linear_job){.y = gate, .x = x, .w = &f->gate};
    if (r1i_ffn_paired(p, f)) {
        jobs[0].up = &f->up;
        jobs[0].work = up.p;
        return 1;
    }
    jobs[1] = (r1i_linear_job){.y = up, .x = x, .w = &f->up};
    return 2;
}

r1_status r1i_block_ffn(const r1i_pass *p, const r1i_ffn *f, int64_t index, const r1i_normed *h)
{
    r1i_exec *const ex = p->ex;
    r1i_mat gate, up;
    r1i_act act;
    r1_status st;
    if ((st = r1i_pass_mat(p, p->n, f->gate.rows, &gate)) != R1_OK) return st;
    if ((st = r1i_pass_mat(p, p->n, f->up.rows, &up)) != R1_OK) return st;

    const size_t mark = r1i_arena_mark(ex->scratch);
    const unsigned kinds = r1i_act_kind(ex, &f->gate) | r1i_act_kind(ex, &f->up);
    if ((st = r1i_normed_act(p, ex, h, kinds, &act)) != R1_OK) return st;
    r1i_linear_job in[2];
    const int64_t n = r1i_ffn_jobs(p, f, &act, gate, up, in);
    r1i_ahead_one(p, &f->down, 1);
    if ((st = r1i_linear(ex, in, n)) != R1_OK) return st;
    r1i_arena_reset(ex->scratch, mark);

    r1i_mat mid = gate; /* a tape still wants what the gate was */
    if (ex->tape && (st = r1i_pass_mat(p, p->n, gate.cols, &mid)) != R1_OK) return st;
    const unsigned kind = r1i_act_kind(ex, &f->down);
    st = n == 2 ? r1i_act_silu_mul(ex, &act, mid, gate, up, kind, !f->down.lora) : r1i_act_make(ex, &act, mid, kind);
    if (st != R1_OK) return st;
    const r1i_linear_job out = {.y = p->x, .x = &act, .w = &f->down, .add = true};
    r1i_ahead_layer(p, index + 1);
    return r1i_linear(ex, &out, 1);
}

size_t r1i_block_ffn_bytes(const r1i_exec *ex, const r1i_ffn *f, int64_t rows)
{
    const size_t in = r1i_act_bytes(rows, f->gate.cols, r1i_act_kind(ex, &f->gate) | r1i_act_kind(ex, &f->up));
    const size_t out = r1i_act_bytes(rows, f->down.cols, r1i_act_kind(ex, &f->down));
    return r1i_mat_bytes(rows, f->gate.rows) + r1i_mat_bytes(rows, f->up.rows) + r1i_after(ex, in, out) +
           r1i_tape_mat_bytes(ex, rows, f->gate.rows) + r1i_tape_jobs_bytes(ex, 2) + r1i_tape_jobs_bytes(ex, 1);
}

/* From the file's bytes to panels, in parallel, in batches: after each batch its source pages go back to the system, so
 * that what is resident stays near the panels' own size. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/load.h"
#include "tensor/codec.h"

/* Source bytes of one work item, and of a batch per thread and at least: what is resident twice for a moment. */
enum { ITEM_BYTES = 1 << 19, BATCH_BYTES_A_THREAD = 1 << 21, BATCH_BYTES_LEAST = 1 << 23, BATCH_ITEMS = 4096 };

/* Panels [p0, p1) of a COPY or CONVERT job, rows [p0, p1) * 16 of a CHECK, or a whole TRANSPOSE. */
typedef struct pack_item {
    const r1i_pack_job *job;
    int64_t p0, p1;
    uint8_t *out; /* of panel p0; NULL for a CHECK */
    uint64_t out_bytes;
    int64_t bad; /* byte offset in the entry of the first value that is not finite, or -1 */
} pack_item;

typedef struct pack_batch {
    pack_item *item;
    int64_t n;
    uint64_t bytes;
    uint8_t *scratch; /* [threads][scratch_bytes] */
    size_t scratch_bytes;
    uint8_t *window;  /* with a sink: [window_bytes], where the batch's panels stand until it has taken them */
    size_t window_bytes, window_used;
    const r1i_pack_sink *sink;
} pack_batch;

static uint64_t row_bytes_of(const r1i_weight *w)
{
    uint64_t n = 0;
    (void)r1i_dtype_row_bytes(w->type, (uint64_t)w->cols, &n); /* checked when bound */
    return n;
}

static size_t job_scratch(const r1i_pack_job *j)
{
    const size_t row = r1i_align_up((size_t)j->src.cols * 4, R1I_ALIGN);
    if (j->kind == R1I_PACK_CONVERT) return row + r1i_align_up(R1I_PANEL_ROWS * (size_t)j->src.cols * 4, R1I_ALIGN);
    if (j->kind == R1I_PACK_TRANSPOSE) return row + r1i_align_up((size_t)j->rows * (size_t)j->src.cols * 4, R1I_ALIGN);
    return 0;
}

static size_t most_scratch(const r1i_pack_job *jobs, int64_t n)
{
    size_t most = 0;
    for (int64_t i = 0; i < n; i++) {
        const size_t s = job_scratch(&jobs[i]);
        if (s > most) most = s;
    }
    return most;
}

/* Bytes of panels [p0, p1), or of a whole TRANSPOSE. */
static uint64_t out_bytes(const r1i_pack_job *j, int64_t p0, int64_t p1)
{
    if (j->kind == R1I_PACK_CHECK) return 0;
    if (j->kind != R1I_PACK_TRANSPOSE) return (uint64_t)(p1 - p0) * r1i_panel_stride(j->type, j->src.cols);
    return (uint64_t)((j->src.cols + R1I_PANEL_ROWS - 1) / R1I_PANEL_ROWS) * r1i_panel_stride(j->type, j->rows);
}

static int64_t panels_of(const r1i_pack_job *j) { return (j->rows + R1I_PANEL_ROWS - 1) / R1I_PANEL_ROWS; }

/* Panels of one item. */
static int64_t item_panels(const r1i_pack_job *j)
{
    const uint64_t panel_bytes = row_bytes_of(&j->src) * R1I_PANEL_ROWS;
    if (j->kind == R1I_PACK_TRANSPOSE || panel_bytes == 0) return panels_of(j);
    return panel_bytes < ITEM_BYTES ? (int64_t)(ITEM_BYTES / panel_bytes) : 1;
}

/* With a sink: a batch's panels, at most. A batch is full when its source is; its panels may be larger (a type
 * converted to a wider one), so they end a batch too. */
static size_t window_bytes(const r1i_pack_job *jobs, int64_t n, uint64_t batch)
{
    uint64_t most = 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t all = panels_of(&jobs[i]), step = item_panels(&jobs[i]);
        const uint64_t item = out_bytes(&jobs[i], 0, step < all ? step : all);
        if (item > most) most = item;
    }
    return (size_t)(batch + most);
}

/* ---- one item ---------------------------------------------------------------------------------------------------- */

/* First bad byte of source rows [r0, r1), relative to the entry. */
static int64_t find_bad(const r1i_pack_job *j, int64_t r0, int64_t r1)
{
    const int64_t row_bytes = (int64_t)row_bytes_of(&j->src);
    for (int64_t r = r0; r < r1; r++) {
        const int64_t bad = r1i_row_find_nonfinite(j->src.type, j->src.data + r * row_bytes, j->src.cols);
        if (bad >= 0) return r * row_bytes + bad;
    }
    return -1;
}

static void store(r1_dtype type, uint8_t *at, int64_t i, float x)
{
    uint16_t h;
    switch (type) {
    case R1_DTYPE_F16: h = r1i_f16_from_f32(x); memcpy(at + i * 2, &h, 2); break;
    case R1_DTYPE_BF16: h = r1i_bf16_from_f32(x); memcpy(at + i * 2, &h, 2); break;
    default: memcpy(at + i * 4, &x, 4); break;
    }
}

/* 16 rows through f32. A finite f32 can round to an infinite bf16: looked for again in what was made. */
static bool convert_panel(const r1i_pack_job *j, int64_t panel, uint8_t *out, uint8_t *scratch)
{
    const int64_t cols = j->src.cols, first = panel * R1I_PANEL_ROWS;
    const int64_t n = j->rows - first < R1I_PANEL_ROWS ? j->rows - first : R1I_PANEL_ROWS;
    float *const row = (float *)(void *)scratch;
    uint8_t *const made = scratch + r1i_align_up((size_t)cols * 4, R1I_ALIGN);
    for (int64_t r = 0; r < n; r++) {
        r1i_weight_row(&j->src, j->row0 + first + r, row);
        for (int64_t k = 0; k < cols; k++) store(j->type, made, r * cols + k, row[k]);
    }
    if (r1i_row_find_nonfinite(j->type, made, n * cols) >= 0) return false;
    const r1i_weight w = {.type = j->type, .layout = R1I_LAYOUT_ROWS, .rows = n, .cols = cols, .data = made};
    r1i_panel_pack(&w, 0, out);
    return true;
}

static bool transpose(const r1i_pack_job *j, uint8_t *out, uint8_t *scratch)
{
    const int64_t cols = j->src.cols, n = j->rows;
    float *const row = (float *)(void *)scratch;
    uint8_t *const made = scratch + r1i_align_up((size_t)cols * 4, R1I_ALIGN);
    for (int64_t r = 0; r < n; r++) {
        if (j->type == R1_DTYPE_F8_E4M3) { /* its source is fp8 too: codes are moved, their scales were turned when
                                            * bound */
            const uint8_t *const code = j->src.data + (j->row0 + r) * cols;
            for (int64_t k = 0; k < cols; k++) made[k * n + r] = code[k];
            continue;
        }
        r1i_weight_row(&j->src, j->row0 + r, row);
        for (int64_t k = 0; k < cols; k++) store(j->type, made, k * n + r, row[k]);
    }
    if (r1i_row_find_nonfinite(j->type, made, n * cols) >= 0) return false;
    const r1i_weight w = {.type = j->type, .layout = R1I_LAYOUT_ROWS, .rows = cols, .cols = n, .data = made};
    const uint64_t stride = r1i_panel_stride(j->type, n);
    for (int64_t p = 0; p < (cols + R1I_PANEL_ROWS - 1) / R1I_PANEL_ROWS; p++)
        r1i_panel_pack(&w, p, out + (uint64_t)p * stride);
    return true;
}

static void run_item(void *ctx, int64_t i, int thread)
{
    const pack_batch *const b = ctx;
    pack_item *const it = &b->item[i];
    const r1i_pack_job *const j = it->job;
    uint8_t *const scratch = b->scratch + (size_t)thread * b->scratch_bytes;
    const bool whole = j->kind == R1I_PACK_TRANSPOSE;
    const int64_t r0 = j->row0 + (whole ? 0 : it->p0 * R1I_PANEL_ROWS);
    int64_t r1 = whole ? j->row0 + j->rows : j->row0 + it->p1 * R1I_PANEL_ROWS;
    if (r1 > j->row0 + j->rows) r1 = j->row0 + j->rows;
    it->bad = find_bad(j, r0, r1);
    if (it->bad >= 0) return;
    bool finite = true;
    if (whole) {
        finite = transpose(j, it->out, scratch);
    } else if (j->kind != R1I_PACK_CHECK) {
        r1i_weight part = j->src; /* COPY: the job's rows alone; its block scales are not moved */
        part.data += (uint64_t)j->row0 * row_bytes_of(&j->src);
        part.rows = j->rows;
        const uint64_t stride = r1i_panel_stride(j->type, j->src.cols);
        for (int64_t p = it->p0; p < it->p1 && finite; p++) {
            uint8_t *const out = it->out + (uint64_t)(p - it->p0) * stride;
            if (j->kind == R1I_PACK_COPY) r1i_panel_pack(&part, p, out);
            else finite = convert_panel(j, p, out, scratch);
        }
    }
    if (!finite) it->bad = r0 * (int64_t)row_bytes_of(&j->src);
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

/* Neighbouring items are released as one range; it begins a page early, so that a page shared by two ranges goes with
 * the later one. Pages that turn out to be wanted again are read from the file again. */
static void release(const r1i_store *s, const pack_batch *b)
{
    r1i_entry range = {.file = -1};
    for (int64_t i = 0; i <= b->n; i++) {
        uint64_t begin = 0, end = 0;
        int file = -1;
        if (i < b->n) {
            const r1i_pack_job *const j = b->item[i].job;
            const uint64_t row = row_bytes_of(&j->src), panel = row * R1I_PANEL_ROWS;
            const bool whole = j->kind == R1I_PACK_TRANSPOSE;
            file = j->entry->file;
            begin = j->entry->offset + (uint64_t)j->row0 * row + (whole ? 0 : (uint64_t)b->item[i].p0 * panel);
            end = whole ? begin + (uint64_t)j->rows * row : begin + (uint64_t)(b->item[i].p1 - b->item[i].p0) * panel;
            if (end > j->entry->offset + j->entry->bytes) end = j->entry->offset + j->entry->bytes;
        }
        if (file == range.file && begin == range.offset + range.bytes) {
            range.bytes = end - range.offset;
            continue;
        }
        if (range.file >= 0) {
            const uint64_t early = range.offset < 4095 ? range.offset : 4095;
            range.offset -= early;
            range.bytes += early;
            r1i_store_release_pages(s, &range);
        }
        range = (r1i_entry){.file = file, .offset = begin, .bytes = end - begin};
    }
}

static r1_status run_batch(const r1i_store *s, r1i_pool *pool, pack_batch *b, r1_error *err)
{
    r1i_pool_run(pool, b->n, run_item, b);
    for (int64_t i = 0; i < b->n; i++) {
        const r1i_entry *const e = b->item[i].job->entry;
        if (b->item[i].bad >= 0)
            return r1i_fail_at(err, R1_ERR_RANGE, (int64_t)e->offset + b->item[i].bad,
                               "%s: tensor %s: a NaN or infinite value at byte %" PRIu64,
                               r1i_store_file_name(s, e->file), e->name,
                               e->offset + (uint64_t)b->item[i].bad);
    }
    release(s, b);
    for (int64_t i = 0; b->sink && i < b->n; i++) {
        if (!b->item[i].out_bytes) continue;
        const r1_status st = b->sink->put(b->sink->ctx, b->item[i].job, b->item[i].out, b->item[i].out_bytes, err);
        if (st != R1_OK) return st;
    }
    b->n = 0;
    b->bytes = 0;
    b->window_used = 0;
    return R1_OK;
}

static uint64_t job_bytes(const r1i_pack_job *j) { return (uint64_t)j->rows * row_bytes_of(&j->src); }

/* How far the source is asked for ahead of the packing, so that the disk works while the processors do: packed as it
 * was faulted in, 1 GB from a cold disk took 2.4 s where reading it alone takes 0.6. */
enum { AHEAD_BYTES = 1 << 26, AHEAD_STEP = 1 << 23 };

typedef struct ahead {
    int64_t job;     /* that is asked for next */
    uint64_t at;     /* from this byte of its rows on */
    uint64_t asked;  /* bytes in all */
} ahead;

static void ask_ahead(const r1i_store *s, const r1i_pack_job *jobs, int64_t n, ahead *a, uint64_t done)
{
    while (a->job < n && a->asked < done + AHEAD_BYTES) {
        const r1i_pack_job *const j = &jobs[a->job];
        const uint64_t all = job_bytes(j), part = all - a->at < AHEAD_STEP ? all - a->at : AHEAD_STEP;
        r1i_store_want_pages(s, j->entry, j->entry->offset + (uint64_t)j->row0 * row_bytes_of(&j->src) + a->at, part);
        a->asked += part;
        a->at += part;
        if (a->at < all) continue;
        a->at = 0;
        a->job++;
    }
}

/* The next item; true when the batch is full. */
static bool add_item(pack_batch *b, const r1i_pack_job *j, int64_t p0, int64_t p1, uint64_t batch)
{
    pack_item *const it = &b->item[b->n++];
    *it = (pack_item){.job = j, .p0 = p0, .p1 = p1, .out_bytes = out_bytes(j, p0, p1), .bad = -1};
    if (b->sink) {
        it->out = b->window + b->window_used;
        b->window_used += (size_t)it->out_bytes;
    } else if (j->out) {
        it->out = j->out + (uint64_t)p0 * (j->kind == R1I_PACK_TRANSPOSE ? 0 : r1i_panel_stride(j->type, j->src.cols));
    }
    b->bytes += (uint64_t)(p1 - p0) * R1I_PANEL_ROWS * row_bytes_of(&j->src);
    return b->n == BATCH_ITEMS || b->bytes >= batch || b->window_used >= batch;
}

static r1_status run_all(const r1i_store *s, const r1i_pack_job *jobs, int64_t n, r1i_pool *pool, pack_batch *b,
                         uint64_t batch, const r1_env *env, r1_error *err)
{
    const char *const what = b->sink ? "packing" : "loading";
    uint64_t total = 0, done = 0;
    double told = r1i_seconds();
    ahead a = {.job = 0};
    r1_status st = R1_OK;
    for (int64_t i = 0; i < n; i++) total += job_bytes(&jobs[i]);
    ask_ahead(s, jobs, n, &a, 0);
    r1i_progress(env, what, 0, total);
    for (int64_t i = 0; i < n; i++) {
        const int64_t all = panels_of(&jobs[i]), step = item_panels(&jobs[i]);
        for (int64_t p = 0; p < all; p += step) {
            if (!add_item(b, &jobs[i], p, p + step < all ? p + step : all, batch)) continue;
            done += b->bytes;
            ask_ahead(s, jobs, n, &a, done);
            if ((st = run_batch(s, pool, b, err)) != R1_OK) return st;
            if (r1i_seconds() - told < 0.1) continue;
            told = r1i_seconds();
            r1i_progress(env, what, done < total ? done : total, total);
        }
    }
    if ((st = run_batch(s, pool, b, err)) != R1_OK) return st;
    r1i_progress(env, what, total, total);
    return R1_OK;
}

r1_status r1i_pack(const r1i_store *s, const r1i_pack_job *jobs, int64_t n, const r1i_pack_sink *sink,
                   const r1_env *env, r1_error *err)
{
    pack_batch b = {.scratch_bytes = most_scratch(jobs, n), .sink = sink};
    r1i_pool *pool;
    if (n == 0) return R1_OK;
    r1_status st = r1i_pool_create(env, 0, &pool, err);
    if (st != R1_OK) return st;
    const int threads = r1i_pool_threads(pool);
    uint64_t batch = (uint64_t)threads * BATCH_BYTES_A_THREAD;
    if (batch < BATCH_BYTES_LEAST) batch = BATCH_BYTES_LEAST;
    if (sink) b.window_bytes = window_bytes(jobs, n, batch);
    const size_t items = r1i_align_up(BATCH_ITEMS * sizeof(pack_item), R1I_ALIGN),
                 scratch = b.scratch_bytes * (size_t)threads;
    const size_t bytes = items + scratch + b.window_bytes;
    uint8_t *const memory = r1i_alloc(env, bytes);
    if (memory) {
        b.item = (pack_item *)(void *)memory;
        b.scratch = memory + items;
        b.window = b.scratch + scratch;
        st = run_all(s, jobs, n, pool, &b, batch, env, err);
    } else {
        st = r1i_fail(err, R1_ERR_NOMEM, "packing needs %zu bytes of its own", bytes);
    }
    r1i_release(env, memory, bytes);
    r1i_pool_destroy(pool);
    return st;
}

#include "backend/cpu/asks.h"

static int64_t bytes_of(const r1i_weight *w)
{
    uint64_t bytes = 0;
    return r1i_panel_bytes(w->type, w->rows, w->cols, &bytes) ? (int64_t)bytes : 0;
}
static int64_t region_bytes(const r1i_coming *c)
{
    int64_t sum = 0;
    for (int64_t k = 0; k < c->n; k++)
        for (int64_t i = 0; i < c->list[k].n; i++) sum += bytes_of(&c->list[k].w[i]);
    return sum;
}

/* The threads' shares of a region are contiguous parts of its weights one after the other (shares.h). */
static void begin_region(r1i_asks *a, const r1i_coming *region)
{
    a->region = region;
    a->k = a->i = 0;
    if (!region) return;
    const int64_t bytes = region_bytes(region);
    a->from = bytes * a->thread / a->threads;
    a->to = bytes * (a->thread + 1) / a->threads;
}

void r1i_asks_begin(r1i_asks *a, const r1i_coming *next, int64_t bytes, int thread, int threads, int64_t pages)
{
    int64_t all = 0;
    for (const r1i_coming *c = next; c; c = c->then) all += region_bytes(c);
    *a = (r1i_asks){.thread = thread, .threads = threads, .pages = pages,
                    .left = (all < bytes ? all : bytes) / threads};
    begin_region(a, next);
}

/* The next weight of which a part is the thread's. */
static bool next_weight(r1i_asks *a)
{
    while (a->region) {
        if (a->k == a->region->n) {
            begin_region(a, a->region->then);
        } else if (a->i == a->region->list[a->k].n) {
            a->k++;
            a->i = 0;
        } else {
            const r1i_weight *const w = &a->region->list[a->k].w[a->i++];
            const int64_t bytes = bytes_of(w), from = a->from > 0 ? a->from : 0, to = a->to < bytes ? a->to : bytes;
            a->from -= bytes;
            a->to -= bytes;
            if (from >= to) continue;
            a->at = w->data + from;
            a->end = w->data + to;
            return true;
        }
    }
    return false;
}

const uint8_t *r1i_asks_take(r1i_asks *a, int64_t bytes)
{
    const int64_t pages = a->pages;
    if (pages > 0) a->pages--;
    if (a->left <= 0 || pages * bytes > a->left + bytes) return NULL;
    if (a->at >= a->end && !next_weight(a)) {
        a->left = 0;
        return NULL;
    }
    const uint8_t *const at = a->at;
    a->at = a->end - at > bytes ? at + bytes : a->end;
    a->left -= bytes;
    return at;
}

/* The machine's roof in slices, and what a cost means under it. */
#include "measure/roof.h"

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/pool.h"
#include "measure/peaks.h"

enum {
    ITEM = 1 << 20,               /* bytes that a thread streams before it asks for more: none waits long for another */
    CACHES = 2,                   /* a pass over so many last caches finds nothing of the pass before */
    LEAST_BUFFER = 256 << 20,
    MOST_BUFFER = 1 << 30,        /* virtual machines report the caches of processors that they do not have */
    ROUNDS = 20000                /* of a peak loop, an item: about 0.1 ms */
};

struct r1_meter {
    r1_env env;
    r1i_pool *pool;
    int threads;
    bool thread_clock;
    bool asking;                  /* how this machine reads faster (r1i_stream) */
    uint8_t *buffer;
    size_t bytes, offset;         /* where the next slice goes on */
    /* of the slice that runs */
    r1i_peak_fn loop;
    double *done;                 /* [threads * 8] operations, a cache line each */
    float *sink;                  /* [threads * 16] */
};

const char *r1_peak_name(r1_peak peak)
{
    static const char *const name[] = {"f32", "bf16", "int8"};
    return peak >= 0 && peak < R1_PEAK_COUNT ? name[peak] : "?";
}

static size_t buffer_size(size_t wanted)
{
    if (wanted == 0) {
        const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
        const uint64_t quarter = r1i_memory_available() / 4;
        wanted = cache > 0 ? (size_t)cache * CACHES : 0;
        if (wanted < LEAST_BUFFER) wanted = LEAST_BUFFER;
        if (wanted > MOST_BUFFER) wanted = MOST_BUFFER;
        if (wanted > quarter) wanted = (size_t)quarter;
    }
    return r1i_align_up(wanted > 0 ? wanted : 1, ITEM);
}

/* As the model's own memory: the roof must not be lower for its pages. None where the memory is the caller's. */
static void want_huge_pages(const r1_meter *m)
{
    const size_t huge = (size_t)1 << 21;
    const uintptr_t begin = r1i_align_up((uintptr_t)m->buffer, huge),
                    end = ((uintptr_t)m->buffer + m->bytes) / huge * huge;
    if (!m->env.alloc && begin < end) madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

static void fill(void *ctx, int64_t i, int thread)
{
    const r1_meter *const m = ctx;
    uint64_t *const p = (uint64_t *)(void *)(m->buffer + i * ITEM);
    (void)thread;
    for (int64_t k = 0; k < ITEM / 8; k++) p[k] = (uint64_t)(i + k) * UINT64_C(0x9e3779b97f4a7c15);
}

/* The way of reading that was faster more often, in turns. */
static void choose_reading(r1_meter *m)
{
    enum { TURNS = 7 };
    int wins = 0;
    for (int i = 0; i < TURNS; i++) {
        m->asking = false;
        const double alone = r1_meter_read(m, 0.002);
        m->asking = true;
        wins += r1_meter_read(m, 0.002) > alone;
    }
    m->asking = wins > TURNS / 2;
}

r1_status r1_meter_create(const r1_env *env, int threads, size_t buffer_bytes, r1_meter **out, r1_error *err)
{
    *out = NULL;
    r1_meter *const m = r1i_alloc_zero(env, sizeof *m);
    if (!m) return r1i_fail(err, R1_ERR_NOMEM, "roof, %zu bytes", sizeof *m);
    if (env) m->env = *env;
    r1_status st = r1i_pool_create(env, threads, &m->pool, err);
    if (st == R1_OK) {
        m->threads = r1i_pool_threads(m->pool);
        m->bytes = buffer_size(buffer_bytes);
        m->buffer = r1i_alloc(env, m->bytes);
        m->done = r1i_alloc_zero(env, (size_t)m->threads * 64);
        m->sink = r1i_alloc_zero(env, (size_t)m->threads * 64);
        if (!m->buffer || !m->done || !m->sink)
            st = r1i_fail(err, R1_ERR_NOMEM, "roof, a buffer of %zu bytes", m->bytes);
    }
    if (st != R1_OK) {
        r1_meter_destroy(m);
        return st;
    }
    want_huge_pages(m);
    r1i_pool_run(m->pool, (int64_t)(m->bytes / ITEM), fill, m); /* every page its own, and on the node of a thread */
    choose_reading(m);
    *out = m;
    return R1_OK;
}

void r1_meter_destroy(r1_meter *m)
{
    if (!m) return;
    const r1_env env = m->env;
    r1i_pool_destroy(m->pool);
    r1i_release(&env, m->buffer, m->bytes);
    r1i_release(&env, m->done, (size_t)m->threads * 64);
    r1i_release(&env, m->sink, (size_t)m->threads * 64);
    r1i_release(&env, m, sizeof *m);
}

size_t r1_meter_bytes(const r1_meter *m) { return m->bytes; }

/* ---- slices ------------------------------------------------------------------------------------------------------ */

static void stream_item(void *ctx, int64_t i, int thread)
{
    const r1_meter *const m = ctx;
    const uint8_t *const from = m->buffer + (m->offset + (size_t)i * ITEM) % m->bytes;
    m->sink[thread * 16] += (float)(r1i_stream(from, ITEM, m->asking) & 1);
}

double r1i_thread_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

r1_status r1i_clock_of(bool cpu_time, int threads, const r1_env *env, r1i_clock_fn *out, r1_error *err)
{
    *out = cpu_time ? r1i_thread_seconds : r1i_seconds;
    if (threads <= 0) threads = r1i_env_threads(env);
    if (!cpu_time || threads == 1) return R1_OK;
    return r1i_fail(err, R1_ERR_USAGE, "processor time is counted of one thread, not of %d", threads);
}

void r1_meter_cpu_time(r1_meter *m) { m->thread_clock = true; }

static double now_of(const r1_meter *m) { return m->thread_clock ? r1i_thread_seconds() : r1i_seconds(); }

double r1_meter_read(r1_meter *m, double seconds)
{
    const double begin = now_of(m);
    const int64_t items = 16 * m->threads; /* about a millisecond: the clock is asked often enough */
    double bytes = 0.0, now;
    do {
        r1i_pool_run(m->pool, items, stream_item, m);
        m->offset = (m->offset + (size_t)items * ITEM) % m->bytes;
        bytes += (double)items * ITEM;
        now = now_of(m);
    } while (now - begin < seconds);
    return bytes / (now - begin);
}

static void peak_item(void *ctx, int64_t i, int thread)
{
    const r1_meter *const m = ctx;
    (void)i;
    m->done[thread * 8] += m->loop(ROUNDS, &m->sink[thread * 16]);
}

double r1_meter_peak(r1_meter *m, const char *isa, r1_peak peak, double seconds)
{
    if (peak < 0 || peak >= R1_PEAK_COUNT || !(m->loop = r1i_peak_loop(isa, peak))) return 0.0;
    for (int t = 0; t < m->threads; t++) m->done[t * 8] = 0.0;
    const double begin = now_of(m);
    double now, ops = 0.0;
    do {
        r1i_pool_run(m->pool, 16 * m->threads, peak_item, m);
        now = now_of(m);
    } while (now - begin < seconds);
    for (int t = 0; t < m->threads; t++) ops += m->done[t * 8];
    return ops / (now - begin);
}

void r1i_roof_slice(r1_meter *m, const char *isa, const r1_cost *cost, double seconds, r1_roof *out)
{
    *out = (r1_roof){.read = r1_meter_read(m, seconds)};
    for (int p = 0; p < R1_PEAK_COUNT; p++)
        if (cost->ops[p] > 0.0) out->peak[p] = r1_meter_peak(m, isa, (r1_peak)p, 0.25 * seconds);
}

/* ---- what it means ----------------------------------------------------------------------------------------------- */

double r1_roof_seconds(const r1_roof *roof, const r1_cost *cost, const char **bound)
{
    const double bytes = cost->weight_bytes + cost->cache_bytes;
    double arithmetic = 0.0, most = 0.0;
    int main_kind = 0;
    if (bound) *bound = "read";
    if (bytes > 0.0 && roof->read <= 0.0) return 0.0;
    for (int p = 0; p < R1_PEAK_COUNT; p++) { /* the units share their ports, so their times add up */
        if (cost->ops[p] <= 0.0) continue;
        if (roof->peak[p] <= 0.0) return 0.0;
        const double s = cost->ops[p] / roof->peak[p];
        arithmetic += s;
        if (s > most) {
            most = s;
            main_kind = p;
        }
    }
    const double reading = bytes > 0.0 ? bytes / roof->read : 0.0;
    if (bound && arithmetic > reading) *bound = r1_peak_name((r1_peak)main_kind);
    return arithmetic > reading ? arithmetic : reading;
}

/* Mean of two neighbours: what the machine gave around a slice of work. */
r1_roof r1i_roof_between(const r1_roof *a, const r1_roof *b)
{
    r1_roof r = {.read = 0.5 * (a->read + b->read)};
    for (int p = 0; p < R1_PEAK_COUNT; p++) r.peak[p] = 0.5 * (a->peak[p] + b->peak[p]);
    return r;
}

/* Attention and the cache: ref against double, every row of the table against ref byte for byte, and everything that
 * must
 * not move a bit: chunks, page layouts, other sequences of the batch, threads and with them spans side by side. */
#include "op/opkit.h"

#define SEED 20250123

/* Sequences of a test: their positions' queries, keys and values are drawn once, [len, ...]. */
typedef struct sequence {
    float *q, *k, *v;
    int64_t len;
} sequence;

static int64_t k_cols(const r1i_attn_shape *s) { return s->kv_heads * s->key_dim; }
static int64_t v_cols(const r1i_attn_shape *s) { return s->kv_heads * s->value_dim; }
static int64_t q_cols(const r1i_attn_shape *s) { return s->heads * s->key_dim; }
static int64_t o_cols(const r1i_attn_shape *s) { return s->heads * s->value_dim; }

static void sequence_make(sequence *q, r1i_rng *rng, const r1i_attn_shape *s, int64_t len)
{
    *q = (sequence){.len = len};
    q->q = kit_random(rng, len * q_cols(s), 1.0);
    q->k = kit_random(rng, len * k_cols(s), 1.0);
    q->v = kit_random(rng, len * v_cols(s), 1.0);
}
static void sequence_free(sequence *q)
{
    kit_free(q->q);
    kit_free(q->k);
    kit_free(q->v);
}

/* Pages full of NaN, with room between them; page numbers run backwards or forwards. */
typedef struct cache {
    r1i_kv_layer layer;
    int32_t *pages; /* [count] */
    int64_t count, bytes;
    bool backwards;
    int64_t next;
} cache;

static void cache_make(cache *c, const r1i_attn_shape *s, r1i_cache_type type, int64_t count, bool backwards)
{
    *c = (cache){.count = count, .backwards = backwards};
    c->layer.type = type;
    c->layer.page_bytes = (R1I_PAGE * r1i_cache_position_bytes(s, type) + 64 + 63) / 64 * 64;
    c->bytes = c->layer.page_bytes * count;
    c->layer.data = r1i_alloc(NULL, (size_t)c->bytes);
    c->pages = malloc(sizeof(int32_t) * (size_t)count);
    assert_true(c->layer.data && c->pages);
    memset(c->layer.data, 0xff, (size_t)c->bytes);
}
static const int32_t *cache_take(cache *c, int64_t pages)
{
    const int32_t *const first = c->pages + c->next;
    for (int64_t i = 0; i < pages; i++, c->next++)
        c->pages[c->next] = (int32_t)(c->backwards ? c->count - 1 - c->next : c->next);
    return first;
}
static void cache_free(cache *c)
{
    r1i_release(NULL, c->layer.data, (size_t)c->bytes);
    free(c->pages);
}

/* One op pair over runs of several sequences: rows [from, from + n) of each. o[seq] + from * cols receives; o NULL:
 * only the cache is written. */
static void step(kit *k, const r1i_attn_shape *s, const cache *c, const sequence *seq, const int32_t *const *pages,
                 const int64_t *from, const int64_t *n, int count, float *const *o)
{
    r1i_run runs[8];
    int64_t rows = 0;
    for (int i = 0; i < count; i++) {
        runs[i] = (r1i_run){.first = rows, .n = n[i], .pos0 = from[i], .pages = pages[i]};
        rows += n[i];
    }
    float *const q = kit_floats(rows * q_cols(s)), *const key = kit_floats(rows * k_cols(s));
    float *const value = kit_floats(rows * v_cols(s)), *const out = kit_floats(rows * (o_cols(s) + 5));
    for (int i = 0; i < count; i++) {
        memcpy(q + runs[i].first * q_cols(s), seq[i].q + from[i] * q_cols(s),
               sizeof(float) * (size_t)(n[i] * q_cols(s)));
        memcpy(key + runs[i].first * k_cols(s), seq[i].k + from[i] * k_cols(s),
               sizeof(float) * (size_t)(n[i] * k_cols(s)));
        memcpy(value + runs[i].first * v_cols(s), seq[i].v + from[i] * v_cols(s),
               sizeof(float) * (size_t)(n[i] * v_cols(s)));
    }
    static const uint8_t nothing[64]; /* what follows is asked for, not read */
    const r1i_weight w = {.type = R1_DTYPE_Q8_0, .rows = 1000, .cols = 4096, .data = nothing};
    const r1i_coming second = {(r1i_weights[]){{&w, 1}, {&w, 1}}, 2, NULL}, next = {&(r1i_weights){&w, 1}, 1, &second};
    k->traces = 0;
    assert_int_equal(r1i_kv_write(&k->ex, s, &c->layer, r1i_mat_of(key, rows, k_cols(s)),
                                  r1i_mat_of(value, rows, v_cols(s)), runs, count), R1_OK);
    kit_saw(k, "kv_write", rows);
    const r1i_mat om = {out, rows, o_cols(s), o_cols(s) + 5};
    if (o) {
        assert_int_equal(r1i_attention(&k->ex, s, &c->layer, om, r1i_mat_of(q, rows, q_cols(s)), runs, count, &next),
                         R1_OK);
        kit_saw(k, "attention", rows);
        assert_int_equal(k->arena.used, 0);
    }
    for (int i = 0; o && i < count; i++)
        for (int64_t r = 0; r < n[i]; r++)
            memcpy(o[i] + (from[i] + r) * o_cols(s), out + (runs[i].first + r) * om.stride,
                   sizeof(float) * (size_t)o_cols(s));
    kit_free(q);
    kit_free(key);
    kit_free(value);
    kit_free(out);
}

/* One sequence: positions [0, start) only written, the rest in chunks (0: at once). Returns [len, o_cols] (zero below
 * start). */
static float *chunked(kit *k, const r1i_attn_shape *s, r1i_cache_type type, const sequence *seq, int64_t start,
                      int64_t chunk, bool backwards)
{
    cache c;
    const int64_t pages = (seq->len + 63) / 64;
    cache_make(&c, s, type, pages + 1, backwards);
    const int32_t *const p = cache_take(&c, pages);
    float *const o = kit_floats(seq->len * o_cols(s));
    memset(o, 0, sizeof(float) * (size_t)(start * o_cols(s)));
    const int64_t zero = 0;
    if (start > 0) step(k, s, &c, seq, &p, &zero, &start, 1, NULL);
    for (int64_t at = start; at < seq->len;) {
        int64_t n = chunk > 0 ? chunk : seq->len - at;
        if (n > seq->len - at) n = seq->len - at;
        step(k, s, &c, seq, &p, &at, &n, 1, &o);
        at += n;
    }
    cache_free(&c);
    return o;
}

static const r1i_attn_shape shapes[] = {
    {.heads = 6, .kv_heads = 2, .key_dim = 32, .value_dim = 32, .scale = 0.17677669f},
    {.heads = 7, .kv_heads = 1, .key_dim = 24, .value_dim = 24, .scale = 0.2f}, /* dims that are no multiple of 16 */
    {.heads = 3, .kv_heads = 3, .key_dim = 64, .value_dim = 64, .scale = 0.125f},
    /* more than a tile's rows; dims that are no multiple of 4, a last group of 2 */
    {.heads = 11, .kv_heads = 1, .key_dim = 34, .value_dim = 34, .scale = 0.17f},
    {.mla = true, .heads = 5, .kv_heads = 1, .key_dim = 48, .value_dim = 32, .scale = 0.14f},
    {.heads = 8, .kv_heads = 1, .key_dim = 80, .value_dim = 80, .scale = 0.1f},
    {.mla = true, .heads = 16, .kv_heads = 1, .key_dim = 57, .value_dim = 41, .scale = 0.13f},
    /* more heads than a block holds */
    {.mla = true, .heads = 70, .kv_heads = 1, .key_dim = 20, .value_dim = 12, .scale = 0.2f},
};
enum { SHAPES = 8 };

/* Element d of a head's key or value as the cache gives it back. */
static double rounded(const r1i_attn_shape *s, const float *head, int64_t d, r1i_cache_type t)
{
    int8_t q[R1I_Q8_GROUP];
    if (t == R1I_CACHE_F32) return (double)head[d];
    if (t == R1I_CACHE_BF16) return (double)r1i_bf16_to_f32(r1i_bf16_from_f32(head[d]));
    const int64_t part = s->mla && d >= s->value_dim ? s->value_dim : 0,
                  limit = s->mla && d < s->value_dim ? s->value_dim : s->key_dim;
    const int64_t from = part + (d - part) / 32 * 32, n = limit - from < 32 ? limit - from : 32;
    const float scale = r1i_q8_group(head + from, n, q);
    assert_true(fabs((double)(scale * (float)q[d - from]) - (double)head[d]) <= 0.501 * (double)scale);
    return (double)(scale * (float)q[d - from]);
}

/* Element d of a query as its scores see it: a q8 cache's keys, but MLA's, meet 16-bit numbers. */
static double asked(const r1i_attn_shape *s, const float *head, int64_t d, r1i_cache_type t)
{
    if (t != R1I_CACHE_Q8 || s->mla) return (double)head[d];
    float inverse;
    const double factor = (double)r1i_q16_factor(head, s->key_dim, &inverse),
                 read = factor * r1i_q16(head[d], inverse);
    assert_true(fabs(read - (double)head[d]) <= 0.51 * factor);
    assert_true(fabs(read) <= 32512 * factor);
    return read;
}

/* Largest error of row `pos` against double arithmetic over the same rounded cache. */
static double row_error(const r1i_attn_shape *s, r1i_cache_type type, const sequence *seq, const float *o, int64_t pos,
                        double *p)
{
    const int64_t group = s->heads / s->kv_heads;
    double worst = 0;
    for (int64_t h = 0; h < s->heads; h++) {
        double max = -INFINITY, sum = 0;
        for (int64_t j = 0; j <= pos; j++) {
            p[j] = 0;
            for (int64_t d = 0; d < s->key_dim; d++)
                p[j] += asked(s, seq->q + pos * q_cols(s) + h * s->key_dim, d, type) *
                    rounded(s, seq->k + j * k_cols(s) + h / group * s->key_dim, d, type);
            p[j] *= (double)s->scale;
            max = p[j] > max ? p[j] : max;
        }
        for (int64_t j = 0; j <= pos; j++) sum += p[j] = exp(p[j] - max);
        for (int64_t d = 0; d < s->value_dim; d++) {
            double want = 0;
            for (int64_t j = 0; j <= pos; j++) {
                const float *const v = s->mla ? seq->k + j * k_cols(s)
                    : seq->v + j * v_cols(s) + h / group * s->value_dim;
                want += p[j] / sum * rounded(s, v, d, type);
            }
            worst = fmax(worst, fabs((double)o[pos * o_cols(s) + h * s->value_dim + d] - want));
        }
    }
    return worst;
}

/* Softmax weights sum to 1 and values are of size 1: errors are some eps of f32, from score chains of at most 64 terms
 * of size 1 (2e-6) and sums over 1,030 positions; 1e-5 leaves a factor of about 4. */
static void test_ref_against_double(void **state)
{
    (void)state;
    r1i_rng rng = {.seed = SEED};
    kit k;
    assert_true(kit_open(&k, "c", 1));
    for (int i = 0; i < R1I_CACHE_TYPES * SHAPES; i++) {
        const r1i_attn_shape *const s = &shapes[i / R1I_CACHE_TYPES];
        const r1i_cache_type type = (r1i_cache_type)(i % R1I_CACHE_TYPES);
        double p[1030];
        for (int64_t len = 70; len <= 1030; len += 960) {
            sequence seq;
            sequence_make(&seq, &rng, s, len);
            const int64_t start = len > 100 ? 1020 : 0;
            float *const o = chunked(&k, s, type, &seq, start, 0, true);
            for (int64_t pos = start; pos < len; pos += 3) assert_true(row_error(s, type, &seq, o, pos, p) < 1e-5);
            kit_free(o);
            sequence_free(&seq);
        }
    }
    kit_close(&k);
}

/* Plain C at once against every row of the table, other page orders, chunks of 1, 3, 64 and 512, and 1 to 3 threads;
 * contexts cross 512 and 1024. */
static void bits_case(const r1i_attn_shape *s, r1i_cache_type type, r1i_rng *rng, int64_t len, int64_t start,
                      int64_t chunk)
{
    kit ref, k;
    assert_true(kit_open(&ref, "c", 1));
    sequence seq;
    sequence_make(&seq, rng, s, len);
    float *const want = chunked(&ref, s, type, &seq, start, 0, false);
    for (int isa = 0; isa < KIT_ISAS; isa++) {
        for (int threads = 1; threads <= 3; threads++) {
            if (isa == 0 && (threads < 3 || len < 500)) continue;
            if (!kit_open_near(&k, kit_isa[isa], threads, threads == 2)) continue; /* both habits of reading */
            float *const got = chunked(&k, s, type, &seq, start, chunk, threads != 2);
            assert_bits_equal(got, want, seq.len * o_cols(s));
            kit_free(got);
            kit_close(&k);
        }
    }
    kit_free(want);
    sequence_free(&seq);
    kit_close(&ref);
}

static void test_nothing_moves_a_bit(void **state)
{
    (void)state;
    r1i_rng rng = {.seed = SEED + 1};
    for (int i = 0; i < R1I_CACHE_TYPES * SHAPES; i++) {
        const r1i_attn_shape *const s = &shapes[i / R1I_CACHE_TYPES];
        const r1i_cache_type type = (r1i_cache_type)(i % R1I_CACHE_TYPES);
        bits_case(s, type, &rng, 80, 0, 64);
        bits_case(s, type, &rng, 516, 509, 1);
        bits_case(s, type, &rng, 1090, 1086, 0);
        if (type != R1I_CACHE_F32) continue; /* the rest asks about cuts, where the cache's type plays no part */
        bits_case(s, type, &rng, 70, 58, 3);
        bits_case(s, type, &rng, 1, 0, 1);
        bits_case(s, type, &rng, 1028, 1022, 3);
        bits_case(s, type, &rng, 1600, 1598, 1);
        bits_case(s, type, &rng, 530, 510, 512);
    }
}

/* A sequence alone against the same among others, in one packed batch whose rows are prefill and decode mixed. */
static void test_neighbours(void **state)
{
    (void)state;
    r1i_rng rng = {.seed = SEED + 2};
    enum { N = 5 };
    static const int64_t len[N] = {1, 530, 64, 1030, 129}, last[N] = {1, 1, 64, 2, 40};
    for (int i = 0; i < R1I_CACHE_TYPES * SHAPES; i++) {
        const r1i_attn_shape *const s = &shapes[i / R1I_CACHE_TYPES];
        const r1i_cache_type type = (r1i_cache_type)(i % R1I_CACHE_TYPES);
        for (int threads = 1; threads <= 3; threads += 2) {
            kit k;
            assert_true(kit_open(&k, "auto", threads));
            cache c;
            cache_make(&c, s, type, 40, true);
            sequence seq[N];
            const int32_t *pages[N];
            float *o[N], *want[N];
            int64_t from[N];
            for (int j = 0; j < N; j++) {
                sequence_make(&seq[j], &rng, s, len[j]);
                want[j] = chunked(&k, s, type, &seq[j], len[j] - last[j], 0, false);
                pages[j] = cache_take(&c, (len[j] + 63) / 64);
                o[j] = kit_floats(len[j] * o_cols(s));
                memset(o[j], 0, sizeof(float) * (size_t)((len[j] - last[j]) * o_cols(s)));
                const int64_t zero = 0, before = len[j] - last[j];
                from[j] = before;
                if (before > 0) step(&k, s, &c, &seq[j], &pages[j], &zero, &before, 1, NULL);
            }
            step(&k, s, &c, seq, pages, from, last, N, o);
            for (int j = 0; j < N; j++) {
                assert_bits_equal(o[j], want[j], len[j] * o_cols(s));
                kit_free(o[j]);
                kit_free(want[j]);
                sequence_free(&seq[j]);
            }
            cache_free(&c);
            kit_close(&k);
        }
    }
}

/* The bound that plans are made with is enough, also where there are more threads than kv heads and blocks get smaller;
 * the results stay. */
static void test_scratch_bound(void **state)
{
    (void)state;
    r1i_rng rng = {.seed = SEED + 3};
    for (int i = 0; i < R1I_CACHE_TYPES * SHAPES; i++) {
        const r1i_attn_shape *const s = &shapes[i / R1I_CACHE_TYPES];
        const r1i_cache_type type = (r1i_cache_type)(i % R1I_CACHE_TYPES);
        float *want = NULL;
        sequence seq;
        sequence_make(&seq, &rng, s, 1100);
        for (int threads = 1; threads <= 5; threads += 2) {
            kit k;
            assert_true(kit_open(&k, "auto", threads));
            r1i_arena_destroy(&k.arena);
            assert_int_equal(r1i_arena_create(&k.arena, "scratch", NULL,
                                              r1i_op_scratch_bytes(s, 1100, 1100, threads), &k.err), R1_OK);
            float *const got = chunked(&k, s, type, &seq, 1097, 1, false);
            if (want) {
                assert_bits_equal(got, want, 1100 * o_cols(s));
                kit_free(got);
            } else {
                want = got;
            }
            kit_close(&k);
        }
        kit_free(want);
        sequence_free(&seq);
    }
}

/* At 32K positions: rows one by one are rows at once and plain C's, spans side by side or not; the scratch of such a
 * context is a short one's. */
static void test_long_context(void **state)
{
    (void)state;
#ifdef R1_EMULATED /* minutes of an emulator's time; six spans are merged by the same code as sixty-four */
    enum { LEN = 3072 + 9, FROM = LEN - 40, LAST = LEN - 2 };
#else
    enum { LEN = 32768 + 9, FROM = LEN - 40, LAST = LEN - 2 };
#endif
    static const int which[] = {0, 5}; /* GQA, MLA */
    r1i_rng rng = {.seed = SEED + 5};
    for (int i = 0; i < 2; i++) {
        const r1i_attn_shape *const s = &shapes[which[i]];
        sequence seq;
        sequence_make(&seq, &rng, s, LEN);
        assert_int_equal(r1i_op_scratch_bytes(s, 64, LEN, 2), r1i_op_scratch_bytes(s, 64, 64, 2));
        for (int type = 0; type < R1I_CACHE_TYPES; type++) {
            float *o[4];
            for (int way = 0; way < 4; way++) { /* at once; at once, 2 threads; one by one, 3 threads; plain C, the last
                                                 * rows */
                kit k;
                assert_true(kit_open(&k, way == 3 ? "c" : "auto", way == 3 ? 1 : way + 1));
                r1i_arena_destroy(&k.arena);
                assert_int_equal(r1i_arena_create(&k.arena, "scratch", NULL,
                                                  r1i_op_scratch_bytes(s, 64, LEN, way == 3 ? 1 : way + 1), &k.err),
                                                  R1_OK);
                o[way] = chunked(&k, s, (r1i_cache_type)type, &seq, way == 3 ? LAST : FROM, way == 2 ? 1 : 0, way == 2);
                kit_close(&k);
            }
            for (int way = 1; way < 4; way++) {
                const int64_t from = (way == 3 ? LAST : FROM) * o_cols(s);
                assert_bits_equal(o[way] + from, o[0] + from, LEN * o_cols(s) - from);
            }
            for (int way = 0; way < 4; way++) kit_free(o[way]);
        }
        sequence_free(&seq);
    }
}

/* Keys and values at mirrored positions: the last row's sums in another order. Equality must see it, and a tolerance
 * not. */
static void test_another_order_shows(void **state)
{
    (void)state;
    r1i_rng rng = {.seed = SEED + 4};
    const r1i_attn_shape *const s = &shapes[0];
    kit k, bad;
    assert_true(kit_open(&k, "c", 1) && kit_open(&bad, "c", 1));
    sequence seq;
    sequence_make(&seq, &rng, s, 40);
    float *const want = chunked(&k, s, R1I_CACHE_F32, &seq, 0, 0, false);
    for (int64_t j = 0; j < 20; j++)
        for (int64_t d = 0; d < k_cols(s); d++) {
            float t = seq.k[j * k_cols(s) + d];
            seq.k[j * k_cols(s) + d] = seq.k[(39 - j) * k_cols(s) + d];
            seq.k[(39 - j) * k_cols(s) + d] = t;
            t = seq.v[j * k_cols(s) + d];
            seq.v[j * k_cols(s) + d] = seq.v[(39 - j) * k_cols(s) + d];
            seq.v[(39 - j) * k_cols(s) + d] = t;
        }
    float *const got = chunked(&bad, s, R1I_CACHE_F32, &seq, 0, 0, false);
    int differ = 0;
    for (int64_t d = 39 * o_cols(s); d < 40 * o_cols(s); d++) {
        differ += memcmp(&want[d], &got[d], 4) != 0;
        assert_true(fabsf(want[d] - got[d]) < 1e-5f);
    }
    assert_true(differ > 20);
    kit_free(want);
    kit_free(got);
    sequence_free(&seq);
    kit_close(&k);
    kit_close(&bad);
}

/* Queries that have no scale: zeros and what is too small for one see all positions alike, numbers that are none say so
 * in their own head alone; the same in every row of the table. */
static void test_odd_queries(void **state)
{
    (void)state;
    enum { LEN = 70, ROW = LEN - 1 };
    r1i_rng rng = {.seed = SEED + 5};
    const r1i_attn_shape *const s = &shapes[0];
    for (int type = 0; type < R1I_CACHE_TYPES; type++) {
        sequence seq;
        sequence_make(&seq, &rng, s, LEN);
        float *const q = seq.q + ROW * q_cols(s), *want = NULL;
        for (int64_t d = 0; d < s->key_dim; d++) {
            q[d] = 0.0f;
            q[s->key_dim + d] *= 0x1p-125f;
            q[4 * s->key_dim + d] *= 0x1p90f;
        }
        q[2 * s->key_dim + 5] = -INFINITY;
        q[3 * s->key_dim + 5] = NAN;
        for (int isa = 0; isa < KIT_ISAS; isa++) {
            kit k;
            if (!kit_open(&k, kit_isa[isa], 1)) continue;
            float *const o = chunked(&k, s, (r1i_cache_type)type, &seq, ROW, 0, false);
            kit_close(&k);
            for (int64_t c = ROW * o_cols(s); c < LEN * o_cols(s); c++) {
                const int64_t head = c % o_cols(s) / s->value_dim, d = c % s->value_dim;
                assert_int_equal(isnan(o[c]) != 0, head == 2 || head == 3);
                if (want && !isnan(o[c])) assert_memory_equal(&o[c], &want[c], sizeof *o);
                double mean = 0;
                for (int64_t j = 0; j < LEN; j++)
                    mean += rounded(s, seq.v + j * v_cols(s), d, (r1i_cache_type)type) / LEN;
                if (head < 2) assert_true(fabs((double)o[c] - mean) < 1e-6);
            }
            if (want) kit_free(o);
            else want = o;
        }
        kit_free(want);
        sequence_free(&seq);
    }
}

int main(void)
{
    print_message("seed %d\n", SEED);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ref_against_double), cmocka_unit_test(test_nothing_moves_a_bit),
        cmocka_unit_test(test_neighbours),         cmocka_unit_test(test_scratch_bound),
        cmocka_unit_test(test_long_context),
        cmocka_unit_test(test_another_order_shows), cmocka_unit_test(test_odd_queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* * Measuring a model on this machine beside what the machine could do: the roof (read bandwidth, arithmetic peaks) is
 * measured by code of its own, in turns with the work, and a result says which part of the roof it reached and which
 * roof that was. */
#ifndef R1_BENCH_H
#define R1_BENCH_H

#include "r1/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the roof ---------------------------------------------------------------------------------------------------- */

/** Multiply and add count as two operations each. INT8: products of bytes summed in integers. */
typedef enum r1_peak { R1_PEAK_F32, R1_PEAK_BF16, R1_PEAK_INT8, R1_PEAK_COUNT } r1_peak;
R1_API const char *r1_peak_name(r1_peak peak); /* "f32", "bf16", "int8" */

typedef struct r1_roof {
    double read;                  /* bytes a second, all threads streaming a buffer far larger than the caches */
    double peak[R1_PEAK_COUNT];   /* operations a second of all threads in registers; 0: there is no such instruction */
} r1_roof;

typedef struct r1_meter r1_meter; /* one thread at a time */

/* * threads 0: env's. buffer_bytes 0: twice the last cache, within 256 MiB and 1 GiB, at most a quarter of the memory
 * there is. R1_ERR_NOMEM. */
R1_API r1_status r1_meter_create(const r1_env *env, int threads, size_t buffer_bytes, r1_meter **out, r1_error *err);
R1_API void r1_meter_destroy(r1_meter *meter); /* takes NULL */
/* * From now on count the processor time of the calling thread instead of the clock on the wall: for a meter of one
 * thread beside work of one thread, which others on the machine then lengthen less. */
R1_API void r1_meter_cpu_time(r1_meter *meter);
R1_API size_t r1_meter_bytes(const r1_meter *meter); /* of the buffer, all of it resident */
/** One slice: stream for about `seconds`, bytes a second. */
R1_API double r1_meter_read(r1_meter *meter, double seconds);
/* * One slice of arithmetic with the instructions of `isa` ("c", "avx2", "avx512", "neon"; "auto" or NULL: the best):
 * operations a second, 0 where the processor lacks them. For BF16 without such an instruction: F32's, as the kernels
 * then compute. */
R1_API double r1_meter_peak(r1_meter *meter, const char *isa, r1_peak peak, double seconds);

/* ---- what a piece of work needs ---------------------------------------------------------------------------------- */

/* * Bytes that have to come from memory and operations of matrix products and attention. Activations stay in caches and
 * count nothing, nor do norms, rotary tables and sampling. */
typedef struct r1_cost {
    double weight_bytes;          /* each matrix once a forward, of experts the chosen ones; one row of the embedding a
                                   * token */
    double cache_bytes;           /* keys and values: each sequence's once a forward, and what is written */
    double ops[R1_PEAK_COUNT];
} r1_cost;

/* * The least seconds that the work takes under the roof: the larger of the bytes' and the arithmetic's. *bound
 * (nullable): "read", or the arithmetic's name with the most seconds. 0 when the roof lacks what the work needs. */
R1_API double r1_roof_seconds(const r1_roof *roof, const r1_cost *cost, const char **bound);

/* * Tokens at positions [depth, depth + n) of each of `sequences` sequences, computed in one forward, `logit_rows` of
 * them through the head.
 * Experts: rows * experts_per_token, but never more than there are, as if no two rows chose the same; measured work
 * counts those that were really chosen. */
R1_API void r1_model_cost(const r1_model *model, r1_cache_type cache, int64_t sequences, int64_t n, int64_t depth,
                          int64_t logit_rows, r1_cost *out);

/* ---- prompt and decode ------------------------------------------------------------------------------------------- */

typedef struct r1_bench_test {
    int64_t prompt;               /* > 0: read so many tokens a sequence */
    int64_t decode;               /* > 0: generate so many tokens a sequence; one of the two */
    int64_t depth;                /* tokens already in each sequence's cache: a multiple of 64, computed by reading
                                   * them, not timed */
    int32_t sequences;            /* computed together */
    int32_t repeat;               /* slices of work, each between two slices of roof; 1 .. R1_BENCH_REPEAT */
    bool no_roof;                 /* time only */
    /* one thread: its processor time instead of the clock on the wall, for busy machines */
    bool cpu_time;
} r1_bench_test;
enum { R1_BENCH_REPEAT = 1000 };

typedef struct r1_spread { double median, least, most; } r1_spread;

typedef struct r1_bench_result {
    int64_t tokens;               /* of one repetition */
    r1_spread seconds;            /* of one repetition */
    r1_spread rate;               /* tokens a second */
    r1_cost cost;                 /* of one repetition */
    r1_roof roof;                 /* medians of the slices beside the work; zeros: no_roof */
    const char *bound;            /* which roof binds: "read", "int8", ...; NULL: no_roof */
    r1_spread fraction;           /* of the roof, each repetition against its two neighbours; zeros: no_roof */
    r1_engine_stats stats;
    uint64_t roof_bytes;          /* the meter's buffer, resident beside what stats says */
    uint64_t resident_bytes;      /* of the process at the end, the engine still there; 0: not known */
} r1_bench_result;

/* * Makes an engine with so many pages as the test needs, computes the depth, warms up, measures. threads 0: env's.
 * params: cache type and max_batch_tokens are taken from it. R1_ERR_USAGE: a test that says nothing or too much;
 * R1_ERR_RANGE: longer than the model's positions; R1_ERR_NOMEM. */
R1_API r1_status r1_bench_run(const r1_model *model, const r1_bench_test *test, const r1_engine_params *params,
                              int threads, const r1_env *env, r1_bench_result *out, r1_error *err);

/* ---- ops --------------------------------------------------------------------------------------------------------- */

typedef struct r1_bench_op {
    const char *op;               /* row of the op table: "linear", "attention", "rmsnorm", ... */
    const char *what;             /* which of the model's: "ffn_gate", "expert_down", "head", "decode at 4096" */
    const char *type;             /* weight or cache type, "Q4_K", "f32" */
    const char *isa;              /* row of the table */
    /* linear: [rows, inputs] times [outputs, inputs]; others: rows and columns, inputs 0 */
    int64_t rows, outputs, inputs;
    int64_t jobs;                 /* matrices in one call, as a forward over one row does: heads, chosen experts; others
                                   * 1 */
    int64_t measured_outputs;     /* fewer than outputs where the whole would take too long */
    double ops, bytes;            /* of one call as measured */
    r1_spread seconds;            /* of one call */
    r1_roof roof;
    const char *bound;
    r1_spread fraction;
} r1_bench_op;

typedef struct r1_bench_ops_params {
    const int64_t *rows;          /* [n_rows] batch rows to measure; NULL: 1, 16, 512 */
    int n_rows;
    int64_t depth;                /* of attention while decoding; 0: 4096, or the model's positions */
    const char *isa;              /* one row of the table, or "auto"/NULL: every row the processor has */
    r1_cache_type cache;
    int32_t repeat;               /* 0: 5 */
    int threads;                  /* 0: env's */
    bool cpu_time;                /* as r1_bench_test's */
} r1_bench_ops_params;

/* * Every kernel and shape of this model: calls on_op for each as it is measured; false stops (R1_ERR_STOPPED). Strings
 * and the struct are valid during the call. Weights of one shape are walked layer by layer, so that they come from
 * memory as in decoding. */
R1_API r1_status r1_bench_ops(const r1_model *model, const r1_bench_ops_params *params, const r1_env *env,
                              bool (*on_op)(void *user, const r1_bench_op *op), void *user, r1_error *err);

#ifdef __cplusplus
}
#endif
#endif

/* Between the parts of loading: bind.c finds and checks every tensor of a checkpoint, pack.c turns their bytes into
 * panels, load.c calls both. Binding runs twice over the same code: once to check and count, once, after the memory is
 * known to be there, to hand out memory and to note what has to be packed. */
#ifndef R1I_LOAD_H
#define R1I_LOAD_H

#include "format/panel_file.h"
#include "model/model.h"

/* What happens to the rows of one source matrix. */
typedef enum r1i_pack_kind {
    R1I_PACK_CHECK,     /* stays where it is: only looked through for NaN and infinity */
    R1I_PACK_COPY,      /* regrouped into panels of the same type */
    R1I_PACK_CONVERT,   /* through f32 into panels of `type` */
    R1I_PACK_TRANSPOSE  /* as CONVERT, columns become rows; fp8 that stays fp8 keeps its codes */
} r1i_pack_kind;

/* Source rows [row0, row0 + rows) of `src` (row-major, as in the file) into the panels at `out`. */
typedef struct r1i_pack_job {
    const r1i_entry *entry; /* named in errors; its pages are given back */
    r1i_weight src;
    int64_t row0, rows;
    r1i_pack_kind kind;
    r1_dtype type;          /* of the panels */
    const float *scale;     /* F8_E4M3: [ceil(panel rows / 128), ceil(panel cols / 128)] of the panels, else NULL */
    uint8_t *out;           /* NULL for CHECK, and where a sink takes the panels */
} r1i_pack_job;

/* State of one binding pass. */
typedef struct r1i_binder {
    r1_model *m;
    const r1i_store *store;
    const r1i_panel_file *file; /* nullable: matrices that it holds are used there instead of being packed */
    bool build;             /* second pass: memory is taken and jobs are noted */
    bool elsewhere;         /* panels get no memory: a sink takes them */
    r1_error *err;
    /* first pass: arena bytes wanted beside the panels, each piece rounded up to its alignment */
    uint64_t bytes;
    uint64_t panel_bytes;   /* first pass: the same of the panels */
    uint64_t file_bytes;    /* panels in `file` that the model uses */
    uint64_t mapped_bytes;  /* tables that stay in the checkpoint */
    uint8_t *used;          /* first pass: [r1i_store_count], entries that found their place */
    r1i_pack_job *job;      /* second pass: [n_jobs], filled in order */
    int64_t n_jobs;         /* counted by the first pass; in the second how many are noted */
} r1i_binder;

/* One pass. Config and store of b->m are set; the second pass fills the model. R1_ERR_FORMAT: a missing tensor, a scale
 * that is not one; R1_ERR_SHAPE; R1_ERR_UNSUPPORTED: a type that does not belong there, a tensor without a place;
 * R1_ERR_RANGE: a vector with a NaN. */
r1_status r1i_bind(r1i_binder *b);

/* Takes a job's panels, in order and in pieces, on the calling thread. */
typedef struct r1i_pack_sink {
    r1_status (*put)(void *ctx, const r1i_pack_job *job, const uint8_t *panels, uint64_t bytes, r1_error *err);
    void *ctx;
} r1i_pack_sink;

/* Pack all jobs over a pool of env->threads, releasing the source's pages as it goes and reporting progress "loading"
 * (with a sink "packing") in source bytes. Without a sink the panels go to job->out. R1_ERR_RANGE names tensor and
 * offset of the first NaN or infinity; nothing of that batch reaches the sink. */
r1_status r1i_pack(const r1i_store *store, const r1i_pack_job *jobs, int64_t n, const r1i_pack_sink *sink,
                   const r1_env *env, r1_error *err);

/* The first pass with its own accounts: fills b's counts. */
r1_status r1i_bind_measure(r1i_binder *b, const r1_env *env);

#endif

/* Allocation and logging through r1_env, and checked size arithmetic for numbers from outside. */
#ifndef R1I_ENV_H
#define R1I_ENV_H

#include "base/error.h"

/* Alignment of every buffer that a vector kernel reads. */
#define R1I_ALIGN 64

/* false on overflow; *out is then unspecified. */
static inline bool r1i_mul_size(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool r1i_add_size(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }
static inline bool r1i_mul_u64(uint64_t a, uint64_t b, uint64_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool r1i_add_u64(uint64_t a, uint64_t b, uint64_t *out) { return !__builtin_add_overflow(a, b, out); }

static inline size_t r1i_align_up(size_t n, size_t align) { return (n + align - 1) / align * align; }

/* env may be NULL (the C library's allocator). Memory is not zeroed; 64-byte aligned; NULL when there is none.
 * `bytes` of the release must be those of the allocation. */
void *r1i_alloc(const r1_env *env, size_t bytes);
void *r1i_alloc_zero(const r1_env *env, size_t bytes);
void r1i_release(const r1_env *env, void *p, size_t bytes);

void r1i_log(const r1_env *env, r1_log_level level, const char *fmt, ...) R1_PRINTF(3, 4);
void r1i_progress(const r1_env *env, const char *what, uint64_t done, uint64_t total);

/* env->threads, or the number of processors in this process's affinity mask. At least 1. */
int r1i_env_threads(const r1_env *env);

#endif

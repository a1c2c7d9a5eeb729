/** Status codes, errors, and the environment every handle is made with.
 * Every fallible call returns r1_status and fills a nullable r1_error: the code says what is wrong,
 * the message says where (each caller prefixes its own place), the offset names the first bad byte. */
#ifndef R1_BASE_H
#define R1_BASE_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define R1_API __attribute__((visibility("default")))
#define R1_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define R1_API
#define R1_PRINTF(fmt, args)
#endif

typedef enum r1_status {
    R1_OK = 0,
    R1_ERR_USAGE,       /* a caller's argument makes no sense                      exit 2 */
    R1_ERR_FORMAT,      /* a file's bytes contradict their format                  exit 3 */
    R1_ERR_UNSUPPORTED, /* well formed, but this build or machine cannot do it     exit 3 */
    R1_ERR_SHAPE,       /* tensors that do not fit each other                      exit 3 */
    R1_ERR_RANGE,       /* a value outside what the model or file allows           exit 3 */
    R1_ERR_IO,          /* open, read, write, map (err->sys_errno)                 exit 3 or 4 */
    R1_ERR_NOMEM,       /* memory, or an arena whose plan was too small            exit 4 */
    R1_ERR_MISSING,     /* a library, device or instruction set is absent          exit 4 */
    R1_ERR_STOPPED,     /* the caller asked to stop (callback returned false)      exit 0 */
    R1_ERR_BUG          /* our own fault                                           exit 1 */
} r1_status;

/** Plain data, owned by the caller; zero-initialise with {0}. */
typedef struct r1_error {
    r1_status code;
    int sys_errno;      /* errno of a failed system call, else 0 */
    int64_t offset;     /* first bad byte of the input, -1 where no byte is to blame */
    int64_t line;       /* 1-based line of a text input, 0 where not known */
    char message[512];  /* UTF-8, one line, no final newline */
} r1_error;

typedef enum r1_log_level { R1_LOG_DEBUG, R1_LOG_INFO, R1_LOG_WARN, R1_LOG_ERROR } r1_log_level;

/** What libraries would keep in globals: passed at creation, copied by the handle.
 * Callbacks may be called from any thread of the handle. */
typedef struct r1_env {
    int threads;                       /* 0: as many as r1_processors says */
    void *(*alloc)(void *user, size_t bytes, size_t align); /* NULL: the C library's */
    void (*release)(void *user, void *p, size_t bytes);
    void (*log)(void *user, r1_log_level level, const char *message); /* NULL: silent */
    /* done of total in the unit's own terms (bytes, tokens); called a few times a second. NULL: none */
    void (*progress)(void *user, const char *what, uint64_t done, uint64_t total);
    void *user;
} r1_env;

/** "0.1.0" */
R1_API const char *r1_version(void);
/** Optional parts of this build: name of the i-th (i from 0), NULL after the last. *present: whether this build has it;
 * *adds: what it is for. All borrowed, static. */
R1_API const char *r1_feature(int i, bool *present, const char **adds);
/** "format error", ... ; never NULL. */
R1_API const char *r1_status_name(r1_status status);
/** The exit status of design: 0, 1 our fault, 2 usage, 3 input, 4 environment. */
R1_API int r1_status_exit_code(r1_status status, const r1_error *err);
/* * Processors that this process may use: its affinity mask, and no more than its container's quota (control groups v1
 * and v2, rounded up). At least 1. */
R1_API int r1_processors(void);
/** Free a buffer that a function of this library returned as caller-owned. Takes NULL. */
R1_API void r1_free(void *p);

#ifdef __cplusplus
}
#endif
#endif

/* Makes the n-th allocation fail: how a test shows that every way out frees what it took. */
#ifndef R1_FAIL_ALLOC_H
#define R1_FAIL_ALLOC_H

#include "r1/base.h"

/* The n-th request from now (1: the next) gets NULL, the others memory; 0: none fails. */
void fail_alloc_at(long n);
/* Whether that request has come. */
bool fail_alloc_happened(void);

/* Runs attempt(ctx) with the first request failing, then with the second, and so on until it runs without meeting the
 * failure. Returns the number of failures injected, or -1 after printing what was wrong: a failed attempt that returned
 * something other than R1_ERR_NOMEM (or succeeded), or blocks that it left behind. attempt() frees what it made. */
long fail_alloc_sweep(r1_status (*attempt)(void *ctx, r1_error *err), void *ctx);
/* The same for code that parses JSON: jansson calls some failed allocations a syntax error and overlooks one (a token's
 * buffer that cannot grow), so any status will do; leaks still count. */
long fail_alloc_sweep_json(r1_status (*attempt)(void *ctx, r1_error *err), void *ctx);

#endif

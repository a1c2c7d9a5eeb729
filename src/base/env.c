#include "base/env.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/processors.h"

void *r1i_alloc(const r1_env *env, size_t bytes)
{
    if (bytes == 0) bytes = 1;
    if (env && env->alloc) return env->alloc(env->user, bytes, R1I_ALIGN);
    if (bytes > SIZE_MAX - R1I_ALIGN) return NULL;
    return aligned_alloc(R1I_ALIGN, r1i_align_up(bytes, R1I_ALIGN));
}

void *r1i_alloc_zero(const r1_env *env, size_t bytes)
{
    void *const p = r1i_alloc(env, bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

void r1i_release(const r1_env *env, void *p, size_t bytes)
{
    if (!p) return;
    if (bytes == 0) bytes = 1;
    if (env && env->alloc) env->release(env->user, p, bytes);
    else free(p);
}

void r1i_log(const r1_env *env, r1_log_level level, const char *fmt, ...)
{
    if (!env || !env->log) return;
    char line[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    env->log(env->user, level, line);
}

void r1i_progress(const r1_env *env, const char *what, uint64_t done, uint64_t total)
{
    if (env && env->progress) env->progress(env->user, what, done, total);
}

int r1i_env_threads(const r1_env *env)
{
    if (env && env->threads > 0) return env->threads;
    return r1i_processors();
}

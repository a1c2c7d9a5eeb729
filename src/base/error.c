#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set(r1_error *err, r1_status code, int64_t offset, int errnum, const char *fmt, va_list args)
{
    err->code = code;
    err->sys_errno = errnum;
    err->offset = offset;
    err->line = 0;
    vsnprintf(err->message, sizeof err->message, fmt, args);
}

r1_status r1i_fail(r1_error *err, r1_status code, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        set(err, code, -1, 0, fmt, args);
        va_end(args);
    }
    return code;
}

r1_status r1i_fail_at(r1_error *err, r1_status code, int64_t offset, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        set(err, code, offset, 0, fmt, args);
        va_end(args);
    }
    return code;
}

r1_status r1i_fail_errno(r1_error *err, int errnum, const char *fmt, ...)
{
    const r1_status code = errnum == ENOMEM ? R1_ERR_NOMEM : R1_ERR_IO;
    if (err) {
        va_list args;
        va_start(args, fmt);
        set(err, code, -1, errnum, fmt, args);
        va_end(args);
        const size_t used = strlen(err->message);
        char text[128];
        /* GNU strerror_r: thread safe, returns the text it chose */
        snprintf(err->message + used, sizeof err->message - used, ": %s", strerror_r(errnum, text, sizeof text));
    }
    return code;
}

void r1i_error_prefix(r1_error *err, const char *fmt, ...)
{
    if (!err) return;
    char old[sizeof err->message];
    memcpy(old, err->message, sizeof old);
    va_list args;
    va_start(args, fmt);
    const int n = vsnprintf(err->message, sizeof err->message, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof err->message) return;
    const size_t room = sizeof err->message - (size_t)n - 1, len = strnlen(old, sizeof old - 1);
    const size_t keep = len < room ? len : room;
    memcpy(err->message + n, old, keep);
    err->message[(size_t)n + keep] = '\0';
}

const char *r1_status_name(r1_status status)
{
    switch (status) {
    case R1_OK: return "ok";
    case R1_ERR_USAGE: return "usage error";
    case R1_ERR_FORMAT: return "format error";
    case R1_ERR_UNSUPPORTED: return "unsupported";
    case R1_ERR_SHAPE: return "shape error";
    case R1_ERR_RANGE: return "out of range";
    case R1_ERR_IO: return "input/output error";
    case R1_ERR_NOMEM: return "out of memory";
    case R1_ERR_MISSING: return "missing on this machine";
    case R1_ERR_STOPPED: return "stopped";
    case R1_ERR_BUG: return "internal error";
    }
    return "unknown status";
}

int r1_status_exit_code(r1_status status, const r1_error *err)
{
    switch (status) {
    case R1_OK:
    case R1_ERR_STOPPED: return 0;
    case R1_ERR_USAGE: return 2;
    case R1_ERR_FORMAT:
    case R1_ERR_UNSUPPORTED:
    case R1_ERR_SHAPE:
    case R1_ERR_RANGE: return 3;
    case R1_ERR_IO: /* a missing or unreadable input is the input's fault, a full disk the machine's */
        if (err && (err->sys_errno == ENOSPC || err->sys_errno == EFBIG || err->sys_errno == EDQUOT ||
                    err->sys_errno == EIO || err->sys_errno == EROFS || err->sys_errno == EMFILE ||
                    err->sys_errno == ENFILE))
            return 4;
        return 3;
    case R1_ERR_NOMEM:
    case R1_ERR_MISSING: return 4;
    case R1_ERR_BUG: return 1;
    }
    return 1;
}

void r1_free(void *p) { free(p); }

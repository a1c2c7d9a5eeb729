/* Filling and prefixing r1_error. r1i_fail returns its code so that an error path is one line. */
#ifndef R1I_ERROR_H
#define R1I_ERROR_H

#include "r1/base.h"

r1_status r1i_fail(r1_error *err, r1_status code, const char *fmt, ...) R1_PRINTF(3, 4);
/* As r1i_fail, with the first bad byte of the input. */
r1_status r1i_fail_at(r1_error *err, r1_status code, int64_t offset, const char *fmt, ...) R1_PRINTF(4, 5);
/* As r1i_fail, for a failed system call: code R1_ERR_IO (R1_ERR_NOMEM for ENOMEM), errno's text appended. */
r1_status r1i_fail_errno(r1_error *err, int errnum, const char *fmt, ...) R1_PRINTF(3, 4);
/* Put "<text>" before the message; a too long message loses its tail. Takes NULL. */
void r1i_error_prefix(r1_error *err, const char *fmt, ...) R1_PRINTF(2, 3);

#endif

/* Two runs that must have written the same bytes. */
#ifndef R1_SUPPORT_SAME_FILE_H
#define R1_SUPPORT_SAME_FILE_H

#include "base/file.h"
#include "support/test.h"

/* Fails the test where the files of this name in folders a and b differ. */
static inline void same_file(const char *a, const char *b, const char *name)
{
    char path[1000];
    uint8_t *x, *y;
    size_t n, m;
    r1_error err;
    snprintf(path, sizeof path, "%s/%s", a, name);
    if (r1i_file_read(path, 1 << 30, &x, &n, &err) != R1_OK) fail_msg("%s", err.message);
    snprintf(path, sizeof path, "%s/%s", b, name);
    if (r1i_file_read(path, 1 << 30, &y, &m, &err) != R1_OK) fail_msg("%s", err.message);
    if (n != m || memcmp(x, y, n) != 0) fail_msg("%s of %s and %s differ", name, a, b);
    r1_free(x);
    r1_free(y);
}

#endif

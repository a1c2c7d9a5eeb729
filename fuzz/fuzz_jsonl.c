/* Data sets in JSON lines, plain or compressed: through a file in memory, because the reader opens a path. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data/jsonl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    r1i_jsonl *in;
    r1_error err = {0};
    const int fd = memfd_create("jsonl", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    r1_status st = r1i_jsonl_open(path, &in, &err);
    int64_t line = 0, before = 0;
    for (json_t *row = NULL; st == R1_OK; before = line) {
        st = r1i_jsonl_next(in, &row, &line, &err);
        if (!row) break;
        if (st != R1_OK || !json_is_object(row) || line <= before) abort();
        json_decref(row);
    }
    if ((st == R1_OK) != (err.message[0] == 0)) abort();
    r1i_jsonl_close(in);
    close(fd);
    return 0;
}

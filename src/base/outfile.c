#include "base/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ATTEMPTS = 16 };

/* Closes it, with the error of `e`. The temporary stays: it is removed only by who holds its lock. */
static r1_status give_up(r1i_outfile *o, int e, r1_error *err)
{
    const r1_status st = r1i_fail_errno(err, e, e == EBUSY ? "%s: another process is writing it" : "%s", o->path);
    free(o->temporary);
    o->temporary = NULL;
    r1i_outfile_abort(o);
    return st;
}

/* The file that is locked must still be the one of that name: who wrote it before may have renamed it in the meantime,
 * and to cut it short then would destroy a finished file. */
static bool still_there(const r1i_outfile *o)
{
    struct stat mine, named;
    return fstat(o->fd, &mine) == 0 && stat(o->temporary, &named) == 0 && mine.st_dev == named.st_dev &&
        mine.st_ino == named.st_ino;
}

/* A temporary that a killed process left behind is taken over; one that is locked belongs to a process at work. */
static int open_temporary(r1i_outfile *o)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        o->fd = open(o->temporary, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (o->fd < 0) return errno;
        /* some network file systems have no locks: one writer at a time is then the user's business */
        if (flock(o->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return EBUSY;
        if (still_there(o)) return ftruncate(o->fd, 0) == 0 ? 0 : errno;
        close(o->fd);
        o->fd = -1;
    }
    return EBUSY;
}

r1_status r1i_outfile_open(const char *path, r1i_outfile *o, r1_error *err)
{
    struct stat s;
    const size_t n = strlen(path) + 5;
    /* renaming over a device or a pipe would replace it by a file */
    const bool direct = stat(path, &s) == 0 && !S_ISREG(s.st_mode);
    *o = (r1i_outfile){.path = strdup(path), .temporary = direct ? NULL : malloc(n), .fd = -1};
    if (!o->path || (!direct && !o->temporary)) {
        free(o->temporary);
        o->temporary = NULL;
        r1i_outfile_abort(o);
        return r1i_fail(err, R1_ERR_NOMEM, "%s", path);
    }
    int e = 0;
    if (direct) {
        o->fd = open(path, O_WRONLY | O_CLOEXEC);
        if (o->fd < 0) e = errno;
    } else {
        snprintf(o->temporary, n, "%s.tmp", path);
        e = open_temporary(o);
    }
    return e ? give_up(o, e, err) : R1_OK;
}

r1_status r1i_outfile_write(const r1i_outfile *o, const void *bytes, size_t size, r1_error *err)
{
    const uint8_t *p = bytes;
    while (size > 0) {
        const ssize_t n = write(o->fd, p, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return r1i_fail_errno(err, errno, "%s: writing", o->path);
        p += n;
        size -= (size_t)n;
    }
    return R1_OK;
}

r1_status r1i_outfile_write_at(const r1i_outfile *o, uint64_t offset, const void *bytes, size_t size, r1_error *err)
{
    const uint8_t *p = bytes;
    while (size > 0) {
        const ssize_t n = pwrite(o->fd, p, size, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return r1i_fail_errno(err, errno, "%s: writing", o->path);
        p += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return R1_OK;
}

/* The rename itself must reach the disk. File systems without that notion answer EINVAL: then there is nothing to do.
 * `path` is cut down to its folder. */
static void sync_folder(char *path)
{
    char *const slash = strrchr(path, '/');
    if (slash) slash[slash == path] = '\0';
    const int fd = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

r1_status r1i_outfile_commit(r1i_outfile *o, r1_error *err)
{
    int e = o->temporary && fsync(o->fd) != 0 ? errno : 0;
    /* renamed before it is closed: the lock goes with the descriptor */
    if (!e && o->temporary && rename(o->temporary, o->path) != 0) e = errno;
    if (!e && o->temporary) {
        sync_folder(o->temporary); /* its name is gone: it is the file now */
        free(o->temporary);
        o->temporary = NULL;
    }
    if (!e) { /* a device may report only here that it took nothing */
        if (close(o->fd) != 0) e = errno;
        o->fd = -1;
    }
    const r1_status st = e ? r1i_fail_errno(err, e, "%s: writing", o->path) : R1_OK;
    r1i_outfile_abort(o);
    return st;
}

void r1i_outfile_abort(r1i_outfile *o)
{
    if (o->temporary) unlink(o->temporary);
    if (o->fd >= 0) close(o->fd);
    free(o->temporary);
    free(o->path);
    *o = (r1i_outfile){.fd = -1};
}

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/outfile.h"

static r1_status open_regular(const char *path, int *fd, uint64_t *size, int64_t *mtime, r1_error *err)
{
    struct stat st;
    *size = 0;
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) return r1i_fail_errno(err, errno, "%s", path);
    if (fstat(*fd, &st) != 0) {
        const int e = errno;
        close(*fd);
        return r1i_fail_errno(err, e, "%s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        close(*fd);
        return r1i_fail_errno(err, S_ISDIR(st.st_mode) ? EISDIR : EINVAL, "%s", path);
    }
    *size = (uint64_t)st.st_size;
    if (mtime) *mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    return R1_OK;
}

r1_status r1i_file_read(const char *path, uint64_t max_bytes, uint8_t **out, size_t *size, r1_error *err)
{
    int fd;
    uint64_t want = 0;
    *out = NULL;
    *size = 0;
    const r1_status st = open_regular(path, &fd, &want, NULL, err);
    if (st != R1_OK) return st;
    if (want > max_bytes) {
        close(fd);
        return r1i_fail(err, R1_ERR_RANGE, "%s: %llu bytes, at most %llu expected", path, (unsigned long long)want,
                        (unsigned long long)max_bytes);
    }
    uint8_t *const p = malloc((size_t)want + 1);
    if (!p) {
        close(fd);
        return r1i_fail(err, R1_ERR_NOMEM, "%s: %llu bytes", path, (unsigned long long)want);
    }
    size_t got = 0;
    while (got < want) {
        const ssize_t n = read(fd, p + got, (size_t)want - got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            const int e = errno;
            close(fd);
            free(p);
            return r1i_fail_errno(err, e, "%s", path);
        }
        if (n == 0) break; /* shrank while we read: what is there is what we have */
        got += (size_t)n;
    }
    close(fd);
    p[got] = 0;
    *out = p;
    *size = got;
    return R1_OK;
}

r1_status r1i_map_open(const char *path, r1i_map *out, r1_error *err)
{
    int fd;
    *out = (r1i_map){0};
    const r1_status st = open_regular(path, &fd, &out->size, &out->mtime, err);
    if (st != R1_OK) return st;
    if (out->size > 0) {
        void *const p = mmap(NULL, (size_t)out->size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) {
            const int e = errno;
            close(fd);
            *out = (r1i_map){0};
            return r1i_fail_errno(err, e, "%s: mapping", path);
        }
        out->data = p;
    }
    close(fd);
    return R1_OK;
}

void r1i_map_close(r1i_map *map)
{
    if (map->data) munmap((void *)(uintptr_t)map->data, (size_t)map->size);
    *map = (r1i_map){0};
}

void r1i_map_release_pages(const r1i_map *map, uint64_t offset, uint64_t bytes)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    const uint64_t begin = (offset + page - 1) / page * page, end = (offset + bytes) / page * page;
    if (!map->data || begin >= end) return;
    madvise((void *)((uintptr_t)map->data + begin), (size_t)(end - begin), MADV_DONTNEED);
}

void r1i_map_want_huge_pages(const r1i_map *map)
{
    if (map->data) madvise((void *)(uintptr_t)map->data, (size_t)map->size, MADV_HUGEPAGE);
}

void r1i_map_want_pages(const r1i_map *map, uint64_t offset, uint64_t bytes)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), begin = offset / page * page;
    if (map->data && bytes > 0)
        madvise((void *)((uintptr_t)map->data + begin), (size_t)(offset + bytes - begin), MADV_WILLNEED);
}

r1_status r1i_file_write_atomic(const char *path, const void *bytes, size_t size, r1_error *err)
{
    r1i_outfile out;
    r1_status st = r1i_outfile_open(path, &out, err);
    if (st != R1_OK) return st;
    if ((st = r1i_outfile_write(&out, bytes, size, err)) == R1_OK) return r1i_outfile_commit(&out, err);
    r1i_outfile_abort(&out);
    return st;
}

bool r1i_file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool r1i_is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static r1_status make_folders(char *path, const char *named, r1_error *err)
{
    int e = *path ? 0 : ENOENT;
    for (char *p = path; *p && !e;) {
        p += strspn(p, "/");
        p += strcspn(p, "/");
        const char kept = *p;
        *p = 0;
        const int failed = mkdir(path, 0777) == 0 ? 0 : errno;
        if (failed && !r1i_is_directory(path)) e = failed == EEXIST ? ENOTDIR : failed;
        *p = kept;
    }
    return e ? r1i_fail_errno(err, e, "%s: the folder cannot be made", named) : R1_OK;
}

r1_status r1i_make_folders(const char *path, r1_error *err)
{
    char *const copy = strdup(path);
    const r1_status st = copy ? make_folders(copy, path, err) : r1i_fail(err, R1_ERR_NOMEM, "%s", path);
    free(copy);
    return st;
}

char *r1i_path_join(const char *dir, const char *name)
{
    const size_t n = strlen(dir) + strlen(name) + 2;
    char *const p = malloc(n);
    if (p) snprintf(p, n, "%s/%s", dir, name);
    return p;
}

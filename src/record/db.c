#include "record/db.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if R1_WITH_SQLITE
#include <sqlite3.h>

struct r1i_db {
    sqlite3 *handle;
    char *path;
};
struct r1i_rows {
    r1i_db *db;
    sqlite3_stmt *statement;
};

static r1_status fail(const r1i_db *db, int rc, r1_error *err)
{
    const char *const text = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc);
    const int system = db->handle ? sqlite3_system_errno(db->handle) : 0;
    r1_status st = R1_ERR_BUG;
    int number = 0;
    switch (rc & 0xff) {
    case SQLITE_NOMEM: st = R1_ERR_NOMEM; break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: st = R1_ERR_FORMAT; break;
    case SQLITE_FULL: st = R1_ERR_IO, number = ENOSPC; break;
    case SQLITE_READONLY:
    case SQLITE_PERM: st = R1_ERR_IO, number = system ? system : EACCES; break;
    case SQLITE_CANTOPEN: st = R1_ERR_IO, number = system ? system : ENOENT; break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: st = R1_ERR_IO, number = EBUSY; break;
    case SQLITE_IOERR: st = R1_ERR_IO, number = system ? system : EIO; break;
    default: break;
    }
    r1i_fail(err, st, "%s: %s%s%s", db->path, text, number ? ": " : "", number ? strerror(number) : "");
    if (err) err->sys_errno = number;
    return st;
}

void r1i_db_close(r1i_db *db)
{
    if (!db) return;
    sqlite3_close(db->handle);
    free(db->path);
    free(db);
}

r1_status r1i_db_exec(r1i_db *db, const char *sql, r1_error *err)
{
    const int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? R1_OK : fail(db, rc, err);
}

r1_status r1i_db_begin(r1i_db *db, r1_error *err) { return r1i_db_exec(db, "BEGIN IMMEDIATE", err); }
r1_status r1i_db_commit(r1i_db *db, r1_error *err) { return r1i_db_exec(db, "COMMIT", err); }

/* SQLite opens lazily: the first statement shows whether the file is a database that can be read. */
static r1_status probe(r1i_db *db, r1_error *err) { return r1i_db_exec(db, "SELECT count(*) FROM sqlite_schema", err); }

/* A database in write-ahead mode wants to write beside itself even for reading; where it may not, nobody else can be
 * writing either, and it is read as it lies. */
static r1_status open_immutable(r1i_db *db, r1_error *err)
{
    char *const real = realpath(db->path, NULL),
                *const uri = real ? sqlite3_mprintf("file:%s?immutable=1", real) : NULL;
    sqlite3_close(db->handle);
    db->handle = NULL;
    const int rc = uri ? sqlite3_open_v2(uri, &db->handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL)
        : SQLITE_CANTOPEN;
    free(real);
    sqlite3_free(uri);
    return rc == SQLITE_OK ? probe(db, err) : fail(db, rc, err);
}

r1_status r1i_db_open(const char *path, r1i_db_mode mode, r1i_db **out, r1_error *err)
{
    r1i_db *const db = calloc(1, sizeof *db);
    r1_status st;
    *out = NULL;
    if (!db || !(db->path = strdup(path))) {
        r1i_db_close(db);
        return r1i_fail(err, R1_ERR_NOMEM, "%s", path);
    }
    FILE *const there = fopen(path, "rb");
    if (there) fclose(there);
    if (mode == R1I_DB_CREATE ? there != NULL : there == NULL) {
        st = r1i_fail_errno(err, mode == R1I_DB_CREATE ? EEXIST : errno, "%s", path);
        r1i_db_close(db);
        return st;
    }
    const int flags = SQLITE_OPEN_READWRITE | (mode == R1I_DB_CREATE ? SQLITE_OPEN_CREATE : 0);
    const int rc = sqlite3_open_v2(path, &db->handle, flags, NULL);
    st = rc == SQLITE_OK ? R1_OK : fail(db, rc, err);
    if (st == R1_OK) {
        sqlite3_extended_result_codes(db->handle, 1);
        sqlite3_busy_timeout(db->handle, 10000);
        if (mode == R1I_DB_READ) st = probe(db, err);
        else st = r1i_db_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON", err);
    }
    if (mode == R1I_DB_READ && st == R1_ERR_IO) st = open_immutable(db, err);
    if (st == R1_OK) *out = db;
    else r1i_db_close(db);
    return st;
}

static int bind(sqlite3_stmt *s, const char *kinds, va_list *args)
{
    int rc = SQLITE_OK;
    for (int i = 1; *kinds && rc == SQLITE_OK; kinds++, i++) {
        if (*kinds == 'i') {
            rc = sqlite3_bind_int64(s, i, va_arg(*args, int64_t));
        } else if (*kinds == 'r') {
            rc = sqlite3_bind_double(s, i, va_arg(*args, double));
        } else if (*kinds == 't') {
            rc = sqlite3_bind_text(s, i, va_arg(*args, const char *), -1, SQLITE_STATIC);
        } else {
            const char *const p = va_arg(*args, const char *);
            const size_t n = va_arg(*args, size_t);
            rc = *kinds == 's' ? sqlite3_bind_text64(s, i, p ? p : "", n, SQLITE_STATIC, SQLITE_UTF8)
                               : sqlite3_bind_blob64(s, i, p ? p : "", n, SQLITE_STATIC);
        }
    }
    return rc;
}

r1_status r1i_db_run(r1i_db *db, r1_error *err, const char *sql, const char *kinds, ...)
{
    sqlite3_stmt *s = NULL;
    va_list args;
    va_start(args, kinds);
    int rc = sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL);
    if (rc == SQLITE_OK) rc = bind(s, kinds, &args);
    va_end(args);
    if (rc == SQLITE_OK) {
        do rc = sqlite3_step(s);
        while (rc == SQLITE_ROW);
        if (rc == SQLITE_DONE) rc = SQLITE_OK;
    }
    const r1_status st = rc == SQLITE_OK ? R1_OK : fail(db, rc, err);
    sqlite3_finalize(s);
    return st;
}

r1_status r1i_db_query(r1i_db *db, r1i_rows **out, r1_error *err, const char *sql, const char *kinds, ...)
{
    r1i_rows *const r = calloc(1, sizeof *r);
    va_list args;
    *out = NULL;
    if (!r) return r1i_fail(err, R1_ERR_NOMEM, "query");
    r->db = db;
    va_start(args, kinds);
    int rc = sqlite3_prepare_v2(db->handle, sql, -1, &r->statement, NULL);
    if (rc == SQLITE_OK) rc = bind(r->statement, kinds, &args);
    va_end(args);
    if (rc == SQLITE_OK) {
        *out = r;
        return R1_OK;
    }
    const r1_status st = fail(db, rc, err);
    r1i_rows_close(r);
    return st;
}

r1_status r1i_rows_next(r1i_rows *rows, bool *more, r1_error *err)
{
    const int rc = sqlite3_step(rows->statement);
    *more = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? R1_OK : fail(rows->db, rc, err);
}

int64_t r1i_rows_int(r1i_rows *rows, int column) { return sqlite3_column_int64(rows->statement, column); }
double r1i_rows_real(r1i_rows *rows, int column) { return sqlite3_column_double(rows->statement, column); }

const char *r1i_rows_text(r1i_rows *rows, int column, size_t *bytes)
{
    const unsigned char *const p = sqlite3_column_text(rows->statement, column);
    if (bytes) *bytes = p ? (size_t)sqlite3_column_bytes(rows->statement, column) : 0;
    return p ? (const char *)p : "";
}

const void *r1i_rows_blob(r1i_rows *rows, int column, size_t *bytes)
{
    const void *const p = sqlite3_column_blob(rows->statement, column);
    *bytes = p ? (size_t)sqlite3_column_bytes(rows->statement, column) : 0;
    return p;
}

void r1i_rows_close(r1i_rows *rows)
{
    if (!rows) return;
    sqlite3_finalize(rows->statement);
    free(rows);
}
#else
/* Without SQLite nothing can be opened, so that nothing else is ever reached. */
r1_status r1i_db_open(const char *path, r1i_db_mode mode, r1i_db **out, r1_error *err)
{
    (void)mode;
    *out = NULL;
    return r1i_fail(err, R1_ERR_MISSING, "%s: this program was built without SQLite, which keeps the records of runs",
                    path);
}
static r1_status absent(r1_error *err) { return r1i_fail(err, R1_ERR_BUG, "no database can be open"); }
void r1i_db_close(r1i_db *db) { (void)db; }
r1_status r1i_db_exec(r1i_db *db, const char *sql, r1_error *err) { return (void)db, (void)sql, absent(err); }
r1_status r1i_db_begin(r1i_db *db, r1_error *err) { return (void)db, absent(err); }
r1_status r1i_db_commit(r1i_db *db, r1_error *err) { return (void)db, absent(err); }
r1_status r1i_db_run(r1i_db *db, r1_error *err, const char *sql, const char *kinds, ...)
{
    return (void)db, (void)sql, (void)kinds, absent(err);
}
r1_status r1i_db_query(r1i_db *db, r1i_rows **out, r1_error *err, const char *sql, const char *kinds, ...)
{
    (void)db, (void)sql, (void)kinds;
    *out = NULL;
    return absent(err);
}
r1_status r1i_rows_next(r1i_rows *rows, bool *more, r1_error *err) { return (void)rows, *more = false, absent(err); }
int64_t r1i_rows_int(r1i_rows *rows, int column) { return (void)rows, (void)column, 0; }
double r1i_rows_real(r1i_rows *rows, int column) { return (void)rows, (void)column, 0; }
const char *r1i_rows_text(r1i_rows *rows, int column, size_t *bytes)
{
    (void)rows, (void)column;
    if (bytes) *bytes = 0;
    return "";
}
const void *r1i_rows_blob(r1i_rows *rows, int column, size_t *bytes)
{
    return (void)rows, (void)column, *bytes = 0, NULL;
}
void r1i_rows_close(r1i_rows *rows) { (void)rows; }
#endif

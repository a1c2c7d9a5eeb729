/* A small face over SQLite, the one place that includes it: open, transactions, and statements whose arguments are
 * described by a string of letters. A run keeps everything it must not lose in one such file. */
#ifndef R1I_DB_H
#define R1I_DB_H

#include "base/error.h"

typedef struct r1i_db r1i_db; /* one thread at a time */

typedef enum r1i_db_mode { R1I_DB_CREATE, R1I_DB_WRITE, R1I_DB_READ } r1i_db_mode;

/* Write-ahead logging; every commit survives the death of the process. CREATE: the file must not exist. WRITE: it must.
 * READ: it must; a folder that cannot be written is read all the same. R1_ERR_IO (sys_errno); R1_ERR_FORMAT: not a
 * database, or a damaged one; R1_ERR_MISSING: this build lacks SQLite. Messages are prefixed with the path. */
r1_status r1i_db_open(const char *path, r1i_db_mode mode, r1i_db **out, r1_error *err);
void r1i_db_close(r1i_db *db); /* takes NULL; an open transaction is rolled back */

/* One or more statements without results. */
r1_status r1i_db_exec(r1i_db *db, const char *sql, r1_error *err);
r1_status r1i_db_begin(r1i_db *db, r1_error *err);
r1_status r1i_db_commit(r1i_db *db, r1_error *err);

/* One statement with its arguments, a letter each: i int64_t, r double, t const char * (NULL: null), s const char * and
 * size_t (text of any bytes), b const void * and size_t. */
r1_status r1i_db_run(r1i_db *db, r1_error *err, const char *sql, const char *kinds, ...);

/* A query: `while ((st = r1i_rows_next(rows, &more, err)) == R1_OK && more)`. Columns from 0; texts and blobs live
 * until the next row. */
typedef struct r1i_rows r1i_rows;
r1_status r1i_db_query(r1i_db *db, r1i_rows **out, r1_error *err, const char *sql, const char *kinds, ...);
r1_status r1i_rows_next(r1i_rows *rows, bool *more, r1_error *err);
int64_t r1i_rows_int(r1i_rows *rows, int column);
double r1i_rows_real(r1i_rows *rows, int column);
const char *r1i_rows_text(r1i_rows *rows, int column, size_t *bytes); /* "" for null; bytes nullable */
const void *r1i_rows_blob(r1i_rows *rows, int column, size_t *bytes);
void r1i_rows_close(r1i_rows *rows); /* takes NULL */

#endif

#include "record/step_store.h"

#include <stdlib.h>

#include "base/file.h"

static r1_status open_db(const char *dir, bool write, r1i_db **out, r1_error *err)
{
    char *const path = r1i_path_join(dir, "run.db");
    *out = NULL;
    if (!path) return r1i_fail(err, R1_ERR_NOMEM, "%s/run.db", dir);
    const r1i_db_mode mode = !write ? R1I_DB_READ : r1i_file_exists(path) ? R1I_DB_WRITE : R1I_DB_CREATE;
    const r1_status st = r1i_db_open(path, mode, out, err);
    free(path);
    return st;
}

r1_status r1i_step_store_open(const char *dir, int64_t last, r1i_db **out, r1_error *err)
{
    r1_status st = open_db(dir, true, out, err);
    if (st == R1_OK)
        st = r1i_db_exec(*out,
                         "CREATE TABLE IF NOT EXISTS step (step INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, tokens INTEGER NOT NULL, targets INTEGER NOT NULL, "
                         "loss REAL NOT NULL, mtp_loss REAL NOT NULL, balance_loss REAL NOT NULL, learning_rate REAL NOT NULL, gradient_norm REAL NOT NULL, "
                         "load_spread REAL NOT NULL, seconds REAL NOT NULL) STRICT",
                         err);
    if (st == R1_OK) st = r1i_db_run(*out, err, "DELETE FROM step WHERE step > ?", "i", last);
    if (st != R1_OK) {
        r1i_db_close(*out);
        *out = NULL;
    }
    return st;
}

r1_status r1i_step_store_add(r1i_db *db, const r1i_step_row *r, r1_error *err)
{
    return r1i_db_run(db, err, "INSERT OR REPLACE INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "iiiirrrrrrr", r->step, r->epoch, r->tokens, r->targets,
                      r->loss, r->mtp_loss, r->balance_loss, r->learning_rate, r->gradient_norm, r->load_spread, r->seconds);
}

static r1_status read_rows(r1i_db *db, r1i_step_row **out, size_t *n, r1_error *err)
{
    r1i_rows *rows;
    bool more;
    size_t room = 0;
    r1_status st = r1i_db_query(db, &rows, err,
                                "SELECT step, epoch, tokens, targets, loss, mtp_loss, balance_loss, learning_rate, gradient_norm, load_spread, seconds FROM step ORDER BY step",
                                "");
    if (st != R1_OK) return st;
    while ((st = r1i_rows_next(rows, &more, err)) == R1_OK && more) {
        if (*n == room) {
            room = 2 * room + 256;
            r1i_step_row *const bigger = realloc(*out, room * sizeof *bigger);
            if (!bigger) {
                st = r1i_fail(err, R1_ERR_NOMEM, "%zu steps", *n);
                break;
            }
            *out = bigger;
        }
        (*out)[(*n)++] = (r1i_step_row){.step = r1i_rows_int(rows, 0), .epoch = r1i_rows_int(rows, 1), .tokens = r1i_rows_int(rows, 2), .targets = r1i_rows_int(rows, 3),
                                        .loss = r1i_rows_real(rows, 4), .mtp_loss = r1i_rows_real(rows, 5), .balance_loss = r1i_rows_real(rows, 6),
                                        .learning_rate = r1i_rows_real(rows, 7), .gradient_norm = r1i_rows_real(rows, 8), .load_spread = r1i_rows_real(rows, 9),
                                        .seconds = r1i_rows_real(rows, 10)};
    }
    r1i_rows_close(rows);
    return st;
}

r1_status r1i_step_store_read(const char *dir, r1i_step_row **out, size_t *n, r1_error *err)
{
    r1i_db *db;
    *out = NULL;
    *n = 0;
    r1_status st = open_db(dir, false, &db, err);
    if (st != R1_OK) return st;
    st = read_rows(db, out, n, err);
    r1i_db_close(db);
    if (st != R1_OK) {
        free(*out);
        *out = NULL;
    }
    return st;
}

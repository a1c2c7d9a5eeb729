#include "record/step_store.h"

#include <stdio.h>
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
                         "load_spread REAL NOT NULL, seconds REAL NOT NULL) STRICT;"
                         "CREATE TABLE IF NOT EXISTS evaluation (step INTEGER NOT NULL, task TEXT NOT NULL, prompts INTEGER NOT NULL, samples INTEGER NOT NULL, "
                         "correct INTEGER NOT NULL, truncated INTEGER NOT NULL, tokens INTEGER NOT NULL, pass_at_1 REAL NOT NULL, lo REAL NOT NULL, hi REAL NOT NULL, "
                         "seconds REAL NOT NULL, PRIMARY KEY(step, task)) STRICT, WITHOUT ROWID",
                         err);
    if (st == R1_OK) st = r1i_db_run(*out, err, "DELETE FROM step WHERE step > ?", "i", last);
    if (st == R1_OK) st = r1i_db_run(*out, err, "DELETE FROM evaluation WHERE step > ?", "i", last);
    if (st != R1_OK) {
        r1i_db_close(*out);
        *out = NULL;
    }
    return st;
}

r1_status r1i_step_store_add(r1i_db *db, const r1i_step_row *r, r1_error *err)
{
    return r1i_db_run(db, err, "INSERT OR REPLACE INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "iiiirrrrrrr",
                      r->step, r->epoch, r->tokens, r->targets, r->loss, r->mtp_loss, r->balance_loss, r->learning_rate,
                      r->gradient_norm, r->load_spread, r->seconds);
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
        (*out)[(*n)++] = (r1i_step_row){.step = r1i_rows_int(rows, 0), .epoch = r1i_rows_int(rows, 1),
                                        .tokens = r1i_rows_int(rows, 2), .targets = r1i_rows_int(rows, 3),
                                        .loss = r1i_rows_real(rows, 4), .mtp_loss = r1i_rows_real(rows, 5),
                                        .balance_loss = r1i_rows_real(rows, 6), .learning_rate = r1i_rows_real(rows, 7),
                                        .gradient_norm = r1i_rows_real(rows, 8), .load_spread = r1i_rows_real(rows, 9),
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

/* ---- evaluations ------------------------------------------------------------------------------------------------- */

r1_status r1i_step_store_add_evaluation(r1i_db *db, const r1i_evaluation_row *r, r1_error *err)
{
    return r1i_db_run(db, err, "INSERT OR REPLACE INTO evaluation VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      "itiiiiirrrr", r->step, r->task, r->prompts, r->samples, r->correct, r->truncated, r->tokens,
                      r->pass_at_1, r->lo, r->hi, r->seconds);
}

r1_status r1i_step_store_has_evaluation(r1i_db *db, int64_t step, const char *task, bool *has, r1_error *err)
{
    r1i_rows *rows;
    r1_status st = r1i_db_query(db, &rows, err, "SELECT 1 FROM evaluation WHERE step = ? AND task = ?", "it", step,
                                task);
    *has = false;
    if (st != R1_OK) return st;
    st = r1i_rows_next(rows, has, err);
    r1i_rows_close(rows);
    return st;
}

static r1_status read_evaluations(r1i_db *db, r1i_evaluation_row **out, size_t *n, r1_error *err)
{
    r1i_rows *rows;
    bool more = false;
    r1_status st = r1i_db_query(db, &rows, err,
                                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'evaluation'", "");
    if (st != R1_OK) return st;
    st = r1i_rows_next(rows, &more, err);
    r1i_rows_close(rows);
    if (st != R1_OK || !more) return st;
    st = r1i_db_query(db, &rows, err,
                      "SELECT step, task, prompts, samples, correct, truncated, tokens, pass_at_1, lo, hi, seconds FROM evaluation ORDER BY task, step", "");
    if (st != R1_OK) return st;
    while ((st = r1i_rows_next(rows, &more, err)) == R1_OK && more) {
        r1i_evaluation_row *const bigger = realloc(*out, (*n + 1) * sizeof *bigger);
        if (!bigger) {
            st = r1i_fail(err, R1_ERR_NOMEM, "%zu evaluations", *n);
            break;
        }
        r1i_evaluation_row *const r = &(*out = bigger)[(*n)++];
        *r = (r1i_evaluation_row){.step = r1i_rows_int(rows, 0), .prompts = r1i_rows_int(rows, 2),
                                  .samples = r1i_rows_int(rows, 3), .correct = r1i_rows_int(rows, 4),
                                  .truncated = r1i_rows_int(rows, 5), .tokens = r1i_rows_int(rows, 6),
                                  .pass_at_1 = r1i_rows_real(rows, 7), .lo = r1i_rows_real(rows, 8),
                                  .hi = r1i_rows_real(rows, 9), .seconds = r1i_rows_real(rows, 10)};
        snprintf(r->task, sizeof r->task, "%s", r1i_rows_text(rows, 1, NULL));
    }
    r1i_rows_close(rows);
    return st;
}

r1_status r1i_step_store_read_evaluations(const char *dir, r1i_evaluation_row **out, size_t *n, r1_error *err)
{
    r1i_db *db;
    *out = NULL;
    *n = 0;
    r1_status st = open_db(dir, false, &db, err);
    if (st != R1_OK) return st;
    st = read_evaluations(db, out, n, err);
    r1i_db_close(db);
    if (st != R1_OK) {
        free(*out);
        *out = NULL;
    }
    return st;
}

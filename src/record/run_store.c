#include "record/run_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

struct r1i_run_store {
    r1i_db *db;
    int lock;
};

/* Each step brings a record from version i to i + 1; steps are added, never changed. */
static const char *const migrations[] = {
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE task(task INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, definition TEXT NOT NULL, task_hash TEXT NOT NULL,"
    " data_hash TEXT NOT NULL, prompts INTEGER NOT NULL, samples INTEGER NOT NULL) STRICT;"
    "CREATE TABLE prompt(task INTEGER NOT NULL REFERENCES task, prompt INTEGER NOT NULL, line INTEGER NOT NULL, row_id TEXT NOT NULL,"
    " subject TEXT NOT NULL, question TEXT NOT NULL, gold TEXT NOT NULL, hash TEXT NOT NULL, ids_hash TEXT NOT NULL, tokens INTEGER NOT NULL,"
    " thinking_open INTEGER NOT NULL, PRIMARY KEY(task, prompt)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE sample(task INTEGER NOT NULL, prompt INTEGER NOT NULL, sample INTEGER NOT NULL, prompt_hash TEXT NOT NULL,"
    " seed INTEGER NOT NULL, ids BLOB NOT NULL, text TEXT NOT NULL, tokens INTEGER NOT NULL, finish TEXT NOT NULL,"
    " PRIMARY KEY(task, prompt, sample), FOREIGN KEY(task, prompt) REFERENCES prompt) STRICT;"
    "CREATE TABLE grading(grading INTEGER PRIMARY KEY, program TEXT NOT NULL) STRICT;"
    "CREATE TABLE verdict(grading INTEGER NOT NULL REFERENCES grading, task INTEGER NOT NULL, prompt INTEGER NOT NULL,"
    " sample INTEGER NOT NULL, score REAL NOT NULL, correct INTEGER NOT NULL, extracted INTEGER NOT NULL, answer TEXT NOT NULL,"
    " reason TEXT NOT NULL, PRIMARY KEY(task, prompt, sample, grading),"
    " FOREIGN KEY(task, prompt, sample) REFERENCES sample) STRICT, WITHOUT ROWID;"
    "CREATE TABLE missing(task INTEGER NOT NULL, prompt INTEGER NOT NULL, sample INTEGER NOT NULL, reason TEXT NOT NULL,"
    " PRIMARY KEY(task, prompt, sample)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE timing(task INTEGER NOT NULL, prompt INTEGER NOT NULL, sample INTEGER NOT NULL, queue_seconds REAL NOT NULL,"
    " prefill_seconds REAL NOT NULL, decode_seconds REAL NOT NULL, finished_at INTEGER NOT NULL,"
    " PRIMARY KEY(task, prompt, sample)) STRICT, WITHOUT ROWID;",
};
enum { VERSION = (int)(sizeof migrations / sizeof *migrations) };

static r1_status migrate(r1i_db *db, bool may_write, r1_error *err)
{
    r1i_rows *rows;
    bool more = false;
    r1_status st = r1i_db_query(db, &rows, err, "PRAGMA user_version", "");
    if (st != R1_OK) return st;
    st = r1i_rows_next(rows, &more, err);
    const int64_t version = more ? r1i_rows_int(rows, 0) : 0;
    r1i_rows_close(rows);
    if (st != R1_OK) return st;
    if (version > VERSION)
        return r1i_fail(err, R1_ERR_UNSUPPORTED, "the record has version %lld, this program knows up to %d",
                        (long long)version, VERSION);
    if (version < VERSION && !may_write)
        return r1i_fail(err, R1_ERR_FORMAT, "not a record of a run (version %lld)", (long long)version);
    for (int64_t v = version; v < VERSION && st == R1_OK; v++) {
        char set[64];
        snprintf(set, sizeof set, "PRAGMA user_version = %lld", (long long)v + 1);
        if ((st = r1i_db_begin(db, err)) == R1_OK && (st = r1i_db_exec(db, migrations[v], err)) == R1_OK &&
            (st = r1i_db_exec(db, set, err)) == R1_OK)
            st = r1i_db_commit(db, err);
    }
    return st;
}

/* Two writers of one run would interleave: the second is told. The lock goes with the process, however it ends. */
static r1_status lock_folder(const char *dir, r1i_run_store *s, r1_error *err)
{
    char *const path = r1i_path_join(dir, "lock");
    if (!path) return r1i_fail(err, R1_ERR_NOMEM, "%s", dir);
    r1_status st = R1_OK;
    s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (s->lock < 0) st = r1i_fail_errno(err, errno, "%s", path);
    else if (flock(s->lock, LOCK_EX | LOCK_NB) != 0)
        st = r1i_fail(err, R1_ERR_USAGE, "%s: another process is writing this run", dir);
    free(path);
    return st;
}

void r1i_run_store_close(r1i_run_store *s)
{
    if (!s) return;
    r1i_db_close(s->db);
    if (s->lock >= 0) close(s->lock);
    free(s);
}

static const char *mode_problem(r1i_run_store_mode mode, bool there)
{
    if (mode == R1I_RUN_STORE_NEW)
        return there ? "already holds a run; --resume continues it, or name another folder" : NULL;
    return there ? NULL : "holds no run (there is no run.db in it)";
}

r1_status r1i_run_store_open(const char *dir, r1i_run_store_mode mode, r1i_run_store **out, r1_error *err)
{
    r1_status st = R1_OK;
    *out = NULL;
    r1i_run_store *const s = calloc(1, sizeof *s);
    char *const path = r1i_path_join(dir, "run.db");
    if (s) s->lock = -1;
    if (!s || !path) {
        st = r1i_fail(err, R1_ERR_NOMEM, "%s", dir);
        goto done;
    }
    if (mode == R1I_RUN_STORE_NEW && (st = r1i_make_folders(dir, err)) != R1_OK) goto done;
    const bool there = r1i_file_exists(path);
    const char *const problem = mode_problem(mode, there);
    if (problem) {
        st = r1i_fail(err, mode == R1I_RUN_STORE_NEW ? R1_ERR_USAGE : R1_ERR_IO, "%s: %s", dir, problem);
        if (err && st == R1_ERR_IO) err->sys_errno = ENOENT;
        goto done;
    }
    if (mode != R1I_RUN_STORE_READ && (st = lock_folder(dir, s, err)) != R1_OK) goto done;
    st = r1i_db_open(path,
                     mode == R1I_RUN_STORE_NEW ? R1I_DB_CREATE : mode == R1I_RUN_STORE_RESUME ? R1I_DB_WRITE
                     : R1I_DB_READ, &s->db, err);
    if (st == R1_OK && (st = migrate(s->db, mode != R1I_RUN_STORE_READ, err)) != R1_OK)
        r1i_error_prefix(err, "%s: ", dir);
done:
    free(path);
    if (st == R1_OK) *out = s;
    else r1i_run_store_close(s);
    return st;
}

r1i_db *r1i_run_store_db(r1i_run_store *s) { return s->db; }

r1_status r1i_run_store_get(r1i_run_store *s, const char *key, char **value, r1_error *err)
{
    r1i_rows *rows;
    bool more;
    *value = NULL;
    r1_status st = r1i_db_query(s->db, &rows, err, "SELECT value FROM meta WHERE key = ?", "t", key);
    if (st != R1_OK) return st;
    st = r1i_rows_next(rows, &more, err);
    if (st == R1_OK && more && !(*value = strdup(r1i_rows_text(rows, 0, NULL))))
        st = r1i_fail(err, R1_ERR_NOMEM, "%s", key);
    r1i_rows_close(rows);
    return st;
}

r1_status r1i_run_store_set(r1i_run_store *s, const char *key, const char *value, r1_error *err)
{
    return r1i_db_run(s->db, err, "INSERT INTO meta VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
                      "tt", key, value);
}

r1_status r1i_run_store_add_task(r1i_run_store *s, const r1i_task_row *t, r1_error *err)
{
    return r1i_db_run(s->db, err, "INSERT INTO task VALUES(?, ?, ?, ?, ?, ?, ?)", "ittttii", t->task, t->name,
                      t->definition, t->task_hash, t->data_hash, t->prompts, t->samples);
}

r1_status r1i_run_store_add_prompt(r1i_run_store *s, const r1i_prompt_row *p, r1_error *err)
{
    return r1i_db_run(s->db, err, "INSERT INTO prompt VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "iiittssttii", p->task,
                      p->prompt, p->line, p->row_id, p->subject, p->question, p->question_bytes, p->gold, p->gold_bytes,
                      p->hash, p->ids_hash, p->tokens, (int64_t)p->thinking_open);
}

r1_status r1i_run_store_add_sample(r1i_run_store *s, const r1i_sample_row *r, r1_error *err)
{
    r1_status st = r1i_db_run(s->db, err, "INSERT INTO sample VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", "iiitibsit", r->task,
                              r->prompt, r->sample, r->prompt_hash, (int64_t)r->seed, (const void *)r->ids,
                              r->n_ids * sizeof *r->ids, r->text, r->text_bytes, r->tokens, r->finish);
    if (st == R1_OK)
        st = r1i_db_run(s->db, err, "INSERT INTO verdict VALUES(0, ?, ?, ?, ?, ?, ?, ?, ?)", "iiiriitt", r->task,
                        r->prompt, r->sample, r->score, (int64_t)r->correct, (int64_t)r->extracted, r->answer,
                        r->reason);
    if (st == R1_OK)
        st = r1i_db_run(s->db, err, "INSERT INTO timing VALUES(?, ?, ?, ?, ?, ?, ?)", "iiirrri", r->task, r->prompt,
                        r->sample, r->queue_seconds, r->prefill_seconds, r->decode_seconds, (int64_t)time(NULL));
    if (st == R1_OK)
        st = r1i_db_run(s->db, err, "DELETE FROM missing WHERE task = ? AND prompt = ? AND sample = ?", "iii", r->task,
                        r->prompt, r->sample);
    return st;
}

r1_status r1i_run_store_add_missing(r1i_run_store *s, int64_t task, int64_t prompt, int64_t sample, const char *reason,
                                    r1_error *err)
{
    return r1i_db_run(s->db, err, "INSERT OR REPLACE INTO missing VALUES(?, ?, ?, ?)", "iiit", task, prompt, sample,
                      reason);
}

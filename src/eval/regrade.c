/* Recorded samples graded anew, without a model: a better grader, or a doubt, must not cost the samples. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "eval/examiner.h"
#include "record/run_store.h"

typedef struct regrade {
    r1i_db *db;
    int64_t grading;           /* the new one's number */
    const r1_endpoint *judge;
    const r1_env *env;
    void (*on_change)(void *user, const r1_regrade_change *change);
    void *user;
    r1_regrade_counts counts;
    int64_t max_tokens;
} regrade;

static const char samples_sql[] =
    "SELECT s.prompt, s.sample, s.text, s.tokens, s.finish, p.question, p.gold, p.thinking_open, p.row_id, v.correct, v.answer, v.reason, v.score "
    "FROM sample s JOIN prompt p ON p.task = s.task AND p.prompt = s.prompt "
    "JOIN verdict v ON v.task = s.task AND v.prompt = s.prompt AND v.sample = s.sample AND v.grading = (SELECT max(grading) FROM verdict w "
    "WHERE w.task = s.task AND w.prompt = s.prompt AND w.sample = s.sample) WHERE s.task = ? ORDER BY s.prompt, s.sample";

static void compare(regrade *g, const char *task, r1i_rows *rows, const r1_verdict *v)
{
    const bool was = r1i_rows_int(rows, 9) != 0;
    g->counts.samples++;
    if (was == v->correct) {
        g->counts.other += strcmp(r1i_rows_text(rows, 10, NULL), v->answer) != 0 ||
            strcmp(r1i_rows_text(rows, 11, NULL), v->reason) != 0 || r1i_rows_real(rows, 12) != v->score;
        return;
    }
    if (v->correct) g->counts.became_right++;
    else g->counts.became_wrong++;
    if (g->on_change)
        g->on_change(g->user,
                     &(r1_regrade_change){.task = task, .row_id = r1i_rows_text(rows, 8, NULL),
                                          .sample = r1i_rows_int(rows, 1), .was = was, .is = v->correct,
                                          .answer = v->answer, .was_reason = r1i_rows_text(rows, 11, NULL),
                                          .reason = v->reason});
}

static r1_status one(regrade *g, int64_t number, const char *task, r1i_examiner *x, r1i_rows *rows, r1_error *err)
{
    r1_verdict v;
    r1_sample s = {.thinking_open = r1i_rows_int(rows, 7) != 0,
                   .truncated = strcmp(r1i_rows_text(rows, 4, NULL), "length") == 0, .tokens = r1i_rows_int(rows, 3),
                   .max_tokens = g->max_tokens};
    s.completion = r1i_rows_text(rows, 2, &s.completion_bytes);
    s.prompt = r1i_rows_text(rows, 5, &s.prompt_bytes);
    s.gold = r1i_rows_text(rows, 6, &s.gold_bytes);
    r1_status st = r1i_examiner_grade(x, &s, &v, err);
    if (st == R1_OK)
        st = r1i_db_run(g->db, err, "INSERT INTO verdict VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", "iiiiriitt", g->grading,
                        number, r1i_rows_int(rows, 0), r1i_rows_int(rows, 1), v.score, (int64_t)v.correct,
                        (int64_t)v.extracted, v.answer, v.reason);
    if (st == R1_OK) compare(g, task, rows, &v);
    return st;
}

static r1_status one_task(regrade *g, int64_t number, const char *name, const json_t *definition, r1_error *err)
{
    r1i_examiner *x;
    r1i_rows *rows = NULL;
    bool more = false;
    const char *const grader = json_string_value(json_object_get(definition, "grader"));
    if (!grader) return r1i_fail(err, R1_ERR_FORMAT, "task %s: the record names no grader", name);
    r1_status st = r1i_examiner_create(name, grader, json_string_value(json_object_get(definition, "options")),
                                       g->judge, g->env, &x, err);
    if (st != R1_OK) return st;
    st = r1i_db_query(g->db, &rows, err, samples_sql, "i", number);
    while (st == R1_OK && (st = r1i_rows_next(rows, &more, err)) == R1_OK && more)
        st = one(g, number, name, x, rows, err);
    r1i_rows_close(rows);
    r1i_examiner_destroy(x);
    return st;
}

static r1_status next_grading(regrade *g, r1_error *err)
{
    r1i_rows *rows;
    bool more = false;
    r1_status st = r1i_db_query(g->db, &rows, err, "SELECT coalesce(max(grading), -1) + 1 FROM grading", "");
    if (st == R1_OK && (st = r1i_rows_next(rows, &more, err)) == R1_OK) g->grading = r1i_rows_int(rows, 0);
    r1i_rows_close(rows);
    return st == R1_OK ? r1i_db_run(g->db, err, "INSERT INTO grading VALUES(?, ?)", "it", g->grading, r1_version())
        : st;
}

static r1_status read_max_tokens(r1i_run_store *s, regrade *g, r1_error *err)
{
    char *text;
    json_t *settings = NULL;
    r1_status st = r1i_run_store_get(s, "settings", &text, err);
    if (st == R1_OK && !text)
        st = r1i_fail(err, R1_ERR_FORMAT, "this run is no evaluation, or was killed before it had begun");
    if (st == R1_OK) st = r1i_json_parse(text, strlen(text), &settings, err);
    g->max_tokens = json_integer_value(json_object_get(settings, "max-tokens"));
    json_decref(settings);
    free(text);
    return st;
}

/* One transaction: a regrading is there as a whole or not at all. */
r1_status r1_eval_regrade(const char *run, const r1_endpoint *judge, const r1_env *env,
                          void (*on_change)(void *user, const r1_regrade_change *change), void *user,
                          r1_regrade_counts *counts, r1_error *err)
{
    regrade g = {.judge = judge, .env = env, .on_change = on_change, .user = user};
    r1i_run_store *s;
    r1i_rows *rows = NULL;
    bool more = false;
    *counts = (r1_regrade_counts){0};
    r1_status st = r1i_run_store_open(run, R1I_RUN_STORE_RESUME, &s, err);
    if (st != R1_OK) return st;
    g.db = r1i_run_store_db(s);
    st = read_max_tokens(s, &g, err);
    if (st == R1_OK) st = r1i_db_begin(g.db, err);
    if (st == R1_OK) st = next_grading(&g, err);
    if (st == R1_OK) st = r1i_db_query(g.db, &rows, err, "SELECT task, name, definition FROM task ORDER BY task", "");
    while (st == R1_OK && (st = r1i_rows_next(rows, &more, err)) == R1_OK && more) {
        json_t *definition;
        size_t n;
        const char *const text = r1i_rows_text(rows, 2, &n);
        if ((st = r1i_json_parse(text, n, &definition, err)) == R1_OK)
            st = one_task(&g, r1i_rows_int(rows, 0), r1i_rows_text(rows, 1, NULL), definition, err);
        json_decref(definition);
    }
    r1i_rows_close(rows);
    if (st == R1_OK) st = r1i_db_commit(g.db, err);
    r1i_run_store_close(s); /* rolls back what was not committed */
    if (st != R1_OK) r1i_error_prefix(err, "%s: ", run);
    else *counts = g.counts;
    return st;
}

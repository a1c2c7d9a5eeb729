#include "eval/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"

static void free_task(r1i_task_tally *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->prompt[i].key);
        free(t->prompt[i].subject);
        free(t->prompt[i].class);
        free(t->prompt[i].right);
    }
    free(t->prompt);
    free(t->length);
    free(t->name);
    free(t->task_hash);
    free(t->data_hash);
    json_decref(t->reasons);
    json_decref(t->missing);
}

void r1i_run_tally_free(r1i_run_tally *t)
{
    for (size_t i = 0; i < t->n; i++) free_task(&t->task[i]);
    free(t->task);
    free(t->model);
    json_decref(t->settings);
    *t = (r1i_run_tally){0};
}

static void count(json_t *counts, const char *text) /* invalid UTF-8 is counted nowhere: verdicts hold none */
{
    json_object_set_new(counts, text, json_integer(json_integer_value(json_object_get(counts, text)) + 1));
}

/* ---- classes of answers ------------------------------------------------------------------------------------------ */

/* The samples of one prompt, held while its classes are made. */
typedef struct held {
    char *text, *answer;
    size_t text_bytes;
    bool correct, extracted;
} held;
typedef struct group {
    held *item;
    size_t n, cap;
    char *question, *gold;
    size_t question_bytes, gold_bytes;
    bool thinking_open;
} group;

static void empty_group(group *g)
{
    for (size_t i = 0; i < g->n; i++) {
        free(g->item[i].text);
        free(g->item[i].answer);
    }
    g->n = 0;
}

static r1_sample as_sample(const group *g, size_t i)
{
    return (r1_sample){.prompt = g->question, .prompt_bytes = g->question_bytes, .completion = g->item[i].text,
                       .completion_bytes = g->item[i].text_bytes, .gold = g->gold, .gold_bytes = g->gold_bytes,
                       .thinking_open = g->thinking_open};
}

/* Equal answer texts are one class without asking (unless they may have been cut); else the grader decides. */
static r1_status same_class(r1_grader *grader, const group *g, size_t a, size_t b, bool *same, r1_error *err)
{
    const char *const x = g->item[a].answer, *const y = g->item[b].answer;
    enum { CUT = sizeof((r1_verdict *)0)->answer - 8 };
    *same = strcmp(x, y) == 0 && strlen(x) < CUT;
    if (*same || !grader) return R1_OK;
    const r1_sample sa = as_sample(g, a), sb = as_sample(g, b);
    return r1_grader_same(grader, &sa, &sb, same, err);
}

static r1_status make_classes(r1_grader *grader, const group *g, r1i_prompt_tally *p, r1_error *err)
{
    size_t *const first = calloc(g->n + 1, sizeof *first); /* of each class */
    size_t n = 0;
    r1_status st = R1_OK;
    p->class = malloc((g->n + 1) * sizeof *p->class);
    p->right = calloc(g->n + 1, sizeof *p->right);
    if (!first || !p->class || !p->right) st = r1i_fail(err, R1_ERR_NOMEM, "classes of %zu answers", g->n);
    for (size_t i = 0; i < g->n && st == R1_OK; i++) {
        bool same = false;
        size_t c = 0;
        p->class[i] = -1;
        if (!g->item[i].extracted) continue;
        for (; c < n && st == R1_OK; c++)
            if ((st = same_class(grader, g, first[c], i, &same, err)) == R1_OK && same) break;
        if (c == n) first[n++] = i;
        p->class[i] = (int32_t)c;
        p->right[i] = g->item[first[c]].correct;
    }
    free(first);
    return st;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static bool add_held(group *g, r1i_rows *rows)
{
    if (g->n == g->cap) {
        const size_t cap = g->cap * 2 + 16;
        held *const grown = realloc(g->item, cap * sizeof *grown);
        if (!grown) return false;
        g->item = grown;
        g->cap = cap;
    }
    size_t n;
    const char *const text = r1i_rows_text(rows, 1, &n);
    held *const h = &g->item[g->n];
    *h = (held){.text = malloc(n + 1), .text_bytes = n, .answer = strdup(r1i_rows_text(rows, 7, NULL)),
                .correct = r1i_rows_int(rows, 5) != 0, .extracted = r1i_rows_int(rows, 6) != 0};
    g->n++;
    if (!h->text || !h->answer) return false;
    memcpy(h->text, text, n + 1);
    return true;
}

static bool add_length(r1i_task_tally *t, int64_t tokens, bool correct)
{
    if (t->n_samples == t->cap) {
        const size_t cap = t->cap * 2 + 256;
        r1i_length *const grown = realloc(t->length, cap * sizeof *grown);
        if (!grown) return false;
        t->length = grown;
        t->cap = cap;
    }
    t->length[t->n_samples++] = (r1i_length){tokens, correct};
    return true;
}

static const char samples_sql[] =
    "SELECT s.prompt, s.text, s.tokens, s.finish, v.score, v.correct, v.extracted, v.answer, v.reason, p.question, p.gold, p.thinking_open "
    "FROM sample s JOIN prompt p ON p.task = s.task AND p.prompt = s.prompt "
    "JOIN verdict v ON v.task = s.task AND v.prompt = s.prompt AND v.sample = s.sample AND v.grading = (SELECT max(grading) FROM verdict w "
    "WHERE w.task = s.task AND w.prompt = s.prompt AND w.sample = s.sample AND w.grading <= ?) "
    "WHERE s.task = ? ORDER BY s.prompt, s.sample";

static r1_status begin_group(group *g, r1i_rows *rows, r1_error *err)
{
    free(g->question);
    free(g->gold);
    const char *const q = r1i_rows_text(rows, 9, &g->question_bytes);
    g->question = strndup(q, g->question_bytes);
    const char *const a = r1i_rows_text(rows, 10, &g->gold_bytes);
    g->gold = strndup(a, g->gold_bytes);
    if (!g->question || !g->gold) return r1i_fail(err, R1_ERR_NOMEM, "prompt");
    g->question_bytes = strlen(g->question);
    g->gold_bytes = strlen(g->gold);
    g->thinking_open = r1i_rows_int(rows, 11) != 0;
    return R1_OK;
}

static r1_status add_sample(r1i_task_tally *t, r1i_prompt_tally *p, r1i_rows *rows, r1_error *err)
{
    const int64_t tokens = r1i_rows_int(rows, 2);
    const bool truncated = strcmp(r1i_rows_text(rows, 3, NULL), "length") == 0, correct = r1i_rows_int(rows, 5) != 0;
    p->tally.n++;
    p->tally.c += correct;
    p->score += r1i_rows_real(rows, 4);
    t->truncated += truncated;
    t->truncated_correct += truncated && correct;
    t->not_extracted += r1i_rows_int(rows, 6) == 0;
    if (!correct) count(t->reasons, r1i_rows_text(rows, 8, NULL));
    return add_length(t, tokens, correct) ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "samples");
}

static r1_status read_samples(r1i_db *db, int64_t task, int64_t grading, r1_grader *grader, r1i_task_tally *t,
                              r1_error *err)
{
    r1i_rows *rows;
    group g = {0};
    r1i_prompt_tally *open = NULL;
    bool more = false;
    r1_status st = r1i_db_query(db, &rows, err, samples_sql, "ii", grading, task);
    while (st == R1_OK && (st = r1i_rows_next(rows, &more, err)) == R1_OK && more) {
        const int64_t number = r1i_rows_int(rows, 0);
        if (number < 0 || (size_t)number >= t->n) {
            st = r1i_fail(err, R1_ERR_FORMAT, "a sample of prompt %lld, which the record does not hold",
                          (long long)number);
            break;
        }
        r1i_prompt_tally *const p = &t->prompt[number];
        if (p != open) {
            if (open && t->consensus) st = make_classes(grader, &g, open, err);
            empty_group(&g);
            open = p;
            if (st == R1_OK) st = begin_group(&g, rows, err);
        }
        if (st == R1_OK) st = add_sample(t, p, rows, err);
        if (st == R1_OK && t->consensus && !add_held(&g, rows)) st = r1i_fail(err, R1_ERR_NOMEM, "samples");
    }
    if (st == R1_OK && open && t->consensus) st = make_classes(grader, &g, open, err);
    r1i_rows_close(rows);
    empty_group(&g);
    free(g.item);
    free(g.question);
    free(g.gold);
    return st;
}

static r1_status read_prompts(r1i_db *db, int64_t task, r1i_task_tally *t, r1_error *err)
{
    r1i_rows *rows;
    bool more = false;
    size_t cap = 0;
    r1i_sha256 hash;
    r1i_sha256_init(&hash);
    r1_status st = r1i_db_query(db, &rows, err,
                                "SELECT prompt, line, row_id, subject, hash, ids_hash FROM prompt WHERE task = ? ORDER BY prompt", "i", task);
    while (st == R1_OK && (st = r1i_rows_next(rows, &more, err)) == R1_OK && more) {
        char line[32];
        if (r1i_rows_int(rows, 0) != (int64_t)t->n) {
            st = r1i_fail(err, R1_ERR_FORMAT, "the record lacks prompt %zu", t->n);
            break;
        }
        if (t->n == cap) {
            r1i_prompt_tally *const grown = realloc(t->prompt, (cap = cap * 2 + 64) * sizeof *grown);
            if (!grown) {
                st = r1i_fail(err, R1_ERR_NOMEM, "prompts");
                break;
            }
            t->prompt = grown;
        }
        snprintf(line, sizeof line, "#%lld", (long long)r1i_rows_int(rows, 1));
        const char *const id = r1i_rows_text(rows, 2, NULL);
        t->prompt[t->n] = (r1i_prompt_tally){.key = strdup(id[0] ? id : line),
                                             .subject = strdup(r1i_rows_text(rows, 3, NULL))};
        t->n++;
        if (!t->prompt[t->n - 1].key || !t->prompt[t->n - 1].subject) st = r1i_fail(err, R1_ERR_NOMEM, "prompts");
        for (int c = 4; c < 6; c++) {
            size_t n;
            const char *const h = r1i_rows_text(rows, c, &n);
            r1i_sha256_feed(&hash, h, n + 1);
        }
    }
    r1i_rows_close(rows);
    r1i_sha256_finish_hex(&hash, t->prompts_hash);
    return st;
}

static r1_status read_missing(r1i_db *db, int64_t task, r1i_task_tally *t, r1_error *err)
{
    r1i_rows *rows;
    bool more = false;
    r1_status st = r1i_db_query(db, &rows, err, "SELECT reason FROM missing WHERE task = ?", "i", task);
    while (st == R1_OK && (st = r1i_rows_next(rows, &more, err)) == R1_OK && more)
        count(t->missing, r1i_rows_text(rows, 0, NULL));
    r1i_rows_close(rows);
    t->n_missing = (int64_t)t->n * t->samples_wanted - (int64_t)t->n_samples;
    return st;
}

/* The grader is asked which answers are one; where it cannot be had (a judge, a sandbox that this machine lacks), texts
 * decide. */
static r1_status read_task(r1i_db *db, r1i_rows *rows, int64_t grading, const r1_env *env, r1i_task_tally *t,
                           r1_error *err)
{
    json_t *definition = NULL;
    r1_grader *grader = NULL;
    size_t n;
    const int64_t task = r1i_rows_int(rows, 0);
    const char *const text = r1i_rows_text(rows, 2, &n);
    *t = (r1i_task_tally){.name = strdup(r1i_rows_text(rows, 1, NULL)), .reasons = json_object(),
                          .missing = json_object(), .samples_wanted = r1i_rows_int(rows, 5)};
    r1_status st = r1i_json_parse(text, n, &definition, err);
    t->task_hash = strdup(r1i_rows_text(rows, 3, NULL));
    t->data_hash = strdup(r1i_rows_text(rows, 4, NULL));
    if (st == R1_OK && (!t->name || !t->task_hash || !t->data_hash || !t->reasons || !t->missing))
        st = r1i_fail(err, R1_ERR_NOMEM, "task");
    if (st == R1_OK) {
        const char *const name = json_string_value(json_object_get(definition, "grader")),
                          *const options = json_string_value(json_object_get(definition, "options"));
        t->consensus = json_is_true(json_object_get(definition, "consensus"));
        if (t->consensus && name && strcmp(name, "judge") != 0)
            (void)r1_grader_create(name, options, env, &grader, NULL);
        st = read_prompts(db, task, t, err);
    }
    if (st == R1_OK) st = read_samples(db, task, grading, grader, t, err);
    if (st == R1_OK) st = read_missing(db, task, t, err);
    r1_grader_destroy(grader);
    json_decref(definition);
    return st;
}

static r1_status read_header(r1i_run_store *s, r1i_run_tally *out, r1_error *err)
{
    char *settings = NULL, *kind = NULL;
    r1i_rows *rows = NULL;
    bool more = false;
    r1_status st = r1i_run_store_get(s, "kind", &kind, err);
    if (st == R1_OK && (!kind || strcmp(kind, "evaluation") != 0))
        st = r1i_fail(err, R1_ERR_FORMAT, "this run is no evaluation, or was killed before it had begun");
    if (st == R1_OK) st = r1i_run_store_get(s, "model", &out->model, err);
    if (st == R1_OK) st = r1i_run_store_get(s, "settings", &settings, err);
    if (st == R1_OK && (!settings || !out->model)) st = r1i_fail(err, R1_ERR_FORMAT, "the record lacks its settings");
    if (st == R1_OK) st = r1i_json_parse(settings, strlen(settings), &out->settings, err);
    if (st == R1_OK) st = r1i_db_query(r1i_run_store_db(s), &rows, err, "SELECT count(*) FROM grading", "");
    if (st == R1_OK && (st = r1i_rows_next(rows, &more, err)) == R1_OK && more) out->gradings = r1i_rows_int(rows, 0);
    r1i_rows_close(rows);
    free(settings);
    free(kind);
    return st;
}

r1_status r1i_run_tally_read(const char *run, const r1_env *env, r1i_run_tally *out, r1_error *err)
{
    r1i_run_store *s = NULL;
    r1i_rows *rows = NULL;
    bool more = false;
    *out = (r1i_run_tally){0};
    r1_status st = r1i_run_store_open(run, R1I_RUN_STORE_READ, &s, err);
    if (st != R1_OK) return st;
    r1i_db *const db = r1i_run_store_db(s);
    st = read_header(s, out, err);
    if (st == R1_OK)
        st = r1i_db_query(db, &rows, err,
                          "SELECT task, name, definition, task_hash, data_hash, samples FROM task ORDER BY task", "");
    while (st == R1_OK && (st = r1i_rows_next(rows, &more, err)) == R1_OK && more) {
        r1i_task_tally *const grown = realloc(out->task, (out->n + 1) * sizeof *grown);
        if (!grown) {
            st = r1i_fail(err, R1_ERR_NOMEM, "tasks");
            break;
        }
        out->task = grown;
        st = read_task(db, rows, out->gradings - 1, env, &out->task[out->n++], err);
    }
    r1i_rows_close(rows);
    r1i_run_store_close(s);
    if (st != R1_OK) {
        r1i_error_prefix(err, "%s: ", run);
        if (err) err->offset = -1, err->line = 0;
        r1i_run_tally_free(out);
    }
    return st;
}

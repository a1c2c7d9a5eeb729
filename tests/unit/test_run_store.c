/* The record of a run: its folder, its lock, its version, what a killed writer leaves, and reading where nothing may be
 * written. */
#include "support/test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record/run_store.h"

static char dir[] = "/tmp/r1-store-XXXXXX";
static char run[128];

static void add(r1i_run_store *s, int64_t sample)
{
    const int32_t ids[] = {1, -2, 3};
    r1_error e = {0};
    if (r1i_run_store_add_sample(s,
                                 &(r1i_sample_row){.sample = sample, .prompt_hash = "h", .seed = UINT64_MAX, .ids = ids,
                                                   .n_ids = 3, .text = "a\0b", .text_bytes = 3, .tokens = 3,
                                                   .finish = "stop", .score = 0.5, .correct = true, .extracted = true,
                                                   .answer = "b", .reason = "because"}, &e) != R1_OK)
        print_message("%s\n", e.message), fail();
}

static r1i_run_store *make(const char *name)
{
    r1i_run_store *s;
    r1_error e = {0};
    snprintf(run, sizeof run, "%s/%s/deeper", dir, name);
    if (r1i_run_store_open(run, R1I_RUN_STORE_NEW, &s, &e) != R1_OK) print_message("%s\n", e.message), fail();
    assert_int_equal(r1i_db_run(r1i_run_store_db(s), &e, "INSERT INTO grading VALUES(0, 'x')", ""), R1_OK);
    assert_int_equal(r1i_run_store_add_task(s, &(r1i_task_row){0, "t", "{}", "th", "dh", 1, 4}, &e), R1_OK);
    assert_int_equal(r1i_run_store_add_prompt(s,
                                              &(r1i_prompt_row){.row_id = "id", .subject = "", .question = "q",
                                                                .question_bytes = 1, .gold = "g", .gold_bytes = 1,
                                                                .hash = "h", .ids_hash = "i"}, &e), R1_OK);
    return s;
}

static int64_t count(r1i_run_store *s, const char *sql)
{
    r1i_rows *rows;
    bool more;
    assert_int_equal(r1i_db_query(r1i_run_store_db(s), &rows, NULL, sql, ""), R1_OK);
    assert_int_equal(r1i_rows_next(rows, &more, NULL), R1_OK);
    const int64_t n = r1i_rows_int(rows, 0);
    r1i_rows_close(rows);
    return n;
}

static void test_round_trip(void **state)
{
    (void)state;
    char *value;
    size_t n;
    bool more;
    r1i_rows *rows;
    r1i_run_store *s = make("round");
    assert_int_equal(r1i_run_store_set(s, "key", "one", NULL), R1_OK);
    assert_int_equal(r1i_run_store_set(s, "key", "two", NULL), R1_OK);
    assert_int_equal(r1i_run_store_add_missing(s, 0, 0, 2, "why", NULL), R1_OK);
    add(s, 2); /* had, after all */
    r1i_run_store_close(s);
    assert_int_equal(r1i_run_store_open(run, R1I_RUN_STORE_READ, &s, NULL), R1_OK);
    assert_int_equal(r1i_run_store_get(s, "key", &value, NULL), R1_OK);
    assert_string_equal(value, "two");
    free(value);
    assert_int_equal(r1i_run_store_get(s, "none", &value, NULL), R1_OK);
    assert_null(value);
    assert_int_equal(count(s, "SELECT count(*) FROM missing"), 0);
    assert_int_equal(r1i_db_query(r1i_run_store_db(s), &rows, NULL,
                                  "SELECT ids, text, seed FROM sample WHERE sample = ?", "i", INT64_C(2)), R1_OK);
    assert_int_equal(r1i_rows_next(rows, &more, NULL), R1_OK);
    assert_true(more);
    const int32_t *const ids = r1i_rows_blob(rows, 0, &n);
    assert_int_equal(n, 12);
    assert_int_equal(ids[1], -2);
    assert_memory_equal(r1i_rows_text(rows, 1, &n), "a\0b", 4);
    assert_int_equal(n, 3);
    assert_true((uint64_t)r1i_rows_int(rows, 2) == UINT64_MAX);
    r1i_rows_close(rows);
    r1i_run_store_close(s);
}

static void test_refused(void **state)
{
    (void)state;
    r1i_run_store *other, *s = make("refused");
    r1_error e = {0};
    assert_int_equal(r1i_run_store_open(run, R1I_RUN_STORE_NEW, &other, &e), R1_ERR_USAGE);
    assert_non_null(strstr(e.message, "already holds a run"));
    assert_int_equal(r1i_run_store_open(run, R1I_RUN_STORE_RESUME, &other, &e), R1_ERR_USAGE);
    assert_non_null(strstr(e.message, "another process is writing this run"));
    assert_int_equal(r1i_run_store_open(dir, R1I_RUN_STORE_READ, &other, &e), R1_ERR_IO);
    assert_non_null(strstr(e.message, "holds no run"));
    assert_int_equal(r1i_db_exec(r1i_run_store_db(s), "PRAGMA user_version = 99", NULL), R1_OK);
    r1i_run_store_close(s);
    assert_int_equal(r1i_run_store_open(run, R1I_RUN_STORE_READ, &other, &e), R1_ERR_UNSUPPORTED);
    assert_non_null(strstr(e.message, "the record has version 99, this program knows up to"));
}

/* What was committed stays, what was not is gone, and the lock goes with the process. */
static void test_killed_writer(void **state)
{
    (void)state;
    r1i_run_store *s = make("killed");
    r1i_run_store_close(s);
    const pid_t child = fork();
    if (child == 0) {
        if (r1i_run_store_open(run, R1I_RUN_STORE_RESUME, &s, NULL) != R1_OK) _exit(1);
        r1i_db *const db = r1i_run_store_db(s);
        if (r1i_db_begin(db, NULL) != R1_OK) _exit(1);
        add(s, 0);
        if (r1i_db_commit(db, NULL) != R1_OK || r1i_db_begin(db, NULL) != R1_OK) _exit(1);
        add(s, 1);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(r1i_run_store_open(run, R1I_RUN_STORE_RESUME, &s, NULL), R1_OK);
    assert_int_equal(count(s, "SELECT count(*) FROM sample"), 1);
    assert_int_equal(count(s, "SELECT count(*) FROM verdict"), 1);
    r1i_run_store_close(s);
}

/* A sample whose prompt is not there is refused by the record itself. */
static void test_no_orphans(void **state)
{
    (void)state;
    r1i_run_store *s = make("orphan");
    r1_error e = {0};
    assert_int_equal(r1i_run_store_add_sample(s,
                                              &(r1i_sample_row){.prompt = 5, .prompt_hash = "h", .text = "",
                                                                .finish = "stop", .answer = "", .reason = "r"}, &e),
                                                                R1_ERR_BUG);
    assert_non_null(strstr(e.message, "FOREIGN KEY"));
    r1i_run_store_close(s);
}

static int begin(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

int main(void)
{
    r1i_db *db;
    if (r1i_db_open("/nowhere/at/all", R1I_DB_READ, &db, NULL) == R1_ERR_MISSING) {
        print_message("skipped: built without SQLite\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_killed_writer), cmocka_unit_test(test_no_orphans)};
    return cmocka_run_group_tests(tests, begin, end);
}

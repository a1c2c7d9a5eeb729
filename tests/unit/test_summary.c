/* A report's numbers against ones worked out by hand, from a record that is written here. */
#include "support/test.h"

#include <math.h>
#include <unistd.h>

#include "eval/summary.h"
#include "record/run_store.h"

static char dir[] = "/tmp/r1-summary-XXXXXX";

/* answers: per prompt a string of letters, one a sample; upper case: right; '.': no answer found; '-': missing. */
static const char *make_run(const char *name, const char *const *answers, size_t prompts, size_t samples)
{
    static char path[2][128];
    static int turn;
    r1i_run_store *s;
    char *const run = path[turn++ & 1];
    snprintf(run, sizeof path[0], "%s/%s", dir, name);
    assert_int_equal(r1i_run_store_open(run, R1I_RUN_STORE_NEW, &s, NULL), R1_OK);
    r1i_db *const db = r1i_run_store_db(s);
    assert_int_equal(r1i_db_begin(db, NULL), R1_OK);
    r1i_run_store_set(s, "kind", "evaluation", NULL);
    r1i_run_store_set(s, "model", "m<odel>", NULL);
    r1i_run_store_set(s, "settings", "{\"temperature\":\"0.6\"}", NULL);
    assert_int_equal(r1i_db_run(db, NULL, "INSERT INTO grading VALUES(0, 'x')", ""), R1_OK);
    assert_int_equal(r1i_run_store_add_task(s,
                                            &(r1i_task_row){0, "t", "{\"grader\":\"exact\",\"consensus\":true}", "th",
                                                            "dh", (int64_t)prompts, (int64_t)samples}, NULL), R1_OK);
    for (size_t p = 0; p < prompts; p++) {
        char id[24];
        snprintf(id, sizeof id, "p%zu", p);
        assert_int_equal(r1i_run_store_add_prompt(s,
                                                  &(r1i_prompt_row){.prompt = (int64_t)p, .line = (int64_t)p + 1,
                                                                    .row_id = id, .subject = p % 2 ? "odd"
                                                                    : "even, \"x\"", .question = "q",
                                                                    .question_bytes = 1, .gold = "A", .gold_bytes = 1,
                                                                    .hash = id, .ids_hash = ""}, NULL), R1_OK);
        for (size_t k = 0; k < samples; k++) {
            const char c = answers[p][k], text[2] = {c == '.' ? 0 : (char)(c | 32), 0};
            const bool right = c >= 'A' && c <= 'Z';
            if (c == '-') {
                assert_int_equal(r1i_run_store_add_missing(s, 0, (int64_t)p, (int64_t)k, "no room", NULL), R1_OK);
                continue;
            }
            assert_int_equal(r1i_run_store_add_sample(s,
                                                      &(r1i_sample_row){.prompt = (int64_t)p, .sample = (int64_t)k,
                                                          .prompt_hash = id, .text = text, .text_bytes = strlen(text),
                                                          .tokens = (int64_t)(10 * p + k),
                                                          .finish = c == '.' ? "length" : "stop", .score = right,
                                                          .correct = right, .extracted = c != '.', .answer = text,
                .reason = right ? "equal" : c == '.' ? "nothing <found>" : "differs"}, NULL), R1_OK);
        }
    }
    assert_int_equal(r1i_db_commit(db, NULL), R1_OK);
    r1i_run_store_close(s);
    return run;
}

static json_t *summarise(const char *const *runs, size_t n)
{
    json_t *v;
    r1_error e = {0};
    if (r1i_summary_make(runs, n, NULL, &v, &e) != R1_OK) print_message("%s\n", e.message), fail();
    return v;
}

static double number(const json_t *v, const char *key) { return json_number_value(json_object_get(v, key)); }
static void near(double a, double b)
{
    if (!(fabs(a - b) < 1e-12)) print_message("%.15g, expected %.15g\n", a, b), fail();
}

static void test_numbers(void **state)
{
    (void)state;
    /* 2/4, 0/4 (nothing found), 4/4, and one prompt of which no sample is there */
    const char *const answers[] = {"AAbc", "....", "AAAA", "----"};
    const char *const run = make_run("numbers", answers, 4, 4);
    json_t *const v = summarise(&run, 1),
                  *const t = json_array_get(json_object_get(json_array_get(json_object_get(v, "runs"), 0), "tasks"), 0);
    const json_t *const p = json_object_get(t, "pass@1"), *const k = json_object_get(t, "pass@k"),
                        *const c = json_object_get(t, "cons@k");
    near(number(p, "value"), 0.5);
    near(number(p, "se"), sqrt((0.0 + 0.25 + 0.25) / (3 * 2)));
    assert_int_equal(json_array_size(k), 3);
    /* pass@2: 1 - C(2,2)/C(4,2) for the first */
    near(number(json_array_get(k, 1), "value"), (1 - 1.0 / 6 + 0 + 1) / 3);
    near(number(json_array_get(k, 2), "value"), 2.0 / 3);
    near(number(json_array_get(c, 1), "k"), 4);
    near(number(json_array_get(c, 1), "value"), 2.0 / 3); /* two As outvote b and c */
    /* pairs: AA, four of A and another, bc */
    near(number(json_array_get(c, 0), "value"), (1.0 / 6 + 4.0 / 6 * 0.5 + 0 + 1) / 3);
    near(number(t, "samples"), 12);
    near(number(t, "missing"), 4);
    near(number(t, "prompts_with_samples"), 3);
    near(number(t, "not_extracted"), 4);
    near(number(t, "truncated"), 4);
    const json_t *const wrong = json_object_get(t, "not_correct_because"), *const s = json_object_get(t, "subjects");
    assert_string_equal(json_string_value(json_object_get(json_array_get(wrong, 0), "reason")), "nothing <found>");
    near(number(json_array_get(wrong, 1), "count"), 2);
    near(number(json_array_get(s, 0), "value"), 0.75); /* even: prompts 0 and 2 */
    near(number(json_array_get(s, 1), "prompts"), 1);
    near(number(json_object_get(t, "lengths"), "longest"), 23);
    near(number(json_object_get(t, "lengths"), "median"), 11); /* of 0..3, 10..13, 20..23, the sixth */
    json_decref(v);
}

static void test_pairs(void **state)
{
    (void)state;
    const char *const first[] = {"AAbb", "bbbb", "AAAb", "bbbb", "A---"},
                      *const second[] = {"AAAA", "Abbb", "AAAA", "bbbb", "----"};
    const char *const run[] = {make_run("first", first, 5, 4), make_run("second", second, 5, 4)};
    json_t *const v = summarise(run, 2);
    const json_t *const d = json_array_get(json_object_get(v, "differences"), 0);
    assert_int_equal(json_array_size(json_object_get(v, "differences")), 1);
    near(number(d, "prompts"), 4); /* the fifth has no partner */
    near(number(d, "value"), (0.5 + 0.25 + 0.25 + 0) / 4);
    assert_true(json_is_true(json_object_get(d, "p_flip_exact")));
    near(number(d, "p_flip"), 2.0 * 2 / 16); /* of 16 sign flips, those with all three differences alike */
    json_decref(v);
}

static void test_forms(void **state)
{
    (void)state;
    const char *const answers[] = {"A.", "--"};
    const char *const run = make_run("forms", answers, 2, 2);
    static const struct {
        r1_report_format format;
        const char *holds;
    } forms[] = {{R1_REPORT_TEXT, "MISSING: 2 samples"}, {R1_REPORT_CSV, "\"even, \"\"x\"\"\",1,0.5,"},
                 {R1_REPORT_HTML, "nothing &lt;found&gt;"},
                 {R1_REPORT_HTML, "m&lt;odel&gt;"}, {R1_REPORT_JSON, "\"missing\":2"}, {R1_REPORT_TEXT, "2  no room"}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char *a, *b;
        size_t n, m;
        assert_int_equal(r1_eval_report(&run, 1, forms[i].format, NULL, &a, &n, NULL), R1_OK);
        assert_int_equal(r1_eval_report(&run, 1, forms[i].format, NULL, &b, &m, NULL), R1_OK);
        assert_int_equal(n, m);
        assert_memory_equal(a, b, n);
        if (!strstr(a, forms[i].holds)) print_message("%s is missing in %s\n", forms[i].holds, a), fail();
        free(a);
        free(b);
    }
    const char *const nothing[] = {"-", "-"};
    const char *const empty = make_run("empty", nothing, 2, 1);
    for (int f = R1_REPORT_TEXT; f <= R1_REPORT_HTML; f++) {
        char *text;
        size_t n;
        assert_int_equal(r1_eval_report(&empty, 1, (r1_report_format)f, NULL, &text, &n, NULL), R1_OK);
        assert_null(strstr(text, "nan"));
        free(text);
    }
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_pairs),
                                       cmocka_unit_test(test_forms)};
    return cmocka_run_group_tests(tests, begin, end);
}

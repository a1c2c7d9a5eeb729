/* Language consistency: integer counts, what is left out of them, what cannot be had for nothing; and identification on
 * real text. */
#include "support/grade.h"

#include "base/json.h"
#include "reward/lang_id.h"
#include "reward/prose.h"

static r1_verdict grade(const char *options, const char *prompt, const char *text)
{
    const r1_sample s = {.prompt = prompt, .prompt_bytes = strlen(prompt), .completion = text,
                         .completion_bytes = strlen(text)};
    return grade_sample("language", options, &s);
}

#define ZH_Q "\xE5\xB0\x8F\xE6\x98\x8E\xE6\x9C\x89\xE4\xB8\x89\xE4\xB8\xAA\xE8\x8B\xB9\xE6\x9E\x9C\xEF\xBC\x8C\xE4\xB8\x80\xE5\x85\xB1\xE6\x9C\x89\xE5\xA4\x9A\xE5\xB0\x91\xEF\xBC\x9F" /* Xiao Ming has three apples .. */
#define ZH_10 "\xE5\x85\x88\xE7\x9C\x8B\xE8\x8B\xB9\xE6\x9E\x9C\xE6\x95\xB0\xE9\x87\x8F\xE5\x86\x8D\xE5\x8A\xA0\xE8\xB5\xB7\xE6\x9D\xA5" /* ten characters, all different */
#define EN_Q "How many apples does she have at the end of the day?"
#define EN_12 "First we count the apples that she has bought in town today"

static void test_counts(void **state)
{
    (void)state;
    r1_verdict v = grade(NULL, EN_Q, "<think>" EN_12 "</think>3");
    assert_true(v.score == 1 && v.correct);
    assert_string_equal(v.reason, "12 of 12 words are English");
    v = grade(NULL, ZH_Q, "<think>" ZH_10 "</think>3");
    assert_true(v.score == 1);
    assert_string_equal(v.reason, "10 of 10 words are Chinese");
    v = grade(NULL, ZH_Q, "<think>" ZH_10 " apple pears</think>3");
    assert_true(v.score == 10.0 / 12);
    v = grade(NULL, EN_Q, "<think>" EN_12 " " ZH_10 "</think>3");
    assert_true(v.score == 12.0 / 22 && !v.correct);
    v = grade(NULL, EN_Q, "<think>" ZH_10 ZH_10 "</think>3");
    assert_true(v.score == 0);
    v = grade(NULL, ZH_Q, "<think>" EN_12 "</think>3");
    assert_true(v.score == 0);
    v = grade("{\"target\": \"zh\"}", EN_Q, "<think>" ZH_10 "</think>3");
    assert_true(v.score == 1);
    v = grade(NULL, "3 + 4 = ?", "<think>" EN_12 "</think>7"); /* no language: the first of the list */
    assert_true(v.score == 1);
    v = grade("{\"languages\": [\"zh\", \"en\"]}", "3 + 4 = ?", "<think>" EN_12 "</think>7");
    assert_true(v.score == 0);
}

/* Code, formulas, numbers and variables are on neither side of the fraction. */
static void test_left_out(void **state)
{
    (void)state;
    static const char *const same[] = {
        "<think>" ZH_10 " $x^2 + \\text{apples and pears}$ </think>3",
        "<think>" ZH_10 " \\(\\frac{apples}{pears}\\) \\[ apples \\] \\begin{align} apples \\end{align} \\alpha</think>3",
        "<think>" ZH_10 "\n```python\nfor apple in apples: print(apple)\n```\n</think>3",
        "<think>" ZH_10 " `apple` 3 x y 12 3rd x1 https://example.org/apples </think>3",
        "<think>" ZH_10 " $$ apples $$ ``` never closed apples and pears",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        const r1_verdict v = grade(NULL, ZH_Q, same[i]);
        if (v.score != 1 || strncmp(v.reason, "10 of 10", 8) != 0) fail_msg("%s: %s", same[i], v.reason);
    }
    /* money, no formula */
    const r1_verdict v = grade(NULL, EN_Q, "<think>" EN_12 " and pays $5 or maybe $7 for them</think>3");
    assert_string_equal(v.reason, "18 of 18 words are English");
}

static void test_nothing_for_nothing(void **state)
{
    (void)state;
    static const char *const zero[] = {
        "", "7", "<think></think>7", "<think> \n </think>7", "<think>ok</think>7",
        "<think>ok ok ok ok ok ok ok ok ok ok ok ok ok ok</think>7", "<think>1 2 3 4</think>7",
        "<think>$all of it is within a formula and so there are no words at all here$</think>7",
        "<think>```\n" EN_12 "\n```</think>7",
        EN_12, "<think>\xFF\xFE\xFF</think>",
    };
    for (size_t i = 0; i < sizeof zero / sizeof *zero; i++) {
        const r1_verdict v = grade(NULL, EN_Q, zero[i]);
        if (v.score != 0) fail_msg("%s: %g, %s", zero[i], v.score, v.reason);
    }
    const r1_sample open = {.prompt = EN_Q, .prompt_bytes = strlen(EN_Q), .completion = EN_12,
                            .completion_bytes = strlen(EN_12), .thinking_open = true};
    assert_true(grade_sample("language", NULL, &open).score == 1); /* the template opened the block */
}

/* One script, other language. */
static void test_shared_script(void **state)
{
    (void)state;
    static const char german[] = "<think>Zuerst z\xC3\xA4hlen wir die \xC3\x84pfel, die sie am Morgen auf dem Markt gekauft hat, und ziehen dann die ab, "
                                 "die sie ihrem Bruder gegeben hat. Danach bleiben noch einige \xC3\xBC" "brig, und das ist die Antwort.</think>3";
    static const char english[] =
        "<think>First we count the apples that she has bought at the market in the morning, and then we take away those "
                                  "that she gave to her brother. Some are left after that, and this is the answer to the question.</think>3";
    assert_true(grade(NULL, EN_Q, english).score == 1);
    assert_true(grade(NULL, EN_Q, german).score == 0);
    assert_true(grade(NULL, "Wie viele \xC3\x84pfel hat sie am Ende des Tages?", german).score == 1);
    assert_true(grade(NULL, "Wie viele \xC3\x84pfel hat sie am Ende des Tages?", english).score == 0);
    /* not among the allowed: by script alone */
    assert_true(grade("{\"languages\": [\"en\", \"zh\"]}", EN_Q, german).score == 1);
}

static void test_options(void **state)
{
    (void)state;
    static const char *const bad[] = {"{\"languages\": []}", "{\"languages\": [\"xx\"]}", "{\"target\": 3}",
                                      "{\"min_words\": 0}", "{\"lang\": \"en\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        r1_grader *g;
        assert_int_equal(r1_grader_create("language", bad[i], NULL, &g, NULL), R1_ERR_USAGE);
    }
}

/* Paragraphs of twelve languages: each must be found among the twelve. */
static void test_identification(void **state)
{
    (void)state;
    static const char *const tags[] = {"ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh"};
    const r1i_language *candidates[12];
    r1i_lang_id *id;
    for (int i = 0; i < 12; i++) candidates[i] = r1i_language_find(tags[i]);
    FILE *const f = popen("gzip -dc '" R1_SOURCE_DIR "/../shared/data/language/xquad_paragraphs.jsonl.gz' 2>/dev/null",
                          "r");
    static char line[65536];
    int rows = 0, right = 0, starts = 0;
    assert_int_equal(r1i_lang_id_create(candidates, 12, NULL, NULL, &id, NULL), R1_OK);
    while (f && fgets(line, sizeof line, f)) {
        json_t *row;
        assert_int_equal(r1i_json_parse(line, strlen(line), &row, NULL), R1_OK);
        const json_t *const text = json_object_get(row, "text");
        const r1i_span s = {json_string_value(text), json_string_length(text)};
        const r1i_language *const want = r1i_language_find(json_string_value(json_object_get(row, "lang")));
        const size_t cut = s.n < 70 ? s.n : 70;
        rows++;
        right += r1i_lang_id_of(id, s, NULL) == want;
        starts += r1i_lang_id_of(id, (r1i_span){s.p, cut}, NULL) == want;
        json_decref(row);
    }
    if (f) pclose(f);
    const bool ngrams = r1i_lang_id_ngrams(id);
    r1i_lang_id_destroy(id);
    if (rows == 0) skip();
    printf("%d paragraphs, %d right, %d of their first 70 bytes (n-grams %s)\n", rows, right, starts,
           ngrams ? "yes" : "no");
    assert_int_equal(rows, 960);
    assert_true(right >= (ngrams ? 955 : 900));
}

static void test_hostile(void **state)
{
    (void)state;
    static const char *const unit[] = {"\\(", "$$", "$", "`", "```", "\\begin{", "{", "\\end{", "a`", "<think>", "http://", "1a ", "\xE4\xB8"};
    enum { SIZE = 1 << 20 };
    char *const text = malloc(SIZE);
    r1_grader *g;
    assert_int_equal(r1_grader_create("language", NULL, NULL, &g, NULL), R1_OK);
    for (size_t i = 0; i < sizeof unit / sizeof *unit; i++) {
        const size_t n = strlen(unit[i]);
        for (size_t j = 0; j < SIZE; j++) text[j] = unit[i][j % n];
        const r1_sample s = {.completion = text, .completion_bytes = SIZE, .thinking_open = true, .prompt = text,
                             .prompt_bytes = SIZE};
        r1_verdict v;
        assert_int_equal(r1_grader_grade(g, &s, &v, NULL), R1_OK);
        assert_true(v.score == 0);
    }
    r1_grader_destroy(g);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts), cmocka_unit_test(test_left_out), cmocka_unit_test(test_nothing_for_nothing),
        cmocka_unit_test(test_shared_script), cmocka_unit_test(test_options), cmocka_unit_test(test_identification),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

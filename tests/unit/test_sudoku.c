/* Sudoku: valid grids whatever is drawn around them, and nothing else. */
#include "support/grade.h"

#include "base/json.h"

static const char gold[] = "{\"puzzle\": \"3102200002100320\", \"answer\": \"3142243142131324\"}";

static void test_verdicts(void **state)
{
    (void)state;
    static const char empty4[] = "{\"puzzle\": \"................\"}";
    static const grade_case cases[] = {
        {"sudoku", NULL, gold, "3142243142131324", 1},
        {"sudoku", NULL, gold, "<think>3142</think>The grid is\n\n3 1 4 2\n2 4 3 1\n4 2 1 3\n1 3 2 4\n\nDone.", 1},
        {"sudoku", NULL, gold, "<answer>| 3 1 | 4 2 |\n| 2 4 | 3 1 |\n+-----+-----+\n| 4 2 | 1 3 |\n| 1 3 | 2 4 |</answer>", 1},
        {"sudoku", NULL, gold, "\\boxed{[[3,1,4,2],[2,4,3,1],[4,2,1,3],[1,3,2,4]]}", 1},
        {"sudoku", NULL, gold, "3142243142131342", 0},
        {"sudoku", NULL, gold, "314224314213132", 0},
        {"sudoku", NULL, gold, "31422431421313245", 0},
        {"sudoku", NULL, gold, "3102200002100320", 0}, /* the question restated */
        {"sudoku", NULL, gold, "1234341221434321", 0}, /* a valid grid, other clues */
        {"sudoku", NULL, gold, "<answer>the first row is 3142 243142131324</answer>", 0},
        {"sudoku", NULL, gold, "<think>3142243142131324</think>", 0},
        {"sudoku", NULL, gold, "<think>3142243142131324", 0},
        {"sudoku", NULL, gold, "", 0},
        {"sudoku", NULL, empty4, "1234341221434321", 1}, /* any solution will do */
        {"sudoku", NULL, empty4, "1234123412341234", 0},
        {"sudoku", NULL, empty4, "1234214334124321", 0}, /* rows and columns right, a box not */
        {"sudoku", NULL, "3142243142131324", "3142243142131324", 1},
        {"sudoku", NULL, "3142243142131324", "1234341221434321", 0},
        {"sudoku", NULL, "{\"puzzle\": \"530070000600195000098000060800060003400803001700020006060000280000419005000080079\"}",
         "534678912672195348198342567859761423426853791713924856961537284287419635345286179", 1},
        {"sudoku", NULL, "{\"puzzle\": \"530070000600195000098000060800060003400803001700020006060000280000419005000080079\"}",
         "534678912672195348198342567859761423426853791713924856961537284287419635345286197", 0},
    };
    grade_table(cases, sizeof cases / sizeof *cases);
}

static void test_golds(void **state)
{
    (void)state;
    r1_error err = {0};
    static const char *const bad[] = {
        "", "12", "{}", "{\"puzzle\": \"11..............\"}", "{\"puzzle\": \"5...............\"}", "3142243142131325",
        "{\"puzzle\": 3}", "{\"puzzle\": \"3102200002100320\", \"answer\": \"1234341221434321\"}",
        "{\"puzzle\": \"3102200002100320\", \"answer\": \"0\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(grade_gold("sudoku", NULL, bad[i], &err), R1_ERR_FORMAT);
}

static void test_data(void **state)
{
    (void)state;
    char line[4096];
    int rows = 0;
    FILE *const f = fopen(R1_SOURCE_DIR "/../shared/data/countdown/sudoku4x4_test.jsonl", "r");
    if (!f) skip();
    while (fgets(line, sizeof line, f)) {
        json_t *row;
        r1_error err = {0};
        assert_int_equal(r1i_json_parse(line, strlen(line), &row, &err), R1_OK);
        if (grade_gold("sudoku", NULL, line, &err) != R1_OK) fail_msg("%s", err.message);
        assert_true(grade_text("sudoku", NULL, line, json_string_value(json_object_get(row, "answer"))).score == 1);
        assert_true(grade_text("sudoku", NULL, line, json_string_value(json_object_get(row, "puzzle"))).score == 0);
        json_decref(row);
        rows++;
    }
    fclose(f);
    assert_int_equal(rows, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_verdicts), cmocka_unit_test(test_golds),
                                       cmocka_unit_test(test_data)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The texts around a program: what was printed against what was expected, the code block of a completion, the gold of a
 * row. */
#include <stdbool.h>

#include "reward/code_compare.h"
#include "reward/code_extract.h"
#include "reward/code_gold.h"
#include "support/test.h"

static r1i_text text(const char *s) { return (r1i_text){s, strlen(s)}; }

static void test_compare(void **state)
{
    (void)state;
    static const struct {
        const char *printed, *expected, *why; /* NULL: equal */
        double tolerance;
    } row[] = {
        {"3\n", "3", NULL, 0},
        {"3   \r\n4\t\r\n\r\n\n", "3\n4", NULL, 0},
        {"1  2\t3", " 1 2 3 ", NULL, 0},
        {"a\n\nb\n", "a\n\nb", NULL, 0},
        {"", "3", "nothing was printed", 0},
        {" \n\r\n", "3", "nothing was printed", 0},
        {"", "\n", NULL, 0},
        {"1\n", "1\n2\n", "the output ends before line 2", 0},
        {"1\n2\n3", "1\n2", "more lines than the 2 expected", 0},
        {"\n1", "1", "line 1, word 1: 'nothing' instead of '1'", 0},
        {"1 2", "1", "line 1, word 2: '2' instead of 'nothing'", 0},
        {"1\n2", "1 2", "line 1, word 2: 'nothing' instead of '2'", 0},
        {"yes", "Yes", "line 1, word 1: 'yes' instead of 'Yes'", 0},
        {"0.5000001", "0.5", NULL, 1e-6},
        {"0.500002", "0.5", "line 1, word 1: '0.500002' instead of '0.5'", 1e-6},
        {"0.50", "0.5", NULL, 1e-9},
        {"0.50", "0.5", "line 1, word 1: '0.50' instead of '0.5'", 0},
        {"1", "1.0", NULL, 1e-9},
        {"1.0", "1", "line 1, word 1: '1.0' instead of '1'", 1e-9}, /* a whole number is wanted as it is */
        {"10000000000000001", "10000000000000000", "line 1, word 1: '10000000000000001' instead of '10000000000000000'", 1},
        {"1e3", "1000.0", NULL, 1e-9},
        {"nan", "1.0", "line 1, word 1: 'nan' instead of '1.0'", 1},
        {"inf", "1e999", "line 1, word 1: 'inf' instead of '1e999'", 1},
        {"0x10", "16.0", "line 1, word 1: '0x10' instead of '16.0'", 1e-9},
        {"1000000.5", "1000000.0", NULL, 1e-6}, /* relative to the expected */
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char why[160] = "";
        const bool equal = r1i_output_equal(row[i].printed, strlen(row[i].printed), row[i].expected,
                                            strlen(row[i].expected), row[i].tolerance, why, sizeof why);
        if (equal != !row[i].why || (row[i].why && strcmp(why, row[i].why) != 0))
            fail_msg("row %zu: %s (%s)", i, equal ? "equal" : "different", why);
    }
    char why[160];
    assert_false(r1i_output_equal("1\0", 2, "1", 1, 1e-9, why, sizeof why));
}

static void check_block(const char *answer, r1i_code_language language, const char *code)
{
    r1i_text got;
    bool fenced;
    r1i_code_block(text(answer), language, &got, &fenced);
    if (!fenced != (code == NULL)) fail_msg("fence in: %s", answer);
    if (code && (got.n != strlen(code) || memcmp(got.bytes, code, got.n) != 0))
        fail_msg("%s\ngave: %.*s", answer, (int)got.n, got.bytes);
}

static void test_block(void **state)
{
    (void)state;
    check_block("no fence", R1I_PYTHON, NULL);
    check_block("```code``` inline", R1I_PYTHON, NULL);
    check_block("a\n```python\nx\n```\nb", R1I_PYTHON, "x\n");
    check_block("```\n    return 1\n```", R1I_PYTHON, "    return 1\n");
    check_block("```python\nold\n```\n```python\nnew\n```\n", R1I_PYTHON, "new\n");
    check_block("```Python3\ncode\n```\n```text\noutput\n```\n```\nmore\n```", R1I_PYTHON, "code\n");
    check_block("```\nfirst\n```\n```text\nsecond\n```", R1I_PYTHON, "first\n");
    check_block("```c\nc\n```\n```c++\npp\n```\n```cpp {.x}\nmore\n```\n```c\nlast\n```", R1I_CPP, "more\n");
    check_block("```cpp\npp\n```\n```c\nc\n```\n```cxx\nlast\n```", R1I_C, "c\n");
    check_block("````python\n```\ninner\n```\n````", R1I_PYTHON, "```\ninner\n```\n");
    check_block("~~~py\nx\n```\ny\n~~~", R1I_PYTHON, "x\n```\ny\n");
    check_block("```python\nnever closed\n", R1I_PYTHON, "never closed\n");
    check_block("```python\nfull\n```\n```python\ncut", R1I_PYTHON, "cut");
    check_block("```python\r\nx\r\n```\r\n", R1I_PYTHON, "x\r\n");
    check_block("```", R1I_PYTHON, "");
}

static void test_answer(void **state)
{
    (void)state;
    r1i_text a;
    assert_true(r1i_code_answer(text("x"), false, &a) && a.n == 1);
    assert_true(r1i_code_answer(text("plan</think>x"), true, &a) && a.n == 1);
    assert_true(r1i_code_answer(text("<think>a</think>b</think>xy"), false, &a) && a.n == 2);
    assert_false(r1i_code_answer(text("```python\nx\n```"), true, &a)); /* the code was only thought of */
    assert_false(r1i_code_answer(text("<think>a"), false, &a));
}

static void test_defines(void **state)
{
    (void)state;
    assert_true(r1i_code_defines(text("import x\ndef f(a):\n  pass"), text("f")));
    assert_true(r1i_code_defines(text("async def f (a): pass"), text("f")));
    assert_true(r1i_code_defines(text("class f: pass"), text("f")));
    assert_true(r1i_code_defines(text("f = lambda x: x"), text("f")));
    assert_false(r1i_code_defines(text("  def f(a): pass"), text("f")));
    assert_false(r1i_code_defines(text("def ff(a): pass"), text("f")));
    assert_false(r1i_code_defines(text("f == 3\nfg = 2\n    return f"), text("f")));
    assert_false(r1i_code_defines(text("def"), text("f")));
}

static void test_prediction(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *prediction;
        bool input;
    } row[] = {
        {"so\n[ANSWER]\n[1, 2]\n[/ANSWER] end", "[1, 2]", false},
        {"[ANSWER]assert f(3) == 'a'[/ANSWER]", "'a'", false},
        {"```python\nassert f([1]) == 4\n```", "4", false},
        {"thus\n'abc'\n", "'abc'", false},
        {"[ANSWER]assert f([1], k=2) == 4[/ANSWER]", "[1], k=2", true},
        {"[ANSWER]f('a')[/ANSWER]", "'a'", true},
        {"[ANSWER]'a', 3[/ANSWER]", "'a', 3", true},
        {"", "", true},
        {"f(", "f(", true},
        {"==", "", false},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        r1i_text p;
        r1i_code_prediction(text(row[i].answer), row[i].input, &p);
        if (p.n != strlen(row[i].prediction) || memcmp(p.bytes, row[i].prediction, p.n) != 0)
            fail_msg("row %zu: %.*s", i, (int)p.n, p.bytes);
    }
}

static void check_gold(const char *gold, const char *message)
{
    r1i_code_gold g;
    r1_error err = {0};
    const r1_status st = r1i_code_gold_parse(gold, strlen(gold), &g, &err);
    if (!message) assert_int_equal(st, R1_OK);
    else if (st != R1_ERR_FORMAT || !strstr(err.message, message)) fail_msg("%s\nsaid: %s", gold, err.message);
    r1i_code_gold_free(&g);
}

static void test_gold(void **state)
{
    (void)state;
    check_gold("{\"stdin_stdout\": [{\"input\": \"1\", \"output\": \"2\"}], \"tolerance\": 1e-6, \"cpu_seconds\": 2}",
               NULL);
    check_gold("{\"entry_point\": \"f\", \"test\": \"def check(candidate):\\n  assert candidate(1)\", \"prompt\": \"def f(x):\"}", NULL);
    check_gold("{\"assertions\": [\"assert f(1)\"], \"setup\": \"import math\"}", NULL);
    check_gold("{\"cruxeval\": {\"output\": \"4\"}}", NULL);
    check_gold("{\"cruxeval\": {\"code\": \"def f(x): return x\", \"output\": \"4\", \"predict\": \"input\"}}", NULL);
    check_gold("7", "JSON object");
    check_gold("{", "");
    check_gold("{}", "exactly one of");
    check_gold("{\"assertions\": [\"assert f(1)\"], \"stdin_stdout\": []}", "exactly one of");
    check_gold("{\"tests\": []}", "unknown key 'tests'");
    check_gold("{\"stdin_stdout\": []}", "array of tests");
    check_gold("{\"stdin_stdout\": [{\"input\": \"1\"}]}", "test 1: 'output' is missing");
    check_gold("{\"stdin_stdout\": [{\"input\": \"1\", \"output\": \" \\n\"}]}", "an empty program would pass");
    check_gold("{\"stdin_stdout\": [{\"input\": 1, \"output\": \"2\"}]}", "'input' is not a string");
    check_gold("{\"assertions\": []}", "array of strings");
    check_gold("{\"assertions\": [\"f(1)\"]}", "asserts nothing");
    check_gold("{\"test\": \"def check(c): assert c\"}", "'entry_point' is missing");
    check_gold("{\"test\": \"assert f(1)\", \"entry_point\": \"f\"}", "does not define check");
    check_gold("{\"language\": \"c\", \"assertions\": [\"assert f(1)\"]}", "python only");
    check_gold("{\"language\": \"cobol\", \"assertions\": [\"assert f(1)\"]}", "none of python, c, cpp");
    check_gold("{\"assertions\": [\"assert f(1)\"], \"tolerance\": -1}", "'tolerance'");
    check_gold("{\"cruxeval\": {\"output\": \" \"}}", "blank");
    check_gold("{\"cruxeval\": {\"output\": \"1\", \"predict\": \"input\"}}", "'code' is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_compare), cmocka_unit_test(test_block),
                                       cmocka_unit_test(test_answer), cmocka_unit_test(test_defines),
                                       cmocka_unit_test(test_prediction), cmocka_unit_test(test_gold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

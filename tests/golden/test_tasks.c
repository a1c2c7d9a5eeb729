/* Every task file of the tree: it parses, its data (where it is here) loads to the last row, and every gold can be
 * graded against. The published prompts are held to their bytes. */
#include "support/test.h"

#include <dirent.h>

#include "base/file.h"
#include "eval/examiner.h"
#include "eval/items.h"

static const char data_dir[] = R1_SOURCE_DIR "/../shared/data", task_dir[] = R1_SOURCE_DIR "/tasks";

static r1i_task *open_task(const char *name)
{
    r1i_task *t;
    r1_error e = {0};
    if (r1i_task_find(name, task_dir, &t, &e) != R1_OK) {
        print_message("%s\n", e.message);
        fail();
    }
    return t;
}

/* Rows whose gold is refused, each named. */
static size_t refused(const r1i_task *t, const r1i_items *items)
{
    r1i_examiner *x;
    r1_error e = {0};
    size_t bad = 0;
    if (strcmp(t->grader, "judge") == 0) return 0;
    const r1_status st = r1i_examiner_create(t->name, t->grader, t->options, NULL, NULL, &x, &e);
    if (st == R1_ERR_MISSING) {
        print_message("%s: %s\n", t->name, e.message);
        return 0;
    }
    if (st != R1_OK) print_message("%s\n", e.message);
    assert_int_equal(st, R1_OK);
    for (size_t i = 0; i < items->n; i++)
        if (r1i_examiner_check_gold(x, items->item[i].gold, items->item[i].gold_bytes, &e) != R1_OK) {
            bad++;
            print_message("%s line %d (%s): %s\n", t->name, (int)items->item[i].line, items->item[i].id, e.message);
        }
    r1i_examiner_destroy(x);
    return bad;
}

static void test_every_task(void **state)
{
    (void)state;
    int tasks = 0, with_data = 0;
    size_t bad = 0;
    DIR *const d = opendir(task_dir);
    assert_non_null(d);
    for (const struct dirent *f; (f = readdir(d));) {
        char name[300];
        r1_error e = {0};
        r1i_items items;
        const size_t n = strlen(f->d_name);
        if (n < 6 || strcmp(f->d_name + n - 5, ".yaml") != 0) continue;
        snprintf(name, sizeof name, "%.*s", (int)n - 5, f->d_name);
        r1i_task *const t = open_task(name);
        assert_string_equal(t->name, name);
        tasks++;
        const r1_status st = t->data ? r1i_items_load(t, data_dir, 0, &items, &e) : R1_ERR_IO;
        if (st == R1_OK) {
            with_data++;
            bad += refused(t, &items);
            r1i_items_free(&items);
        } else if (st != R1_ERR_IO) {
            print_message("%s: %s\n", name, e.message);
            fail();
        }
        r1i_task_free(t);
    }
    closedir(d);
    print_message("%d tasks, %d with data here\n", tasks, with_data);
    assert_int_equal(bad, 0);
    assert_true(tasks >= 22);
    if (r1i_is_directory(data_dir)) assert_int_equal(with_data, 17);
}

static void expect_prompt(const char *task, const char *row, const char *prompt, const char *gold)
{
    char path[] = "/tmp/r1-task-XXXXXX";
    r1i_items items;
    r1_error e = {0};
    r1i_task *const t = open_task(task);
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *const f = fdopen(fd, "w");
    fputs(row, f);
    fclose(f);
    if (r1i_items_load(t, path, 0, &items, &e) != R1_OK) print_message("%s\n", e.message), fail();
    remove(path);
    assert_int_equal(items.n, 1);
    assert_string_equal(items.item[0].question, prompt);
    assert_string_equal(items.item[0].gold, gold);
    r1i_items_free(&items);
    r1i_task_free(t);
}

static void test_prompts(void **state)
{
    (void)state;
    static const char *const boxed[] = {"aime24", "aime25", "amc23", "cn_math_2024", "gsm8k", "math500", "custom"};
    for (size_t i = 0; i < sizeof boxed / sizeof *boxed; i++)
        expect_prompt(boxed[i], "{\"question\": \"What is {{ 1 }} <b>+</b> $\\\\frac12$?\", \"answer\": \"3/2\"}\n",
                      "What is {{ 1 }} <b>+</b> $\\frac12$?\n\nPlease reason step by step, and put your final answer within \\boxed{}.", "3/2");
    expect_prompt("custom", "{\"prompt\": \"P\", \"answer\": \"1\"}\n",
                  "P\n\nPlease reason step by step, and put your final answer within \\boxed{}.", "1");
    const char *const choice =
        "Answer the following multiple choice question. The last line of your response should be of the following format: 'Answer: $LETTER' "
                               "(without quotes) where LETTER is one of ABCD. Think step by step before answering.\n\nWhich?\n\nA) one\nB) two";
    expect_prompt("mmlu", "{\"question\": \"Which?\", \"choices\": [\"one\", \"two\"], \"answer\": \"B\"}\n", choice,
                  "B");
    expect_prompt("gpqa", "{\"question\": \"Which?\", \"choices\": [\"one\", \"two\"], \"answer\": \"B\"}\n",
                  "Answer the following multiple choice question. The last line of your response should be of the following format: 'ANSWER: $LETTER' "
                  "(without quotes) where LETTER is one of ABCD. Think step by step before answering.\n\nWhich?\n\nA) one\nB) two", "B");
    expect_prompt("mmlu_pro",
                  "{\"question\": \"Which?\", \"choices\": [\"one\", \"two\"], \"answer\": \"B\", \"subject\": \"law\"}\n",
                  "The following are multiple choice questions (with answers) about law. Think step by step and then output the answer in the format of \"The "
                  "answer is (X)\" at the end.\n\nWhich?\nA) one\nB) two", "B");
    expect_prompt("humaneval",
                  "{\"question\": \"def f():\\n    pass\\n\", \"tests\": \"def check(c): assert c() < 2\", \"entry_point\": \"f\"}\n",
                  "Complete the following Python function. Reply with the whole function, imports included, in one ```python code block.\n\n```python\ndef f():\n"
                  "    pass\n```",
                  "{\"language\": \"python\", \"prompt\": \"def f():\\n    pass\\n\", \"test\": \"def check(c): assert c() < 2\", \"entry_point\": \"f\"}");
    expect_prompt("ifeval", "{\"question\": \"Q\", \"instruction_id_list\": [\"a:b\"], \"kwargs\": [{}]}\n", "Q",
                  "{\"instruction_id_list\": [\"a:b\"], \"kwargs\": [{}]}");
    expect_prompt("mgsm", "{\"question\": \"Q\", \"answer\": \"1\", \"lang\": \"zh\"}\n",
                  "Q\n\n请逐步推理，并将最终答案放在 \\boxed{} 中。", "1");
}

/* Row, prompt, gold and grader fit together: a right answer in the form that the prompt asks for is right, a wrong one
 * is not. */
static void expect_verdicts(const char *task, const char *row, const char *right, const char *wrong)
{
    char path[] = "/tmp/r1-task-XXXXXX";
    r1i_items items;
    r1i_examiner *x;
    r1_error e = {0};
    r1i_task *const t = open_task(task);
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *const f = fdopen(fd, "w");
    fputs(row, f);
    fclose(f);
    if (r1i_items_load(t, path, 0, &items, &e) != R1_OK) print_message("%s\n", e.message), fail();
    remove(path);
    r1_status st = r1i_examiner_create(t->name, t->grader, t->options, NULL, NULL, &x, &e);
    for (int i = 0; st == R1_OK && i < 2; i++) {
        const char *const text = i ? wrong : right;
        r1_verdict v;
        const r1_sample s = {.prompt = items.item[0].question, .prompt_bytes = items.item[0].question_bytes,
                             .gold = items.item[0].gold, .gold_bytes = items.item[0].gold_bytes, .completion = text,
                             .completion_bytes = strlen(text)};
        st = r1i_examiner_check_gold(x, s.gold, s.gold_bytes, &e);
        if (st == R1_OK) st = r1i_examiner_grade(x, &s, &v, &e);
        if (st == R1_OK && v.correct != (i == 0)) print_message("%s: %s: %s\n", task, text, v.reason), fail();
    }
    if (st == R1_ERR_MISSING) print_message("%s: %s\n", task, e.message); /* a sandbox that this machine cannot build */
    else if (st != R1_OK) print_message("%s: %s\n", task, e.message), fail();
    r1i_examiner_destroy(x);
    r1i_items_free(&items);
    r1i_task_free(t);
}

static void test_verdicts(void **state)
{
    (void)state;
    static const char choices[] =
        "{\"question\": \"Which?\", \"choices\": [\"one\", \"two\"], \"answer\": \"B\", \"subject\": \"law\"}\n";
    expect_verdicts("gsm8k", "{\"question\": \"Q\", \"answer\": \"1,018\"}\n", "So it is \\boxed{1018}.",
                    "So it is \\boxed{1019}.");
    expect_verdicts("math500", "{\"question\": \"Q\", \"answer\": \"\\\\frac{1}{2}\"}\n",
                    "<think>2</think>\\boxed{0.5}", "<think>\\boxed{1/2}</think>\\boxed{2}");
    expect_verdicts("mmlu", choices, "It is two.\nAnswer: B", "It is one.\nAnswer: A");
    expect_verdicts("gpqa", choices, "It is two.\nANSWER: B", "It is one.\nANSWER: A");
    expect_verdicts("mmlu_pro", choices, "The answer is (B)", "The answer is (A)");
    expect_verdicts("gaokao", "{\"question\": \"Q\", \"answer\": \"D\"}\n", "所以\n答案：D", "所以\n答案：A");
    expect_verdicts("countdown", "{\"question\": \"Q\", \"nums\": [30, 100, 93], \"target\": 23}\n",
                    "<think>x</think><answer>93 + (30 - 100)</answer>",
                    "<think>x</think><answer>93 - 70</answer>");
    expect_verdicts("ifeval",
                    "{\"question\": \"Q\", \"instruction_id_list\": [\"punctuation:no_comma\"], \"kwargs\": [{}]}\n",
                    "No commas here.", "One, two.");
    expect_verdicts("drop", "{\"passage\": \"P\", \"question\": \"Q\", \"answers\": [\"four years\", \"4\"]}\n",
                    "<answer>The Four Years.</answer>", "<answer>40</answer>");
    expect_verdicts("humaneval",
                    "{\"question\": \"def add(a, b):\\n    '''Add.'''\\n\", \"tests\": \"def check(candidate):\\n    assert candidate(1, 2) == 3\\n\", \"entry_point\": \"add\"}\n",
                    "```python\ndef add(a, b):\n    return a + b\n```",
                    "```python\ndef add(a, b):\n    return a - b\n```");
    expect_verdicts("mbpp",
                    "{\"question\": \"Add.\", \"tests\": [\"assert add(1, 2) == 3\", \"assert math.pi > add(1, 1)\"], \"test_setup\": \"import math\", \"entry_point\": "
                    "\"add\", \"split\": \"test\"}\n", "```python\ndef add(a, b):\n    return a + b\n```",
                    "```python\ndef add(a, b):\n    return 4\n```");
    expect_verdicts("cruxeval",
                    "{\"question\": \"def f(n):\\n    return [n, n]\", \"input\": \"7\", \"answer\": \"[7, 7]\"}\n",
                    "```python\nassert f(7) == [7, 7]\n```", "```python\nassert f(7) == [7]\n```");
    expect_verdicts("livecodebench",
                    "{\"question\": \"Double it.\", \"tests\": [{\"input\": \"4\\n\", \"output\": \"8\\n\"}]}\n",
                    "```python\nprint(2 * int(input()))\n```", "```python\nprint(int(input()))\n```");
}

int main(void)
{
    r1i_task *t;
    r1_error e = {0};
    const r1_status st = r1i_task_find("gsm8k", task_dir, &t, &e);
    if (st == R1_ERR_MISSING) {
        print_message("skipped: %s\n", e.message);
        return 77;
    }
    r1i_task_free(t);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_prompts), cmocka_unit_test(test_verdicts),
                                       cmocka_unit_test(test_every_task)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every task file of the tree: it parses, its data (where it is here) loads to the last row, and every gold can be graded
 * against. The published prompts are held to their bytes. */
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
    expect_prompt("custom", "{\"prompt\": \"P\", \"answer\": \"1\"}\n", "P\n\nPlease reason step by step, and put your final answer within \\boxed{}.", "1");
    const char *const choice = "Answer the following multiple choice question. The last line of your response should be of the following format: 'Answer: $LETTER' "
                               "(without quotes) where LETTER is one of ABCD. Think step by step before answering.\n\nWhich?\n\nA) one\nB) two";
    expect_prompt("mmlu", "{\"question\": \"Which?\", \"choices\": [\"one\", \"two\"], \"answer\": \"B\"}\n", choice, "B");
    expect_prompt("gpqa", "{\"question\": \"Which?\", \"choices\": [\"one\", \"two\"], \"answer\": \"B\"}\n",
                  "Answer the following multiple choice question. The last line of your response should be of the following format: 'ANSWER: $LETTER' "
                  "(without quotes) where LETTER is one of ABCD. Think step by step before answering.\n\nWhich?\n\nA) one\nB) two", "B");
    expect_prompt("mmlu_pro", "{\"question\": \"Which?\", \"choices\": [\"one\", \"two\"], \"answer\": \"B\", \"subject\": \"law\"}\n",
                  "The following are multiple choice questions (with answers) about law. Think step by step and then output the answer in the format of \"The "
                  "answer is (X)\" at the end.\n\nWhich?\nA) one\nB) two", "B");
    expect_prompt("humaneval", "{\"question\": \"def f():\\n    pass\\n\", \"tests\": \"def check(c): assert c() < 2\", \"entry_point\": \"f\"}\n",
                  "Complete the following Python function. Reply with the whole function, imports included, in one ```python code block.\n\n```python\ndef f():\n"
                  "    pass\n```",
                  "{\"language\": \"python\", \"prompt\": \"def f():\\n    pass\\n\", \"test\": \"def check(c): assert c() < 2\", \"entry_point\": \"f\"}");
    expect_prompt("ifeval", "{\"question\": \"Q\", \"instruction_id_list\": [\"a:b\"], \"kwargs\": [{}]}\n", "Q", "{\"instruction_id_list\": [\"a:b\"], \"kwargs\": [{}]}");
    expect_prompt("mgsm", "{\"question\": \"Q\", \"answer\": \"1\", \"lang\": \"zh\"}\n", "Q\n\n请逐步推理，并将最终答案放在 \\boxed{} 中。", "1");
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_prompts), cmocka_unit_test(test_every_task)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

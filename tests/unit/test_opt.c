/* Command-line options: every form, every complaint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/opt.h"

typedef struct params {
    const char *model, *prompt, *mode, *file;
    bool json, think;
    int verbose;
    int64_t n;
    double temperature;
    opt_strings stop;
} params;

static void declare(opt_list *list, params *p)
{
    *list = (opt_list){.n = 0};
    *p = (params){.think = true, .n = 7, .temperature = 0.6, .mode = "f32"};
    opt_arg(list, "MODEL", &p->model, "a model");
    opt_arg_optional(list, "PROMPT", &p->prompt, "a prompt");
    opt_flag(list, 'j', "json", &p->json, "machine-readable");
    opt_flag(list, 0, "think", &p->think, "think first");
    opt_count(list, 'v', "verbose", &p->verbose, "say more");
    opt_int(list, 'n', "max-tokens", "N", &p->n, 0, 1000, "stop after N");
    opt_real(list, 't', "temperature", "T", &p->temperature, 0, 2, "randomness");
    opt_choice(list, 0, "compute", "f32|bf16", &p->mode, "arithmetic");
    opt_string(list, 'f', "file", "PATH", &p->file, "a file");
    opt_strings_add(list, 0, "stop", "TEXT", &p->stop, "stop at TEXT");
}

static opt_list list;
static char message[256];

static opt_result parse(params *p, const char *const *words)
{
    int n = 0;
    char *argv[16];
    declare(&list, p);
    for (; words[n]; n++) argv[n] = (char *)(uintptr_t)words[n];
    message[0] = '\0';
    return opt_parse(&list, n, argv, message, sizeof message);
}
#define PARSE(p, ...) parse(p, (const char *const[]){__VA_ARGS__, NULL})

static void test_every_form(void **state)
{
    (void)state;
    params p;
    assert_int_equal(PARSE(&p, "m", "--max-tokens", "5", "-t1.5", "--compute=bf16", "hello", "-jvv", "--no-think",
                           "--stop", "a",
                           "--stop=b"), OPT_OK);
    assert_string_equal(p.model, "m");
    assert_string_equal(p.prompt, "hello");
    assert_true(p.json && !p.think && p.verbose == 2 && p.n == 5);
    assert_true(p.temperature == 1.5);
    assert_string_equal(p.mode, "bf16");
    assert_int_equal(p.stop.n, 2);
    assert_string_equal(p.stop.item[1], "b");
    assert_true(opt_given(&list, &p.n));
    assert_false(opt_given(&list, &p.file));
    opt_free(&list);
    assert_null(p.stop.item);
}

static void test_dashes(void **state)
{
    (void)state;
    params p;
    assert_int_equal(PARSE(&p, "-", "--", "--json"), OPT_OK);
    assert_string_equal(p.model, "-");
    assert_string_equal(p.prompt, "--json");
    assert_false(p.json);
    /* the value of an option is taken as it is, also when it begins with a dash */
    assert_int_equal(PARSE(&p, "m", "--file", "-x", "--file=--y"), OPT_OK);
    assert_string_equal(p.file, "--y");
}

static void test_complaints(void **state)
{
    (void)state;
    params p;
    static const struct {
        const char *words[4];
        const char *says;
    } cases[] = {
        {{"--json"}, "MODEL is missing"},
        {{"m", "p", "q"}, "unexpected argument 'q'"},
        {{"m", "--max-token", "5"}, "unknown option --max-token; did you mean --max-tokens?"},
        {{"m", "--zzzzzzzz"}, "unknown option --zzzzzzzz"},
        {{"m", "-x"}, "unknown option -x"},
        {{"m", "--no-json-at-all"}, "unknown option --no-json-at-all"},
        {{"m", "--no-file"}, "unknown option --no-file; did you mean --file?"},
        {{"m", "--json=1"}, "--json takes no value"},
        {{"m", "--no-json=1"}, "--no-json takes no value"},
        {{"m", "--file"}, "--file needs a value (PATH)"},
        {{"m", "-n"}, "-n needs a value (N)"},
        {{"m", "-n", "5x"}, "--max-tokens: '5x' is not a whole number from 0 to 1000"},
        {{"m", "-n", "-1"}, "--max-tokens: '-1' is not a whole number from 0 to 1000"},
        {{"m", "-n", ""}, "--max-tokens: '' is not a whole number from 0 to 1000"},
        {{"m", "-n", "99999999999999999999"},
         "--max-tokens: '99999999999999999999' is not a whole number from 0 to 1000"},
        {{"m", "-t", "nan"}, "--temperature: 'nan' is not a number from 0 to 2"},
        {{"m", "-t", "2.1"}, "--temperature: '2.1' is not a number from 0 to 2"},
        {{"m", "--compute", "f3"}, "--compute: 'f3' is none of f32|bf16"},
        {{"m", "--compute", ""}, "--compute: '' is none of f32|bf16"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(parse(&p, cases[i].words), OPT_BAD);
        assert_string_equal(message, cases[i].says);
    }
    assert_int_equal(PARSE(&p, "--json", "--help", "--nonsense"), OPT_HELP);
    assert_int_equal(PARSE(&p, "-jh"), OPT_HELP);
}

static void test_defaults(void **state)
{
    (void)state;
    params p;
    char text[64], all[512] = "";
    declare(&list, &p);
    for (int i = 0; i < list.n; i++) {
        opt_default(&list.item[i], text, sizeof text);
        strcat(all, text);
        strcat(all, ";");
    }
    assert_string_equal(all, ";;;on;;7;0.6;f32;;;");
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"run", "chat", "inspect", "tokenize"};
    assert_string_equal(opt_nearest("tokenise", names, 4), "tokenize");
    assert_string_equal(opt_nearest("isnpect", names, 4), "inspect");
    assert_string_equal(opt_nearest("chta", names, 4), "chat");
    assert_null(opt_nearest("serve", names, 4));
    assert_null(opt_nearest("a-very-long-word-that-is-beyond-the-forty-letter-limit", names, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form), cmocka_unit_test(test_dashes),  cmocka_unit_test(test_complaints),
        cmocka_unit_test(test_defaults),   cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

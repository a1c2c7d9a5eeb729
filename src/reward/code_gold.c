#include "reward/code_gold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const keys[] = {"language",   "prompt",   "entry_point", "test",        "assertions",
                                   "setup",      "cruxeval", "tolerance",   "cpu_seconds", "stdin_stdout", NULL};

/* A string member, empty where absent. */
static r1_status text_of(const json_t *object, const char *key, bool wanted, r1i_text *out, r1_error *err)
{
    const json_t *const v = json_object_get(object, key);
    *out = (r1i_text){"", 0};
    if (!v) return wanted ? r1i_fail(err, R1_ERR_FORMAT, "'%s' is missing", key) : R1_OK;
    if (!json_is_string(v)) return r1i_fail(err, R1_ERR_FORMAT, "'%s' is not a string", key);
    *out = (r1i_text){json_string_value(v), json_string_length(v)};
    return R1_OK;
}

static r1_status number_of(const json_t *object, const char *key, double otherwise, double most, double *out,
                           r1_error *err)
{
    const json_t *const v = json_object_get(object, key);
    *out = v ? json_number_value(v) : otherwise;
    if (v && (!json_is_number(v) || !(*out >= 0 && *out <= most)))
        return r1i_fail(err, R1_ERR_FORMAT, "'%s' is not a number from 0 to %g", key, most);
    return R1_OK;
}

static bool blank(r1i_text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!strchr(" \t\r\n", t.bytes[i]) || !t.bytes[i]) return false;
    return true;
}

static r1_status known(const json_t *object, const char *const *names, r1_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        size_t i = 0;
        while (names[i] && strcmp(names[i], key) != 0) i++;
        if (!names[i]) return r1i_fail(err, R1_ERR_FORMAT, "unknown key '%.64s'", key);
    }
    return R1_OK;
}

static r1_status parse_language(r1i_code_gold *g, r1_error *err)
{
    r1i_text t;
    r1_status st = text_of(g->root, "language", false, &t, err);
    if (st != R1_OK || t.n == 0) return st;
    for (int i = 0; i < R1I_N_LANGUAGES; i++)
        if (strcmp(t.bytes, r1i_code_language_name((r1i_code_language)i)) == 0) {
            g->language = (r1i_code_language)i;
            return R1_OK;
        }
    if (strcmp(t.bytes, "c++") == 0) {
        g->language = R1I_CPP;
        return R1_OK;
    }
    return r1i_fail(err, R1_ERR_FORMAT, "language '%.32s' is none of python, c, cpp", t.bytes);
}

static r1_status parse_stdio(r1i_code_gold *g, const json_t *tests, r1_error *err)
{
    bool any = false;
    const size_t n = json_array_size(tests);
    if (!json_is_array(tests) || n == 0) return r1i_fail(err, R1_ERR_FORMAT, "'stdin_stdout' is not an array of tests");
    if (!(g->tests = calloc(n, sizeof *g->tests))) return r1i_fail(err, R1_ERR_NOMEM, "%zu tests", n);
    for (size_t i = 0; i < n; i++) {
        const json_t *const t = json_array_get(tests, i);
        r1_status st = json_is_object(t) ? known(t, (const char *const[]){"input", "output", NULL}, err)
            : r1i_fail(err, R1_ERR_FORMAT, "not an object");
        if (st == R1_OK) st = text_of(t, "input", true, &g->tests[i].input, err);
        if (st == R1_OK) st = text_of(t, "output", true, &g->tests[i].output, err);
        if (st != R1_OK) {
            r1i_error_prefix(err, "test %zu: ", i + 1);
            return st;
        }
        any = any || !blank(g->tests[i].output);
        g->n_tests = i + 1;
    }
    return any ? R1_OK : r1i_fail(err, R1_ERR_FORMAT, "no test expects any output, so an empty program would pass");
}

static r1_status parse_assertions(r1i_code_gold *g, const json_t *list, r1_error *err)
{
    const size_t n = json_array_size(list);
    if (!json_is_array(list) || n == 0) return r1i_fail(err, R1_ERR_FORMAT, "'assertions' is not an array of strings");
    r1i_text *const texts = calloc(n, sizeof *texts);
    if (!texts) return r1i_fail(err, R1_ERR_NOMEM, "%zu assertions", n);
    g->calls.assertions = texts;
    for (size_t i = 0; i < n; i++) {
        const json_t *const t = json_array_get(list, i);
        if (!json_is_string(t)) return r1i_fail(err, R1_ERR_FORMAT, "assertion %zu is not a string", i + 1);
        texts[i] = (r1i_text){json_string_value(t), json_string_length(t)};
        if (!strstr(texts[i].bytes, "assert"))
            return r1i_fail(err, R1_ERR_FORMAT, "assertion %zu asserts nothing", i + 1);
        g->calls.n_assertions = i + 1;
    }
    return R1_OK;
}

static r1_status parse_calls(r1i_code_gold *g, const json_t *assertions, r1_error *err)
{
    r1i_call_tests *const c = &g->calls;
    r1_status st = text_of(g->root, "prompt", false, &c->prelude, err);
    if (st == R1_OK) st = text_of(g->root, "setup", false, &c->setup, err);
    if (st == R1_OK) st = text_of(g->root, "test", false, &c->check, err);
    if (st == R1_OK) st = text_of(g->root, "entry_point", c->check.n != 0, &c->entry, err);
    if (st == R1_OK && assertions) st = parse_assertions(g, assertions, err);
    if (st != R1_OK) return st;
    if (g->language != R1I_PYTHON) return r1i_fail(err, R1_ERR_FORMAT, "assertions are for python only");
    if (c->check.n && !strstr(c->check.bytes, "def check("))
        return r1i_fail(err, R1_ERR_FORMAT, "'test' does not define check(candidate)");
    if (c->check.n && !strstr(c->check.bytes, "assert")) return r1i_fail(err, R1_ERR_FORMAT, "'test' asserts nothing");
    return R1_OK;
}

/* The tests' side compares the program's literal with the gold's, once. */
static r1_status parse_cruxeval(r1i_code_gold *g, const json_t *object, r1_error *err)
{
    static const char form[] = "assert r1_prediction() == (\n%s\n)";
    r1i_text output, input, predict;
    if (!json_is_object(object)) return r1i_fail(err, R1_ERR_FORMAT, "'cruxeval' is not an object");
    r1_status st = known(object, (const char *const[]){"code", "input", "output", "predict", NULL}, err);
    if (st == R1_OK) st = text_of(object, "predict", false, &predict, err);
    if (st != R1_OK) return st;
    g->predict_input = strcmp(predict.bytes, "input") == 0;
    if (predict.n && !g->predict_input && strcmp(predict.bytes, "output") != 0)
        return r1i_fail(err, R1_ERR_FORMAT, "'predict' is neither input nor output");
    st = text_of(object, "output", true, &output, err);
    if (st == R1_OK) st = text_of(object, "input", false, &input, err);
    if (st == R1_OK) st = text_of(object, "code", g->predict_input, &g->code, err);
    if (st != R1_OK) return st;
    if (blank(output)) return r1i_fail(err, R1_ERR_FORMAT, "'output' is blank");
    const size_t bytes = sizeof form + output.n;
    r1i_text *const list = calloc(1, sizeof *list);
    g->calls.assertions = list;
    g->made = malloc(bytes);
    if (!list || !g->made) return r1i_fail(err, R1_ERR_NOMEM, "cruxeval row");
    list[0] = (r1i_text){g->made, (size_t)snprintf(g->made, bytes, form, output.bytes)};
    g->calls.n_assertions = 1;
    g->calls.prelude = g->calls.setup = g->calls.check = (r1i_text){"", 0};
    g->calls.entry = (r1i_text){"r1_prediction", strlen("r1_prediction")};
    return R1_OK;
}

static r1_status parse(r1i_code_gold *g, r1_error *err)
{
    if (!json_is_object(g->root))
        return r1i_fail(err, R1_ERR_FORMAT, "the gold of a programming task is a JSON object");
    r1_status st = known(g->root, keys, err);
    if (st == R1_OK) st = parse_language(g, err);
    if (st == R1_OK) st = number_of(g->root, "tolerance", 1e-9, 1, &g->tolerance, err);
    if (st == R1_OK) st = number_of(g->root, "cpu_seconds", 0, 3600, &g->cpu_seconds, err);
    if (st != R1_OK) return st;
    const json_t *const io = json_object_get(g->root, "stdin_stdout"),
                        *const list = json_object_get(g->root, "assertions");
    const json_t *const crux = json_object_get(g->root, "cruxeval"), *const test = json_object_get(g->root, "test");
    if ((io != NULL) + (crux != NULL) + (list || test) != 1)
        return r1i_fail(err, R1_ERR_FORMAT, "exactly one of stdin_stdout, assertions or test, cruxeval is wanted");
    g->form = io ? R1I_FORM_STDIO : crux ? R1I_FORM_CRUXEVAL : R1I_FORM_CALLS;
    return io ? parse_stdio(g, io, err) : crux ? parse_cruxeval(g, crux, err) : parse_calls(g, list, err);
}

r1_status r1i_code_gold_parse(const char *bytes, size_t n, r1i_code_gold *out, r1_error *err)
{
    *out = (r1i_code_gold){0};
    r1_status st = r1i_json_parse(bytes, n, &out->root, err);
    if (st == R1_OK) st = parse(out, err);
    if (st != R1_OK) r1i_code_gold_free(out);
    return st;
}

void r1i_code_gold_free(r1i_code_gold *gold)
{
    free(gold->tests);
    free((void *)(uintptr_t)gold->calls.assertions);
    free(gold->made);
    json_decref(gold->root);
    *gold = (r1i_code_gold){0};
}

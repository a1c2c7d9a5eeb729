/* Every line of tests/fixtures/templates/cases.jsonl, which jinja2 wrote (tools/make_template_cases.py): the same text,
 * byte for byte, or an error where jinja2 raises. Shipped templates are read from ../shared; without it they are left
 * out. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "r1/chat.h"

typedef struct tally { int run, bad, left_out, with_text; } tally;

static json_t *sets;

static char *shipped(const char *path, size_t *bytes)
{
    char full[512];
    uint8_t *text;
    snprintf(full, sizeof full, R1_SOURCE_DIR "/../shared/%s", path);
    if (r1i_file_read(full, 1 << 20, &text, bytes, NULL) != R1_OK) return NULL;
    if (!strstr(path, ".json")) return (char *)text;
    /* only the one value: Llama's file holds an integer that no JSON library of C reads */
    const char *const key = strstr((char *)text, "\"chat_template\": \"");
    assert_non_null(key);
    json_t *const value =
        json_loads(key + strlen("\"chat_template\": "), JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(value);
    char *const copy = strdup(json_string_value(value));
    *bytes = strlen(copy);
    json_decref(value);
    free(text);
    return copy;
}

/* The spans must tile the text. */
static bool tiled(const r1_rendered *r)
{
    size_t at = 0;
    for (size_t i = 0; i < r->n_spans; i++) {
        if (r->spans[i].begin != at || r->spans[i].end <= at) return false;
        if (i && r->spans[i].trusted == r->spans[i - 1].trusted) return false;
        at = r->spans[i].end;
    }
    return at == r->bytes;
}

static bool right(const char *source, size_t bytes, const char *vars, const json_t *line, char *why, size_t why_size)
{
    r1_template *t = NULL;
    r1_rendered r = {0};
    r1_error err = {0};
    r1_status st = r1_template_compile(source, bytes, &t, &err);
    if (st == R1_OK) st = r1_template_render(t, vars, strlen(vars), NULL, &r, &err);
    const json_t *const text = json_object_get(line, "text");
    bool ok;
    if (!text) {
        ok = st != R1_OK;
        snprintf(why, why_size, "jinja2 raises; here: %.200s", r.text ? r.text : "");
    } else {
        ok = st == R1_OK && r.bytes == json_string_length(text) &&
            memcmp(r.text, json_string_value(text), r.bytes) == 0 && tiled(&r);
        snprintf(why, why_size, "want %.300s\n   got %.300s", json_string_value(text),
                 st == R1_OK ? r.text : err.message);
    }
    r1_rendered_free(&r);
    r1_template_destroy(t);
    return ok;
}

static void run_line(const json_t *line, int number, tally *k)
{
    const char *const name = json_string_value(json_object_get(line, "set"));
    char why[700];
    if (name) {
        json_object_set(sets, name, json_object_get(line, "vars"));
        return;
    }
    const char *const path = json_string_value(json_object_get(line, "file"));
    const json_t *const own = json_object_get(line, "template");
    size_t bytes = json_string_length(own);
    char *const file = path ? shipped(path, &bytes) : NULL;
    if (path && !file) {
        k->left_out++;
        return;
    }
    const char *const set = json_string_value(json_object_get(line, "vars"));
    char *const vars = json_dumps(json_object_get(sets, set), JSON_COMPACT);
    assert_non_null(vars);
    k->run++;
    k->with_text += json_object_get(line, "text") != NULL;
    if (!right(file ? file : json_string_value(own), bytes, vars, line, why, sizeof why)) {
        if (k->bad++ < 10)
            print_message("line %d, %s with '%s':\n   %s\n", number, path ? path : json_string_value(own), set, why);
    }
    free(vars);
    free(file);
}

static void test_cases(void **state)
{
    FILE *const f = fopen(R1_TEST_DIR "/fixtures/templates/cases.jsonl", "r");
    char *text = NULL;
    size_t cap = 0;
    tally k = {0};
    (void)state;
    assert_non_null(f);
    sets = json_object();
    int number = 0;
    for (ssize_t n; (n = getline(&text, &cap, f)) > 0;) {
        json_t *line;
        r1_error err = {0};
        number++;
        if (r1i_json_parse(text, (size_t)n, &line, &err) != R1_OK) fail_msg("line %d: %s", number, err.message);
        run_line(line, number, &k);
        json_decref(line);
    }
    free(text);
    fclose(f);
    json_decref(sets);
    print_message("%d cases, %d of them with text, %d left out for want of ../shared\n", k.run, k.with_text,
                  k.left_out);
    assert_true(k.run > 600 && k.with_text > 400);
    assert_int_equal(k.bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

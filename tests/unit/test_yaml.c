/* YAML as JSON: the core schema, what is refused and at which line and column, bounded aliases, fields by kind. */
#include "support/test.h"

#include "base/yaml.h"

static json_t *parse(const char *text, r1i_yaml **y)
{
    r1_error e = {0};
    if (r1i_yaml_parse(text, strlen(text), y, &e) != R1_OK) {
        print_message("%s\n", e.message);
        fail();
    }
    return r1i_yaml_root(*y);
}

static void expect(const char *yaml, const char *json)
{
    r1i_yaml *y;
    char *const got = json_dumps(parse(yaml, &y), JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(got, json);
    free(got);
    r1i_yaml_free(y);
}

static void test_values(void **state)
{
    (void)state;
    expect("", "null");
    expect("a: no\nb: yes\nc: true\nd: \"true\"\ne: ~\nf:\n",
           "{\"a\":\"no\",\"b\":\"yes\",\"c\":true,\"d\":\"true\",\"e\":null,\"f\":null}");
    expect("[1, -2, +3, 007, 0x10, 1_000]", "[1,-2,3,7,\"0x10\",\"1_000\"]");
    expect("[.5, 3e-6, 1., 1.2.3, ., e5, 9223372036854775808]",
           "[0.5,3.0000000000000001e-6,1.0,\"1.2.3\",\".\",\"e5\",9.2233720368547758e18]");
    expect("a: |-\n  x {{ y }}\n  \\boxed{}\nb: >\n  one\n  two\n",
           "{\"a\":\"x {{ y }}\\n\\\\boxed{}\",\"b\":\"one two\\n\"}");
    expect("a: &x {b: [1]}\nc: *x\n", "{\"a\":{\"b\":[1]},\"c\":{\"b\":[1]}}");
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
        int64_t line;
    } bad[] = {
        {"a: 1\nb: 2\na: 3\n", "line 3 column 1: the key 'a' stands twice", 3},
        {"a: [1,\n", "line 2 column 1", 2},
        {"a: 1\n\tb: 2\n", "line 2", 2},
        {"a: 1\n---\nb: 1\n", "line 3 column 1: a second document", 3},
        {"? [1]\n: 2\n", "line 1 column 3: a key must be a text", 1},
        {"a: !!binary aGk=\n", "tags (tag:yaml.org,2002:binary)", 1},
        {"a: &x [*x]\n", "an alias inside itself", 1},
        {"x: \"a\\0b\"\n\"k\\0\": 1\n", "a zero byte in a key", 2},
        {"a: 1\nb: 1e999\n", "line 2 column 4: 1e999 is beyond the range", 2},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        r1i_yaml *y;
        r1_error e = {0};
        assert_int_equal(r1i_yaml_parse(bad[i].text, strlen(bad[i].text), &y, &e), R1_ERR_FORMAT);
        assert_null(y);
        if (!strstr(e.message, bad[i].message) || e.line != bad[i].line) {
            print_message("case %zu: %s (line %d)\n", i, e.message, (int)e.line);
            fail();
        }
    }
}

static void test_aliases_are_bounded(void **state)
{
    (void)state;
    char text[2048];
    int n = snprintf(text, sizeof text, "a0: &a0 [1,1,1,1,1,1,1,1,1]\n");
    for (int i = 1; i < 9; i++) {
        n += snprintf(text + n, sizeof text - (size_t)n, "a%d: &a%d [", i, i);
        for (int j = 0; j < 9; j++) n += snprintf(text + n, sizeof text - (size_t)n, "%s*a%d", j ? "," : "", i - 1);
        n += snprintf(text + n, sizeof text - (size_t)n, "]\n");
    }
    r1i_yaml *y;
    r1_error e = {0};
    assert_int_equal(r1i_yaml_parse(text, (size_t)n, &y, &e), R1_ERR_FORMAT);
    assert_non_null(strstr(e.message, "more than 20000 values"));
}

static void test_fields(void **state)
{
    (void)state;
    static const r1i_field fields[] = {{"name", R1I_FIELD_TEXT, true, 0, 0}, {"k", R1I_FIELD_INT, false, 1, 64},
                                       {"t", R1I_FIELD_REAL, false, 0, 0},
                                       {"stop", R1I_FIELD_TEXTS, false, 0, 0}, {NULL, R1I_FIELD_ANY, false, 0, 0}};
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"name: x\nnmae: y\n", "line 2 column 1: unknown key 'nmae'; expected one of name, k, t, stop"},
        {"# all\nk: 1\n", "line 2 column 1: the key 'name' is missing"},
        {"name: x\nk: 65\n", "line 2 column 1: k: 65 is not from 1 to 64"},
        {"name: 5\n", "line 1 column 1: name: a text was expected"},
        {"name: x\nstop: [a, 1]\n", "line 2 column 1: stop: a list of texts was expected"},
        {"[1]", "line 1 column 2: a mapping of keys to values was expected"},
        {"", "line 1 column 1: a mapping of keys to values was expected"},
    };
    r1i_yaml *y;
    r1_error e = {0};
    assert_int_equal(r1i_yaml_check(y, parse("name: a\nk: 64\nt: 1\nstop: [b]\n", &y), fields, &e), R1_OK);
    r1i_yaml_free(y);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *const root = parse(bad[i].text, &y);
        assert_int_equal(r1i_yaml_check(y, root, fields, &e), R1_ERR_FORMAT);
        if (!strstr(e.message, bad[i].message)) {
            print_message("case %zu: %s\n", i, e.message);
            fail();
        }
        r1i_yaml_free(y);
    }
    json_t *const list = json_object_get(parse("name: a\nstop: [b,\n  c]\n", &y), "stop");
    assert_int_equal(r1i_yaml_fail(y, list, NULL, 1, &e, "wrong"), R1_ERR_FORMAT);
    assert_string_equal(e.message, "line 3 column 3: wrong");
    r1i_yaml_free(y);
}

/* What was set stands at no line; what it replaced may not lend it one, even where the allocator gives it the same
 * place. */
static void test_settings(void **state)
{
    (void)state;
    static const r1i_field fields[] = {{"lr", R1I_FIELD_REAL, false, 0, 0}, {NULL, R1I_FIELD_ANY, false, 0, 0}};
    r1i_yaml *y;
    r1_error e = {0};
    json_t *const root = parse("a: 1\noptimizer:\n  lr: 1\n  wd: 2\n", &y);
    json_t *const inner = json_object_get(root, "optimizer");
    assert_int_equal(r1i_yaml_set(y, inner, "lr", json_string("x"), "optimizer.lr=x", &e), R1_OK);
    assert_int_equal(r1i_yaml_check(y, inner, fields, &e), R1_ERR_FORMAT);
    assert_string_equal(e.message, "--set optimizer.lr=x: lr: a number was expected");
    assert_int_equal(r1i_yaml_fail(y, inner, "wd", 0, &e, "wrong"), R1_ERR_FORMAT);
    assert_string_equal(e.message, "line 4 column 3: wrong");
    assert_int_equal(r1i_yaml_set(y, root, "optimizer", json_pack("{s:i}", "wd", 3), "optimizer={wd: 3}", &e), R1_OK);
    assert_int_equal(r1i_yaml_fail(y, json_object_get(root, "optimizer"), "wd", 0, &e, "wrong"), R1_ERR_FORMAT);
    assert_string_equal(e.message, "--set optimizer={wd: 3}: wrong");
    assert_int_equal(r1i_yaml_set(y, root, "b", NULL, "b=", &e), R1_ERR_NOMEM);
    r1i_yaml_free(y);
}

int main(void)
{
    r1i_yaml *y;
    const r1_status st = r1i_yaml_parse("", 0, &y, NULL);
    r1i_yaml_free(y);
    if (st == R1_ERR_MISSING) {
        print_message("skipped: built without libyaml\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_aliases_are_bounded), cmocka_unit_test(test_fields),
                                       cmocka_unit_test(test_settings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

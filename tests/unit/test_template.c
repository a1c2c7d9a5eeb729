/* Compile and render: where each byte came from, limits, errors with line and offset, R1's built-in forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "r1/chat.h"
#include "support/fail_alloc.h"

static r1_status render(const char *source, const char *vars, const r1_template_limits *limits, r1_rendered *out,
                        r1_error *err)
{
    r1_template *t;
    *out = (r1_rendered){0};
    r1_status st = r1_template_compile(source, strlen(source), &t, err);
    if (st == R1_OK) st = r1_template_render(t, vars, strlen(vars), limits, out, err);
    r1_template_destroy(t);
    return st;
}

static void expect(const char *source, const char *vars, const char *text)
{
    r1_rendered r;
    r1_error err = {0};
    if (render(source, vars, NULL, &r, &err) != R1_OK) fail_msg("%s: %s", source, err.message);
    assert_string_equal(r.text, text);
    assert_int_equal(r.bytes, strlen(text));
    r1_rendered_free(&r);
}

/* ---- provenance: "marks" writes T under each byte of the template and u under each byte from outside ------------- */
static void expect_marks(const char *source, const char *vars, const char *text, const char *marks)
{
    r1_rendered r;
    r1_error err = {0};
    char got[256] = "";
    if (render(source, vars, NULL, &r, &err) != R1_OK) fail_msg("%s: %s", source, err.message);
    assert_string_equal(r.text, text);
    assert_true(r.bytes < sizeof got);
    for (size_t i = 0; i < r.n_spans; i++)
        memset(got + r.spans[i].begin, r.spans[i].trusted ? 'T' : 'u', r.spans[i].end - r.spans[i].begin);
    if (strcmp(got, marks)) fail_msg("%s\n  %s\n  %s expected\n  %s found", source, text, marks, got);
    r1_rendered_free(&r);
}

static void test_provenance(void **state)
{
    const char *const v =
        "{\"x\": \"ab\", \"s\": \" <U> \", \"l\": [\"p\", \"q\"], \"d\": {\"k\": \"v\"}, \"n\": 7, \"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}";
    (void)state;
    expect_marks("A{{ x }}B", v, "AabB", "TuuT");
    expect_marks("{{ bos_token }}{{ x }}{{ eos_token }}", v, "<s>ab</s>", "TTTuuTTTT");
    expect_marks("{{ '<' + x + '>' }}", v, "<ab>", "TuuT");
    expect_marks("{{ '<' ~ x ~ '>' }}", v, "<ab>", "TuuT");
    expect_marks("{{ ('<' + x + '>')[1:] }}", v, "ab>", "uuT");
    expect_marks("{{ ('<' + x + '>')[::-1] }}", v, ">ba<", "TuuT");
    expect_marks("{{ s.strip() }}|{{ s|trim }}", v, "<U>|<U>", "uuuTuuu");
    expect_marks("{{ ('(' ~ s ~ ')').split('<') }}", v, "['( ', 'U> )']", "TTTuTTTTuuuTTT");
    expect_marks("{{ ('-' ~ x).split('a')[1] ~ '!' }}", v, "b!", "uT");
    expect_marks("{{ x.replace('a', '_') }}{{ 'abc'.replace('b', x) }}", v, "_baabc", "TuTuuT");
    expect_marks("{{ l|join('+') }}", v, "p+q", "uTu");
    expect_marks("{{ '+'.join(l) }}", v, "p+q", "uTu");
    expect_marks("{{ ('i' ~ x)|upper }}{{ ('I' ~ x)|title }}{{ x|capitalize }}", v, "IABIabAb", "TuuTuuuu");
    expect_marks("{{ '%s=%s' % (x, 'y') }}{{ '{}:{}'.format('z', x) }}", v, "ab=yz:ab", "uuTTTTuu");
    expect_marks("{{ '%s'|format(x) }}", v, "ab", "uu");
    expect_marks("{{ d|tojson }}", v, "{\"k\": \"v\"}", "TuuuTTuuuT");
    expect_marks("{{ x|e }}{{ s|e }}", v, "ab &lt;U&gt; ", "uuuuuuuuuuuuu");
    expect_marks("{{ x|safe + '<' }}", v, "ab&lt;", "uuTTTT");
    expect_marks("{{ n }}{{ n ~ x }}", v, "77ab", "TTuu");
    expect_marks("{% set a %}[{{ x }}]{% endset %}{{ a }}", v, "[ab]", "TuuT");
    expect_marks("{% macro m(a) %}<{{ a }}{{ caller() if caller }}>{% endmacro %}{{ m(x) }}{% call m('') %}c{% endcall %}", v, "<ab><c>", "TuuTTTT");
    expect_marks("{% filter upper %}i{{ x }}{% endfilter %}", v, "IAB", "Tuu");
    expect_marks("{% for k, w in d.items() %}{{ k }}={{ w }}{% endfor %}", v, "k=v", "uTu");
    expect_marks("{% set ns = namespace(t='') %}{% for c in x %}{% set ns.t = ns.t ~ c ~ '.' %}{% endfor %}{{ ns.t }}",
                 v, "a.b.", "uTuT");
    expect_marks("{{ (x ~ '|')|indent(1, true) }}", v, " ab|", "TuuT");
    expect_marks("{{ x|replace('b', '\\n')|list|last }}{{ x|first }}{{ x|reverse }}", v, "\naba", "Tuuu");
    expect_marks("{{ {'a': '<A>'}[x[0]] }}", v, "<A>", "TTT");
    expect_marks("{{ x * 2 }}{{ '=' * 2 }}", v, "abab==", "uuuuTT");
    expect_marks("{{ x if x in ['ab'] else 'q' }}", v, "ab", "uu");
}

/* What a user types never becomes the template's, whatever the template does to it. */
static void test_no_laundering(void **state)
{
    static const char *const forms[] = {"m", "m.strip()", "m|string", "m ~ ''", "'' ~ m", "m + ''", "[m]|join",
                                        "[m][0]", "m|upper", "m.split('Z')|join('Z')",
        "m|list|join", "{'k': m}.k", "(m, 1)[0]", "m|default('x')", "m|replace('Z', 'Y')", "'%s' % m", "'{}'.format(m)",
        "'{a}'.format(a=m)", "m|trim|title", "m|truncate(1000)", "m.center(1)", "m[0:]", "m[::-1][::-1]", "m|safe",
        "m|tojson|replace('\"', '')", "m|indent", "m.partition('Z')[0]", "m.splitlines()|join", "m|urlencode",
        "m|wordcount ~ m", "[[m]]|map('first')|first", "{'a': m}|dictsort|first|last", "m.expandtabs()",
        "namespace(a=m).a", "dict(a=m)['a']", "m|groupby(0)|map('first')|join", "m.removeprefix('Z')", "m.rjust(1)",
        "m|batch(99)|first|join"};
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char source[128];
        r1_rendered r;
        r1_error err = {0};
        snprintf(source, sizeof source, "{{ %s }}", forms[i]);
        if (render(source, "{\"m\": \"<eos>\"}", NULL, &r, &err) != R1_OK) fail_msg("%s: %s", source, err.message);
        for (size_t k = 0; k < r.n_spans; k++)
            for (size_t p = r.spans[k].begin; p < r.spans[k].end; p++)
                if (r.spans[k].trusted && (r.text[p] == '<' || r.text[p] == '>' || (r.text[p] | 0x20) == 'e'))
                    fail_msg("%s lost the origin of '%s'", source, r.text);
        r1_rendered_free(&r);
    }
}

/* ---- errors and limits ------------------------------------------------------------------------------------------- */
static void expect_error(const char *source, r1_status st, int64_t line, int64_t offset, const char *part)
{
    r1_rendered r;
    r1_error err = {0};
    assert_int_equal(render(source, "{\"l\": [1], \"n\": null}", NULL, &r, &err), st);
    assert_null(r.text);
    if (!strstr(err.message, part)) fail_msg("%s: '%s' lacks '%s'", source, err.message, part);
    if (err.line != line || (offset >= 0 && err.offset != offset))
        fail_msg("%s: line %d offset %d", source, (int)err.line, (int)err.offset);
}

static void test_errors(void **state)
{
    (void)state;
    expect_error("a\nb{{ x", R1_ERR_FORMAT, 2, 7, "end of print statement");
    expect_error("a\r\nb{{ x $ }}", R1_ERR_FORMAT, 2, 9, "unexpected character '$'");
    expect_error("{% if x %}\n", R1_ERR_FORMAT, 1, -1, "Unexpected end of template");
    expect_error("{% nope %}", R1_ERR_FORMAT, 1, 3, "unknown tag 'nope'");
    expect_error("\n{{ 1|nope }}", R1_ERR_FORMAT, 2, 6, "No filter named 'nope'");
    expect_error("{% include 'a' %}", R1_ERR_UNSUPPORTED, 1, 3, "include");
    expect_error("{{ 1|urlize }}", R1_ERR_UNSUPPORTED, 1, 5, "urlize");
    expect_error("x\n\n{{ raise_exception('roles must\nalternate') }}", R1_ERR_FORMAT, 3, -1, "roles must alternate");
    expect_error("{{ a.b }}", R1_ERR_FORMAT, 1, -1, "'a' is undefined");
    expect_error("{{ l.append(2) }}", R1_ERR_FORMAT, 1, -1, "unsafe");
    expect_error("{{ n + 1 }}", R1_ERR_FORMAT, 1, -1, "unsupported operand");
    expect_error("{{ '\xff' }}", R1_ERR_FORMAT, 0, 4, "UTF-8");
    expect_error("{{ 2 ** 64 }}", R1_ERR_UNSUPPORTED, 1, -1, "64 bits");
}

static void test_variables(void **state)
{
    r1_rendered r;
    r1_error err = {0};
    (void)state;
    assert_int_equal(render("x", "[1]", NULL, &r, &err), R1_ERR_FORMAT);
    assert_int_equal(render("x", "{\"a\": ", NULL, &r, &err), R1_ERR_FORMAT);
    assert_non_null(strstr(err.message, "variables"));
    assert_int_equal(render("x", "{}", NULL, &r, NULL), R1_OK); /* err is nullable */
    r1_rendered_free(&r);
    assert_int_equal(render("{{ 1 + 'a' }}", "{}", NULL, &r, NULL), R1_ERR_FORMAT);
    r1_rendered_free(NULL);
    r1_template_destroy(NULL);
}

static void expect_limit(const char *source, const r1_template_limits *limits)
{
    r1_rendered r;
    r1_error err = {0};
    const r1_status st = render(source, "{}", limits, &r, &err);
    if (st != R1_ERR_RANGE) fail_msg("%s: %s", source, err.message);
    assert_null(r.text);
}

static void test_limits(void **state)
{
    const r1_template_limits small = {.max_steps = 10000, .max_depth = 20, .max_output = 1000};
    (void)state;
    expect_limit("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", &small);
    expect_limit("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", NULL);
    expect_limit("{{ 'x' * 1001 }}", &small);
    expect_limit("{{ 'x' * 1000000000000 }}", NULL);
    expect_limit("{{ '' ~ ('%2000s' % 1) }}", &small);
    expect_limit("{{ '{:5000}'.format(1) }}", &small);
    expect_limit("{{ [0] * 100000000000 }}", NULL);
    expect_limit("{% for i in range(300) %}abcdefgh{% endfor %}", &small);
    expect_limit("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", NULL);
    expect_limit("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", NULL);
    expect_limit("{% set ns = namespace(a=1) %}{% set ns.a = ns %}{{ ns }}", NULL);
    expect_limit("{% set ns = namespace(a=[]) %}{% for i in range(3000) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a }}", NULL);
    expect_limit("{% set ns = namespace(a=[]) %}{% for i in range(3000) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a|tojson }}", NULL);
    expect_limit("{% set ns = namespace(a=[],b=[]) %}{% for i in range(3000) %}{% set ns.a = [ns.a] %}{% set ns.b = [ns.b] %}{% endfor %}{{ ns.a == ns.b }}", NULL);
    expect_limit("{% set ns = namespace(a='x') %}{% for i in range(60) %}{% set ns.a = ns.a + ns.a %}{% endfor %}",
                 NULL);
}

/* A megabyte of anything that nests is refused by the parser, not by the end of the C stack. */
static void test_deep_source(void **state)
{
    static const char *const units[] = {"(", "[", "{1:", "-", "not ", "x[", "f(", "1 if ", "1 if 1 else ", "x|f(",
                                        "x is divisibleby(", "x is eq [", "%}{% if x %}{{ ", "}}{% for a in b %}{{ ",
                                        "1 + (", "x.y."};
    enum { BYTES = 1 << 20 };
    char *const source = malloc(BYTES + 64);
    (void)state;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        r1_template *t;
        r1_error err = {0};
        size_t n = (size_t)sprintf(source, "{{ ");
        while (n < BYTES) n += (size_t)sprintf(source + n, "%s", units[i]);
        assert_int_not_equal(r1_template_compile(source, n, &t, &err), R1_OK);
        assert_null(t);
    }
    /* long, but flat: these are fine */
    static const char *const flat[] = {"1 + ", "x ~ ", "true and ", "1 * "};
    for (size_t i = 0; i < sizeof flat / sizeof *flat; i++) {
        r1_rendered r;
        r1_error err = {0};
        size_t n = (size_t)sprintf(source, "{{ ");
        while (n < 40000) n += (size_t)sprintf(source + n, "%s", flat[i]);
        sprintf(source + n, "1 }}");
        assert_int_equal(render(source, "{\"x\": \"\"}", NULL, &r, &err), R1_OK);
        r1_rendered_free(&r);
    }
    free(source);
}

/* ---- memory: every allocation fails once; nothing is left behind ------------------------------------------------- */
static r1_status compile_big(void *ctx, r1_error *err)
{
    r1_template *t;
    const r1_status st = r1_template_compile(ctx, strlen(ctx), &t, err);
    r1_template_destroy(t);
    return st;
}

static r1_status render_big(void *ctx, r1_error *err)
{
    const char vars[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], \"bos_token\": \"<s>\"}";
    r1_rendered r;
    const r1_status st = r1_template_render(ctx, vars, sizeof vars - 1, NULL, &r, err);
    r1_rendered_free(&r);
    return st;
}

static void test_memory(void **state)
{
    static char source[200000];
    r1_template *t;
    (void)state;
    for (size_t n = 0; n < sizeof source - 100;)
        n += (size_t)sprintf(source + n, "{{ messages[0].content ~ 'text %zu' }}", n);
    assert_true(fail_alloc_sweep(compile_big, source) > 20);
    assert_int_equal(r1_template_compile(source, strlen(source), &t, NULL), R1_OK);
    assert_true(fail_alloc_sweep_json(render_big, t) > 20);
    r1_template_destroy(t);
}

/* ---- R1's forms: the worked examples ----------------------------------------------------------------------------- */
#define BOS "<｜begin▁of▁sentence｜>"
#define EOS "<｜end▁of▁sentence｜>"
#define U "<｜User｜>"
#define A "<｜Assistant｜>"
#define TCS "<｜tool▁calls▁begin｜>"
#define TCE "<｜tool▁calls▁end｜>"
#define TC "<｜tool▁call▁begin｜>"
#define TCe "<｜tool▁call▁end｜>"
#define TOS "<｜tool▁outputs▁begin｜>"
#define TOE "<｜tool▁outputs▁end｜>"
#define TO "<｜tool▁output▁begin｜>"
#define TOe "<｜tool▁output▁end｜>"
#define SEP "<｜tool▁sep｜>"
#define CALL(name, json) TC "function" SEP name "\n```json\n" json "\n```" TCe

static void expect_chat(const char *form, const char *messages, const char *text)
{
    char vars[4096];
    snprintf(vars, sizeof vars, "{\"messages\": [%s], \"add_generation_prompt\": true, \"bos_token\": \"" BOS "\"}",
             messages);
    assert_non_null(r1_template_builtin(form));
    expect(r1_template_builtin(form), vars, text);
}

#define USER(t) "{\"role\": \"user\", \"content\": \"" t "\"}"
#define SYSTEM(t) "{\"role\": \"system\", \"content\": \"" t "\"}"
#define SAYS(t) "{\"role\": \"assistant\", \"content\": \"" t "\"}"
#define OUT(t) "{\"role\": \"tool\", \"content\": \"" t "\"}"
#define FN(name, args) "{\"type\": \"function\", \"function\": {\"name\": \"" name "\", \"arguments\": \"" args "\"}}"
#define CALLS(content, list) "{\"role\": \"assistant\", \"content\": " content ", \"tool_calls\": [" list "]}"

static void test_worked_examples(void **state)
{
    static const char *const all[] = {"r1", "r1-t1", "r1-t2", "r1-t3"};
    (void)state;
    for (int i = 0; i < 4; i++) {
        const char *const end = i == 1 ? A : A "<think>\n";
        char text[512];
        snprintf(text, sizeof text, BOS U "What is 84 * 3 / 2?%s", end);
        expect_chat(all[i], USER("What is 84 * 3 / 2?"), text);                                          /* A */
        snprintf(text, sizeof text, BOS U "Hi" A "\n\nHello!" EOS U "1+1?%s", end);
        /* B */
        expect_chat(all[i], USER("Hi") "," SAYS("<think>\\nGreet.\\n</think>\\n\\nHello!") "," USER("1+1?"), text);
        snprintf(text, sizeof text, BOS "Be brief." U "Hi%s", end);
        expect_chat(all[i], SYSTEM("Be brief.") "," USER("Hi"), text);                                   /* C */
    }
    expect_chat("r1-t3", SYSTEM("One.") "," USER("Hi") "," SYSTEM("Two."), BOS "One.\n\nTwo." U "Hi" A "<think>\n");
    expect_chat("r1-t2", SYSTEM("One.") "," SYSTEM("Two.") "," USER("Hi"), BOS "Two." U "Hi" A "<think>\n");
    const char *const one =
        USER("Weather in Paris?") "," CALLS("null",
                                            FN("get_weather", "{\\\"city\\\": \\\"Paris\\\"}")) "," OUT("{\\\"temp\\\": 18}");
    const char *const d =
        BOS U "Weather in Paris?" A TCS CALL("get_weather",
                                             "{\"city\": \"Paris\"}") TCE EOS TOS TO "{\"temp\": 18}" TOe TOE;
    expect_chat("r1-t3", one, d);                                                                        /* D */
    expect_chat("r1", one, d);
    /* left open */
    expect_chat("r1-t2", one,
                BOS U "Weather in Paris?" A TCS CALL("get_weather",
                                                     "{\"city\": \"Paris\"}") TOS TO "{\"temp\": 18}" TOe TOE);
    const char *const two =
        USER("q") "," CALLS("null",
                            FN("f", "{\\\"a\\\": 1}") "," FN("g",
                                                             "{}")) "," OUT("r1") "," OUT("r2") "," SAYS("Done.") "," USER("Thanks");
    const char *const e =
        BOS U "q" A TCS CALL("f", "{\"a\": 1}") "\n" CALL("g",
                                                          "{}") TCE EOS TOS TO "r1" TOe TO "r2" TOe TOE "Done." EOS U "Thanks" A "<think>\n";
    expect_chat("r1-t3", two, e);                                                                        /* E */
    expect_chat("r1", two, e);
    expect_chat("r1-t2", two,
                BOS U "q" A TCS CALL("f", "{\"a\": 1}") "\n" CALL("g",
                                                                  "{}") TCE EOS TOS TO "r1" TOe "\n" TO "r2" TOe TOE "Done." EOS U "Thanks" A "<think>\n");
}

static void test_tool_turns(void **state)
{
    (void)state;
    const char *const again =
        USER("q") "," CALLS("\"Look.\"",
                            FN("f", "{}")) "," OUT("1") "," SAYS("One.") "," USER("again") "," CALLS("null",
                                FN("f", "{}")) "," OUT("2");
    /* the official form takes the second turn for more of the first; ours starts anew */
    expect_chat("r1-t3", again,
                BOS U "q" A "Look." TCS CALL("f", "{}") TCE EOS TOS TO "1" TOe TOE "One." EOS U "again\n" CALL("f",
                    "{}") TCE EOS TO "2" TOe TOE);
    expect_chat("r1", again,
                BOS U "q" A "Look." TCS CALL("f", "{}") TCE EOS TOS TO "1" TOe TOE "One." EOS U "again" A TCS CALL("f",
                    "{}") TCE EOS TOS TO "2" TOe TOE);
    const char *const user_after = USER("q") "," CALLS("null", FN("f", "{}")) "," OUT("1") "," USER("x");
    expect_chat("r1-t3", user_after, BOS U "q" A TCS CALL("f", "{}") TCE EOS TOS TO "1" TOe U "x" A "<think>\n");
    expect_chat("r1", user_after, BOS U "q" A TCS CALL("f", "{}") TCE EOS TOS TO "1" TOe TOE U "x" A "<think>\n");
    const char *const call_after =
        USER("q") "," CALLS("null", FN("f", "{}")) "," OUT("1") "," CALLS("null", FN("g", "{}")) "," OUT("2");
    expect_chat("r1", call_after,
                BOS U "q" A TCS CALL("f", "{}") TCE EOS TOS TO "1" TOe TOE A TCS CALL("g",
                    "{}") TCE EOS TOS TO "2" TOe TOE);
    assert_null(r1_template_builtin("r1-t4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_provenance), cmocka_unit_test(test_no_laundering),
                                       cmocka_unit_test(test_errors), cmocka_unit_test(test_variables),
                                       cmocka_unit_test(test_limits), cmocka_unit_test(test_deep_source),
                                       cmocka_unit_test(test_memory), cmocka_unit_test(test_worked_examples),
                                       cmocka_unit_test(test_tool_turns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

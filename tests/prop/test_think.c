/* The think splitter: known splits of every published form, and the law that where the text is cut changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/rng.h"
#include "r1/chat.h"

typedef struct parts { char text[2][512]; size_t n[2]; bool answered; } parts;

static void collect(void *user, r1_think_part part, const char *text, size_t bytes)
{
    parts *const p = user;
    assert_true(bytes > 0);
    if (part == R1_PART_ANSWER) p->answered = true;
    else assert_false(p->answered); /* never back into reasoning */
    memcpy(p->text[part] + p->n[part], text, bytes);
    p->n[part] += bytes;
    p->text[part][p->n[part]] = '\0';
}

static void expect(bool prefilled, const char *text, const char *thinking, const char *answer)
{
    r1_think_splitter s;
    parts p = {0};
    r1_think_init(&s, prefilled);
    r1_think_feed(&s, text, strlen(text), collect, &p);
    r1_think_finish(&s, collect, &p);
    assert_string_equal(p.text[R1_PART_THINKING], thinking);
    assert_string_equal(p.text[R1_PART_ANSWER], answer);
}

static void test_forms(void **state)
{
    (void)state;
    expect(true, "Greet.\n</think>\n\nHello!", "Greet.\n", "Hello!");           /* prefilled <think>\n */
    expect(true, "<think>\nGreet.\n</think>\n\nHello!", "\nGreet.\n", "Hello!"); /* prefilled, and emitted once more */
    expect(true, "cut off", "cut off", "");                                      /* never closed */
    expect(true, "a </thin", "a </thin", "");
    expect(true, "\n</think>\n\n", "\n", "");
    expect(true, "</think>x", "", "x");
    expect(true, "a</think>\n\nb</think>c<think>d", "a", "b</think>c<think>d");  /* the first closing decides */
    expect(true, "a <<//think></</think>\nb", "a <<//think></", "b");
    expect(true, "", "", "");
    expect(false, "<think>\n\n</think>\n\nHi", "\n\n", "Hi");                    /* skipped thinking */
    expect(false, "\n <think>r</think>a", "r", "a");
    expect(false, "<think>never closed", "never closed", "");
    expect(false, "Hello </think> there", "", "Hello </think> there");           /* no opening: all answer */
    expect(false, "\n\nHello", "", "\n\nHello");
    expect(false, "<thin", "", "<thin");
    expect(false, "<thin king", "", "<thin king");
    expect(false, "          <think>x</think>y", "", "          <think>x</think>y"); /* too far in to be an opening */
    expect(true, "          <think>x</think>y", "          <think>x", "y");
    expect(false, "", "", "");
}

static void test_any_cut(void **state)
{
    static const char *const pieces[] = {"<think>", "</think>", "<", "/", "think>", "\n", " ", "a", "</", "</think", "\xF0\x9F\x98\x80", "<think", ">"};
    r1i_rng rng = {*(const uint64_t *)*state, 0};
    for (int round = 0; round < 20000; round++) {
        char text[256] = "";
        parts whole = {0}, cut = {0};
        r1_think_splitter a, b;
        const bool prefilled = r1i_rng_below(&rng, 2);
        for (uint64_t k = r1i_rng_below(&rng, 14); k > 0; k--)
            strcat(text, pieces[r1i_rng_below(&rng, sizeof pieces / sizeof *pieces)]);
        const size_t n = strlen(text);
        r1_think_init(&a, prefilled);
        r1_think_feed(&a, text, n, collect, &whole);
        r1_think_finish(&a, collect, &whole);
        r1_think_init(&b, prefilled);
        for (size_t i = 0, step; i < n; i += step) {
            step = 1 + (size_t)r1i_rng_below(&rng, round % 3 ? n - i : 1);
            r1_think_feed(&b, text + i, step, collect, &cut);
            assert_true(b.n_held >= 0 && b.n_held <= 16);
        }
        r1_think_finish(&b, collect, &cut);
        if (strcmp(whole.text[0], cut.text[0]) || strcmp(whole.text[1], cut.text[1]))
            fail_msg("'%s' splits otherwise when cut", text);
        /* against the rule as written: one closing marker parts the two, newlines after it go */
        const char *start = text;
        if (prefilled && !strncmp(start, "<think>", 7)) start += 7;
        const char *const close = prefilled ? strstr(start, "</think>") : NULL;
        if (close && start == text && text[strspn(text, " \n")] != '<') {
            assert_int_equal(whole.n[R1_PART_THINKING], (size_t)(close - start));
            assert_string_equal(whole.text[R1_PART_ANSWER], close + 8 + strspn(close + 8, "\n"));
        }
    }
}

int main(void)
{
    uint64_t seed = (uint64_t)time(NULL);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms), cmocka_unit_test_prestate(test_any_cut, &seed)};
    printf("seed %llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Stop strings: found wherever token boundaries fall, and no text is passed on that a match would have cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "engine/stop.h"

typedef struct outcome {
    char text[256];
    size_t n;
    int32_t matched;
} outcome;

static outcome stream(const char *const *stops, int32_t n_stops, const char *text,
                      size_t (*cut)(void *user, size_t left), void *user)
{
    char held[512];
    outcome o = {.matched = -1};
    r1i_stop s = {.string = stops, .n = n_stops, .text = held, .cap = r1i_stop_room(stops, n_stops, 64), .matched = -1};
    for (size_t at = 0, left = strlen(text); left > 0;) {
        const size_t piece = cut(user, left);
        size_t ready;
        const bool stop = r1i_stop_feed(&s, text + at, piece, &ready);
        memcpy(o.text + o.n, held, ready);
        o.n += ready;
        r1i_stop_pass(&s, ready);
        at += piece;
        left -= piece;
        if (stop) {
            o.matched = s.matched;
            assert_int_equal(s.held, 0);
            return o;
        }
    }
    const size_t rest = r1i_stop_finish(&s);
    memcpy(o.text + o.n, held, rest);
    o.n += rest;
    return o;
}

static size_t one(void *user, size_t left)
{
    (void)user;
    (void)left;
    return 1;
}

static size_t all(void *user, size_t left)
{
    (void)user;
    return left < 64 ? left : 64;
}

static size_t some(void *user, size_t left)
{
    const size_t n = (size_t)r1i_rng_below(user, 6);
    return n < left ? n : left;
}

static void test_known(void **state)
{
    static const struct { const char *stop[3]; int n; const char *text, *out; int matched; } c[] = {
        {{"END"}, 1, "one ENDtwo", "one ", 0},
        {{"END"}, 1, "one EN", "one EN", -1},
        {{"aab"}, 1, "aaab", "a", 0},
        {{"abcd", "bc"}, 2, "xabcd", "xa", 1},  /* the one that ends first */
        {{"c", "abc"}, 2, "xabc", "x", 1},      /* of those that end together the longest */
        {{"\n\n", "</answer>"}, 2, "a\nb</answer", "a\nb</answer", -1},
        {{"abab"}, 1, "abaabab", "aba", 0},
        {{NULL}, 0, "plain", "plain", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        for (int way = 0; way < 2; way++) {
            const outcome o = stream(c[i].stop, c[i].n, c[i].text, way ? one : all, NULL);
            assert_int_equal(o.n, strlen(c[i].out));
            assert_memory_equal(o.text, c[i].out, o.n);
            assert_int_equal(o.matched, c[i].matched);
        }
    }
}

/* Whatever the pieces, the result is that of a search over the whole text. */
static void test_any_pieces(void **state)
{
    r1i_rng rng = {4242, 0};
    (void)state;
    printf("seed %llu\n", (unsigned long long)rng.seed);
    int found = 0;
    for (int round = 0; round < 20000; round++) {
        char text[41], stop[3][6];
        const char *stops[3];
        const int n = (int)r1i_rng_below(&rng, 40), n_stops = 1 + (int)r1i_rng_below(&rng, 3);
        for (int i = 0; i < n; i++) text[i] = (char)('a' + r1i_rng_below(&rng, 3));
        text[n] = 0;
        for (int k = 0; k < n_stops; k++) {
            const int len = 1 + (int)r1i_rng_below(&rng, 5);
            for (int i = 0; i < len; i++) stop[k][i] = (char)('a' + r1i_rng_below(&rng, 3));
            stop[k][len] = 0;
            stops[k] = stop[k];
        }
        size_t end = SIZE_MAX, begin = (size_t)n;
        for (int k = 0; k < n_stops; k++) {
            const char *const at = strstr(text, stops[k]);
            if (!at) continue;
            const size_t b = (size_t)(at - text), e = b + strlen(stops[k]);
            if (e < end || (e == end && b < begin)) {
                end = e;
                begin = b;
            }
        }
        const outcome o = stream(stops, n_stops, text, some, &rng);
        assert_int_equal(o.n, begin);
        assert_memory_equal(o.text, text, begin);
        assert_int_equal(o.matched >= 0, end != SIZE_MAX);
        found += o.matched >= 0;
    }
    assert_in_range(found, 2000, 19000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known), cmocka_unit_test(test_any_pieces)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

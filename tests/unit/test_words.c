/* Words and rolling n-grams: what separates, and that a run of words has one hash wherever it stands. */
#include "support/test.h"

#include "base/rng.h"
#include "data/words.h"

static void expect(const char *text, size_t bytes, const char *joined)
{
    r1i_words w;
    char got[200];
    assert_int_equal(r1i_words_make(text, bytes, &w, NULL), R1_OK);
    r1i_words_join(&w, 0, w.n, got, sizeof got);
    assert_string_equal(got, joined);
    r1i_words_free(&w);
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *joined;
    } cases[] = {
        {"", ""}, {" \n.,;", ""}, {"What IS 7+1?", "what is 7 1"}, {"don't", "don t"}, {"Äther—naïve", "Äther naïve"},
        {"求证：AB=2", "求 证 ab 2"}, {"x\xFFy \xE4\xB8", "x y"}, {"a，b。c", "a b c"}, {"カタ", "カ タ"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i].text, strlen(cases[i].text), cases[i].joined);
    expect("a\0b", 3, "a b");
}

static void test_join_is_cut(void **state)
{
    (void)state;
    r1i_words w;
    char got[8];
    assert_int_equal(r1i_words_make("one two three", 13, &w, NULL), R1_OK);
    r1i_words_join(&w, 0, w.n, got, sizeof got);
    assert_string_equal(got, "one two");
    r1i_words_free(&w);
}

/* The hash of the last n words does not depend on what stood before. */
static void test_rolling(void **state)
{
    (void)state;
    r1i_rng rng = {.seed = 5};
    for (int round = 0; round < 200; round++) {
        char text[2][2000];
        size_t n[2] = {0, 0};
        const size_t gram = 1 + (size_t)r1i_rng_below(&rng, 12);
        for (int k = 0; k < 2; k++)
            for (uint64_t i = r1i_rng_below(&rng, 20); i > 0; i--)
                n[k] += (size_t)sprintf(text[k] + n[k], "w%d ", (int)r1i_rng_below(&rng, 9));
        for (size_t i = 0; i < gram; i++) {
            const int word = (int)r1i_rng_below(&rng, 1000);
            for (int k = 0; k < 2; k++) n[k] += (size_t)sprintf(text[k] + n[k], "v%d ", word);
        }
        uint64_t hash[2];
        for (int k = 0; k < 2; k++) {
            r1i_words w;
            r1i_gram g = r1i_gram_init(gram);
            bool full = false;
            assert_int_equal(r1i_words_make(text[k], n[k], &w, NULL), R1_OK);
            for (size_t i = 0; i < w.n; i++) full = r1i_gram_push(&g, &w, i);
            assert_true(full);
            hash[k] = g.hash;
            r1i_words_free(&w);
        }
        assert_true(hash[0] == hash[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words), cmocka_unit_test(test_join_is_cut),
                                       cmocka_unit_test(test_rolling)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

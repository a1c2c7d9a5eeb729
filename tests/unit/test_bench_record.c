/* The comparison with an earlier run: broken files are refused with their line, spreads decide about the mark. */
#include "support/test.h"

#include <math.h>

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "cli/bench_record.h"

#define NEAR(a, b, tolerance)                                                                        \
    do {                                                                                             \
        const double a_ = (a), b_ = (b);                                                             \
        if (!(fabs(a_ - b_) <= (tolerance))) fail_msg("%s is %.17g, wanted %.17g", #a, a_, b_);      \
    } while (0)

static char path[] = "/tmp/r1-record-XXXXXX";
static const cli_command command = {.name = "bench"};

static int set_up(void **state)
{
    (void)state;
    const int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static void put_file(const char *text, size_t n)
{
    FILE *const f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
}

/* bench_baseline_read of these bytes, its message in said[256]. */
static int read_back(const char *text, size_t n, bench_baseline *b, char said[256])
{
    cli app;
    char name[] = "/tmp/r1-said-XXXXXX";
    put_file(text, n);
    fflush(NULL);
    const int saved = dup(STDERR_FILENO), file = mkstemp(name);
    assert_true(saved >= 0 && file >= 0);
    dup2(file, STDERR_FILENO);
    assert_true(cli_start(&app));
    app.command = &command;
    const int status = bench_baseline_read(&app, path, b);
    fflush(NULL);
    dup2(saved, STDERR_FILENO);
    const ssize_t got = pread(file, said, 255, 0);
    said[got > 0 ? got : 0] = '\0';
    close(saved);
    close(file);
    unlink(name);
    return status;
}

#define TEST(model, rate, least, most)                                                                    \
    "{\"model\":\"" model "\",\"test\":\"pp512\",\"isa\":\"c\",\"threads\":2,\"tokens_per_second\":" rate \
    ",\"tokens_per_second_min\":" least ",\"tokens_per_second_max\":" most "}\n"
#define OP(us, least, most)                                                                                            \
    "{\"model\":\"m\",\"op\":\"linear\",\"what\":\"head\",\"rows\":1,\"isa\":\"c\",\"threads\":2,\"microseconds\":" us \
    ",\"microseconds_min\":" least ",\"microseconds_max\":" most "}\n"

static void compare(const bench_baseline *b, const char *now, const char *mark, double ratio)
{
    json_t *const o = json_loads(now, 0, NULL);
    assert_non_null(o);
    bench_compare(b, o);
    assert_string_equal(json_string_value(json_object_get(o, "mark")), mark);
    NEAR(json_number_value(json_object_get(o, "ratio")), ratio, 1e-9);
    json_decref(o);
}

static void test_marks(void **state)
{
    (void)state;
    static const char text[] =
        "\n" TEST("m", "1", "1", "1") "{\"roof_read\":3}\n" TEST("m", "100", "90", "110") OP("50", "40", "60") "  \n";
    bench_baseline b;
    char said[256];
    assert_int_equal(read_back(text, sizeof text - 1, &b, said), 0);
    assert_int_equal(b.n, 3);
    compare(&b, TEST("m", "105", "100", "108"), "=", 1.05); /* the later of two equal measurements counts */
    compare(&b, TEST("m", "120", "110", "130"), "=", 1.2);
    compare(&b, TEST("m", "120", "110.5", "130"), "+", 1.2);
    compare(&b, TEST("m", "50", "40", "89"), "-", 0.5);
    compare(&b, TEST("another", "50", "40", "60"), "new", 0.0);
    compare(&b, OP("25", "20", "30"), "+", 2.0);  /* fewer microseconds: faster */
    compare(&b, OP("100", "61", "120"), "-", 0.5);
    compare(&b, OP("55", "45", "65"), "=", 50.0 / 55.0);
    bench_baseline_free(&b);
}

static void test_broken(void **state)
{
    (void)state;
    static const struct { const char *text, *said; } bad[] = {
        {"", "no measurement"},
        {"\n\n", "no measurement"},
        {"{\"roof_read\":1}", "no measurement"},
        {"{", ":1: "},
        {"[]", ":1: another JSON value, expected a JSON object"},
        {"7", ":1: "},
        {TEST("m", "1", "1", "1") "{\"test\":", ":2: "},
        {TEST("m", "1", "2", "1"), ":1: a measurement without tokens_per_second"},
        {TEST("m", "0", "0", "0"), ":1: a measurement without"},
        {TEST("m", "-1", "-2", "-1"), ":1: a measurement without"},
        {TEST("m", "\"1\"", "1", "1"), ":1: a measurement without"},
        {TEST("m", "1e999", "1", "1"), ":1: "},
        {"{\"test\":\"pp512\"}", ":1: a measurement without"},
        {OP("1", "1", "null"), ":1: a measurement without microseconds"},
        {"{\"a\":1,\"a\":2}", ":1: "},
        {"{\"a\":\"\xff\"}", ":1: "},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bench_baseline b;
        char said[256];
        assert_int_equal(read_back(bad[i].text, strlen(bad[i].text), &b, said), CLI_INPUT);
        if (!strstr(said, bad[i].said)) fail_msg("%zu: '%s' is missing in: %s", i, bad[i].said, said);
        assert_null(b.by_key);
    }
}

/* Bytes changed, cut and doubled anywhere: an answer or a refusal, never a crash (run under the sanitizers too). */
static void test_mutations(void **state)
{
    (void)state;
    static const char valid[] = TEST("m", "100", "90", "110") OP("50", "40", "60");
    r1i_rng rng = {(uint64_t)time(NULL), 0};
    char text[2 * sizeof valid], said[256];
    int accepted = 0;
    print_message("seed %llu\n", (unsigned long long)rng.seed);
    for (int i = 0; i < 300; i++) {
        size_t n = sizeof valid - 1;
        bench_baseline b;
        memcpy(text, valid, n);
        for (uint64_t k = r1i_rng_below(&rng, 3); k > 0; k--) text[r1i_rng_below(&rng, n)] = (char)r1i_rng_u64(&rng);
        if (r1i_rng_below(&rng, 4) == 0) n = (size_t)r1i_rng_below(&rng, n);
        if (r1i_rng_below(&rng, 4) == 0) {
            memmove(text + n, text, n);
            n *= 2;
        }
        const int status = read_back(text, n, &b, said);
        assert_true(status == 0 || status == CLI_INPUT);
        if (status == 0) {
            json_t *const o = json_loads(TEST("m", "105", "100", "108"), 0, NULL);
            bench_compare(&b, o);
            assert_non_null(json_object_get(o, "mark"));
            json_decref(o);
            bench_baseline_free(&b);
            accepted++;
        }
    }
    assert_in_range(accepted, 1, 299);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_marks), cmocka_unit_test(test_broken),
                                       cmocka_unit_test(test_mutations)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

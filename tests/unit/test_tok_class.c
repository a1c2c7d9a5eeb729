/* Character classes against the Unicode character database, every code point; the NFC table against utf8proc itself. */
#include "support/test.h"

#include <utf8proc.h>

#include "base/rng.h"
#include "support/tok_data.h"
#include "tokenizer/tok_normal.h"

static unsigned flag_of(const char *category)
{
    switch (category[0]) {
    case 'L': return R1I_CLASS_L;
    case 'M': return R1I_CLASS_M;
    case 'N': return R1I_CLASS_N;
    case 'P': return R1I_CLASS_P;
    case 'S': return R1I_CLASS_S;
    default: return 0;
    }
}

/* Lines "code;name;category;..." with ranges as First/Last pairs. want[cp] gets the category's flag. */
static void read_categories(const char *text, uint8_t *want)
{
    uint32_t first = 0;
    for (const char *p = text; *p;) {
        char *end;
        const uint32_t cp = (uint32_t)strtoul(p, &end, 16);
        const char *const name = end + 1, *const category = strchr(name, ';') + 1;
        const bool opens = memmem(name, (size_t)(category - name), "First>", 6) != NULL;
        const bool closes = memmem(name, (size_t)(category - name), "Last>", 5) != NULL;
        for (uint32_t c = closes ? first : cp; c <= cp; c++) want[c] = (uint8_t)flag_of(category);
        if (opens) first = cp;
        p = strchr(p, '\n') + 1;
    }
}

static void test_categories(void **state)
{
    (void)state;
    size_t n;
    char *const data = tok_data_read(TOK_SHARED "data/unicode/UnicodeData.txt.gz", &n);
    if (!data) skip();
    uint8_t *const want = calloc(1, 0x110000);
    assert_non_null(want);
    read_categories(data, want);
    const unsigned mask = R1I_CLASS_L | R1I_CLASS_M | R1I_CLASS_N | R1I_CLASS_P | R1I_CLASS_S;
    for (uint32_t cp = 0; cp < 0x110000; cp++)
        if ((r1i_class_compute(cp) & mask) != want[cp])
            fail_msg("U+%04X: %02x, wanted %02x", cp, r1i_class_compute(cp), want[cp]);
    free(want);
    free(data);
}

static void test_white_space(void **state)
{
    (void)state;
    size_t n;
    char *const data = tok_data_read(TOK_SHARED "data/unicode/PropList.txt", &n);
    if (!data) skip();
    uint8_t *const want = calloc(1, 0x110000);
    assert_non_null(want);
    for (char *line = strtok(data, "\n"); line; line = strtok(NULL, "\n")) {
        char *end;
        if (*line == '#' || !strstr(line, "; White_Space")) continue;
        const unsigned long a = strtoul(line, &end, 16), b = *end == '.' ? strtoul(end + 2, NULL, 16) : a;
        for (unsigned long c = a; c <= b; c++) want[c] = R1I_CLASS_SPACE;
    }
    for (uint32_t cp = 0; cp < 0x110000; cp++) assert_int_equal(r1i_class_compute(cp) & R1I_CLASS_SPACE, want[cp]);
    free(want);
    free(data);
}

/* Random text biased to what composes, reorders and decomposes: ours is utf8proc's on the whole text. */
static void test_nfc_in_stretches(void **state)
{
    (void)state;
    r1i_rng rng = {20261122, 0};
    r1i_classes c;
    r1i_normal s = {0};
    static const struct { uint32_t low, high; } ranges[] = {
        {0x20, 0x7F}, {0xC0, 0x180}, {0x300, 0x36F}, {0x370, 0x400}, {0x5D0, 0x5F0}, {0x900, 0x9FF}, {0x1100, 0x1200},
        {0x1E00, 0x2000},
        {0x2000, 0x2130}, {0x3040, 0x3100}, {0xAC00, 0xAC80}, {0xF900, 0xFB50}, {0x11300, 0x11380}, {0x1D150, 0x1D170},
        {0x2F800, 0x2FA20}};
    assert_int_equal(r1i_classes_make(&c, true, NULL), R1_OK);
    assert_int_equal(r1i_normal_add(&s, R1I_NORMAL_NFC, NULL, "", 0, NULL), R1_OK);
    for (int round = 0; round < 20000; round++) {
        uint8_t text[256], *out;
        size_t n = 0, out_n;
        r1i_match m = {0};
        for (uint64_t k = r1i_rng_below(&rng, 40); k > 0; k--) {
            const uint64_t which = r1i_rng_below(&rng, 3) ? r1i_rng_below(&rng, sizeof ranges / sizeof *ranges) : 0;
            n += r1i_utf8_put(text + n,
                              ranges[which].low + (uint32_t)r1i_rng_below(&rng,
                                  ranges[which].high - ranges[which].low));
        }
        utf8proc_uint8_t *want = NULL;
        const utf8proc_ssize_t want_n =
            utf8proc_map(text, (utf8proc_ssize_t)n, &want, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        assert_int_equal(r1i_normalize(&s, &c, &m, text, n, &out, &out_n, NULL), R1_OK);
        if (out_n != (size_t)want_n || memcmp(out, want, out_n) != 0) fail_msg("round %d of seed %d", round, 20261122);
        if (out != text) free(out);
        free(want);
    }
    r1i_normal_free(&s);
    r1i_classes_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_categories), cmocka_unit_test(test_white_space),
                                       cmocka_unit_test(test_nfc_in_stretches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

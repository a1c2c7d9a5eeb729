/* SHA-256 against the standard's examples, in one piece and in every split. */
#include "support/test.h"

#include "base/sha256.h"

static void test_known(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hex;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char hex[R1I_SHA256_HEX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        r1i_sha256_hex(cases[i].text, strlen(cases[i].text), hex);
        assert_string_equal(hex, cases[i].hex);
    }
}

static void test_million(void **state)
{
    (void)state;
    r1i_sha256 s;
    char hex[R1I_SHA256_HEX], block[1000];
    memset(block, 'a', sizeof block);
    r1i_sha256_init(&s);
    for (size_t done = 0, n = 1; done < 1000000; done += n, n = n % 997 + 1) {
        if (n > 1000000 - done) n = 1000000 - done;
        r1i_sha256_feed(&s, block, n);
    }
    r1i_sha256_finish_hex(&s, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_splits(void **state)
{
    (void)state;
    char text[200], want[R1I_SHA256_HEX], got[R1I_SHA256_HEX];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)i;
    for (size_t n = 0; n <= sizeof text; n += 7) {
        r1i_sha256_hex(text, n, want);
        for (size_t cut = 0; cut <= n; cut++) {
            r1i_sha256 s;
            r1i_sha256_init(&s);
            r1i_sha256_feed(&s, text, cut);
            r1i_sha256_feed(&s, text + cut, n - cut);
            r1i_sha256_finish_hex(&s, got);
            assert_string_equal(got, want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known), cmocka_unit_test(test_million),
                                       cmocka_unit_test(test_splits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

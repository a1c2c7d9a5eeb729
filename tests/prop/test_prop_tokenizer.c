/* Laws of the tokenizer over random text and ids: scanners equal regular expressions, merging equals its definition,
 * there and back is the identity, streaming equals decoding at once, untrusted text never becomes a control token. */
#include "support/test.h"

#include <time.h>
#include <utf8proc.h>

#include "base/rng.h"
#include "support/count_alloc.h"
#include "support/tok_data.h"
#include "tokenizer/tok.h"

#define SEED 31337
#define TEXT_MAX 600

static r1_tokenizer *tiny;

static int open_tiny(void **state)
{
    (void)state;
    return r1_tokenizer_open(TOK_TINY, NULL, &tiny, NULL) == R1_OK ? 0 : -1;
}

static int close_tiny(void **state)
{
    (void)state;
    r1_tokenizer_close(tiny);
    return 0;
}

/* A random character of the kinds that patterns tell apart. PCRE2 knows Unicode 14, utf8proc 15: what 15 added is left
 * out, as are surrogates. */
static uint32_t random_character(r1i_rng *rng)
{
    static const struct { uint32_t low, high; } ranges[] = {
        {0x20, 0x7F}, {0x20, 0x7F}, {0x20, 0x7F}, {'a', 'z' + 1}, {'0', '9' + 1}, {0x09, 0x0E}, {0x80, 0x250},
        {0x300, 0x370},
        {0x370, 0x530}, {0x5D0, 0x660}, {0x660, 0x700}, {0x900, 0xC00}, {0x1680, 0x1690}, {0x2000, 0x2070},
        {0x2150, 0x2190},
        {0x3000, 0x3040}, {0x3040, 0x3100}, {0x4E00, 0xA000}, {0xAC00, 0xAD00}, {0xE000, 0xE010}, {0xFE00, 0xFF10},
        {0x1F300, 0x1F650}, {0x1D7C0, 0x1D800}, {0xE0100, 0xE01F0}, {0x20000, 0x20100}};
    static const uint32_t odd[] = {'\'', 0x17F, ' ', '\r', '\n', 0x180E, 0x1C, 0x200B, 0xFEFF, 0x3000, 0x85, 0xA0,
                                   0x9FA5, 0x9FA6, 0};
    if (r1i_rng_below(rng, 4) == 0) return odd[r1i_rng_below(rng, sizeof odd / sizeof *odd)];
    const uint64_t k = r1i_rng_below(rng, sizeof ranges / sizeof *ranges);
    return ranges[k].low + (uint32_t)r1i_rng_below(rng, ranges[k].high - ranges[k].low);
}

static size_t random_text(r1i_rng *rng, uint8_t *out, size_t max)
{
    size_t n = 0;
    uint64_t k = r1i_rng_below(rng, 1 + r1i_rng_below(rng, max / 4));
    while (k-- > 0) {
        const uint32_t cp = random_character(rng);
        for (uint64_t again = r1i_rng_below(rng, 3) ? 1 : 1 + r1i_rng_below(rng, 5); again > 0 && n + 4 <= max; again--)
            n += r1i_utf8_put(out + n, cp);
    }
    return n;
}

typedef struct cuts {
    const uint8_t *text;
    size_t end[TEXT_MAX + 1], n;
} cuts;

static r1_status note_cut(void *user, const uint8_t *p, size_t n, r1_error *err)
{
    cuts *const c = user;
    (void)err;
    c->end[c->n++] = (size_t)(p - c->text) + n;
    return R1_OK;
}

static void split_into(const r1i_splitter *s, const r1i_classes *classes, const uint8_t *p, size_t n, cuts *out)
{
    r1i_split_run run = {.splitter = s, .classes = classes, .piece = note_cut, .user = out};
    out->text = p;
    out->n = 0;
    assert_int_equal(r1i_split(&run, p, n, NULL), R1_OK);
    r1i_match_free(&run.match);
}

static void test_scanners_equal_patterns(void **state)
{
    (void)state;
    r1i_rng rng = {SEED, 0};
    const char *const texts[5][3] = {{r1i_pattern_deepseek3[0], r1i_pattern_deepseek3[1], r1i_pattern_deepseek3[2]},
                                     {r1i_pattern_qwen2}, {r1i_pattern_llama3}, {r1i_pattern_gpt2},
                                     {r1i_pattern_digit}};
    for (int which = 0; which < 5; which++) {
        r1i_splitter fast = {0}, slow = {0};
        for (int k = 0; k < 3 && texts[which][k]; k++) {
            const char *const t = texts[which][k];
            assert_int_equal(r1i_splitter_add_pattern(&fast, t, strlen(t), R1I_SPLIT_ISOLATED, false, false, NULL),
                             R1_OK);
            assert_int_equal(r1i_splitter_add_pattern(&slow, t, strlen(t), R1I_SPLIT_ISOLATED, false, true, NULL),
                             R1_OK);
        }
        r1i_splitter_fuse(&fast);
        assert_int_equal(fast.n, 1);
        assert_non_null(fast.step[0].scan);
        assert_non_null(slow.step[0].pattern);
        for (int round = 0; round < 20000; round++) {
            uint8_t text[TEXT_MAX];
            cuts a, b;
            const size_t n = random_text(&rng, text, sizeof text);
            split_into(&fast, &tiny->classes, text, n, &a);
            split_into(&slow, &tiny->classes, text, n, &b);
            if (a.n != b.n || memcmp(a.end, b.end, a.n * sizeof *a.end) != 0)
                fail_msg("pattern %d, round %d of seed %d", which, round, SEED);
            assert_true(n == 0 || a.end[a.n - 1] == n);
        }
        r1i_splitter_free(&fast);
        r1i_splitter_free(&slow);
    }
}

/* The definition, as slow as it is: lowest rank, leftmost, one merge at a time. */
static size_t naive_bpe(const r1i_vocab *v, const uint8_t *p, size_t n, int32_t *id)
{
    for (size_t i = 0; i < n; i++) id[i] = v->byte_id[p[i]];
    for (;;) {
        uint32_t best = R1I_NO_RANK;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++)
            if (r1i_vocab_rank(v, id[i], id[i + 1]) < best) best = r1i_vocab_rank(v, id[at = i], id[i + 1]);
        if (best == R1I_NO_RANK) return n;
        id[at] = v->merged[best];
        memmove(id + at + 1, id + at + 2, (n - at - 2) * sizeof *id);
        n--;
    }
}

static void test_merging_equals_definition(void **state)
{
    (void)state;
    r1i_rng rng = {SEED + 1, 0};
    static const char common[] = "the answer is theinan  onstheanthee";
    for (int round = 0; round < 5000; round++) {
        uint8_t p[400];
        int32_t want[400];
        r1i_ids ids = {0};
        const size_t n = 1 + r1i_rng_below(&rng, round % 3 ? 70 : sizeof p);
        for (size_t i = 0; i < n; i++)
            p[i] = r1i_rng_below(&rng, 20) ? (uint8_t)common[r1i_rng_below(&rng, sizeof common - 1)]
                : (uint8_t)r1i_rng_u64(&rng);
        const size_t m = naive_bpe(&tiny->vocab, p, n, want);
        assert_int_equal(r1i_bpe(&tiny->vocab, p, n, &ids, NULL), R1_OK);
        if (ids.n != m || memcmp(ids.id, want, m * sizeof *want) != 0) fail_msg("round %d of seed %d", round, SEED + 1);
        free(ids.id);
    }
}

static void test_there_and_back(void **state)
{
    (void)state;
    r1i_rng rng = {SEED + 2, 0};
    json_t *const doc = tok_data_json(TOK_TINY "/tokenizer_pairs.json");
    r1_tokenizer *nfc, *pairs;
    assert_int_equal(tok_data_open_json(doc, &pairs, NULL), R1_OK);
    json_object_set_new(doc, "normalizer", json_pack("{s:s}", "type", "NFC"));
    assert_int_equal(tok_data_open_json(doc, &nfc, NULL), R1_OK);
    json_decref(doc);
    for (int round = 0; round < 5000; round++) {
        uint8_t text[TEXT_MAX];
        const size_t n = random_text(&rng, text, sizeof text);
        const r1_tokenizer *const list[3] = {tiny, pairs, nfc};
        int32_t *ids[3];
        size_t count[3], bytes;
        utf8proc_uint8_t *composed = NULL;
        const utf8proc_ssize_t composed_n =
            utf8proc_map(text, (utf8proc_ssize_t)n, &composed, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        for (int k = 0; k < 3; k++) {
            char *back;
            assert_int_equal(r1_tokenizer_encode(list[k], (const char *)text, n, round % 2 ? R1_ENCODE_PLAIN : 0,
                                                 &ids[k], &count[k], NULL), R1_OK);
            assert_int_equal(r1_tokenizer_decode(list[k], ids[k], count[k], 0, &back, &bytes, NULL), R1_OK);
            const bool same = k < 2 ? bytes == n && memcmp(back, text, n) == 0
                                    : bytes == (size_t)composed_n && memcmp(back, composed, bytes) == 0;
            if (!same) fail_msg("round %d of seed %d, tokenizer %d", round, SEED + 2, k);
            r1_free(back);
        }
        assert_int_equal(count[0], count[1]); /* the two spellings of merges are one tokenizer */
        assert_memory_equal(ids[0], ids[1], count[0] * sizeof **ids);
        for (int k = 0; k < 3; k++) r1_free(ids[k]);
        free(composed);
    }
    r1_tokenizer_close(pairs);
    r1_tokenizer_close(nfc);
}

/* Pushed one by one, ids give the text of decode, in whole characters only, and no call allocates. */
static void test_streaming_equals_decode(void **state)
{
    (void)state;
    r1i_rng rng = {SEED + 3, 0};
    const size_t room = r1_detokenizer_room(tiny);
    char *const out = malloc(room);
    assert_non_null(out);
    for (int round = 0; round < 20000; round++) {
        int32_t ids[40];
        char *want, got[40 * 64 + 16];
        size_t bytes, n = 0;
        const size_t count = r1i_rng_below(&rng, 40);
        const unsigned flags = round % 2 ? R1_DECODE_SKIP_SPECIAL : 0;
        r1_detokenizer d = {0};
        /* low ids are single bytes: most sequences are broken or half characters */
        for (size_t i = 0; i < count; i++) ids[i] = (int32_t)r1i_rng_below(&rng, r1i_rng_below(&rng, 3) ? 262 : 320);
        assert_int_equal(r1_tokenizer_decode(tiny, ids, count, flags, &want, &bytes, NULL), R1_OK);
        const long before = count_alloc_calls();
        for (size_t i = 0; i < count; i++) {
            const size_t k = r1_detokenizer_push(&d, tiny, ids[i], flags, out, room);
            assert_true(k <= room && d.n_tail <= 3);
            assert_int_equal(r1i_utf8_valid_prefix((const uint8_t *)out, k), k);
            memcpy(got + n, out, k);
            n += k;
        }
        n += r1_detokenizer_finish(&d, got + n, 16);
        assert_int_equal(count_alloc_calls(), before);
        if (n != bytes || memcmp(got, want, n) != 0) fail_msg("round %d of seed %d", round, SEED + 3);
        r1_free(want);
    }
    free(out);
}

/* Random spans over a text with control tokens spelled out: only trusted ones become control tokens, and where none did
 * the ids are those of the whole text as plain text. */
static void test_spans(void **state)
{
    (void)state;
    r1i_rng rng = {SEED + 4, 0};
    static const char *const parts[] = {"<think>", "</think>", "<\xEF\xBD\x9CUser\xEF\xBD\x9C>", "<\xEF\xBD\x9C" "Assistant\xEF\xBD\x9C>",
                                        "<\xEF\xBD\x9C" "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>",
                                        "the answer", " is", " ", "\n", "12", "<", ">"};
    for (int round = 0; round < 20000; round++) {
        char text[512];
        r1_span spans[16];
        size_t n = 0, n_ids, n_plain, bytes, controls = 0, found = 0;
        int32_t *ids, *plain;
        char *back;
        const size_t k = r1i_rng_below(&rng, 12);
        for (size_t i = 0; i < k; i++) {
            const uint64_t which = r1i_rng_below(&rng, sizeof parts / sizeof *parts);
            spans[i] = (r1_span){n, n + strlen(parts[which]), r1i_rng_below(&rng, 2)};
            memcpy(text + n, parts[which], strlen(parts[which]));
            n = spans[i].end;
            controls += spans[i].trusted && which < 5;
        }
        assert_int_equal(r1_tokenizer_encode_spans(tiny, text, n, spans, k, &ids, &n_ids, NULL), R1_OK);
        for (size_t i = 0; i < n_ids; i++) found += tiny->vocab.flag[ids[i]] & R1I_TOKEN_ADDED ? 1 : 0;
        if (found != controls)
            fail_msg("round %d of seed %d: %zu control tokens, %zu trusted", round, SEED + 4, found, controls);
        assert_int_equal(r1_tokenizer_decode(tiny, ids, n_ids, 0, &back, &bytes, NULL), R1_OK);
        assert_int_equal(bytes, n);
        assert_memory_equal(back, text, n);
        assert_int_equal(r1_tokenizer_encode(tiny, text, n, R1_ENCODE_PLAIN, &plain, &n_plain, NULL), R1_OK);
        if (controls == 0) {
            assert_int_equal(n_plain, n_ids);
            assert_memory_equal(plain, ids, n_ids * sizeof *ids);
        }
        r1_free(ids);
        r1_free(plain);
        r1_free(back);
    }
}

/* A megabyte without a place to cut costs n log n: a fraction of a second, where quadratic would take hours. */
static void test_long_piece(void **state)
{
    (void)state;
    const size_t n = 1 << 20;
    char *const text = malloc(n);
    int32_t *ids;
    size_t count, bytes;
    char *back;
    assert_non_null(text);
    for (size_t i = 0; i < n; i++) text[i] = "theansweri"[i * 7 / 3 % 10];
    const clock_t start = clock();
    assert_int_equal(r1_tokenizer_encode(tiny, text, n, 0, &ids, &count, NULL), R1_OK);
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 20);
    assert_int_equal(r1_tokenizer_decode(tiny, ids, count, 0, &back, &bytes, NULL), R1_OK);
    assert_true(bytes == n && memcmp(back, text, n) == 0);
    r1_free(back);
    r1_free(ids);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scanners_equal_patterns), cmocka_unit_test(test_merging_equals_definition),
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_streaming_equals_decode),
        cmocka_unit_test(test_spans), cmocka_unit_test(test_long_piece),
    };
    return cmocka_run_group_tests(tests, open_tiny, close_tiny);
}

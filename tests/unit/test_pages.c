/* Page ownership: sharing by contents, who is evicted first, and a random walk against a plain model of the same
 * rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "engine/pages.h"

typedef struct fixture {
    r1i_pages p;
    void *memory;
    int64_t n;
} fixture;

static fixture make(int64_t n)
{
    fixture f = {.memory = r1i_alloc(NULL, r1i_pages_bytes(n)), .n = n};
    r1i_pages_init(&f.p, n, f.memory);
    return f;
}

static void unmake(fixture *f) { r1i_release(NULL, f->memory, r1i_pages_bytes(f->n)); }

static void fill(int32_t token[R1I_PAGE_TOKENS], int32_t value)
{
    for (int i = 0; i < R1I_PAGE_TOKENS; i++) token[i] = value + i;
}

static void test_take_all(void **state)
{
    fixture f = make(5);
    bool seen[5] = {false};
    (void)state;
    for (int i = 0; i < 5; i++) {
        const int32_t page = r1i_pages_take(&f.p);
        assert_in_range(page, 0, 4);
        assert_false(seen[page]);
        seen[page] = true;
    }
    assert_int_equal(r1i_pages_take(&f.p), -1);
    r1i_pages_drop(&f.p, 3);
    assert_int_equal(r1i_pages_take(&f.p), 3);
    assert_int_equal(f.p.touched, 5);
    unmake(&f);
}

static void test_find(void **state)
{
    fixture f = make(4);
    int32_t a[R1I_PAGE_TOKENS], b[R1I_PAGE_TOKENS];
    (void)state;
    fill(a, 100);
    fill(b, 100);
    b[63]++;
    const int32_t p0 = r1i_pages_take(&f.p), p1 = r1i_pages_take(&f.p), p2 = r1i_pages_take(&f.p);
    assert_int_equal(r1i_pages_find(&f.p, 0, a), -1);
    const r1i_chain c0 = r1i_pages_register(&f.p, p0, 0, a);
    const r1i_chain c1 = r1i_pages_register(&f.p, p1, c0, a); /* the same tokens elsewhere in the sequence */
    assert_true(c0 != 0 && c1 != 0 && c0 != c1);
    assert_int_equal(r1i_pages_find(&f.p, 0, a), p0);
    assert_int_equal(r1i_pages_find(&f.p, c0, a), p1);
    assert_int_equal(r1i_pages_find(&f.p, c1, a), -1);
    assert_int_equal(r1i_pages_find(&f.p, 0, b), -1); /* the last token differs */
    assert_true(r1i_pages_register(&f.p, p2, 0, a) == c0); /* a twin: chain of the first, own page stays private */
    r1i_pages_drop(&f.p, p2);
    assert_int_equal(f.p.n_cached, 0);
    r1i_pages_share(&f.p, p0);
    r1i_pages_drop(&f.p, p0);
    assert_int_equal(f.p.n_cached, 0);
    r1i_pages_drop(&f.p, p1);
    r1i_pages_drop(&f.p, p0);
    assert_int_equal(f.p.n_cached, 2);
    assert_int_equal(f.p.n_free, 2);
    unmake(&f);
}

/* A sequence gives its pages back last first, so what is evicted first is the end of the longest unused sequence. */
static void test_eviction_order(void **state)
{
    fixture f = make(3);
    int32_t t[3][R1I_PAGE_TOKENS], page[3];
    r1i_chain chain[4] = {0};
    (void)state;
    for (int i = 0; i < 3; i++) {
        fill(t[i], 1000 * i);
        page[i] = r1i_pages_take(&f.p);
        chain[i + 1] = r1i_pages_register(&f.p, page[i], chain[i], t[i]);
    }
    for (int i = 3; i-- > 0;) r1i_pages_drop(&f.p, page[i]);
    assert_int_equal(r1i_pages_take(&f.p), page[2]);
    assert_int_equal(r1i_pages_find(&f.p, chain[2], t[2]), -1);
    assert_int_equal(r1i_pages_find(&f.p, chain[1], t[1]), page[1]);
    r1i_pages_share(&f.p, page[1]); /* used again: not to be evicted */
    assert_int_equal(r1i_pages_take(&f.p), page[0]);
    assert_int_equal(r1i_pages_take(&f.p), -1);
    assert_int_equal(r1i_pages_find(&f.p, 0, t[0]), -1);
    r1i_pages_forget(&f.p);
    assert_int_equal(r1i_pages_find(&f.p, chain[1], t[1]), -1);
    unmake(&f);
}

/* Sequences of random length over few different pages come and go; at every moment a found page holds exactly the
 * tokens that were asked for, users and lists add up, and nothing in use is handed out. */
static void test_random_walk(void **state)
{
    enum { PAGES = 23, SEQUENCES = 6, LONGEST = 8, KINDS = 2 };
    struct { int n; int32_t page[LONGEST]; int kind[LONGEST]; r1i_chain chain; } seq[SEQUENCES] = {0};
    int content[PAGES][LONGEST], length[PAGES] = {0}; /* what was written into each page: the whole prefix */
    fixture f = make(PAGES);
    r1i_rng rng = {77, 0};
    int hits = 0, evictions = 0;
    (void)state;
    printf("seed %llu\n", (unsigned long long)rng.seed);
    for (int round = 0; round < 20000; round++) {
        const int s = (int)r1i_rng_below(&rng, SEQUENCES);
        if (seq[s].n == LONGEST || r1i_rng_below(&rng, 6) == 0) {
            while (seq[s].n > 0) r1i_pages_drop(&f.p, seq[s].page[--seq[s].n]);
            seq[s].chain = 0;
        } else {
            int32_t token[R1I_PAGE_TOKENS];
            const int n = seq[s].n, kind = (int)r1i_rng_below(&rng, KINDS);
            fill(token, kind);
            seq[s].kind[n] = kind;
            int32_t page = r1i_pages_find(&f.p, seq[s].chain, token);
            if (page >= 0) {
                hits++;
                assert_int_equal(length[page], n + 1);
                for (int i = 0; i <= n; i++) assert_int_equal(content[page][i], seq[s].kind[i]);
                r1i_pages_share(&f.p, page);
                seq[s].chain = f.p.page[page].self;
            } else {
                evictions += f.p.n_free == 0;
                page = r1i_pages_take(&f.p);
                if (page < 0) continue;
                for (int o = 0; o < SEQUENCES; o++)
                    for (int i = 0; i < seq[o].n; i++) assert_int_not_equal(seq[o].page[i], page);
                length[page] = n + 1;
                for (int i = 0; i <= n; i++) content[page][i] = seq[s].kind[i];
                seq[s].chain = r1i_pages_register(&f.p, page, seq[s].chain, token);
            }
            seq[s].page[n] = page;
            seq[s].n++;
        }
        int used = 0;
        for (int i = 0; i < PAGES; i++) used += f.p.page[i].users > 0;
        assert_int_equal(used + f.p.n_free + f.p.n_cached, PAGES);
    }
    assert_true(hits > 1000 && evictions > 1000);
    unmake(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_all),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_eviction_order),
        cmocka_unit_test(test_random_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

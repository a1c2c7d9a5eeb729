/* cons@k: the expected credit of a majority vote among k of n samples.
 *
 * With split ties only the counts of the classes matter, so instead of walking C(n, k) subsets we count them: for each
 * height m of the winning vote, a table over (places filled, classes at height m, right ones among them) is carried
 * from class to class; a class of size s adds j <= min(s, m) votes in C(s, j) ways. All terms are positive, so nothing
 * cancels. long double holds the
 * counts: C(n, k) leaves its range only far beyond what the work limit below admits. */
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/rng.h"
#include "eval/stats.h"

enum { MAX_SUBSETS = 200000 };
static const double max_work = 2e8; /* table steps, under a second */

typedef struct ballot {
    const int32_t *class;
    const bool *right;
    size_t n, k;
    size_t n_classes;
    size_t *size;     /* [n] by class */
    size_t *votes;    /* [n] scratch */
    bool *class_right;/* [n] */
    size_t silent;    /* samples of no class */
    size_t largest;
} ballot;

static void ballot_free(ballot *b)
{
    free(b->size);
    free(b->votes);
    free(b->class_right);
}

static r1_status ballot_make(ballot *b, r1_error *err)
{
    b->size = calloc(b->n, sizeof *b->size);
    b->votes = calloc(b->n, sizeof *b->votes);
    b->class_right = calloc(b->n, sizeof *b->class_right);
    if (!b->size || !b->votes || !b->class_right) return r1i_fail(err, R1_ERR_NOMEM, "a vote of %zu", b->n);
    for (size_t i = 0; i < b->n; i++) {
        const int32_t c = b->class[i];
        if (c < -1 || (c >= 0 && (size_t)c >= b->n))
            return r1i_fail(err, R1_ERR_USAGE, "sample %zu is in class %d of %zu", i, (int)c, b->n);
        if (c < 0) {
            b->silent++;
            continue;
        }
        if (b->size[c] > 0 && b->class_right[c] != b->right[i])
            return r1i_fail(err, R1_ERR_USAGE, "class %d holds right and wrong samples", (int)c);
        b->class_right[c] = b->right[i];
        if (++b->size[c] > b->largest) b->largest = b->size[c];
        if ((size_t)c + 1 > b->n_classes) b->n_classes = (size_t)c + 1;
    }
    return R1_OK;
}

/* Credit of the subset pick[k] (ascending indices). */
static double credit(ballot *b, const size_t *pick, r1i_ties ties)
{
    size_t top = 0, tied = 0, tied_right = 0;
    memset(b->votes, 0, b->n_classes * sizeof *b->votes);
    for (size_t i = 0; i < b->k; i++) {
        const int32_t c = b->class[pick[i]];
        if (c >= 0 && ++b->votes[c] > top) top = b->votes[c];
    }
    if (top == 0) return 0;
    for (size_t i = 0; ties == R1I_TIES_FIRST && i < b->k; i++) {
        const int32_t c = b->class[pick[i]];
        if (c >= 0 && b->votes[c] == top) return b->class_right[c] ? 1 : 0;
    }
    for (size_t c = 0; c < b->n_classes; c++)
        if (b->votes[c] == top) tied++, tied_right += b->class_right[c];
    return (double)tied_right / (double)tied;
}

static double choose(size_t n, size_t k, double limit)
{
    double out = 1;
    if (k > n - k) k = n - k;
    for (size_t i = 1; i <= k && out <= limit; i++) out = out * (double)(n - k + i) / (double)i;
    return out;
}

/* All subsets in lexicographic order. */
static double enumerate(ballot *b, size_t *pick, r1i_ties ties)
{
    double sum = 0, count = 0;
    for (size_t i = 0; i < b->k; i++) pick[i] = i;
    for (;;) {
        sum += credit(b, pick, ties);
        count++;
        size_t i = b->k;
        while (i > 0 && pick[i - 1] == b->n - b->k + i - 1) i--;
        if (i == 0) return sum / count;
        pick[i - 1]++;
        for (size_t j = i; j < b->k; j++) pick[j] = pick[j - 1] + 1;
    }
}

/* `draws` random subsets (Knuth's selection sampling keeps the order). */
static double subsample(ballot *b, size_t *pick, r1i_ties ties, uint64_t seed, size_t draws)
{
    r1i_rng rng = {.seed = seed};
    double sum = 0;
    for (size_t d = 0; d < draws; d++) {
        size_t taken = 0;
        for (size_t i = 0; i < b->n && taken < b->k; i++)
            if (r1i_rng_below(&rng, b->n - i) < b->k - taken) pick[taken++] = i;
        sum += credit(b, pick, ties);
    }
    return draws ? sum / (double)draws : 0;
}

/* table[places][tied][right], each up to k, most, n_right. */
typedef struct table {
    size_t k, most, rights;
    long double *now, *next;
} table;

static size_t cell(const table *t, size_t places, size_t tied, size_t right)
{
    return (places * (t->most + 1) + tied) * (t->rights + 1) + right;
}

static size_t cells(const table *t) { return cell(t, t->k, t->most, t->rights) + 1; }

/* Let a class of `size` samples vote, at most `top` of them; votes of exactly `top` join the tie (top 0: it never
 * does). */
static void add_class(table *t, size_t size, size_t top, bool joins, bool right)
{
    memset(t->next, 0, cells(t) * sizeof *t->next);
    for (size_t p = 0; p <= t->k; p++)
        for (size_t a = 0; a <= t->most; a++)
            for (size_t r = 0; r <= t->rights && r <= a; r++) {
                const long double ways = t->now[cell(t, p, a, r)];
                long double of = 1; /* C(size, j) */
                if (ways == 0) continue;
                for (size_t j = 0; j <= size && j <= top && p + j <= t->k; j++) {
                    const bool in = joins && j == top;
                    if (!in || a < t->most) t->next[cell(t, p + j, a + in, r + (in && right))] += ways * of;
                    of = of * (long double)(size - j) / (long double)(j + 1);
                }
            }
    long double *const swap = t->now;
    t->now = t->next;
    t->next = swap;
}

/* The part of all subsets in which the winners have exactly `top` votes, weighted by credit. */
static long double at_height(const ballot *b, table *t, size_t top)
{
    long double sum = 0;
    t->most = b->k / top < b->n_classes ? b->k / top : b->n_classes;
    memset(t->now, 0, cells(t) * sizeof *t->now);
    t->now[0] = 1;
    add_class(t, b->silent, b->k, false, false);
    for (size_t c = 0; c < b->n_classes; c++)
        if (b->size[c]) add_class(t, b->size[c], top, true, b->class_right[c]);
    for (size_t a = 1; a <= t->most; a++)
        for (size_t r = 1; r <= t->rights && r <= a; r++)
            sum += t->now[cell(t, t->k, a, r)] * (long double)r / (long double)a;
    return sum;
}

/* false: too much work, or no memory */
static bool count_subsets(const ballot *b, double *value)
{
    table t = {.k = b->k, .most = b->n_classes < b->k ? b->n_classes : b->k};
    double work = 0;
    for (size_t c = 0; c < b->n_classes; c++) t.rights += b->size[c] && b->class_right[c];
    if (t.rights > t.most) t.rights = t.most;
    const size_t highest = b->largest < b->k ? b->largest : b->k;
    for (size_t top = 1; top <= highest; top++)
        work += (double)(b->k + 1) * ((double)b->k / (double)top + 1) * (double)(t.rights + 1) *
            (double)(b->n + b->n_classes);
    if (work > max_work || b->n > 4000) return false;
    t.now = calloc(cells(&t), sizeof *t.now);
    t.next = calloc(cells(&t), sizeof *t.next);
    const bool memory = t.now && t.next;
    long double sum = 0, all = 1;
    for (size_t top = 1; memory && top <= highest; top++) sum += at_height(b, &t, top);
    for (size_t i = 1; i <= b->k; i++) all = all * (long double)(b->n - b->k + i) / (long double)i;
    free(t.now);
    free(t.next);
    *value = (double)(sum / all);
    return memory;
}

r1_status r1i_cons_at_k(const int32_t *class, const bool *right, size_t n, size_t k, r1i_ties ties, uint64_t seed,
                        size_t draws, r1i_vote *out, r1_error *err)
{
    *out = (r1i_vote){.exact = true};
    if (n == 0 || k == 0) return R1_OK;
    ballot b = {.class = class, .right = right, .n = n, .k = k < n ? k : n};
    r1_status st = ballot_make(&b, err);
    size_t *const pick = st == R1_OK ? calloc(b.k, sizeof *pick) : NULL;
    if (st == R1_OK && !pick) st = r1i_fail(err, R1_ERR_NOMEM, "a vote of %zu", n);
    if (st == R1_OK) {
        if (b.k == n || choose(n, b.k, MAX_SUBSETS) <= 2000 ||
            (ties == R1I_TIES_FIRST && choose(n, b.k, MAX_SUBSETS) <= MAX_SUBSETS)) {
            out->value = enumerate(&b, pick, ties);
        } else if (ties != R1I_TIES_SPLIT || !count_subsets(&b, &out->value)) {
            out->exact = false;
            out->value = subsample(&b, pick, ties, seed, draws);
        }
    }
    free(pick);
    ballot_free(&b);
    return st;
}

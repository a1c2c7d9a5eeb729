#include "tokenizer/tok_added.h"

#include <stdlib.h>
#include <string.h>

enum { LSTRIP = 1, RSTRIP = 2, SINGLE_WORD = 4 };

static int by_text(const void *a, const void *b)
{
    const r1i_added_token *const x = *(const r1i_added_token *const *)a, *const y = *(const r1i_added_token *const *)b;
    const int c = memcmp(x->text, y->text, x->size < y->size ? x->size : y->size);
    if (c != 0) return c;
    if (x->size != y->size) return x->size < y->size ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id; /* of two with one text the higher id stays */
}

/* Sorted tokens list[lo..hi) share their first `depth` bytes, those of node `at`. Children of a node are made together,
 * so that its edges are neighbours; recursion depth is bounded by R1I_ADDED_MAX_BYTES. */
static void build(r1i_added *a, const r1i_added_token *const *list, size_t lo, size_t hi, uint32_t depth, uint32_t at)
{
    while (lo < hi && list[lo]->size == depth) a->node[at].token = (int32_t)lo++;
    const uint32_t first = (uint32_t)a->nodes - 1;
    uint32_t count = 0;
    for (size_t i = lo; i < hi; i++) {
        if (i > lo && list[i]->text[depth] == list[i - 1]->text[depth]) continue;
        a->byte[first + count] = list[i]->text[depth];
        a->target[first + count] = (uint32_t)a->nodes;
        a->node[a->nodes++] = (r1i_added_node){.token = -1};
        count++;
    }
    a->node[at].first = first;
    a->node[at].count = count;
    size_t i = lo;
    for (uint32_t e = 0; e < count; e++) {
        size_t j = i;
        while (j < hi && list[j]->text[depth] == a->byte[first + e]) j++;
        build(a, list, i, j, depth + 1, a->target[first + e]);
        i = j;
    }
}

static size_t room_nodes(const r1i_added_token *const *list, size_t n)
{
    size_t sum = 1;
    for (size_t i = 0; i < n; i++) sum += list[i]->size;
    return sum;
}

static r1_status make_sorted(r1i_added *a, const r1i_added_token *const *list, size_t n, r1_error *err)
{
    const size_t cap = room_nodes(list, n);
    a->node = malloc(cap * sizeof *a->node);
    a->byte = malloc(cap);
    a->target = malloc(cap * sizeof *a->target);
    a->strip = malloc(n + 1);
    a->id = malloc((n + 1) * sizeof *a->id);
    if (!a->node || !a->byte || !a->target || !a->strip || !a->id)
        return r1i_fail(err, R1_ERR_NOMEM, "added tokens, %zu trie nodes", cap);
    a->node[0] = (r1i_added_node){.token = -1};
    a->nodes = 1;
    a->tokens = n;
    build(a, list, 0, n, 0, 0);
    for (size_t i = 0; i < n; i++) {
        a->id[i] = list[i]->id;
        a->strip[i] = (uint8_t)((list[i]->lstrip ? LSTRIP : 0) | (list[i]->rstrip ? RSTRIP : 0) |
                                (list[i]->single_word ? SINGLE_WORD : 0));
        a->starts[list[i]->text[0]] = true;
    }
    return R1_OK;
}

r1_status r1i_added_make(r1i_added *a, const r1i_added_token *tokens, size_t n, bool normalized, r1_error *err)
{
    *a = (r1i_added){0};
    const r1i_added_token **const list = malloc((n + 1) * sizeof *list);
    if (!list) return r1i_fail(err, R1_ERR_NOMEM, "%zu added tokens", n);
    size_t k = 0;
    r1_status st = R1_OK;
    for (size_t i = 0; i < n && st == R1_OK; i++) {
        if (tokens[i].normalized != normalized) continue;
        if (tokens[i].size == 0 || tokens[i].size > R1I_ADDED_MAX_BYTES)
            st = r1i_fail(err, R1_ERR_RANGE, "added token %d: %u bytes, 1 to %u expected", tokens[i].id, tokens[i].size,
                          R1I_ADDED_MAX_BYTES);
        list[k++] = &tokens[i];
    }
    if (st == R1_OK && k > 0) {
        qsort(list, k, sizeof *list, by_text);
        st = make_sorted(a, list, k, err);
    }
    free(list);
    if (st != R1_OK) r1i_added_free(a);
    return st;
}

void r1i_added_free(r1i_added *a)
{
    free(a->node);
    free(a->byte);
    free(a->target);
    free(a->strip);
    free(a->id);
    *a = (r1i_added){0};
}

static uint32_t step(const r1i_added *a, uint32_t node, uint8_t byte)
{
    const r1i_added_node *const v = &a->node[node];
    for (uint32_t e = 0; e < v->count; e++)
        if (a->byte[v->first + e] == byte) return a->target[v->first + e];
    return 0; /* the root is nobody's child */
}

int32_t r1i_added_lookup(const r1i_added *a, const uint8_t *text, size_t n)
{
    uint32_t at = 0;
    if (a->nodes == 0 || n == 0) return -1;
    for (size_t i = 0; i < n; i++)
        if ((at = step(a, at, text[i])) == 0) return -1;
    return a->node[at].token < 0 ? -1 : a->id[a->node[at].token];
}

static bool is_word(const r1i_classes *c, const uint8_t *p)
{
    unsigned size;
    const unsigned f = r1i_class_at(c, p, &size);
    return *p == '_' || (f & (R1I_CLASS_L | R1I_CLASS_M | R1I_CLASS_N));
}

static bool is_space(const r1i_classes *c, const uint8_t *p, unsigned *size)
{
    return r1i_class_at(c, p, size) & R1I_CLASS_SPACE;
}

/* Longest token at text[i..limit): its list index and end, or -1. */
static int32_t longest(const r1i_added *a, const uint8_t *text, size_t i, size_t limit, size_t *end)
{
    int32_t best = -1;
    uint32_t at = 0;
    for (size_t j = i; j < limit; j++) {
        if ((at = step(a, at, text[j])) == 0) break;
        if (a->node[at].token >= 0) {
            best = a->node[at].token;
            *end = j + 1;
        }
    }
    return best;
}

bool r1i_added_find(const r1i_added *a, const r1i_classes *c, const uint8_t *text, size_t n, size_t floor, size_t from,
                    size_t limit, r1i_added_match *match)
{
    if (a->nodes == 0) return false;
    for (size_t i = from; i < limit;) {
        size_t end = 0;
        int32_t k;
        if (!a->starts[text[i]] || (k = longest(a, text, i, limit, &end)) < 0) {
            i++;
            continue;
        }
        const unsigned strip = a->strip[k];
        if ((strip & SINGLE_WORD) &&
            ((i > 0 && is_word(c, text + r1i_utf8_back(text, i))) || (end < n && is_word(c, text + end)))) {
            i = end; /* as the reference does: a refused match still uses up its text */
            continue;
        }
        unsigned size;
        size_t begin = i;
        while ((strip & LSTRIP) && begin > floor && is_space(c, text + r1i_utf8_back(text, begin), &size))
            begin -= size;
        while ((strip & RSTRIP) && end < n && is_space(c, text + end, &size)) end += size;
        *match = (r1i_added_match){begin, end, a->id[k]};
        return true;
    }
    return false;
}

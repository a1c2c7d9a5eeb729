#include "reward/extract.h"

#include <stdlib.h>

static const char *const way_name[R1I_WAYS] = {"box", "hashes", "pattern", "phrase", "bare", "last"};

/* The way called name; R1I_WAYS where there is none. */
static r1i_way named(const char *name)
{
    int way = 0;
    while (way < R1I_WAYS && (!name || strcmp(name, way_name[way]) != 0)) way++;
    return (r1i_way)way;
}

static r1_status read_ways(r1i_extractor *e, const json_t *list, r1_error *err)
{
    static const r1i_way usual[] = {R1I_WAY_BOX, R1I_WAY_HASHES, R1I_WAY_PHRASE, R1I_WAY_BARE, R1I_WAY_LAST};
    const size_t n = list ? json_array_size(list) : sizeof usual / sizeof *usual;
    unsigned seen = 0;
    if (n == 0 || n > R1I_WAYS)
        return r1i_fail(err, R1_ERR_USAGE, "'extract' is not a list of 1 to %d ways", (int)R1I_WAYS);
    for (size_t i = 0; i < n; i++) {
        const char *const name = list ? json_string_value(json_array_get(list, i)) : NULL;
        const r1i_way way = list ? named(name) : usual[i];
        if (way == R1I_WAYS)
            return r1i_fail(err, R1_ERR_USAGE,
                            "'extract' knows box, hashes, pattern, phrase, bare and last, not '%.32s'",
                            name ? name : "?");
        if (seen & 1u << way) return r1i_fail(err, R1_ERR_USAGE, "'extract' names '%s' twice", name);
        seen |= 1u << way;
        e->way[e->n_ways++] = way;
    }
    const bool named_pattern = seen & 1u << R1I_WAY_PATTERN;
    if (named_pattern && e->n_patterns == 0)
        return r1i_fail(err, R1_ERR_USAGE, "'extract' names pattern, but there are no 'patterns'");
    if (named_pattern || e->n_patterns == 0) return R1_OK;
    memmove(e->way + 1, e->way, (size_t)e->n_ways++ * sizeof *e->way); /* first, where no other place is asked for */
    e->way[0] = R1I_WAY_PATTERN;
    return R1_OK;
}

static r1_status read_patterns(r1i_extractor *e, const json_t *list, r1_error *err)
{
    if (!list) return R1_OK;
    const size_t n = json_array_size(list);
    if (n == 0) return r1i_fail(err, R1_ERR_USAGE, "'patterns' is not a list of regular expressions");
    e->pattern = calloc(n, sizeof *e->pattern);
    if (!e->pattern) return r1i_fail(err, R1_ERR_NOMEM, "%zu patterns", n);
    for (size_t i = 0; i < n; i++) {
        const char *const text = json_string_value(json_array_get(list, i));
        if (!text) return r1i_fail(err, R1_ERR_USAGE, "pattern %zu is not a string", i + 1);
        const r1_status st = r1i_regex_compile(text, true, &e->pattern[i], err);
        if (st != R1_OK) {
            r1i_error_prefix(err, "pattern %zu: ", i + 1);
            if (err && st == R1_ERR_UNSUPPORTED) err->code = R1_ERR_USAGE;
            return st == R1_ERR_UNSUPPORTED ? R1_ERR_USAGE : st;
        }
        e->n_patterns = i + 1;
    }
    return R1_OK;
}

r1_status r1i_extractor_open(r1i_extractor *e, const json_t *options, r1_error *err)
{
    *e = (r1i_extractor){0};
    r1_status st = read_patterns(e, json_object_get(options, "patterns"), err);
    if (st == R1_OK) st = read_ways(e, json_object_get(options, "extract"), err);
    if (st != R1_OK) r1i_extractor_close(e);
    return st;
}

void r1i_extractor_close(r1i_extractor *e)
{
    for (size_t i = 0; i < e->n_patterns; i++) r1i_regex_free(e->pattern[i]);
    free(e->pattern);
    r1i_match_free(&e->match);
    *e = (r1i_extractor){0};
}

static bool try_patterns(r1i_extractor *e, r1i_slice part, r1i_candidates *out)
{
    for (size_t i = 0; i < e->n_patterns; i++)
        if (r1i_find_pattern(part, e->pattern[i], &e->match, out)) return true;
    return false;
}

bool r1i_extractor_try(r1i_extractor *e, int i, r1i_slice part, r1i_candidates *out)
{
    switch (e->way[i]) {
    case R1I_WAY_BOX: return r1i_find_box(part, out);
    case R1I_WAY_HASHES: return r1i_find_hashes(part, out);
    case R1I_WAY_PATTERN: return try_patterns(e, part, out);
    case R1I_WAY_PHRASE: return r1i_find_phrase(part, out);
    case R1I_WAY_BARE: return r1i_find_bare(part, out);
    case R1I_WAY_LAST: return r1i_find_last(part, out);
    case R1I_WAYS: break;
    }
    return false;
}

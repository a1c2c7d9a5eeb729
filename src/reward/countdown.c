/* Countdown and the game of 24: an expression that uses the given numbers and has the target's value, exactly.
 *
 * Gold: {"target": 24, "numbers": [1, 1, 4, 6]}; "nums" for "numbers" and further keys (a whole row of a data set) are
 * allowed. The expression is looked for in the <answer> block, else the last box, else the last line that shows
 * anything; "= 24" after it must be true. Two answers are none.
 *
 * Each number once: with use "all" (the default) every number, with "some" any of them. The check of the numbers comes
 * before any arithmetic, and a gold's numbers are limited so that nothing they can form overflows: |num| + den of a
 * value is at most the product of (1 + number) over the numbers it was made from, which is kept below 2^126. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reward/arith.h"
#include "reward/grader.h"

typedef struct puzzle {
    int64_t target;
    size_t n;
    int64_t number[R1I_ARITH_NUMBERS];
} puzzle;

typedef struct options {
    bool some;
} options;

static r1_status countdown_create(const json_t *json, const r1_env *env, void **state, r1_error *err)
{
    (void)env;
    static const options uses[2] = {{false}, {true}};
    const r1_status st = r1i_grader_known_keys(json, (const char *const[]){"use", NULL}, err);
    if (st != R1_OK) return st;
    const json_t *use = json_object_get(json, "use");
    const char *name = use ? json_string_value(use) : "all";
    if (!name || (strcmp(name, "all") != 0 && strcmp(name, "some") != 0))
        return r1i_fail(err, R1_ERR_USAGE, "option 'use' is \"all\" or \"some\"");
    *state = (void *)(uintptr_t)&uses[strcmp(name, "some") == 0];
    return R1_OK;
}

static r1_status take_numbers(const json_t *list, puzzle *p, r1_error *err)
{
    const size_t n = json_array_size(list);
    if (!json_is_array(list) || n == 0 || n > R1I_ARITH_NUMBERS)
        return r1i_fail(err, R1_ERR_FORMAT, "\"numbers\" is no list of 1 to %d whole numbers", R1I_ARITH_NUMBERS);
    long double bound = 1;
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > INT64_C(999999999999999))
            return r1i_fail(err, R1_ERR_FORMAT, "number %zu is no whole number from 0 to 10^15", i + 1);
        p->number[i] = json_integer_value(v);
        bound *= 1.0L + (long double)p->number[i];
    }
    if (bound >= 0x1p126L)
        return r1i_fail(err, R1_ERR_FORMAT, "the numbers are too large together for exact arithmetic in 127 bits");
    p->n = n;
    return R1_OK;
}

static r1_status read_gold(const char *gold, size_t bytes, puzzle *p, r1_error *err)
{
    json_t *json;
    *p = (puzzle){0};
    r1_status st = r1i_json_parse(gold, bytes, &json, err);
    if (st != R1_OK) return st;
    const json_t *numbers = json_object_get(json, "numbers"), *target = json_object_get(json, "target");
    if (!numbers) numbers = json_object_get(json, "nums");
    if (!numbers || !target) st = r1i_fail(err, R1_ERR_FORMAT, "the gold is not {\"target\": .., \"numbers\": [..]}");
    else if (!json_is_integer(target)) st = r1i_fail(err, R1_ERR_FORMAT, "\"target\" is no whole number");
    else st = take_numbers(numbers, p, err);
    if (st == R1_OK) p->target = json_integer_value(target);
    json_decref(json);
    return st;
}

static r1_status countdown_check_gold(void *state, const char *gold, size_t bytes, r1_error *err)
{
    (void)state;
    puzzle p;
    return read_gold(gold, bytes, &p, err);
}

/* The last line that shows anything. */
static r1i_span last_line(r1i_span s)
{
    while (s.n) {
        size_t begin = s.n;
        while (begin > 0 && s.p[begin - 1] != '\n') begin--;
        const r1i_span line = {s.p + begin, s.n - begin};
        if (!r1i_span_blank(line)) return r1i_span_trim(line);
        s.n = begin ? begin - 1 : 0;
    }
    return s;
}

static bool peel(r1i_span *s, const char *open, const char *close)
{
    const size_t a = strlen(open), b = strlen(close);
    if (s->n < a + b || memcmp(s->p, open, a) != 0 || memcmp(s->p + s->n - b, close, b) != 0) return false;
    *s = r1i_span_trim((r1i_span){s->p + a, s->n - a - b});
    return true;
}

/* The expression without what is written around it: math delimiters, code ticks, a full stop. */
static r1i_span unwrap(r1i_span s)
{
    static const char *const around[][2] = {{"$$", "$$"}, {"$", "$"}, {"\\(", "\\)"}, {"\\[", "\\]"}, {"`", "`"},
                                            {"**", "**"}};
    s = r1i_span_trim(s);
    if (s.n > 1 && s.p[s.n - 1] == '.') s.n--; /* "... = 24." ends a sentence; 24. is no decimal that anybody writes
                                                * here */
    for (size_t i = 0; i < sizeof around / sizeof *around; i++)
        if (peel(&s, around[i][0], around[i][1])) i = (size_t)-1;
    return s;
}

/* Whether each used number is among the given ones, as often as given. */
static bool uses_right(const puzzle *p, const r1i_arith *a, bool some, r1_verdict *out)
{
    bool taken[R1I_ARITH_NUMBERS] = {false};
    for (size_t i = 0; i < a->n; i++) {
        size_t j = 0;
        while (j < p->n && (taken[j] || p->number[j] != a->number[i])) j++;
        if (j == p->n) {
            r1i_verdict_set(out, 0, false, "%lld is not given, or not so often", (long long)a->number[i]);
            return false;
        }
        taken[j] = true;
    }
    for (size_t j = 0; j < p->n && !some; j++)
        if (!taken[j]) {
            r1i_verdict_set(out, 0, false, "%lld is not used", (long long)p->number[j]);
            return false;
        }
    return true;
}

static void judge(const puzzle *p, bool some, r1i_span text, r1_verdict *out)
{
    r1i_arith a, claim = {.n = 0};
    const char *const equals = memchr(text.p, '=', text.n);
    const size_t n = equals ? (size_t)(equals - text.p) : text.n;
    const r1i_span left = r1i_span_trim((r1i_span){text.p, n});
    if (!r1i_arith_read(left, false, &a)) {
        r1i_verdict_set(out, 0, false, "not an expression: %s (byte %zu)", a.error, a.at);
        return;
    }
    if (!uses_right(p, &a, some, out)) return;
    if (!r1i_arith_read(left, true, &a)) {
        r1i_verdict_set(out, 0, false, "no value: %s", a.error);
        return;
    }
    if (equals) {
        const r1i_span right = r1i_span_trim((r1i_span){equals + 1, text.n - n - 1});
        /* a result has one number: "1 + 2 = 3 * 1" would use numbers twice over */
        const bool read = r1i_arith_read(right, true, &claim) && claim.n == 1;
        if (!read || claim.num != a.num || claim.den != a.den) {
            r1i_verdict_set(out, 0, false, "what is written after '=' is not the value of the expression");
            return;
        }
    }
    if (a.den == 1 && a.num == p->target)
        r1i_verdict_set(out, 1, true, "uses the numbers and makes %lld", (long long)p->target);
    else if (a.num > INT64_MAX || a.num < INT64_MIN || a.den > INT64_MAX)
        r1i_verdict_set(out, 0, false, "the value is far from %lld", (long long)p->target);
    else if (a.den == 1) r1i_verdict_set(out, 0, false, "makes %lld, not %lld", (long long)a.num, (long long)p->target);
    else r1i_verdict_set(out, 0, false, "makes %lld/%lld, not %lld", (long long)a.num, (long long)a.den,
                         (long long)p->target);
}

static r1_status countdown_grade(void *state, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    const options *o = state;
    puzzle p;
    const r1_status st = read_gold(sample->gold, sample->gold_bytes, &p, err);
    if (st != R1_OK) return st;
    const r1i_span answer = r1i_parts_of(sample).answer;
    const r1i_final f = r1i_final_of(answer);
    if (f.several || (f.blocks && !f.found)) {
        r1i_verdict_set(out, 0, false,
                        f.several ? "several answers, of which none is taken" : "the answer block is cut off");
        return R1_OK;
    }
    const r1i_span text = unwrap(f.found ? f.text : last_line(answer));
    if (r1i_span_blank(text)) {
        r1i_verdict_set(out, 0, false, "no answer after the thinking");
        return R1_OK;
    }
    r1i_verdict_answer(out, text.p, text.n);
    judge(&p, o->some, text, out);
    return R1_OK;
}

const r1i_grader_class r1i_grader_countdown = {
    .name = "countdown",
    .what = "an expression over + - * / that uses each number once and makes the target",
    .create = countdown_create,
    .check_gold = countdown_check_gold,
    .grade = countdown_grade,
};

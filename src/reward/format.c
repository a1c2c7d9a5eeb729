/* Format rewards. The grammar is exact, because whatever a loose one lets through is found by training:
 *
 *     r1        think-open body think-close answer EOS            (think-open may have been written by the template)
 *     r1-zero   think-open body think-close <answer> answer </answer> EOS
 *
 * Body and answer show at least one visible character and hold no tag of either kind, however spelt (</ THINK >). White
 * space is allowed before think-open, between think-close and <answer>, and at the end; nothing else is. */
#include <string.h>

#include "reward/grader.h"
#include "reward/rule_text.h"

typedef struct tag {
    size_t begin, end; /* bytes of it, from '<' to after '>' */
    bool close, answer;
    bool exact;        /* spelt as the grammar has it */
} tag;

static size_t skip_space(r1i_span s, size_t i)
{
    while (i < s.n && strchr(" \t\r\n", s.p[i]) && s.p[i]) i++;
    return i;
}

/* The next tag from `from` on, in any case and spacing. */
static bool next_tag(r1i_span s, size_t from, tag *out)
{
    for (size_t i = from; i < s.n; i++) {
        const char *const hit = memchr(s.p + i, '<', s.n - i);
        if (!hit) return false;
        i = (size_t)(hit - s.p);
        size_t j = skip_space(s, i + 1);
        *out = (tag){.begin = i, .close = j < s.n && s.p[j] == '/'};
        if (out->close) j = skip_space(s, j + 1);
        char name[8] = {0};
        size_t n = 0;
        while (j < s.n && n < sizeof name - 1 && r1i_char_letter((unsigned char)s.p[j]))
            name[n++] = (char)(s.p[j++] | 32);
        out->answer = strcmp(name, "answer") == 0;
        if (!out->answer && strcmp(name, "think") != 0) continue;
        j = skip_space(s, j);
        if (j == s.n || s.p[j] != '>') continue;
        out->end = j + 1;
        const char *const want = out->answer ? (out->close ? "</answer>" : "<answer>")
            : (out->close ? "</think>" : "<think>");
        out->exact = r1i_span_is((r1i_span){s.p + i, out->end - i}, want);
        return true;
    }
    return false;
}

typedef struct options {
    bool zero; /* R1-Zero's answer tags */
} options;

static r1_status format_create(const json_t *json, const r1_env *env, void **state, r1_error *err)
{
    (void)env;
    static const options styles[2] = {{false}, {true}};
    const r1_status st = r1i_grader_known_keys(json, (const char *const[]){"style", NULL}, err);
    if (st != R1_OK) return st;
    const json_t *style = json_object_get(json, "style");
    const char *name = style ? json_string_value(style) : "r1";
    if (!name || (strcmp(name, "r1") != 0 && strcmp(name, "r1-zero") != 0))
        return r1i_fail(err, R1_ERR_USAGE, "option 'style' is \"r1\" or \"r1-zero\"");
    *state = (void *)(uintptr_t)&styles[strcmp(name, "r1-zero") == 0];
    return R1_OK;
}

static void no(r1_verdict *out, const char *reason) { r1i_verdict_set(out, 0, false, "%s", reason); }

static const char *name_of(const tag *t)
{
    return t->answer ? (t->close ? "</answer>" : "<answer>") : (t->close ? "</think>" : "<think>");
}

/* Walk the tags in the order the grammar wants them; the first that is another one names what is wrong. */
static r1_status format_grade(void *state, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    (void)err;
    const options *o = state;
    const r1i_span s = {sample->completion, sample->completion_bytes};
    static const char *const want[] = {"<think>", "</think>", "<answer>", "</answer>"};
    const int first = sample->thinking_open ? 1 : 0, last = o->zero ? 4 : 2;
    size_t at[5] = {0}, end[5] = {0}; /* at[i], end[i]: where want[i] begins and ends; EOS after the last */
    size_t pos = 0;
    if (sample->truncated) return no(out, "cut off at the token limit"), R1_OK;
    for (int i = first; i < last; i++) {
        tag t;
        if (!next_tag(s, pos, &t)) return r1i_verdict_set(out, 0, false, "%s is missing", want[i]), R1_OK;
        if (strcmp(name_of(&t), want[i]) != 0)
            return r1i_verdict_set(out, 0, false, "%s where %s was expected (byte %zu)", name_of(&t), want[i], t.begin),
                R1_OK;
        if (!t.exact) return r1i_verdict_set(out, 0, false, "%s is misspelt (byte %zu)", want[i], t.begin), R1_OK;
        at[i] = t.begin;
        end[i] = pos = t.end;
    }
    tag extra;
    if (next_tag(s, pos, &extra))
        return r1i_verdict_set(out, 0, false, "a further %s (byte %zu)", name_of(&extra), extra.begin), R1_OK;
    const r1i_span body = {s.p + end[0], at[1] - end[0]};
    r1i_span answer = {s.p + end[1], s.n - end[1]};
    if (!sample->thinking_open && r1i_span_trim((r1i_span){s.p, at[0]}).n) return no(out, "text before <think>"), R1_OK;
    if (r1i_span_blank(body)) return no(out, "nothing is thought between the tags"), R1_OK;
    if (o->zero) {
        if (r1i_span_trim((r1i_span){s.p + end[1], at[2] - end[1]}).n)
            return no(out, "text between </think> and <answer>"), R1_OK;
        if (r1i_span_trim((r1i_span){s.p + end[3], s.n - end[3]}).n) return no(out, "text after </answer>"), R1_OK;
        answer = (r1i_span){s.p + end[2], at[3] - end[2]};
    }
    if (r1i_span_blank(answer)) return no(out, "no answer after the thinking"), R1_OK;
    answer = r1i_span_trim(answer);
    r1i_verdict_answer(out, answer.p, answer.n);
    r1i_verdict_set(out, 1, true, o->zero ? "one think block, one answer block" : "one think block, then an answer");
    return R1_OK;
}

const r1i_grader_class r1i_grader_format = {
    .name = "format",
    .what = "one think block, then one answer (style r1 or r1-zero)",
    .create = format_create,
    .grade = format_grade,
};

/* ---- tag counts -------------------------------------------------------------------------------------------------- */

static size_t count(r1i_span s, const char *text)
{
    const size_t n = strlen(text);
    size_t found = 0;
    for (size_t at = r1i_span_find(s, 0, text, n); at < s.n; at = r1i_span_find(s, at + n, text, n)) found++;
    return found;
}

/* A quarter for each of the four tags that occurs exactly once: a slope towards the format for a model that has none of
 * it. An opening tag that the template wrote counts as one. */
static r1_status tags_grade(void *state, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    (void)state;
    (void)err;
    static const char *const tags[] = {"<think>", "</think>", "<answer>", "</answer>"};
    const r1i_span s = {sample->completion, sample->completion_bytes};
    size_t n[4];
    int once = 0;
    for (int i = 0; i < 4; i++) {
        n[i] = count(s, tags[i]) + (i == 0 && sample->thinking_open);
        once += n[i] == 1;
    }
    r1i_verdict_set(out, 0.25 * once, once == 4,
                    "%d of 4 tags stand exactly once (<think> %zu, </think> %zu, <answer> %zu, </answer> %zu)", once,
                    n[0], n[1], n[2], n[3]);
    return R1_OK;
}

const r1i_grader_class r1i_grader_tags = {
    .name = "tags",
    .what = "a quarter for each of <think> </think> <answer> </answer> that stands exactly once",
    .grade = tags_grade,
};

/* One answer, or a choice left to the reader? 1 for exactly one final answer, 0 for none or a hedge:
 *   - several <answer> blocks, or boxes that differ;
 *   - "or", "either", "maybe", "possibly", "alternatively" and their Chinese sisters within the final answer;
 *   - a set, list, "and" or plus-minus where the gold has none of these (only looked at when there is a gold).
 * The final answer is the <answer> block, else the last box, else the last line that shows anything. */
#include <string.h>

#include "reward/grader.h"
#include "reward/rule_text.h"

static bool is_any(r1i_span word, const char *const *list)
{
    for (size_t i = 0; list[i]; i++) {
        const size_t n = strlen(list[i]);
        if (word.n != n) continue;
        size_t j = 0;
        while (j < n && (word.p[j] >= 'A' && word.p[j] <= 'Z' ? word.p[j] | 32 : word.p[j]) == list[i][j]) j++;
        if (j == n) return true;
    }
    return false;
}

/* The first word of the text that is among the list, with n = 0 for none. */
static r1i_span word_of(r1i_span text, const char *const *list)
{
    r1i_words w = {.text = text};
    r1i_span word;
    while (r1i_words_next(&w, &word))
        if (is_any(word, list)) return word;
    return (r1i_span){0};
}

static bool has(r1i_span s, const char *text) { return r1i_span_find(s, 0, text, strlen(text)) < s.n; }

static bool digits(r1i_span s, size_t i, size_t n)
{
    for (size_t j = 0; j < n; j++)
        if (i + j >= s.n || s.p[i + j] < '0' || s.p[i + j] > '9') return false;
    return true;
}

/* Several values in one text: a comma that groups no thousands, a semicolon, braces, "and", a plus-minus. */
static bool lists(r1i_span s)
{
    static const char *const words[] = {"and", NULL};
    static const char *const marks[] = {";", "\\{", "\\pm", "\xC2\xB1", "\\cup", "\xE2\x88\xAA", "\xE3\x80\x81", "\xEF\xBC\x8C"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (has(s, marks[i])) return true;
    if (s.n > 1 && s.p[0] == '{' && s.p[s.n - 1] == '}') return true;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == ',' && !(i > 0 && digits(s, i - 1, 1) && digits(s, i + 1, 3) && !digits(s, i + 4, 1)))
            return true;
    return word_of(s, words).n > 0;
}

static r1i_span last_line(r1i_span s)
{
    s = r1i_span_trim(s);
    size_t begin = s.n;
    while (begin > 0 && s.p[begin - 1] != '\n') begin--;
    return (r1i_span){s.p + begin, s.n - begin};
}

static r1_status hedging_grade(void *state, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    (void)state;
    (void)err;
    static const char *const unsure[] = {"or", "either", "maybe", "possibly", "perhaps", "alternatively", NULL};
    /* or, possibly, perhaps */
    static const char *const chinese[] = {"\xE6\x88\x96", "\xE5\x8F\xAF\xE8\x83\xBD", "\xE4\xB9\x9F\xE8\xAE\xB8"};
    const r1i_span answer = r1i_parts_of(sample).answer;
    const r1i_final f = r1i_final_of(answer);
    const r1i_span text = f.found ? f.text : f.blocks ? (r1i_span){0} : last_line(answer);
    if (f.several)
        return r1i_verdict_set(out, 0, false, f.blocks > 1 ? "several answer blocks" : "boxes that differ"), R1_OK;
    if (r1i_span_blank(text)) return r1i_verdict_set(out, 0, false, "no answer after the thinking"), R1_OK;
    r1i_verdict_answer(out, text.p, text.n);
    const r1i_span word = word_of(text, unsure);
    if (word.n) return r1i_verdict_set(out, 0, false, "hedged with '%.*s'", (int)word.n, word.p), R1_OK;
    for (size_t i = 0; i < sizeof chinese / sizeof *chinese; i++)
        if (has(text, chinese[i])) return r1i_verdict_set(out, 0, false, "hedged with '%s'", chinese[i]), R1_OK;
    const r1i_span gold = r1i_span_trim((r1i_span){sample->gold, sample->gold ? sample->gold_bytes : 0});
    if (f.found && gold.n && lists(text) && !lists(gold))
        return r1i_verdict_set(out, 0, false, "several values where one is asked for"), R1_OK;
    r1i_verdict_set(out, 1, true, "one answer");
    return R1_OK;
}

const r1i_grader_class r1i_grader_hedging = {
    .name = "hedging",
    .what = "one final answer, not several of which one may be right",
    .grade = hedging_grade,
};

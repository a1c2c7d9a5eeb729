/* Graders over arbitrary text: always a verdict with a reason and a score in its range, the format's laws, loose never
 * stricter than strict, and a text is its own exact gold. The first byte says whether the template opened the
 * thinking. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "r1/reward.h"
#include "reward/rule_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char every[] =
    "{\"instruction_id_list\": [\"keywords:existence\", \"keywords:forbidden_words\", \"keywords:frequency\", \"keywords:letter_frequency\","
    "\"language:response_language\", \"change_case:english_capital\", \"change_case:english_lowercase\", \"change_case:capital_word_frequency\","
    "\"punctuation:no_comma\", \"length_constraints:number_words\", \"length_constraints:number_sentences\", \"length_constraints:number_paragraphs\","
    "\"length_constraints:nth_paragraph_first_word\", \"detectable_content:postscript\", \"detectable_content:number_placeholders\","
    "\"detectable_format:number_bullet_lists\", \"detectable_format:constrained_response\", \"detectable_format:number_highlighted_sections\","
    "\"detectable_format:multiple_sections\", \"detectable_format:json_format\", \"detectable_format:title\", \"combination:two_responses\","
    "\"combination:repeat_prompt\", \"startend:end_checker\", \"startend:quotation\"], \"kwargs\": [{\"keywords\": [\"a\"]}, {\"forbidden_words\": [\"b\"]},"
    "{\"keyword\": \"c\", \"frequency\": 2, \"relation\": \"at least\"}, {\"letter\": \"d\", \"let_frequency\": 2, \"let_relation\": \"less than\"},"
    "{\"language\": \"de\"}, {}, {}, {\"capital_frequency\": 2, \"capital_relation\": \"at least\"}, {}, {\"num_words\": 3, \"relation\": \"at least\"},"
    "{\"num_sentences\": 2, \"relation\": \"at least\"}, {\"num_paragraphs\": 2}, {\"num_paragraphs\": 2, \"nth_paragraph\": 2, \"first_word\": \"e\"},"
    "{\"postscript_marker\": \"P.P.S\"}, {\"num_placeholders\": 1}, {\"num_bullets\": 2}, {}, {\"num_highlights\": 1},"
    "{\"section_spliter\": \"S\", \"num_sections\": 1}, {}, {}, {}, {\"prompt_to_repeat\": \"f\"}, {\"end_phrase\": \"g\"}, {}]}";

/* Made once: reading the language statistics takes longer than all the grading. */
static r1_grader *grader_of(const char *name, const char *options)
{
    static struct {
        const char *name, *options;
        r1_grader *grader;
    } made[32];
    size_t i = 0;
    while (made[i].grader && (strcmp(made[i].name, name) != 0 || strcmp(made[i].options, options ? options : "") != 0))
        i++;
    if (!made[i].grader) {
        made[i].name = name;
        made[i].options = options ? options : "";
        if (i + 1 == sizeof made / sizeof *made ||
            r1_grader_create(name, options, NULL, &made[i].grader, NULL) != R1_OK) abort();
    }
    return made[i].grader;
}

static r1_verdict grade(const char *name, const char *options, const r1_sample *s)
{
    r1_verdict v;
    if (r1_grader_grade(grader_of(name, options), s, &v, NULL) != R1_OK) abort();
    if (!(v.score >= -1 && v.score <= 1) || !v.reason[0] || !memchr(v.reason, 0, sizeof v.reason) ||
        !memchr(v.answer, 0, sizeof v.answer)) abort();
    for (size_t i = 0, step; v.answer[i]; i += step)
        /* the answer is UTF-8 */
        if (r1i_char_at(v.answer + i, strlen(v.answer + i), &step) == 0xFFFD && step == 1) abort();
    return v;
}

static void format_laws(const r1_sample *s, const char *options)
{
    r1_sample other = *s;
    if (grade("format", options, s).score != 1) return;
    other.truncated = true;
    if (grade("format", options, &other).score != 0) abort();
    other = *s;
    other.thinking_open = !s->thinking_open; /* the tag stands once in all */
    if (grade("format", options, &other).score != 0) abort();
    const size_t at = r1i_span_find((r1i_span){s->completion, s->completion_bytes}, 0, "</think>", 8);
    if (r1i_span_find((r1i_span){s->completion, s->completion_bytes}, at + 8, "</think>", 8) < s->completion_bytes)
        abort();
    if (!r1i_parts_of(s).closed || r1i_span_blank(r1i_parts_of(s).answer)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    const char *const text = (const char *)data + 1;
    const size_t n = size - 1;
    r1_sample s = {.completion = text, .completion_bytes = n, .thinking_open = data[0] & 1, .prompt = text,
                   .prompt_bytes = n / 2, .tokens = 1, .max_tokens = 8};
    static const char *const plain[] = {"tags", "repetition", "language", "hedging", "overlong", "stops"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) grade(plain[i], NULL, &s);
    format_laws(&s, NULL);
    format_laws(&s, "{\"style\": \"r1-zero\"}");
    s.gold = "{\"puzzle\": \"3102200002100320\"}";
    s.gold_bytes = strlen(s.gold);
    grade("sudoku", NULL, &s);
    s.gold = every;
    s.gold_bytes = sizeof every - 1;
    if (grade("ifeval", "{\"level\": \"instruction\"}", &s).score >
        grade("ifeval", "{\"level\": \"instruction\", \"mode\": \"loose\"}", &s).score) abort();
    const r1i_span answer = r1i_parts_of(&s).answer;
    if (!r1i_span_blank(answer)) {
        s.gold = answer.p;
        s.gold_bytes = answer.n;
        if (grade("exact", NULL, &s).score != 1) abort();
        grade("normalized", NULL, &s);
    }
    return 0;
}

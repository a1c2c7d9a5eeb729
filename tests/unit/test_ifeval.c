/* IFEval: each of the 25 kinds with responses that follow it and that do not, strict and loose, and the whole data
 * set's golds. */
#include "support/grade.h"

#include "base/json.h"
#include "reward/ifeval.h"

typedef struct instruction_case {
    const char *id, *args, *text;
    bool followed;
} instruction_case;

static const char loose[] = "{\"mode\": \"loose\"}";
static char gold_text[2048];

static const char *gold(const char *id, const char *args)
{
    snprintf(gold_text, sizeof gold_text, "{\"instruction_id_list\": [\"%s\"], \"kwargs\": [%s]}", id, args);
    return gold_text;
}

static void check(const instruction_case *cases, size_t n, const char *options)
{
    for (size_t i = 0; i < n; i++) {
        const instruction_case *c = &cases[i];
        const r1_verdict v = grade_text("ifeval", options, gold(c->id, c->args), c->text);
        if (v.correct != c->followed)
            fail_msg("%s %s: %s\nexpected %d: %s", c->id, c->args, c->text, c->followed, v.reason);
    }
}
#define CHECK(cases, options) check(cases, sizeof(cases) / sizeof *(cases), options)

static void test_keywords(void **state)
{
    (void)state;
    static const instruction_case cases[] = {
        {"keywords:existence", "{\"keywords\": [\"mom\", \"Mother\"]}", "My MOM is a mother.", 1},
        {"keywords:existence", "{\"keywords\": [\"mom\", \"mother\"]}", "My mom.", 0},
        {"keywords:existence", "{\"keywords\": [\"le\"]}", "A table", 1}, /* inside a word counts */
        {"keywords:forbidden_words", "{\"forbidden_words\": [\"rock\"]}", "We Rock!", 0},
        {"keywords:forbidden_words", "{\"forbidden_words\": [\"rock\"]}", "A rocket, rocks, bedrock", 1},
        {"keywords:forbidden_words", "{\"forbidden_words\": [\"rock\"]}", "", 0}, /* no answer follows nothing */
        {"keywords:forbidden_words", "{\"forbidden_words\": [\"\xC3\xA9t\xC3\xA9\"]}", "L'\xC3\x89T\xC3\x89 vient", 0},
        {"keywords:frequency", "{\"keyword\": \"war\", \"frequency\": 3, \"relation\": \"at least\"}", "War and war and wars", 1},
        {"keywords:frequency", "{\"keyword\": \"war\", \"frequency\": 3, \"relation\": \"less than\"}", "War and war and wars", 0},
        {"keywords:frequency", "{\"keyword\": \"war\", \"frequency\": 4, \"relation\": \"less than\"}", "War and war and wars", 1},
        {"keywords:letter_frequency", "{\"letter\": \"q\", \"let_frequency\": 2, \"let_relation\": \"at least\"}", "Quiet Iraq", 1},
        {"keywords:letter_frequency", "{\"letter\": \"q\", \"let_frequency\": 2, \"let_relation\": \"less than\"}", "Quiet Iraq", 0},
        {"keywords:letter_frequency", "{\"letter\": \"#\", \"let_frequency\": 2, \"let_relation\": \"at least\"}", "#a #b", 1},
    };
    CHECK(cases, NULL);
}

static void test_language_and_case(void **state)
{
    (void)state;
    static const instruction_case cases[] = {
        {"language:response_language", "{\"language\": \"de\"}",
         "Der Hund lief durch den Garten, und die Katze sah ihm dabei zu, weil sie nichts anderes zu tun hatte.", 1},
        {"language:response_language", "{\"language\": \"de\"}", "The dog ran through the garden, and the cat looked on, for it had nothing else to do.", 0},
        {"language:response_language", "{\"language\": \"kn\"}", "\xE0\xB2\xB9\xE0\xB3\x8C\xE0\xB2\xA6\xE0\xB3\x81", 1},
        {"language:response_language", "{\"language\": \"hi\"}", "\xE0\xB2\xB9\xE0\xB3\x8C\xE0\xB2\xA6\xE0\xB3\x81", 0},
        {"change_case:english_capital", "{}", "THIS IS ALL IN CAPITAL LETTERS, 1 2 3.", 1},
        {"change_case:english_capital", "{}", "THIS IS NOT ALL IN CAPITAL LETTERs.", 0},
        {"change_case:english_capital", "{}", "1 2 3", 0}, /* no letter at all */
        {"change_case:english_capital", "{}", "DER HUND LIEF DURCH DEN GARTEN, UND DIE KATZE SAH IHM ZU, WEIL SIE NICHTS ANDERES ZU TUN HATTE.", 0},
        {"change_case:english_lowercase", "{}", "this is all small, isn't it?", 1},
        {"change_case:english_lowercase", "{}", "this is Not all small", 0},
        {"change_case:english_lowercase", "{}", "this is not all small: \xC3\x89", 0},
        {"change_case:capital_word_frequency", "{\"capital_frequency\": 3, \"capital_relation\": \"at least\"}", "I AM WELL-KNOWN, you know", 1},
        {"change_case:capital_word_frequency", "{\"capital_frequency\": 3, \"capital_relation\": \"less than\"}", "I AM WELL-KNOWN, you know", 0},
        {"change_case:capital_word_frequency", "{\"capital_frequency\": 1, \"capital_relation\": \"at least\"}", "Only Title Case 123 - ' here", 0},
        {"punctuation:no_comma", "{}", "no comma; none at all", 1},
        {"punctuation:no_comma", "{}", "one, two", 0},
        {"punctuation:no_comma", "{}", "\xE4\xB8\x80\xEF\xBC\x8C\xE4\xBA\x8C", 0},
    };
    CHECK(cases, NULL);
}

static void test_length(void **state)
{
    (void)state;
    static const instruction_case cases[] = {
        {"length_constraints:number_words", "{\"num_words\": 4, \"relation\": \"at least\"}", "one two, three-four", 1},
        {"length_constraints:number_words", "{\"num_words\": 5, \"relation\": \"at least\"}", "one two, three-four", 0},
        {"length_constraints:number_words", "{\"num_words\": 4, \"relation\": \"less than\"}", "... one - two !!! 3", 1},
        {"length_constraints:number_words", "{\"num_words\": 3, \"relation\": \"at least\"}", "\xE4\xB8\x80\xE4\xBA\x8C\xE4\xB8\x89", 1},
        {"length_constraints:number_sentences", "{\"num_sentences\": 3, \"relation\": \"at least\"}", "One. Two! Three?", 1},
        {"length_constraints:number_sentences", "{\"num_sentences\": 4, \"relation\": \"at least\"}", "One. Two! Three?", 0},
        {"length_constraints:number_sentences", "{\"num_sentences\": 2, \"relation\": \"less than\"}", "Dr. J. Smith, e.g. Mr. Smith at 3.5 p.m. today, came", 1},
        {"length_constraints:number_sentences", "{\"num_sentences\": 3, \"relation\": \"less than\"}", "He said \"Stop!\" Then he went... And was gone", 0},
        {"length_constraints:number_sentences", "{\"num_sentences\": 2, \"relation\": \"less than\"}", "1. First point without an end\n2. second", 1},
        {"length_constraints:number_sentences", "{\"num_sentences\": 2, \"relation\": \"at least\"}", "\xE4\xB8\x80\xE3\x80\x82\xE4\xBA\x8C\xE3\x80\x82", 1},
        {"length_constraints:number_paragraphs", "{\"num_paragraphs\": 2}", "a\n***\nb", 1},
        {"length_constraints:number_paragraphs", "{\"num_paragraphs\": 2}", "***\na\n\nc\n***\nb\n***", 1},
        {"length_constraints:number_paragraphs", "{\"num_paragraphs\": 2}", "a\n\nb", 0},
        {"length_constraints:number_paragraphs", "{\"num_paragraphs\": 2}", "a\n***\n \n***\nb", 0},
        {"length_constraints:nth_paragraph_first_word", "{\"num_paragraphs\": 2, \"nth_paragraph\": 2, \"first_word\": \"president\"}", "News\n\n\"President, yes", 1},
        {"length_constraints:nth_paragraph_first_word", "{\"num_paragraphs\": 2, \"nth_paragraph\": 2, \"first_word\": \"president\"}", "News\n\n\n\nPresident", 1},
        {"length_constraints:nth_paragraph_first_word", "{\"num_paragraphs\": 2, \"nth_paragraph\": 2, \"first_word\": \"president\"}", "News\n\nPresidents", 0},
        {"length_constraints:nth_paragraph_first_word", "{\"num_paragraphs\": 2, \"nth_paragraph\": 2, \"first_word\": \"president\"}", "a\n\nPresident\n\nb", 0},
    };
    CHECK(cases, NULL);
}

static void test_content(void **state)
{
    (void)state;
    static const instruction_case cases[] = {
        {"detectable_content:postscript", "{\"postscript_marker\": \"P.S.\"}", "Text\n\nP.S. more", 1},
        {"detectable_content:postscript", "{\"postscript_marker\": \"P.S.\"}", "Text\np. s. more", 1},
        {"detectable_content:postscript", "{\"postscript_marker\": \"P.S.\"}", "Text\nPS more", 0},
        {"detectable_content:postscript", "{\"postscript_marker\": \"P.P.S\"}", "Text\nP.P.S more", 1},
        {"detectable_content:postscript", "{\"postscript_marker\": \"P.P.S\"}", "Text\nP.S. more", 0},
        {"detectable_content:number_placeholders", "{\"num_placeholders\": 2}", "Dear [name], of [address]", 1},
        {"detectable_content:number_placeholders", "{\"num_placeholders\": 2}", "Dear [name], of [addr\ness]", 0},
        {"detectable_content:number_placeholders", "{\"num_placeholders\": 2}", "[[[[[[ ]", 0},
        {"detectable_format:number_bullet_lists", "{\"num_bullets\": 2}", "Points:\n* one\n  - two\n**bold** no", 1},
        {"detectable_format:number_bullet_lists", "{\"num_bullets\": 2}", "* one\n* two\n* three", 0},
        {"detectable_format:number_bullet_lists", "{\"num_bullets\": 1}", "* one\n---\n***\n*\n", 1},
        {"detectable_format:constrained_response", "{}", "Well. My answer is maybe.", 1},
        {"detectable_format:constrained_response", "{}", "My answer is yes", 0},
        {"detectable_format:number_highlighted_sections", "{\"num_highlights\": 2}", "*a* and **b c**", 1},
        {"detectable_format:number_highlighted_sections", "{\"num_highlights\": 2}", "** ** and **b c** and *x\ny*", 0},
        {"detectable_format:number_highlighted_sections", "{\"num_highlights\": 2}", "* one\n* two\n", 0},
        {"detectable_format:multiple_sections", "{\"section_spliter\": \"SECTION\", \"num_sections\": 2}", "SECTION 1\na\nSECTION 2\nb", 1},
        {"detectable_format:multiple_sections", "{\"section_spliter\": \"SECTION\", \"num_sections\": 2}", "SECTION 1\na\nSection 2\nb", 0},
        {"detectable_format:multiple_sections", "{\"section_spliter\": \"Day\", \"num_sections\": 1}", "Day one", 0},
        {"detectable_format:json_format", "{}", "```json\n{\"a\": [1, 2]}\n```", 1},
        {"detectable_format:json_format", "{}", " {\"a\": 1} ", 1},
        {"detectable_format:json_format", "{}", "Here: {\"a\": 1}", 0},
        {"detectable_format:json_format", "{}", "{'a': 1}", 0},
        {"detectable_format:title", "{}", "<<My title>>\ntext", 1},
        {"detectable_format:title", "{}", "<< >>\ntext", 0},
        {"detectable_format:title", "{}", "<<My\ntitle>>", 0},
        {"detectable_format:title", "{}", "<My title>", 0},
    };
    CHECK(cases, NULL);
}

static void test_combination(void **state)
{
    (void)state;
    static const instruction_case cases[] = {
        {"combination:two_responses", "{}", "one\n******\ntwo", 1},
        {"combination:two_responses", "{}", "one\n******\none\n", 0},
        {"combination:two_responses", "{}", "one\n******\ntwo\n******\nthree", 0},
        {"combination:two_responses", "{}", "one\n******\n\n******\ntwo", 0},
        {"combination:two_responses", "{}", "one", 0},
        {"combination:repeat_prompt", "{\"prompt_to_repeat\": \"Write an email.\"}", "write an email.\n\nDear", 1},
        {"combination:repeat_prompt", "{\"prompt_to_repeat\": \"Write an email.\"}", "Sure! Write an email.", 0},
        {"startend:end_checker", "{\"end_phrase\": \"Peace!\"}", "So be it. peace!\"\n", 1},
        {"startend:end_checker", "{\"end_phrase\": \"Peace!\"}", "Peace! Now.", 0},
        {"startend:quotation", "{}", "\"all of it\"", 1},
        {"startend:quotation", "{}", "\"", 0},
        {"startend:quotation", "{}", "all \"of\" it", 0},
    };
    CHECK(cases, NULL);
}

static void test_loose(void **state)
{
    (void)state;
    static const instruction_case cases[] = {
        {"startend:quotation", "{}", "Sure, here it is:\n\"all of it\"", 1},
        {"startend:quotation", "{}", "Sure:\n\"all of it\"\nHope that helps", 1},
        {"startend:quotation", "{}", "**\"all of it\"**", 1},
        {"startend:quotation", "{}", "Sure: \"all of it", 0},
        /* without its only line nothing is left */
        {"keywords:forbidden_words", "{\"forbidden_words\": [\"rock\"]}", "rock", 0},
    };
    CHECK(cases, loose);
    for (size_t i = 0; i < 4; i++)
        assert_false(grade_text("ifeval", NULL, gold(cases[i].id, cases[i].args), cases[i].text).correct);
}

static void test_levels(void **state)
{
    (void)state;
    static const char both[] =
        "{\"instruction_id_list\": [\"punctuation:no_comma\", \"startend:quotation\"], \"kwargs\": [{}, {}]}";
    assert_true(grade_text("ifeval", NULL, both, "\"x\"").score == 1);
    assert_true(grade_text("ifeval", NULL, both, "x").score == 0);
    const r1_verdict v = grade_text("ifeval", "{\"level\": \"instruction\"}", both, "x");
    assert_true(v.score == 0.5 && !v.correct && v.extracted);
    assert_non_null(strstr(v.reason, "startend:quotation"));
    /* the thinking is not the response */
    assert_true(grade_text("ifeval", NULL, both, "<think>a, b</think>\"x\"").score == 1);
    assert_true(grade_text("ifeval", NULL, both, "<think>\"x\"").score == 0);
}

static void test_golds(void **state)
{
    (void)state;
    r1_error err = {0};
    static const char *const bad[] = {
        "", "{}", "{\"instruction_id_list\": [], \"kwargs\": []}",
        "{\"instruction_id_list\": [\"punctuation:no_comma\"], \"kwargs\": []}",
        "{\"instruction_id_list\": [\"punctuation:commas\"], \"kwargs\": [{}]}",
        "{\"instruction_id_list\": [3], \"kwargs\": [{}]}",
        "{\"instruction_id_list\": [\"punctuation:no_comma\"], \"kwargs\": [3]}",
        "{\"instruction_id_list\": [\"keywords:existence\"], \"kwargs\": [{}]}",
        "{\"instruction_id_list\": [\"keywords:existence\"], \"kwargs\": [{\"keywords\": [1]}]}",
        "{\"instruction_id_list\": [\"language:response_language\"], \"kwargs\": [{\"language\": \"xx\"}]}",
        "{\"instruction_id_list\": [\"length_constraints:number_words\"], \"kwargs\": [{\"num_words\": 3, \"relation\": \"about\"}]}", "{\"instruction_id_list\": [\"length_constraints:number_words\"], \"kwargs\": [{\"num_words\": \"3\", \"relation\": \"at least\"}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(grade_gold("ifeval", NULL, bad[i], &err), R1_ERR_FORMAT);
    size_t kinds = 0;
    while (r1i_instruction_at(kinds)) kinds++;
    assert_int_equal(kinds, 25);
}

/* Every row of the data loads, and together they use all 25 kinds. */
static void test_data(void **state)
{
    (void)state;
    FILE *const f = fopen(R1_SOURCE_DIR "/../shared/data/ifeval/test.jsonl", "r");
    if (!f) skip();
    static char line[65536];
    size_t rows = 0, used[25] = {0};
    r1_grader *g;
    r1_error err = {0};
    assert_int_equal(r1_grader_create("ifeval", NULL, NULL, &g, &err), R1_OK);
    while (fgets(line, sizeof line, f)) {
        if (r1_grader_check_gold(g, line, strlen(line), &err) != R1_OK) fail_msg("row %zu: %s", rows + 1, err.message);
        for (size_t i = 0; i < 25; i++) used[i] += strstr(line, r1i_instruction_at(i)->id) != NULL;
        rows++;
    }
    fclose(f);
    r1_grader_destroy(g);
    assert_int_equal(rows, 541);
    for (size_t i = 0; i < 25; i++) assert_true(used[i] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keywords), cmocka_unit_test(test_language_and_case), cmocka_unit_test(test_length),
        cmocka_unit_test(test_content), cmocka_unit_test(test_combination), cmocka_unit_test(test_loose),
        cmocka_unit_test(test_levels), cmocka_unit_test(test_golds), cmocka_unit_test(test_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

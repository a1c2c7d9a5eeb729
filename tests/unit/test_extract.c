/* Extraction of answers: what counts, what must not count, and that hostile text costs linear time. */
#include "support/test.h"

#include <time.h>

#include "reward/extract.h"

typedef bool (*finder)(r1i_slice part, r1i_candidates *out);

typedef struct example {
    const char *text, *want; /* want NULL: nothing; "!": refused */
} example;

static r1i_slice span(const char *s) { return (r1i_slice){s, strlen(s)}; }

static void check(finder find, const example *e, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        r1i_candidates c;
        const bool got = find(span(e[i].text), &c);
        bool ok;
        if (!e[i].want) ok = !got;
        else if (strcmp(e[i].want, "!") == 0) ok = got && c.refused && c.n == 0;
        else {
            ok = false;
            for (int k = 0; k < c.n; k++)
                ok |= c.item[k].n == strlen(e[i].want) && memcmp(c.item[k].s, e[i].want, c.item[k].n) == 0;
            ok = ok && got && !c.refused;
        }
        if (!ok) {
            print_error("row %zu: %s\n  wanted %s, %s\n", i, e[i].text, e[i].want ? e[i].want : "nothing", c.why);
            for (int k = 0; k < c.n; k++) print_error("  reading %d: %.*s\n", k, (int)c.item[k].n, c.item[k].s);
        }
        assert_true(ok);
    }
}
#define CHECK(find, table) check(find, table, sizeof table / sizeof *table)

static void test_part(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
        bool open;
    } rows[] = {
        {"4", "4", false},
        {"<think>2+2</think>4", "4", false},
        {"2+2</think>\n\n4", "4", true},
        {"2+2</think>\n\n4", "4", false},
        {"2+2 = 4", NULL, true},                          /* the limit was reached while thinking */
        {"<think>2+2 = \\boxed{4}", NULL, false},
        {"<think>a</think>b</think>c", "c", false},
        {"<think>a</think>", NULL, false},
        {"<think>a</think> \n\t ", NULL, false},
        {"a</think>b<think>c", "b", true},
        {"<think>a</think><answer> 4 </answer>", "4", false},
        {"<think>a</think><answer>3</answer> no <answer>4</answer>", "4", false},
        {"<think>a</think><answer>4", "4", false},
        {"<think>a</think><answer></answer>", NULL, false},
        {"4<|im_end|>\n", "4", false},
        {"4<\xEF\xBD\x9C" "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>", "4", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        r1i_slice part;
        const char *why = NULL;
        const bool got = r1i_answer_part(span(rows[i].text), rows[i].open, &part, &why);
        if (got != (rows[i].want != NULL)) print_error("row %zu: %s\n", i, rows[i].text);
        assert_int_equal(got, rows[i].want != NULL);
        if (!got) assert_non_null(why);
        else assert_true(part.n == strlen(rows[i].want) && memcmp(part.s, rows[i].want, part.n) == 0);
    }
}

static void test_box(void **state)
{
    (void)state;
    static const example rows[] = {
        {"no box", NULL},
        {"\\boxed{5}", "5"},
        {"so $\\boxed{\\frac{1}{2}}$.", "\\frac{1}{2}"},
        {"\\boxed{1} or \\boxed{2}", "2"},
        {"\\boxed{1}, \\boxed{2}, \\boxed{}", "2"},       /* an empty box is no answer */
        {"\\boxed{}", NULL},
        {"\\boxed{7", "!"},
        {"\\boxed{5} and again \\boxed{7", "!"},          /* the last one counts, and it never closed */
        {"\\boxed{7 and \\boxed{8}", "8"},
        {"\\boxed{\\boxed{5}}", "5"},
        {"\\boxed{ \\boxed{\\boxed{5}} }", "5"},
        {"\\boxed{\\boxed{1}, \\boxed{2}}", "\\boxed{1}, \\boxed{2}"},
        {"\\boxed{x = \\boxed{5}}", "x = \\boxed{5}"},
        {"\\boxed{\\{1,2\\}}", "\\{1,2\\}"},
        {"\\boxed{\\left\\{1,2\\right\\}}", "\\left\\{1,2\\right\\}"},
        {"\\fbox{5}", "5"},
        {"\\framebox[2cm]{204}", "204"},
        {"\\framebox{204}", "204"},
        {"\\boxed 5", "5"},
        {"\\boxed5", "5"},
        {"$\\boxed 5$ apples", "5"},
        {"\\boxed 5 is it.", "5"},
        {"\\(\\boxed 42\\).", "42"},
        {"\\boxed {5}", "5"},
        {"\\boxed\n{5}", "5"},
        {"\\boxed{\\text{(B)}}", "\\text{(B)}"},
        {"\\\\boxed{5}", "5"},
        {"\boxed{5}", "5"},                                /* "\b" read by a JSON parser */
        {"\\boxedx{5}", NULL},
        {"}}} { \\boxed{5}", "5"},
        {"\\boxed{5}}}", "5"},
        {"{\\boxed{5}", "5"},
        {"\\boxed{\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}}", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"},
        {"\\boxed{\\\\}", "\\\\"},
        {"\\boxed", NULL},
        {"\\boxed{", "!"},
        {"\\boxed{a}{b}", "a"},
    };
    CHECK(r1i_find_box, rows);
}

static void test_hashes(void **state)
{
    (void)state;
    static const example rows[] = {
        {"2+2=4\n#### 4", "4"},
        {"#### 4\n#### 5", "5"},
        {"####4", "4"},
        {"#### $1,234", "$1,234"},
        {"#### 4\n", "4"},
        {"#### 4\nYes.", "4"},
        {"####", NULL},
        {"### 4", NULL},
        {"#### The total is 5 apples", "5"},
        {"#### Final Answer\n5", NULL},                    /* a heading: the phrase finds it */
        {"####\n#### 3", "3"},
    };
    CHECK(r1i_find_hashes, rows);
}

static void test_phrase(void **state)
{
    (void)state;
    static const example rows[] = {
        {"The answer is 5.", "5"},
        {"the answer is: $\\frac{1}{2}$.", "\\frac{1}{2}"},
        {"The final answer is $\\frac{1}{2}$. I hope it is correct.", "\\frac{1}{2}"},
        {"Final Answer: The final answer is $7$. I hope it is correct.", "7"},
        {"Answer: 3.5", "3.5"},
        {"**Answer:** 42", "42"},
        {"**Final Answer**\n\n$x=3$", "x=3"},
        {"## Final Answer\n\n42\n", "42"},
        {"# Answer\n\n\\frac{3}{4}", "\\frac{3}{4}"},
        {"### Answer:\n$$\n\\frac{3}{4}\n$$", "\\frac{3}{4}"},
        {"The answer is \\(5\\) apples.", "5"},
        {"The answer is **5**.", "5"},
        {"The answer is 5 apples because 2+3=5.", "5"},
        {"The answer is 2 + 3 = 5 apples.", "5"},
        {"The answer is that he has 5 apples", "5"},
        {"The answer to the question is therefore 12.", "12"},
        {"The answer is 3. But wait, the answer is 4.", "4"},
        {"The final answer is 3. This answer is a nice number.", "3"},
        {"The answer should be 1,234.", "1,234"},
        {"The answer is $1,234.", "$1,234"},
        {"The answer is $5 and not $6.", "$5 and not $6"},
        {"The answer is 5!", "5"},
        {"The answer is $5!$", "5!"},
        {"So the answer => 12", "12"},
        {"The answers are $1$ and $2$.", "$1$ and $2$"},
        {"The answer is (B) 27.", "(B) 27"},
        {"we must answer the question", NULL},
        {"\xE7\xAD\x94\xE6\xA1\x88\xE6\x98\xAF" "5\xE3\x80\x82", "5"},
        {"\xE5\x9B\xA0\xE6\xAD\xA4\xE7\xAD\x94\xE6\xA1\x88\xE4\xB8\xBA\xEF\xBC\x9A$\\frac12$\xE3\x80\x82", "\\frac12"},
        {"\xE6\x9C\x80\xE7\xBB\x88\xE7\xAD\x94\xE6\xA1\x88\xEF\xBC\x9A 12\n", "12"},
        {"\xE7\xAD\x94\xEF\xBC\x9A\xE5\xB0\x8F\xE6\x98\x8E\xE6\x9C\x89" "5\xE4\xB8\xAA\xE8\x8B\xB9\xE6\x9E\x9C\xE3\x80\x82", "5"},
        {"Die Antwort ist 18.", "18"},
        {"La r\xC3\xA9ponse est 18.", "18"},
        {"La respuesta es 18.", "18"},
        {"\xD0\x9E\xD1\x82\xD0\xB2\xD0\xB5\xD1\x82: 18", "18"},
        {"\xE7\xAD\x94\xE3\x81\x88\xE3\x81\xAF" "18\xE3\x81\xA7\xE3\x81\x99\xE3\x80\x82", "18"},
        {"Jibu ni 18.", "18"},
        {"Answer: 42\n\nWhy: there are 6 rows of 7 seats each, all of them are taken, so we multiply both numbers.", "42"},
        {"Answer: There are 6 rows.\nIn every row there are 7 seats, all of them are taken, so we multiply both and get 42.", "There are 6 rows"},
        {"answer", NULL},
        {"answer: ", NULL},
    };
    CHECK(r1i_find_phrase, rows);
}

static void test_last(void **state)
{
    (void)state;
    static const example rows[] = {
        {"So he has 5 apples.", "5"},
        {"Natalia sold 48+24 = 72 clips altogether.", "72"},
        {"She pays 3 * $4 = $12.", "$12"},
        {"So $x = \\frac{1}{2}$.", "\\frac{1}{2}"},
        {"Therefore x = \\frac{5}{2}", "\\frac{5}{2}"},
        {"Thus the area is\n\\[\n12\\pi\n\\]", "12\\pi"},
        {"first 3\n\nthen 4\n\nGood luck!", "4"},
        {"He has -3 points", "-3"},
        {"It is 3/4 of it", "3/4"},
        {"(72)", NULL}, /* bare: read as a whole before */
        {"It is (72).", "(72)"},
        {"There were 1,234,567 people", "1,234,567"},
        {"nothing here", NULL},
        {"There were 3.\nIt is either 3 or 4", "!"},
        {"It is either 3 or 4", "!"},
        {"$3 + 4$ is what we add, so the total is 7.", "7"},
    };
    CHECK(r1i_find_last, rows);
}

static void test_choice(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        char want, last;
    } rows[] = {
        {"B", 'B', 'D'}, {"(B)", 'B', 'D'}, {"B.", 'B', 'D'}, {"**B**", 'B', 'D'}, {"B. Paris", 'B', 'D'}, {"b", 0, 'D'},
        {"The answer is (B).", 'B', 'D'}, {"The answer is B", 'B', 'D'}, {"Answer: C", 'C', 'D'}, {"**Answer:** C", 'C', 'D'},
        {"**Answer: C**", 'C', 'D'}, {"The correct answer is **(D)**.", 'D', 'D'}, {"answer is: $\\boxed{B}$", 'B', 'D'},
        {"\\boxed{B}", 'B', 'D'}, {"\\boxed{\\text{(C)}}", 'C', 'D'}, {"\\boxed{\\textbf{(E)}\\ 27}", 'E', 'E'}, {"\\boxed{B", 0, 'D'},
        {"\\boxed{A} or \\boxed{B}", 'B', 'D'}, {"\\boxed{27}", 0, 'D'}, {"\\boxed{A, B}", 0, 'D'}, {"\\boxed{A\\text{: Paris}}", 'A', 'D'},
        {"The correct option is B", 'B', 'D'}, {"I choose option C.", 'C', 'D'}, {"A cat sat.", 0, 'D'}, {"A dog and B", 0, 'D'},
        {"The answer is a cat", 0, 'D'}, {"The answer is A cat", 0, 'D'}, {"The answer is A.", 'A', 'D'}, {"The answer is A\n", 'A', 'D'},
        {"The answer is A or B.", 0, 'D'}, {"The answer is (A) or (B).", 0, 'D'}, {"The answer is A and B", 0, 'D'},
        {"The answer is A. No, the answer is B.", 'B', 'D'}, {"The answer is Austria", 0, 'D'}, {"The answer is F", 0, 'D'}, {"The answer is F", 'F', 'J'},
        {"Plan B failed.", 0, 'D'}, {"Vitamin C is good", 0, 'D'}, {"(B) is correct.", 'B', 'D'}, {"B is the correct answer", 'B', 'D'},
        {"\xE7\xAD\x94\xE6\xA1\x88\xE6\x98\xAF" "B", 'B', 'D'}, {"\xE7\xAD\x94\xE6\xA1\x88\xE4\xB8\xBA\xEF\xBC\x9A" "C\xE3\x80\x82", 'C', 'D'},
        {"\xE6\x95\x85\xE9\x80\x89 D", 'D', 'D'}, {"\xE6\x95\x85\xE9\x80\x89\xEF\xBC\x9A" "A.", 'A', 'D'}, {"\xE5\xBA\x94\xE9\x80\x89 D.", 'D', 'D'},
        {"\xE6\x95\x85\xE9\x80\x89\xE9\xA1\xB9 B \xE6\xAD\xA3\xE7\xA1\xAE", 'B', 'D'}, {"\xE6\x95\x85\xE7\xAD\x94\xE6\xA1\x88\xE9\x80\x89" "B", 'B', 'D'},
        {"\xE3\x80\x90\xE7\xAD\x94\xE6\xA1\x88\xE3\x80\x91" "C", 'C', 'D'}, {"\xE7\xAD\x94\xE6\xA1\x88\xEF\xBC\x9A\xE3\x80\x90" "B\xE3\x80\x91", 'B', 'D'},
        {"Let me think.\nB", 'B', 'D'}, {"So we get:\n\n(C)", 'C', 'D'},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char letter = 0;
        const bool got = r1i_find_choice(span(rows[i].text), rows[i].last, &letter);
        if (got != (rows[i].want != 0) || (got && letter != rows[i].want))
            print_error("row %zu: %s: %c\n", i, rows[i].text, got ? letter : '-');
        assert_int_equal(got ? letter : 0, rows[i].want);
    }
}

/* A megabyte of what grows fastest, through every way, in well under the second that the whole program may take. */
static void test_hostile(void **state)
{
    (void)state;
    static const char *const units[] = {"{", "}", "\\boxed{", "\\boxed{1}", "\\boxed", "$", "$$", "\\[", "answer ",
                                        "answer is A or ", "answer: ",
                                        "#### ", "\n", "**", "(", "1,", "1 ", "=1", "\\", "or ", "\xE7\xAD\x94\xE6\xA1\x88", "\xFF", "</think>", "<answer>",
                                        "answer****", "A ", "#", "\\boxed{\\boxed{1} ", "final answer is ", "-1+"};
    enum { SIZE = 1 << 20 };
    char *const text = malloc(SIZE);
    assert_non_null(text);
    for (size_t k = 0; k <= sizeof units / sizeof *units; k++) {
        const bool nul = k == sizeof units / sizeof *units;
        const size_t n = nul ? 1 : strlen(units[k]);
        for (size_t i = 0; i < SIZE; i++) text[i] = nul ? 0 : units[k][i % n];
        const clock_t start = clock();
        r1i_slice part;
        r1i_candidates c;
        const char *why;
        char letter;
        if (r1i_answer_part((r1i_slice){text, SIZE}, false, &part, &why)) {
            r1i_find_box(part, &c);
            r1i_find_hashes(part, &c);
            r1i_find_phrase(part, &c);
            r1i_find_bare(part, &c);
            r1i_find_last(part, &c);
            r1i_find_choice(part, 'J', &letter);
        }
        const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (seconds > 0.5) print_error("unit %zu: %.2f s\n", k, seconds);
        assert_true(seconds < 5.0); /* quadratic work on a megabyte takes hours; sanitizers slow linear work down */
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_part),   cmocka_unit_test(test_box),  cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_phrase), cmocka_unit_test(test_last),   cmocka_unit_test(test_choice),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

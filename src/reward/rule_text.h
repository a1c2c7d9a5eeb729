/* What every rule asks of a model's text: characters, what stands in the think block and what after it, and where the
 * final answer is. Any bytes are allowed; an invalid byte counts as the character U+FFFD, and every function is one
 * pass. */
#ifndef R1I_RULE_TEXT_H
#define R1I_RULE_TEXT_H

#include "r1/reward.h"

typedef struct r1i_span {
    const char *p; /* borrowed; may hold any byte and ends nowhere but at p[n] */
    size_t n;
} r1i_span;

/* The character at s[0..n), n > 0, and its bytes; U+FFFD and 1 where the bytes are not UTF-8. */
uint32_t r1i_char_at(const char *s, size_t n, size_t *bytes);
/* White space in Unicode's sense. */
bool r1i_char_space(uint32_t c);
/* Leaves a mark on paper: not white space, control, format (zero width), U+FFFD. Letters, digits, punctuation and
 * symbols do. */
bool r1i_char_visible(uint32_t c);
bool r1i_char_letter(uint32_t c); /* L or M */
bool r1i_char_digit(uint32_t c);  /* N */
/* Han, kana (and their marks): scripts that are written without spaces, of which each character is counted as a
 * word. */
bool r1i_char_cjk(uint32_t c);

bool r1i_span_blank(r1i_span s); /* nothing visible */
bool r1i_span_equal(r1i_span a, r1i_span b);
bool r1i_span_is(r1i_span s, const char *text);
r1i_span r1i_span_trim(r1i_span s);
/* First place of text in s, from byte `from` on; s.n where there is none. */
size_t r1i_span_find(r1i_span s, size_t from, const char *text, size_t n);

/* A completion, divided. `answer` is what follows the last closing tag, up to where the model begins to think again;
 * what was never closed is no answer. Without any think block the whole is the answer. */
typedef struct r1i_parts {
    r1i_span thinking; /* empty where there is none */
    r1i_span answer;
    bool opened, closed;
} r1i_parts;
r1i_parts r1i_parts_of(const r1_sample *sample);

/* The final answer within the answer part: the one <answer> block, else the last closed \boxed{}, else nothing. */
typedef struct r1i_final {
    r1i_span text;
    bool found;
    int blocks;   /* <answer> tags of the whole completion's answer part */
    int boxes;    /* closed boxes */
    bool several; /* two blocks, or boxes that differ */
} r1i_final;
r1i_final r1i_final_of(r1i_span answer);

/* Words of a text: maximal runs of letters, marks, digits, "_", and of "'" between two of them; each CJK character is
 * one. */
typedef struct r1i_words {
    r1i_span text;
    size_t at;
} r1i_words;
bool r1i_words_next(r1i_words *w, r1i_span *word);

#endif

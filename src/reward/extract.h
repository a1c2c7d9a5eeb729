/* Finds the answer in what a model wrote: first the part after the thinking, then in it, by ways tried in a declared
 * order, the answer's text. What is found depends on the completion alone, never on the gold, so that equal answers
 * form classes. Every way is linear in the text's length, whatever the text is. */
#ifndef R1I_EXTRACT_H
#define R1I_EXTRACT_H

#include "base/json.h"
#include "base/regex.h"
#include "reward/slice.h"

/* The answer part: after the last </think>, inside the last <answer> block where there is one, without special tokens
 * at the end. false with *why (static words) where the thinking was never closed or nothing follows it. */
bool r1i_answer_part(r1i_slice completion, bool thinking_open, r1i_slice *part, const char **why);

typedef enum r1i_way {
    R1I_WAY_BOX,    /* content of the last \boxed{}, \fbox{} or \framebox{} */
    R1I_WAY_HASHES, /* after the last line that begins with #### */
    R1I_WAY_PATTERN,/* the task's own regular expressions */
    R1I_WAY_PHRASE, /* "the final answer is ...", "Answer: ...", the answer's heading, the same in other languages */
    R1I_WAY_BARE,   /* the whole text, where it is one short line */
    R1I_WAY_LAST,   /* the last formula or number */
    R1I_WAYS
} r1i_way;

enum { R1I_CANDIDATES = 6 };

/* Readings of the answer's text, best first: a grader takes the first that means something to it. Spans into the
 * part. */
typedef struct r1i_candidates {
    r1i_slice item[R1I_CANDIDATES];
    int n;
    bool refused;    /* this way found an answer that must not count (box never closed, several answers offered): look
                      * no further */
    bool hedged;     /* a sentence offers several answers: only its whole was taken, if that */
    bool opening;    /* a phrase that opens the text, with more behind it: it announces the solution rather than its
                      * result */
    const char *why; /* static words: what was found or why not */
} r1i_candidates;

/* ---- the ways; each returns whether it found something (n > 0) or refused ---------------------------------------- */
bool r1i_find_box(r1i_slice part, r1i_candidates *out);
bool r1i_find_hashes(r1i_slice part, r1i_candidates *out);
bool r1i_find_phrase(r1i_slice part, r1i_candidates *out);
bool r1i_find_bare(r1i_slice part, r1i_candidates *out);
bool r1i_find_last(r1i_slice part, r1i_candidates *out);
/* What the task's own pattern matches last: its group 1, or all of the match. Pattern compiled for any bytes. */
bool r1i_find_pattern(r1i_slice part, const r1i_regex *pattern, r1i_match *match, r1i_candidates *out);

/* The letter of a multiple choice: last: the letter of the last choice there is ('D' where there are four). *letter is
 * upper case. false where no anchored phrase names one. */
bool r1i_find_choice(r1i_slice part, char last, char *letter);
/* text is nothing but one letter, or begins with a labelled one: "B", "(B)", "\text{(B)}", "B. 27", "B: text". *rest:
 * what follows the label (nullable). */
bool r1i_choice_label(r1i_slice text, char last, char *letter, r1i_slice *rest);

/* Readings of a sentence that announces the answer: itself, then what is inside it. */
void r1i_read_sentence(r1i_slice sentence, r1i_candidates *out);
/* What is set bold; the first or the last formula or number; what is right of its last '='. announced: the sentence
 * says that it holds the answer, so that "not 5" and "at least 5" are none. */
void r1i_read_inside(r1i_slice sentence, bool first, bool announced, r1i_candidates *out);
void r1i_candidate(r1i_candidates *out, r1i_slice text);

/* ---- the ways in their order ------------------------------------------------------------------------------------- */

/* Which ways a task tries, and its patterns. Mutable (match memory), one thread at a time. */
typedef struct r1i_extractor {
    r1i_way way[R1I_WAYS];
    int n_ways;
    r1i_regex **pattern;
    size_t n_patterns;
    r1i_match match;
} r1i_extractor;

/* The options "extract" (names of ways, in order) and "patterns" (regular expressions, tried first) of a grader;
 * options may be NULL. R1_ERR_USAGE. After a failure the extractor is empty. */
r1_status r1i_extractor_open(r1i_extractor *e, const json_t *options, r1_error *err);
void r1i_extractor_close(r1i_extractor *e);
/* The i-th way on an answer part; false where it finds nothing. */
bool r1i_extractor_try(r1i_extractor *e, int i, r1i_slice part, r1i_candidates *out);

#endif

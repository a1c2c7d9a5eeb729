/* The pre-tokeniser: a list of steps, each of which cuts every piece of the step before as if it were a whole text.
 * Pieces come out through a callback, in order, as views into the text. */
#ifndef R1I_TOK_SPLIT_H
#define R1I_TOK_SPLIT_H

#include "tokenizer/tok_pattern.h"
#include "tokenizer/tok_scan.h"

typedef enum r1i_behavior {
    R1I_SPLIT_ISOLATED,      /* matches and the gaps between them are pieces */
    R1I_SPLIT_REMOVED,       /* gaps only */
    R1I_SPLIT_MERGED_BEFORE, /* a match joins the gap before it ("MergedWithPrevious") */
    R1I_SPLIT_MERGED_AFTER,
    R1I_SPLIT_CONTIGUOUS     /* neighbouring matches join */
} r1i_behavior;

typedef struct r1i_split_step {
    r1i_scan_fn scan;        /* or NULL: pattern */
    r1i_pattern *pattern;    /* owned; both NULL: prefix a space where the piece does not begin with one */
    r1i_behavior behavior;
    bool invert;             /* the gaps count as matches and the other way round */
    int deepseek3;           /* 1 to 3: it is that step of DeepSeek-V3 */
} r1i_split_step;

#define R1I_SPLIT_STEPS 16
typedef struct r1i_splitter {
    r1i_split_step step[R1I_SPLIT_STEPS];
    int n;
} r1i_splitter;

void r1i_splitter_free(r1i_splitter *s);

/* Append a step. A pattern known by its exact text (Qwen2, Llama 3, GPT-2, \p{N}) becomes a scanner; with `generic`
 * every pattern stays a regular expression (for the test that compares the two). */
r1_status r1i_splitter_add_pattern(r1i_splitter *s, const char *text, size_t n, r1i_behavior behavior, bool invert,
                                   bool generic, r1_error *err);
r1_status r1i_splitter_add_prefix_space(r1i_splitter *s, r1_error *err);
/* After the last step: DeepSeek-V3's three patterns in a row become its scanner. */
void r1i_splitter_fuse(r1i_splitter *s);

/* The exact texts, NUL-terminated. */
extern const char *const r1i_pattern_deepseek3[3];
extern const char r1i_pattern_qwen2[], r1i_pattern_llama3[], r1i_pattern_gpt2[], r1i_pattern_digit[];

typedef struct r1i_split_run {
    const r1i_splitter *splitter;
    const r1i_classes *classes;
    r1i_match match;                                     /* r1i_match_free at the end */
    r1_status (*piece)(void *user, const uint8_t *p, size_t n, r1_error *err); /* n > 0 */
    uint8_t *(*room)(void *user, size_t n);              /* memory that lives as long as the run; NULL: none */
    void *user;
} r1i_split_run;

r1_status r1i_split(r1i_split_run *r, const uint8_t *p, size_t n, r1_error *err);

#endif

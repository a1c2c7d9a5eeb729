/* IFEval (Zhou et al. 2023, "Instruction-Following Evaluation for Large Language Models"): 25 kinds of instruction that
 * a program can check, each a function of the response and its arguments. docs/grading.md, "Rules", says how each
 * ambiguity was decided. */
#ifndef R1I_IFEVAL_H
#define R1I_IFEVAL_H

#include "base/json.h"
#include "reward/lang_id.h"

/* A response made ready once for all its checks: valid UTF-8 without NUL (each bad byte is U+FFFD), and the same in
 * lower case. */
typedef struct r1i_response {
    r1i_span text, lower;
} r1i_response;

r1_status r1i_response_make(r1i_response *r, r1i_span text, r1_error *err);
void r1i_response_free(r1i_response *r); /* takes a zeroed one */

/* Whether the response follows the instruction. args: the row's kwargs, already checked. */
typedef struct r1i_instruction {
    const char *id; /* "punctuation:no_comma" */
    const char *args[3]; /* names of its arguments; a leading '#' wants a whole number, '@' a list of text, '~' a
                          * relation, else text */
    bool (*followed)(const r1i_response *r, const json_t *args, r1i_lang_id *lang);
} r1i_instruction;

/* NULL after the last. */
const r1i_instruction *r1i_instruction_at(size_t i);
/* In the two files of checks. */
extern const r1i_instruction r1i_ifeval_words[], r1i_ifeval_shape[];
extern const size_t r1i_ifeval_n_words, r1i_ifeval_n_shape;

enum { R1I_IFEVAL_MAX = 64 }; /* instructions of one prompt; the data has at most 3 */
typedef struct r1i_ifeval_result {
    size_t n;
    bool strict[R1I_IFEVAL_MAX], loose[R1I_IFEVAL_MAX];
    const char *id[R1I_IFEVAL_MAX]; /* static */
} r1i_ifeval_result;

/* Checks every instruction of the gold {"instruction_id_list": [..], "kwargs": [..]} on a response, both ways: what a
 * report needs to count prompts and instructions. lang: from r1i_ifeval_languages. R1_ERR_FORMAT: an unusable gold. */
r1_status r1i_ifeval_check(const char *gold, size_t bytes, r1i_span response, r1i_lang_id *lang, r1i_ifeval_result *out,
                           r1_error *err);
r1_status r1i_ifeval_languages(const r1_env *env, r1i_lang_id **out, r1_error *err);

/* ---- what the checks share --------------------------------------------------------------------------------------- */
static inline int64_t r1i_arg_int(const json_t *args, const char *name)
{
    return json_integer_value(json_object_get(args, name));
}
static inline r1i_span r1i_arg_text(const json_t *args, const char *name)
{
    const json_t *const v = json_object_get(args, name);
    return (r1i_span){json_string_value(v), json_string_length(v)};
}
/* "at least" or "less than" */
bool r1i_relation(const json_t *args, const char *name, int64_t count, int64_t bound);
/* Lower case of s into a new buffer (free); false: no memory. */
bool r1i_lower(r1i_span s, r1i_span *out);
size_t r1i_count(r1i_span s, r1i_span what); /* places, none overlapping */

#endif

/* Which language a text is in: by its script, and where several of the allowed languages share a script by their
 * commonest words and, from some 60 letters on, by letter n-grams (libexttextcat, an optional feature; without it the
 * words alone decide). Only the languages that a run allows are candidates: fewer candidates, fewer mistakes. */
#ifndef R1I_LANG_ID_H
#define R1I_LANG_ID_H

#include "base/env.h"
#include "reward/rule_text.h"

typedef enum r1i_script {
    R1I_SCRIPT_NONE, /* digits, punctuation, marks */
    R1I_SCRIPT_LATIN, R1I_SCRIPT_CYRILLIC, R1I_SCRIPT_GREEK, R1I_SCRIPT_ARABIC, R1I_SCRIPT_HEBREW,
        R1I_SCRIPT_DEVANAGARI, R1I_SCRIPT_BENGALI, R1I_SCRIPT_GURMUKHI, R1I_SCRIPT_GUJARATI, R1I_SCRIPT_TAMIL,
        R1I_SCRIPT_TELUGU, R1I_SCRIPT_KANNADA,
    R1I_SCRIPT_MALAYALAM, R1I_SCRIPT_THAI, R1I_SCRIPT_HANGUL, R1I_SCRIPT_HAN, R1I_SCRIPT_KANA, R1I_SCRIPT_OTHER,
    R1I_N_SCRIPTS
} r1i_script;

r1i_script r1i_script_of(uint32_t c);

typedef struct r1i_language {
    const char *tag, *name; /* BCP 47 ("zh"), English */
    r1i_script script;
    const char *words;      /* commonest short words, between blanks; NULL where the script says all */
} r1i_language;

/* By tag ("en", "zh-Hans" counts as "zh"); NULL: none of the table. */
const r1i_language *r1i_language_find(const char *tag);
const r1i_language *r1i_language_at(size_t i); /* NULL after the last */

/* The script in which words of the language may be written: kana or Han for Japanese. */
static inline bool r1i_language_writes(const r1i_language *l, r1i_script s)
{
    return s == l->script || (l->script == R1I_SCRIPT_KANA && s == R1I_SCRIPT_HAN);
}

enum { R1I_LANG_MAX = 64, R1I_LANG_LETTERS = 60 };

typedef struct r1i_lang_id r1i_lang_id; /* mutable: one thread at a time */
/* candidates[n], n <= R1I_LANG_MAX, copied. fingerprints: folder of the n-gram files, NULL for where the package puts
 * them; a missing folder leaves the words alone and says so in the log. */
r1_status r1i_lang_id_create(const r1i_language *const *candidates, size_t n, const char *fingerprints,
                             const r1_env *env, r1i_lang_id **out, r1_error *err);
void r1i_lang_id_destroy(r1i_lang_id *id); /* takes NULL */
bool r1i_lang_id_ngrams(const r1i_lang_id *id);
/* The language of the text's prevailing script that fits best; NULL where nothing speaks for one of several, or there
 * are no letters. *script (nullable): the prevailing script. Any bytes; reads at most the first 64 KiB. */
const r1i_language *r1i_lang_id_of(r1i_lang_id *id, r1i_span text, r1i_script *script);

/* ---- the feature ------------------------------------------------------------------------------------------------- */
typedef struct r1i_ngrams r1i_ngrams;
/* NULL when the feature or the files are missing. */
r1i_ngrams *r1i_ngrams_create(const char *folder, const r1i_language *const *candidates, size_t n);
void r1i_ngrams_destroy(r1i_ngrams *g); /* takes NULL */
/* Index of the best candidate, -1 when it cannot say. text: valid UTF-8, letters and single blanks only. */
int r1i_ngrams_best(r1i_ngrams *g, const char *text, size_t n);

#endif

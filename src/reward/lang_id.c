#include "reward/lang_id.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/tok_unicode.h"

enum { READ_BYTES = 65536, BUFFER = READ_BYTES + 64 };

struct r1i_lang_id {
    size_t n;
    const r1i_language *candidate[R1I_LANG_MAX];
    r1i_ngrams *ngrams[R1I_N_SCRIPTS]; /* where a script has several candidates */
    const r1i_language *of_ngrams[R1I_N_SCRIPTS][R1I_LANG_MAX];
    bool with_ngrams;
    char text[BUFFER]; /* letters of the prevailing script, lower case, words between single blanks */
};

static void make_ngrams(r1i_lang_id *id, const char *fingerprints, const r1_env *env)
{
    for (int s = 0; s < R1I_N_SCRIPTS; s++) {
        size_t n = 0;
        for (size_t i = 0; i < id->n; i++)
            if (id->candidate[i]->script == (r1i_script)s) id->of_ngrams[s][n++] = id->candidate[i];
        if (n < 2) continue;
        id->ngrams[s] = r1i_ngrams_create(fingerprints, id->of_ngrams[s], n);
        if (id->ngrams[s]) id->with_ngrams = true;
        else r1i_log(env, R1_LOG_WARN,
                     "languages of one script are told apart by common words only: no n-gram files or no libexttextcat");
    }
}

r1_status r1i_lang_id_create(const r1i_language *const *candidates, size_t n, const char *fingerprints,
                             const r1_env *env, r1i_lang_id **out, r1_error *err)
{
    *out = NULL;
    if (n == 0 || n > R1I_LANG_MAX) return r1i_fail(err, R1_ERR_USAGE, "%zu languages, of at most %d", n, R1I_LANG_MAX);
    r1i_lang_id *const id = calloc(1, sizeof *id);
    if (!id) return r1i_fail(err, R1_ERR_NOMEM, "language identifier");
    id->n = n;
    memcpy(id->candidate, candidates, n * sizeof *candidates);
    make_ngrams(id, fingerprints, env);
    *out = id;
    return R1_OK;
}

void r1i_lang_id_destroy(r1i_lang_id *id)
{
    if (!id) return;
    for (int s = 0; s < R1I_N_SCRIPTS; s++) r1i_ngrams_destroy(id->ngrams[s]);
    free(id);
}

bool r1i_lang_id_ngrams(const r1i_lang_id *id) { return id->with_ngrams; }

/* Letters of each script; Han and kana together are one text, Japanese where a tenth of it is kana. */
static r1i_script prevailing(r1i_span text)
{
    size_t letters[R1I_N_SCRIPTS] = {0};
    for (size_t i = 0, step; i < text.n; i += step)
        letters[r1i_script_of(r1i_char_at(text.p + i, text.n - i, &step))]++;
    const size_t han = letters[R1I_SCRIPT_HAN], kana = letters[R1I_SCRIPT_KANA];
    const bool japanese = kana * 10 >= han + kana && kana > 0;
    letters[R1I_SCRIPT_HAN] = japanese ? 0 : 2 * (han + kana); /* a character carries what two Latin letters or more
                                                                * carry */
    letters[R1I_SCRIPT_KANA] = japanese ? 2 * (han + kana) : 0;
    r1i_script best = R1I_SCRIPT_NONE;
    for (int s = R1I_SCRIPT_NONE + 1; s < R1I_N_SCRIPTS; s++)
        if (letters[s] > (best == R1I_SCRIPT_NONE ? 0 : letters[best])) best = (r1i_script)s;
    return best;
}

/* Fills id->text with the words of a script; returns its bytes, *letters how many characters. Begins and ends with a
 * blank. */
static size_t collect(r1i_lang_id *id, r1i_span text, r1i_script script, size_t *letters)
{
    size_t used = 0;
    id->text[used++] = ' ';
    *letters = 0;
    for (size_t i = 0, step; i < text.n && used < BUFFER - 8; i += step) {
        const uint32_t c = r1i_char_at(text.p + i, text.n - i, &step);
        const bool mark = r1i_script_of(c) == script;
        if (!mark) {
            if (id->text[used - 1] != ' ') id->text[used++] = ' ';
            continue;
        }
        used += (size_t)utf8proc_encode_char(utf8proc_tolower((utf8proc_int32_t)c),
                                             (utf8proc_uint8_t *)id->text + used);
        ++*letters;
    }
    if (id->text[used - 1] != ' ') id->text[used++] = ' ';
    return used;
}

/* How many words of the text are among those of each candidate; the best, if it is alone and leads by a third. */
static const r1i_language *by_words(const r1i_lang_id *id, r1i_script script, size_t n, size_t least)
{
    size_t best = 0, second = 0;
    const r1i_language *found = NULL;
    for (size_t i = 0; i < id->n; i++) {
        const r1i_language *const l = id->candidate[i];
        size_t hits = 0;
        if (l->script != script || !l->words) continue;
        const r1i_span list = {l->words, strlen(l->words)};
        for (size_t at = 0; at + 1 < n;) { /* id->text[at] is a blank */
            const char *const end = memchr(id->text + at + 1, ' ', n - at - 1);
            const size_t stop = (size_t)(end - id->text);
            hits += stop - at < 24 && r1i_span_find(list, 0, id->text + at, stop - at + 1) < list.n;
            at = stop;
        }
        if (hits > best) second = best, best = hits, found = l;
        else if (hits > second) second = hits;
    }
    return best >= least && best * 3 >= second * 4 && best > second ? found : NULL;
}

const r1i_language *r1i_lang_id_of(r1i_lang_id *id, r1i_span text, r1i_script *script)
{
    if (text.n > READ_BYTES) text.n = READ_BYTES;
    const r1i_script s = prevailing(text);
    const r1i_language *only = NULL;
    size_t sharing = 0, letters;
    if (script) *script = s;
    for (size_t i = 0; i < id->n; i++)
        if (id->candidate[i]->script == s) only = id->candidate[i], sharing++;
    if (sharing < 2) return only;
    const size_t n = collect(id, text, s, &letters);
    if (letters >= R1I_LANG_LETTERS && id->ngrams[s]) {
        const int best = r1i_ngrams_best(id->ngrams[s], id->text, n);
        if (best >= 0) return id->of_ngrams[s][best];
    }
    return by_words(id, s, n, letters >= R1I_LANG_LETTERS ? 2 : 1);
}

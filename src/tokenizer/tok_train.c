/* The counting half: texts to distinct pieces. */
#include "tokenizer/tok_train.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/tok_bpe.h"

enum { FIRST_SLOTS = 1 << 12 };

/* The byte alphabet shows a byte as a character: '!' to '~', U+A1 to U+AC and U+AE to U+FF stand for themselves, the
 * other 68 follow from U+0100 in order. Ids follow the characters. */
static bool is_plain(unsigned b) { return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE; }

unsigned r1i_alphabet_index(uint8_t byte)
{
    const bool plain = is_plain(byte);
    unsigned k = plain ? 0 : 188;
    for (unsigned b = 0; b < byte; b++) k += is_plain(b) == plain;
    return k;
}

uint8_t r1i_alphabet_byte(unsigned k)
{
    unsigned b = 0;
    while (r1i_alphabet_index((uint8_t)b) != k) b++;
    return (uint8_t)b;
}

static r1_status grow_words(r1i_tok_trainer *t, r1_error *err)
{
    if (t->words == t->cap_words) {
        const size_t cap = t->cap_words ? 2 * t->cap_words : FIRST_SLOTS / 2;
        r1i_train_word *const w = cap < UINT32_MAX ? realloc(t->word, cap * sizeof *w) : NULL;
        if (!w) return r1i_fail(err, R1_ERR_NOMEM, "%zu distinct pieces", t->words);
        t->word = w;
        t->cap_words = cap;
    }
    if (2 * (t->words + 1) <= t->slots) return R1_OK;
    const size_t slots = t->slots ? 2 * t->slots : FIRST_SLOTS;
    uint32_t *const slot = calloc(slots, sizeof *slot);
    if (!slot) return r1i_fail(err, R1_ERR_NOMEM, "%zu distinct pieces", t->words);
    for (size_t w = 0; w < t->words; w++) {
        size_t i = t->word[w].hash & (slots - 1);
        while (slot[i]) i = (i + 1) & (slots - 1);
        slot[i] = (uint32_t)w + 1;
    }
    free(t->slot);
    t->slot = slot;
    t->slots = slots;
    return R1_OK;
}

static r1_status keep_bytes(r1i_tok_trainer *t, const uint8_t *p, size_t n, r1_error *err)
{
    if (n > t->cap_bytes - t->n_bytes) {
        const size_t cap = 2 * (t->cap_bytes + n);
        uint8_t *const b = realloc(t->bytes, cap);
        if (!b) return r1i_fail(err, R1_ERR_NOMEM, "distinct pieces of %zu bytes", cap);
        t->bytes = b;
        t->cap_bytes = cap;
    }
    memcpy(t->bytes + t->n_bytes, p, n);
    t->n_bytes += n;
    return R1_OK;
}

static r1_status count_piece(void *user, const uint8_t *p, size_t n, r1_error *err)
{
    r1i_tok_trainer *const t = user;
    if (n > UINT32_MAX / 2) return r1i_fail(err, R1_ERR_RANGE, "a piece of %zu bytes", n);
    r1_status st = grow_words(t, err);
    if (st != R1_OK) return st;
    t->pieces++;
    const uint32_t hash = (uint32_t)(r1i_hash_bytes(p, n) >> 32);
    size_t i = hash & (t->slots - 1);
    for (; t->slot[i]; i = (i + 1) & (t->slots - 1)) {
        r1i_train_word *const w = &t->word[t->slot[i] - 1];
        if (w->hash != hash || w->n != n || memcmp(t->bytes + w->at, p, n) != 0) continue;
        w->count++;
        return R1_OK;
    }
    const size_t at = t->n_bytes;
    if ((st = keep_bytes(t, p, n, err)) != R1_OK) return st;
    t->word[t->words++] = (r1i_train_word){at, (uint32_t)n, hash, 1};
    t->slot[i] = (uint32_t)t->words;
    return R1_OK;
}

r1_status r1i_tok_trainer_add(r1i_tok_trainer *t, const char *text, size_t n, r1_error *err)
{
    const uint8_t *const p = (const uint8_t *)text;
    size_t done = 0;
    r1i_added_match m;
    r1_status st = R1_OK;
    while (st == R1_OK && done < n && t->added.nodes &&
           r1i_added_find(&t->added, &t->classes, p, n, done, done, n, &m)) {
        if (m.begin > done) st = r1i_split(&t->split, p + done, m.begin - done, err);
        done = m.end;
    }
    return st == R1_OK && done < n ? r1i_split(&t->split, p + done, n - done, err) : st;
}

static r1_status make_specials(r1i_tok_trainer *t, r1_error *err)
{
    r1i_added_token *const list = calloc(t->specials + 1, sizeof *list);
    if (!list) return r1i_fail(err, R1_ERR_NOMEM, "%zu special tokens", t->specials);
    r1_status st = R1_OK;
    for (size_t i = 0; i < t->specials && st == R1_OK; i++) {
        const size_t n = strlen(t->special[i]);
        if (n < 2 || n > R1I_ADDED_MAX_BYTES)
            st = r1i_fail(err, R1_ERR_USAGE, "special token '%.64s': 2 to %u bytes expected", t->special[i],
                          R1I_ADDED_MAX_BYTES);
        for (size_t k = 0; k < i && st == R1_OK; k++)
            if (strcmp(t->special[k], t->special[i]) == 0)
                st = r1i_fail(err, R1_ERR_USAGE, "special token '%.64s' is there twice", t->special[i]);
        list[i] = (r1i_added_token){.text = (const uint8_t *)t->special[i], .size = (uint32_t)n, .id = (int32_t)i};
    }
    if (st == R1_OK) st = r1i_added_make(&t->added, list, t->specials, false, err);
    free(list);
    return st;
}

r1_status r1i_tok_trainer_open(r1i_tok_trainer *t, const char *const *special, size_t n, size_t digits, r1_error *err)
{
    static const char *const runs[] = {"\\p{N}", "\\p{N}{1,2}", "\\p{N}{1,3}"};
    *t = (r1i_tok_trainer){.special = special, .specials = n, .digits = digits, .size = n + 256};
    if (digits < 1 || digits > 3)
        return r1i_fail(err, R1_ERR_USAGE, "digits in a piece: 1 to 3 expected, not %zu", digits);
    r1_status st = r1i_classes_make(&t->classes, false, err);
    if (st == R1_OK) st = make_specials(t, err);
    for (int k = 0; k < 3 && st == R1_OK; k++) {
        const char *const pattern = k == 0 ? runs[digits - 1] : r1i_pattern_deepseek3[k];
        st = r1i_splitter_add_pattern(&t->splitter, pattern, strlen(pattern), R1I_SPLIT_ISOLATED, false, false, err);
    }
    if (st == R1_OK) r1i_splitter_fuse(&t->splitter);
    t->split = (r1i_split_run){.splitter = &t->splitter, .classes = &t->classes, .piece = count_piece, .user = t};
    if (st != R1_OK) r1i_tok_trainer_close(t);
    return st;
}

void r1i_tok_trainer_close(r1i_tok_trainer *t)
{
    r1i_match_free(&t->split.match);
    r1i_splitter_free(&t->splitter);
    r1i_added_free(&t->added);
    r1i_classes_free(&t->classes);
    free(t->bytes), free(t->word), free(t->slot), free(t->merge);
    *t = (r1i_tok_trainer){0};
}

/* Word n-grams that a training text shares with a task's prompts. The prompts' n-grams go into a hash table once; the
 * training data streams past it with a rolling hash, so that the work is linear in the bytes read and the memory is
 * that of the prompts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "data/jsonl.h"
#include "data/words.h"
#include "eval/items.h"
#include "r1/eval.h"

/* Where an n-gram of the prompts stands; n-grams of equal hash are compared word by word, so that a collision is no
 * overlap. */
typedef struct entry {
    uint64_t hash;
    uint32_t prompt, word;     /* word: index of its first word in the prompt's list; prompt + 1, 0 means free */
} entry;

typedef struct question {
    const char *task;
    const r1i_item *item;
    r1i_words words;
    bool touched;
} question;

typedef struct state {
    size_t n;                  /* words of a gram */
    question *question;
    size_t n_questions;
    entry *table;              /* [mask + 1] open addressing; one entry per distinct place */
    size_t mask, used;
    int64_t *count;            /* [n_questions] of the present row */
    uint32_t *first;           /* [n_questions] word index of the first shared gram */
    size_t *hit;               /* [n_hits] questions with count > 0 */
    size_t n_hits;
} state;

static bool same_words(const r1i_words *a, size_t i, const r1i_words *b, size_t j, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        const size_t la = r1i_word_length(a, i + k), lb = r1i_word_length(b, j + k);
        if (la != lb || memcmp(a->bytes + a->begin[i + k], b->bytes + b->begin[j + k], la) != 0) return false;
    }
    return true;
}

/* ---- the prompts' table ------------------------------------------------------------------------------------------ */

static void insert(state *s, uint64_t hash, size_t prompt, size_t word)
{
    size_t at = (size_t)(hash & s->mask);
    for (; s->table[at].prompt; at = (at + 1) & s->mask) {
        const entry *const e = &s->table[at];
        /* the gram occurs twice in one prompt: once is enough */
        if (e->hash == hash && e->prompt == prompt + 1) return;
    }
    s->table[at] = (entry){.hash = hash, .prompt = (uint32_t)prompt + 1, .word = (uint32_t)word};
    s->used++;
}

static r1_status build_table(state *s, r1_error *err)
{
    size_t grams = 0, size = 1024;
    for (size_t i = 0; i < s->n_questions; i++)
        grams += s->question[i].words.n >= s->n ? s->question[i].words.n - s->n + 1 : 0;
    while (size < 2 * grams) size *= 2;
    s->mask = size - 1;
    s->table = calloc(size, sizeof *s->table);
    s->count = calloc(s->n_questions, sizeof *s->count);
    s->first = calloc(s->n_questions, sizeof *s->first);
    s->hit = calloc(s->n_questions, sizeof *s->hit);
    if (!s->table || !s->count || !s->first || !s->hit) return r1i_fail(err, R1_ERR_NOMEM, "%zu n-grams", grams);
    for (size_t i = 0; i < s->n_questions; i++) {
        const r1i_words *const w = &s->question[i].words;
        r1i_gram g = r1i_gram_init(s->n);
        for (size_t j = 0; j < w->n; j++)
            if (r1i_gram_push(&g, w, j)) insert(s, g.hash, i, j + 1 - s->n);
    }
    return R1_OK;
}

/* ---- the training data ------------------------------------------------------------------------------------------- */

static void look_up(state *s, const r1i_words *w, size_t word, uint64_t hash)
{
    for (size_t at = (size_t)(hash & s->mask); s->table[at].prompt; at = (at + 1) & s->mask) {
        const entry *const e = &s->table[at];
        const size_t q = e->prompt - 1;
        if (e->hash != hash || !same_words(&s->question[q].words, e->word, w, word, s->n)) continue;
        if (s->count[q]++ == 0) {
            s->first[q] = e->word;
            s->hit[s->n_hits++] = q;
        }
    }
}

static r1_status scan_text(state *s, const char *text, size_t bytes, r1_error *err)
{
    r1i_words w;
    const r1_status st = r1i_words_make(text, bytes, &w, err);
    if (st != R1_OK) return st;
    r1i_gram g = r1i_gram_init(s->n);
    for (size_t j = 0; j < w.n; j++)
        if (r1i_gram_push(&g, &w, j)) look_up(s, &w, j + 1 - s->n, g.hash);
    r1i_words_free(&w);
    return R1_OK;
}

static r1_status scan_value(state *s, const json_t *v, r1_error *err)
{
    const char *key;
    json_t *child;
    r1_status st = R1_OK;
    if (json_is_string(v)) return scan_text(s, json_string_value(v), json_string_length(v), err);
    json_object_foreach((json_t *)(uintptr_t)v, key, child) if (st == R1_OK) st = scan_value(s, child, err);
    for (size_t i = 0; st == R1_OK && i < json_array_size(v); i++) st = scan_value(s, json_array_get(v, i), err);
    return st;
}

static int by_number(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static void tell(state *s, const char *file, int64_t line, void (*on_overlap)(void *, const r1_overlap *), void *user)
{
    qsort(s->hit, s->n_hits, sizeof *s->hit, by_number);
    for (size_t i = 0; i < s->n_hits; i++) {
        question *const q = &s->question[s->hit[i]];
        char gram[600];
        r1i_words_join(&q->words, s->first[s->hit[i]], s->n, gram, sizeof gram);
        q->touched = true;
        if (on_overlap)
            on_overlap(user, &(r1_overlap){.task = q->task, .row_id = q->item->id, .train_file = file,
                                           .train_line = line, .ngram = gram, .count = s->count[s->hit[i]]});
        s->count[s->hit[i]] = 0;
    }
    s->n_hits = 0;
}

static r1_status scan_file(state *s, const char *path, void (*on_overlap)(void *, const r1_overlap *), void *user,
                           r1_error *err)
{
    r1i_jsonl *in = NULL;
    char *found;
    r1_status st = r1i_jsonl_find(path, &found, err);
    if (st == R1_OK) st = r1i_jsonl_open(found, &in, err);
    while (st == R1_OK) {
        json_t *row;
        int64_t line;
        if ((st = r1i_jsonl_next(in, &row, &line, err)) != R1_OK || !row) break;
        st = scan_value(s, row, err);
        json_decref(row);
        tell(s, path, line, on_overlap, user);
    }
    r1i_jsonl_close(in);
    free(found);
    return st;
}

/* ---- from outside ------------------------------------------------------------------------------------------------ */

static r1_status add_questions(state *s, const r1i_task *t, const r1i_items *items, r1_error *err)
{
    question *const grown = realloc(s->question, (s->n_questions + items->n) * sizeof *grown);
    if (!grown) return r1i_fail(err, R1_ERR_NOMEM, "%zu questions", items->n);
    s->question = grown;
    for (size_t i = 0; i < items->n; i++) {
        question *const q = &s->question[s->n_questions];
        *q = (question){.task = t->name, .item = &items->item[i]};
        const r1_status st = r1i_words_make(q->item->question, q->item->question_bytes, &q->words, err);
        if (st != R1_OK) return st;
        s->n_questions++;
    }
    return R1_OK;
}

/* The task's own words stand in every prompt; only what the row brought counts. */
static r1_status bare_items(r1i_task *t, const char *data, r1i_items *items, r1_error *err)
{
    static const char question_only[] = "{{ question if question is defined else prompt }}";
    r1_template *bare;
    r1_status st = r1_template_compile(question_only, sizeof question_only - 1, &bare, err);
    if (st != R1_OK) return st;
    r1_template *const kept = t->prompt;
    t->prompt = bare;
    st = r1i_items_load(t, data, 0, items, err);
    t->prompt = kept;
    r1_template_destroy(bare);
    return st;
}

r1_status r1_eval_decontaminate(const char *const *tasks, size_t n_tasks, const char *task_dir, const char *data,
                                const char *const *train, size_t n_train, int32_t n,
                                void (*on_overlap)(void *user, const r1_overlap *overlap), void *user,
                                uint64_t *prompts, uint64_t *touched, r1_error *err)
{
    state s = {.n = n <= 0 ? 10 : n > R1I_GRAM_MAX ? R1I_GRAM_MAX : (size_t)n};
    r1i_task **const task = calloc(n_tasks, sizeof *task);
    r1i_items *const items = calloc(n_tasks, sizeof *items);
    r1_status st = task && items ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "%zu tasks", n_tasks);
    for (size_t i = 0; st == R1_OK && i < n_tasks; i++)
        if ((st = r1i_task_find(tasks[i], task_dir, &task[i], err)) == R1_OK &&
            (st = bare_items(task[i], data, &items[i], err)) == R1_OK)
            st = add_questions(&s, task[i], &items[i], err);
    if (st == R1_OK) st = build_table(&s, err);
    for (size_t i = 0; st == R1_OK && i < n_train; i++) st = scan_file(&s, train[i], on_overlap, user, err);
    uint64_t hits = 0;
    for (size_t i = 0; i < s.n_questions; i++) {
        hits += s.question[i].touched;
        r1i_words_free(&s.question[i].words);
    }
    if (prompts) *prompts = s.n_questions;
    if (touched) *touched = hits;
    for (size_t i = 0; task && items && i < n_tasks; i++) {
        r1i_items_free(&items[i]);
        r1i_task_free(task[i]);
    }
    free(task);
    free(items);
    free(s.question);
    free(s.table);
    free(s.count);
    free(s.first);
    free(s.hit);
    return st;
}

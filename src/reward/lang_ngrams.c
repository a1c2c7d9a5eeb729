/* libexttextcat, and only here: rank order statistics of letter n-grams (Cavnar and Trenkle). One handle a thread,
 * because the result lives in it. The library wants a list of files in a file: an unnamed one, given by its
 * descriptor's path. */
#include "reward/lang_id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if R1_WITH_EXTTEXTCAT
#include <libexttextcat/textcat.h>

struct r1i_ngrams {
    void *handle;
    candidate_t *result;
    const r1i_language *candidate[R1I_LANG_MAX];
    size_t n;
};

static const char *file_of(const r1i_language *l) { return strcmp(l->tag, "zh") == 0 ? "zh-Hans" : l->tag; }

static bool readable(const char *folder, const char *tag)
{
    char path[4200];
    const int n = snprintf(path, sizeof path, "%s/%s.lm", folder, tag);
    FILE *const f = n > 0 && (size_t)n < sizeof path ? fopen(path, "r") : NULL;
    if (f) fclose(f);
    return f != NULL;
}

r1i_ngrams *r1i_ngrams_create(const char *folder, const r1i_language *const *candidates, size_t n)
{
    if (!folder) folder = "/usr/share/libexttextcat";
    FILE *const list = tmpfile();
    r1i_ngrams *const g = calloc(1, sizeof *g);
    if (!list || !g) goto fail;
    for (size_t i = 0; i < n; i++) {
        if (!readable(folder, file_of(candidates[i]))) goto fail; /* the library would print to stderr */
        fprintf(list, "%s.lm %zu\n", file_of(candidates[i]), i);
        g->candidate[g->n++] = candidates[i];
    }
    if (fflush(list) != 0) goto fail;
    char path[64], prefix[4200];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fileno(list));
    snprintf(prefix, sizeof prefix, "%s/", folder);
    g->handle = special_textcat_Init(path, prefix);
    if (!g->handle) goto fail;
    g->result = textcat_GetClassifyFullOutput(g->handle);
    if (!g->result) goto fail;
    fclose(list);
    return g;
fail:
    if (list) fclose(list);
    r1i_ngrams_destroy(g);
    return NULL;
}

void r1i_ngrams_destroy(r1i_ngrams *g)
{
    if (!g) return;
    if (g->result) textcat_ReleaseClassifyFullOutput(g->handle, g->result);
    if (g->handle) textcat_Done(g->handle);
    free(g);
}

int r1i_ngrams_best(r1i_ngrams *g, const char *text, size_t n)
{
    const int found = textcat_ClassifyFull(g->handle, text, n, g->result);
    int best = -1;
    for (int i = 0; i < found; i++)
        if (best < 0 || g->result[i].score < g->result[best].score) best = i;
    if (best < 0) return -1;
    const long index = strtol(g->result[best].name, NULL, 10);
    return index >= 0 && (size_t)index < g->n ? (int)index : -1;
}
#else
r1i_ngrams *r1i_ngrams_create(const char *folder, const r1i_language *const *candidates, size_t n)
{
    (void)folder;
    (void)candidates;
    (void)n;
    return NULL;
}

void r1i_ngrams_destroy(r1i_ngrams *g) { (void)g; }

int r1i_ngrams_best(r1i_ngrams *g, const char *text, size_t n)
{
    (void)g;
    (void)text;
    (void)n;
    return -1;
}
#endif

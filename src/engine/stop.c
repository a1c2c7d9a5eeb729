#include "engine/stop.h"

#include <assert.h>
#include <string.h>

size_t r1i_stop_room(const char *const *string, int32_t n, size_t piece)
{
    size_t longest = 1;
    for (int32_t i = 0; i < n; i++)
        if (strlen(string[i]) > longest) longest = strlen(string[i]);
    return longest - 1 + piece;
}

/* Longest stop string that ends at text[end), or -1. */
static int32_t ends_here(const r1i_stop *s, size_t end)
{
    int32_t best = -1;
    size_t best_len = 0;
    for (int32_t i = 0; i < s->n; i++) {
        const size_t len = strlen(s->string[i]);
        if (len > end || len <= best_len || memcmp(s->text + end - len, s->string[i], len) != 0) continue;
        best = i;
        best_len = len;
    }
    return best;
}

/* Bytes at the end of the text that begin a stop string. */
static size_t undecided(const r1i_stop *s)
{
    size_t most = 0;
    for (int32_t i = 0; i < s->n; i++) {
        size_t len = strlen(s->string[i]) - 1;
        if (len > s->held) len = s->held;
        for (; len > most; len--)
            if (memcmp(s->text + s->held - len, s->string[i], len) == 0) most = len;
    }
    return most;
}

bool r1i_stop_feed(r1i_stop *s, const char *bytes, size_t n, size_t *ready)
{
    const size_t before = s->held;
    assert(n <= s->cap - s->held);
    if (n > 0) memcpy(s->text + s->held, bytes, n);
    s->held += n;
    for (size_t end = before + 1; end <= s->held && s->n > 0; end++) {
        const int32_t i = ends_here(s, end);
        if (i < 0) continue;
        s->matched = i;
        *ready = end - strlen(s->string[i]);
        s->held = *ready;
        return true;
    }
    *ready = s->held - undecided(s);
    return false;
}

size_t r1i_stop_finish(const r1i_stop *s) { return s->held; }

void r1i_stop_pass(r1i_stop *s, size_t bytes)
{
    assert(bytes <= s->held);
    s->held -= bytes;
    if (s->held > 0) memmove(s->text, s->text + bytes, s->held);
}

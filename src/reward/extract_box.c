/* The last box. Braces are matched as TeX does: a brace after a backslash is a character, not a group. */
#include "reward/extract.h"

/* Bytes of a box command at i, 0 where there is none. The backslash may have been lost: JSON reads \b as a
 * backspace. */
static size_t box_command(r1i_slice t, size_t i)
{
    static const char *const names[] = {"boxed", "fbox", "framebox"};
    if (t.s[i] != '\\' && t.s[i] != '\b') return 0;
    if (t.s[i] == '\b') return r1i_slice_has_at(t, i + 1, "oxed") ? 5 : 0;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        const size_t n = 1 + strlen(names[k]);
        if (t.n - i >= n && memcmp(t.s + i + 1, names[k], n - 1) == 0 && (i + n == t.n || !r1i_is_alpha(t.s[i + n])))
            return n;
    }
    return 0;
}

/* A box without braces, `\boxed 5`: to the end of the word or of the formula. */
static r1i_slice unbraced(r1i_slice t, size_t begin)
{
    size_t end = begin;
    while (end < t.n && t.s[end] != '$' && t.s[end] != '\n' && !r1i_slice_blank(t, end)) {
        if (t.s[end] == '\\' && end + 1 < t.n) {
            if (strchr(")]", t.s[end + 1])) break; /* \boxed 5\) */
            end++;
        }
        end++;
    }
    return r1i_slice_trim_prose(r1i_slice_cut(t, begin, end));
}

enum { DEPTH = 64 }; /* of nested boxes that are told apart; deeper ones are part of the outer ones */

typedef struct walk {
    size_t brace;               /* open groups now */
    struct {
        size_t begin, brace;    /* where the content begins; groups open outside it */
    } open[DEPTH];
    int n_open;
    r1i_slice last;              /* content of the last outermost box that closed */
    size_t last_begin;          /* where the last outermost box began, closed or not */
    bool found, pending;        /* pending: the last outermost box is still open */
} walk;

static void close_brace(walk *w, r1i_slice t, size_t i)
{
    if (w->brace > 0) w->brace--;
    if (w->n_open == 0 || w->open[w->n_open - 1].brace != w->brace) return;
    w->n_open--;
    if (w->n_open > 0) return;
    const r1i_slice content = r1i_slice_trim(r1i_slice_cut(t, w->open[0].begin, i));
    w->pending = false;
    if (content.n == 0) return; /* "put it in \boxed{}" is not an answer */
    w->last = content;
    w->found = true;
}

/* Steps over the command at i; returns where to go on. */
static size_t open_box(walk *w, r1i_slice t, size_t i, size_t command)
{
    size_t at = i + command, blank;
    while ((blank = r1i_slice_blank(t, at)) > 0) at += blank;
    if (at < t.n && t.s[at] == '[' && memchr(t.s + i, 'f', command)) { /* \framebox[3cm]{...} */
        const char *const close = memchr(t.s + at, ']', t.n - at < 64 ? t.n - at : 64);
        if (close) at = (size_t)(close - t.s) + 1;
    }
    if (at < t.n && t.s[at] == '{') {
        if (w->n_open == 0) w->pending = true;
        if (w->n_open < DEPTH) {
            w->open[w->n_open].begin = at + 1;
            w->open[w->n_open++].brace = w->brace;
        }
        w->brace++;
        return at + 1;
    }
    if (w->n_open > 0) return at;
    const r1i_slice content = unbraced(t, at);
    if (content.n == 0) return at;
    w->last = content;
    w->found = true;
    w->pending = false;
    return (size_t)(content.s - t.s) + content.n;
}

/* A box that never closes swallows what follows it, later boxes too: they are looked at again only when the text ends.
 * Groups that were left open before a box do not matter, the box counts from its own brace. */
static walk walk_boxes(r1i_slice t, size_t from)
{
    walk w = {0};
    for (size_t i = from; i < t.n;) {
        const size_t command = box_command(t, i);
        if (command) {
            if (w.n_open == 0) w.last_begin = i;
            i = open_box(&w, t, i, command);
            continue;
        }
        if (t.s[i] == '\\' && i + 1 < t.n) {
            i += box_command(t, i + 1) ? 1 : 2; /* \\boxed: a backslash doubled by somebody's escaping */
            continue;
        }
        if (t.s[i] == '{') w.brace++;
        if (t.s[i] == '}') close_brace(&w, t, i);
        i++;
    }
    return w;
}

/* Where the last box command of any depth begins; t.n where there is none. */
static size_t last_command(r1i_slice t)
{
    for (size_t i = t.n; i-- > 0;)
        if ((t.s[i] == '\\' || t.s[i] == '\b') && box_command(t, i)) return i;
    return t.n;
}

bool r1i_find_box(r1i_slice part, r1i_candidates *out)
{
    *out = (r1i_candidates){.why = "no box"};
    const size_t last = last_command(part);
    if (last == part.n) return false;
    walk w = walk_boxes(part, 0);
    if (w.pending && w.last_begin < last) w = walk_boxes(part, last); /* one earlier box never closed; the last one
                                                                       * counts */
    if (w.pending) {
        out->refused = true;
        out->why = "the last box is never closed";
        return true;
    }
    if (!w.found) return false;
    for (int k = 0; k < 8 && box_command(w.last, 0); k++) { /* \boxed{\boxed{5}} */
        const r1i_slice outer = w.last;
        const walk inner = walk_boxes(outer, 0);
        if (!inner.found || inner.last_begin != 0 || inner.last.s + inner.last.n + 1 < outer.s + outer.n) break;
        w.last = inner.last;
    }
    r1i_candidate(out, w.last);
    out->why = "in the last box";
    return true;
}

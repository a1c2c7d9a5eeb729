/* Reasoning and answer, told apart while the text streams. At most 16 bytes are ever held back: white space before an
 * opening <think>, or the beginning of a marker. Where a piece of text was cut never changes the split. */
#include <string.h>

#include "r1/chat.h"

typedef void (*emit_fn)(void *user, r1_think_part part, const char *text, size_t bytes);

static const char opening[] = "<think>", closing[] = "</think>";
enum { OPENING = 7, CLOSING = 8, MAX_SPACE = 8 };

void r1_think_init(r1_think_splitter *s, bool prefilled)
{
    *s = (r1_think_splitter){.part = prefilled ? R1_PART_THINKING : R1_PART_ANSWER, .expects_thinking = prefilled};
}

/* After the opening is decided. */
static void split(r1_think_splitter *s, const char *text, size_t n, emit_fn emit, void *user)
{
    size_t i = 0;
    while (i < n && s->part == R1_PART_THINKING) {
        if (s->n_held == 0) {
            const char *const mark = memchr(text + i, closing[0], n - i);
            const size_t stop = mark ? (size_t)(mark - text) : n;
            if (stop > i) emit(user, R1_PART_THINKING, text + i, stop - i);
            i = stop;
            if (mark) s->held[s->n_held++] = text[i++];
        } else if (text[i] == closing[s->n_held]) {
            s->held[s->n_held++] = text[i++];
            if (s->n_held < CLOSING) continue;
            s->n_held = 0;
            s->part = R1_PART_ANSWER;
            s->strip_newlines = true;
        } else { /* only its first byte can start the marker anew, and that is looked at next */
            emit(user, R1_PART_THINKING, s->held, (size_t)s->n_held);
            s->n_held = 0;
        }
    }
    while (i < n && s->strip_newlines && text[i] == '\n') i++;
    if (i == n) return;
    s->strip_newlines = false;
    emit(user, R1_PART_ANSWER, text + i, n - i);
}

static bool space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

/* Whether held + c may still become white space and <think>. */
static bool may_open(const r1_think_splitter *s, char c)
{
    int blanks = 0;
    while (blanks < s->n_held && space(s->held[blanks])) blanks++;
    if (blanks == s->n_held && space(c)) return blanks < MAX_SPACE;
    return c == opening[s->n_held - blanks];
}

void r1_think_feed(r1_think_splitter *s, const char *text, size_t bytes, emit_fn emit, void *user)
{
    size_t i = 0;
    while (i < bytes && !s->decided) {
        if (may_open(s, text[i])) {
            s->held[s->n_held++] = text[i++];
            if (s->held[s->n_held - 1] != '>') continue;
            s->n_held = 0;
            s->decided = true;
            s->part = R1_PART_THINKING;
        } else { /* no opening: what was held is ordinary text */
            char held[sizeof s->held];
            const size_t n = (size_t)s->n_held;
            memcpy(held, s->held, n);
            s->n_held = 0;
            s->decided = true;
            split(s, held, n, emit, user);
        }
    }
    if (i < bytes) split(s, text + i, bytes - i, emit, user);
}

void r1_think_finish(r1_think_splitter *s, emit_fn emit, void *user)
{
    if (s->n_held) emit(user, s->part, s->held, (size_t)s->n_held);
    s->n_held = 0;
    s->decided = true;
}

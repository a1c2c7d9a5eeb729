#include "reward/code_extract.h"

#include <string.h>

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static size_t last_of(r1i_text t, const char *what)
{
    const size_t k = strlen(what);
    for (size_t i = t.n < k ? 0 : t.n - k + 1; i-- > 0;)
        if (memcmp(t.bytes + i, what, k) == 0) return i;
    return SIZE_MAX;
}

static r1i_text from(r1i_text t, size_t at) { return (r1i_text){t.bytes + at, t.n - at}; }

static r1i_text trimmed(r1i_text t)
{
    while (t.n && (is_blank(t.bytes[0]) || t.bytes[0] == '\n')) t = from(t, 1);
    while (t.n && (is_blank(t.bytes[t.n - 1]) || t.bytes[t.n - 1] == '\n')) t.n--;
    return t;
}

static bool starts(r1i_text t, const char *with)
{
    const size_t k = strlen(with);
    return t.n >= k && memcmp(t.bytes, with, k) == 0;
}

bool r1i_code_answer(r1i_text completion, bool thinking_open, r1i_text *answer)
{
    static const char closer[] = "</think>";
    const size_t end = last_of(completion, closer);
    *answer = completion;
    if (end != SIZE_MAX) {
        *answer = from(completion, end + sizeof closer - 1);
        return true;
    }
    if (!thinking_open && !starts(trimmed(completion), "<think>")) return true;
    answer->n = 0;
    return false;
}

/* ---- fences ---- */

/* Up to three blanks, then three or more of one of ` and ~. Gives the fence's length and what follows it on the
 * line. */
static size_t fence(r1i_text line, char *mark, r1i_text *rest)
{
    size_t i = 0, n = 0;
    while (i < line.n && i < 3 && line.bytes[i] == ' ') i++;
    if (i == line.n || (line.bytes[i] != '`' && line.bytes[i] != '~')) return 0;
    *mark = line.bytes[i];
    while (i + n < line.n && line.bytes[i + n] == *mark) n++;
    *rest = trimmed(from(line, i + n));
    if (*mark == '`' && rest->n && memchr(rest->bytes, '`', rest->n)) return 0; /* ```code``` on one line */
    return n >= 3 ? n : 0;
}

static bool tag_is(r1i_text tag, const char *name)
{
    const size_t k = strlen(name);
    if (tag.n < k || (tag.n > k && tag.bytes[k] != ' ' && tag.bytes[k] != '{' && tag.bytes[k] != ',' &&
                      tag.bytes[k] != ':')) return false;
    for (size_t i = 0; i < k; i++)
        if ((tag.bytes[i] >= 'A' && tag.bytes[i] <= 'Z' ? tag.bytes[i] - 'A' + 'a' : tag.bytes[i]) != name[i])
            return false;
    return true;
}

/* 2: names the language; 1: no tag; 0: another tag. */
static int rank_of(r1i_text tag, r1i_code_language language)
{
    static const char *const names[R1I_N_LANGUAGES][6] = {{"python", "py", "python3"}, {"c"},
                                                          {"cpp", "c++", "cc", "cxx"}};
    if (tag.n == 0) return 1;
    for (int i = 0; names[language][i]; i++)
        if (tag_is(tag, names[language][i])) return 2;
    return 0;
}

static bool next_line(r1i_text *text, r1i_text *line)
{
    if (text->n == 0) return false;
    const char *const nl = memchr(text->bytes, '\n', text->n);
    *line = (r1i_text){text->bytes, nl ? (size_t)(nl - text->bytes) : text->n};
    *text = from(*text, nl ? line->n + 1 : text->n);
    return true;
}

void r1i_code_block(r1i_text answer, r1i_code_language language, r1i_text *code, bool *fenced)
{
    r1i_text text = answer, line, rest, tag = {0};
    const char *begin = NULL;
    size_t open = 0;
    int best = -1;
    char open_mark = 0, mark = 0;
    *code = answer;
    while (next_line(&text, &line)) {
        const size_t n = fence(line, &mark, &rest);
        if (!begin && n) {
            begin = text.bytes;
            open = n;
            open_mark = mark;
            tag = rest;
        } else if (begin && n >= open && mark == open_mark && rest.n == 0) {
            const int rank = rank_of(tag, language);
            if (rank >= best) *code = (r1i_text){begin, (size_t)(line.bytes - begin)}, best = rank;
            begin = NULL;
        }
    }
    if (begin && rank_of(tag, language) >= best)
        *code = (r1i_text){begin, (size_t)(answer.bytes + answer.n - begin)}, best = 0;
    *fenced = best >= 0;
}

/* ---- joining and predictions ---- */

static bool is_name(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool r1i_code_defines(r1i_text code, r1i_text name)
{
    static const char *const words[] = {"def ", "async def ", "class ", ""};
    r1i_text line;
    if (name.n == 0) return false;
    while (next_line(&code, &line))
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            if (!starts(line, words[i])) continue;
            r1i_text rest = from(line, strlen(words[i]));
            while (words[i][0] && rest.n && is_blank(rest.bytes[0])) rest = from(rest, 1);
            if (rest.n < name.n || memcmp(rest.bytes, name.bytes, name.n) != 0) continue;
            rest = from(rest, name.n);
            if (words[i][0]) {
                if (rest.n == 0 || !is_name(rest.bytes[0])) return true;
                continue;
            }
            while (rest.n && is_blank(rest.bytes[0])) rest = from(rest, 1);
            if (rest.n && rest.bytes[0] == '=' && (rest.n == 1 || rest.bytes[1] != '=')) return true;
        }
    return false;
}

static r1i_text last_line(r1i_text t)
{
    t = trimmed(t);
    const size_t nl = last_of(t, "\n");
    return nl == SIZE_MAX ? t : from(t, nl + 1);
}

void r1i_code_prediction(r1i_text answer, bool input, r1i_text *prediction)
{
    bool fenced;
    r1i_text t = answer;
    const size_t open = last_of(answer, "[ANSWER]");
    if (open != SIZE_MAX) {
        t = from(answer, open + strlen("[ANSWER]"));
        for (size_t i = 0; i < t.n; i++)
            if (starts(from(t, i), "[/ANSWER]")) t.n = i;
        t = trimmed(t);
    } else {
        r1i_code_block(answer, R1I_PYTHON, &t, &fenced);
        t = fenced ? trimmed(t) : last_line(t);
    }
    const size_t equal = last_of(t, "==");
    if (!input) {
        *prediction = equal == SIZE_MAX ? t : trimmed(from(t, equal + 2));
        return;
    }
    if (equal != SIZE_MAX) t.n = equal;
    t = trimmed(t);
    if (starts(t, "assert")) t = trimmed(from(t, strlen("assert")));
    if (starts(t, "f(") && t.bytes[t.n - 1] == ')') t = (r1i_text){t.bytes + 2, t.n - 3};
    *prediction = trimmed(t);
}

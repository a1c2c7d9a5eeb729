#include "grade_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct buffer {
    char *text;
    size_t n, cap;
    bool failed;
} buffer;

static void put(buffer *b, const char *text, size_t n)
{
    if (b->failed) return;
    if (b->n + n + 1 > b->cap) {
        const size_t cap = (b->n + n + 1) * 2;
        char *const grown = realloc(b->text, cap);
        if (!grown) {
            b->failed = true;
            return;
        }
        b->text = grown;
        b->cap = cap;
    }
    memcpy(b->text + b->n, text, n);
    b->n += n;
    b->text[b->n] = 0;
}

/* Bytes of the UTF-8 character at s[0..n), 0 where it is none. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
    const size_t want = s[0] < 0x80 ? 1 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : (s[0] & 0xF0) == 0xE0 ? 3 : s[0] >= 0xF0 &&
        s[0] < 0xF5 ? 4 : 0;
    if (want == 0 || want > n) return 0;
    for (size_t i = 1; i < want; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F)) return 0; /* overlong, surrogate */
    if ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F)) return 0;
    return want;
}

/* Value of \uXXXX at s[0..n), -1 where that does not stand there. */
static int unicode_escape(const char *s, size_t n)
{
    if (n < 6 || s[0] != '\\' || s[1] != 'u') return -1;
    char *end, digits[5] = {s[2], s[3], s[4], s[5], 0};
    const long v = strtol(digits, &end, 16);
    return end == digits + 4 && s[2] != '+' && s[2] != '-' && s[2] != ' ' ? (int)v : -1;
}

/* The line with broken text replaced; outside of strings nothing is touched. */
static buffer mend(const char *line, size_t n)
{
    buffer out = {0};
    bool string = false;
    put(&out, "", 0);
    for (size_t i = 0; i < n;) {
        const char c = line[i];
        const size_t length = utf8_length((const unsigned char *)line + i, n - i);
        if (length == 0) {
            put(&out, "\xEF\xBF\xBD", 3);
            i++;
        } else if (string && c == '\\') {
            const int high = unicode_escape(line + i, n - i),
                      low = high >= 0 ? unicode_escape(line + i + 6, n - i - 6) : -1;
            const bool pair = high >= 0xD800 && high < 0xDC00 && low >= 0xDC00 && low < 0xE000;
            const size_t step = pair ? 12 : high >= 0 ? 6 : n - i < 2 ? 1
                : 1 + utf8_length((const unsigned char *)line + i + 1, n - i - 1);
            if (high >= 0xD800 && high < 0xE000 && !pair) put(&out, "\\ufffd", 6);
            else put(&out, line + i, step);
            i += step;
        } else if (string && (unsigned char)c < 0x20) { /* a raw control character */
            char escape[8];
            put(&out, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)c));
            i++;
        } else {
            if (c == '"') string = !string;
            put(&out, line + i, length);
            i += length;
        }
    }
    return out;
}

/* Numbers given as "gold" or "answer" become strings, digit by digit: as doubles they would lose digits. */
static buffer quote_numbers(const char *line, size_t n)
{
    buffer out = {0};
    int depth = 0;
    put(&out, "", 0);
    for (size_t i = 0, key = 0, key_n = 0; i < n;) {
        if (line[i] == '"') {
            const size_t begin = ++i;
            while (i < n && line[i] != '"') i += line[i] == '\\' ? 2 : 1;
            if (i > n) i = n;
            key = begin;
            key_n = i - begin;
            if (i < n) i++;
            put(&out, line + begin - 1, i - begin + 1);
            continue;
        }
        depth += (line[i] == '{' || line[i] == '[') - (line[i] == '}' || line[i] == ']');
        put(&out, line + i, 1);
        if (line[i++] != ':' || depth != 1) continue;
        const bool ours = (key_n == 4 && memcmp(line + key, "gold", 4) == 0) ||
            (key_n == 6 && memcmp(line + key, "answer", 6) == 0);
        size_t begin = i;
        while (begin < n && strchr(" \t\r\n", line[begin]) && line[begin]) begin++;
        size_t end = begin;
        while (end < n && line[end] && strchr("+-.0123456789eE", line[end])) end++;
        if (!ours || end == begin) continue;
        put(&out, "\"", 1);
        put(&out, line + begin, end - begin);
        put(&out, "\"", 1);
        i = end;
    }
    return out;
}

static json_t *parse(const char *line, size_t n, json_error_t *e)
{
    return json_loadb(line, n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, e);
}

json_t *grade_text(const char *text, size_t n)
{
    json_t *const plain = json_stringn(text, n);
    if (plain) return plain;
    buffer out = {0};
    put(&out, "", 0);
    for (size_t i = 0; i < n;) {
        const size_t length = utf8_length((const unsigned char *)text + i, n - i);
        if (length) put(&out, text + i, length);
        else put(&out, "\xEF\xBF\xBD", 3);
        i += length ? length : 1;
    }
    json_t *const mended = out.failed ? NULL : json_stringn(out.text, out.n);
    free(out.text);
    return mended;
}

static bool take_text(const json_t *row, const char *key, const char **text, size_t *n, char *message, size_t size)
{
    const json_t *const v = json_object_get(row, key);
    if (!v || json_is_null(v)) return true;
    *text = json_string_value(v);
    *n = json_string_length(v);
    if (!*text) snprintf(message, size, "\"%s\" is not a string", key);
    return *text != NULL;
}

static bool take_bool(const json_t *row, const char *key, bool *into, char *message, size_t size)
{
    const json_t *const v = json_object_get(row, key);
    if (!v || json_is_null(v)) return true;
    *into = json_is_true(v);
    if (!json_is_boolean(v)) snprintf(message, size, "\"%s\" is not true or false", key);
    return json_is_boolean(v);
}

static bool take_count(const json_t *row, const char *key, int64_t *into, char *message, size_t size)
{
    const json_t *const v = json_object_get(row, key);
    if (!v || json_is_null(v)) return true;
    *into = json_integer_value(v);
    if (!json_is_integer(v) || *into < 0) snprintf(message, size, "\"%s\" is not a count", key);
    return json_is_integer(v) && *into >= 0;
}

static bool take_gold(grade_row *row, char *message, size_t size)
{
    const json_t *const v = json_object_get(row->json, "gold");
    if (!v || json_is_null(v)) return true;
    if (json_is_string(v))
        return take_text(row->json, "gold", &row->sample.gold, &row->sample.gold_bytes, message, size);
    row->gold_text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!row->gold_text) {
        snprintf(message, size, "\"gold\" is too large");
        return false;
    }
    row->sample.gold = row->gold_text;
    row->sample.gold_bytes = strlen(row->gold_text);
    return true;
}

static bool take_all(grade_row *row, char *message, size_t size)
{
    r1_sample *const s = &row->sample;
    const json_t *const j = row->json;
    s->gold = s->completion = "";
    if (!json_object_get(j, "answer")) {
        snprintf(message, size, "there is no \"answer\"");
        return false;
    }
    row->id = json_object_get(j, "id");
    return take_text(j, "answer", &s->completion, &s->completion_bytes, message, size) &&
        take_gold(row, message, size) && take_text(j, "prompt", &s->prompt, &s->prompt_bytes, message, size) &&
           take_bool(j, "thinking_open", &s->thinking_open, message, size) &&
           take_bool(j, "truncated", &s->truncated, message, size) &&
           take_count(j, "tokens", &s->tokens, message, size) &&
           take_count(j, "max_tokens", &s->max_tokens, message, size);
}

bool grade_row_read(grade_row *row, const char *line, size_t n, char *message, size_t size)
{
    json_error_t e;
    *row = (grade_row){0};
    buffer quoted = quote_numbers(line, n);
    if (!quoted.failed) row->json = parse(quoted.text, quoted.n, &e);
    if (!quoted.failed && !row->json) {
        buffer mended = mend(quoted.text, quoted.n);
        if (!mended.failed) row->json = parse(mended.text, mended.n, &e);
        quoted.failed = mended.failed;
        free(mended.text);
    }
    free(quoted.text);
    bool good = false;
    if (quoted.failed) snprintf(message, size, "out of memory");
    else if (!row->json) snprintf(message, size, "not JSON: %s (byte %d)", e.text, e.position);
    else if (!json_is_object(row->json)) snprintf(message, size, "not a JSON object with \"gold\" and \"answer\"");
    else good = take_all(row, message, size);
    if (!good) grade_row_free(row);
    return good;
}

void grade_row_free(grade_row *row)
{
    json_decref(row->json);
    free(row->gold_text);
    *row = (grade_row){0};
}

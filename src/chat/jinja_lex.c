/* Template text to tokens. The rules are jinja2's with trim_blocks and lstrip_blocks on, as every chat template in use
 * expects: a newline right after a block or comment tag goes, and so does the white space that leads a line up to
 * one. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chat/jinja.h"

/* "\r\n" and "\r" become "\n"; one final newline is dropped. Offsets of errors still name the bytes as given. */
void r1i_j_lex_init(jlex *x, jctx *c, const char *source, size_t bytes)
{
    *x = (jlex){.c = c, .s = source, .n = bytes, .line = 1, .line_starting = true, .pending = T_EOF};
    x->open = r1i_j_alloc(c, (size_t)c->max_nest);
    if (bytes && memchr(source, '\r', bytes)) {
        char *const p = r1i_j_alloc(c, bytes);
        size_t n = 0, pairs = 0;
        for (size_t i = 0; i + 1 < bytes; i++) pairs += source[i] == '\r' && source[i + 1] == '\n';
        size_t *const joined = r1i_j_array(c, pairs, sizeof *joined);
        for (size_t i = 0; i < bytes; i++) {
            if (source[i] == '\r' && i + 1 < bytes && source[i + 1] == '\n') {
                joined[x->n_joined++] = n;
                continue;
            }
            p[n++] = source[i] == '\r' ? '\n' : source[i];
        }
        x->s = p;
        x->n = n;
        x->joined = joined;
    }
    if (x->n && x->s[x->n - 1] == '\n') x->n--;
}

static size_t offset_at(jlex *x, size_t pos)
{
    while (x->i_joined < x->n_joined && x->joined[x->i_joined] < pos) x->i_joined++;
    return pos + x->i_joined;
}

/* Step to `pos`, counting lines. */
static void advance(jlex *x, size_t pos)
{
    for (; x->pos < pos; x->pos++) x->line += x->s[x->pos] == '\n';
}

J_NORETURN static void fail(jlex *x, const char *fmt, const char *what)
{
    x->c->line = x->line;
    x->c->offset = offset_at(x, x->pos);
    r1i_j_raise(x->c, fmt, what);
}

static bool at(const jlex *x, size_t pos, const char *text)
{
    const size_t n = strlen(text);
    return pos <= x->n && x->n - pos >= n && memcmp(x->s + pos, text, n) == 0;
}

static size_t skip_space(const jlex *x, size_t pos)
{
    uint32_t cp;
    while (pos < x->n) {
        const size_t n = r1i_j_decode(x->s + pos, x->n - pos, &cp);
        if (!r1i_j_space(cp)) break;
        pos += n;
    }
    return pos;
}

/* End of the tag that closes at pos, or 0: "+%}", "-%}" with the white space after it, "%}" with one newline. */
static size_t close_tag(const jlex *x, size_t pos, const char *mark)
{
    if (at(x, pos, "+") && at(x, pos + 1, mark)) return pos + 3;
    if (at(x, pos, "-") && at(x, pos + 1, mark)) return skip_space(x, pos + 3);
    if (at(x, pos, mark)) return pos + 2 + (at(x, pos + 2, "\n") ? 1 : 0);
    return 0;
}

/* "{%- raw -%}" at pos: its end, or 0. */
static size_t raw_tag(const jlex *x, size_t pos, const char *name)
{
    pos += 2;
    if (at(x, pos, "-") || at(x, pos, "+")) pos++;
    pos = skip_space(x, pos);
    if (!at(x, pos, name)) return 0;
    pos = skip_space(x, pos + strlen(name));
    if (name[0] == 'e') return close_tag(x, pos, "%}");
    if (at(x, pos, "-%}")) return skip_space(x, pos + 3);
    return at(x, pos, "%}") ? pos + 2 : 0; /* no newline trimmed after "raw": jinja2's own exception */
}

/* What is left of the text [begin, end) before a tag with this sign. */
static size_t trim_text(const jlex *x, size_t begin, size_t end, char sign, bool variable)
{
    size_t p = end, kept = end;
    if (sign == '+' || (variable && sign != '-')) return end;
    while (p > begin) {
        size_t q = p - 1;
        uint32_t cp;
        while (q > begin && ((uint8_t)x->s[q] & 0xC0) == 0x80) q--;
        r1i_j_decode(x->s + q, x->n - q, &cp);
        if (!r1i_j_space(cp) || (sign != '-' && cp == '\n')) break;
        kept = p = q;
    }
    if (sign == '-') return kept;
    if (p > begin ? x->s[p - 1] == '\n' : x->line_starting) return kept;
    return end;
}

static jtoken token(jlex *x, jtok type)
{
    return (jtoken){.type = type, .line = x->line, .offset = offset_at(x, x->pos)};
}

/* Text up to `end`, of which [pos, keep) counts; true when there is any. */
static bool data(jlex *x, size_t keep, jtoken *out)
{
    *out = token(x, T_DATA);
    if (keep <= x->pos) return false;
    out->text = r1i_j_str(x->c, x->s + x->pos, keep - x->pos, true);
    return true;
}

static void after_tag(jlex *x, size_t end)
{
    x->line_starting = end > 0 && x->s[end - 1] == '\n';
    advance(x, end);
}

static void skip_comment(jlex *x)
{
    const size_t sign = at(x, x->pos + 2, "-") || at(x, x->pos + 2, "+") ? 1 : 0;
    for (size_t p = x->pos + 2 + sign; p < x->n; p++) {
        const size_t end = close_tag(x, p, "#}");
        if (end) {
            after_tag(x, end);
            return;
        }
    }
    if (x->pos + 2 + sign < x->n) fail(x, "%s", "Missing end of comment tag");
    advance(x, x->n); /* nothing at all behind the mark: jinja2 lets it pass */
}

/* The raw block whose tag ends at `start`; true when it holds text. */
static bool raw_block(jlex *x, size_t start, jtoken *out)
{
    after_tag(x, start);
    for (size_t p = start; p < x->n; p++) {
        const size_t end = at(x, p, "{%") ? raw_tag(x, p, "endraw") : 0;
        if (!end) continue;
        const char sign = p + 2 < x->n ? x->s[p + 2] : 0;
        const bool any = data(x, trim_text(x, start, p, sign, false), out);
        after_tag(x, end);
        return any;
    }
    if (start < x->n) fail(x, "%s", "Missing end of raw directive");
    return false;
}

/* In plain text: true when a token came out; otherwise call again. */
static bool lex_root(jlex *x, jtoken *out)
{
    size_t p = x->pos;
    while (p < x->n && !(x->s[p] == '{' && (at(x, p, "{%") || at(x, p, "{{") || at(x, p, "{#")))) p++;
    if (p >= x->n) {
        const bool any = data(x, x->n, out);
        advance(x, x->n);
        if (!any) *out = token(x, T_EOF);
        return true;
    }
    const char kind = x->s[p + 1], sign = p + 2 < x->n ? x->s[p + 2] : 0;
    const size_t raw = kind == '%' ? raw_tag(x, p, "raw") : 0;
    const bool any = data(x, trim_text(x, x->pos, p, sign, kind == '{'), out);
    advance(x, p);
    if (raw) {
        jtoken text;
        if (!raw_block(x, raw, &text)) return any;
        if (!any) {
            *out = text;
            return true;
        }
        /* text before and inside a raw block: both are data, so they leave as one */
        jout b = {0};
        r1i_j_puts(x->c, &b, out->text);
        r1i_j_puts(x->c, &b, text.text);
        out->text = r1i_j_done(x->c, &b);
        return true;
    }
    if (kind == '#') {
        skip_comment(x);
        return any;
    }
    x->pending = kind == '{' ? T_VAR_BEGIN : T_BLOCK_BEGIN;
    x->pending_line = x->line;
    x->pending_offset = offset_at(x, x->pos);
    x->state = kind == '{' ? LEX_VAR : LEX_BLOCK;
    advance(x, p + 2 + (sign == '-' || sign == '+' ? 1 : 0));
    return any;
}

/* ---- inside tags ------------------------------------------------------------------------------------------------- */
static bool digit(char ch) { return ch >= '0' && ch <= '9'; }

/* (\d+_)*\d+ at pos: its end, or pos. */
static size_t digits(const jlex *x, size_t pos)
{
    size_t p = pos;
    while (p < x->n && (digit(x->s[p]) ||
                        (x->s[p] == '_' && p > pos && digit(x->s[p - 1]) && p + 1 < x->n && digit(x->s[p + 1])))) p++;
    return p;
}

static bool lex_float(jlex *x, jtoken *out)
{
    if (x->pos > 0 && x->s[x->pos - 1] == '.') return false;
    const size_t whole = digits(x, x->pos);
    size_t end = whole;
    if (end == x->pos) return false;
    if (at(x, end, ".") && digits(x, end + 1) > end + 1) end = digits(x, end + 1);
    if (at(x, end, "e") || at(x, end, "E")) {
        const size_t sign = at(x, end + 1, "+") || at(x, end + 1, "-") ? 1 : 0;
        if (digits(x, end + 1 + sign) > end + 1 + sign) end = digits(x, end + 1 + sign);
    }
    if (end == whole) return false;
    char *const text = r1i_j_alloc(x->c, end - x->pos + 1);
    size_t n = 0;
    for (size_t p = x->pos; p < end; p++)
        if (x->s[p] != '_') text[n++] = x->s[p];
    text[n] = '\0';
    *out = token(x, T_FLOAT);
    out->d = strtod(text, NULL);
    advance(x, end);
    return true;
}

static int digit_value(char ch)
{
    if (digit(ch)) return ch - '0';
    const char low = (char)(ch | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : 99;
}

static void lex_int(jlex *x, jtoken *out)
{
    size_t p = x->pos;
    int base = 10;
    *out = token(x, T_INT);
    const char mark = p + 1 < x->n && x->s[p] == '0' ? (char)(x->s[p + 1] | 0x20) : 0;
    const int other = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    const size_t first = p + 2 + (at(x, p + 2, "_") ? 1 : 0);
    if (other && first < x->n && digit_value(x->s[first]) < other) {
        base = other;
        p = first;
    }
    const bool zeros = base == 10 && x->s[p] == '0'; /* 0(_?0)*: a leading zero takes only zeros */
    for (const size_t start = p; p < x->n; p++) {
        const char ch = x->s[p];
        if (ch == '_' && p > start && p + 1 < x->n && digit_value(x->s[p + 1]) < (zeros ? 1 : base)) continue;
        const int v = digit_value(ch);
        if (v >= (zeros ? 1 : base)) break;
        if (__builtin_mul_overflow(out->i, base, &out->i) || __builtin_add_overflow(out->i, v, &out->i))
            r1i_j_fail(x->c, R1_ERR_UNSUPPORTED, "an integer beyond 64 bits on line %u", x->line);
    }
    advance(x, p);
}

static bool name_char(uint32_t cp, bool first)
{
    if (cp < 128) return cp == '_' || (cp | 0x20) - 'a' < 26u || (!first && cp - '0' < 10u);
    const int cat = r1i_j_category(cp); /* utf8proc: letters 1..5, marks 6..8, digits 9, letter numbers 10 */
    return (cat >= 1 && cat <= 5) || cat == 10 || (!first && (cat == 6 || cat == 7 || cat == 9 || cat == 12));
}

static bool lex_name(jlex *x, jtoken *out)
{
    size_t p = x->pos;
    uint32_t cp;
    while (p < x->n) {
        const size_t n = r1i_j_decode(x->s + p, x->n - p, &cp);
        if (!name_char(cp, p == x->pos)) break;
        p += n;
    }
    if (p == x->pos) return false;
    *out = token(x, T_NAME);
    out->text = r1i_j_str(x->c, x->s + x->pos, p - x->pos, true);
    advance(x, p);
    return true;
}

/* \xHH, \uHHHH, \UHHHHHHHH after the letter: the code point; *p moves past the digits. */
static uint32_t hex_escape(jlex *x, size_t *p, size_t end, int n)
{
    uint32_t cp = 0;
    for (int i = 0; i < n; i++, (*p)++) {
        if (*p >= end || digit_value(x->s[*p]) > 15) fail(x, "%s", "truncated escape in a string");
        cp = cp * 16 + (uint32_t)digit_value(x->s[*p]);
    }
    if (cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000)) fail(x, "%s", "an escape that is no Unicode character");
    return cp;
}

static void put_escape(jlex *x, jout *o, size_t *p, size_t end)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    const char ch = x->s[(*p)++];
    const char *const k = strchr(from, ch);
    if (ch == '\n') return;
    if (k && ch) r1i_j_put(x->c, o, &to[k - from], 1, true);
    else if (ch == 'x') r1i_j_put_char(x->c, o, hex_escape(x, p, end, 2), true);
    else if (ch == 'u') r1i_j_put_char(x->c, o, hex_escape(x, p, end, 4), true);
    else if (ch == 'U') r1i_j_put_char(x->c, o, hex_escape(x, p, end, 8), true);
    else if (ch == 'N') r1i_j_fail(x->c, R1_ERR_UNSUPPORTED, "\\N{...} in a string on line %u", x->line);
    else if (ch >= '0' && ch <= '7') {
        uint32_t cp = (uint32_t)(ch - '0');
        for (int i = 0; i < 2 && *p < end && x->s[*p] >= '0' && x->s[*p] <= '7'; i++)
            cp = cp * 8 + (uint32_t)(x->s[(*p)++] - '0');
        r1i_j_put_char(x->c, o, cp, true);
    } else if ((uint8_t)ch < 128) { /* an unknown escape stays as it is */
        r1i_j_put(x->c, o, "\\", 1, true);
        r1i_j_put(x->c, o, &ch, 1, true);
    } else { /* jinja2 escapes what is not ASCII before it looks at backslashes: '\é' is the text \xe9 */
        char text[16];
        uint32_t cp;
        *p += r1i_j_decode(x->s + *p - 1, end - *p + 1, &cp) - 1;
        snprintf(text, sizeof text, cp < 0x100 ? "\\x%02x" : cp < 0x10000 ? "\\u%04x" : "\\U%08x", cp);
        r1i_j_putz(x->c, o, text);
    }
}

static bool lex_string(jlex *x, jtoken *out)
{
    const char quote = x->s[x->pos];
    size_t end = x->pos + 1;
    bool plain = true;
    while (end < x->n && x->s[end] != quote) {
        if (x->s[end] == '\\') {
            plain = false;
            end++;
        }
        end++;
    }
    if (end >= x->n) return false;
    *out = token(x, T_STRING);
    if (plain) out->text = r1i_j_str(x->c, x->s + x->pos + 1, end - x->pos - 1, true);
    else {
        jout o = {0};
        for (size_t p = x->pos + 1; p < end;) {
            if (x->s[p] == '\\') {
                p++;
                put_escape(x, &o, &p, end);
                continue;
            }
            const char *const next = memchr(x->s + p, '\\', end - p);
            const size_t stop = next ? (size_t)(next - x->s) : end;
            r1i_j_put(x->c, &o, x->s + p, stop - p, true);
            p = stop;
        }
        out->text = r1i_j_done(x->c, &o);
    }
    advance(x, end + 1);
    return true;
}

static const struct { const char *text; jtok type; } operators[] = {
    {"//", T_FLOORDIV}, {"**", T_POW}, {"==", T_EQ}, {"!=", T_NE}, {">=", T_GE}, {"<=", T_LE}, {"+", T_ADD}, {"-", T_SUB},
    {"/", T_DIV}, {"*", T_MUL}, {"%", T_MOD}, {"~", T_TILDE}, {"[", T_LBRACKET}, {"]", T_RBRACKET}, {"(", T_LPAREN},
    {")", T_RPAREN}, {"{", T_LBRACE}, {"}", T_RBRACE}, {">", T_GT}, {"<", T_LT}, {"=", T_ASSIGN}, {".", T_DOT},
    {":", T_COLON}, {"|", T_PIPE}, {",", T_COMMA}, {";", T_SEMICOLON}};

static void balance(jlex *x, jtok type, const char *text)
{
    if (type == T_LBRACE || type == T_LPAREN || type == T_LBRACKET) {
        if (x->n_open == (size_t)x->c->max_nest)
            r1i_j_fail(x->c, R1_ERR_RANGE, "line %u: brackets nest too deeply", x->line);
        x->open[x->n_open++] = type == T_LBRACE ? '}' : type == T_LPAREN ? ')' : ']';
    } else if (type == T_RBRACE || type == T_RPAREN || type == T_RBRACKET) {
        if (!x->n_open) fail(x, "unexpected '%s'", text);
        if (x->open[--x->n_open] != text[0]) fail(x, "unexpected '%s', a different bracket is open", text);
    }
}

static void lex_tag(jlex *x, jtoken *out)
{
    advance(x, skip_space(x, x->pos));
    x->c->line = x->line;
    x->c->offset = offset_at(x, x->pos);
    *out = token(x, T_EOF);
    if (x->pos >= x->n) return;
    if (!x->n_open) {
        size_t end = 0;
        if (x->state == LEX_BLOCK) end = close_tag(x, x->pos, "%}");
        else if (at(x, x->pos, "-}}")) end = skip_space(x, x->pos + 3);
        else if (at(x, x->pos, "}}")) end = x->pos + 2;
        if (end) {
            out->type = x->state == LEX_BLOCK ? T_BLOCK_END : T_VAR_END;
            x->state = LEX_ROOT;
            after_tag(x, end);
            return;
        }
    }
    const char ch = x->s[x->pos];
    if (digit(ch)) {
        if (!lex_float(x, out)) lex_int(x, out);
        return;
    }
    if (lex_name(x, out)) return;
    if ((ch == '\'' || ch == '"') && lex_string(x, out)) return;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (!at(x, x->pos, operators[i].text)) continue;
        out->type = operators[i].type;
        balance(x, out->type, operators[i].text);
        advance(x, x->pos + strlen(operators[i].text));
        return;
    }
    const char text[2] = {ch, 0};
    fail(x, "unexpected character '%s'", (uint8_t)ch < 128 ? text : "(not ASCII)");
}

void r1i_j_lex(jlex *x, jtoken *out)
{
    for (;;) {
        r1i_j_step(x->c, 1);
        if (x->pending != T_EOF) {
            *out = (jtoken){.type = x->pending, .line = x->pending_line, .offset = x->pending_offset};
            x->pending = T_EOF;
            return;
        }
        if (x->state == LEX_ROOT) {
            if (lex_root(x, out)) return;
            continue;
        }
        lex_tag(x, out);
        return;
    }
}

const char *r1i_j_token_name(const jtoken *t)
{
    switch (t->type) {
    case T_EOF: return "end of template";
    case T_DATA: return "template data / text";
    case T_VAR_BEGIN: return "begin of print statement";
    case T_VAR_END: return "end of print statement";
    case T_BLOCK_BEGIN: return "begin of statement block";
    case T_BLOCK_END: return "end of statement block";
    case T_STRING: return "string";
    case T_INT: return "integer";
    case T_FLOAT: return "float";
    case T_NAME: return "name";
    default:
        for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
            if (operators[i].type == t->type) return operators[i].text;
        return "?";
    }
}

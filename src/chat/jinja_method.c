/* What templates may call on values (Python's methods of str, list, dict) and by name (range, namespace, ...). */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "chat/jinja.h"
#include "tokenizer/tok_unicode.h"

/* ---- arguments --------------------------------------------------------------------------------------------------- */
bool r1i_j_arg(jctx *c, jargs *a, size_t index, const char *name, jval *out)
{
    r1i_j_step(c, 1);
    if (index < a->n) {
        if (a->taken <= index) a->taken = index + 1;
        *out = a->v[index];
        return true;
    }
    for (size_t i = 0; i < a->n_kw; i++)
        if (r1i_j_is(a->kw_names[i], name)) {
            a->kw_used |= (uint64_t)1 << i;
            *out = a->kw[i];
            return true;
        }
    return false;
}

jval r1i_j_arg_or(jctx *c, jargs *a, size_t index, const char *name, jval otherwise)
{
    jval v;
    return r1i_j_arg(c, a, index, name, &v) ? v : otherwise;
}

jval r1i_j_arg_need(jctx *c, jargs *a, size_t index, const char *name, const char *function)
{
    jval v;
    if (!r1i_j_arg(c, a, index, name, &v)) r1i_j_raise(c, "%s() missing required argument '%s'", function, name);
    return v;
}

void r1i_j_arg_end(jctx *c, const jargs *a, const char *function)
{
    if (a->n > a->taken) r1i_j_raise(c, "%s() takes at most %zu arguments (%zu given)", function, a->taken, a->n);
    for (size_t i = 0; i < a->n_kw; i++)
        if (!(a->kw_used >> i & 1))
            r1i_j_raise(c, "%s() got an unexpected keyword argument '%.*s'", function, (int)a->kw_names[i]->n,
                        a->kw_names[i]->p);
}

static const jstr *need_str(jctx *c, jargs *a, size_t i, const char *name, const char *function)
{
    const jval v = r1i_j_arg_need(c, a, i, name, function);
    if (v.kind != J_STR) r1i_j_raise(c, "%s() argument must be str, not %s", function, r1i_j_type_name(v));
    return v.u.s;
}

static int64_t int_arg(jctx *c, jargs *a, size_t i, const char *name, int64_t otherwise)
{
    const jval v = r1i_j_arg_or(c, a, i, name, r1i_j_int(otherwise));
    if (v.kind == J_BOOL) return v.u.b;
    if (v.kind != J_INT) r1i_j_raise(c, "'%s' object cannot be interpreted as an integer", r1i_j_type_name(v));
    return v.u.i;
}

/* ---- pieces shared with the filters ------------------------------------------------------------------------------ */
static bool in_set(const jstr *set, const char *p, size_t n)
{
    for (size_t i = 0, k; i < set->n; i += k) {
        uint32_t cp;
        k = r1i_j_decode(set->p + i, set->n - i, &cp);
        if (k == n && memcmp(set->p + i, p, n) == 0) return true;
    }
    return false;
}

const jstr *r1i_j_strip(jctx *c, const jstr *s, const jstr *chars, bool left, bool right)
{
    size_t begin = 0, end = s->n;
    uint32_t cp;
    while (left && begin < end) {
        const size_t n = r1i_j_decode(s->p + begin, end - begin, &cp);
        if (!(chars ? in_set(chars, s->p + begin, n) : r1i_j_space(cp))) break;
        begin += n;
    }
    while (right && end > begin) {
        size_t p = end - 1;
        while (p > begin && ((uint8_t)s->p[p] & 0xC0) == 0x80) p--;
        r1i_j_decode(s->p + p, end - p, &cp);
        if (!(chars ? in_set(chars, s->p + p, end - p) : r1i_j_space(cp))) break;
        end = p;
    }
    r1i_j_step(c, (s->n - (end - begin)) / 8 * (chars ? chars->n : 1));
    return r1i_j_slice(c, s, begin, end);
}

static size_t char_bytes(const jstr *s, size_t p)
{
    uint32_t cp;
    return r1i_j_decode(s->p + p, s->n - p, &cp);
}

const jstr *r1i_j_replace(jctx *c, const jstr *s, const jstr *from, const jstr *to, int64_t count)
{
    jout o = {.markup = s->markup};
    size_t p = 0;
    r1i_j_step(c, s->n / 16);
    if (from->n == 0) { /* between all characters */
        for (; count != 0; count--) {
            r1i_j_puts(c, &o, to);
            if (p >= s->n) break;
            const size_t n = char_bytes(s, p);
            r1i_j_put_part(c, &o, s, p, p + n);
            p += n;
        }
    } else {
        for (; count != 0 && p < s->n; count--) {
            const char *const hit = memmem(s->p + p, s->n - p, from->p, from->n);
            if (!hit) break;
            r1i_j_put_part(c, &o, s, p, (size_t)(hit - s->p));
            r1i_j_puts(c, &o, to);
            p = (size_t)(hit - s->p) + from->n;
        }
    }
    r1i_j_put_part(c, &o, s, p < s->n ? p : s->n, s->n);
    return r1i_j_done(c, &o);
}

const jstr *r1i_j_join(jctx *c, const jstr *sep, jlist *items)
{
    jout o = {.markup = sep->markup};
    for (size_t i = 0; i < items->n; i++) {
        if (i) r1i_j_puts(c, &o, sep);
        r1i_j_puts(c, &o, sep->markup ? r1i_j_escape(c, items->v[i]) : r1i_j_text(c, items->v[i]));
    }
    return r1i_j_done(c, &o);
}

/* A list that grows by one. */
static void add(jctx *c, jlist *l, size_t *cap, jval v)
{
    if (l->n == *cap) {
        jval *const more = r1i_j_array(c, *cap ? *cap * 2 : 8, sizeof *more);
        if (l->n) memcpy(more, l->v, l->n * sizeof *more);
        l->v = more;
        *cap = *cap ? *cap * 2 : 8;
    }
    l->v[l->n++] = v;
}

static bool line_break(uint32_t cp)
{
    return (cp >= 10 && cp <= 13) || (cp >= 28 && cp <= 30) || cp == 0x85 || cp == 0x2028 || cp == 0x2029;
}

jlist *r1i_j_splitlines(jctx *c, const jstr *s, bool keep)
{
    jlist *const out = r1i_j_list(c, 0);
    size_t cap = 0, start = 0;
    for (size_t p = 0; p < s->n;) {
        uint32_t cp;
        size_t n = r1i_j_decode(s->p + p, s->n - p, &cp);
        if (!line_break(cp)) {
            p += n;
            continue;
        }
        if (cp == '\r' && p + 1 < s->n && s->p[p + 1] == '\n') n = 2;
        add(c, out, &cap, r1i_j_sv(r1i_j_slice(c, s, start, keep ? p + n : p)));
        start = p += n;
    }
    if (start < s->n) add(c, out, &cap, r1i_j_sv(r1i_j_slice(c, s, start, s->n)));
    return out;
}

/* ---- str --------------------------------------------------------------------------------------------------------- */
static jval split_space(jctx *c, const jstr *s, int64_t max, bool from_right)
{
    jlist *const out = r1i_j_list(c, 0);
    size_t cap = 0;
    const jstr *rest = r1i_j_strip(c, s, NULL, true, true);
    while (rest->n) {
        size_t cut = from_right ? 0 : rest->n, other = cut;
        uint32_t cp;
        if (max != 0) {
            for (size_t p = 0, n; p < rest->n; p += n) {
                n = r1i_j_decode(rest->p + p, rest->n - p, &cp);
                if (!r1i_j_space(cp)) continue;
                cut = p;
                other = p + n;
                if (!from_right) break;
            }
            max -= max > 0;
        }
        add(c, out, &cap, r1i_j_sv(from_right ? r1i_j_slice(c, rest, other, rest->n) : r1i_j_slice(c, rest, 0, cut)));
        rest = from_right ? r1i_j_strip(c, r1i_j_slice(c, rest, 0, cut), NULL, false, true)
                          : r1i_j_strip(c, r1i_j_slice(c, rest, other, rest->n), NULL, true, false);
        r1i_j_step(c, 1 + rest->n / 32);
    }
    for (size_t i = 0; from_right && i < out->n / 2; i++) {
        const jval t = out->v[i];
        out->v[i] = out->v[out->n - 1 - i];
        out->v[out->n - 1 - i] = t;
    }
    return r1i_j_listv(out, J_LIST);
}

/* Last occurrence of part in s[0, end), or NULL. */
static const char *last_hit(const jstr *s, size_t end, const jstr *part)
{
    for (size_t p = end; p >= part->n; p--) {
        if (memcmp(s->p + p - part->n, part->p, part->n) == 0) return s->p + p - part->n;
        if (p == 0) break;
    }
    return NULL;
}

static jval split_by(jctx *c, const jstr *s, const jstr *sep, int64_t max, bool from_right)
{
    jlist *const out = r1i_j_list(c, 0);
    size_t cap = 0, begin = 0, end = s->n;
    if (sep->n == 0) r1i_j_raise(c, "empty separator");
    for (; max != 0; max--) {
        r1i_j_step(c, 1);
        const char *const hit = from_right ? last_hit(s, end, sep) : memmem(s->p + begin, end - begin, sep->p, sep->n);
        if (!hit) break;
        const size_t at = (size_t)(hit - s->p);
        add(c, out, &cap, r1i_j_sv(from_right ? r1i_j_slice(c, s, at + sep->n, end) : r1i_j_slice(c, s, begin, at)));
        if (from_right) end = at;
        else begin = at + sep->n;
    }
    add(c, out, &cap, r1i_j_sv(r1i_j_slice(c, s, begin, end)));
    for (size_t i = 0; from_right && i < out->n / 2; i++) {
        const jval t = out->v[i];
        out->v[i] = out->v[out->n - 1 - i];
        out->v[out->n - 1 - i] = t;
    }
    return r1i_j_listv(out, J_LIST);
}

static jval do_split(jctx *c, const jstr *s, jargs *a, bool from_right)
{
    const jval sep = r1i_j_arg_or(c, a, 0, "sep", r1i_j_none);
    const int64_t max = int_arg(c, a, 1, "maxsplit", -1);
    if (sep.kind == J_NONE) return split_space(c, s, max < 0 ? -1 : max, from_right);
    if (sep.kind != J_STR) r1i_j_raise(c, "must be str or None, not %s", r1i_j_type_name(sep));
    return split_by(c, s, sep.u.s, max < 0 ? -1 : max, from_right);
}

static jval do_partition(jctx *c, const jstr *s, const jstr *sep, bool from_right)
{
    jlist *const l = r1i_j_list(c, 3);
    if (sep->n == 0) r1i_j_raise(c, "empty separator");
    const char *const hit = from_right ? last_hit(s, s->n, sep) : memmem(s->p, s->n, sep->p, sep->n);
    const size_t at = hit ? (size_t)(hit - s->p) : from_right ? 0 : s->n;
    l->v[0] = r1i_j_sv(r1i_j_slice(c, s, 0, hit || !from_right ? at : 0));
    l->v[1] = r1i_j_sv(hit ? r1i_j_slice(c, s, at, at + sep->n) : r1i_j_lit(c, ""));
    l->v[2] = r1i_j_sv(r1i_j_slice(c, s, hit ? at + sep->n : from_right ? 0 : s->n, s->n));
    return r1i_j_listv(l, J_TUPLE);
}

static size_t byte_at(const jstr *s, int64_t chars)
{
    size_t p = 0;
    while (chars-- > 0 && p < s->n) p += char_bytes(s, p);
    return p;
}

/* Optional start and end (arguments 1 and 2) as bytes; false when the window is empty the wrong way round. */
static bool window(jctx *c, const jstr *s, jargs *a, size_t *begin, size_t *end)
{
    const int64_t n = (int64_t)s->chars;
    const jval from = r1i_j_arg_or(c, a, 1, "start", r1i_j_none), to = r1i_j_arg_or(c, a, 2, "end", r1i_j_none);
    int64_t b = from.kind == J_INT ? from.u.i : 0, e = to.kind == J_INT ? to.u.i : n;
    b = b < 0 ? (b + n < 0 ? 0 : b + n) : b;
    e = e < 0 ? (e + n < 0 ? 0 : e + n) : e > n ? n : e;
    r1i_j_step(c, s->n / 32);
    if (b > n || b > e) return false;
    *begin = byte_at(s, b);
    *end = byte_at(s, e);
    return true;
}

static size_t chars_before(const jstr *s, size_t p)
{
    size_t k = 0;
    for (size_t i = 0; i < p; i++) k += ((uint8_t)s->p[i] & 0xC0) != 0x80;
    return k;
}

static jval do_find(jctx *c, const jstr *s, jargs *a, const char *name)
{
    const jstr *const part = need_str(c, a, 0, "sub", name);
    size_t b, e;
    const bool right = name[0] == 'r';
    const char *hit = NULL;
    if (window(c, s, a, &b, &e) && e - b >= part->n) {
        if (!right) hit = part->n ? memmem(s->p + b, e - b, part->p, part->n) : s->p + b;
        else hit = last_hit(s, e, part);
        if (hit && hit < s->p + b) hit = NULL;
    }
    if (!hit && strstr(name, "index")) r1i_j_raise(c, "substring not found");
    return r1i_j_int(hit ? (int64_t)chars_before(s, (size_t)(hit - s->p)) : -1);
}

static jval do_count(jctx *c, const jstr *s, jargs *a)
{
    const jstr *const part = need_str(c, a, 0, "sub", "count");
    size_t b, e;
    int64_t n = 0;
    if (!window(c, s, a, &b, &e)) return r1i_j_int(0);
    if (part->n == 0) return r1i_j_int((int64_t)(chars_before(s, e) - chars_before(s, b)) + 1);
    for (const char *hit; (hit = memmem(s->p + b, e - b, part->p, part->n)) != NULL; n++)
        b = (size_t)(hit - s->p) + part->n;
    return r1i_j_int(n);
}

static jval do_affix(jctx *c, const jstr *s, jargs *a, bool start)
{
    const jval v = r1i_j_arg_need(c, a, 0, "prefix", start ? "startswith" : "endswith");
    const jval one[1] = {v};
    const jlist single = {.v = (jval *)(uintptr_t)one, .n = 1}, *const l = v.kind == J_TUPLE ? v.u.l : &single;
    size_t b, e;
    const bool ok = window(c, s, a, &b, &e);
    for (size_t i = 0; i < l->n; i++) {
        if (l->v[i].kind == J_UNDEF) r1i_j_raise(c, "%s", l->v[i].u.u->message);
        if (l->v[i].kind != J_STR)
            r1i_j_raise(c, "%s first arg must be str or a tuple of str, not %s", start ? "startswith" : "endswith",
                        r1i_j_type_name(l->v[i]));
        const jstr *const x = l->v[i].u.s;
        if (ok && x->n <= e - b && memcmp(start ? s->p + b : s->p + e - x->n, x->p, x->n) == 0) return r1i_j_bool(true);
    }
    return r1i_j_bool(false);
}

/* str.title: a letter after a non-letter becomes title case */
static const jstr *title(jctx *c, const jstr *s, bool swap)
{
    jout o = {.markup = s->markup};
    bool in_word = false;
    for (size_t p = 0, n; p < s->n; p += n) {
        uint32_t cp;
        n = r1i_j_decode(s->p + p, s->n - p, &cp);
        const bool t = s->mask ? s->mask[p] : s->trusted;
        const bool low = utf8proc_islower((utf8proc_int32_t)cp), up = utf8proc_isupper((utf8proc_int32_t)cp);
        const bool letter = low || up || r1i_j_category(cp) == 3;
        if (swap ? low : !in_word) {
            if (swap) r1i_j_put_upper(c, &o, cp, t);
            else r1i_j_put_title(c, &o, cp, t);
        } else if (swap ? up : letter) {
            r1i_j_put_lower(c, &o, s, p, cp);
        } else {
            r1i_j_put_part(c, &o, s, p, p + n);
        }
        in_word = letter;
    }
    return r1i_j_done(c, &o);
}

static const jstr *casefold(jctx *c, const jstr *s)
{
    jout o = {0};
    for (size_t p = 0, n; p < s->n; p += n) {
        uint32_t cp;
        utf8proc_int32_t to[8];
        int last = UTF8PROC_BOUNDCLASS_START;
        n = r1i_j_decode(s->p + p, s->n - p, &cp);
        const utf8proc_ssize_t k = utf8proc_decompose_char((utf8proc_int32_t)cp, to, 8, UTF8PROC_CASEFOLD, &last);
        for (utf8proc_ssize_t i = 0; i < k; i++)
            r1i_j_put_char(c, &o, (uint32_t)to[i], s->mask ? s->mask[p] : s->trusted);
    }
    return r1i_j_done(c, &o);
}

static const jstr *pad(jctx *c, const jstr *s, jargs *a, const char *name)
{
    const int64_t width = int_arg(c, a, 0, "width", 0);
    const jval fill = r1i_j_arg_or(c, a, 1, "fillchar", r1i_j_sv(r1i_j_lit(c, " ")));
    if (fill.kind != J_STR || fill.u.s->chars != 1)
        r1i_j_raise(c, "The fill character must be exactly one character long");
    const int64_t n = width - (int64_t)s->chars;
    if (n <= 0) return s;
    const int64_t left = name[0] == 'l' ? 0 : name[0] == 'r' ? n : n / 2 + (n & width & 1);
    jout o = {.markup = s->markup};
    for (int64_t i = 0; i < left; i++) r1i_j_puts(c, &o, fill.u.s);
    r1i_j_puts(c, &o, s);
    for (int64_t i = left; i < n; i++) r1i_j_puts(c, &o, fill.u.s);
    return r1i_j_done(c, &o);
}

static const jstr *zfill(jctx *c, const jstr *s, int64_t width)
{
    const size_t sign = s->n && (s->p[0] == '+' || s->p[0] == '-') ? 1 : 0;
    jout o = {.markup = s->markup};
    r1i_j_put_part(c, &o, s, 0, sign);
    for (int64_t i = (int64_t)s->chars; i < width; i++) r1i_j_putz(c, &o, "0");
    r1i_j_put_part(c, &o, s, sign, s->n);
    return r1i_j_done(c, &o);
}

static const jstr *expandtabs(jctx *c, const jstr *s, int64_t size)
{
    jout o = {.markup = s->markup};
    int64_t column = 0;
    for (size_t p = 0, n; p < s->n; p += n) {
        n = char_bytes(s, p);
        const char ch = s->p[p];
        if (ch == '\t') {
            for (int64_t k = size > 0 ? size - column % size : 0; k > 0; k--, column++)
                r1i_j_put(c, &o, " ", 1, s->mask ? s->mask[p] : s->trusted);
            continue;
        }
        column = ch == '\n' || ch == '\r' ? 0 : column + 1;
        r1i_j_put_part(c, &o, s, p, p + n);
    }
    return r1i_j_done(c, &o);
}

static bool char_is(const char *what, uint32_t cp)
{
    const int k = r1i_j_category(cp);
    if (!strcmp(what, "isalpha")) return k >= 1 && k <= 5;
    if (!strcmp(what, "isdecimal")) return k == 9;
    if (!strcmp(what, "isdigit"))
        return k == 9 || cp == 0xB2 || cp == 0xB3 || cp == 0xB9 || (cp >= 0x2070 && cp <= 0x2089 && k == 11) ||
            (cp >= 0x2460 && cp <= 0x2468);
    if (!strcmp(what, "isnumeric")) return k >= 9 && k <= 11;
    if (!strcmp(what, "isalnum")) return (k >= 1 && k <= 5) || (k >= 9 && k <= 11);
    if (!strcmp(what, "isspace")) return r1i_j_space(cp);
    if (!strcmp(what, "isprintable")) return r1i_j_printable(cp);
    return cp < 128; /* isascii */
}

static bool classify(const jstr *s, const char *what)
{
    bool any = false, word = false;
    if (!strcmp(what, "isprintable") || !strcmp(what, "isascii")) any = true; /* true of the empty string */
    for (size_t p = 0, n; p < s->n; p += n) {
        uint32_t cp;
        n = r1i_j_decode(s->p + p, s->n - p, &cp);
        const bool low = utf8proc_islower((utf8proc_int32_t)cp),
                   up = utf8proc_isupper((utf8proc_int32_t)cp) || r1i_j_category(cp) == 3;
        if (!strcmp(what, "islower") || !strcmp(what, "isupper")) {
            if (what[2] == 'l' ? up : low) return false;
            any |= what[2] == 'l' ? low : up;
        } else if (!strcmp(what, "istitle")) {
            if ((up && word) || (low && !word)) return false;
            any |= up;
            word = up || low;
        } else if (!strcmp(what, "isidentifier")) {
            const int k = r1i_j_category(cp);
            if (!(cp == '_' || (k >= 1 && k <= 5) || k == 10 || (p && (k == 6 || k == 7 || k == 9 || k == 12))))
                return false;
            any = true;
        } else {
            if (!char_is(what, cp)) return false;
            any = true;
        }
    }
    return any;
}

static jval str_method(jctx *c, const jstr *s, const char *m, jargs *a)
{
    if (!strcmp(m, "split") || !strcmp(m, "rsplit")) return do_split(c, s, a, m[0] == 'r');
    if (!strcmp(m, "strip") || !strcmp(m, "lstrip") || !strcmp(m, "rstrip")) {
        const jval chars = r1i_j_arg_or(c, a, 0, "chars", r1i_j_none);
        if (chars.kind != J_NONE && chars.kind != J_STR) r1i_j_raise(c, "%s arg must be None or str", m);
        return r1i_j_sv(r1i_j_strip(c, s, chars.kind == J_STR ? chars.u.s : NULL, m[0] != 'r', m[0] != 'l'));
    }
    if (!strcmp(m, "startswith") || !strcmp(m, "endswith")) return do_affix(c, s, a, m[0] == 's');
    if (!strcmp(m, "replace")) {
        const jstr *const from = need_str(c, a, 0, "old", m), *const to = need_str(c, a, 1, "new", m);
        return r1i_j_sv(r1i_j_replace(c, s, from, to, int_arg(c, a, 2, "count", -1)));
    }
    if (!strcmp(m, "find") || !strcmp(m, "rfind") || !strcmp(m, "index") || !strcmp(m, "rindex"))
        return do_find(c, s, a, m);
    if (!strcmp(m, "count")) return do_count(c, s, a);
    if (!strcmp(m, "upper")) return r1i_j_sv(r1i_j_upper(c, s));
    if (!strcmp(m, "lower")) return r1i_j_sv(r1i_j_lower(c, s));
    if (!strcmp(m, "capitalize")) return r1i_j_sv(r1i_j_capitalize(c, s));
    if (!strcmp(m, "title") || !strcmp(m, "swapcase")) return r1i_j_sv(title(c, s, m[0] == 's'));
    if (!strcmp(m, "casefold")) return r1i_j_sv(casefold(c, s));
    if (!strcmp(m, "join")) {
        jlist *const items = r1i_j_collect(c, r1i_j_arg_need(c, a, 0, "iterable", m));
        for (size_t i = 0; i < items->n; i++)
            if (items->v[i].kind != J_STR)
                r1i_j_raise(c, "sequence item %zu: expected str instance, %s found", i, r1i_j_type_name(items->v[i]));
        return r1i_j_sv(r1i_j_join(c, s, items));
    }
    if (!strcmp(m, "splitlines"))
        return r1i_j_listv(r1i_j_splitlines(c, s, r1i_j_truth(c, r1i_j_arg_or(c, a, 0, "keepends", r1i_j_none))),
                           J_LIST);
    if (!strcmp(m, "partition") || !strcmp(m, "rpartition"))
        return do_partition(c, s, need_str(c, a, 0, "sep", m), m[0] == 'r');
    if (!strcmp(m, "removeprefix") || !strcmp(m, "removesuffix")) {
        const jstr *const x = need_str(c, a, 0, "prefix", m);
        const bool start = m[6] == 'p',
                   hit = x->n <= s->n && memcmp(start ? s->p : s->p + s->n - x->n, x->p, x->n) == 0;
        return r1i_j_sv(!hit ? s : start ? r1i_j_slice(c, s, x->n, s->n) : r1i_j_slice(c, s, 0, s->n - x->n));
    }
    if (!strcmp(m, "ljust") || !strcmp(m, "rjust") || !strcmp(m, "center")) return r1i_j_sv(pad(c, s, a, m));
    if (!strcmp(m, "zfill")) return r1i_j_sv(zfill(c, s, int_arg(c, a, 0, "width", 0)));
    if (!strcmp(m, "expandtabs")) return r1i_j_sv(expandtabs(c, s, int_arg(c, a, 0, "tabsize", 8)));
    if (!strncmp(m, "is", 2)) return r1i_j_bool(classify(s, m));
    r1i_j_fail(c, R1_ERR_UNSUPPORTED, "str.%s() in a template", m);
}

/* ---- list, dict, others ------------------------------------------------------------------------------------------ */
static jval list_method(jctx *c, jval self, const char *m, jargs *a)
{
    if (!strcmp(m, "copy")) return self;
    const jlist *const l = r1i_j_collect(c, self);
    const jval x = r1i_j_arg_need(c, a, 0, "value", m);
    int64_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (!r1i_j_equal(c, l->v[i], x)) continue;
        if (m[0] == 'i') return r1i_j_int((int64_t)i);
        n++;
    }
    if (m[0] == 'i') r1i_j_raise(c, "the value is not in the %s", r1i_j_type_name(self));
    return r1i_j_int(n);
}

static jval dict_method(jctx *c, jval self, const char *m, jargs *a)
{
    if (!strcmp(m, "get")) {
        const jval key = r1i_j_arg_need(c, a, 0, "key", m);
        const jval otherwise = r1i_j_arg_or(c, a, 1, "default", r1i_j_none);
        const jval *const v = r1i_j_dict_get(c, self.u.m, key);
        return v ? *v : otherwise;
    }
    if (!strcmp(m, "copy")) return self;
    if (!strcmp(m, "fromkeys")) r1i_j_fail(c, R1_ERR_UNSUPPORTED, "dict.fromkeys() in a template");
    return (jval){.kind = J_VIEW, .aux = m[0] == 'k' ? J_KEYS : m[0] == 'v' ? J_VALUES : J_ITEMS, .u.m = self.u.m};
}

static jval loop_method(jctx *c, jloop *l, const char *m, jargs *a)
{
    a->taken = a->n;
    if (!strcmp(m, "cycle")) {
        if (!a->n) r1i_j_raise(c, "no items for cycling given");
        return a->v[(size_t)l->index0 % a->n];
    }
    jlist *const now = r1i_j_list(c, a->n);
    if (a->n) memcpy(now->v, a->v, a->n * sizeof *now->v);
    const jval v = r1i_j_listv(now, J_TUPLE);
    const bool changed = !l->has_changed || !r1i_j_equal(c, l->changed, v);
    l->has_changed = true;
    l->changed = v;
    return r1i_j_bool(changed);
}

static const char *const str_methods =
    " capitalize casefold center count encode endswith expandtabs find format format_map index isalnum isalpha isascii "
    "isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip maketrans "
    "partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith "
    "strip swapcase title translate upper zfill ";

static bool listed(const char *names, const char *name, size_t n)
{
    for (const char *p = names; (p = memmem(p, strlen(p), name, n)) != NULL; p++)
        if (p > names && p[-1] == ' ' && p[n] == ' ') return true;
    return false;
}

bool r1i_j_has_method(jval self, const char *name, size_t n, bool *mutates)
{
    *mutates = false;
    if (n == 0 || memchr(name, ' ', n) || memchr(name, 0, n)) return false;
    switch (self.kind) {
    case J_STR: return listed(str_methods, name, n);
    case J_LIST:
        *mutates = listed(" append clear pop reverse insert sort extend remove ", name, n);
        return listed(" count index copy ", name, n);
    case J_TUPLE:
    case J_RANGE: return listed(" count index ", name, n);
    case J_DICT:
        *mutates = listed(" clear pop popitem setdefault update ", name, n);
        return listed(" get keys values items copy fromkeys ", name, n);
    case J_FLOAT: return listed(" is_integer ", name, n);
    case J_LOOP: return listed(" cycle changed ", name, n);
    case J_CYCLER: return listed(" next reset ", name, n);
    default: return false;
    }
}

jval r1i_j_call_method(jctx *c, const jmethod *m, jargs *a)
{
    const jval self = m->self;
    jval out = r1i_j_none;
    switch (self.kind) {
    case J_STR:
        if (!strcmp(m->name, "format")) return r1i_j_sv(r1i_j_format(c, self.u.s, a));
        if (!strcmp(m->name, "format_map")) {
            const jval map = r1i_j_arg_need(c, a, 0, "mapping", "format_map");
            jargs by_name = {0};
            if (map.kind != J_DICT) r1i_j_raise(c, "format_map() needs a mapping");
            by_name.kw_names = r1i_j_array(c, map.u.m->n, sizeof *by_name.kw_names);
            by_name.kw = r1i_j_array(c, map.u.m->n, sizeof *by_name.kw);
            for (size_t i = 0; i < map.u.m->n; i++) {
                if (map.u.m->kv[2 * i].kind != J_STR) continue;
                by_name.kw_names[by_name.n_kw] = map.u.m->kv[2 * i].u.s;
                by_name.kw[by_name.n_kw++] = map.u.m->kv[2 * i + 1];
            }
            return r1i_j_sv(r1i_j_format(c, self.u.s, &by_name));
        }
        out = str_method(c, self.u.s, m->name, a);
        break;
    case J_LIST:
    case J_TUPLE:
    case J_RANGE: out = list_method(c, self, m->name, a); break;
    case J_DICT: out = dict_method(c, self, m->name, a); break;
    case J_FLOAT: out = r1i_j_bool(self.u.d == (double)(int64_t)self.u.d); break;
    case J_LOOP: out = loop_method(c, self.u.loop, m->name, a); break;
    case J_CYCLER:
        if (!strcmp(m->name, "next")) {
            out = self.u.cycler->items->v[self.u.cycler->pos];
            self.u.cycler->pos = (self.u.cycler->pos + 1) % self.u.cycler->items->n;
        } else {
            self.u.cycler->pos = 0;
        }
        break;
    default: break;
    }
    r1i_j_arg_end(c, a, m->name);
    return out;
}

/* ---- globals ----------------------------------------------------------------------------------------------------- */
static const char *const globals[] = {"range", "dict", "namespace", "raise_exception", "strftime_now", "cycler",
                                      "joiner", "lipsum"};
enum { F_RANGE, F_DICT, F_NAMESPACE, F_RAISE, F_STRFTIME, F_CYCLER, F_JOINER, F_LIPSUM, F_N };

bool r1i_j_global(jctx *c, const jstr *name, jval *out)
{
    r1i_j_step(c, 1);
    for (int i = 0; i < F_N; i++)
        if (r1i_j_is(name, globals[i])) {
            *out = (jval){.kind = J_FUNC, .aux = i};
            return true;
        }
    return false;
}

static jval make_range(jctx *c, jargs *a)
{
    int64_t v[3] = {0, 0, 1};
    if (a->n < 1 || a->n > 3) r1i_j_raise(c, "range expected 1 to 3 arguments, got %zu", a->n);
    for (size_t i = 0; i < a->n; i++) v[a->n == 1 ? 1 : i] = int_arg(c, a, i, "", 0);
    if (v[2] == 0) r1i_j_raise(c, "range() arg 3 must not be zero");
    const bool up = v[2] > 0;
    const uint64_t span = up ? (v[1] > v[0] ? (uint64_t)v[1] - (uint64_t)v[0] : 0)
        : (v[0] > v[1] ? (uint64_t)v[0] - (uint64_t)v[1] : 0);
    const uint64_t step = up ? (uint64_t)v[2] : 0 - (uint64_t)v[2], n = span ? (span - 1) / step + 1 : 0;
    if (n > 100000) r1i_j_raise(c, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
    jrange *const r = r1i_j_alloc(c, sizeof *r);
    *r = (jrange){.start = v[0], .stop = v[1], .step = v[2], .n = (size_t)n};
    return (jval){.kind = J_RANGE, .u.r = r};
}

static jdict *make_dict(jctx *c, jargs *a)
{
    jdict *const m = r1i_j_dict(c, a->n_kw);
    jval from;
    if (r1i_j_arg(c, a, 0, "", &from)) {
        if (from.kind == J_DICT) {
            for (size_t i = 0; i < from.u.m->n; i++) r1i_j_dict_set(c, m, from.u.m->kv[2 * i], from.u.m->kv[2 * i + 1]);
        } else {
            const jlist *const l = r1i_j_collect(c, from);
            for (size_t i = 0; i < l->n; i++) {
                const jlist *const kv = r1i_j_collect(c, l->v[i]);
                if (kv->n != 2)
                    r1i_j_raise(c, "dictionary update sequence element #%zu has length %zu; 2 is required", i, kv->n);
                r1i_j_dict_set(c, m, kv->v[0], kv->v[1]);
            }
        }
    }
    for (size_t i = 0; i < a->n_kw; i++) {
        r1i_j_dict_set(c, m, r1i_j_sv(a->kw_names[i]), a->kw[i]);
        a->kw_used |= (uint64_t)1 << i;
    }
    return m;
}

static jval make_namespace(jctx *c, jargs *a)
{
    jdict *const m = make_dict(c, a);
    for (size_t i = 0; i < m->n; i++)
        if (m->kv[2 * i].kind == J_STR && m->kv[2 * i].u.s->n && m->kv[2 * i].u.s->p[0] == '_')
            r1i_j_raise(c, "chat templates cannot store underscore-prefixed attributes on a namespace");
    return (jval){.kind = J_SPACE, .u.m = m};
}

static jval now(jctx *c, jargs *a)
{
    const jstr *const f = need_str(c, a, 0, "format", "strftime_now");
    char text[512], *const fmt = r1i_j_alloc(c, f->n + 1);
    memcpy(fmt, f->p, f->n);
    fmt[f->n] = '\0';
    const time_t t = time(NULL);
    struct tm tm;
    localtime_r(&t, &tm);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    const size_t n = strftime(text, sizeof text, fmt, &tm);
#pragma GCC diagnostic pop
    char *const copy = r1i_j_alloc(c, n + 1);
    memcpy(copy, text, n);
    return r1i_j_sv(r1i_j_str(c, copy, n, f->mask ? false : f->trusted));
}

jval r1i_j_call_func(jctx *c, int id, jargs *a)
{
    jval out = r1i_j_none;
    switch (id) {
    case F_RANGE: out = make_range(c, a); break;
    case F_DICT: out = (jval){.kind = J_DICT, .u.m = make_dict(c, a)}; break;
    case F_NAMESPACE: out = make_namespace(c, a); break;
    case F_RAISE: {
        const jstr *const text = r1i_j_text(c, r1i_j_arg_need(c, a, 0, "message", "raise_exception"));
        char message[500];
        size_t n = text->n < sizeof message - 1 ? text->n : sizeof message - 1;
        r1i_j_arg_end(c, a, "raise_exception");
        while (n < text->n && n > 0 && ((uint8_t)text->p[n] & 0xC0) == 0x80) n--; /* whole characters */
        for (size_t i = 0; i < n; i++) message[i] = text->p[i] ? text->p[i] : ' ';
        message[n] = '\0';
        r1i_j_raise(c, "%s", n ? message : "the template raised an exception without a message");
    }
    case F_STRFTIME: out = now(c, a); break;
    case F_CYCLER: {
        if (!a->n) r1i_j_raise(c, "at least one item has to be provided");
        jcycler *const k = r1i_j_alloc(c, sizeof *k);
        *k = (jcycler){.items = r1i_j_list(c, a->n)};
        memcpy(k->items->v, a->v, a->n * sizeof *a->v);
        a->taken = a->n;
        out = (jval){.kind = J_CYCLER, .u.cycler = k};
        break;
    }
    case F_JOINER: {
        jjoiner *const k = r1i_j_alloc(c, sizeof *k);
        *k = (jjoiner){.sep = r1i_j_text(c, r1i_j_arg_or(c, a, 0, "sep", r1i_j_sv(r1i_j_lit(c, ", "))))};
        out = (jval){.kind = J_JOINER, .u.joiner = k};
        break;
    }
    default: r1i_j_fail(c, R1_ERR_UNSUPPORTED, "%s() in a template", globals[id]);
    }
    r1i_j_arg_end(c, a, globals[id]);
    return out;
}

/* ---- loop.* ------------------------------------------------------------------------------------------------------ */
int64_t r1i_j_loop_length(jctx *c, jloop *l)
{
    if (l->length >= 0) return l->length;
    if (!l->def->c && l->it.src.kind != J_ITER && l->it.src.kind != J_LOOP) return l->length = r1i_j_len(c, l->it.src);
    /* unknown length: run the iterator to its end now, as jinja2 does, and go on from what came out */
    jlist *const rest = r1i_j_list(c, 0);
    size_t cap = 0;
    for (jval v; r1i_j_loop_next(c, l, &v);) add(c, rest, &cap, v);
    l->it = (jiter){.src = r1i_j_listv(rest, J_LIST)};
    l->length = (int64_t)rest->n + l->index0 + 1 + l->has_after;
    /* these items have passed the loop's own test already */
    jnode *const def = r1i_j_alloc(c, sizeof *def);
    *def = *l->def;
    def->c = NULL;
    l->def = def;
    return l->length;
}

static bool peek(jctx *c, jloop *l)
{
    if (l->has_after) return true;
    if (l->ended) return false;
    l->has_after = r1i_j_loop_next(c, l, &l->after);
    l->ended = !l->has_after;
    return l->has_after;
}

jval r1i_j_loop_attr(jctx *c, jloop *l, const char *name, size_t n, bool *found)
{
    const jstr key = {.p = name, .n = n};
    *found = true;
    if (r1i_j_is(&key, "index")) return r1i_j_int(l->index0 + 1);
    if (r1i_j_is(&key, "index0")) return r1i_j_int(l->index0);
    if (r1i_j_is(&key, "first")) return r1i_j_bool(l->index0 == 0);
    if (r1i_j_is(&key, "last")) return r1i_j_bool(!peek(c, l));
    if (r1i_j_is(&key, "length")) return r1i_j_int(r1i_j_loop_length(c, l));
    if (r1i_j_is(&key, "revindex")) return r1i_j_int(r1i_j_loop_length(c, l) - l->index0);
    if (r1i_j_is(&key, "revindex0")) return r1i_j_int(r1i_j_loop_length(c, l) - l->index0 - 1);
    if (r1i_j_is(&key, "previtem")) return l->index0 == 0 ? r1i_j_undef(c, "there is no previous item") : l->before;
    if (r1i_j_is(&key, "nextitem")) return peek(c, l) ? l->after : r1i_j_undef(c, "there is no next item");
    if (r1i_j_is(&key, "depth")) return r1i_j_int(l->depth0 + 1);
    if (r1i_j_is(&key, "depth0")) return r1i_j_int(l->depth0);
    *found = false;
    return r1i_j_none;
}

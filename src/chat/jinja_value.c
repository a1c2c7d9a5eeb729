/* Values: memory, strings with provenance, containers, Python's truth, equality, order and iteration. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "chat/jinja.h"

/* ---- memory and errors ------------------------------------------------------------------------------------------- */
struct jchunk { jchunk *next; };
enum { CHUNK = 32 * 1024, ALIGN = 16, HEADER = 16 };

void r1i_j_pool_free(jpool *pool)
{
    for (jchunk *k = pool->head, *next; k; k = next) {
        next = k->next;
        free(k);
    }
    *pool = (jpool){0};
}

void r1i_j_fail(jctx *c, r1_status st, const char *fmt, ...)
{
    char text[sizeof c->err->message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (char *p = text; *p; p++) /* a message is one line */
        if (*p == '\n' || *p == '\r') *p = ' ';
    c->status = r1i_fail_at(c->err, st, (int64_t)c->offset, "%s", text);
    if (c->err) c->err->line = c->line;
    longjmp(c->jump, 1);
}

void r1i_j_raise(jctx *c, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    r1i_j_fail(c, R1_ERR_FORMAT, "%s", text);
}

void *r1i_j_alloc(jctx *c, size_t bytes)
{
    jpool *const p = c->pool;
    bytes = r1i_align_up(bytes ? bytes : 1, ALIGN);
    if (bytes > p->cap - p->used) {
        const size_t cap = bytes + HEADER > CHUNK ? bytes + HEADER : CHUNK;
        if (cap > p->limit || p->total > p->limit - cap)
            r1i_j_fail(c, R1_ERR_RANGE, "the template needs more than %zu MiB of memory", p->limit >> 20);
        jchunk *const k = malloc(cap);
        if (!k) r1i_j_fail(c, R1_ERR_NOMEM, "template memory, %zu bytes", cap);
        p->total += cap;
        if (cap > CHUNK && p->head) { /* a big piece of its own: the current chunk goes on being filled */
            k->next = p->head->next;
            p->head->next = k;
            return (char *)k + HEADER;
        }
        k->next = p->head;
        p->head = k;
        p->cap = cap;
        p->used = HEADER;
    }
    void *const out = (char *)p->head + p->used;
    p->used += bytes;
    return out;
}

void *r1i_j_array(jctx *c, size_t n, size_t size)
{
    size_t bytes;
    if (!r1i_mul_size(n, size, &bytes) || bytes > SIZE_MAX / 2) r1i_j_fail(c, R1_ERR_RANGE, "a list of %zu items", n);
    return r1i_j_alloc(c, bytes);
}

void r1i_j_step(jctx *c, size_t n)
{
    c->steps -= n > INT32_MAX ? INT32_MAX : (int64_t)n;
    if (c->steps < 0) r1i_j_fail(c, R1_ERR_RANGE, "the template runs too long (step limit)");
}

void r1i_j_enter(jctx *c)
{
    r1i_j_step(c, 1);
    if (++c->depth > c->max_depth) r1i_j_fail(c, R1_ERR_RANGE, "the template recurses too deeply");
}

/* ---- strings ----------------------------------------------------------------------------------------------------- */
const jval r1i_j_none = {.kind = J_NONE};

static size_t count_chars(const char *p, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) k += ((uint8_t)p[i] & 0xC0) != 0x80;
    return k;
}

const jstr *r1i_j_str(jctx *c, const char *p, size_t n, bool trusted)
{
    jstr *const s = r1i_j_alloc(c, sizeof *s);
    *s = (jstr){.p = p, .n = n, .chars = count_chars(p, n), .trusted = trusted};
    r1i_j_step(c, n / 64);
    return s;
}

const jstr *r1i_j_lit(jctx *c, const char *text) { return r1i_j_str(c, text, strlen(text), true); }

const jstr *r1i_j_slice(jctx *c, const jstr *s, size_t begin, size_t end)
{
    if (begin == 0 && end == s->n) return s;
    jstr *const t = r1i_j_alloc(c, sizeof *t);
    *t = *s;
    t->p = s->p + begin;
    t->n = end - begin;
    if (s->mask) t->mask = s->mask + begin;
    t->chars = s->chars == s->n ? t->n : count_chars(t->p, t->n);
    r1i_j_step(c, t->n / 64);
    return t;
}

bool r1i_j_streq(const jstr *a, const jstr *b) { return a == b || (a->n == b->n && memcmp(a->p, b->p, a->n) == 0); }
bool r1i_j_is(const jstr *a, const char *text) { return a->n == strlen(text) && memcmp(a->p, text, a->n) == 0; }

jval r1i_j_undef(jctx *c, const char *fmt, ...)
{
    char text[300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    const size_t n = strlen(text) + 1;
    char *const p = r1i_j_alloc(c, n);
    memcpy(p, text, n);
    jundef *const u = r1i_j_alloc(c, sizeof *u);
    *u = (jundef){.message = p};
    return (jval){.kind = J_UNDEF, .u.u = u};
}

/* ---- builder ----------------------------------------------------------------------------------------------------- */
static void grow(jctx *c, jout *o, size_t n)
{
    if (n > c->max_output || o->n > c->max_output - n)
        r1i_j_fail(c, R1_ERR_RANGE, "a string of more than %zu bytes (output limit)", c->max_output);
    r1i_j_step(c, n / 64);
    if (o->n + n <= o->cap) return;
    size_t cap = o->cap ? o->cap * 2 : 64;
    while (cap < o->n + n) cap *= 2;
    char *const p = r1i_j_alloc(c, cap);
    if (o->n) memcpy(p, o->p, o->n);
    o->p = p;
    if (o->mask) {
        uint8_t *const m = r1i_j_alloc(c, cap);
        memcpy(m, o->mask, o->n);
        o->mask = m;
    }
    o->cap = cap;
}

/* The mask appears with the first byte that disagrees with the bytes before it. */
static void need_mask(jctx *c, jout *o)
{
    if (o->mask) return;
    o->mask = r1i_j_alloc(c, o->cap);
    memset(o->mask, o->any[1], o->n);
}

void r1i_j_put(jctx *c, jout *o, const char *p, size_t n, bool trusted)
{
    if (n == 0) return;
    grow(c, o, n);
    if (o->any[!trusted]) need_mask(c, o);
    memcpy(o->p + o->n, p, n);
    if (o->mask) memset(o->mask + o->n, trusted, n);
    o->any[trusted] = true;
    o->n += n;
}

void r1i_j_putz(jctx *c, jout *o, const char *text) { r1i_j_put(c, o, text, strlen(text), true); }

void r1i_j_put_part(jctx *c, jout *o, const jstr *s, size_t begin, size_t end)
{
    const size_t n = end - begin;
    if (!s->mask) {
        r1i_j_put(c, o, s->p + begin, n, s->trusted);
        return;
    }
    if (n == 0) return;
    grow(c, o, n);
    need_mask(c, o);
    memcpy(o->p + o->n, s->p + begin, n);
    memcpy(o->mask + o->n, s->mask + begin, n);
    o->any[0] = o->any[1] = true;
    o->n += n;
}

void r1i_j_put_char(jctx *c, jout *o, uint32_t cp, bool trusted)
{
    char b[4];
    size_t n;
    if (cp < 0x80) b[0] = (char)cp, n = 1;
    else if (cp < 0x800) b[0] = (char)(0xC0 | cp >> 6), b[1] = (char)(0x80 | (cp & 63)), n = 2;
    else if (cp < 0x10000)
        b[0] = (char)(0xE0 | cp >> 12), b[1] = (char)(0x80 | (cp >> 6 & 63)), b[2] = (char)(0x80 | (cp & 63)), n = 3;
    else
        b[0] = (char)(0xF0 | cp >> 18), b[1] = (char)(0x80 | (cp >> 12 & 63)), b[2] = (char)(0x80 | (cp >> 6 & 63)),
        b[3] = (char)(0x80 | (cp & 63)), n = 4;
    r1i_j_put(c, o, b, n, trusted);
}

const jstr *r1i_j_done(jctx *c, jout *o)
{
    jstr *const s = r1i_j_alloc(c, sizeof *s);
    *s = (jstr){.p = o->n ? o->p : "", .n = o->n, .mask = o->mask, .trusted = o->n ? o->any[1] : true,
                .markup = o->markup};
    s->chars = count_chars(s->p, s->n);
    return s;
}

/* ---- containers -------------------------------------------------------------------------------------------------- */
jlist *r1i_j_list(jctx *c, size_t n)
{
    jlist *const l = r1i_j_alloc(c, sizeof *l);
    r1i_j_step(c, n / 8);
    l->v = r1i_j_array(c, n, sizeof *l->v);
    l->n = n;
    for (size_t i = 0; i < n; i++) l->v[i] = r1i_j_none;
    return l;
}

jval r1i_j_listv(jlist *l, jkind kind) { return (jval){.kind = kind, .u.l = l}; }

jdict *r1i_j_dict(jctx *c, size_t cap)
{
    jdict *const m = r1i_j_alloc(c, sizeof *m);
    cap = cap ? cap : 4;
    *m = (jdict){.kv = r1i_j_array(c, cap, 2 * sizeof *m->kv), .cap = cap};
    return m;
}

/* Python refuses to hash lists and dicts, also inside a tuple. */
static void check_hashable(jctx *c, jval key, int nest)
{
    if (nest > c->max_nest) r1i_j_fail(c, R1_ERR_RANGE, "values nest too deeply");
    if (key.kind == J_LIST || key.kind == J_DICT || key.kind == J_SPACE || (key.kind == J_VIEW && key.aux != J_VALUES))
        r1i_j_raise(c, "unhashable type: '%s'", r1i_j_type_name(key));
    if (key.kind == J_TUPLE)
        for (size_t i = 0; i < key.u.l->n; i++) check_hashable(c, key.u.l->v[i], nest + 1);
}

static jval *find(jctx *c, const jdict *m, jval key)
{
    r1i_j_step(c, m->n / 8);
    for (size_t i = 0; i < m->n; i++) {
        jval *const k = &m->kv[2 * i];
        if (key.kind == J_STR ? k->kind == J_STR && r1i_j_streq(k->u.s, key.u.s) : r1i_j_equal(c, *k, key))
            return k + 1;
    }
    return NULL;
}

void r1i_j_dict_set(jctx *c, jdict *m, jval key, jval value)
{
    check_hashable(c, key, 0);
    jval *const old = find(c, m, key);
    if (old) {
        *old = value;
        return;
    }
    if (m->n == m->cap) {
        jval *const kv = r1i_j_array(c, m->cap * 2, 2 * sizeof *kv);
        memcpy(kv, m->kv, m->n * 2 * sizeof *kv);
        m->kv = kv;
        m->cap *= 2;
    }
    m->kv[2 * m->n] = key;
    m->kv[2 * m->n + 1] = value;
    m->n++;
}

const jval *r1i_j_dict_get(jctx *c, const jdict *m, jval key)
{
    check_hashable(c, key, 0);
    return find(c, m, key);
}

const jval *r1i_j_dict_text(jctx *c, const jdict *m, const jstr *key) { return find(c, m, r1i_j_sv(key)); }

/* ---- truth, equality, order -------------------------------------------------------------------------------------- */
bool r1i_j_number(jval v) { return v.kind == J_BOOL || v.kind == J_INT || v.kind == J_FLOAT; }
static int64_t as_int(jval v) { return v.kind == J_BOOL ? v.u.b : v.u.i; }
double r1i_j_double(jval v) { return v.kind == J_FLOAT ? v.u.d : (double)as_int(v); }

bool r1i_j_truth(jctx *c, jval v)
{
    switch (v.kind) {
    case J_UNDEF:
    case J_NONE: return false;
    case J_BOOL: return v.u.b;
    case J_INT: return v.u.i != 0;
    case J_FLOAT: return v.u.d != 0; /* NaN is true */
    case J_STR: return v.u.s->n != 0;
    case J_LIST:
    case J_TUPLE: return v.u.l->n != 0;
    case J_DICT:
    case J_VIEW: return v.u.m->n != 0;
    case J_RANGE: return v.u.r->n != 0;
    case J_LOOP: return r1i_j_loop_length(c, v.u.loop) != 0;
    default: return true;
    }
}

/* Numbers compare by exact value: an x87 long double holds every int64 and every double. */
static int order_numbers(jval a, jval b)
{
    if (a.kind != J_FLOAT && b.kind != J_FLOAT) {
        const int64_t x = as_int(a), y = as_int(b);
        return (x > y) - (x < y);
    }
    const long double x = a.kind == J_FLOAT ? (long double)a.u.d : (long double)as_int(a);
    const long double y = b.kind == J_FLOAT ? (long double)b.u.d : (long double)as_int(b);
    if (isnan(x) || isnan(y)) return 2;
    return (x > y) - (x < y);
}

static int order_strings(const jstr *a, const jstr *b)
{
    const size_t n = a->n < b->n ? a->n : b->n;
    const int d = n ? memcmp(a->p, b->p, n) : 0; /* UTF-8 sorts as its code points do */
    if (d) return d < 0 ? -1 : 1;
    return (a->n > b->n) - (a->n < b->n);
}

static bool equal(jctx *c, jval a, jval b, int nest)
{
    if (nest > c->max_nest) r1i_j_fail(c, R1_ERR_RANGE, "values nest too deeply");
    r1i_j_step(c, 1);
    if (r1i_j_number(a) && r1i_j_number(b)) return order_numbers(a, b) == 0;
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case J_UNDEF:
    case J_NONE: return true;
    case J_STR: return r1i_j_streq(a.u.s, b.u.s);
    case J_LIST:
    case J_TUPLE:
        if (a.u.l->n != b.u.l->n) return false;
        for (size_t i = 0; i < a.u.l->n; i++)
            if (!equal(c, a.u.l->v[i], b.u.l->v[i], nest + 1)) return false;
        return true;
    case J_DICT:
        if (a.u.m->n != b.u.m->n) return false;
        for (size_t i = 0; i < a.u.m->n; i++) {
            const jval *const other = find(c, b.u.m, a.u.m->kv[2 * i]);
            if (!other || !equal(c, a.u.m->kv[2 * i + 1], *other, nest + 1)) return false;
        }
        return true;
    case J_RANGE: {
        const jrange *const x = a.u.r, *const y = b.u.r;
        return x->n == y->n && (x->n == 0 || (x->start == y->start && (x->n == 1 || x->step == y->step)));
    }
    case J_VIEW: return a.u.m == b.u.m && a.aux == b.aux;
    case J_FUNC: return a.aux == b.aux;
    case J_METHOD: return a.u.method->name == b.u.method->name &&
        equal(c, a.u.method->self, b.u.method->self, nest + 1);
    default: return (const void *)a.u.m == (const void *)b.u.m; /* identity */
    }
}

bool r1i_j_equal(jctx *c, jval a, jval b) { return equal(c, a, b, 0); }

static int order(jctx *c, jval a, jval b, const char *op, int nest)
{
    if (nest > c->max_nest) r1i_j_fail(c, R1_ERR_RANGE, "values nest too deeply");
    r1i_j_step(c, 1);
    if (r1i_j_number(a) && r1i_j_number(b)) return order_numbers(a, b);
    if (a.kind == J_STR && b.kind == J_STR) return order_strings(a.u.s, b.u.s);
    if (a.kind == b.kind && (a.kind == J_LIST || a.kind == J_TUPLE)) {
        const size_t n = a.u.l->n < b.u.l->n ? a.u.l->n : b.u.l->n;
        for (size_t i = 0; i < n; i++)
            if (!equal(c, a.u.l->v[i], b.u.l->v[i], nest + 1)) return order(c, a.u.l->v[i], b.u.l->v[i], op, nest + 1);
        return (a.u.l->n > b.u.l->n) - (a.u.l->n < b.u.l->n);
    }
    if (a.kind == J_UNDEF) r1i_j_raise(c, "%s", a.u.u->message);
    if (b.kind == J_UNDEF) r1i_j_raise(c, "%s", b.u.u->message);
    r1i_j_raise(c, "'%s' not supported between instances of '%s' and '%s'", op, r1i_j_type_name(a), r1i_j_type_name(b));
}

int r1i_j_order(jctx *c, jval a, jval b, const char *op) { return order(c, a, b, op, 0); }

static bool holds_text(const jstr *s, const jstr *part)
{
    return part->n == 0 || (part->n <= s->n && memmem(s->p, s->n, part->p, part->n) != NULL);
}

bool r1i_j_contains(jctx *c, jval in, jval item)
{
    switch (in.kind) {
    case J_STR:
        if (item.kind == J_UNDEF || item.kind != J_STR)
            r1i_j_raise(c, "'in <string>' requires string as left operand, not %s", r1i_j_type_name(item));
        r1i_j_step(c, in.u.s->n / 64);
        return holds_text(in.u.s, item.u.s);
    case J_DICT: return r1i_j_dict_get(c, in.u.m, item) != NULL;
    case J_VIEW:
        if (in.aux == J_KEYS) return r1i_j_dict_get(c, in.u.m, item) != NULL;
        break;
    default:
        if (!r1i_j_iterable(in)) r1i_j_raise(c, "argument of type '%s' is not iterable", r1i_j_type_name(in));
    }
    jiter it = r1i_j_iter(c, in);
    for (jval v; r1i_j_next(c, in.kind == J_ITER ? in.u.it : &it, &v);)
        if (r1i_j_equal(c, v, item)) return true;
    return false;
}

const char *r1i_j_type_name(jval v)
{
    switch (v.kind) {
    case J_UNDEF: return "Undefined";
    case J_NONE: return "NoneType";
    case J_BOOL: return "bool";
    case J_INT: return "int";
    case J_FLOAT: return "float";
    case J_STR: return v.u.s->markup ? "Markup" : "str";
    case J_LIST: return "list";
    case J_TUPLE: return "tuple";
    case J_DICT: return "dict";
    case J_RANGE: return "range";
    case J_VIEW: return v.aux == J_KEYS ? "dict_keys" : v.aux == J_VALUES ? "dict_values" : "dict_items";
    case J_ITER: return "generator";
    case J_SPACE: return "Namespace";
    case J_LOOP: return "LoopContext";
    case J_MACRO: return "Macro";
    case J_FUNC: return "function";
    case J_METHOD: return "builtin_function_or_method";
    case J_CYCLER: return "Cycler";
    case J_JOINER: return "Joiner";
    }
    return "object";
}

/* ---- iteration --------------------------------------------------------------------------------------------------- */
bool r1i_j_iterable(jval v)
{
    return v.kind == J_UNDEF || v.kind == J_STR || v.kind == J_LIST || v.kind == J_TUPLE || v.kind == J_DICT ||
           v.kind == J_RANGE || v.kind == J_VIEW || v.kind == J_ITER || v.kind == J_LOOP;
}

jiter r1i_j_iter(jctx *c, jval v)
{
    if (!r1i_j_iterable(v)) r1i_j_raise(c, "'%s' object is not iterable", r1i_j_type_name(v));
    return (jiter){.src = v};
}

static jval pair(jctx *c, jval a, jval b)
{
    jlist *const l = r1i_j_list(c, 2);
    l->v[0] = a;
    l->v[1] = b;
    return r1i_j_listv(l, J_TUPLE);
}

bool r1i_j_next(jctx *c, jiter *it, jval *out)
{
    const jval s = it->src;
    r1i_j_step(c, 1);
    switch (s.kind) {
    case J_LIST:
    case J_TUPLE:
        if (it->pos >= s.u.l->n) return false;
        *out = s.u.l->v[it->pos++];
        return true;
    case J_STR: {
        if (it->pos >= s.u.s->n) return false;
        uint32_t cp;
        const size_t n = r1i_j_decode(s.u.s->p + it->pos, s.u.s->n - it->pos, &cp);
        jstr *const ch = r1i_j_alloc(c, sizeof *ch);
        *ch = *r1i_j_slice(c, s.u.s, it->pos, it->pos + n);
        ch->markup = false; /* as in Python: the characters of a Markup are plain text */
        *out = r1i_j_sv(ch);
        it->pos += n;
        return true;
    }
    case J_DICT:
    case J_VIEW: {
        if (it->pos >= s.u.m->n) return false;
        const jval *const kv = &s.u.m->kv[2 * it->pos++];
        const int what = s.kind == J_DICT ? J_KEYS : s.aux;
        *out = what == J_KEYS ? kv[0] : what == J_VALUES ? kv[1] : pair(c, kv[0], kv[1]);
        return true;
    }
    case J_RANGE:
        if (it->pos >= s.u.r->n) return false;
        *out = r1i_j_int(s.u.r->start + (int64_t)it->pos++ * s.u.r->step);
        return true;
    case J_ITER: return r1i_j_next(c, s.u.it, out);
    case J_LOOP: {
        jval v;
        if (!r1i_j_loop_next(c, s.u.loop, &v)) return false;
        *out = pair(c, v, s);
        return true;
    }
    default: return false;
    }
}

bool r1i_j_has_len(jval v)
{
    return v.kind == J_UNDEF || v.kind == J_STR || v.kind == J_LIST || v.kind == J_TUPLE || v.kind == J_DICT ||
           v.kind == J_RANGE || v.kind == J_VIEW || v.kind == J_LOOP;
}

int64_t r1i_j_len(jctx *c, jval v)
{
    switch (v.kind) {
    case J_UNDEF: return 0;
    case J_STR: return (int64_t)v.u.s->chars;
    case J_LIST:
    case J_TUPLE: return (int64_t)v.u.l->n;
    case J_DICT:
    case J_VIEW: return (int64_t)v.u.m->n;
    case J_RANGE: return (int64_t)v.u.r->n;
    case J_LOOP: return r1i_j_loop_length(c, v.u.loop);
    default: r1i_j_raise(c, "object of type '%s' has no len()", r1i_j_type_name(v));
    }
}

jlist *r1i_j_collect(jctx *c, jval v)
{
    jiter own = r1i_j_iter(c, v);
    jiter *const it = v.kind == J_ITER ? v.u.it : &own;
    size_t n = 0, cap = v.kind != J_LOOP && r1i_j_has_len(v) ? (size_t)r1i_j_len(c, v) : 8;
    jlist *l = r1i_j_list(c, cap);
    for (jval x; r1i_j_next(c, it, &x);) {
        if (n == cap) {
            jlist *const big = r1i_j_list(c, cap = cap ? cap * 2 : 8);
            memcpy(big->v, l->v, n * sizeof *l->v);
            l = big;
        }
        l->v[n++] = x;
    }
    l->n = n;
    return l;
}

jval r1i_j_generator(jctx *c, jlist *l)
{
    jiter *const it = r1i_j_alloc(c, sizeof *it);
    *it = (jiter){.src = r1i_j_listv(l, J_LIST)};
    return (jval){.kind = J_ITER, .u.it = it};
}

/* Merge sort: stable, and a bad comparison raises from anywhere without leaving anything behind. `reverse` keeps the
 * order of equal items, as Python does. */
void r1i_j_sort(jctx *c, jlist *items, jlist *keys, bool reverse)
{
    const size_t n = items->n;
    jval *const tmp_i = r1i_j_array(c, n, sizeof *tmp_i), *const tmp_k = r1i_j_array(c, n, sizeof *tmp_k);
    for (size_t w = 1; w < n; w *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * w) {
            const size_t mid = lo + w < n ? lo + w : n, hi = lo + 2 * w < n ? lo + 2 * w : n;
            for (size_t i = lo, j = mid, k = lo; k < hi; k++) {
                bool right = i == mid;
                if (i < mid && j < hi) {
                    const int d = reverse ? r1i_j_order(c, keys->v[i], keys->v[j], "<")
                                          : r1i_j_order(c, keys->v[j], keys->v[i], "<");
                    right = d == -1;
                }
                const size_t from = right ? j++ : i++;
                tmp_i[k] = items->v[from];
                tmp_k[k] = keys->v[from];
            }
        }
        memcpy(items->v, tmp_i, n * sizeof *tmp_i);
        memcpy(keys->v, tmp_k, n * sizeof *tmp_k);
    }
}

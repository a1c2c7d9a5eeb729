/* The template engine's own types, private to the chat room: values with provenance, the tree, the two contexts.
 * All memory of a compile or of a render lives in one pool, so an error unwinds with a single jump and frees the pool:
 * no function here reports failure through its result. */
#ifndef R1I_JINJA_H
#define R1I_JINJA_H

#include <setjmp.h>

#include "base/error.h"
#include "r1/chat.h"

/* ---- memory ------------------------------------------------------------------------------------------------------ */
typedef struct jchunk jchunk;
typedef struct jpool {
    jchunk *head;
    size_t used, cap;     /* bytes of the head chunk */
    size_t total, limit;  /* bytes of all chunks */
} jpool;
void r1i_j_pool_free(jpool *pool);

/* ---- values ------------------------------------------------------------------------------------------------------ */
/* A string is a view of UTF-8 bytes. Provenance is kept per byte: `mask` holds 1 for each byte the template wrote and 0
 * for each byte that came from outside; it is NULL while all bytes agree, and `trusted` then speaks for them. Sliced
 * and stripped strings share bytes and mask, so cutting never loses where a byte came from. */
typedef struct jstr {
    const char *p;
    size_t n;             /* bytes */
    size_t chars;         /* code points */
    const uint8_t *mask;  /* [n] or NULL */
    bool trusted;
    bool markup;          /* markupsafe's Markup: adding plain text to it escapes that text */
} jstr;

typedef enum jkind {
    J_UNDEF, J_NONE, J_BOOL, J_INT, J_FLOAT, J_STR, J_LIST, J_TUPLE, J_DICT, J_RANGE, J_VIEW, J_ITER, J_SPACE, J_LOOP,
    J_MACRO, J_FUNC, J_METHOD, J_CYCLER, J_JOINER
} jkind;

typedef struct jval jval;
typedef struct jlist { jval *v; size_t n; } jlist;
typedef struct jdict { jval *kv; size_t n, cap; } jdict;      /* kv[2n]: key, value, in insertion order */
typedef struct jrange { int64_t start, stop, step; size_t n; } jrange;
typedef struct jundef { const char *message; bool security; } jundef;
typedef struct jiter jiter;
typedef struct jloop jloop;
typedef struct jmacro jmacro;
typedef struct jmethod jmethod;
typedef struct jcycler { jlist *items; size_t pos; } jcycler;
typedef struct jjoiner { const jstr *sep; bool used; } jjoiner;

enum { J_KEYS, J_VALUES, J_ITEMS }; /* aux of a view */

struct jval {
    jkind kind;
    int aux;
    union {
        bool b;
        int64_t i;
        double d;
        const jstr *s;
        jlist *l;           /* list, tuple: never changed after it is made */
        jdict *m;           /* dict, view, namespace; only a namespace is written to later */
        const jrange *r;
        const jundef *u;
        jiter *it;
        jloop *loop;
        jmacro *macro;
        const jmethod *method;
        jcycler *cycler;
        jjoiner *joiner;
    } u;
};

struct jiter { jval src; size_t pos; }; /* pos: item, or byte of a string */
struct jmethod { jval self; const char *name; };

/* ---- tree -------------------------------------------------------------------------------------------------------- */
typedef enum jtype {
    /* expressions */
    N_CONST, N_NAME, N_TUPLE, N_LISTEXPR, N_DICTEXPR, N_COND, N_OR, N_AND, N_NOT, N_COMPARE, N_MATH, N_CONCAT, N_NEG,
        N_POS, N_CHAIN, N_NSREF,
    /* links of a chain */
    N_ATTR, N_ITEM, N_SLICE, N_CALL, N_FILTER, N_TEST,
    /* statements */
    N_OUTPUT, N_FOR, N_IF, N_SET, N_SETBLOCK, N_MACRO, N_CALLBLOCK, N_FILTERBLOCK, N_WITH, N_SCOPE, N_BREAK, N_CONTINUE
} jtype;

typedef struct jnode jnode;
/* late: names that start out undefined when the body opens a scope (jinja_names.c) */
typedef struct jbody { jnode **v; size_t n; const jstr **late; size_t n_late; } jbody;
/* One shape for every node: which fields a type uses is said where the parser makes it. */
struct jnode {
    jtype type;
    bool flag;              /* N_TEST: negated; N_FOR: recursive; N_IF: an elif of the one before */
    uint8_t special;        /* N_MACRO, N_CALLBLOCK: J_CALLER ... that the body mentions */
    uint32_t line;
    size_t offset;          /* of the source */
    const jstr *name;
    jval value;             /* N_CONST */
    jnode *a, *b, *c;
    jnode **list;
    size_t n;
    uint8_t *ops;           /* N_MATH, N_COMPARE */
    const jstr **kw_names;  /* N_CALL, N_FILTER, N_TEST: keyword arguments */
    jnode **kw;
    size_t n_kw;
    jnode *dyn_args, *dyn_kwargs;
    jbody body, other;
};

enum { J_CALLER = 1, J_VARARGS = 2, J_KWARGS = 4 };
enum { OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_FLOORDIV, OP_MOD, OP_POW, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_IN,
       OP_NOTIN };

struct r1_template {
    char *source;           /* owned copy; literals of the tree point into it */
    jpool pool;
    jbody body;
};

/* ---- context ----------------------------------------------------------------------------------------------------- */
typedef struct jscope jscope;
typedef struct jbind { const jstr *name; jval value; } jbind;
struct jscope {
    jscope *parent;
    jbind *v;
    size_t n, cap;
};

typedef struct jout { char *p; uint8_t *mask; size_t n, cap; bool any[2]; bool markup; } jout; /* string builder */

typedef struct jctx {
    jmp_buf jump;
    r1_error *err;
    r1_status status;
    jpool *pool;
    int64_t steps;           /* left */
    int depth, max_depth;    /* recursion of the evaluator; bounds the C stack */
    int max_nest;            /* of values and, while parsing, of the tree */
    size_t max_output;
    uint32_t line;
    size_t offset;
    const jdict *vars;       /* the render's variables */
    jscope *root;
    jout *out;               /* where statements write */
} jctx;

struct jmacro {
    const jnode *def;
    jscope *scope;           /* where it was defined */
};

struct jloop {
    jiter it;
    const jnode *def;        /* of a loop with "if": the filter */
    jscope *scope;
    jval before, current, after;
    bool has_after, ended;
    int64_t index0;
    int depth0;
    int64_t length;          /* -1 not yet known */
    jval changed;            /* last arguments of changed() */
    bool has_changed;
};

typedef struct jargs {
    jval *v;
    size_t n;
    const jstr **kw_names;
    jval *kw;
    size_t n_kw;
    uint64_t kw_used;        /* bit per keyword */
    size_t taken;            /* highest positional index asked for, plus one */
} jargs;

#define J_NORETURN __attribute__((noreturn))
J_NORETURN void r1i_j_fail(jctx *c, r1_status st, const char *fmt, ...) R1_PRINTF(3, 4);
J_NORETURN void r1i_j_raise(jctx *c, const char *fmt, ...) R1_PRINTF(2, 3); /* R1_ERR_FORMAT */
void *r1i_j_alloc(jctx *c, size_t bytes);
void *r1i_j_array(jctx *c, size_t n, size_t size);
/* Charge work; fails the render when the limit is reached. */
void r1i_j_step(jctx *c, size_t n);
void r1i_j_enter(jctx *c);                   /* one recursion deeper; the matching leave is c->depth-- */

/* jinja_value.c */
extern const jval r1i_j_none;
static inline jval r1i_j_bool(bool b) { return (jval){.kind = J_BOOL, .u.b = b}; }
static inline jval r1i_j_int(int64_t i) { return (jval){.kind = J_INT, .u.i = i}; }
static inline jval r1i_j_float(double d) { return (jval){.kind = J_FLOAT, .u.d = d}; }
static inline jval r1i_j_sv(const jstr *s) { return (jval){.kind = J_STR, .u.s = s}; }
jval r1i_j_undef(jctx *c, const char *fmt, ...) R1_PRINTF(2, 3);
const jstr *r1i_j_str(jctx *c, const char *p, size_t n, bool trusted); /* borrows p */
const jstr *r1i_j_lit(jctx *c, const char *text);                      /* trusted, borrows */
const jstr *r1i_j_slice(jctx *c, const jstr *s, size_t begin, size_t end); /* bytes */
bool r1i_j_streq(const jstr *a, const jstr *b);
bool r1i_j_is(const jstr *a, const char *text);
jlist *r1i_j_list(jctx *c, size_t n);
jval r1i_j_listv(jlist *l, jkind kind);
jdict *r1i_j_dict(jctx *c, size_t cap);
void r1i_j_dict_set(jctx *c, jdict *m, jval key, jval value);
const jval *r1i_j_dict_get(jctx *c, const jdict *m, jval key);
const jval *r1i_j_dict_text(jctx *c, const jdict *m, const jstr *key);
bool r1i_j_truth(jctx *c, jval v);
bool r1i_j_equal(jctx *c, jval a, jval b);
int r1i_j_order(jctx *c, jval a, jval b, const char *op); /* -1, 0, 1; 2 for NaN; raises where Python does */
bool r1i_j_contains(jctx *c, jval container, jval item);
bool r1i_j_number(jval v);                 /* bool, int or float */
double r1i_j_double(jval v);
const char *r1i_j_type_name(jval v);       /* Python's */
jiter r1i_j_iter(jctx *c, jval v);         /* raises if not iterable */
bool r1i_j_iterable(jval v);
bool r1i_j_next(jctx *c, jiter *it, jval *out);
jlist *r1i_j_collect(jctx *c, jval v);     /* list(v) */
int64_t r1i_j_len(jctx *c, jval v);        /* len(v), raises; -1 never */
bool r1i_j_has_len(jval v);
jval r1i_j_generator(jctx *c, jlist *l);
void r1i_j_sort(jctx *c, jlist *items, jlist *keys, bool reverse); /* stable, items ordered by keys */

/* builder */
void r1i_j_put(jctx *c, jout *o, const char *p, size_t n, bool trusted);
void r1i_j_putz(jctx *c, jout *o, const char *text);
void r1i_j_put_part(jctx *c, jout *o, const jstr *s, size_t begin, size_t end);
static inline void r1i_j_puts(jctx *c, jout *o, const jstr *s) { r1i_j_put_part(c, o, s, 0, s->n); }
void r1i_j_put_char(jctx *c, jout *o, uint32_t cp, bool trusted);
const jstr *r1i_j_done(jctx *c, jout *o);

/* jinja_text.c: text of values, Unicode, formatting */
size_t r1i_j_decode(const char *p, size_t n, uint32_t *cp);      /* bytes of one valid character */
bool r1i_j_space(uint32_t cp);
bool r1i_j_printable(uint32_t cp);
int r1i_j_category(uint32_t cp);
void r1i_j_put_upper(jctx *c, jout *o, uint32_t cp, bool trusted);
void r1i_j_put_lower(jctx *c, jout *o, const jstr *s, size_t p, uint32_t cp); /* the character at byte p of s */
void r1i_j_put_title(jctx *c, jout *o, uint32_t cp, bool trusted);
const jstr *r1i_j_upper(jctx *c, const jstr *s);
const jstr *r1i_j_lower(jctx *c, const jstr *s);
const jstr *r1i_j_capitalize(jctx *c, const jstr *s);
const jstr *r1i_j_text(jctx *c, jval v);                         /* str(v) */
void r1i_j_put_repr(jctx *c, jout *o, jval v, int nest);         /* repr(v) */
void r1i_j_float_repr(double d, char out[40]);
const jstr *r1i_j_escape(jctx *c, jval v);                       /* markupsafe.escape */
const jstr *r1i_j_percent(jctx *c, const jstr *fmt, jval args);  /* fmt % args */
const jstr *r1i_j_format(jctx *c, const jstr *fmt, const jargs *args); /* fmt.format(...) */
bool r1i_j_parse_int(const jstr *s, int base, int64_t *out, bool *overflow); /* int(s, base) */
bool r1i_j_parse_float(const jstr *s, double *out);

/* jinja_json.c */
jval r1i_j_from_json(jctx *c, const void *json, int nest, bool trusted); /* json_t */
const jstr *r1i_j_tojson(jctx *c, jval v, bool ascii, jval indent, jval separators, bool sort);

/* arguments */
bool r1i_j_arg(jctx *c, jargs *a, size_t index, const char *name, jval *out);
jval r1i_j_arg_or(jctx *c, jargs *a, size_t index, const char *name, jval otherwise);
jval r1i_j_arg_need(jctx *c, jargs *a, size_t index, const char *name, const char *function);
void r1i_j_arg_end(jctx *c, const jargs *a, const char *function);

/* jinja_method.c */
bool r1i_j_has_method(jval self, const char *name, size_t n, bool *mutates);
jval r1i_j_call_method(jctx *c, const jmethod *m, jargs *a);
bool r1i_j_global(jctx *c, const jstr *name, jval *out);
jval r1i_j_call_func(jctx *c, int id, jargs *a);
const jstr *r1i_j_replace(jctx *c, const jstr *s, const jstr *from, const jstr *to, int64_t count);
const jstr *r1i_j_strip(jctx *c, const jstr *s, const jstr *chars, bool left, bool right);
jlist *r1i_j_splitlines(jctx *c, const jstr *s, bool keep);
const jstr *r1i_j_join(jctx *c, const jstr *sep, jlist *items);

/* jinja_filter.c */
bool r1i_j_filter_known(const jstr *name);
bool r1i_j_test_known(const jstr *name);
jval r1i_j_filter(jctx *c, const jstr *name, jval v, jargs *a);
bool r1i_j_test(jctx *c, const jstr *name, jval v, jargs *a);

/* jinja_eval.c */
jval r1i_j_attr(jctx *c, jval v, const jstr *name);    /* v.name */
jval r1i_j_item(jctx *c, jval v, jval key);            /* v[key] */
jval r1i_j_math(jctx *c, int op, jval a, jval b);
jval r1i_j_call(jctx *c, jval f, jargs *a);
void r1i_j_exec(jctx *c, const r1_template *t);

/* jinja_loop.c */
jval r1i_j_loop_attr(jctx *c, jloop *l, const char *name, size_t n, bool *found);
bool r1i_j_loop_next(jctx *c, jloop *l, jval *out);
int64_t r1i_j_loop_length(jctx *c, jloop *l);

/* jinja_lex.c: tokens as the parser asks for them */
typedef enum jtok {
    T_EOF, T_DATA, T_VAR_BEGIN, T_VAR_END, T_BLOCK_BEGIN, T_BLOCK_END, T_NAME, T_STRING, T_INT, T_FLOAT,
    T_ADD, T_SUB, T_MUL, T_DIV, T_FLOORDIV, T_MOD, T_POW, T_TILDE, T_LBRACKET, T_RBRACKET, T_LPAREN, T_RPAREN, T_LBRACE,
    T_RBRACE, T_EQ, T_NE, T_GT, T_GE, T_LT, T_LE, T_ASSIGN, T_DOT, T_COLON, T_PIPE, T_COMMA, T_SEMICOLON
} jtok;
typedef struct jtoken {
    jtok type;
    uint32_t line;
    size_t offset;     /* of the source as given */
    const jstr *text;  /* data, name, string */
    int64_t i;
    double d;
} jtoken;
typedef struct jlex {
    jctx *c;
    const char *s;       /* newlines normalised, the last one dropped */
    size_t n, pos;
    uint32_t line;
    const size_t *joined; /* positions before which the source had one byte more (CR LF) */
    size_t n_joined, i_joined;
    enum { LEX_ROOT, LEX_VAR, LEX_BLOCK } state;
    char *open;          /* brackets waiting for their partner */
    size_t n_open;
    bool line_starting;
    jtok pending;        /* the begin token after a piece of data, or T_EOF for none */
    uint32_t pending_line;
    size_t pending_offset;
} jlex;
void r1i_j_lex_init(jlex *x, jctx *c, const char *source, size_t bytes);
void r1i_j_lex(jlex *x, jtoken *out);
const char *r1i_j_token_name(const jtoken *t);

/* jinja_parse.c */
void r1i_j_parse(jctx *c, const char *source, size_t bytes, jbody *out);

/* jinja_names.c */
void r1i_j_names(jctx *c, jbody *template_body);

#endif

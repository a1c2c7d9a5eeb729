/* Lists, relations, sets and brackets; and a whole answer with its wrappings. */
#include "reward/math_parse.h"

#include <ctype.h>

static char relation_sign(const r1i_mtok *t)
{
    if (t->type != R1I_T_OP) return 0;
    switch (t->op) {
    case '=': case '<': case '>': return (char)t->op;
    case R1I_OP_LE: return 'l';
    case R1I_OP_GE: return 'g';
    case R1I_OP_NE: return 'n';
    case R1I_OP_APPROX: return 'a';
    case R1I_OP_EQUIV: return 'e';
    case R1I_OP_IN: return 'i';
    case R1I_OP_NOTIN: return 'o';
    case R1I_OP_TO: return 't';
    case R1I_OP_SUBSET: return 's';
    case R1I_OP_MID: return 'd';
    default: return 0;
    }
}

static r1i_mnode *ratio(r1i_mparse *p)
{
    r1i_mnode *const first = r1i_mp_sum(p);
    if (!r1i_mp_op(p, ':') || p->ratios) return first;
    r1i_mnode *kids[16] = {first};
    int n = 1;
    while (r1i_mp_op(p, ':') && n < 16) {
        p->i++;
        kids[n++] = r1i_mp_sum(p);
    }
    for (int i = 0; i < n; i++)
        if (kids[i]->kind >= R1I_M_LIST && kids[i]->kind != R1I_M_QTY) r1i_mp_fail(p, "a ratio of no numbers");
    return r1i_mnode_many(p->m, R1I_M_RATIO, 0, n, kids);
}

static r1i_mnode *set_algebra(r1i_mparse *p)
{
    r1i_mnode *e = ratio(p);
    for (;;) {
        const int op = r1i_mp_now(p)->type == R1I_T_OP ? r1i_mp_now(p)->op : 0;
        if (op != R1I_OP_CUP && op != R1I_OP_CAP && op != R1I_OP_SETMINUS) return e;
        p->i++;
        r1i_mnode *const f = ratio(p);
        const r1i_mkind kind = op == R1I_OP_CUP ? R1I_M_UNION : op == R1I_OP_CAP ? R1I_M_CUT : R1I_M_MINUS;
        e = r1i_mnode_make(p->m, kind, 0, 2, e, f);
    }
}

r1i_mnode *r1i_mp_relation(r1i_mparse *p)
{
    r1i_mp_deeper(p);
    while (r1i_mp_take(p, R1I_OP_IF)) {}
    if (r1i_mp_op(p, R1I_OP_NOT) || r1i_mp_op(p, R1I_OP_FORALL)) {
        const bool all = r1i_mp_op(p, R1I_OP_FORALL);
        p->i++;
        r1i_mnode *const e = r1i_mnode_make(p->m, R1I_M_NOT, all, 1, r1i_mp_relation(p));
        r1i_mp_back(p);
        return e;
    }
    r1i_mnode *kids[32];
    char rel[32] = {0};
    int n = 0;
    kids[n++] = set_algebra(p);
    for (;;) {
        if (r1i_mp_op(p, '&') && relation_sign(&p->tok[p->i + 1])) p->i++; /* of aligned equations */
        char sign = relation_sign(r1i_mp_now(p));
        if (sign == 'd' && p->bars) sign = 0;
        if (!sign && p->given && r1i_mp_op(p, '|')) sign = 'd';
        if (!sign) break;
        if (n == 32) r1i_mp_fail(p, "a chain of more than 31 relations");
        rel[n - 1] = sign;
        p->i++;
        r1i_mp_take(p, '&');
        kids[n++] = set_algebra(p);
    }
    r1i_mp_back(p);
    if (n == 1 && r1i_mp_take(p, R1I_OP_PMOD))
        return r1i_mnode_make(p->m, R1I_M_FN, R1I_MF_MOD, 2, kids[0], r1i_mp_group(p));
    if (n == 1) return kids[0];
    r1i_mnode *e = r1i_mnode_many(p->m, R1I_M_REL, 0, n, kids);
    e->name = r1i_mem_text(p->m, rel, (size_t)n - 1);
    if (r1i_mp_op(p, R1I_OP_PMOD)) { /* a \equiv b \pmod n */
        p->i++;
        r1i_mnode *const by = r1i_mp_group(p);
        r1i_mnode *all[33];
        memcpy(all, e->kid, (size_t)n * sizeof *all);
        all[n] = by;
        e = r1i_mnode_many(p->m, R1I_M_REL, 1, n + 1, all);
        e->name = r1i_mem_printf(p->m, "%sm", rel);
    }
    return e;
}

r1i_mnode *r1i_mp_entry(r1i_mparse *p)
{
    r1i_mnode *e = r1i_mp_relation(p);
    for (;;) {
        const bool either = r1i_mp_op(p, R1I_OP_OR);
        if (!either && !r1i_mp_op(p, R1I_OP_AND)) return e;
        if (r1i_mp_op_at(p, p->i + 1, ',')) return e;
        p->i++;
        r1i_mnode *const f = r1i_mp_relation(p);
        const r1i_mkind kind = either ? R1I_M_OR : R1I_M_AND;
        if (e->kind == kind && e->n < 60) {
            r1i_mnode *kids[64];
            memcpy(kids, e->kid, (size_t)e->n * sizeof *kids);
            kids[e->n] = f;
            e = r1i_mnode_many(p->m, kind, 0, e->n + 1, kids);
        } else e = r1i_mnode_make(p->m, kind, 0, 2, e, f);
    }
}

static bool closes(const r1i_mparse *p)
{
    const r1i_mtok *const t = &p->tok[p->i];
    if (t->type == R1I_T_END) return true;
    if (t->type != R1I_T_OP) return false;
    return t->op == ')' || t->op == ']' || t->op == '}' || t->op == R1I_OP_RSET || t->op == R1I_OP_RANGLE ||
        t->op == R1I_OP_MID || (t->op == '|' && p->bars) || (t->op == ':' && p->ratios);
}

int r1i_mp_entries(r1i_mparse *p, r1i_mnode ***out)
{
    int n = 0, cap = 8;
    r1i_mnode **kids = r1i_mem_take(p->m, (size_t)cap * sizeof *kids);
    while (!closes(p)) {
        if (n == cap) {
            r1i_mnode **const grown = r1i_mem_take(p->m, (size_t)cap * 2 * sizeof *grown);
            memcpy(grown, kids, (size_t)cap * sizeof *grown);
            kids = grown;
            cap *= 2;
        }
        if (r1i_mp_sym(p, p->i, "d") && p->tok[p->i + 1].type == R1I_T_CONST && r1i_mp_sym(p, p->i + 2, "r") &&
            r1i_mp_op_at(p, p->i + 3, '=') && r1i_mp_op_at(p, p->i + 4, '\''))
            p->i += 4; /* dir='+-' */
        if (r1i_mp_op(p, '\'') || r1i_mp_op(p, '"')) { /* the direction of Limit(f, x, 0, '+') */
            const int quote = r1i_mp_now(p)->op, from = ++p->i;
            while (!r1i_mp_op(p, quote) && r1i_mp_now(p)->type != R1I_T_END) p->i++;
            const uint32_t at = p->tok[from].at, end = p->tok[p->i].at;
            r1i_mp_need(p, quote, "a quote without its end");
            kids[n++] = r1i_mnode_name(p->m, R1I_M_TEXT, p->text + at, end > at ? end - at : 0);
        } else kids[n++] = r1i_mp_entry(p);
        bool comma = false;
        while (r1i_mp_op(p, ',') || r1i_mp_op(p, ';') ||
               ((r1i_mp_op(p, R1I_OP_AND) || r1i_mp_op(p, R1I_OP_OR)) && (comma || r1i_mp_op_at(p, p->i + 1, ',')))) {
            if (comma && r1i_mp_op(p, ',')) r1i_mp_fail(p, "an empty entry");
            comma = true;
            p->i++;
        }
        if (!comma) break;
        if (closes(p) && !r1i_mp_op(p, ')') && r1i_mp_now(p)->type != R1I_T_END) r1i_mp_fail(p, "an empty entry");
        if (r1i_mp_op(p, ')') && n > 1) r1i_mp_fail(p, "an empty entry");
    }
    *out = kids;
    return n;
}

static r1i_mnode *set_braces(r1i_mparse *p)
{
    r1i_mem *const m = p->m;
    const int bars = p->bars, ratios = p->ratios;
    r1i_mnode **kids;
    p->i++;
    p->bars = p->ratios = 1;
    const int n = r1i_mp_entries(p, &kids);
    if (n == 1 && (r1i_mp_op(p, R1I_OP_MID) || r1i_mp_op(p, '|') || r1i_mp_op(p, ':'))) {
        r1i_mnode **conditions;
        p->i++;
        p->bars = 0;
        const int k = r1i_mp_entries(p, &conditions);
        p->bars = bars;
        p->ratios = ratios;
        r1i_mp_need(p, R1I_OP_RSET, "a set without its end");
        if (k == 0) r1i_mp_fail(p, "a set without a condition");
        r1i_mnode **const all = r1i_mem_take(m, (size_t)(k + 1) * sizeof *all);
        all[0] = kids[0];
        memcpy(all + 1, conditions, (size_t)k * sizeof *all);
        return r1i_mnode_many(m, R1I_M_SETOF, 0, k + 1, all);
    }
    p->bars = bars;
    p->ratios = ratios;
    r1i_mp_need(p, R1I_OP_RSET, "a set without its end");
    return n ? r1i_mnode_many(m, R1I_M_SET, 0, n, kids) : r1i_mnode_name(m, R1I_M_NUMBERS, "empty", 5);
}

/* [[1, 2], [3, 4]] */
static r1i_mnode *nested_rows(r1i_mparse *p, r1i_mnode *const *row, int n)
{
    const int columns = row[0]->n;
    for (int i = 0; i < n; i++)
        if (row[i]->kind != R1I_M_TUPLE || row[i]->op != (R1I_MI_LEFT | R1I_MI_RIGHT) || row[i]->n != columns ||
            columns == 0) return NULL;
    r1i_mnode **const cell = r1i_mem_take(p->m, (size_t)n * (size_t)columns * sizeof *cell);
    for (int i = 0; i < n; i++) memcpy(cell + i * columns, row[i]->kid, (size_t)columns * sizeof *cell);
    return r1i_mnode_many(p->m, R1I_M_MATRIX, columns, n * columns, cell);
}

r1i_mnode *r1i_mp_brackets(r1i_mparse *p)
{
    r1i_mem *const m = p->m;
    const int open = r1i_mp_now(p)->op;
    const uint32_t at = r1i_mp_now(p)->at;
    r1i_mnode **kids, *e;
    r1i_mp_deeper(p);
    if (open == R1I_OP_LSET) {
        e = set_braces(p);
        r1i_mp_back(p);
        e->paren = true;
        return e;
    }
    const int bars = p->bars, integrals = p->integrals, ratios = p->ratios;
    p->bars = p->integrals = p->ratios = 0;
    p->i++;
    const int n = r1i_mp_entries(p, &kids);
    p->bars = bars;
    p->integrals = integrals;
    p->ratios = ratios;
    int closed = open == '[' ? R1I_MI_LEFT : 0;
    if (open == '{') {
        r1i_mp_need(p, '}', "a { without its }");
        if (n == 0) {
            if (r1i_mp_starts(p)) {
                e = r1i_mp_power(p);
                r1i_mp_back(p);
                return e;
            }
            r1i_mem_fail(m, at, "empty braces");
        }
        e = n == 1 ? kids[0] : r1i_mnode_many(m, R1I_M_SET, 0, n, kids);
    } else if (open == R1I_OP_LANGLE) {
        r1i_mp_need(p, R1I_OP_RANGLE, "a \\langle without its \\rangle");
        if (n == 0) r1i_mem_fail(m, at, "empty brackets");
        e = r1i_mnode_many(m, R1I_M_TUPLE, R1I_MI_ANGLE, n, kids);
    } else {
        if (r1i_mp_take(p, ']')) closed |= R1I_MI_RIGHT;
        else r1i_mp_need(p, ')', "a bracket without its end");
        if (n == 0) r1i_mem_fail(m, at, "empty brackets");
        if (n == 1 && (closed == 0 || closed == 3) && kids[0]->kind == R1I_M_TUPLE && kids[0]->op == 3 && closed == 3) {
            e = nested_rows(p, kids, 1);
            if (!e) e = kids[0];
        } else if (n == 1) {
            if (closed == R1I_MI_LEFT || closed == R1I_MI_RIGHT) r1i_mem_fail(m, at, "brackets that do not match");
            e = kids[0];
        } else {
            if (closed && n != 2 && closed != 3) r1i_mem_fail(m, at, "brackets that do not match");
            e = closed == 3 ? nested_rows(p, kids, n) : NULL;
            if (!e) e = r1i_mnode_many(m, R1I_M_TUPLE, closed, n, kids);
        }
    }
    r1i_mp_back(p);
    e->paren = true;
    return e;
}

/* ---- whole answers ---- */

static bool is_choice_letter(char c) { return c >= 'A' && c <= 'J'; }

/* "(C)", "C.", "Option C", "\textbf{(C)}" and the value beside it: the words of a text that names a choice. */
static int choice_of_text(const char *s, size_t n)
{
    static const char *const lead[] = {"option ", "choice ", "answer ", "Option ", "Choice ", "Answer "};
    for (size_t i = 0; i < sizeof lead / sizeof *lead; i++)
        if (n > strlen(lead[i]) && memcmp(s, lead[i], strlen(lead[i])) == 0) {
            s += strlen(lead[i]);
            n -= strlen(lead[i]);
        }
    while (n && (*s == ' ' || *s == '~')) s++, n--;
    while (n && (s[n - 1] == ' ' || s[n - 1] == '.' || s[n - 1] == '~')) n--;
    if (n == 3 && s[0] == '(' && s[2] == ')' && is_choice_letter((char)toupper((unsigned char)s[1])))
        return toupper((unsigned char)s[1]);
    if (n == 2 && s[1] == ')' && is_choice_letter((char)toupper((unsigned char)s[0])))
        return toupper((unsigned char)s[0]);
    if (n == 1 && is_choice_letter(s[0])) return s[0];
    return 0;
}

static r1i_mnode *make_choice(r1i_mem *m, int letter, r1i_mnode *beside)
{
    return beside ? r1i_mnode_make(m, R1I_M_CHOICE, letter, 1, beside) : r1i_mnode_make(m, R1I_M_CHOICE, letter, 0);
}

static r1i_mnode *list_of(r1i_mparse *p);

static r1i_mnode *choice(r1i_mparse *p)
{
    r1i_mem *const m = p->m;
    const r1i_mtok *const t = r1i_mp_now(p);
    int letter = 0, next = p->i;
    if (t->type == R1I_T_TEXT) {
        letter = choice_of_text(t->s, t->n);
        next = p->i + 1;
    } else if (t->type == R1I_T_OP && t->op == '(' && (t[1].type == R1I_T_SYM) && t[1].n == 1 &&
               is_choice_letter(*t[1].s) && t[2].type == R1I_T_OP && t[2].op == ')') {
        letter = *t[1].s;
        next = p->i + 3;
    } else if (t->type == R1I_T_SYM && t->n == 1 && is_choice_letter(*t->s) && t[1].type == R1I_T_OP &&
               (t[1].op == ')' || t[1].op == '.' || t[1].op == ':')) {
        letter = *t->s;
        next = p->i + 2;
    }
    if (!letter) return NULL;
    const r1i_mtok *const u = &p->tok[next];
    if (u->type == R1I_T_END) {
        p->i = next;
        return make_choice(m, letter, NULL);
    }
    if (t->type != R1I_T_TEXT &&
        !(u->type == R1I_T_NUM || u->type == R1I_T_TEXT ||
          (u->type == R1I_T_OP &&
           (u->op == R1I_OP_MONEY || u->op == R1I_OP_FRAC || u->op == R1I_OP_SQRT || u->op == '-'))))
        return NULL;
    if (t->type == R1I_T_OP && t->op == '(' && u->type == R1I_T_OP && u->op == '-') return NULL;
    p->i = next;
    return make_choice(m, letter, list_of(p));
}

static r1i_mnode *list_of(r1i_mparse *p)
{
    r1i_mnode **kids;
    const int n = r1i_mp_entries(p, &kids);
    if (n == 0) r1i_mp_fail(p, "nothing to read");
    if (r1i_mp_now(p)->type != R1I_T_END) r1i_mp_fail(p, "something after the answer");
    return n == 1 ? kids[0] : r1i_mnode_many(p->m, R1I_M_LIST, 0, n, kids);
}

static size_t number_at(const char *s, size_t n, size_t i, int *value)
{
    size_t k = i;
    *value = 0;
    while (k < n && k - i < 5 && s[k] >= '0' && s[k] <= '9') *value = *value * 10 + (s[k++] - '0');
    return k - i;
}

/* 3:30, 12:05:10, 3:30 pm: two digits of minutes make a clock, never a ratio. */
static r1i_mnode *clock_of(r1i_mem *m, const char *s, size_t n)
{
    int h, min, sec = 0;
    size_t i = number_at(s, n, 0, &h);
    if (i == 0 || i > 2 || i >= n || s[i] != ':') return NULL;
    const size_t w = number_at(s, n, i + 1, &min);
    i += 1 + w;
    if (w != 2 || h > 24 || min > 59) return NULL;
    if (i < n && s[i] == ':') {
        if (number_at(s, n, i + 1, &sec) != 2 || sec > 59) return NULL;
        i += 3;
    }
    char tail[12];
    size_t t = 0;
    for (; i < n; i++) {
        const char c = (char)tolower((unsigned char)s[i]);
        if (strchr(" .\\,~{}", c)) continue;
        if (t + 1 >= sizeof tail) return NULL;
        tail[t++] = c;
    }
    tail[t] = 0;
    int half = 0;
    if (strcmp(tail, "am") == 0 || strcmp(tail, "textam") == 0) half = 1;
    else if (strcmp(tail, "pm") == 0 || strcmp(tail, "textpm") == 0) half = 2;
    else if (t) return NULL;
    if (half && h == 12) h = 0;
    r1i_mnode *const e = r1i_mnode_make(m, R1I_M_CLOCK, half, 0);
    e->num = r1i_rat_of((h + (half == 2 ? 12 : 0)) * 3600 + min * 60 + sec);
    return e;
}

static r1i_mnode *date_make(r1i_mem *m, int y, int mo, int d)
{
    if (mo < 1 || mo > 12 || d < 1 || d > 31) return NULL;
    const char *const s = y ? r1i_mem_printf(m, "%04d-%02d-%02d", y, mo, d) : r1i_mem_printf(m, "%02d-%02d", mo, d);
    return r1i_mnode_name(m, R1I_M_DATE, s, strlen(s));
}

/* 2020-01-05, January 5, 2020, 5 January 2020, 2020年1月5日 */
static r1i_mnode *date_of(r1i_mem *m, const char *s, size_t n)
{
    static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov",
                                         "dec"};
    static const char *const full[] = {"january", "february", "march", "april", "may", "june", "july", "august",
                                       "september", "october", "november", "december"};
    int v[3] = {0}, k = 0, month = 0;
    size_t i = 0;
    if (n == 10 && s[4] == '-' && s[7] == '-' && number_at(s, n, 0, &v[0]) == 4 && number_at(s, n, 5, &v[1]) == 2 &&
        number_at(s, n, 8, &v[2]) == 2) return date_make(m, v[0], v[1], v[2]);
    if (n < 64 && memmem(s, n, "\xE6\x9C\x88", 3) && memmem(s, n, "\xE6\x97\xA5", 3)) {
        for (; i < n && k < 3;) {
            const size_t w = number_at(s, n, i, &v[k]);
            if (w) k++, i += w;
            else if ((unsigned char)s[i] >= 0x80 || s[i] == ' ') i++;
            else return NULL;
        }
        return k == 3 ? date_make(m, v[0], v[1], v[2]) : k == 2 ? date_make(m, 0, v[0], v[1]) : NULL;
    }
    if (n > 40) return NULL;
    while (i < n) {
        if (isalpha((unsigned char)s[i])) {
            char word[16];
            size_t w = 0;
            while (i < n && isalpha((unsigned char)s[i])) {
                if (w + 1 >= sizeof word) return NULL;
                word[w++] = (char)tolower((unsigned char)s[i++]);
            }
            word[w] = 0;
            int found = 0;
            for (int q = 0; q < 12; q++)
                if (strcmp(word, full[q]) == 0 || strcmp(word, months[q]) == 0) found = q + 1;
            if (!found && k == 1 &&
                (strcmp(word, "st") == 0 || strcmp(word, "nd") == 0 || strcmp(word, "rd") == 0 ||
                 strcmp(word, "th") == 0)) continue;
            if (!found || month) return NULL;
            month = found;
        } else if (isdigit((unsigned char)s[i])) {
            if (k == 2) return NULL;
            const size_t w = number_at(s, n, i, &v[k]);
            k++;
            i += w;
        } else if (strchr(" ,.", s[i])) i++;
        else return NULL;
    }
    if (!month || k == 0) return NULL;
    return date_make(m, k == 2 ? v[1] : 0, month, v[0]);
}

static bool same_tail(const char *s, size_t n, const char *tail)
{
    return n >= strlen(tail) && memcmp(s + n - strlen(tail), tail, strlen(tail)) == 0;
}

/* Bytes of "\boxed{" and its like where that box holds the whole text, else 0. */
static size_t box(const char *s, size_t n)
{
    static const char *const boxes[] = {"\\boxed{", "\\fbox{", "\\framebox{"};
    if (n < 7 || s[n - 1] != '}') return 0;
    for (size_t k = 0; k < sizeof boxes / sizeof *boxes; k++) {
        const size_t w = strlen(boxes[k]);
        if (n <= w || memcmp(s, boxes[k], w) != 0) continue;
        size_t depth = 0;
        for (size_t i = w - 1; i < n; i++) {
            if (s[i] == '\\') i++;
            else if (s[i] == '{') depth++;
            else if (s[i] == '}' && --depth == 0) return i == n - 1 ? w : 0;
        }
    }
    return 0;
}

/* White space, end stops, ** of Markdown and one pair of \boxed{} are no part of an answer. */
static void unwrap(const char **text, size_t *bytes, size_t *skipped)
{
    const char *s = *text;
    size_t n = *bytes;
    for (;;) {
        if (n && strchr(" \t\r\n", *s)) s++, n--;
        else if (n && strchr(" \t\r\n", s[n - 1]) && !(n > 1 && s[n - 2] == '\\')) n--;
        else if (n > 1 && s[n - 1] == '.' && s[n - 2] != '.' && !same_tail(s, n - 1, "\\left") &&
                 !same_tail(s, n - 1, "\\right")) n--;
        else if (n > 3 && same_tail(s, n, "\xE3\x80\x82")) n -= 3;
        else if (n > 1 && (s[n - 1] == ',' || s[n - 1] == ';') && s[n - 2] != '\\') n--;
        else if (n > 4 && s[0] == '*' && s[1] == '*' && s[n - 1] == '*' && s[n - 2] == '*') s += 2, n -= 4;
        else if (box(s, n)) {
            const size_t w = box(s, n);
            s += w;
            n -= w + 1;
        } else if (n > 1 && s[0] == '$' && s[n - 1] == '$' && !memchr(s + 1, '$', n - 2)) s++, n -= 2;
        else if (n > 3 && s[0] == '\\' && s[n - 2] == '\\' &&
                 ((s[1] == '(' && s[n - 1] == ')') || (s[1] == '[' && s[n - 1] == ']'))) s += 2, n -= 4;
        else break;
    }
    *skipped += (size_t)(s - *text);
    *text = s;
    *bytes = n;
}

/* Whether words behind a number go on with it, so that they are no unit: "five or six", "five and a half", "two
 * thirds". */
static bool goes_on(const char *s, size_t n)
{
    static const char *const words[] = {"or", "and", "a", "half", "to", "plus", "minus", "times", "over", "point",
                                        "divided", "thirds", "quarters", "halves", "fifths", "more", "less"};
    while (n && *s == ' ') s++, n--;
    size_t length = 0;
    while (length < n && s[length] != ' ') length++;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == length && strncasecmp(words[i], s, length) == 0) return true;
    return false;
}

static r1i_mnode *whole_text(r1i_mem *m, const r1i_mtok *t)
{
    int64_t v;
    if (r1i_math_number_word(t->s, t->n, &v)) return r1i_mnode_int(m, v);
    r1i_mnode *e = clock_of(m, t->s, t->n);
    if (!e) e = date_of(m, t->s, t->n);
    if (e) return e;
    for (uint32_t i = t->n; i-- > 1;) /* five apples */
        if (t->s[i] == ' ' && r1i_math_number_word(t->s, i, &v) &&
            !r1i_math_number_word(t->s + i, t->n - i, &(int64_t){0}) && !goes_on(t->s + i, t->n - i)) {
            r1i_rat scale = r1i_rat_of(1);
            const char *const unit = r1i_math_unit(m, t->s + i, t->n - i, &scale);
            r1i_mnode *const q = r1i_mnode_make(m, R1I_M_QTY, unit == NULL, 1, r1i_mnode_int(m, v));
            q->name = unit ? unit : r1i_math_words(m, t->s + i, t->n - i);
            q->num = scale;
            return q;
        }
    const char *const words = r1i_math_words(m, t->s, t->n);
    if (strcmp(words, "true") == 0) return r1i_mnode_make(m, R1I_M_CONST, R1I_MC_TRUE, 0);
    if (strcmp(words, "false") == 0) return r1i_mnode_make(m, R1I_M_CONST, R1I_MC_FALSE, 0);
    if (*words == 0) r1i_mem_fail(m, t->at, "a text without words");
    return r1i_mnode_name(m, R1I_M_TEXT, words, strlen(words));
}

r1i_mnode *r1i_math_read(r1i_mem *m, const char *text, size_t bytes)
{
    size_t skipped = 0;
    unwrap(&text, &bytes, &skipped);
    if (bytes == 0) r1i_mem_fail(m, 0, "the answer is empty");
    r1i_mnode *e = clock_of(m, text, bytes);
    if (!e) e = date_of(m, text, bytes);
    if (e) return e;
    int64_t v;
    if (r1i_math_number_word(text, bytes, &v)) return r1i_mnode_int(m, v);
    r1i_mtoks toks;
    r1i_math_lex(m, text, bytes, &toks);
    r1i_mparse p = {.m = m, .text = text, .tok = toks.tok};
    while (r1i_mp_op(&p, '=') || r1i_mp_op(&p, R1I_OP_APPROX) || (r1i_mp_op(&p, ':') && p.i == 0)) p.i++;
    if (r1i_mp_now(&p)->type == R1I_T_END) r1i_mp_fail(&p, "the answer is empty");
    /* two boxes never both count; one box around all is the answer itself */
    if ((e = choice(&p))) return e;
    if (r1i_mp_now(&p)->type == R1I_T_TEXT && p.tok[p.i + 1].type == R1I_T_END) return whole_text(m, r1i_mp_now(&p));
    return list_of(&p);
}

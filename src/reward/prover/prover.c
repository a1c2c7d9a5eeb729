/* r1-prover: a program of its own that FLINT, Arb and Calcium are linked into, so that r1 starts without them and a
 * proof that runs away is killed alone. It reads a formula a line, in prefix words, and answers 1 (it is 0), - (it is
 * not) or 0 (not known). math_prove.c writes the words: P n terms; T p/q n factors; F p q atom; Q poly poly; atoms V
 * name, N prime, C constant, f name n arguments, R root of a quotient, W quotient ^ quotient. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <signal.h>

#include <calcium/ca.h>
#include <flint/fmpq_mpoly.h>

typedef struct reader {
    char *s;
    bool bad; /* a word that has no meaning here: the answer is "not known" */
    int depth;
} reader;

enum { NAMES = 64, DEPTH = 300, LONGEST = 1 << 20 };

static char *word(reader *r)
{
    char *const w = r->s;
    char *const end = strpbrk(w, " \n");
    if (!end || end == w) {
        r->bad = true;
        return w;
    }
    *end = 0;
    r->s = end + 1;
    return w;
}

static long count(reader *r)
{
    const long n = atol(word(r));
    if (n < 0 || n > 1000000) r->bad = true;
    return r->bad ? 0 : n;
}

/* ---- constants: Calcium's exact field arithmetic ---- */

static void ca_quotient(ca_t out, reader *r, ca_ctx_t ctx);

static void ca_function(ca_t out, reader *r, ca_ctx_t ctx)
{
    char name[16];
    snprintf(name, sizeof name, "%s", word(r));
    const long n = count(r);
    ca_t x, y;
    ca_init(x, ctx);
    ca_init(y, ctx);
    if (n != 1) r->bad = true;
    else ca_quotient(x, r, ctx);
    if (r->bad) ca_unknown(out, ctx);
    else if (strcmp(name, "sin") == 0) ca_sin_cos(out, y, x, ctx);
    else if (strcmp(name, "cos") == 0) ca_sin_cos(y, out, x, ctx);
    else if (strcmp(name, "ln") == 0) ca_log(out, x, ctx);
    else if (strcmp(name, "atan") == 0) ca_atan(out, x, ctx);
    else if (strcmp(name, "asin") == 0) ca_asin(out, x, ctx);
    else if (strcmp(name, "abs") == 0) ca_abs(out, x, ctx);
    else if (strcmp(name, "floor") == 0) ca_floor(out, x, ctx);
    else r->bad = true;
    ca_clear(x, ctx);
    ca_clear(y, ctx);
}

static void ca_atom(ca_t out, reader *r, ca_ctx_t ctx)
{
    const char kind = *word(r);
    fmpz_t n;
    ca_t x;
    switch (kind) {
    case 'N':
        fmpz_init(n);
        if (fmpz_set_str(n, word(r), 10) != 0) r->bad = true;
        ca_set_fmpz(out, n, ctx);
        fmpz_clear(n);
        break;
    case 'C': {
        const char *const c = word(r);
        if (strcmp(c, "pi") == 0) ca_pi(out, ctx);
        else if (strcmp(c, "i") == 0) ca_i(out, ctx);
        else if (strcmp(c, "e") == 0) {
            ca_one(out, ctx);
            ca_exp(out, out, ctx);
        } else r->bad = true;
        break;
    }
    case 'f': ca_function(out, r, ctx); break;
    case 'R': ca_quotient(out, r, ctx); break;
    case 'W':
        ca_init(x, ctx);
        ca_quotient(out, r, ctx);
        ca_quotient(x, r, ctx);
        if (!r->bad) ca_pow(out, out, x, ctx);
        ca_clear(x, ctx);
        break;
    default: r->bad = true;
    }
}

static void ca_polynomial(ca_t out, reader *r, ca_ctx_t ctx)
{
    ca_t term, x;
    fmpq_t c;
    ca_init(term, ctx);
    ca_init(x, ctx);
    fmpq_init(c);
    ca_zero(out, ctx);
    if (++r->depth > DEPTH || *word(r) != 'P') r->bad = true;
    for (long n = count(r); n > 0 && !r->bad; n--) {
        if (*word(r) != 'T' || fmpq_set_str(c, word(r), 10) != 0) r->bad = true;
        ca_set_fmpq(term, c, ctx);
        for (long k = count(r); k > 0 && !r->bad; k--) {
            if (*word(r) != 'F') r->bad = true;
            const long p = count(r), q = count(r);
            if (q < 1) r->bad = true;
            ca_atom(x, r, ctx);
            if (r->bad) break;
            if (p != 1 || q != 1) {
                fmpq_set_si(c, p, (ulong)q);
                ca_pow_fmpq(x, x, c, ctx);
            }
            ca_mul(term, term, x, ctx);
        }
        ca_add(out, out, term, ctx);
    }
    r->depth--;
    fmpq_clear(c);
    ca_clear(x, ctx);
    ca_clear(term, ctx);
}

static void ca_quotient(ca_t out, reader *r, ca_ctx_t ctx)
{
    ca_t den;
    if (*word(r) != 'Q') r->bad = true;
    ca_init(den, ctx);
    if (!r->bad) ca_polynomial(out, r, ctx);
    if (!r->bad) ca_polynomial(den, r, ctx);
    if (!r->bad) ca_div(out, out, den, ctx);
    ca_clear(den, ctx);
}

static char decide_constant(char *line)
{
    reader r = {.s = line};
    ca_ctx_t ctx;
    ca_t x;
    ca_ctx_init(ctx);
    ca_init(x, ctx);
    ca_polynomial(x, &r, ctx);
    char answer = '0';
    if (!r.bad) {
        const truth_t zero = ca_check_is_zero(x, ctx);
        answer = zero == T_TRUE ? '1' : zero == T_FALSE ? '-' : '0';
        if (zero == T_UNKNOWN) { /* nested roots: one algebraic number by its minimal polynomial */
            qqbar_t a;
            qqbar_init(a);
            ctx->options[CA_OPT_QQBAR_DEG_LIMIT] = 600;
            if (ca_get_qqbar(a, x, ctx)) answer = qqbar_is_zero(a) ? '1' : '-';
            qqbar_clear(a);
        }
    }
    ca_clear(x, ctx);
    ca_ctx_clear(ctx);
    flint_cleanup();
    return answer;
}

/* ---- formulas in variables: polynomials with whole powers, each other atom refused ---- */

typedef struct names {
    const char *name[NAMES];
    int n;
} names;

static long name_of(names *all, const char *name, reader *r)
{
    for (int i = 0; i < all->n; i++)
        if (strcmp(all->name[i], name) == 0) return i;
    if (all->n == NAMES) {
        r->bad = true;
        return 0;
    }
    all->name[all->n] = name;
    return all->n++;
}

static void poly_read(fmpq_mpoly_t out, reader *r, names *all, const fmpq_mpoly_ctx_t ctx);

static void poly_atom(fmpq_mpoly_t out, reader *r, names *all, const fmpq_mpoly_ctx_t ctx)
{
    const char kind = *word(r);
    if (kind == 'V') {
        const long i = name_of(all, word(r), r);
        fmpq_mpoly_gen(out, r->bad ? 0 : i, ctx);
        return;
    }
    if (kind != 'W' || *word(r) != 'Q') { /* a held power: polynomial ^ whole number */
        r->bad = true;
        return;
    }
    fmpq_mpoly_t den, exponent;
    fmpq_t k;
    fmpq_mpoly_init(den, ctx);
    fmpq_mpoly_init(exponent, ctx);
    fmpq_init(k);
    poly_read(out, r, all, ctx);
    poly_read(den, r, all, ctx);
    if (!r->bad && !fmpq_mpoly_is_one(den, ctx)) r->bad = true;
    if (!r->bad && *word(r) != 'Q') r->bad = true;
    if (!r->bad) poly_read(exponent, r, all, ctx);
    if (!r->bad) poly_read(den, r, all, ctx);
    if (!r->bad && (!fmpq_mpoly_is_one(den, ctx) || !fmpq_mpoly_is_fmpq(exponent, ctx))) r->bad = true;
    if (!r->bad) {
        fmpq_mpoly_get_fmpq(k, exponent, ctx);
        if (!fmpz_is_one(fmpq_denref(k)) || fmpz_sgn(fmpq_numref(k)) < 0 || fmpz_cmp_si(fmpq_numref(k), 2000) > 0)
            r->bad = true;
        else if (!fmpq_mpoly_pow_ui(out, out, fmpz_get_ui(fmpq_numref(k)), ctx)) r->bad = true;
    }
    fmpq_clear(k);
    fmpq_mpoly_clear(exponent, ctx);
    fmpq_mpoly_clear(den, ctx);
}

static void poly_read(fmpq_mpoly_t out, reader *r, names *all, const fmpq_mpoly_ctx_t ctx)
{
    fmpq_mpoly_t term, x;
    fmpq_t c;
    fmpq_mpoly_init(term, ctx);
    fmpq_mpoly_init(x, ctx);
    fmpq_init(c);
    fmpq_mpoly_zero(out, ctx);
    if (++r->depth > DEPTH || *word(r) != 'P') r->bad = true;
    for (long n = count(r); n > 0 && !r->bad; n--) {
        if (*word(r) != 'T' || fmpq_set_str(c, word(r), 10) != 0) r->bad = true;
        fmpq_mpoly_set_fmpq(term, c, ctx);
        for (long k = count(r); k > 0 && !r->bad; k--) {
            if (*word(r) != 'F') r->bad = true;
            const long p = count(r), q = count(r);
            poly_atom(x, r, all, ctx);
            if (q != 1) r->bad = true;
            if (!r->bad && !fmpq_mpoly_pow_ui(x, x, (ulong)p, ctx)) r->bad = true;
            if (!r->bad) fmpq_mpoly_mul(term, term, x, ctx);
        }
        if (!r->bad) fmpq_mpoly_add(out, out, term, ctx);
    }
    r->depth--;
    fmpq_clear(c);
    fmpq_mpoly_clear(x, ctx);
    fmpq_mpoly_clear(term, ctx);
}

static char decide_polynomial(char *line)
{
    reader r = {.s = line};
    names all = {.n = 0};
    fmpq_mpoly_ctx_t ctx;
    fmpq_mpoly_t x;
    fmpq_mpoly_ctx_init(ctx, NAMES, ORD_DEGREVLEX);
    fmpq_mpoly_init(x, ctx);
    poly_read(x, &r, &all, ctx);
    const char answer = r.bad ? '0' : fmpq_mpoly_is_zero(x, ctx) ? '1' : '-';
    fmpq_mpoly_clear(x, ctx);
    fmpq_mpoly_ctx_clear(ctx);
    flint_cleanup();
    return answer;
}

int main(int argc, char **argv)
{
    const rlim_t bytes = argc > 1 ? (rlim_t)strtoull(argv[1], NULL, 10) : (rlim_t)1 << 30;
    const struct rlimit memory = {bytes, bytes}, core = {0, 0}, processor = {600, 600};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (setrlimit(RLIMIT_AS, &memory) != 0 || setrlimit(RLIMIT_CORE, &core) != 0 ||
        setrlimit(RLIMIT_CPU, &processor) != 0) return 1;
    char *const line = malloc(LONGEST);
    if (!line) return 1;
    while (fgets(line, LONGEST, stdin)) {
        if (!strchr(line, '\n')) return 1;
        const bool variables = line[0] == 'v';
        putchar(variables ? decide_polynomial(line + 2) : decide_constant(line + 2));
        putchar('\n');
        fflush(stdout);
    }
    free(line);
    return 0;
}

#include "reward/math_number.h"

#include <math.h>
#include <stdio.h>

/* A view of any integer as limbs; the two limbs of a small one live in the view. */
typedef struct view {
    const uint32_t *d;
    int n;
    bool negative;
    uint32_t own[2];
} view;

static void look(view *v, const r1i_int *a)
{
    if (a->limb) {
        v->d = a->limb;
        v->n = a->n < 0 ? -a->n : a->n;
        v->negative = a->n < 0;
        return;
    }
    const uint64_t u = a->small < 0 ? 0 - (uint64_t)a->small : (uint64_t)a->small;
    v->own[0] = (uint32_t)u;
    v->own[1] = (uint32_t)(u >> 32);
    v->d = v->own;
    v->n = v->own[1] ? 2 : v->own[0] ? 1 : 0;
    v->negative = a->small < 0;
}

/* From limbs that the caller may keep changing no more; small values go back in place so that each value has one
 * form. */
static r1i_int settle(r1i_mem *m, const uint32_t *d, int n, bool negative)
{
    while (n && !d[n - 1]) n--;
    if (n > R1I_INT_LIMBS) r1i_mem_fail(m, -1, "a number of more than 9,800 digits");
    if (n <= 2) {
        const uint64_t u = (n > 0 ? d[0] : 0) | (uint64_t)(n > 1 ? d[1] : 0) << 32;
        if (u <= INT64_MAX) return r1i_int_of(negative ? -(int64_t)u : (int64_t)u);
    }
    return (r1i_int){.limb = d, .n = negative ? -n : n};
}

int r1i_int_sign(const r1i_int *a)
{
    if (a->limb) return a->n < 0 ? -1 : 1;
    return (a->small > 0) - (a->small < 0);
}

static int cmp_magnitude(const view *a, const view *b)
{
    if (a->n != b->n) return a->n < b->n ? -1 : 1;
    for (int i = a->n; i-- > 0;)
        if (a->d[i] != b->d[i]) return a->d[i] < b->d[i] ? -1 : 1;
    return 0;
}

int r1i_int_cmp(const r1i_int *a, const r1i_int *b)
{
    if (!a->limb && !b->limb) return (a->small > b->small) - (a->small < b->small);
    const int sa = r1i_int_sign(a), sb = r1i_int_sign(b);
    if (sa != sb) return sa < sb ? -1 : 1;
    view va, vb;
    look(&va, a);
    look(&vb, b);
    return sa < 0 ? cmp_magnitude(&vb, &va) : cmp_magnitude(&va, &vb);
}

r1i_int r1i_int_neg(r1i_mem *m, const r1i_int *a)
{
    (void)m;
    if (a->limb) return (r1i_int){.limb = a->limb, .n = -a->n};
    if (a->small != INT64_MIN) return r1i_int_of(-a->small);
    uint32_t *const d = r1i_mem_take(m, 8);
    d[1] = 0x80000000u;
    return (r1i_int){.limb = d, .n = 2};
}

r1i_int r1i_int_add(r1i_mem *m, const r1i_int *a, const r1i_int *b)
{
    int64_t s;
    if (!a->limb && !b->limb && !__builtin_add_overflow(a->small, b->small, &s) && s != INT64_MIN) return r1i_int_of(s);
    view x, y;
    look(&x, a);
    look(&y, b);
    const bool same = x.negative == y.negative;
    if (cmp_magnitude(&x, &y) < 0) {
        look(&x, b);
        look(&y, a);
    }
    r1i_mem_work(m, x.n);
    uint32_t *const d = r1i_mem_take(m, (size_t)(x.n + 1) * 4);
    int64_t carry = 0;
    for (int i = 0; i < x.n; i++) {
        const int64_t t = i < y.n ? y.d[i] : 0;
        const int64_t v = (int64_t)x.d[i] + (same ? t : -t) + carry;
        d[i] = (uint32_t)v;
        carry = v >> 32;
    }
    d[x.n] = (uint32_t)carry;
    return settle(m, d, x.n + 1, x.negative);
}

r1i_int r1i_int_mul(r1i_mem *m, const r1i_int *a, const r1i_int *b)
{
    int64_t s;
    if (!a->limb && !b->limb && !__builtin_mul_overflow(a->small, b->small, &s) && s != INT64_MIN) return r1i_int_of(s);
    view x, y;
    look(&x, a);
    look(&y, b);
    if (x.n + y.n > R1I_INT_LIMBS + 1) r1i_mem_fail(m, -1, "a number of more than 9,800 digits");
    r1i_mem_work(m, (int64_t)x.n * y.n / 4 + 1);
    uint32_t *const d = r1i_mem_take(m, (size_t)(x.n + y.n) * 4);
    for (int i = 0; i < x.n; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < y.n; j++) {
            const uint64_t v = (uint64_t)x.d[i] * y.d[j] + d[i + j] + carry;
            d[i + j] = (uint32_t)v;
            carry = v >> 32;
        }
        d[i + y.n] = (uint32_t)carry;
    }
    return settle(m, d, x.n + y.n, x.negative != y.negative);
}

static uint32_t div_limb(uint32_t *d, int n, uint32_t by)
{
    uint64_t rem = 0;
    for (int i = n; i-- > 0;) {
        rem = rem << 32 | d[i];
        d[i] = (uint32_t)(rem / by);
        rem %= by;
    }
    return (uint32_t)rem;
}

/* Knuth's algorithm D: u[0..n+k] by v[0..n), both shifted so that v's top bit is set; u becomes the remainder. */
static void div_long(uint32_t *u, const uint32_t *v, int n, int k, uint32_t *q)
{
    for (int j = k; j >= 0; j--) {
        const uint64_t top = (uint64_t)u[j + n] << 32 | u[j + n - 1];
        uint64_t guess = top / v[n - 1], rest = top % v[n - 1];
        while (guess >> 32 || guess * v[n - 2] > (rest << 32 | u[j + n - 2])) {
            guess--;
            rest += v[n - 1];
            if (rest >> 32) break;
        }
        int64_t borrow = 0;
        uint64_t carry = 0;
        for (int i = 0; i < n; i++) {
            const uint64_t p = guess * v[i] + carry;
            carry = p >> 32;
            const int64_t t = (int64_t)u[i + j] - (int64_t)(uint32_t)p + borrow;
            u[i + j] = (uint32_t)t;
            borrow = t >> 32;
        }
        const int64_t t = (int64_t)u[j + n] - (int64_t)carry + borrow;
        u[j + n] = (uint32_t)t;
        if (t < 0) { /* the guess was one too large: add v back */
            guess--;
            uint64_t c = 0;
            for (int i = 0; i < n; i++) {
                c += (uint64_t)u[i + j] + v[i];
                u[i + j] = (uint32_t)c;
                c >>= 32;
            }
            u[j + n] += (uint32_t)c;
        }
        q[j] = (uint32_t)guess;
    }
}

void r1i_int_div(r1i_mem *m, const r1i_int *a, const r1i_int *b, r1i_int *quot, r1i_int *rem)
{
    if (!a->limb && !b->limb) {
        if (quot) *quot = r1i_int_of(a->small / b->small);
        if (rem) *rem = r1i_int_of(a->small % b->small);
        return;
    }
    view x, y;
    look(&x, a);
    look(&y, b);
    if (cmp_magnitude(&x, &y) < 0) {
        if (quot) *quot = r1i_int_of(0);
        if (rem) *rem = *a;
        return;
    }
    r1i_mem_work(m, (int64_t)(x.n - y.n + 1) * y.n / 4 + 1);
    uint32_t *const u = r1i_mem_take(m, (size_t)(x.n + 1) * 4);
    memcpy(u, x.d, (size_t)x.n * 4);
    const bool qn = x.negative != y.negative;
    if (y.n == 1) {
        uint32_t *const r = r1i_mem_take(m, 4);
        r[0] = div_limb(u, x.n, y.d[0]);
        if (quot) *quot = settle(m, u, x.n, qn);
        if (rem) *rem = settle(m, r, 1, x.negative);
        return;
    }
    const int shift = __builtin_clz(y.d[y.n - 1]);
    uint32_t *const v = r1i_mem_take(m, (size_t)y.n * 4), *const q = r1i_mem_take(m, (size_t)(x.n - y.n + 1) * 4);
    for (int i = y.n; i-- > 0;) v[i] = (uint32_t)(((uint64_t)y.d[i] << 32 | (i ? y.d[i - 1] : 0)) << shift >> 32);
    u[x.n] = (uint32_t)(((uint64_t)x.d[x.n - 1] << shift) >> 32);
    for (int i = x.n; i-- > 0;) u[i] = (uint32_t)(((uint64_t)x.d[i] << 32 | (i ? x.d[i - 1] : 0)) << shift >> 32);
    div_long(u, v, y.n, x.n - y.n, q);
    if (shift)
        for (int i = 0; i < y.n; i++)
            u[i] = u[i] >> shift | (uint32_t)((uint64_t)(i + 1 < y.n ? u[i + 1] : 0) << (32 - shift));
    if (quot) *quot = settle(m, q, x.n - y.n + 1, qn);
    if (rem) *rem = settle(m, u, y.n, x.negative);
}

r1i_int r1i_int_gcd(r1i_mem *m, const r1i_int *a, const r1i_int *b)
{
    r1i_int x = r1i_int_sign(a) < 0 ? r1i_int_neg(m, a) : *a, y = r1i_int_sign(b) < 0 ? r1i_int_neg(m, b) : *b;
    while (r1i_int_sign(&y) != 0) {
        if (!x.limb && !y.limb) {
            int64_t p = x.small, q = y.small;
            while (q) {
                const int64_t r = p % q;
                p = q;
                q = r;
            }
            return r1i_int_of(p);
        }
        r1i_int r;
        r1i_int_div(m, &x, &y, NULL, &r);
        x = y;
        y = r;
    }
    return x;
}

int r1i_int_bits(const r1i_int *a)
{
    view v;
    look(&v, a);
    return v.n ? v.n * 32 - __builtin_clz(v.d[v.n - 1]) : 0;
}

bool r1i_int_pow_fits(const r1i_int *a, uint64_t e)
{
    const int bits = r1i_int_bits(a);
    return bits <= 1 || (e < 1u << 20 && (uint64_t)bits * e <= (uint64_t)R1I_INT_LIMBS * 32);
}

r1i_int r1i_int_pow(r1i_mem *m, const r1i_int *a, uint32_t e)
{
    r1i_int r = r1i_int_of(1), b = *a;
    if (!r1i_int_pow_fits(a, e)) r1i_mem_fail(m, -1, "a power of more than 9,800 digits");
    for (; e; e >>= 1) {
        if (e & 1) r = r1i_int_mul(m, &r, &b);
        if (e > 1) b = r1i_int_mul(m, &b, &b);
    }
    return r;
}

/* Newton's iteration from above: decreasing until it stops. */
r1i_int r1i_int_root(r1i_mem *m, const r1i_int *a, uint32_t k)
{
    const int bits = r1i_int_bits(a);
    if (k == 1 || bits <= 1) return *a;
    if (k >= (uint32_t)bits) return r1i_int_of(1);
    const r1i_int two = r1i_int_of(2), km1 = r1i_int_of((int64_t)k - 1), kk = r1i_int_of(k);
    r1i_int x = r1i_int_pow(m, &two, (uint32_t)bits / k + 1);
    for (;;) {
        const r1i_int p = r1i_int_pow(m, &x, k - 1);
        r1i_int q, y = r1i_int_mul(m, &x, &km1);
        r1i_int_div(m, a, &p, &q, NULL);
        y = r1i_int_add(m, &y, &q);
        r1i_int_div(m, &y, &kk, &y, NULL);
        if (r1i_int_cmp(&y, &x) >= 0) return x;
        x = y;
    }
}

double r1i_int_double(const r1i_int *a, int *exponent)
{
    view v;
    look(&v, a);
    double d = 0;
    const int from = v.n > 3 ? v.n - 3 : 0;
    for (int i = v.n; i-- > from;) d = d * 4294967296.0 + v.d[i];
    d = frexp(d, exponent);
    *exponent += 32 * from;
    return v.negative ? -d : d;
}

r1i_int r1i_int_read(r1i_mem *m, const char *digits, size_t n)
{
    while (n && *digits == '0') digits++, n--;
    int64_t s = 0;
    if (n <= 18) {
        for (size_t i = 0; i < n; i++) s = s * 10 + (digits[i] - '0');
        return r1i_int_of(s);
    }
    if (n > (size_t)R1I_INT_LIMBS * 9) r1i_mem_fail(m, -1, "a number of more than 9,200 digits");
    r1i_mem_work(m, (int64_t)(n / 9) * (int64_t)(n / 9) / 8);
    uint32_t *const d = r1i_mem_take(m, (n / 9 + 2) * 4);
    int used = 0;
    for (size_t i = 0; i < n;) {
        uint32_t chunk = 0, scale = 1;
        for (int k = 0; k < 9 && i < n; k++, i++) {
            chunk = chunk * 10 + (uint32_t)(digits[i] - '0');
            scale *= 10;
        }
        uint64_t carry = chunk;
        for (int j = 0; j < used; j++) {
            carry += (uint64_t)d[j] * scale;
            d[j] = (uint32_t)carry;
            carry >>= 32;
        }
        if (carry) d[used++] = (uint32_t)carry;
    }
    return settle(m, d, used, false);
}

void r1i_int_write(r1i_mtext *t, const r1i_int *a)
{
    char part[24];
    if (!a->limb) {
        const int n = snprintf(part, sizeof part, "%lld", (long long)a->small);
        r1i_mtext_put(t, part, (size_t)n);
        return;
    }
    view v;
    look(&v, a);
    r1i_mem *const m = t->mem;
    r1i_mem_work(m, (int64_t)v.n * v.n);
    uint32_t *const d = r1i_mem_take(m, (size_t)v.n * 4), *const out = r1i_mem_take(m, ((size_t)v.n * 10 / 9 + 2) * 4);
    memcpy(d, v.d, (size_t)v.n * 4);
    int n = v.n, chunks = 0;
    while (n) {
        out[chunks++] = div_limb(d, n, 1000000000u);
        while (n && !d[n - 1]) n--;
    }
    if (v.negative) r1i_mtext_put(t, "-", 1);
    for (int i = chunks; i-- > 0;) {
        const int w = snprintf(part, sizeof part, i == chunks - 1 ? "%u" : "%09u", out[i]);
        r1i_mtext_put(t, part, (size_t)w);
    }
}

r1i_rat r1i_rat_make(r1i_mem *m, r1i_int p, r1i_int q)
{
    if (r1i_int_sign(&q) < 0) {
        p = r1i_int_neg(m, &p);
        q = r1i_int_neg(m, &q);
    }
    if (r1i_int_is(&q, 1)) return (r1i_rat){p, q};
    const r1i_int g = r1i_int_gcd(m, &p, &q);
    if (!r1i_int_is(&g, 1)) {
        r1i_int_div(m, &p, &g, &p, NULL);
        r1i_int_div(m, &q, &g, &q, NULL);
    }
    return (r1i_rat){p, q};
}

r1i_rat r1i_rat_add(r1i_mem *m, const r1i_rat *a, const r1i_rat *b)
{
    if (r1i_int_cmp(&a->q, &b->q) == 0) return r1i_rat_make(m, r1i_int_add(m, &a->p, &b->p), a->q);
    const r1i_int x = r1i_int_mul(m, &a->p, &b->q), y = r1i_int_mul(m, &b->p, &a->q);
    return r1i_rat_make(m, r1i_int_add(m, &x, &y), r1i_int_mul(m, &a->q, &b->q));
}

r1i_rat r1i_rat_mul(r1i_mem *m, const r1i_rat *a, const r1i_rat *b)
{
    return r1i_rat_make(m, r1i_int_mul(m, &a->p, &b->p), r1i_int_mul(m, &a->q, &b->q));
}

r1i_rat r1i_rat_neg(r1i_mem *m, const r1i_rat *a) { return (r1i_rat){r1i_int_neg(m, &a->p), a->q}; }
r1i_rat r1i_rat_inv(r1i_mem *m, const r1i_rat *a) { return r1i_rat_make(m, a->q, a->p); }

r1i_rat r1i_rat_pow(r1i_mem *m, const r1i_rat *a, int32_t e)
{
    const r1i_rat b = e < 0 ? r1i_rat_inv(m, a) : *a;
    const uint32_t k = e < 0 ? 0u - (uint32_t)e : (uint32_t)e;
    return (r1i_rat){r1i_int_pow(m, &b.p, k), r1i_int_pow(m, &b.q, k)};
}

r1i_int r1i_rat_floor(r1i_mem *m, const r1i_rat *a)
{
    r1i_int q, r;
    r1i_int_div(m, &a->p, &a->q, &q, &r);
    const r1i_int minus = r1i_int_of(-1);
    return r1i_int_sign(&r) < 0 ? r1i_int_add(m, &q, &minus) : q;
}

int r1i_rat_cmp(r1i_mem *m, const r1i_rat *a, const r1i_rat *b)
{
    if (r1i_int_cmp(&a->q, &b->q) == 0) return r1i_int_cmp(&a->p, &b->p);
    const r1i_int x = r1i_int_mul(m, &a->p, &b->q), y = r1i_int_mul(m, &b->p, &a->q);
    return r1i_int_cmp(&x, &y);
}

void r1i_rat_write(r1i_mtext *t, const r1i_rat *a)
{
    r1i_int_write(t, &a->p);
    if (r1i_int_is(&a->q, 1)) return;
    r1i_mtext_put(t, "/", 1);
    r1i_int_write(t, &a->q);
}

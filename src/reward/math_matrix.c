/* Matrices of formulas: sums, multiples, products, powers, transposes, determinants and traces, entry by entry. */
#include "reward/math_shape_in.h"

static void matrix_text(r1i_mem *m, r1i_shape *s)
{
    r1i_mtext t = {.mem = m};
    r1i_mtext_add(&t, s->op == 1 ? "Matrix([" : "[");
    for (int i = 0; i < s->n; i++) {
        r1i_mtext_add(&t, i ? ", " : "");
        if (s->op > 1 && i % s->op == 0) r1i_mtext_add(&t, "[");
        r1i_mtext_add(&t, s->kid[i]->text);
        if (s->op > 1 && i % s->op == s->op - 1) r1i_mtext_add(&t, "]");
    }
    r1i_mtext_add(&t, s->op == 1 ? "])" : "]");
    s->text = t.s;
}

r1i_shape *r1i_shape_matrix(r1i_mem *m, const r1i_mnode *e)
{
    r1i_shape *const s = r1i_shape_make(m, R1I_S_MATRIX, "matrix", e->n);
    s->op = e->op ? e->op : 1;
    for (int i = 0; i < e->n; i++) s->kid[i] = r1i_math_shape(m, e->kid[i]);
    matrix_text(m, s);
    return s;
}

/* A matrix under work: rows by columns of quotients. */
typedef struct grid {
    int rows, columns;
    r1i_frac *at;
} grid;

static grid make(r1i_mem *m, int rows, int columns)
{
    return (grid){rows, columns, r1i_mem_take(m, (size_t)rows * (size_t)columns * sizeof(r1i_frac))};
}

static grid product(r1i_mem *m, const grid *a, const grid *b)
{
    if (a->columns != b->rows) r1i_mem_fail(m, -1, "a product of matrices that do not fit");
    grid r = make(m, a->rows, b->columns);
    for (int i = 0; i < a->rows; i++)
        for (int j = 0; j < b->columns; j++) {
            r1i_frac sum = r1i_frac_int(m, 0);
            for (int k = 0; k < a->columns; k++) {
                const r1i_frac x = r1i_frac_mul(m, &a->at[i * a->columns + k], &b->at[k * b->columns + j]);
                sum = r1i_frac_add(m, &sum, &x);
            }
            r.at[i * r.columns + j] = sum;
        }
    return r;
}

/* Along the first row; 6 rows are 720 products. */
static r1i_frac determinant(r1i_mem *m, const grid *a)
{
    if (a->rows != a->columns) r1i_mem_fail(m, -1, "a determinant of a matrix that is not square");
    if (a->rows > 6) r1i_mem_fail(m, -1, "too large to work out");
    if (a->rows == 1) return a->at[0];
    r1i_frac sum = r1i_frac_int(m, 0);
    for (int k = 0; k < a->columns; k++) {
        if (r1i_frac_zero(&a->at[k])) continue;
        grid minor = make(m, a->rows - 1, a->columns - 1);
        for (int i = 1; i < a->rows; i++)
            for (int j = 0, c = 0; j < a->columns; j++)
                if (j != k) minor.at[(i - 1) * minor.columns + c++] = a->at[i * a->columns + j];
        const r1i_frac d = determinant(m, &minor), x = r1i_frac_mul(m, &a->at[k], &d);
        sum = k % 2 ? r1i_frac_sub(m, &sum, &x) : r1i_frac_add(m, &sum, &x);
    }
    return sum;
}

static grid inverse(r1i_mem *m, const grid *a)
{
    const r1i_frac d = determinant(m, a);
    if (r1i_frac_zero(&d)) r1i_mem_fail(m, -1, "an inverse of a singular matrix");
    grid r = make(m, a->rows, a->columns);
    for (int i = 0; i < a->rows; i++)
        for (int j = 0; j < a->columns; j++) {
            r1i_frac x = r1i_frac_int(m, 1);
            if (a->rows > 1) {
                grid minor = make(m, a->rows - 1, a->columns - 1);
                for (int p = 0, row = 0; p < a->rows; p++) {
                    if (p == i) continue;
                    for (int q = 0, c = 0; q < a->columns; q++)
                        if (q != j) minor.at[row * minor.columns + c++] = a->at[p * a->columns + q];
                    row++;
                }
                x = determinant(m, &minor);
            }
            const r1i_rat sign = r1i_rat_of((i + j) % 2 ? -1 : 1);
            x = r1i_frac_scale(m, &x, &sign);
            r.at[j * r.columns + i] = r1i_frac_div(m, &x, &d);
        }
    return r;
}

static bool has_matrix(const r1i_mnode *e)
{
    if (e->kind == R1I_M_MATRIX) return true;
    if (e->kind == R1I_M_POW) return has_matrix(e->kid[0]);
    if (e->kind == R1I_M_FN && e->op != R1I_MF_TRANSPOSE) return false;
    if (e->kind != R1I_M_ADD && e->kind != R1I_M_MUL && e->kind != R1I_M_FN) return false;
    for (int i = 0; i < e->n; i++)
        if (has_matrix(e->kid[i])) return true;
    return false;
}

static grid work(r1i_mem *m, const r1i_mnode *e)
{
    grid r;
    if (e->kind == R1I_M_MATRIX) {
        r = make(m, e->n / e->op, e->op);
        for (int i = 0; i < e->n; i++) r.at[i] = r1i_math_canon(m, e->kid[i]);
        return r;
    }
    if (e->kind == R1I_M_FN) {
        const grid a = work(m, e->kid[0]);
        r = make(m, a.columns, a.rows);
        for (int i = 0; i < a.rows * a.columns; i++) r.at[i % a.columns * r.columns + i / a.columns] = a.at[i];
        return r;
    }
    if (e->kind == R1I_M_POW) {
        const r1i_frac k = r1i_math_canon(m, e->kid[1]);
        int64_t n;
        if (!r1i_frac_small(&k, &n) || n > 50 || n < -50 || n == 0)
            r1i_mem_fail(m, -1, "a power of a matrix too large to work out");
        grid a = work(m, e->kid[0]);
        if (n < 0) a = inverse(m, &a);
        r = a;
        for (int64_t i = n < 0 ? -n : n; i > 1; i--) r = product(m, &r, &a);
        return r;
    }
    r1i_frac by = r1i_frac_int(m, 1);
    bool first = true;
    for (int i = 0; i < e->n; i++) {
        if (!has_matrix(e->kid[i])) {
            if (e->kind == R1I_M_ADD) r1i_mem_fail(m, -1, "a sum of a number and a matrix");
            const r1i_frac k = r1i_math_canon(m, e->kid[i]);
            by = r1i_frac_mul(m, &by, &k);
            continue;
        }
        const grid a = work(m, e->kid[i]);
        if (first) r = a;
        else if (e->kind == R1I_M_MUL) r = product(m, &r, &a);
        else {
            if (a.rows != r.rows || a.columns != r.columns) r1i_mem_fail(m, -1, "a sum of matrices of different sizes");
            grid sum = make(m, a.rows, a.columns);
            for (int k = 0; k < a.rows * a.columns; k++) sum.at[k] = r1i_frac_add(m, &r.at[k], &a.at[k]);
            r = sum;
        }
        first = false;
    }
    if (e->kind == R1I_M_MUL) {
        grid scaled = make(m, r.rows, r.columns);
        for (int k = 0; k < r.rows * r.columns; k++) scaled.at[k] = r1i_frac_mul(m, &by, &r.at[k]);
        r = scaled;
    }
    return r;
}

r1i_shape *r1i_shape_matrices(r1i_mem *m, const r1i_mnode *e)
{
    if (e->kind == R1I_M_FN && (e->op == R1I_MF_DET || e->op == R1I_MF_TRACE) && has_matrix(e->kid[0])) {
        const grid a = work(m, e->kid[0]);
        r1i_frac f = r1i_frac_int(m, 0);
        if (e->op == R1I_MF_DET) f = determinant(m, &a);
        else
            for (int i = 0; i < a.rows && i < a.columns; i++) f = r1i_frac_add(m, &f, &a.at[i * a.columns + i]);
        return r1i_shape_value(m, &f);
    }
    if (!has_matrix(e)) return NULL;
    const grid a = work(m, e);
    r1i_shape *const s = r1i_shape_make(m, R1I_S_MATRIX, "matrix", a.rows * a.columns);
    s->op = a.columns;
    for (int i = 0; i < s->n; i++) s->kid[i] = r1i_shape_value(m, &a.at[i]);
    matrix_text(m, s);
    return s;
}

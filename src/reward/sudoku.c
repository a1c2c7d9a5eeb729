/* Sudoku of 4x4, 6x6 (boxes of 2 rows by 3 columns) and 9x9: any grid that keeps the clues and repeats no digit in a
 * row, column or box is right, so a puzzle with several solutions has several right answers.
 *
 * Gold: {"puzzle": "3102...", "answer": "3142..."}, 0 or '.' for an empty cell; further keys are allowed. Or only the
 * solved digits, which then must be met. The grid is looked for in the <answer> block, else the last box, else the last
 * lines that hold nothing but digits and what is drawn between them. */
#include <string.h>

#include "reward/grader.h"
#include "reward/rule_text.h"

enum { CELLS = 81 };

typedef struct grid {
    size_t n; /* 16, 36, 81 */
    int side;
    char cell[CELLS]; /* 0 empty, else 1 .. side */
} grid;

static int side_of(size_t cells) { return cells == 16 ? 4 : cells == 36 ? 6 : cells == 81 ? 9 : 0; }

static const char *read_grid(r1i_span s, bool empty_allowed, grid *g)
{
    *g = (grid){0};
    for (size_t i = 0; i < s.n; i++) {
        const char c = s.p[i];
        if ((c < '0' || c > '9') && !(c == '.' && empty_allowed)) continue;
        if (g->n == CELLS) return "more than 81 digits";
        g->cell[g->n++] = c == '.' ? 0 : (char)(c - '0');
    }
    g->side = side_of(g->n);
    if (!g->side) return "neither 16, 36 nor 81 digits";
    for (size_t i = 0; i < g->n; i++)
        if (g->cell[i] > g->side || (g->cell[i] == 0 && !empty_allowed)) return "a digit outside 1 to the grid's side";
    return NULL;
}

/* The first unit with a digit twice, in words; NULL when all is well. Empty cells are no digits. */
static const char *repeated(const grid *g, int *index)
{
    const int side = g->side, rows = side == 9 ? 3 : 2, columns = side / rows;
    unsigned row[9] = {0}, column[9] = {0}, box[9] = {0};
    for (int i = 0; i < side * side; i++) {
        const int r = i / side, c = i % side, b = r / rows * (side / columns) + c / columns;
        const unsigned bit = g->cell[i] ? 1u << g->cell[i] : 0;
        const char *const unit = row[r] & bit ? "row" : column[c] & bit ? "column" : box[b] & bit ? "box" : NULL;
        *index = (row[r] & bit ? r : column[c] & bit ? c : b) + 1;
        if (unit) return unit;
        row[r] |= bit;
        column[c] |= bit;
        box[b] |= bit;
    }
    return NULL;
}

typedef struct gold {
    bool has_puzzle;
    grid puzzle, solved;
} gold;

static r1_status part(const json_t *json, const char *key, bool empty_allowed, grid *g, r1_error *err)
{
    const json_t *v = json_object_get(json, key);
    if (!json_is_string(v)) return r1i_fail(err, R1_ERR_FORMAT, "the gold has no \"%s\" of digits", key);
    const char *const why = read_grid((r1i_span){json_string_value(v), json_string_length(v)}, empty_allowed, g);
    int where;
    const char *const unit = why ? NULL : repeated(g, &where);
    if (why) return r1i_fail(err, R1_ERR_FORMAT, "the gold's \"%s\" has %s", key, why);
    if (unit) return r1i_fail(err, R1_ERR_FORMAT, "the gold's \"%s\" has a digit twice in %s %d", key, unit, where);
    return R1_OK;
}

static r1_status read_gold(const char *text, size_t bytes, gold *g, r1_error *err)
{
    *g = (gold){0};
    const r1i_span s = r1i_span_trim((r1i_span){text, bytes});
    json_t *json;
    r1_status st;
    if (s.n == 0 || s.p[0] != '{') {
        const char *const why = read_grid(s, false, &g->solved);
        return why ? r1i_fail(err, R1_ERR_FORMAT, "the gold has %s", why) : R1_OK;
    }
    if ((st = r1i_json_parse(s.p, s.n, &json, err)) != R1_OK) return st;
    g->has_puzzle = true;
    st = part(json, "puzzle", true, &g->puzzle, err);
    if (st == R1_OK && json_object_get(json, "answer")) {
        st = part(json, "answer", false, &g->solved, err);
        for (size_t i = 0; st == R1_OK && i < g->puzzle.n; i++)
            if (g->solved.n != g->puzzle.n || (g->puzzle.cell[i] && g->puzzle.cell[i] != g->solved.cell[i]))
                st = r1i_fail(err, R1_ERR_FORMAT, "the gold's \"answer\" does not fit its \"puzzle\"");
    }
    json_decref(json);
    return st;
}

static r1_status sudoku_check_gold(void *state, const char *text, size_t bytes, r1_error *err)
{
    (void)state;
    gold g;
    return read_gold(text, bytes, &g, err);
}

static bool drawn(char c) { return (c >= '0' && c <= '9') || (c && strchr(" \t\r|+-,;[](){}\"'`$\n", c)); }

static bool only_drawn(r1i_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!drawn(s.p[i])) return false;
    return s.n > 0;
}

/* The last run of neighbouring lines of which each is digits and drawing. */
static r1i_span last_block(r1i_span s)
{
    size_t begin = s.n, end = s.n;
    bool digits = false;
    while (begin > 0) {
        size_t line = begin - 1;
        while (line > 0 && s.p[line - 1] != '\n') line--;
        const r1i_span text = {s.p + line, begin - line};
        if (!only_drawn(text)) {
            if (digits) break;
            end = line;
        } else {
            for (size_t i = 0; i < text.n && !digits; i++) digits = text.p[i] >= '0' && text.p[i] <= '9';
        }
        begin = line;
    }
    return digits ? (r1i_span){s.p + begin, end - begin} : (r1i_span){0};
}

static const char *judge(const gold *g, const grid *a, int *where)
{
    const grid *like = g->has_puzzle ? &g->puzzle : &g->solved;
    if (a->n != like->n) return "the grid has another size";
    for (size_t i = 0; i < a->n && !g->has_puzzle; i++)
        if (a->cell[i] != g->solved.cell[i]) return *where = (int)i + 1, "the grid differs from the solution";
    for (size_t i = 0; i < a->n && g->has_puzzle; i++)
        if (g->puzzle.cell[i] && a->cell[i] != g->puzzle.cell[i]) return *where = (int)i + 1, "a clue was changed";
    return repeated(a, where) ? "a digit stands twice in a row, column or box" : NULL;
}

static r1_status sudoku_grade(void *state, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    (void)state;
    gold g;
    const r1_status st = read_gold(sample->gold, sample->gold_bytes, &g, err);
    if (st != R1_OK) return st;
    const r1i_span answer = r1i_parts_of(sample).answer;
    const r1i_final f = r1i_final_of(answer);
    const r1i_span text = f.found ? f.text : f.blocks ? (r1i_span){0} : last_block(answer);
    grid a;
    int where = 0;
    if (f.several || text.n == 0 || !only_drawn(text)) {
        r1i_verdict_set(out, 0, false,
                        f.several ? "several answers, of which none is taken" : "no grid of digits after the thinking");
        return R1_OK;
    }
    const char *why = read_grid(text, false, &a);
    if (why) {
        r1i_verdict_set(out, 0, false, "the answer has %s", why);
        return R1_OK;
    }
    char digits[CELLS];
    for (size_t i = 0; i < a.n; i++) digits[i] = (char)('0' + a.cell[i]);
    r1i_verdict_answer(out, digits, a.n);
    why = judge(&g, &a, &where);
    if (!why) r1i_verdict_set(out, 1, true, "a valid grid");
    else if (where) r1i_verdict_set(out, 0, false, "%s (%d)", why, where);
    else r1i_verdict_set(out, 0, false, "%s", why);
    return R1_OK;
}

const r1i_grader_class r1i_grader_sudoku = {
    .name = "sudoku",
    .what = "a filled grid of 4x4, 6x6 or 9x9 that keeps the clues and the rules",
    .check_gold = sudoku_check_gold,
    .grade = sudoku_grade,
};

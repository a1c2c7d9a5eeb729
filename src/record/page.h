/* Report pages: one HTML file that needs nothing beside it, with drawings in SVG, readable on light and dark screens.
 * Numbers become coordinates with two decimals, so that equal results give equal bytes. */
#ifndef R1I_PAGE_H
#define R1I_PAGE_H

#include "base/text.h"

void r1i_page_begin(r1i_text *t, const char *title);
void r1i_page_end(r1i_text *t);
/* Text with the five characters of markup escaped, control characters and ill-formed UTF-8 replaced. */
void r1i_page_escape(r1i_text *t, const char *text);
/* <h2>...</h2> and the like. */
void r1i_page_element(r1i_text *t, const char *element, const char *text);

/* A point with its interval for each label, from 0 to 1, drawn as percent. */
typedef struct r1i_bar { const char *label; double value, lo, hi; } r1i_bar;
void r1i_page_intervals(r1i_text *t, const char *title, const r1i_bar *bar, size_t n);

/* Counts of two kinds, stacked. */
typedef struct r1i_bin { double from, to; int64_t a, b; } r1i_bin;
void r1i_page_histogram(r1i_text *t, const char *title, const char *axis, const char *name_a, const char *name_b,
                        const r1i_bin *bin, size_t n);

/* Lines through points (x ascending), y scaled to what is there. log_x: powers of two on the axis. */
typedef struct r1i_line { const char *name; const double *x, *y; size_t n; } r1i_line;
void r1i_page_lines(r1i_text *t, const char *title, const char *axis, const r1i_line *line, size_t n, bool percent,
                    bool log_x);

#endif

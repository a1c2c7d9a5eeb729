#include "record/page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char style[] =
    "<style>\n"
    ":root{color-scheme:light dark;--ink:#1b1f24;--soft:#5b6570;--rule:#d5dbe1;--paper:#ffffff;--a:#1f6feb;--b:#d9822b;--c:#2f8f5b;--d:#a04bb8}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa5b1;--rule:#39424c;--paper:#14181d;--a:#6aa8ff;--b:#f0a860;--c:#68c795;--d:#d08ce6}}\n"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;padding:0 1rem}\n"
    "h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.2rem;border-bottom:1px solid var(--rule)}h3{font-size:1rem}\n"
    "table{border-collapse:collapse;margin:.6rem 0;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.15rem .7rem;border-bottom:1px solid var(--rule);text-align:right}th:first-child,td:first-child{text-align:left}\n"
    "th{color:var(--soft);font-weight:600}.soft{color:var(--soft)}code{font-size:.85em;word-break:break-all}\n"
    "svg{display:block;margin:.6rem 0;max-width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg .soft{fill:var(--soft)}\n"
    ".rule{stroke:var(--rule)}.a{fill:var(--a)}.b{fill:var(--b)}.c{fill:var(--c)}.d{fill:var(--d)}\n"
    ".la{stroke:var(--a)}.lb{stroke:var(--b)}.lc{stroke:var(--c)}.ld{stroke:var(--d)}.la,.lb,.lc,.ld{fill:none;stroke-width:2}\n"
    "</style>\n";

void r1i_page_begin(r1i_text *t, const char *title)
{
    r1i_text_puts(t, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    r1i_page_escape(t, title);
    r1i_text_puts(t, "</title>\n");
    r1i_text_puts(t, style);
    r1i_text_puts(t, "</head>\n<body>\n");
    r1i_page_element(t, "h1", title);
}

void r1i_page_end(r1i_text *t) { r1i_text_puts(t, "</body>\n</html>\n"); }

/* Length of the well-formed UTF-8 character at s, 0 where there is none. */
static size_t well_formed(const unsigned char *s)
{
    const size_t want = s[0] < 0x80 ? 1 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : (s[0] & 0xF0) == 0xE0 ? 3 : s[0] >= 0xF0 &&
        s[0] < 0xF5 ? 4 : 0;
    for (size_t i = 1; i < want; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF0 && s[1] < 0x90) ||
        (s[0] == 0xF4 && s[1] > 0x8F)) return 0;
    return want;
}

void r1i_page_escape(r1i_text *t, const char *text)
{
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        const size_t n = well_formed(s);
        if (*s == '&') r1i_text_puts(t, "&amp;");
        else if (*s == '<') r1i_text_puts(t, "&lt;");
        else if (*s == '>') r1i_text_puts(t, "&gt;");
        else if (*s == '"') r1i_text_puts(t, "&quot;");
        else if (*s == '\'') r1i_text_puts(t, "&#39;");
        else if (n == 0 || *s == 0x7F || (*s < 0x20 && *s != '\n' && *s != '\t')) r1i_text_puts(t, "\xEF\xBF\xBD");
        else r1i_text_add(t, (const char *)s, n);
        s += n ? n : 1;
    }
}

void r1i_page_element(r1i_text *t, const char *element, const char *text)
{
    r1i_text_printf(t, "<%s>", element);
    r1i_page_escape(t, text);
    r1i_text_printf(t, "</%s>\n", element);
}

/* ---- drawings ---------------------------------------------------------------------------------------------------- */

enum { WIDTH = 760, LEFT = 190, RIGHT = 60, PLOT_LEFT = 56, PLOT_HEIGHT = 220 };

static void open_svg(r1i_text *t, const char *title, int height)
{
    r1i_page_element(t, "h3", title);
    r1i_text_printf(t, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" role=\"img\" aria-label=\"", WIDTH, height, WIDTH);
    r1i_page_escape(t, title);
    r1i_text_puts(t, "\">\n");
}

static void label(r1i_text *t, double x, double y, const char *anchor, const char *class, const char *text)
{
    r1i_text_printf(t, "<text x=\"%.2f\" y=\"%.2f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor, class);
    r1i_page_escape(t, text);
    r1i_text_puts(t, "</text>\n");
}

static void rule(r1i_text *t, double x1, double y1, double x2, double y2)
{
    r1i_text_printf(t, "<line class=\"rule\" x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\"/>\n", x1, y1, x2, y2);
}

void r1i_page_intervals(r1i_text *t, const char *title, const r1i_bar *bar, size_t n)
{
    enum { ROW = 24 };
    const double span = WIDTH - LEFT - RIGHT;
    const int height = (int)n * ROW + 34;
    char text[64];
    open_svg(t, title, height);
    for (int i = 0; i <= 4; i++) {
        const double x = LEFT + span * i / 4;
        rule(t, x, 4, x, height - 22);
        snprintf(text, sizeof text, "%d %%", 25 * i);
        label(t, x, height - 6, "middle", "soft", text);
    }
    for (size_t i = 0; i < n; i++) {
        const double y = 18 + (double)i * ROW, lo = LEFT + span * bar[i].lo, hi = LEFT + span * bar[i].hi;
        label(t, LEFT - 8, y + 4, "end", "", bar[i].label);
        r1i_text_printf(t, "<line class=\"la\" x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\"/>\n", lo, y, hi, y);
        r1i_text_printf(t, "<circle class=\"a\" cx=\"%.2f\" cy=\"%.2f\" r=\"4.5\"/>\n", LEFT + span * bar[i].value, y);
        snprintf(text, sizeof text, "%.1f", 100 * bar[i].value);
        label(t, WIDTH - RIGHT + 12, y + 4, "start", "", text);
    }
    r1i_text_puts(t, "</svg>\n");
}

static void rect(r1i_text *t, const char *class, double x, double y, double w, double h)
{
    if (h > 0)
        r1i_text_printf(t, "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>\n", class, x, y,
                        w, h);
}

static void key(r1i_text *t, size_t place, const char *class, const char *name)
{
    const double x = PLOT_LEFT + 8 + 170 * (double)place;
    r1i_text_printf(t, "<rect class=\"%s\" x=\"%.2f\" y=\"2\" width=\"10\" height=\"10\"/>\n", class, x);
    label(t, x + 15, 12, "start", "", name);
}

void r1i_page_histogram(r1i_text *t, const char *title, const char *axis, const char *name_a, const char *name_b,
                        const r1i_bin *bin, size_t n)
{
    const double top = 22, base = top + PLOT_HEIGHT, span = WIDTH - PLOT_LEFT - 20;
    int64_t most = 1;
    char text[64];
    for (size_t i = 0; i < n; i++) most = bin[i].a + bin[i].b > most ? bin[i].a + bin[i].b : most;
    open_svg(t, title, PLOT_HEIGHT + 66);
    key(t, 0, "a", name_a);
    key(t, 1, "b", name_b);
    rule(t, PLOT_LEFT, base, WIDTH - 20, base);
    snprintf(text, sizeof text, "%lld", (long long)most);
    label(t, PLOT_LEFT - 6, top + 10, "end", "soft", text);
    label(t, PLOT_LEFT - 6, base, "end", "soft", "0");
    for (size_t i = 0; i < n; i++) {
        const double x = PLOT_LEFT + span * (double)i / (double)n, w = span / (double)n - 2;
        const double a = PLOT_HEIGHT * (double)bin[i].a / (double)most,
                     b = PLOT_HEIGHT * (double)bin[i].b / (double)most;
        rect(t, "a", x + 1, base - a, w, a);
        rect(t, "b", x + 1, base - a - b, w, b);
        if (i % 4 == 0) {
            snprintf(text, sizeof text, "%.0f", bin[i].from);
            label(t, x, base + 16, "middle", "soft", text);
        }
    }
    label(t, WIDTH - 20, base + 34, "end", "soft", axis);
    r1i_text_puts(t, "</svg>\n");
}

/* ---- lines ------------------------------------------------------------------------------------------------------- */

typedef struct frame {
    double x0, x1, y0, y1, top, base, span;
    bool log_x;
} frame;

static double place_x(const frame *f, double x)
{
    const double a = f->log_x ? log2(f->x0) : f->x0, b = f->log_x ? log2(f->x1) : f->x1, v = f->log_x ? log2(x) : x;
    return PLOT_LEFT + (b > a ? f->span * (v - a) / (b - a) : f->span / 2);
}
static double place_y(const frame *f, double y)
{
    return f->base - (f->y1 > f->y0 ? (f->base - f->top) * (y - f->y0) / (f->y1 - f->y0) : (f->base - f->top) / 2);
}

static bool measure(const r1i_line *line, size_t n, frame *f)
{
    bool any = false;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < line[i].n; j++) {
            const double x = line[i].x[j], y = line[i].y[j];
            if (!isfinite(x) || !isfinite(y) || (f->log_x && x <= 0)) continue;
            if (!any || x < f->x0) f->x0 = x;
            if (!any || x > f->x1) f->x1 = x;
            if (!any || y < f->y0) f->y0 = y;
            if (!any || y > f->y1) f->y1 = y;
            any = true;
        }
    return any;
}

static void number(char *text, size_t size, double v, bool percent)
{
    if (percent) snprintf(text, size, "%.1f %%", 100 * v);
    else snprintf(text, size, "%.4g", v);
}

static bool drawable(const frame *f, const r1i_line *line, size_t j)
{
    return isfinite(line->x[j]) && isfinite(line->y[j]) && !(f->log_x && line->x[j] <= 0);
}

static void draw_point(r1i_text *t, const frame *f, const r1i_line *line, size_t j)
{
    r1i_text_printf(t, " %.2f,%.2f", place_x(f, line->x[j]), place_y(f, line->y[j]));
}

/* Of the points that follow one another within a pixel's width the lowest and the highest are drawn: thousands of steps
 * then look the same and take a tenth of the bytes. */
static void draw_line(r1i_text *t, const frame *f, const r1i_line *line, char colour)
{
    r1i_text_printf(t, "<polyline class=\"l%c\" points=\"", colour);
    for (size_t j = 0, next; j < line->n; j = next) {
        next = j + 1;
        if (!drawable(f, line, j)) continue;
        const double column = floor(place_x(f, line->x[j]));
        size_t low = j, high = j;
        for (; next < line->n && drawable(f, line, next) && floor(place_x(f, line->x[next])) == column; next++) {
            if (line->y[next] < line->y[low]) low = next;
            if (line->y[next] > line->y[high]) high = next;
        }
        draw_point(t, f, line, low < high ? low : high);
        if (low != high) draw_point(t, f, line, low < high ? high : low);
    }
    r1i_text_puts(t, "\"/>\n");
}

void r1i_page_lines(r1i_text *t, const char *title, const char *axis, const r1i_line *line, size_t n, bool percent,
                    bool log_x)
{
    frame f = {.top = 24, .base = 24 + PLOT_HEIGHT, .span = WIDTH - PLOT_LEFT - 20, .log_x = log_x};
    char text[64];
    if (!measure(line, n, &f)) return;
    open_svg(t, title, PLOT_HEIGHT + 66);
    for (int i = 0; i <= 4; i++) {
        const double v = f.y0 + (f.y1 - f.y0) * i / 4, y = f.base - PLOT_HEIGHT * i / 4.0;
        if (i > 0 && f.y1 <= f.y0) break;
        rule(t, PLOT_LEFT, y, WIDTH - 20, y);
        number(text, sizeof text, v, percent);
        label(t, PLOT_LEFT - 6, y + 4, "end", "soft", text);
    }
    for (size_t i = 0; i < n; i++) {
        const char colour = (char)('a' + (char)(i % 4)), class[2] = {colour, 0};
        if (n > 1 && i < 4) key(t, i, class, line[i].name);
        draw_line(t, &f, &line[i], colour);
    }
    number(text, sizeof text, f.x0, false);
    label(t, PLOT_LEFT, f.base + 18, "start", "soft", text);
    number(text, sizeof text, f.x1, false);
    label(t, WIDTH - 20, f.base + 18, "end", "soft", text);
    label(t, PLOT_LEFT + f.span / 2, f.base + 34, "middle", "soft", axis);
    r1i_text_puts(t, "</svg>\n");
}

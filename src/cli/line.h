/* Reading a line from a person: libedit on a terminal (editing, history, UTF-8), plain reading elsewhere or in a build
 * without libedit. The one place that knows libedit. */
#ifndef R1_CLI_LINE_H
#define R1_CLI_LINE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct line_reader line_reader; /* one thread */

/* history: file of earlier lines, read now and written by line_close (mode 0600); NULL: none is kept. NULL without
 * memory. */
line_reader *line_open(const char *history);
void line_close(line_reader *reader); /* takes NULL */

typedef enum line_result {
    LINE_OK,
    LINE_END,         /* end of input, Ctrl-D */
    LINE_INTERRUPTED  /* Ctrl-C while editing: the line was given up */
} line_result;

/* *text is owned by the reader until the next call and has no newline. The prompt may hold escape sequences, each
 * wrapped in \1 ... \1 so that its width counts as zero; without a terminal nothing is printed. */
line_result line_read(line_reader *reader, const char *prompt, const char **text, size_t *bytes);
/* Puts a line into the history. */
void line_remember(line_reader *reader, const char *text);

#endif

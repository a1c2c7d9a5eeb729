/* Lines in, lines out, in the same order, worked on by several threads at once. A reader that sends one line and waits
 * for its
 * result gets it: nothing waits for a full batch. */
#ifndef R1_CLI_GRADE_QUEUE_H
#define R1_CLI_GRADE_QUEUE_H

#include "cli.h"

typedef struct grade_queue grade_queue;

/* One line's work, on thread 0 <= thread < threads: *out is malloc'd text to print (NULL: nothing). A nonzero result is
 * an exit
 * status: message[size] is reported once all lines before it are printed, and nothing after it is. */
typedef int (*grade_work)(void *user, int thread, const char *line, size_t bytes, int64_t number, char **out,
                          char *message, size_t size);

/* NULL without memory or threads. */
grade_queue *grade_queue_open(cli *app, int threads, grade_work work, void *user);
/* line is copied. Nonzero once the queue has stopped: no more lines are wanted. */
int grade_queue_put(grade_queue *q, const char *line, size_t bytes, int64_t number);
/* Waits for all; the exit status. */
int grade_queue_close(grade_queue *q);

#endif

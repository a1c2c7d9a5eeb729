#include "grade_queue.h"

#include <stdlib.h>
#include <string.h>

enum { RING = 512 };

typedef struct job {
    char *line, *out;
    size_t bytes;
    int64_t number;
    int status;
    bool done;
    char message[600];
} job;

struct grade_queue {
    cli *app;
    grade_work work;
    void *user;
    pthread_mutex_t lock;
    pthread_cond_t some, space;
    job ring[RING];
    uint64_t head, next, tail; /* first not printed, first not taken, first free; head <= next <= tail <= head + RING */
    bool closed;
    int status;                /* nonzero: stopped */
    int n_threads;
    struct worker {
        grade_queue *queue;
        int index;
        pthread_t thread;
    } worker[];
};

/* Prints what is finished from the head on. Called with the lock held. */
static void print_ready(grade_queue *q)
{
    for (; q->head < q->next && q->ring[q->head % RING].done; q->head++) {
        job *const j = &q->ring[q->head % RING];
        if (!q->status && j->status) q->status = cli_fail(q->app, j->status, "%s", j->message);
        else if (!q->status && j->out) cli_put(q->app, j->out, strlen(j->out));
        free(j->line);
        free(j->out);
        *j = (job){0};
    }
    /* nobody reads on; main says why */
    if (q->head == q->tail && !cli_flush(q->app) && !q->status) q->status = CLI_ENVIRONMENT;
    pthread_cond_broadcast(&q->space);
}

static void *serve(void *arg)
{
    const struct worker *const w = arg;
    grade_queue *const q = w->queue;
    pthread_mutex_lock(&q->lock);
    for (;;) {
        while (q->next == q->tail && !q->closed) pthread_cond_wait(&q->some, &q->lock);
        if (q->next == q->tail) break;
        job *const j = &q->ring[q->next++ % RING];
        const bool stopped = q->status != 0;
        pthread_mutex_unlock(&q->lock);
        if (!stopped)
            j->status = q->work(q->user, w->index, j->line, j->bytes, j->number, &j->out, j->message,
                                sizeof j->message);
        pthread_mutex_lock(&q->lock);
        j->done = true;
        print_ready(q);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

grade_queue *grade_queue_open(cli *app, int threads, grade_work work, void *user)
{
    grade_queue *const q = calloc(1, sizeof *q + (size_t)threads * sizeof q->worker[0]);
    if (!q) return NULL;
    *q = (grade_queue){.app = app, .work = work, .user = user};
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->some, NULL);
    pthread_cond_init(&q->space, NULL);
    for (int i = 0; i < threads; i++) {
        q->worker[i] = (struct worker){.queue = q, .index = i};
        if (pthread_create(&q->worker[i].thread, NULL, serve, &q->worker[i]) != 0) break;
        q->n_threads++;
    }
    if (q->n_threads > 0) return q;
    grade_queue_close(q);
    return NULL;
}

int grade_queue_put(grade_queue *q, const char *line, size_t bytes, int64_t number)
{
    char *const copy = malloc(bytes + 1);
    if (!copy) return cli_fail(q->app, CLI_ENVIRONMENT, "out of memory");
    memcpy(copy, line, bytes);
    copy[bytes] = 0;
    pthread_mutex_lock(&q->lock);
    while (q->tail - q->head == RING && !q->status) pthread_cond_wait(&q->space, &q->lock);
    const int status = q->status;
    if (!status) {
        q->ring[q->tail++ % RING] = (job){.line = copy, .bytes = bytes, .number = number};
        pthread_cond_signal(&q->some);
    }
    pthread_mutex_unlock(&q->lock);
    if (status) free(copy);
    return status;
}

int grade_queue_close(grade_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->some);
    pthread_mutex_unlock(&q->lock);
    for (int i = 0; i < q->n_threads; i++) pthread_join(q->worker[i].thread, NULL);
    const int status = q->status;
    for (int i = 0; i < RING; i++) {
        free(q->ring[i].line);
        free(q->ring[i].out);
    }
    pthread_cond_destroy(&q->some);
    pthread_cond_destroy(&q->space);
    pthread_mutex_destroy(&q->lock);
    free(q);
    return status;
}

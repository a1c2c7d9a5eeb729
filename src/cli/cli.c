#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- standard error: messages, log, progress --------------------------------------------------------------------- */

static void clear_bar(cli *app)
{
    if (app->bar) fputs("\r\033[K", stderr);
    app->bar = false;
}

static void say(cli *app, const char *prefix, const char *text)
{
    pthread_mutex_lock(&app->lock);
    clear_bar(app);
    fprintf(stderr, "r1%s%s: %s%s\n", app->command ? " " : "", app->command ? app->command->name : "", prefix, text);
    pthread_mutex_unlock(&app->lock);
}

/* Whether the message names its line already, as it does where it also names the file. */
static bool tells_line(const r1_error *err)
{
    char place[40];
    const int n = snprintf(place, sizeof place, "line %lld", (long long)err->line);
    const char *const at = strstr(err->message, place);
    return at && (at[n] < '0' || at[n] > '9');
}

int cli_error(cli *app, const r1_error *err)
{
    char text[700];
    const int n = snprintf(text, sizeof text, "%s", err->message[0] ? err->message : r1_status_name(err->code));
    char line[40] = "", offset[40] = "";
    if (err->line > 0 && !tells_line(err)) snprintf(line, sizeof line, "line %lld", (long long)err->line);
    if (err->offset >= 0) snprintf(offset, sizeof offset, "offset %lld", (long long)err->offset);
    if (*line || *offset)
        snprintf(text + n, sizeof text - (size_t)n, " (%s%s%s)", line, *line && *offset ? ", " : "", offset);
    say(app, "", text);
    return r1_status_exit_code(err->code, err);
}

int cli_fail(cli *app, int status, const char *fmt, ...)
{
    char text[700];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    say(app, "", text);
    return status;
}

void cli_note(cli *app, const char *fmt, ...)
{
    char text[700];
    va_list args;
    if (app->quiet) return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    say(app, "", text);
}

static void on_log(void *user, r1_log_level level, const char *message)
{
    cli *const app = user;
    const r1_log_level least = app->quiet          ? R1_LOG_ERROR
                               : app->verbose >= 2 ? R1_LOG_DEBUG
                               : app->verbose == 1 ? R1_LOG_INFO
                                                   : R1_LOG_WARN;
    if (level >= least) say(app, level == R1_LOG_WARN ? "warning: " : "", message);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One line, redrawn at most ten times a second, gone at the end. */
static void on_progress(void *user, const char *what, uint64_t done, uint64_t total)
{
    cli *const app = user;
    enum { WIDTH = 30 };
    char bar[WIDTH + 1];
    pthread_mutex_lock(&app->lock);
    const double t = now();
    if (done >= total) clear_bar(app);
    else if (t - app->bar_time > 0.1) {
        const double part = (double)done / (double)total;
        for (int i = 0; i < WIDTH; i++) bar[i] = i < (int)(part * WIDTH) ? '#' : '.';
        bar[WIDTH] = '\0';
        fprintf(stderr, "\r%s [%s] %3.0f %%\033[K", what, bar, 100.0 * part);
        app->bar = true;
        app->bar_time = t;
    }
    fflush(stderr);
    pthread_mutex_unlock(&app->lock);
}

/* ---- input ------------------------------------------------------------------------------------------------------- */

static FILE *open_input(cli *app, const char *path, int *status)
{
    *status = 0;
    if (strcmp(path, "-") == 0) return stdin;
    FILE *const f = fopen(path, "rb");
    if (!f) *status = cli_fail(app, CLI_INPUT, "%s: %s", path, strerror(errno));
    return f;
}

static int close_input(cli *app, FILE *f, const char *path)
{
    const int e = ferror(f) ? errno : 0;
    if (f != stdin) fclose(f);
    return e ? cli_fail(app, CLI_INPUT, "%s: %s", path, strerror(e)) : 0;
}

int cli_read(cli *app, const char *path, size_t max_bytes, char **text, size_t *bytes)
{
    size_t cap = 65536, n = 0;
    int status;
    *text = NULL;
    *bytes = 0;
    FILE *const f = open_input(app, path, &status);
    if (!f) return status;
    char *p = malloc(cap);
    for (size_t got = 1; p && got > 0;) {
        if (n + 1 == cap) {
            char *const grown = cap > SIZE_MAX / 2 ? NULL : realloc(p, cap * 2);
            if (!grown) {
                free(p);
                p = NULL;
                break;
            }
            p = grown;
            cap *= 2;
        }
        got = fread(p + n, 1, cap - n - 1, f);
        n += got;
        if (n > max_bytes) break;
    }
    status = close_input(app, f, path);
    if (!status && !p) status = cli_fail(app, CLI_ENVIRONMENT, "%s: out of memory", path);
    if (!status && n > max_bytes) status = cli_fail(app, CLI_INPUT, "%s: more than %zu bytes", path, max_bytes);
    if (status) {
        free(p);
        return status;
    }
    p[n] = '\0';
    *text = p;
    *bytes = n;
    return 0;
}

int cli_read_lines(cli *app, const char *path, int (*line)(void *user, char *text, size_t bytes, int64_t number),
                   void *user)
{
    int status;
    FILE *const f = open_input(app, path, &status);
    if (!f) return status;
    char *text = NULL;
    size_t cap = 0;
    int64_t number = 0;
    for (ssize_t n; !status && (n = getline(&text, &cap, f)) >= 0;) {
        if (n > 0 && text[n - 1] == '\n') text[--n] = '\0';
        status = line(user, text, (size_t)n, ++number);
    }
    free(text);
    const int closed = close_input(app, f, path);
    return status ? status : closed;
}

/* ---- output ------------------------------------------------------------------------------------------------------ */

void cli_put(cli *app, const char *text, size_t bytes) { fwrite(text, 1, bytes, app->out); }

bool cli_flush(cli *app) { return fflush(app->out) == 0 && !ferror(app->out); }

int cli_put_json(cli *app, json_t *value)
{
    char *const text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_decref(value);
    if (!text) return cli_fail(app, CLI_FAULT, "cannot write this result as JSON");
    fputs(text, app->out);
    fputc('\n', app->out);
    free(text);
    return 0;
}

/* Standard output behind a stream of our own: stdio forgets why a write failed, this remembers, and after the first
 * failure it accepts nothing more. */
static ssize_t out_write(void *user, const char *bytes, size_t size)
{
    cli *const app = user;
    size_t done = 0;
    while (!app->out_errno && done < size) {
        const ssize_t n = write(STDOUT_FILENO, bytes + done, size - done);
        if (n >= 0) done += (size_t)n;
        else if (errno != EINTR) app->out_errno = errno;
    }
    if (app->out_errno) errno = app->out_errno;
    return done == size ? (ssize_t)size : 0; /* 0 is fopencookie's way to say failed */
}

bool cli_start(cli *app)
{
    const cookie_io_functions_t io = {.write = out_write};
    const char *const no_color = getenv("NO_COLOR"), *const term = getenv("TERM");
    *app = (cli){.in_tty = isatty(STDIN_FILENO) == 1, .out_tty = isatty(STDOUT_FILENO) == 1,
                 .err_tty = isatty(STDERR_FILENO) == 1};
    app->color = app->out_tty && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
    pthread_mutex_init(&app->lock, NULL);
    app->out = fopencookie(app, "w", io);
    if (!app->out) return false;
    setvbuf(app->out, NULL, app->out_tty ? _IOLBF : _IOFBF, 1 << 16);
    app->env = (r1_env){.user = app, .log = on_log};
    return true;
}

void cli_configure(cli *app, int64_t threads)
{
    app->env.threads = (int)threads;
    if (app->err_tty && !app->quiet) app->env.progress = on_progress;
}

int cli_finish(cli *app, int status)
{
    pthread_mutex_lock(&app->lock);
    clear_bar(app);
    pthread_mutex_unlock(&app->lock);
    const bool failed = fclose(app->out) != 0;
    app->out = NULL;
    /* A reader that has seen enough (r1 ... | head) is no error. */
    if (app->out_errno && app->out_errno != EPIPE)
        status = cli_fail(app, CLI_ENVIRONMENT, "standard output: %s", strerror(app->out_errno));
    else if (failed && !app->out_errno) status = cli_fail(app, CLI_ENVIRONMENT, "standard output: write failed");
    pthread_mutex_destroy(&app->lock);
    return status;
}

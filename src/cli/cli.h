/* What every subcommand shares: how it describes itself, the environment it hands to the library, output that notices a
 * full disk, and errors with their exit status. A command is one file, cmd_<name>.c, that defines `cli_<name>`; CMake
 * finds it, nothing else has to be edited:
 *
 *     typedef struct params { const char *model; bool json; int64_t n; } params;
 *     static void options(opt_list *list, void *p)
 *     {
 *         params *const a = p;
 *         a->n = 10;                                            (defaults first, then the declarations)
 *         opt_arg(list, "MODEL", &a->model, "folder of a checkpoint, or a .gguf file");
 *         opt_flag(list, 'j', "json", &a->json, "machine-readable output");
 *         opt_int(list, 'n', "count", "N", &a->n, 1, 1000, "how many to show");
 *     }
 *     static int run(cli *app, void *p) { ... return CLI_YES; }
 *     const cli_command cli_show = { .rank = 30, .name = "show", ..., .params_bytes = sizeof(params), ... };
 *
 * Ranks: run 10, chat 20, inspect 30, tokenize 40, detokenize 41, template 50, score 60, bench 70. Every command also
 * has --threads, --verbose, --quiet and --help. */
#ifndef R1_CLI_CLI_H
#define R1_CLI_CLI_H

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>

#include "opt.h"
#include "r1/base.h"

/* Exit statuses (design): scripts branch on these, not on text. */
enum { CLI_YES = 0, CLI_FAULT = 1, CLI_USAGE = 2, CLI_INPUT = 3, CLI_ENVIRONMENT = 4, CLI_NO = 5 };

typedef struct cli cli;

typedef struct cli_command {
    int rank;               /* place in the list of `r1 --help` */
    const char *name;       /* "run" */
    const char *usage;      /* after the name: "[options] MODEL [PROMPT]" */
    const char *summary;    /* one line, lower case, no full stop */
    const char *about;      /* what it does: paragraphs separated by an empty line */
    const char *examples;   /* lines; those that begin with '#' explain the next */
    size_t params_bytes;    /* size of the command's own parameter struct, given zeroed to `options` */
    void (*options)(opt_list *list, void *params); /* sets defaults in params and declares the options over them */
    int (*run)(cli *app, void *params);            /* returns an exit status; output goes to app->out */
} cli_command;

#define R1_COMMAND(name) extern const cli_command cli_##name;
#include "commands.inc" /* made by CMake: R1_COMMAND(name) for every cmd_<name>.c */
#undef R1_COMMAND

/* The running program. Commands read it; only the progress display changes. */
struct cli {
    const cli_command *command;
    const opt_list *options;  /* for opt_given */
    r1_env env;               /* threads, log and progress on standard error: hand this to the library */
    FILE *out;                /* standard output, fully checked at the end */
    int verbose;              /* -v 1, -vv 2 */
    bool quiet;
    bool in_tty, out_tty, err_tty;
    bool color;               /* escape sequences on app->out are welcome (a terminal, and NO_COLOR is not set) */
    pthread_mutex_t lock;     /* the library may report from any thread */
    bool bar;                 /* a progress line is on screen */
    double bar_time;
    int out_errno;            /* of the first write to standard output that failed */
};

/* Print "r1 <command>: <message> (offset N)" on standard error and return the exit status that belongs to it:
 * `return cli_report(app, &err);` */
int cli_error(cli *app, const r1_error *err);
/* With its argument list, so that the command `report` may be called cli_report as every command is called
 * cli_<name>. */
#define cli_report(app, err) cli_error(app, err)
/* The same for an error of the command itself: `return cli_fail(app, CLI_USAGE, "...")`. */
int cli_fail(cli *app, int status, const char *fmt, ...) R1_PRINTF(3, 4);
/* A line on standard error, unless --quiet. */
void cli_note(cli *app, const char *fmt, ...) R1_PRINTF(2, 3);

/* Whole file, or standard input for "-": *text is malloc'd with a NUL after the last byte (not counted), caller frees.
 * 0, or the exit status after reporting. At most max_bytes are accepted. */
int cli_read(cli *app, const char *path, size_t max_bytes, char **text, size_t *bytes);
/* Call line(user, text, bytes, number) for each line of a file or of "-" (number from 1; the newline is cut off). A
 * nonzero result stops and is returned. */
int cli_read_lines(cli *app, const char *path, int (*line)(void *user, char *text, size_t bytes, int64_t number),
                   void *user);

/* Bytes to app->out. A failure is remembered by the stream and reported once by main. */
void cli_put(cli *app, const char *text, size_t bytes);
/* Make what was printed visible now; false when the reader is gone or the disk is full: stop producing. */
bool cli_flush(cli *app);
/* One compact line of JSON; takes the reference. NULL (jansson ran out of memory, or was given bytes that are not
 * UTF-8, or a number that is not finite) is reported. Returns an exit status. */
int cli_put_json(cli *app, json_t *value);

/* For main: set up the streams (false without memory), apply --threads and --quiet, flush and give the final status. */
bool cli_start(cli *app);
void cli_configure(cli *app, int64_t threads);
int cli_finish(cli *app, int status);

#endif

/* The command `r1`: finds the subcommand, parses its options, runs it, and turns what happened into an exit status. */
#include <stdlib.h>
#include <string.h>

#include "help.h"

static const cli_command *const every_command[] = {
#define R1_COMMAND(name) &cli_##name,
#include "commands.inc"
#undef R1_COMMAND
    NULL
};
enum { N_COMMANDS = sizeof every_command / sizeof *every_command - 1 };

typedef struct common {
    int64_t threads;
} common;

static void declare_common(opt_list *list, cli *app, common *c)
{
    bool threads = false; /* a command may have its own */
    for (int i = 0; i < list->n; i++) threads |= strcmp(list->item[i].name, "threads") == 0;
    if (!threads)
        opt_int(list, 't', "threads", "N", &c->threads, 0, 1024,
                "worker threads; 0: all processors this process (or its container) may use");
    opt_count(list, 'v', "verbose", &app->verbose, "say more on standard error; twice: debug messages");
    opt_flag(list, 'q', "quiet", &app->quiet, "errors only on standard error, no progress");
}

static int by_rank(const void *a, const void *b)
{
    const cli_command *const x = *(const cli_command *const *)a, *const y = *(const cli_command *const *)b;
    return x->rank != y->rank ? (x->rank < y->rank ? -1 : 1) : strcmp(x->name, y->name);
}

static void sorted(const cli_command *out[N_COMMANDS + 1])
{
    memcpy(out, every_command, sizeof every_command);
    qsort(out, N_COMMANDS, sizeof *out, by_rank);
}

static const cli_command *find(const char *name)
{
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(every_command[i]->name, name) == 0) return every_command[i];
    return NULL;
}

static int unknown_command(cli *app, const char *name)
{
    const char *names[N_COMMANDS + 1];
    for (int i = 0; i < N_COMMANDS; i++) names[i] = every_command[i]->name;
    names[N_COMMANDS] = "help";
    const char *const near = opt_nearest(name, names, N_COMMANDS + 1);
    if (near) return cli_fail(app, CLI_USAGE, "unknown command '%.60s'; did you mean '%s'?", name, near);
    return cli_fail(app, CLI_USAGE, "unknown command '%.60s'; r1 --help lists them", name);
}

/* Prints help or the man page of one command from a fresh list, whose variables still hold the defaults. */
static int explain(cli *app, const cli_command *command,
                   void (*print)(FILE *out, const cli_command *command, const opt_list *options))
{
    opt_list list = {.n = 0};
    common c = {0};
    void *const params = calloc(1, command->params_bytes + 1);
    if (!params) return cli_fail(app, CLI_ENVIRONMENT, "out of memory");
    command->options(&list, params);
    declare_common(&list, app, &c);
    print(app->out, command, &list);
    opt_free(&list);
    free(params);
    return CLI_YES;
}

static int overview(cli *app, void (*print)(FILE *out, const cli_command *const *commands, int n))
{
    const cli_command *list[N_COMMANDS + 1];
    sorted(list);
    print(app->out, list, N_COMMANDS);
    return CLI_YES;
}

static int version(cli *app)
{
    fprintf(app->out, "r1 %s\n", r1_version());
    bool present;
    const char *adds;
    for (int i = 0; r1_feature(i, &present, &adds); i++)
        fprintf(app->out, "%s %s: %s\n", present ? "with" : "without", r1_feature(i, &present, &adds), adds);
    return CLI_YES;
}

static int run_command(cli *app, const cli_command *command, int argc, char **argv)
{
    opt_list list = {.n = 0};
    common c = {0};
    char message[256];
    int status;
    app->command = command;
    app->options = &list;
    void *const params = calloc(1, command->params_bytes + 1);
    if (!params) return cli_fail(app, CLI_ENVIRONMENT, "out of memory");
    command->options(&list, params);
    declare_common(&list, app, &c);
    const opt_result parsed = opt_parse(&list, argc, argv, message, sizeof message);
    if (parsed == OPT_HELP) status = explain(app, command, help_command);
    else if (parsed == OPT_BAD) {
        status = cli_fail(app, CLI_USAGE, "%s", message);
        fprintf(stderr, "usage: r1 %s %s\n       r1 help %s explains it\n", command->name, command->usage,
                command->name);
    } else {
        cli_configure(app, c.threads);
        status = command->run(app, params);
    }
    opt_free(&list);
    free(params);
    return status;
}

/* `r1 help [CMD]` and the hidden `r1 --man [CMD]`. */
static int explain_named(cli *app, const char *name, bool man)
{
    if (!name) return overview(app, man ? man_overview : help_overview);
    const cli_command *const command = find(name);
    return command ? explain(app, command, man ? man_command : help_command) : unknown_command(app, name);
}

int main(int argc, char **argv)
{
    cli app;
    int status;
    if (!cli_start(&app)) return CLI_ENVIRONMENT;
    const char *const first = argc > 1 ? argv[1] : NULL, *const second = argc > 2 ? argv[2] : NULL;
    if (!first) {
        overview(&app, help_overview);
        status = CLI_USAGE;
    } else if (strcmp(first, "--version") == 0) status = version(&app);
    else if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0)
        status = explain_named(&app, second, false);
    else if (strcmp(first, "--man") == 0) status = explain_named(&app, second, true);
    else if (strcmp(first, "--commands") == 0) { /* for the build, which makes a man page of each */
        for (int i = 0; i < N_COMMANDS; i++) fprintf(app.out, "%s\n", every_command[i]->name);
        status = CLI_YES;
    } else {
        const cli_command *const command = find(first);
        status = command ? run_command(&app, command, argc - 2, argv + 2) : unknown_command(&app, first);
    }
    return cli_finish(&app, status);
}

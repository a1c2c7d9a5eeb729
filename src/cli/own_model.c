/* The model that is used when none is named: the user's own by R1_MODEL, else the small one that comes with r1. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "setup.h"

/* Said each time: nobody should take its answers for R1's. */
static const char what_it_is[] =
    "no MODEL named: this is r1-nano-base, 3.7 million parameters in R1's architecture, for tests and demonstrations; it is not "
                                 "DeepSeek-R1: it does small sums and short sentences, and errs";

/* Where an installed program and one in a build folder of the source tree keep it, relative to the program's folder. */
static const char *const places[] = {"../share/r1/models/r1-nano-base", "../models/r1-nano-base"};

static char *found_beside(const char *folder)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char path[PATH_MAX];
        const int n = snprintf(path, sizeof path, "%s/%s/config.json", folder, places[i]);
        char resolved[PATH_MAX];
        if (n < 0 || (size_t)n >= sizeof path || !realpath(path, resolved)) continue;
        *strrchr(resolved, '/') = '\0';
        return strdup(resolved);
    }
    return NULL;
}

int setup_own_model(cli *app, setup *s)
{
    char program[PATH_MAX];
    const char *const named = getenv("R1_MODEL");
    if (s->path) return CLI_YES;
    if (named && *named) {
        s->path = named;
        cli_note(app, "no MODEL named: this is %s, which R1_MODEL says", named);
        return CLI_YES;
    }
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n > 0) {
        program[n] = '\0';
        char *const slash = strrchr(program, '/');
        if (slash) *slash = '\0';
        s->path = s->own_path = found_beside(program);
    }
    if (!s->path)
        return cli_fail(app, CLI_USAGE,
                        "MODEL is missing: name the folder of a checkpoint or a .gguf file, or set R1_MODEL to one (models/r1-nano-base, which comes "
                        "with r1, is not beside this program)");
    cli_note(app, "%s", what_it_is);
    return CLI_YES;
}

bool setup_names_model(const char *text)
{
    const size_t n = strlen(text);
    if (n == 0 || access(text, F_OK) == 0) return true;
    if (strpbrk(text, " \t\n")) return false;
    return strchr(text, '/') != NULL || (n > 5 && strcmp(text + n - 5, ".gguf") == 0);
}

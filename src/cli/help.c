#include "help.h"

#include <ctype.h>
#include <string.h>

#ifndef R1_DATE
#define R1_DATE "November 22, 2026"
#endif

/* ---- --help ------------------------------------------------------------------------------------------------------ */

enum { WIDTH = 96, INDENT = 28 };

/* text in lines of at most WIDTH columns, starting at `column` of the current line; further lines begin at `indent`. */
static void wrap(FILE *out, const char *text, int column, int indent)
{
    bool first = true;
    while (*text) {
        const int word = (int)strcspn(text, " ");
        if (!first && column + 1 + word > WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (!first) {
            fputc(' ', out);
            column++;
        }
        first = false;
        fprintf(out, "%.*s", word, text);
        column += word;
        text += word;
        text += *text == ' ';
    }
    fputc('\n', out);
}

static void help_option(FILE *out, const opt *o)
{
    char left[128], text[640], initial[128];
    int n = 0;
    if (o->argument) n = snprintf(left, sizeof left, "  %s%s", o->name, o->kind == OPT_LIST ? "..." : "");
    else {
        n = o->alias ? snprintf(left, sizeof left, "  -%c, --%s", o->alias, o->name)
                     : snprintf(left, sizeof left, "      --%s", o->name);
        if (o->value) n += snprintf(left + n, sizeof left - (size_t)n, " %s", o->value);
    }
    opt_default(o, initial, sizeof initial);
    if (*initial && o->kind == OPT_FLAG)
        snprintf(text, sizeof text, "%s (on; --no-%s turns it off)", o->help, o->name);
    else if (*initial) snprintf(text, sizeof text, "%s (default %s)", o->help, initial);
    else snprintf(text, sizeof text, "%s", o->help);
    if (n < INDENT - 1) fprintf(out, "%-*s", INDENT, left);
    else fprintf(out, "%s\n%*s", left, INDENT, "");
    wrap(out, text, INDENT, INDENT);
}

static void help_paragraphs(FILE *out, const char *about)
{
    while (*about) {
        char line[1024];
        const char *const end = strstr(about, "\n\n");
        const size_t len = end ? (size_t)(end - about) : strlen(about),
                     keep = len < sizeof line - 1 ? len : sizeof line - 1;
        for (size_t i = 0; i < keep; i++) line[i] = about[i] == '\n' ? ' ' : about[i];
        line[keep] = '\0';
        wrap(out, line, 0, 0);
        about += len;
        while (*about == '\n') about++;
        if (*about) fputc('\n', out);
    }
}

static void help_lines(FILE *out, const char *text)
{
    while (*text) {
        const int len = (int)strcspn(text, "\n");
        fprintf(out, "%s%.*s\n", len ? "  " : "", len, text);
        text += len + (text[len] == '\n');
    }
}

void help_command(FILE *out, const cli_command *command, const opt_list *options)
{
    fprintf(out, "r1 %s: %s\n\nusage: r1 %s %s\n\n", command->name, command->summary, command->name, command->usage);
    help_paragraphs(out, command->about);
    bool first = true;
    for (int i = 0; i < options->n; i++) {
        if (!options->item[i].argument) continue;
        if (first) fputs("\nArguments:\n", out);
        first = false;
        help_option(out, &options->item[i]);
    }
    fputs("\nOptions:\n", out);
    for (int i = 0; i < options->n; i++)
        if (!options->item[i].argument) help_option(out, &options->item[i]);
    fputs("  -h, --help                this text\n\nExamples:\n", out);
    help_lines(out, command->examples);
}

static const char exit_text[] =
    "0 done, 1 a fault of r1 itself, 2 wrong usage, 3 bad input, 4 the machine (memory, disk, "
                                "a missing library), 5 a plain no.";

void help_overview(FILE *out, const cli_command *const *commands, int n)
{
    fputs("r1 runs DeepSeek-R1 and its family: checkpoints from Hugging Face folders or GGUF files.\n\n"
          "usage: r1 COMMAND [options] [arguments]\n\nCommands:\n", out);
    for (int i = 0; i < n; i++) fprintf(out, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
    fputs("  help         explain a command: r1 help COMMAND\n\n"
          "      --version  version, what this build can do\n"
          "  -h, --help     this text\n\nExit status: ", out);
    fprintf(out, "%s\n", exit_text);
}

/* ---- man pages --------------------------------------------------------------------------------------------------- */

/* Text of a filled paragraph: an escape for backslashes, no line that looks like a macro. */
static void man_text(FILE *out, const char *text)
{
    bool start = true;
    for (; *text; text++) {
        if (start && (*text == '.' || *text == '\'')) fputs("\\&", out);
        start = *text == '\n';
        if (*text == '\\') fputs("\\e", out);
        else if (*text == ' ' && (text[1] == ' ' || !text[1])) continue;
        /* mdoc wants each sentence on a line of its own */
        else if (*text == ' ' && text[-1] == '.' && isupper((unsigned char)text[1])) fputc('\n', out), start = true;
        else fputc(*text, out);
    }
    fputc('\n', out);
}

static void man_paragraphs(FILE *out, const char *about)
{
    while (*about) {
        char part[1024];
        const char *const end = strstr(about, "\n\n");
        const size_t len = end ? (size_t)(end - about) : strlen(about);
        snprintf(part, sizeof part, "%.*s", (int)len, about);
        man_text(out, part);
        about += len;
        while (*about == '\n') about++;
        if (*about) fputs(".Pp\n", out);
    }
}

/* An argument of a macro: quoted, as it may hold spaces or the name of another macro. */
static void man_quoted(FILE *out, const char *text)
{
    fputs(" \"", out);
    for (; *text; text++) {
        if (*text == '"') fputs("\"\"", out);
        else if (*text == '\\') fputs("\\e", out);
        else fputc(*text, out);
    }
    fputc('"', out);
}

static void man_option(FILE *out, const opt *o)
{
    char initial[128];
    fputs(".It", out);
    if (o->argument) fputs(" Ar", out), man_quoted(out, o->name);
    else {
        if (o->alias) fprintf(out, " Fl %c , Fl Fl %s", o->alias, o->name);
        else fprintf(out, " Fl Fl %s", o->name);
        if (o->value) fputs(" Ar", out), man_quoted(out, o->value);
    }
    fputc('\n', out);
    opt_default(o, initial, sizeof initial);
    man_text(out, o->help);
    if (!*initial) return;
    if (o->kind == OPT_FLAG) fprintf(out, "(on; --no-%s turns it off)\n", o->name);
    else fprintf(out, "(default %s)\n", initial);
}

static void man_head(FILE *out, const char *title, const char *name, const char *summary)
{
    fprintf(out, ".Dd %s\n.Dt %s 1\n.Os\n.Sh NAME\n.Nm %s\n.Nd %s\n.Sh SYNOPSIS\n", R1_DATE, title, name, summary);
}

static void man_exit(FILE *out)
{
    fputs(".Sh EXIT STATUS\n.Bl -tag -width Ds\n"
          ".It 0\ndone\n.It 1\na fault of r1 itself\n.It 2\nwrong usage\n.It 3\nbad input\n"
          ".It 4\nthe machine: memory, disk, a missing library\n.It 5\na plain no\n.El\n", out);
}

void man_command(FILE *out, const cli_command *command, const opt_list *options)
{
    char title[64];
    size_t n = 0;
    for (const char *c = command->name; *c && n < 50; c++) title[n++] = (char)toupper((unsigned char)*c);
    title[n] = '\0';
    char full[72], name[72];
    snprintf(full, sizeof full, "R1-%s", title);
    snprintf(name, sizeof name, "r1-%.60s", command->name);
    man_head(out, full, name, command->summary);
    fprintf(out, ".Nm r1 Cm %s\n.Ar", command->name);
    man_quoted(out, command->usage);
    fputs("\n.Sh DESCRIPTION\n", out);
    man_paragraphs(out, command->about);
    fputs(".Bl -tag -width Ds\n", out);
    for (int i = 0; i < options->n; i++) man_option(out, &options->item[i]);
    fputs(".It Fl h , Fl Fl help\nshort form of this page\n.El\n", out);
    man_exit(out);
    fputs(".Sh EXAMPLES\n.Bd -literal\n", out);
    for (const char *t = command->examples; *t;) {
        const int len = (int)strcspn(t, "\n");
        if (*t == '.' || *t == '\'') fputs("\\&", out);
        for (int i = 0; i < len; i++) t[i] == '\\' ? fputs("\\e", out) : fputc(t[i], out);
        fputc('\n', out);
        t += len + (t[len] == '\n');
    }
    fputs(".Ed\n.Sh SEE ALSO\n.Xr r1 1\n", out);
}

void man_overview(FILE *out, const cli_command *const *commands, int n)
{
    man_head(out, "R1", "r1", "run DeepSeek-R1 and its family");
    fputs(".Nm\n.Ar command\n.Op Ar options\n.Op Ar arguments\n.Sh DESCRIPTION\n.Nm\n"
          "runs language models of the DeepSeek-R1 family from the checkpoints they\nare published as: Hugging Face folders and "
          "GGUF files.\nThe commands are:\n.Bl -tag -width Ds\n", out);
    for (int i = 0; i < n; i++) fprintf(out, ".It Cm %s\n%s\n", commands[i]->name, commands[i]->summary);
    fputs(".It Cm help Ar command\nexplain a command\n.El\n", out);
    man_exit(out);
    if (n == 0) return;
    fputs(".Sh SEE ALSO\n", out);
    const char *last = ""; /* references in the order of the alphabet, as mdoc has them */
    for (int k = 0; k < n; k++) {
        const char *next = NULL;
        for (int i = 0; i < n; i++)
            if (strcmp(commands[i]->name, last) > 0 && (!next || strcmp(commands[i]->name, next) < 0))
                next = commands[i]->name;
        fprintf(out, ".Xr r1-%s 1%s\n", next, k + 1 < n ? " ," : "");
        last = next;
    }
}

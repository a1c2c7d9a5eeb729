/* Command-line options from one list: a command declares each option once, bound to a variable that already holds the
 * default; the list then parses argv, prints --help and makes the man page. */
#ifndef R1_CLI_OPT_H
#define R1_CLI_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum opt_kind {
    OPT_FLAG,   /* bool; --name, --no-name */
    OPT_COUNT,  /* int; every occurrence adds one */
    OPT_INT,    /* int64_t within [min, max] */
    OPT_REAL,   /* double within [min, max] */
    OPT_STRING, /* const char *, borrowed from argv */
    OPT_CHOICE, /* const char *, one of "a|b|c" */
    OPT_LIST    /* opt_strings: may be given several times, or takes all remaining arguments */
} opt_kind;

/* Strings of a repeatable option; the array belongs to the list (opt_free), the text to argv. */
typedef struct opt_strings {
    const char **item;
    int n;
} opt_strings;

typedef struct opt {
    opt_kind kind;
    char alias;           /* one-letter form, 0: none */
    bool argument;        /* positional */
    bool optional;        /* positional only */
    const char *name;     /* "max-tokens"; positional: "MODEL" */
    const char *value;    /* what help calls the value, "N"; NULL for flags */
    const char *help;
    double min, max;      /* OPT_INT, OPT_REAL */
    const char *choices;  /* OPT_CHOICE */
    void *into;           /* the bound variable, holding the default */
    bool given;           /* set by opt_parse */
} opt;

enum { OPT_MAX = 64 };

typedef struct opt_list {
    opt item[OPT_MAX];
    int n;
} opt_list;

/* Declarations; `alias` may be 0. All strings are literals. */
void opt_flag(opt_list *list, char alias, const char *name, bool *into, const char *help);
void opt_count(opt_list *list, char alias, const char *name, int *into, const char *help);
void opt_int(opt_list *list, char alias, const char *name, const char *value, int64_t *into, int64_t min, int64_t max,
             const char *help);
void opt_real(opt_list *list, char alias, const char *name, const char *value, double *into, double min, double max,
              const char *help);
void opt_string(opt_list *list, char alias, const char *name, const char *value, const char **into, const char *help);
void opt_choice(opt_list *list, char alias, const char *name, const char *choices, const char **into, const char *help);
void opt_strings_add(opt_list *list, char alias, const char *name, const char *value, opt_strings *into,
                     const char *help);
/* Positional arguments, in order: required ones, then optional ones, then at most one that takes the rest. */
void opt_arg(opt_list *list, const char *name, const char **into, const char *help);
void opt_arg_optional(opt_list *list, const char *name, const char **into, const char *help);
void opt_arg_rest(opt_list *list, const char *name, opt_strings *into, const char *help);

typedef enum opt_result { OPT_OK, OPT_HELP, OPT_BAD } opt_result;

/* Fills the bound variables from argv[0..argc) (the program's and the command's own names are not among them). Options
 * and arguments may be mixed; "--" ends the options; "-" is an argument. OPT_HELP at --help or -h. OPT_BAD: message
 * says what is wrong. */
opt_result opt_parse(opt_list *list, int argc, char **argv, char *message, size_t message_size);

/* Whether the option bound to this variable was on the command line. */
bool opt_given(const opt_list *list, const void *into);

/* The default as text, "" where there is none worth printing (false, NULL, empty). */
void opt_default(const opt *o, char *text, size_t size);

/* The nearest of names[n] within a few typing errors of `typed`, or NULL. */
const char *opt_nearest(const char *typed, const char *const *names, int n);

/* Frees the arrays of repeatable options. */
void opt_free(opt_list *list);

#endif

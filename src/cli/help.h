/* --help texts and man pages, both made from a command's option list. */
#ifndef R1_CLI_HELP_H
#define R1_CLI_HELP_H

#include "cli.h"

/* The list `r1 --help` shows: commands[n] in their order of rank. */
void help_overview(FILE *out, const cli_command *const *commands, int n);
/* `r1 help CMD`; options as just declared, so that they still hold their defaults. */
void help_command(FILE *out, const cli_command *command, const opt_list *options);
/* The same as mdoc sources for r1(1) and r1-CMD(1). */
void man_overview(FILE *out, const cli_command *const *commands, int n);
void man_command(FILE *out, const cli_command *command, const opt_list *options);

#endif

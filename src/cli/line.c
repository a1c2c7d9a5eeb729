#include "line.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef R1_WITH_LIBEDIT
#define R1_WITH_LIBEDIT 0
#endif
#if R1_WITH_LIBEDIT
#include <histedit.h>
#endif

struct line_reader {
    char *text;     /* of the plain reader, and of the editor's last line */
    size_t cap;
    bool terminal;
    bool interrupted;
#if R1_WITH_LIBEDIT
    EditLine *edit; /* NULL: plain */
    History *history;
    char *history_path;
    const char *prompt;
#endif
};

#if R1_WITH_LIBEDIT
static char *prompt_of(EditLine *edit)
{
    line_reader *r = NULL;
    el_get(edit, EL_CLIENTDATA, &r);
    return (char *)(uintptr_t)r->prompt; /* libedit only reads it */
}

static unsigned char give_up_line(EditLine *edit, int key)
{
    line_reader *r = NULL;
    (void)key;
    el_get(edit, EL_CLIENTDATA, &r);
    r->interrupted = true;
    return CC_EOF;
}

static unsigned char suspend(EditLine *edit, int key)
{
    (void)key;
    el_set(edit, EL_PREP_TERM, 0);
    raise(SIGTSTP);
    el_set(edit, EL_PREP_TERM, 1);
    return CC_REDISPLAY;
}

static void open_editor(line_reader *r, const char *path)
{
    HistEvent event;
    /* libedit needs to know that bytes are UTF-8; numbers keep the C locale's point */
    if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
    r->edit = el_init("r1", stdin, stdout, stderr);
    if (!r->edit) return;
    el_set(r->edit, EL_CLIENTDATA, r);
    el_set(r->edit, EL_PROMPT_ESC, prompt_of, '\1');
    el_set(r->edit, EL_EDITOR, "emacs");
    /* While a line is edited Ctrl-C arrives as a key: as a signal, libedit would swallow the first one. */
    el_set(r->edit, EL_SETTY, "-d", "-isig", NULL);
    el_set(r->edit, EL_ADDFN, "r1-give-up", "give up this line", give_up_line);
    el_set(r->edit, EL_BIND, "^C", "r1-give-up", NULL);
    el_set(r->edit, EL_ADDFN, "r1-suspend", "stop the process", suspend);
    el_set(r->edit, EL_BIND, "^Z", "r1-suspend", NULL);
    el_set(r->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    r->history = history_init();
    if (!r->history) return;
    history(r->history, &event, H_SETSIZE, 1000);
    history(r->history, &event, H_SETUNIQUE, 1);
    el_set(r->edit, EL_HIST, history, r->history);
    if (path && (r->history_path = strdup(path))) history(r->history, &event, H_LOAD, path);
}
#endif

line_reader *line_open(const char *history_path)
{
    line_reader *const r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
#if R1_WITH_LIBEDIT
    if (r->terminal) open_editor(r, history_path);
#else
    (void)history_path;
#endif
    return r;
}

void line_close(line_reader *r)
{
    if (!r) return;
#if R1_WITH_LIBEDIT
    if (r->history) {
        HistEvent event;
        if (r->history_path) {
            const mode_t mask = umask(077); /* what was typed is private */
            history(r->history, &event, H_SAVE, r->history_path);
            umask(mask);
        }
        history_end(r->history);
    }
    if (r->edit) el_end(r->edit);
    free(r->history_path);
#endif
    free(r->text);
    free(r);
}

/* Without an editor the escapes go out as they are, only their marks are dropped. */
static line_result read_plain(line_reader *r, const char *prompt, const char **text, size_t *bytes)
{
    if (r->terminal) {
        for (; *prompt; prompt++)
            if (*prompt != '\1') fputc(*prompt, stdout);
        fflush(stdout);
    }
    errno = 0;
    ssize_t n = getline(&r->text, &r->cap, stdin);
    if (n < 0) {
        const bool interrupted = errno == EINTR;
        clearerr(stdin);
        return interrupted ? LINE_INTERRUPTED : LINE_END;
    }
    if (n > 0 && r->text[n - 1] == '\n') r->text[--n] = '\0';
    *text = r->text;
    *bytes = (size_t)n;
    return LINE_OK;
}

line_result line_read(line_reader *r, const char *prompt, const char **text, size_t *bytes)
{
    *text = NULL;
    *bytes = 0;
#if R1_WITH_LIBEDIT
    if (r->edit) {
        int count = 0;
        r->prompt = prompt;
        r->interrupted = false;
        const char *const line = el_gets(r->edit, &count);
        if (r->interrupted) {
            el_reset(r->edit);
            fputs("^C\n", stdout);
            fflush(stdout);
            return LINE_INTERRUPTED;
        }
        if (!line || count <= 0) return LINE_END;
        const size_t n = (size_t)count - (line[count - 1] == '\n');
        char *const copy = realloc(r->text, n + 1); /* the editor's buffer is its own */
        if (!copy) return LINE_END;
        memcpy(copy, line, n);
        copy[n] = '\0';
        r->text = copy;
        r->cap = n + 1;
        *text = copy;
        *bytes = n;
        return LINE_OK;
    }
#endif
    return read_plain(r, prompt, text, bytes);
}

void line_remember(line_reader *r, const char *text)
{
#if R1_WITH_LIBEDIT
    HistEvent event;
    if (r->history) history(r->history, &event, H_ENTER, text);
#else
    (void)r;
    (void)text;
#endif
}

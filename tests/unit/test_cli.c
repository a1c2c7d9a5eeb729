/* What all commands share: messages with their exit status, reading, JSON lines, and output that cannot be written. */
#include "support/test.h"

#include <fcntl.h>
#include <unistd.h>

#include "cli/cli.h"

static char path[] = "/tmp/r1-cli-XXXXXX";
static const cli_command command = {.name = "probe"};

static int set_up(void **state)
{
    (void)state;
    const int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static void put_file(const char *text, size_t n)
{
    FILE *const f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
}

/* Standard error (or output) goes to the file while fn runs; returns what it returned. */
static int redirected(int fd, int (*fn)(cli *app), const char *to)
{
    cli app;
    fflush(NULL);
    const int saved = dup(fd), file = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(saved >= 0 && file >= 0);
    dup2(file, fd);
    assert_true(cli_start(&app));
    app.command = &command;
    const int status = cli_finish(&app, fn(&app));
    fflush(NULL);
    dup2(saved, fd);
    close(saved);
    close(file);
    return status;
}

static void expect_file(const char *want)
{
    char got[1024] = "";
    FILE *const f = fopen(path, "rb");
    const size_t n = fread(got, 1, sizeof got - 1, f);
    fclose(f);
    got[n] = '\0';
    assert_string_equal(got, want);
}

static int say_all(cli *app)
{
    r1_error e = {.code = R1_ERR_FORMAT, .offset = 17, .message = "stray comma"};
    assert_int_equal(cli_report(app, &e), CLI_INPUT);
    e.line = 3;
    assert_int_equal(cli_report(app, &e), CLI_INPUT);
    e.offset = -1;
    e.code = R1_ERR_NOMEM;
    assert_int_equal(cli_report(app, &e), CLI_ENVIRONMENT);
    app->env.log(app->env.user, R1_LOG_INFO, "not heard");
    app->env.log(app->env.user, R1_LOG_WARN, "odd key");
    app->quiet = true;
    cli_note(app, "not heard either");
    return cli_fail(app, CLI_USAGE, "%d is too many", 5);
}

static void test_messages(void **state)
{
    (void)state;
    assert_int_equal(redirected(STDERR_FILENO, say_all, path), CLI_USAGE);
    expect_file("r1 probe: stray comma (offset 17)\nr1 probe: stray comma (line 3, offset 17)\nr1 probe: stray comma (line 3)\n"
                "r1 probe: warning: odd key\nr1 probe: 5 is too many\n");
}

static int write_results(cli *app)
{
    cli_put(app, "a\n", 2);
    assert_int_equal(cli_put_json(app, json_pack("{s:i,s:f}", "n", 1, "p", 0.5)), 0);
    return cli_flush(app) ? CLI_YES : CLI_FAULT;
}

static void test_output(void **state)
{
    (void)state;
    assert_int_equal(redirected(STDOUT_FILENO, write_results, path), CLI_YES);
    expect_file("a\n{\"n\":1,\"p\":0.5}\n");
}

static int write_much(cli *app)
{
    for (int i = 0; i < 100000; i++) cli_put(app, "0123456789", 10);
    assert_false(cli_flush(app));
    return CLI_YES;
}

static void test_full_disk(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0) skip();
    assert_int_equal(redirected(STDOUT_FILENO, write_much, "/dev/full"), CLI_ENVIRONMENT);
}

static int bad_json(cli *app)
{
    return cli_put_json(app, json_string("\xff")); /* not UTF-8: jansson gives NULL */
}

static void test_bad_json(void **state)
{
    (void)state;
    assert_int_equal(redirected(STDERR_FILENO, bad_json, path), CLI_FAULT);
}

static int count_lines(void *user, char *text, size_t bytes, int64_t number)
{
    char *const all = user;
    char line[64];
    snprintf(line, sizeof line, "%d:%zu:%s;", (int)number, bytes, text);
    strcat(all, line);
    return number == 4 ? CLI_NO : 0;
}

static int read_back(cli *app)
{
    char all[256] = "", *text;
    size_t n;
    put_file("one\n\nthree", 10);
    assert_int_equal(cli_read_lines(app, path, count_lines, all), 0);
    assert_string_equal(all, "1:3:one;2:0:;3:5:three;");
    put_file("\n\n\n\n\n", 5);
    assert_int_equal(cli_read_lines(app, path, count_lines, all), CLI_NO);
    char big[200000];
    memset(big, 'x', sizeof big);
    put_file(big, sizeof big);
    assert_int_equal(cli_read(app, path, sizeof big, &text, &n), 0);
    assert_int_equal(n, sizeof big);
    assert_true(text[n] == '\0' && strlen(text) == n);
    free(text);
    assert_int_equal(cli_read(app, path, sizeof big - 1, &text, &n), CLI_INPUT);
    assert_null(text);
    assert_int_equal(cli_read(app, "/nonexistent", 10, &text, &n), CLI_INPUT);
    assert_int_equal(cli_read(app, "/tmp", 10, &text, &n), CLI_INPUT);
    return CLI_YES;
}

static void test_reading(void **state)
{
    (void)state;
    assert_int_equal(redirected(STDERR_FILENO, read_back, "/dev/null"), CLI_YES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_messages), cmocka_unit_test(test_output),
                                       cmocka_unit_test(test_full_disk), cmocka_unit_test(test_bad_json),
                                       cmocka_unit_test(test_reading)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* A request's own rules: what is refused, when it ends, which text comes with which token, and the thinking budget. */
#include "support/test.h"

#include "engine/request.h"

typedef struct fixture {
    r1_tokenizer *t;
    r1i_request_limits l;
    int32_t think_end[8];
    char *piece;
    int32_t open, close;
} fixture;

static int set_up(void **state)
{
    fixture *const f = calloc(1, sizeof *f);
    r1_error err = {0};
    if (r1_tokenizer_open(R1_TEST_DIR "/fixtures/tiny-tokenizer", NULL, &f->t, &err) != R1_OK)
        fail_msg("%s", err.message);
    f->open = r1_tokenizer_added_id(f->t, "<think>", 7);
    f->close = r1_tokenizer_added_id(f->t, "</think>", 8);
    f->think_end[0] = 200;
    f->think_end[1] = f->close;
    f->think_end[2] = 201;
    f->l = (r1i_request_limits){.vocab = 320, .context = 256, .pages = 4, .tokenizer = f->t,
                                .piece_room = r1_detokenizer_room(f->t) + 32, .think_open = f->open,
                                .think_close = f->close, .think_end = f->think_end, .n_think_end = 3};
    f->piece = malloc(f->l.piece_room);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *const f = *state;
    r1_tokenizer_close(f->t);
    free(f->piece);
    free(f);
    return 0;
}

static const int32_t prompt[] = {3, 4, 5};
static r1_request base(void)
{
    return (r1_request){.prompt = prompt, .n_prompt = 3, .max_tokens = 50, .sampling = r1_sampling_default()};
}

static r1i_request *make(fixture *f, const r1_request *q)
{
    r1i_request *r;
    r1_error err = {0};
    if (r1i_request_create(q, &f->l, NULL, &r, &err) != R1_OK) fail_msg("%s", err.message);
    return r;
}

/* Accept one id and append its text. */
static void accept(fixture *f, r1i_request *r, int32_t id, char *text)
{
    const char *ready;
    size_t n;
    r1i_request_accept(r, &f->l, id, r1i_request_forced(r, &f->l) >= 0, f->piece, &ready, &n);
    const size_t at = strlen(text);
    memcpy(text + at, ready, n);
    text[at + n] = '\0';
    r1i_request_text_used(r, n);
}

/* Feed the ids of a text until the request ends; returns how many were used. */
static size_t feed(fixture *f, r1i_request *r, const char *what, char *text)
{
    int32_t *ids;
    size_t n, i = 0;
    assert_int_equal(r1_tokenizer_encode(f->t, what, strlen(what), R1_ENCODE_PLAIN, &ids, &n, NULL), R1_OK);
    while (i < n && r->result.finish == R1_FINISH_NONE) accept(f, r, ids[i++], text);
    r1_free(ids);
    return i;
}

static void test_refusals(void **state)
{
    fixture *const f = *state;
    const struct { const char *stop; r1_status status; const char *says; } stop[] = {
        {"", R1_ERR_RANGE, "stop string 0 is empty"}, {"\x80x", R1_ERR_RANGE, "inside a UTF-8 character"},
    };
    r1i_request *r;
    r1_error err;
    for (size_t i = 0; i < sizeof stop / sizeof *stop; i++) {
        r1_request q = base();
        q.stop_strings = &stop[i].stop;
        q.n_stop_strings = 1;
        assert_int_equal(r1i_request_create(&q, &f->l, NULL, &r, &err), stop[i].status);
        assert_non_null(strstr(err.message, stop[i].says));
        assert_null(r);
    }
    r1_request q = base();
    q.think_budget = -1;
    assert_int_equal(r1i_request_create(&q, &f->l, NULL, &r, &err), R1_ERR_RANGE);
    q = base();
    q.max_tokens = -1;
    assert_int_equal(r1i_request_create(&q, &f->l, NULL, &r, &err), R1_ERR_RANGE);
    const int32_t bad = 320;
    q = base();
    q.forced = &bad;
    q.n_forced = 1;
    assert_int_equal(r1i_request_create(&q, &f->l, NULL, &r, &err), R1_ERR_RANGE);
    assert_non_null(strstr(err.message, "forced[0] is token id 320"));
    q = base();
    q.stop_ids = &bad;
    q.n_stop_ids = 1;
    assert_int_equal(r1i_request_create(&q, &f->l, NULL, &r, &err), R1_ERR_RANGE);
    f->l.n_think_end = 0;
    q = base();
    q.think_budget = 3;
    assert_int_equal(r1i_request_create(&q, &f->l, NULL, &r, &err), R1_ERR_UNSUPPORTED);
}

/* Text arrives whole, ends before the stop string, and what a stop string might have begun is not lost at the end. */
static void test_stop_strings(void **state)
{
    fixture *const f = *state;
    const char *const stops[] = {"the end", "zz"};
    r1_request q = base();
    q.stop_strings = stops;
    q.n_stop_strings = 2;
    char text[512] = "";
    r1i_request *r = make(f, &q);
    feed(f, r, "It is the edge, the end of it.", text);
    assert_int_equal(r->result.finish, R1_FINISH_STOP);
    assert_string_equal(r->result.stop_string, "the end");
    assert_string_equal(text, "It is the edge, ");
    r1i_request_destroy(r);

    text[0] = '\0';
    r = make(f, &q);
    feed(f, r, "It was the en", text);
    assert_string_equal(text, "It was "); /* the rest may still become a stop string */
    accept(f, r, r1_tokenizer_eos(f->t), text);
    assert_int_equal(r->result.finish, R1_FINISH_STOP);
    assert_null(r->result.stop_string);
    assert_string_equal(text, "It was the en");
    r1i_request_destroy(r);
}

static void test_ends(void **state)
{
    fixture *const f = *state;
    char text[512] = "";
    r1_request q = base();
    q.max_tokens = 4;
    r1i_request *r = make(f, &q); /* length; half a character becomes one replacement at the end */
    for (int i = 0; i < 3; i++) accept(f, r, 60, text);
    assert_int_equal(r->result.finish, R1_FINISH_NONE);
    int32_t *ids;
    size_t n;
    assert_int_equal(r1_tokenizer_encode(f->t, "\xe6\x9c\xba", 3, R1_ENCODE_PLAIN, &ids, &n, NULL), R1_OK);
    assert_true(n > 1);
    const size_t before = strlen(text);
    accept(f, r, ids[0], text);
    assert_int_equal(r->result.finish, R1_FINISH_LENGTH);
    assert_string_equal(text + before, "\xef\xbf\xbd");
    r1_free(ids);
    r1i_request_destroy(r);

    q = base();
    q.ignore_eos = true;
    r = make(f, &q);
    accept(f, r, r1_tokenizer_eos(f->t), text);
    assert_int_equal(r->result.finish, R1_FINISH_NONE);
    r1i_request_destroy(r);

    const int32_t stop = 77;
    q.stop_ids = &stop;
    q.n_stop_ids = 1;
    text[0] = '\0';
    r = make(f, &q);
    accept(f, r, 77, text);
    assert_int_equal(r->result.finish, R1_FINISH_STOP);
    assert_string_equal(text, ""); /* a stop id says nothing */
    assert_int_equal(r->result.output_tokens, 1);
    r1i_request_destroy(r);
}

/* Drive the request with one id wherever nothing is forced; returns the ids it ends up with. */
static void drive(fixture *f, r1i_request *r, int32_t free_id, int n)
{
    char text[4096] = "";
    for (int i = 0; i < n && r->result.finish == R1_FINISH_NONE; i++) {
        const int32_t forced = r1i_request_forced(r, &f->l);
        accept(f, r, forced >= 0 ? forced : free_id, text);
    }
}

static void test_thinking_budget(void **state)
{
    fixture *const f = *state;
    r1_request q = base();
    q.thinking_open = true;
    q.think_budget = 4;
    r1i_request *r = make(f, &q);
    drive(f, r, 50, 10);
    const int32_t want[] = {50, 50, 50, 50, 200, f->close, 201, 50, 50, 50};
    assert_memory_equal(r->token + 3, want, sizeof want);
    r1i_request_destroy(r);

    r = make(f, &q); /* closed by the model itself: nothing is forced, then or later */
    char text[512] = "";
    accept(f, r, 50, text);
    accept(f, r, f->close, text);
    drive(f, r, 50, 10);
    for (int64_t i = 5; i < r->n_known; i++) assert_int_equal(r->token[i], 50);
    r1i_request_destroy(r);

    q.thinking_open = false;
    r = make(f, &q); /* no thinking, no budget to spend */
    drive(f, r, 50, 10);
    for (int64_t i = 3; i < r->n_known; i++) assert_int_equal(r->token[i], 50);
    r1i_request_destroy(r);

    r = make(f, &q); /* the model opens the block: the marker itself does not count */
    accept(f, r, f->open, text);
    drive(f, r, 50, 6);
    const int32_t opened[] = {f->open, 50, 50, 50, 50, 200, f->close};
    assert_memory_equal(r->token + 3, opened, sizeof opened);
    r1i_request_destroy(r);

    const int32_t forced[] = {60, 61, 62, 63, 64, 65}; /* a forced prefix longer than the budget goes first */
    q.thinking_open = true;
    q.forced = forced;
    q.n_forced = 6;
    r = make(f, &q);
    drive(f, r, 50, 10);
    const int32_t both[] = {60, 61, 62, 63, 64, 65, 200, f->close, 201, 50};
    assert_memory_equal(r->token + 3, both, sizeof both);
    r1i_request_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        T(test_refusals), T(test_stop_strings), T(test_ends), T(test_thinking_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "eval/chat_client.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

/* What we use of libcurl's binary interface, which has kept these numbers since version 7. No header is needed to
 * build. */
enum {
    CURL_URL = 10002, CURL_POSTFIELDS = 10015, CURL_HTTPHEADER = 10023, CURL_ERRORBUFFER = 10010,
        CURL_USERAGENT = 10018, CURL_WRITEDATA = 10001, CURL_WRITEFUNCTION = 20011, CURL_POSTFIELDSIZE = 60,
        CURL_TIMEOUT = 13, CURL_CONNECTTIMEOUT = 78, CURL_NOSIGNAL = 99,
    CURL_RESPONSE_CODE = 0x200002, CURL_GLOBAL_ALL = 3, CURL_ERROR_SIZE = 256
};
typedef struct curl_api {
    void *library;
    int (*global_init)(long);
    void *(*easy_init)(void);
    int (*setopt)(void *, int, ...);
    int (*perform)(void *);
    int (*getinfo)(void *, int, ...);
    void (*cleanup)(void *);
    void *(*append)(void *, const char *);
    void (*free_all)(void *);
    const char *(*strerror)(int);
} curl_api;

struct r1i_chat_client {
    curl_api api;
    void *easy, *headers;
    char *url, *model;
    int32_t retries, timeout;
    r1i_text body;             /* of the answer */
    char error[CURL_ERROR_SIZE];
};

enum { MAX_BODY = 256 << 20, LOWEST_ERROR = 400 };

/* libcurl's state is the process's, and so this is too: curl_global_init must be called once, before anything else and
 * beside nothing else of libcurl. */
static pthread_mutex_t global_lock = PTHREAD_MUTEX_INITIALIZER;
static bool global_done;

static bool find(void *library, const char *name, void *into)
{
    void *const symbol = dlsym(library, name);
    memcpy(into, &symbol, sizeof symbol); /* a function pointer through void *, as POSIX allows */
    return symbol != NULL;
}

/* The library stays loaded (NODELETE): what it has started, a TLS library among it, is not made to be taken away. */
static r1_status open_curl(curl_api *a, void **easy, r1_error *err)
{
    a->library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!a->library)
        return r1i_fail(err, R1_ERR_MISSING, "libcurl.so.4, which speaks to endpoints, cannot be opened: %s",
                        dlerror());
    if (!find(a->library, "curl_global_init", &a->global_init) || !find(a->library, "curl_easy_init", &a->easy_init) ||
        !find(a->library, "curl_easy_setopt", &a->setopt) || !find(a->library, "curl_easy_perform", &a->perform) ||
        !find(a->library, "curl_easy_getinfo", &a->getinfo) || !find(a->library, "curl_easy_cleanup", &a->cleanup) ||
        !find(a->library, "curl_slist_append", &a->append) || !find(a->library, "curl_slist_free_all", &a->free_all) ||
        !find(a->library, "curl_easy_strerror", &a->strerror))
        return r1i_fail(err, R1_ERR_MISSING, "libcurl.so.4 lacks a function that is needed");
    pthread_mutex_lock(&global_lock);
    const int rc = global_done ? 0 : a->global_init(CURL_GLOBAL_ALL);
    global_done = rc == 0;
    *easy = rc == 0 ? a->easy_init() : NULL;
    pthread_mutex_unlock(&global_lock);
    if (rc != 0) return r1i_fail(err, R1_ERR_MISSING, "libcurl: %s", a->strerror(rc));
    return *easy ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "curl handle");
}

void r1i_chat_client_destroy(r1i_chat_client *c)
{
    if (!c) return;
    if (c->headers) c->api.free_all(c->headers);
    if (c->easy) c->api.cleanup(c->easy);
    if (c->api.library) dlclose(c->api.library);
    free(c->url);
    free(c->model);
    r1i_text_free(&c->body);
    free(c);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *user)
{
    r1i_text *const body = user;
    if (size * n > MAX_BODY - body->n) return 0; /* curl then fails with a write error */
    r1i_text_add(body, bytes, size * n);
    return body->failed ? 0 : size * n;
}

static char *full_url(const char *url)
{
    static const char path[] = "/chat/completions";
    size_t n = strlen(url);
    while (n && url[n - 1] == '/') n--;
    const bool has = n >= sizeof path - 1 && memcmp(url + n - (sizeof path - 1), path, sizeof path - 1) == 0;
    char *const out = malloc(n + sizeof path);
    if (out) snprintf(out, n + sizeof path, "%.*s%s", (int)n, url, has ? "" : path);
    return out;
}

static r1_status add_headers(r1i_chat_client *c, const char *key, r1_error *err)
{
    char bearer[4096];
    void *list = c->api.append(NULL, "Content-Type: application/json");
    if (key) {
        for (const char *p = key; *p; p++)
            if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 127)
                return r1i_fail(err, R1_ERR_USAGE, "the API key holds white space or other characters that no key has");
        if (strlen(key) > sizeof bearer - 32) return r1i_fail(err, R1_ERR_USAGE, "the API key is too long");
        snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", key);
        c->headers = list;
        list = list ? c->api.append(list, bearer) : NULL;
    }
    if (!list) return r1i_fail(err, R1_ERR_NOMEM, "request headers");
    c->headers = list;
    return R1_OK;
}

static void set_options(r1i_chat_client *c)
{
    const curl_api *const a = &c->api;
    a->setopt(c->easy, CURL_URL, c->url);
    a->setopt(c->easy, CURL_HTTPHEADER, c->headers);
    a->setopt(c->easy, CURL_WRITEFUNCTION, on_body);
    a->setopt(c->easy, CURL_WRITEDATA, &c->body);
    a->setopt(c->easy, CURL_ERRORBUFFER, c->error);
    a->setopt(c->easy, CURL_USERAGENT, "r1");
    a->setopt(c->easy, CURL_NOSIGNAL, 1L);
    a->setopt(c->easy, CURL_CONNECTTIMEOUT, 30L);
    a->setopt(c->easy, CURL_TIMEOUT, (long)c->timeout);
}

r1_status r1i_chat_client_create(const r1_endpoint *endpoint, r1i_chat_client **out, r1_error *err)
{
    *out = NULL;
    if (strncmp(endpoint->url, "http://", 7) != 0 && strncmp(endpoint->url, "https://", 8) != 0)
        return r1i_fail(err, R1_ERR_USAGE, "'%.200s' is not a URL that begins with http:// or https://", endpoint->url);
    r1i_chat_client *const c = calloc(1, sizeof *c);
    if (!c) return r1i_fail(err, R1_ERR_NOMEM, "client");
    c->retries = endpoint->retries > 0 ? endpoint->retries : 5;
    c->timeout = endpoint->timeout_seconds > 0 ? endpoint->timeout_seconds : 600;
    c->url = full_url(endpoint->url);
    c->model = strdup(endpoint->model ? endpoint->model : "default");
    r1_status st = c->url && c->model ? open_curl(&c->api, &c->easy, err) : r1i_fail(err, R1_ERR_NOMEM, "client");
    if (st == R1_OK) st = add_headers(c, endpoint->api_key, err);
    if (st == R1_OK) set_options(c);
    if (st == R1_OK) *out = c;
    else r1i_chat_client_destroy(c);
    return st;
}

/* ---- request and answer ------------------------------------------------------------------------------------------ */

static r1_status request_body(const r1i_chat_client *c, const r1i_chat_request *q, char **out, r1_error *err)
{
    json_t *const stop = json_array();
    for (size_t i = 0; i < q->n_stop; i++) json_array_append_new(stop, json_string(q->stop[i]));
    json_t *const body = json_pack("{s:s, s:[{s:s, s:o}], s:I, s:f, s:f, s:I, s:b}", "model", c->model, "messages",
                                   "role", "user", "content", json_stringn(q->prompt, q->prompt_bytes), "max_tokens",
                                   (json_int_t)q->max_tokens, "temperature",
                                   q->temperature, "top_p", q->top_p, "seed", (json_int_t)q->seed, "stream", 0);
    if (body && q->n_stop) json_object_set(body, "stop", stop);
    *out = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(stop);
    json_decref(body);
    return *out ? R1_OK : r1i_fail(err, R1_ERR_FORMAT, "the prompt is not UTF-8, or memory is out");
}

static void add_json_text(r1i_text *t, const json_t *v)
{
    if (json_is_string(v)) r1i_text_add(t, json_string_value(v), json_string_length(v));
}

r1_status r1i_chat_reply_parse(const char *json, size_t bytes, r1i_chat_reply *out, r1_error *err)
{
    json_t *root;
    r1i_text text = {0};
    *out = (r1i_chat_reply){0};
    r1_status st = r1i_json_parse(json, bytes, &root, err);
    if (st != R1_OK) return st;
    const json_t *const choice = json_array_get(json_object_get(root, "choices"), 0),
                        *const message = json_object_get(choice, "message");
    if (!json_is_object(message)) {
        json_decref(root);
        return r1i_fail(err, R1_ERR_FORMAT, "choices[0].message is missing");
    }
    const json_t *thinking = json_object_get(message, "reasoning_content"),
                  *const finish = json_object_get(choice, "finish_reason");
    if (!json_is_string(thinking)) thinking = json_object_get(message, "reasoning");
    if (json_string_length(thinking) > 0) {
        r1i_text_puts(&text, "<think>\n");
        add_json_text(&text, thinking);
        r1i_text_puts(&text, "\n</think>\n\n");
    }
    add_json_text(&text, json_object_get(message, "content"));
    out->truncated = json_is_string(finish) && strcmp(json_string_value(finish), "length") == 0;
    out->tokens = json_integer_value(json_object_get(json_object_get(root, "usage"), "completion_tokens"));
    if (out->tokens < 0) out->tokens = 0;
    json_decref(root);
    return r1i_text_take(&text, &out->text, &out->bytes, err);
}

void r1i_chat_reply_free(r1i_chat_reply *reply)
{
    free(reply->text);
    *reply = (r1i_chat_reply){0};
}

/* One attempt. *again: trying later may help. */
static r1_status attempt(r1i_chat_client *c, const char *body, bool *again, r1_error *err)
{
    long status = 0;
    r1i_text_free(&c->body);
    c->error[0] = 0;
    c->api.setopt(c->easy, CURL_POSTFIELDSIZE, (long)strlen(body));
    c->api.setopt(c->easy, CURL_POSTFIELDS, body);
    const int rc = c->api.perform(c->easy);
    *again = rc != 0;
    if (rc != 0) return r1i_fail(err, R1_ERR_MISSING, "%s: %s", c->url, c->error[0] ? c->error : c->api.strerror(rc));
    c->api.getinfo(c->easy, CURL_RESPONSE_CODE, &status);
    if (status < LOWEST_ERROR) return R1_OK;
    *again = status == 408 || status == 429 || status >= 500;
    const r1_status st = r1i_fail(err, *again ? R1_ERR_MISSING : R1_ERR_IO, "%s: status %ld: %.200s", c->url, status,
                                  c->body.n ? c->body.bytes : "");
    for (char *p = err ? err->message : NULL; p && *p; p++)
        if (*p == '\n' || *p == '\r') *p = ' ';
    return st;
}

static void pause_before(int retry)
{
    const double seconds = 0.25 * (double)(1 << (retry < 7 ? retry : 7)); /* .25, .5, 1, ... 32 */
    const struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

r1_status r1i_chat_client_ask(r1i_chat_client *c, const r1i_chat_request *request, r1i_chat_reply *out, r1_error *err)
{
    char *body;
    bool again = true;
    *out = (r1i_chat_reply){0};
    r1_status st = request_body(c, request, &body, err);
    if (st != R1_OK) return st;
    const double begin = r1i_seconds();
    for (int i = 0; i <= c->retries && again; i++) {
        if (i > 0) pause_before(i - 1);
        st = attempt(c, body, &again, err);
        if (st == R1_OK) again = false;
    }
    free(body);
    if (st != R1_OK) return st;
    if ((st = r1i_chat_reply_parse(c->body.n ? c->body.bytes : "", c->body.n, out, err)) != R1_OK)
        r1i_error_prefix(err, "%s: ", c->url);
    out->seconds = r1i_seconds() - begin;
    return st;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "net/address.h"
#include "runner.h"
#include "stand.h"

#define CONNECTIONS_MAX 20000
#define TURNS_MAX       100000

static char states[CONNECTIONS_MAX][4];

static void note_state(const struct connection *c, int from, int to)
{
    char *s = states[c->input.session.number % CONNECTIONS_MAX];

    /* Check's assertions allocate memory even if they hold, and that allocation may be the one to
     * fail. */
    if (from >= to)
        ck_abort_msg("from state %d to %d", from, to);
    s[strlen(s)] = "OFLC"[to];
}

const char *stand_states(uint64_t number)
{
    return states[number % CONNECTIONS_MAX];
}

int stand_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir))
        n++;
    (void)closedir(dir);
    return n;
}

struct settings *stand_settings(const char *name)
{
    struct settings *s = calloc(1, sizeof *s);
    const char *error;
    size_t offset;

    ck_assert_ptr_nonnull(s);
    atomic_init(&s->references, 1);
    s->name = strdup(name);
    ck_assert_int_eq(template_compile("{message}", &s->reply, &error, &offset), 0);
    s->rules = (struct session_rules){ .framing = FRAMING_LINE,
                                       .max_message = 64 * 1024,
                                       .reply = s->reply };
    s->record = RECORD_JOURNAL;
    s->idle_ms = s->message_ms = s->write_ms = TIMER_NEVER;
    s->output_limit = 256 * 1024;
    s->read_size = READ_SIZE;
    return s;
}

static void replace_journal(struct stand *s, unsigned i)
{
    struct worker *w = s->workers[i];

    s->sinks[i] = sink_fake_new();
    ck_assert_ptr_nonnull(s->sinks[i]);
    recorder_deinit(&w->journal);
    recorder_init(&w->journal, &w->context, RECORD_JOURNAL, &s->sinks[i]->sink);
    recorder_need(&w->journal);
}

void stand_begin(struct stand *s, unsigned n_workers)
{
    memset(s, 0, sizeof *s);
    memset(states, 0, sizeof states);
    hooks_reset();
    s->descriptors = stand_descriptors();
    strcpy(s->shared.run_id, "run");
    s->shared.journal_path = "/nonexistent";
    s->shared.contexts = s->contexts;
    s->shared.notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_init(&s->shared.max_connections, CONNECTIONS_MAX);
    atomic_init(&s->shared.memory_limit, SIZE_MAX / 2);
    address_limit_init(&s->shared.addresses, UINT64_MAX);
    s->settings = stand_settings("default");
    for (; s->n < n_workers; s->n++) {
        ck_assert_int_eq(worker_new(&s->shared, s->n, &s->workers[s->n]), 0);
        s->contexts[s->n] = &s->workers[s->n]->context;
        s->contexts[s->n]->trace = note_state;
        replace_journal(s, s->n);
    }
    s->shared.n_contexts = s->n;
}

void stand_end(struct stand *s)
{
    for (unsigned i = 0; i < s->n; i++) {
        worker_close(s->workers[i]);
        ck_assert_uint_eq(s->contexts[i]->n_live, 0);
        ck_assert_uint_eq(s->contexts[i]->budget.used, 0);
        ck_assert_uint_eq(atomic_load(&s->contexts[i]->outages), 0);
    }
    s->shared.n_contexts = 0;
    for (unsigned i = 0; i < s->n; i++) {
        ck_assert_uint_eq(atomic_load(&s->contexts[i]->n_connections), 0);
        worker_free(s->workers[i]);
    }
    ck_assert_uint_eq(atomic_load(&s->shared.n_connections), 0);
    ck_assert_uint_eq(atomic_load(&s->settings->references), 1);
    settings_unref(s->settings);
    address_limit_deinit(&s->shared.addresses);
    s->shared.notify_fd = close_fd(s->shared.notify_fd);
}

static int open_connection(struct stand *s, unsigned worker, const struct arrival *arrival)
{
    struct context *x = s->contexts[worker];

    settings_ref(arrival->settings);
    atomic_fetch_add(&s->shared.n_connections, 1);
    atomic_fetch_add(&x->n_connections, 1);
    return connection_open(x, arrival, false);
}

int stand_connect(struct stand *s, unsigned worker)
{
    struct arrival arrival = { .peer.is_unix = true, .is_unix = true, .settings = s->settings };
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    arrival.fd = fds[0];
    ck_assert_int_eq(open_connection(s, worker, &arrival), 0);
    return fds[1];
}

int stand_listen(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 1024), 0);
    return fd;
}

int stand_dial(int listener)
{
    struct sockaddr_any address = { .size = sizeof address.storage };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(getsockname(listener, &address.sa, &address.size), 0);
    ck_assert_int_eq(connect(fd, &address.sa, address.size), 0);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

int stand_connect_tcp(struct stand *s, unsigned worker)
{
    struct arrival arrival = { .settings = s->settings };
    struct sockaddr_any address = { .size = sizeof address.storage };
    int listener = stand_listen(), fd = stand_dial(listener);

    arrival.fd = accept4(listener, &address.sa, &address.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(arrival.fd, 0);
    (void)close(listener);
    peer_init(&arrival.peer, arrival.fd, &address.sa);
    ck_assert_int_eq(open_connection(s, worker, &arrival), 0);
    hooks.patience_ms = 10; /* what is sent arrives soon, but not immediately */
    return fd;
}

struct search {
    uint64_t number;
    struct connection *found;
};

static void compare(void *item, void *userdata)
{
    struct connection *c = item;
    struct search *search = userdata;

    if (c->input.session.number == search->number)
        search->found = c;
}

struct connection *stand_last(struct stand *s, unsigned worker)
{
    struct search search = { .number = atomic_load(&s->shared.last_connection) };

    connection_for_each(s->contexts[worker], compare, &search);
    return search.found;
}

unsigned stand_run(struct stand *s)
{
    unsigned turns, quiet = 0;

    for (turns = 0; quiet < s->n; turns++) {
        struct worker *w = s->workers[turns % s->n];
        uint64_t events = hooks.events;

        if (turns == TURNS_MAX)
            ck_abort_msg("there is always something left to do");
        worker_turn(w);
        quiet =
            hooks.events != events || w->context.loop.head || hooks.timeout_us == 0 ? 0 : quiet + 1;
    }
    return turns;
}

void stand_pass(struct stand *s, uint64_t ms)
{
    hooks.now_us += ms * 1000;
    (void)stand_run(s);
}

void stand_say(int fd, const char *text)
{
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

const char *stand_hear(int fd)
{
    static char text[1 << 20];
    size_t size = 0;
    ssize_t n;

    while ((n = recv(fd, text + size, sizeof text - 2 - size, 0)) > 0)
        size += (size_t)n;
    if (n == 0)
        text[size++] = '$';
    else if (errno != EAGAIN)
        text[size++] = '!';
    text[size] = '\0';
    return text;
}

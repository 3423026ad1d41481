/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "../drive/conn.h"
#include "../own.h"
#include "../seed.h"
#include "../trace.h"
#include "base/macros.h"
#include "cipher.h"
#include "keys.h"

#define RECORD_MAX 16384

enum wrong {
    WRONG_NOT,
    WRONG_PLAIN, /* speaks no TLS */
    WRONG_STOPS, /* sends only so much, perhaps within the handshake */
    /* Of one record. */
    WRONG_FLIPPED,
    WRONG_LOST,
    WRONG_TWICE,
    WRONG_SWAPPED,
    WRONG_CUT,
    WRONGS
};

struct cipher {
    struct conn *conn;
    SSL *ssl;
    BIO *in, *out; /* owned by .ssl */
    /* Manners. */
    enum wrong wrong;
    uint32_t record_max, updates, stops_at, damages_at;
    bool rude; /* ends without close_notify */
    /* How far it is. */
    bool ready, told, ending, stuck;
    uint32_t records;
    uint64_t made, sent; /* encrypted bytes */
    uint64_t said;       /* bytes of conn->bytes in records */
    uint8_t *pending;
    size_t n, capacity;
};

/* --- what is pending ------------------------------------------------------------------------ */

static void append(struct cipher *c, const uint8_t *bytes, size_t n)
{
    if (c->n + n > c->capacity) {
        c->capacity = 2 * (c->n + n) + 1024;
        c->pending = sim_own_resize(c->pending, c->capacity);
    }
    memcpy(c->pending + c->n, bytes, n);
    c->n += n;
    c->made += n;
}

/* Nothing is said after `made` bytes. What is cut off was never said. */
static void stop_at(struct cipher *c, uint64_t made)
{
    if (c->made <= made)
        return;
    c->stuck = true;
    c->n -= c->made - made;
    c->made = made;
    c->conn->broken = true;
}

static void take_out(struct cipher *c)
{
    uint8_t bytes[4096];
    int n;

    while ((n = BIO_read(c->out, bytes, sizeof bytes)) > 0)
        if (!c->stuck)
            append(c, bytes, (size_t)n);
    if (c->wrong == WRONG_STOPS && !c->stuck)
        stop_at(c, c->stops_at);
}

size_t cipher_pending(const struct cipher *c, const uint8_t **ret)
{
    *ret = c->pending;
    return c->n;
}

void cipher_sent(struct cipher *c, size_t n)
{
    struct conn *k = c->conn;

    c->n -= n;
    c->sent += n;
    memmove(c->pending, c->pending + n, c->n);
    k->sent = MAX(k->sent, conn_deciphered(k, c->sent));
    if (c->n == 0 && c->ending && !k->broken)
        k->fin = true;
}

/* --- beginning and end ---------------------------------------------------------------------- */

static void speak_plainly(struct cipher *c)
{
    static const char *const texts[] = { "hello\n", "GET / HTTP/1.0\r\n\r\n", "5:hello,",
                                         "\x16\x03", "\x80\x2e\x01\x03\x01" };
    const char *text = texts[sim_below(ARRAY_SIZE(texts))];

    append(c, (const uint8_t *)text, strlen(text));
    c->stuck = true;
    c->conn->broken = true;
}

static void draw_manners(struct cipher *c)
{
    if (sim_below(5) == 4)
        c->wrong = (enum wrong)sim_below(WRONGS);
    c->record_max = sim_below(4) > 0 ? RECORD_MAX : sim_scale(1, RECORD_MAX);
    c->updates = sim_below(6) == 5 ? sim_scale(1000, SIM_ALWAYS) : 0;
    c->stops_at = sim_scale(1, 1000);
    c->damages_at = sim_scale(0, 16);
    c->rude = sim_below(3) == 2;
}

struct cipher *cipher_new(struct conn *k)
{
    struct cipher *c = sim_own_alloc(sizeof *c);
    int version = sim_below(3) < 2 ? TLS1_3_VERSION : TLS1_2_VERSION;

    c->conn = k;
    draw_manners(c);
    k->asks_for_keys = version == TLS1_3_VERSION && c->updates > 0;
    sim_say("connection %u: TLS 1.%d, wrong %d, records of %u, key updates %u%s", k->number,
            version - TLS1_VERSION, (int)c->wrong, c->record_max, c->updates,
            c->rude ? ", rude" : "");
    if (c->wrong == WRONG_PLAIN) {
        speak_plainly(c);
        return c;
    }
    c->ssl = SSL_new(keys_client());
    c->in = BIO_new(BIO_s_mem());
    c->out = BIO_new(BIO_s_mem());
    (void)BIO_set_mem_eof_return(c->in, -1);
    SSL_set_bio(c->ssl, c->in, c->out);
    (void)SSL_set_min_proto_version(c->ssl, version);
    (void)SSL_set_max_proto_version(c->ssl, version);
    SSL_set_connect_state(c->ssl);
    (void)SSL_do_handshake(c->ssl);
    ERR_clear_error();
    take_out(c);
    return c;
}

void cipher_free(struct cipher *c)
{
    if (!c)
        return;
    SSL_free(c->ssl);
    sim_own_free(c->pending);
    sim_own_free(c);
}

/* --- hearing -------------------------------------------------------------------------------- */

static bool go_on_with_handshake(struct cipher *c)
{
    if (SSL_do_handshake(c->ssl) != 1)
        return SSL_want(c->ssl) == SSL_READING;
    c->ready = true;
    return true;
}

static bool read_all(struct cipher *c, size_t *ret_n)
{
    static uint8_t bytes[RECORD_MAX];
    size_t n;

    while (SSL_read_ex(c->ssl, bytes, sizeof bytes, &n) == 1) {
        conn_heard(c->conn, bytes, n);
        *ret_n += n;
    }
    c->told = SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN;
    return c->told || SSL_want(c->ssl) == SSL_READING;
}

/* The program may refuse who is wrong, and those that are too many. */
static void look_at_failure(const struct cipher *c)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    if (c->wrong == WRONG_NOT && !(c->conn->excuses & EXCUSE_REFUSED))
        sim_violate("connection %u: its client is not answered in TLS: %s", c->conn->number,
                    reason ?: "no reason");
}

ssize_t cipher_hear(struct cipher *c, const uint8_t *bytes, size_t n)
{
    size_t heard = 0;
    bool good = true, handshake;

    if (c->wrong == WRONG_PLAIN)
        return 0;
    (void)BIO_write(c->in, bytes, (int)n);
    handshake = !c->ready;
    if (!c->ready)
        good = go_on_with_handshake(c);
    if (good && c->ready)
        good = read_all(c, &heard);
    if (!good)
        look_at_failure(c);
    ERR_clear_error();
    take_out(c);
    if (handshake && c->ready)
        c->conn->shaken_at = c->made;
    return good ? (ssize_t)heard : -EPROTO;
}

/* Whether the program ends the stream in order, if nothing happens to it. */
static bool is_told(const struct conn *k)
{
    return k->opened && (k->excuses & ~(unsigned)EXCUSE_ERROR) == 0 && !(k->excuses && k->mute) &&
           !k->failed && !k->mute_end;
}

void cipher_heard_all(const struct cipher *c)
{
    if (c->ready && !c->told && c->wrong == WRONG_NOT && is_told(c->conn))
        sim_violate("connection %u: its stream ends, and nobody says so", c->conn->number);
}

/* --- speaking ------------------------------------------------------------------------------- */

static void update_keys(struct cipher *c)
{
    if (!c->conn->asks_for_keys || !sim_chance(c->updates))
        return;
    (void)SSL_key_update(c->ssl, sim_below(2) > 0 ? SSL_KEY_UPDATE_REQUESTED
                                                  : SSL_KEY_UPDATE_NOT_REQUESTED);
}

static void encrypt(struct cipher *c, const uint8_t *bytes, size_t n)
{
    size_t written = 0;

    if (SSL_write_ex(c->ssl, bytes, n, &written) != 1 || written != n)
        sim_violate("connection %u: its client cannot speak", c->conn->number);
    ERR_clear_error();
}

/* Lets another record follow, so that the damage shows. */
static void say_more(struct cipher *c)
{
    encrypt(c, (const uint8_t *)"more", 4);
    take_out(c);
}

/* Damages the record that is pending. */
static void damage(struct cipher *c)
{
    size_t n = c->n;
    uint8_t *bytes = sim_own_alloc(n);

    memcpy(bytes, c->pending, n);
    if (c->wrong != WRONG_TWICE)
        conn_forget_cipher(c->conn);
    c->conn->broken = true;
    switch (c->wrong) {
    case WRONG_FLIPPED:
        c->pending[sim_below((uint32_t)n)] ^= (uint8_t)(1U << sim_below(8));
        say_more(c);
        break;
    case WRONG_LOST:
        c->n = 0;
        say_more(c);
        break;
    case WRONG_TWICE:
        append(c, bytes, n);
        break;
    case WRONG_SWAPPED:
        c->n = 0;
        say_more(c);
        append(c, bytes, n);
        break;
    default: /* cut: what followed could make it whole again */
        c->n = sim_below((uint32_t)n);
        break;
    }
    sim_own_free(bytes);
    c->stuck = true;
}

bool cipher_may_say(const struct cipher *c)
{
    return c->ready && c->n == 0 && !c->stuck && !c->ending;
}

size_t cipher_say(struct cipher *c, size_t n)
{
    struct conn *k = c->conn;

    /* Small ones grow in time, or a large message would take for ever. */
    n = MIN(n, MIN((size_t)RECORD_MAX, (size_t)(c->record_max + c->said / 64)));
    update_keys(c);
    encrypt(c, k->bytes + c->said, n);
    c->said += n;
    take_out(c);
    if (!k->broken)
        conn_enciphered(k, c->made, c->said);
    if (c->wrong >= WRONG_FLIPPED && c->records == c->damages_at && !c->stuck)
        damage(c);
    c->records++;
    return n;
}

bool cipher_end(struct cipher *c)
{
    if (!c->ready || c->stuck || c->rude)
        return true;
    if (!c->ending) {
        c->ending = true;
        (void)SSL_shutdown(c->ssl);
        ERR_clear_error();
        take_out(c);
    }
    return c->n == 0;
}

bool cipher_is_stuck(const struct cipher *c)
{
    return c->stuck;
}

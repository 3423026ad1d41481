/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/macros.h"
#include "net/tls-tickets.h"

#define SECRET_SIZE   32 /* of AES-256 and of HMAC-SHA256 */
#define NAME_SIZE     16 /* as OpenSSL has it */
#define ROTATE_S      3600
#define TICKET_LIFE_S 7200L
#define N_KEYS        3

struct ticket_key {
    unsigned char name[NAME_SIZE], cipher[SECRET_SIZE], mac[SECRET_SIZE];
};

struct tls_tickets {
    pthread_mutex_t lock;
    tls_seconds_fn now;
    EVP_CIPHER *cipher;
    uint64_t newest_s;              /* when the first key was made */
    struct ticket_key keys[N_KEYS]; /* the newest is the first */
};

static bool make_key(struct ticket_key *key)
{
    return RAND_bytes(key->name, sizeof key->name) == 1 &&
           RAND_priv_bytes(key->cipher, sizeof key->cipher) == 1 &&
           RAND_priv_bytes(key->mac, sizeof key->mac) == 1;
}

/* One key for each hour. Those of hours in which nobody came encrypted nothing. Without a new key,
 * false: the old ones may not be used either. */
static bool rotate(struct tls_tickets *t)
{
    uint64_t steps = (t->now() - t->newest_s) / ROTATE_S;

    t->newest_s += steps * ROTATE_S;
    for (steps = MIN(steps, (uint64_t)N_KEYS); steps > 0; steps--) {
        memmove(&t->keys[1], &t->keys[0], (N_KEYS - 1) * sizeof t->keys[0]);
        if (!make_key(&t->keys[0])) {
            OPENSSL_cleanse(t->keys, sizeof t->keys);
            t->newest_s -= N_KEYS * ROTATE_S;
            return false;
        }
    }
    return true;
}

/* The key with the name; NULL: the newest. False: there is none. The caller wipes *ret. */
static bool take_key(struct tls_tickets *t, const unsigned char *name, struct ticket_key *ret,
                     bool *ret_old)
{
    const struct ticket_key *found = name ? NULL : &t->keys[0];
    bool fine;

    (void)pthread_mutex_lock(&t->lock);
    fine = rotate(t);
    for (size_t i = 0; fine && !found && i < N_KEYS; i++)
        if (CRYPTO_memcmp(t->keys[i].name, name, NAME_SIZE) == 0)
            found = &t->keys[i];
    fine = fine && found;
    if (fine) {
        *ret = *found;
        *ret_old = found != &t->keys[0];
    }
    (void)pthread_mutex_unlock(&t->lock);
    return fine;
}

static bool set_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
    static char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

/* As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) wants it: 0: the ticket is not ours, and a full
 * handshake follows; 2: it is, and the client gets another. In TLS 1.3 each is used once, so that
 * nobody on the way can link connections. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int encrypts)
{
    struct tls_tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct ticket_key key;
    bool old, fine;

    if (!take_key(t, encrypts ? NULL : name, &key, &old))
        return encrypts ? -1 : 0;
    if (encrypts) {
        memcpy(name, key.name, NAME_SIZE);
        fine = RAND_bytes(iv, EVP_CIPHER_get_iv_length(t->cipher)) == 1 &&
               EVP_EncryptInit_ex2(cipher, t->cipher, key.cipher, iv, NULL) == 1;
    } else {
        fine = EVP_DecryptInit_ex2(cipher, t->cipher, key.cipher, iv, NULL) == 1;
    }
    fine = fine && set_mac(mac, &key);
    OPENSSL_cleanse(&key, sizeof key);
    if (!fine)
        return -1;
    return !encrypts && (old || SSL_version(ssl) == TLS1_3_VERSION) ? 2 : 1;
}

struct tls_tickets *tls_tickets_new(tls_seconds_fn now)
{
    struct tls_tickets *t = calloc(1, sizeof *t);
    bool fine = t;

    if (!t)
        return NULL;
    (void)pthread_mutex_init(&t->lock, NULL);
    t->now = now;
    t->newest_s = now();
    t->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    for (size_t i = 0; fine && i < N_KEYS; i++)
        fine = make_key(&t->keys[i]);
    if (fine && t->cipher)
        return t;
    ERR_clear_error();
    tls_tickets_free(t);
    return NULL;
}

void tls_tickets_free(struct tls_tickets *t)
{
    if (!t)
        return;
    OPENSSL_cleanse(t->keys, sizeof t->keys);
    EVP_CIPHER_free(t->cipher);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

void tls_tickets_use(struct tls_tickets *t, SSL_CTX *context)
{
    (void)SSL_CTX_set_app_data(context, t);
    (void)SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
    (void)SSL_CTX_set_timeout(context, TICKET_LIFE_S);
    (void)SSL_CTX_set_num_tickets(context, 1);
}

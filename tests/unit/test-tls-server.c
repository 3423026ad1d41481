/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/macros.h"
#include "runner.h"
#include "tls-served.h"

#define PAIRS_MAX 6

static struct identity ca, identities[PAIRS_MAX];
static struct tls_pair pairs[PAIRS_MAX];
static struct tls_settings settings;

static void setup(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    folder_make();
    ca = identity_new(&(struct recipe){ .name = "Test CA", .is_ca = true }, NULL);
    settings = (struct tls_settings){ .pairs = pairs };
}

static void teardown(void)
{
    for (size_t i = 0; i < PAIRS_MAX; i++)
        identity_free(&identities[i]);
    identity_free(&ca);
    folder_remove();
}

static struct tls_pair *add(const struct recipe *recipe)
{
    size_t n = settings.n_pairs++;
    char name[16];

    ck_assert_uint_lt(n, PAIRS_MAX);
    identities[n] = identity_new(recipe, &ca);
    (void)snprintf(name, sizeof name, "%zu.crt", n);
    pairs[n].certificate = (char *)file_of_certificate(name, &identities[n]);
    (void)snprintf(name, sizeof name, "%zu.key", n);
    pairs[n].key = (char *)file_of_key(name, &identities[n], NULL);
    return &pairs[n];
}

/* The number of the certificate that a client gets. name: SNI, or NULL. */
static int chosen(struct tls_server *server, const char *name, const char *signatures)
{
    struct served s;
    X509 *got;
    int i = 0;

    served_open(&s, server, &ca);
    s.client = SSL_new(s.context);
    ck_assert_int_eq(SSL_set_fd(s.client, s.client_fd), 1);
    SSL_set_connect_state(s.client);
    if (name)
        ck_assert_int_eq(SSL_set_tlsext_host_name(s.client, name), 1);
    if (signatures)
        ck_assert_int_eq(SSL_set1_sigalgs_list(s.client, signatures), 1);
    (void)served_shake(&s, NULL);
    ck_assert(served_well(&s));
    got = SSL_get0_peer_certificate(s.client);
    while (i < PAIRS_MAX && X509_cmp(identities[i].certificate, got) != 0)
        i++;
    served_close(&s);
    return i;
}

START_TEST(the_name_chooses)
{
    struct tls_server *server;

    (void)add(&(struct recipe){ .name = "first", .names = "DNS:first.example" });
    (void)add(&(struct recipe){ .name = "wild", .names = "DNS:*.Example.org,DNS:example.org" });
    (void)add(&(struct recipe){ .name = "exact", .names = "DNS:www.example.org" });
    (void)add(&(struct recipe){ .name = "common.example" });
    server = served_by(&settings);
    ck_assert_int_eq(chosen(server, NULL, NULL), 0);
    ck_assert_int_eq(chosen(server, "first.example", NULL), 0);
    ck_assert_int_eq(chosen(server, "unknown.example", NULL), 0);
    ck_assert_int_eq(chosen(server, "example.org", NULL), 1);
    ck_assert_int_eq(chosen(server, "a.EXAMPLE.org", NULL), 1);
    ck_assert_int_eq(chosen(server, "a.b.example.org", NULL), 0);
    ck_assert_int_eq(chosen(server, "WWW.example.org", NULL), 2);
    ck_assert_int_eq(chosen(server, "common.example", NULL), 3);
    tls_server_unref(server);
}
END_TEST

START_TEST(the_kind_of_key_fits_the_client)
{
    struct tls_server *server;

    (void)add(
        &(struct recipe){ .name = "a", .names = "DNS:b.example,DNS:a.example", .is_rsa = true });
    (void)add(
        &(struct recipe){ .name = "b", .names = "DNS:A.example,DNS:b.example,DNS:b.example" });
    (void)add(&(struct recipe){ .name = "c", .names = "DNS:c.example", .is_rsa = true });
    server = served_by(&settings);
    ck_assert_int_eq(chosen(server, "a.example", "RSA-PSS+SHA256:ECDSA+SHA256"), 1);
    ck_assert_int_eq(chosen(server, "b.example", "ECDSA+SHA256"), 1);
    ck_assert_int_eq(chosen(server, "c.example", "RSA-PSS+SHA256:ECDSA+SHA256"), 2);
    tls_server_unref(server);
}
END_TEST

static void check_refusal(enum tls_setting setting, const char *expected, const char *file)
{
    enum tls_setting about;
    const char *text = refused_by(&settings, &about);

    if (file)
        ck_assert_msg(strncmp(text, file, strlen(file)) == 0, "%s", text);
    ck_assert_msg(strstr(text, expected), "%s", text);
    ck_assert_int_eq(about, setting);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

START_TEST(files_that_are_wrong_are_named)
{
    struct tls_pair *pair = add(&(struct recipe){ .name = "a" }), good = *pair, *other;
    const char *empty = file_of("empty", ""),
               *torn = file_of("torn", "-----BEGIN CERTIFICATE-----\nAAAA\n");

    pair->certificate = (char *)"/nowhere/tls.crt";
    check_refusal(TLS_SETTING_CERTIFICATE, ": No such file or directory", pair->certificate);
    pair->certificate = (char *)"/";
    check_refusal(TLS_SETTING_CERTIFICATE, ": Is a directory", "/");
    pair->certificate = (char *)"/dev/zero";
    check_refusal(TLS_SETTING_CERTIFICATE, ": not a regular file", "/dev/zero");
    pair->certificate = (char *)empty;
    check_refusal(TLS_SETTING_CERTIFICATE, ": no PEM certificate is in it", empty);
    pair->certificate = (char *)torn;
    check_refusal(TLS_SETTING_CERTIFICATE, ": a certificate in it is damaged", torn);
    pair->certificate = good.certificate;
    pair->key = good.certificate;
    check_refusal(TLS_SETTING_KEY, ": no PEM key is in it", good.certificate);
    pair->key = NULL;
    check_refusal(TLS_SETTING_KEY, ": no PEM key is in it", good.certificate);
    pair->key = (char *)file_of_key("locked", &identities[0], "secret");
    check_refusal(TLS_SETTING_KEY, ": its key is encrypted", pair->key);
    pair->key = good.key;
    settings.client_ca = (char *)empty;
    check_refusal(TLS_SETTING_CLIENT_CA, ": no PEM certificate is in it", empty);
    settings.client_ca = good.certificate;
    settings.revoked = good.certificate;
    check_refusal(TLS_SETTING_REVOKED, ": no PEM revocation list is in it", good.certificate);
    settings.revoked = NULL;
    other = add(&(struct recipe){ .name = "b" });
    other->key = good.key;
    check_refusal(TLS_SETTING_KEY, other->certificate, good.key);
}
END_TEST

START_TEST(two_of_a_kind_are_one_too_many)
{
    (void)add(&(struct recipe){ .name = "a", .names = "DNS:a.example,DNS:b.example" });
    (void)add(&(struct recipe){ .name = "b", .names = "DNS:b.example,DNS:a.example" });
    check_refusal(TLS_SETTING_CERTIFICATE, "the same names and the same kind of key",
                  pairs[1].certificate);
}
END_TEST

START_TEST(what_openssl_does_not_know_is_refused)
{
    (void)add(&(struct recipe){ .name = "a" });
    settings.ciphers = (char *)"NONSENSE";
    check_refusal(TLS_SETTING_CIPHERS, ": NONSENSE", NULL);
    settings.ciphers = NULL;
    settings.groups = (char *)"X25519:nonsense";
    check_refusal(TLS_SETTING_GROUPS, "nonsense", NULL);
}
END_TEST

/* A certificate that is not valid now is loaded: the clock may be wrong, and clients say so. */
START_TEST(the_first_expiry_counts)
{
    struct tls_server *server;
    const char *file;
    time_t now = time(NULL), expires;

    (void)add(&(struct recipe){ .name = "a", .until = 9 * 24 * 3600 });
    (void)add(&(struct recipe){ .name = "b", .from = -7200, .until = -3600 });
    (void)add(&(struct recipe){ .name = "c" });
    server = served_by(&settings);
    expires = tls_server_expires(server, &file);
    ck_assert_int_lt(labs(expires - now + 3600), 60);
    ck_assert_str_eq(file, pairs[1].certificate);
    tls_server_unref(server);
}
END_TEST

/* Returns what was agreed on, or "" if the handshake failed. offered: as sent. */
static const char *agreed(struct tls_server *server, const char *offered)
{
    static char text[32];
    const unsigned char *got;
    unsigned n;
    struct served s;

    served_open(&s, server, &ca);
    ck_assert_int_eq(SSL_CTX_set_alpn_protos(s.context, (const unsigned char *)offered,
                                             (unsigned)strlen(offered)),
                     0);
    (void)served_shake(&s, NULL);
    SSL_get0_alpn_selected(s.client, &got, &n);
    (void)snprintf(text, sizeof text, "%.*s", (int)n, got);
    if (!served_well(&s)) {
        ck_assert_str_eq(s.reason, "no application protocol");
        ck_assert_int_eq(ERR_GET_REASON(ERR_peek_last_error()),
                         SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
        text[0] = '\0';
    }
    ERR_clear_error();
    served_close(&s);
    return text;
}

START_TEST(protocols_are_agreed_on)
{
    char *protocols[] = { (char *)"second", (char *)"first", NULL };
    struct tls_server *server;
    struct served s;

    (void)add(&(struct recipe){ .name = "a" });
    settings.alpn = protocols;
    server = served_by(&settings);
    ck_assert_str_eq(agreed(server, "\5first\6second"), "second");
    ck_assert_str_eq(agreed(server, "\1x\5first"), "first");
    ck_assert_str_eq(agreed(server, "\1x\4firs"), "");
    served_open(&s, server, &ca);
    (void)served_shake(&s, NULL);
    ck_assert(served_well(&s));
    served_close(&s);
    tls_server_unref(server);
}
END_TEST

/* The version and the cipher with a client that has only these; "" if there is none. */
static const char *spoken(struct tls_server *server, int version, const char *ciphers)
{
    static char text[64];
    struct served s;

    served_open(&s, server, &ca);
    SSL_CTX_set_security_level(s.context, 0);
    (void)SSL_CTX_set_min_proto_version(s.context, version);
    (void)SSL_CTX_set_max_proto_version(s.context, version);
    if (ciphers)
        ck_assert_int_eq(SSL_CTX_set_cipher_list(s.context, ciphers), 1);
    (void)served_shake(&s, NULL);
    (void)snprintf(text, sizeof text, "%s", served_well(&s) ? SSL_get_cipher(s.client) : "");
    ERR_clear_error();
    served_close(&s);
    return text;
}

START_TEST(versions_and_ciphers)
{
    struct tls_server *server;

    (void)add(&(struct recipe){ .name = "a" });
    server = served_by(&settings);
    ck_assert_str_eq(spoken(server, TLS1_1_VERSION, NULL), "");
    ck_assert_str_eq(spoken(server, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA"), "");
    ck_assert_str_eq(spoken(server, TLS1_2_VERSION,
                            "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"),
                     "ECDHE-ECDSA-AES256-GCM-SHA384");
    /* A client that prefers it has no hardware for AES. */
    ck_assert_str_eq(spoken(server, TLS1_2_VERSION,
                            "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384"),
                     "ECDHE-ECDSA-CHACHA20-POLY1305");
    ck_assert_str_ne(spoken(server, TLS1_3_VERSION, NULL), "");
    tls_server_unref(server);
    settings.min_version = TLS_1_3;
    settings.cipher_suites = (char *)"TLS_AES_128_GCM_SHA256";
    server = served_by(&settings);
    ck_assert_str_eq(spoken(server, TLS1_2_VERSION, NULL), "");
    ck_assert_str_eq(spoken(server, TLS1_3_VERSION, NULL), "TLS_AES_128_GCM_SHA256");
    tls_server_unref(server);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("tls-server");
    TCase *cases = tcase_create("tls-server");

    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, the_name_chooses);
    tcase_add_test(cases, the_kind_of_key_fits_the_client);
    tcase_add_test(cases, files_that_are_wrong_are_named);
    tcase_add_test(cases, two_of_a_kind_are_one_too_many);
    tcase_add_test(cases, what_openssl_does_not_know_is_refused);
    tcase_add_test(cases, the_first_expiry_counts);
    tcase_add_test(cases, protocols_are_agreed_on);
    tcase_add_test(cases, versions_and_ciphers);
    suite_add_tcase(suite, cases);
    return suite;
}

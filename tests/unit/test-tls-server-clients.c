/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/macros.h"
#include "runner.h"
#include "tls-served.h"

static struct identity ca, own;
static struct tls_pair pair;
static struct tls_settings settings;
static const char *const usual = "clientAuth";

static void setup(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    folder_make();
    ca = identity_new(&(struct recipe){ .name = "Test CA", .is_ca = true }, NULL);
    own = identity_new(&(struct recipe){ .name = "server" }, &ca);
    pair.certificate = (char *)file_of_certificate("server.crt", &own);
    pair.key = (char *)file_of_key("server.key", &own, NULL);
    settings = (struct tls_settings){
        .pairs = &pair,
        .n_pairs = 1,
        .client_ca = (char *)file_of_certificate("ca.crt", &ca),
        .client_certificate = TLS_CLIENT_REQUIRE,
    };
}

static void teardown(void)
{
    identity_free(&own);
    identity_free(&ca);
    folder_remove();
}

static void present(struct served *s, const struct identity *client)
{
    if (!client)
        return;
    ck_assert_int_eq(SSL_CTX_use_certificate(s->context, client->certificate), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(s->context, client->key), 1);
}

/* The client's name; or why the server refuses it, behind a "!". */
static const char *meet(const struct identity *client)
{
    static char text[TLS_NAME_MAX + 1];
    struct tls_server *server = served_by(&settings);
    struct served s;

    served_open(&s, server, &ca);
    present(&s, client);
    (void)served_shake(&s, NULL);
    if (s.result == -EPROTO)
        (void)snprintf(text, sizeof text, "!%s", s.reason);
    else
        (void)snprintf(text, sizeof text, "%s", s.name);
    ck_assert_int_eq(served_well(&s), s.result == 0);
    ERR_clear_error();
    served_close(&s);
    tls_server_unref(server);
    return text;
}

static const char *meet_new(const struct recipe *recipe, const struct identity *issuer)
{
    struct identity client = identity_new(recipe, issuer);
    const char *text = meet(&client);

    identity_free(&client);
    return text;
}

START_TEST(who_is_trusted)
{
    static const char *const none = "!peer did not return a certificate";
    struct identity stranger = identity_new(&(struct recipe){ .name = "CA", .is_ca = true }, NULL);

    ck_assert_str_eq(meet_new(&(struct recipe){ .name = "meter 17", .usage = usual }, &ca),
                     "meter 17");
    ck_assert_str_eq(meet_new(&(struct recipe){ .name = "x", .usage = "serverAuth" }, &ca),
                     "!unsuitable certificate purpose");
    ck_assert_str_eq(meet_new(&(struct recipe){ .name = "x", .from = -7200, .until = -3600 }, &ca),
                     "!the client's certificate has expired");
    ck_assert_str_eq(meet_new(&(struct recipe){ .name = "x", .from = 3600, .until = 7200 }, &ca),
                     "!the client's certificate is not valid yet");
    ck_assert_str_eq(meet_new(&(struct recipe){ .name = "x" }, &stranger),
                     "!the client's certificate is of no authority in ClientCA=");
    ck_assert_str_eq(meet_new(&(struct recipe){ .name = "x" }, NULL),
                     "!the client's certificate is of no authority in ClientCA=");
    ck_assert_str_eq(meet(NULL), none);
    settings.client_certificate = TLS_CLIENT_REQUEST;
    ck_assert_str_eq(meet(NULL), "");
    ck_assert_str_eq(meet_new(&(struct recipe){ .name = "x" }, &ca), "x");
    ck_assert_str_eq(meet_new(&(struct recipe){ .name = "x" }, &stranger),
                     "!the client's certificate is of no authority in ClientCA=");
    settings.client_certificate = TLS_CLIENT_NONE;
    ck_assert_str_eq(meet_new(&(struct recipe){ .name = "x" }, &ca), "");
    identity_free(&stranger);
}
END_TEST

/* The authority's own issuer is not named. */
START_TEST(an_intermediate_authority_is_enough)
{
    struct identity below = identity_new(&(struct recipe){ .name = "below", .is_ca = true }, &ca);

    settings.client_ca = (char *)file_of_certificate("below.crt", &below);
    ck_assert_str_eq(meet_new(&(struct recipe){ .name = "x" }, &below), "x");
    ck_assert_int_eq(meet_new(&(struct recipe){ .name = "x" }, &ca)[0], '!');
    identity_free(&below);
}
END_TEST

/* A list of the authority's in a file. until: seconds from now. */
static const char *list_of(const char *name, const struct identity *revoked, long until)
{
    X509_CRL *list = X509_CRL_new();
    X509_REVOKED *one = X509_REVOKED_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, -7200), *then = X509_gmtime_adj(NULL, until);
    BIO *text = BIO_new(BIO_s_mem());
    const char *path;

    ck_assert_int_eq(X509_CRL_set_version(list, X509_CRL_VERSION_2), 1);
    ck_assert_int_eq(X509_CRL_set_issuer_name(list, X509_get_subject_name(ca.certificate)), 1);
    ck_assert_int_eq(X509_CRL_set1_lastUpdate(list, now), 1);
    ck_assert_int_eq(X509_CRL_set1_nextUpdate(list, then), 1);
    ck_assert_int_eq(
        X509_REVOKED_set_serialNumber(one, X509_get_serialNumber(revoked->certificate)), 1);
    ck_assert_int_eq(X509_REVOKED_set_revocationDate(one, now), 1);
    ck_assert_int_eq(X509_CRL_add0_revoked(list, one), 1);
    ck_assert_int_gt(X509_CRL_sign(list, ca.key, EVP_sha256()), 0);
    ck_assert_int_eq(PEM_write_bio_X509_CRL(text, list), 1);
    ck_assert_int_eq(BIO_write(text, "", 1), 1);
    (void)BIO_get_mem_data(text, &path);
    path = file_of(name, path);
    (void)BIO_free(text);
    ASN1_TIME_free(now);
    ASN1_TIME_free(then);
    X509_CRL_free(list);
    return path;
}

START_TEST(revoked_certificates_are_refused)
{
    struct identity good = identity_new(&(struct recipe){ .name = "good" }, &ca),
                    bad = identity_new(&(struct recipe){ .name = "bad" }, &ca);

    settings.revoked = (char *)list_of("crl.pem", &bad, 3600);
    ck_assert_str_eq(meet(&good), "good");
    ck_assert_str_eq(meet(&bad), "!the client's certificate is revoked");
    settings.revoked = (char *)list_of("old.pem", &bad, -3600);
    ck_assert_str_eq(meet(&good), "!the revocation list of the client's authority is out of date");
    identity_free(&good);
    identity_free(&bad);
}
END_TEST

START_TEST(kinds_of_identity)
{
    const struct recipe recipe = {
        .name = "zähler, 17",
        .names = "email:a@b.example,URI:urn:x:1,DNS:one.example,DNS:two.example,URI:urn:x:2",
    };

    ck_assert_str_eq(meet_new(&recipe, &ca), "zähler, 17");
    settings.identity = TLS_IDENTITY_DNS;
    ck_assert_str_eq(meet_new(&recipe, &ca), "one.example");
    ck_assert_str_eq(meet_new(&(struct recipe){ .name = "a.example" }, &ca), "");
    settings.identity = TLS_IDENTITY_URI;
    ck_assert_str_eq(meet_new(&recipe, &ca), "urn:x:1");
    settings.identity = TLS_IDENTITY_EMAIL;
    ck_assert_str_eq(meet_new(&recipe, &ca), "a@b.example");
    settings.identity = TLS_IDENTITY_SUBJECT;
    ck_assert_str_eq(meet_new(&recipe, &ca), "CN=zähler\\, 17");
}
END_TEST

/* The client is let in, but has no name. */
START_TEST(names_that_nobody_should_read)
{
    char longest[] = { [0 ... 63] = 'x', '\0' }, names[300], *at = names;

    ck_assert_str_eq(meet_new(&(struct recipe){ .name = longest }, &ca), longest);
    ck_assert_str_eq(meet_new(&(struct recipe){ .name = "a\nb" }, &ca), "");
    ck_assert_str_eq(meet_new(&(struct recipe){ .name = "a\x7f" }, &ca), "");
    ck_assert_str_eq(meet_new(&(struct recipe){ .name = "a\xc2\x85z" }, &ca), "");
    ck_assert_str_eq(meet_new(&(struct recipe){ .names = "DNS:a.example" }, &ca), "");
    settings.identity = TLS_IDENTITY_URI;
    at += sprintf(at, "URI:urn:");
    memset(at, 'x', TLS_NAME_MAX - 4);
    at[TLS_NAME_MAX - 4] = '\0';
    ck_assert_uint_eq(strlen(meet_new(&(struct recipe){ .name = "x", .names = names }, &ca)),
                      TLS_NAME_MAX);
    (void)strcat(names, "y");
    ck_assert_str_eq(meet_new(&(struct recipe){ .name = "x", .names = names }, &ca), "");
}
END_TEST

/* What a client is after a resumption, in both versions. */
START_TEST(a_resumed_client_keeps_its_name)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct identity client = identity_new(&(struct recipe){ .name = "client" }, &ca);
    struct tls_server *server = served_by(&settings);

    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        SSL_SESSION *session = NULL;

        for (int round = 0; round < 3; round++) {
            struct served s;

            served_open(&s, server, &ca);
            (void)SSL_CTX_set_max_proto_version(s.context, versions[i]);
            present(&s, &client);
            (void)served_shake(&s, session);
            ck_assert(served_well(&s));
            ck_assert_int_eq(SSL_session_reused(s.client), round > 0);
            ck_assert_str_eq(s.name, "client");
            SSL_SESSION_free(session);
            session = SSL_get1_session(s.client);
            served_close(&s);
        }
        SSL_SESSION_free(session);
    }
    tls_server_unref(server);
    identity_free(&client);
}
END_TEST

/* A ticket does not make a certificate last longer. */
START_TEST(an_expired_client_is_not_resumed)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct tls_server *server = served_by(&settings);
    SSL_SESSION *sessions[ARRAY_SIZE(versions)];
    const time_t until = time(NULL) + 3;
    struct identity client =
        identity_new(&(struct recipe){ .name = "client", .from = -60, .until = 3 }, &ca);
    struct served s;

    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        served_open(&s, server, &ca);
        (void)SSL_CTX_set_max_proto_version(s.context, versions[i]);
        present(&s, &client);
        (void)served_shake(&s, NULL);
        ck_assert(served_well(&s));
        sessions[i] = SSL_get1_session(s.client);
        served_close(&s);
    }
    while (time(NULL) <= until + 1)
        (void)nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        served_open(&s, server, &ca);
        (void)SSL_CTX_set_max_proto_version(s.context, versions[i]);
        present(&s, &client);
        ck_assert_int_eq(served_shake(&s, sessions[i]), -EPROTO);
        ck_assert_str_eq(s.name, "");
        SSL_SESSION_free(sessions[i]);
        served_close(&s);
    }
    tls_server_unref(server);
    identity_free(&client);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("tls-server-clients");
    TCase *cases = tcase_create("tls-server-clients");

    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, who_is_trusted);
    tcase_add_test(cases, an_intermediate_authority_is_enough);
    tcase_add_test(cases, revoked_certificates_are_refused);
    tcase_add_test(cases, kinds_of_identity);
    tcase_add_test(cases, names_that_nobody_should_read);
    tcase_add_test(cases, a_resumed_client_keeps_its_name);
    tcase_add_test(cases, an_expired_client_is_not_resumed);
    suite_add_tcase(suite, cases);
    return suite;
}

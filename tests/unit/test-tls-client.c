/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "runner.h"
#include "tls-wire.h"

static struct identity ca, other;
static const char *ca_file;
static char sent_name[256]; /* the name that the last client asked for, "" for none */

static void setup(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    folder_make();
    ca = identity_new(&(struct recipe){ .name = "Test CA", .is_ca = true }, NULL);
    other = identity_new(&(struct recipe){ .name = "other" }, NULL);
    ca_file = file_of_certificate("ca.pem", &ca);
}

static void teardown(void)
{
    identity_free(&ca);
    identity_free(&other);
    folder_remove();
}

static int note_name(SSL *ssl, int *alert, void *userdata)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    (void)userdata;
    (void)snprintf(sent_name, sizeof sent_name, "%s", name ?: "");
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *serve(const struct recipe *recipe)
{
    struct identity i = identity_new(recipe, &ca);
    SSL_CTX *server = server_new(&i);

    (void)SSL_CTX_set_tlsext_servername_callback(server, note_name);
    identity_free(&i);
    return server;
}

static struct tls_client *client_of(const struct tls_client_settings *settings)
{
    struct tls_client *client = NULL;
    char *error;

    ck_assert_msg(tls_client_new(settings, &client, &error) == 0, "%s", error);
    return client;
}

static int shake(SSL_CTX *server, struct tls_client *client)
{
    struct wire wire;
    int r;

    wire_open(&wire, server, client);
    r = wire_shake(&wire);
    wire_close(&wire);
    return r;
}

static const struct name {
    const char *asked, *names, *common, *sent;
    bool matches;
} names[] = {
    { "db.example", "DNS:db.example", NULL, "db.example", true },
    { "db.example.", "DNS:db.example", NULL, "db.example", true },
    { "DB.Example", "DNS:db.example", NULL, "DB.Example", true },
    { "a.db.example", "DNS:*.db.example", NULL, "a.db.example", true },
    { "db.example", NULL, "db.example", "db.example", true },
    { "db.example", "DNS:x.example", "db.example", "db.example", false },
    { "ab.db.example", "DNS:a*.db.example", NULL, "ab.db.example", false },
    { "b.a.db.example", "DNS:*.db.example", NULL, "b.a.db.example", false },
    { "127.0.0.1", "IP:127.0.0.1", NULL, "", true },
    { "127.0.0.1", "DNS:127.0.0.1", "127.0.0.1", "", false },
    { "127.0.0.2", "IP:127.0.0.1", NULL, "", false },
    { "::1", "IP:::1", NULL, "", true },
    { "fe80::1%eth0", "IP:fe80::1", NULL, "", true },
    { "::2", "IP:::1", NULL, "", false },
    { NULL, "DNS:anything", NULL, "", true },
};

START_TEST(the_name_is_checked_and_sent)
{
    const struct name *n = &names[_i];
    SSL_CTX *server = serve(&(struct recipe){ .name = n->common, .names = n->names });
    struct tls_client *client =
        client_of(&(struct tls_client_settings){ .ca = ca_file, .name = n->asked });

    ck_assert_int_eq(shake(server, client), n->matches ? 0 : -EPROTO);
    ck_assert_str_eq(sent_name, n->sent);
    tls_client_free(client);
    client = client_of(&(struct tls_client_settings){ .insecure = true, .name = n->asked });
    ck_assert_int_eq(shake(server, client), 0);
    ck_assert_str_eq(sent_name, n->sent);
    tls_client_free(client);
    SSL_CTX_free(server);
}
END_TEST

START_TEST(the_systems_authorities_do_not_count_beside_a_file)
{
    SSL_CTX *server = serve(&(struct recipe){ .names = "DNS:a" });
    struct tls_client *client;

    ck_assert_int_eq(setenv("SSL_CERT_FILE", ca_file, 1), 0);
    client = client_of(&(struct tls_client_settings){ .name = "a" });
    ck_assert_int_eq(shake(server, client), 0);
    tls_client_free(client);
    client = client_of(&(struct tls_client_settings){
        .ca = file_of_certificate("other.pem", &other), .name = "a" });
    ck_assert_int_eq(shake(server, client), -EPROTO);
    tls_client_free(client);
    SSL_CTX_free(server);
}
END_TEST

/* Without its issuer. */
START_TEST(the_file_may_have_the_servers_own_certificate)
{
    struct identity i = identity_new(&(struct recipe){ .names = "DNS:a" }, &ca);
    SSL_CTX *server = server_new(&i);
    struct tls_client *client = client_of(
        &(struct tls_client_settings){ .ca = file_of_certificate("own.pem", &i), .name = "a" });

    ck_assert_int_eq(shake(server, client), 0);
    tls_client_free(client);
    SSL_CTX_free(server);
    identity_free(&i);
}
END_TEST

START_TEST(versions_before_1_2_are_refused)
{
    SSL_CTX *server = serve(&(struct recipe){ .names = "DNS:a" });
    struct tls_client *client =
        client_of(&(struct tls_client_settings){ .ca = ca_file, .name = "a" });

    ck_assert_int_eq(SSL_CTX_set_max_proto_version(server, TLS1_2_VERSION), 1);
    ck_assert_int_eq(shake(server, client), 0);
    ck_assert_int_eq(SSL_CTX_set_min_proto_version(server, TLS1_VERSION), 1);
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(server, TLS1_1_VERSION), 1);
    ck_assert_int_eq(SSL_CTX_set_cipher_list(server, "DEFAULT:@SECLEVEL=0"), 1);
    ck_assert_int_eq(shake(server, client), -EPROTO);
    tls_client_free(client);
    SSL_CTX_free(server);
}
END_TEST

/* 0, or the line; the caller frees it. */
static char *error_of(const struct tls_client_settings *settings)
{
    struct tls_client *client;
    char *error;

    ck_assert_int_eq(tls_client_new(settings, &client, &error), -EINVAL);
    ck_assert_ptr_nonnull(error);
    return error;
}

_printf_(2, 3) static void refused(const struct tls_client_settings *settings, const char *format,
                                   ...)
{
    _cleanup_free_ char *error = error_of(settings);
    char expected[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(expected, sizeof expected, format, args);
    va_end(args);
    ck_assert_str_eq(error, expected);
}

START_TEST(files_that_cannot_be_used)
{
    const char *certificate = file_of_certificate("own.pem", &other);
    const char *key = file_of_key("own.key", &other, NULL);
    const char *encrypted = file_of_key("encrypted.key", &other, "password");
    const char *strange = file_of_key("ca.key", &ca, NULL);
    const char *junk = file_of("junk", "junk\n"), *empty = file_of("empty", "");
    const char *damaged = file_of("damaged", "-----BEGIN CERTIFICATE-----\nAAAA\n"
                                             "-----END CERTIFICATE-----\n");

    refused(&(struct tls_client_settings){ .ca = "/nowhere/a" },
            "/nowhere/a: No such file or directory");
    refused(&(struct tls_client_settings){ .ca = "/tmp" }, "/tmp: Is a directory");
    refused(&(struct tls_client_settings){ .ca = junk }, "%s: no PEM certificate is in it", junk);
    refused(&(struct tls_client_settings){ .ca = empty }, "%s: no PEM certificate is in it", empty);
    refused(&(struct tls_client_settings){ .ca = damaged }, "%s: a certificate in it is damaged",
            damaged);
    refused(&(struct tls_client_settings){ .certificate = "/nowhere/a", .key = key },
            "/nowhere/a: No such file or directory");
    refused(&(struct tls_client_settings){ .certificate = key, .key = key },
            "%s: no PEM certificate is in it", key);
    refused(&(struct tls_client_settings){ .certificate = damaged, .key = key },
            "%s: its certificate cannot be used: wrong tag", damaged);
    refused(&(struct tls_client_settings){ .certificate = certificate, .key = "/nowhere/a" },
            "/nowhere/a: No such file or directory");
    refused(&(struct tls_client_settings){ .certificate = certificate },
            "%s: no PEM key is in it, or it is damaged", certificate);
    refused(&(struct tls_client_settings){ .certificate = certificate, .key = junk },
            "%s: no PEM key is in it, or it is damaged", junk);
    refused(&(struct tls_client_settings){ .certificate = certificate, .key = encrypted },
            "%s: its key is encrypted; decrypt it with openssl-pkey(1)", encrypted);
    refused(&(struct tls_client_settings){ .certificate = certificate, .key = strange },
            "%s: its key does not belong to the certificate in %s", strange, certificate);
    tls_client_free(
        client_of(&(struct tls_client_settings){ .certificate = certificate, .key = key }));
}
END_TEST

START_TEST(a_key_of_another_kind_does_not_belong_to_the_certificate)
{
    struct identity rsa = { NULL, EVP_RSA_gen(2048) };
    const char *certificate = file_of_certificate("own.pem", &other);
    const char *key = file_of_key("rsa.key", &rsa, NULL);

    refused(&(struct tls_client_settings){ .certificate = certificate, .key = key },
            "%s: its key does not belong to the certificate in %s", key, certificate);
    identity_free(&rsa);
}
END_TEST

START_TEST(names_that_are_none)
{
    char name[300];

    refused(&(struct tls_client_settings){ .name = "" }, "'' is no host name");
    memset(name, 'a', sizeof name);
    name[254] = '\0';
    refused(&(struct tls_client_settings){ .name = name }, "'%s' is no host name", name);
}
END_TEST

/* Exchanges a byte in both directions, so that tickets arrive. Returns whether it was short. */
static bool converse(SSL_CTX *server, struct tls_client *client)
{
    struct wire wire;
    char byte;
    bool resumed;

    wire_open(&wire, server, client);
    ck_assert_int_eq(wire_shake(&wire), 0);
    ck_assert_int_eq(tls_send(wire.client, "a", 1), 1);
    ck_assert_int_eq(SSL_read(wire.server, &byte, 1), 1);
    ck_assert_int_eq(SSL_write(wire.server, "b", 1), 1);
    wire.source.ready = TLS_READY_ALL;
    ck_assert_int_eq(tls_recv(wire.client, &byte, 1), 1);
    ck_assert_int_eq(byte, 'b');
    ck_assert_int_eq(tls_end(wire.client), 0);
    ck_assert_int_eq(SSL_read(wire.server, &byte, 1), 0);
    ck_assert_int_eq(SSL_get_error(wire.server, 0), SSL_ERROR_ZERO_RETURN);
    resumed = tls_client_resumed(wire.client);
    wire_close(&wire);
    return resumed;
}

START_TEST(tickets)
{
    SSL_CTX *server = serve(&(struct recipe){ .names = "DNS:a" });
    struct tls_client_settings settings = { .ca = ca_file, .name = "a" };
    struct tls_client *client = client_of(&settings);

    ck_assert_int_eq(SSL_CTX_set_max_proto_version(server, _i), 1);
    for (int i = 0; i < 3; i++)
        ck_assert(!converse(server, client));
    tls_client_free(client);
    settings.resumes = true;
    client = client_of(&settings);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(converse(server, client), i > 0);
    /* Another server does not know them. */
    SSL_CTX_free(server);
    server = serve(&(struct recipe){ .names = "DNS:a" });
    ck_assert(!converse(server, client));
    tls_client_free(client);
    SSL_CTX_free(server);
}
END_TEST

static void *converse_often(void *userdata)
{
    void **both = userdata;

    for (int i = 0; i < 50; i++)
        (void)converse(both[0], both[1]);
    return NULL;
}

START_TEST(threads_share_it)
{
    SSL_CTX *server = serve(&(struct recipe){ .names = "DNS:a" });
    struct tls_client *client =
        client_of(&(struct tls_client_settings){ .ca = ca_file, .name = "a", .resumes = true });
    void *both[] = { server, client };
    pthread_t threads[4];

    SSL_CTX_set_tlsext_servername_callback(server, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, converse_often, both), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    tls_client_free(client);
    SSL_CTX_free(server);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("tls-client");
    TCase *t = tcase_create("client");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, the_name_is_checked_and_sent, 0, (int)ARRAY_SIZE(names));
    tcase_add_test(t, the_systems_authorities_do_not_count_beside_a_file);
    tcase_add_test(t, the_file_may_have_the_servers_own_certificate);
    tcase_add_test(t, versions_before_1_2_are_refused);
    tcase_add_test(t, files_that_cannot_be_used);
    tcase_add_test(t, a_key_of_another_kind_does_not_belong_to_the_certificate);
    tcase_add_test(t, names_that_are_none);
    tcase_add_loop_test(t, tickets, TLS1_2_VERSION, TLS1_3_VERSION + 1);
    tcase_add_test(t, threads_share_it);
    suite_add_tcase(s, t);
    return s;
}

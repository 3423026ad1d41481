/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/escape.h"
#include "base/macros.h"
#include "net/openssl.h"
#include "net/tls-client.h"
#include "net/tls-trouble.h"

/* Names come from a server that is not trusted. So only so much of them is shown, and escaped. */
#define NAMES_MAX 3
#define NAME_SIZE 128 /* bytes of one */

static void print(FILE *f, const void *text, size_t n)
{
    char safe[NAME_SIZE];
    size_t size = escape_text(text, n, safe, sizeof safe);

    (void)fwrite(safe, 1, size, f);
}

static void print_string(FILE *f, const ASN1_STRING *s)
{
    unsigned char *text;
    int n = ASN1_STRING_to_UTF8(&text, s);

    if (n < 0)
        return;
    print(f, text, (size_t)n);
    OPENSSL_free(text);
}

/* In quotes, in the form of RFC 2253: the most specific part first. */
static void print_distinguished(FILE *f, const X509_NAME *name)
{
    /* print() escapes. */
    static const unsigned long form =
        XN_FLAG_RFC2253 & ~(unsigned long)(ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_ESC_MSB);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long n = 0;

    if (bio && X509_NAME_print_ex(bio, name, 0, form) >= 0)
        n = BIO_get_mem_data(bio, &text);
    (void)fputc('"', f);
    if (n > 0)
        print(f, text, (size_t)n);
    (void)fputc('"', f);
    BIO_free(bio);
}

static void print_time(FILE *f, const ASN1_TIME *t)
{
    char text[32];
    struct tm tm;

    if (ASN1_TIME_to_tm(t, &tm) == 1 && strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &tm) > 0)
        (void)fputs(text, f);
    else
        (void)fputs("an unreadable date", f);
}

/* name: GEN_DNS or GEN_IPADD. */
static void print_alternative_name(FILE *f, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN];
    int kind;
    const void *value = GENERAL_NAME_get0_value(name, &kind);
    int n = ASN1_STRING_length(value);

    if (kind == GEN_DNS)
        print_string(f, value);
    else if ((n == 4 || n == 16) && inet_ntop(n == 4 ? AF_INET : AF_INET6,
                                              ASN1_STRING_get0_data(value), text, sizeof text))
        (void)fputs(text, f);
    else
        (void)fputs("an unreadable address", f);
}

/* Returns how many there are. */
static int print_alternative_names(FILE *f, const X509 *certificate)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int n = 0, left = 0;

    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);

        if (name->type != GEN_DNS && name->type != GEN_IPADD)
            continue;
        if (n == NAMES_MAX) {
            left++;
            continue;
        }
        if (n > 0)
            (void)fputs(", ", f);
        print_alternative_name(f, name);
        n++;
    }
    if (left > 0)
        (void)fprintf(f, " and %d more", left);
    GENERAL_NAMES_free(all);
    return n;
}

static bool print_common_name(FILE *f, const X509 *certificate)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    if (i < 0)
        return false;
    print_string(f, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)));
    return true;
}

/* OpenSSL writes an IPv6 address without "::". */
static void print_ip(FILE *f, const char *text)
{
    char shorter[INET6_ADDRSTRLEN];
    struct in6_addr ip;

    if (inet_pton(AF_INET6, text, &ip) == 1 && inet_ntop(AF_INET6, &ip, shorter, sizeof shorter))
        text = shorter;
    (void)fputs(text, f);
}

static void explain_mismatch(FILE *f, const SSL *ssl, const X509 *certificate)
{
    X509_VERIFY_PARAM *expected = SSL_get0_param((SSL *)ssl);
    const char *host = X509_VERIFY_PARAM_get0_host(expected, 0);
    char *ip = host ? NULL : X509_VERIFY_PARAM_get1_ip_asc(expected);

    (void)fputs("the server's certificate is for ", f);
    if (print_alternative_names(f, certificate) == 0 && !print_common_name(f, certificate))
        (void)fputs("no host", f);
    (void)fputs(", not for ", f);
    if (host)
        print(f, host, strlen(host));
    else if (ip)
        print_ip(f, ip);
    OPENSSL_free(ip);
}

static void explain_unknown_issuer(FILE *f, const struct tls_client *client,
                                   const struct tls_trouble *trouble)
{
    const char *ca = tls_client_ca(client);

    if (trouble->error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT) {
        (void)fputs("the server's certificate is self-signed and", f);
    } else {
        (void)fputs("the server's certificate was issued by ", f);
        print_distinguished(f, X509_get_issuer_name(trouble->certificate));
        (void)fputs(", which is", f);
    }
    if (ca)
        (void)fprintf(f, " not in %s", ca);
    else
        (void)fputs(" not trusted; use --ca=FILE", f);
}

/* "the server's certificate", or a CA's in the chain that leads to it. */
static void print_whose(FILE *f, const struct tls_trouble *trouble)
{
    if (trouble->depth == 0) {
        (void)fputs("the server's certificate", f);
        return;
    }
    (void)fputs("the certificate of the server's CA ", f);
    print_distinguished(f, X509_get_subject_name(trouble->certificate));
}

static void explain_certificate(FILE *f, const SSL *ssl, const struct tls_client *client,
                                const struct tls_trouble *trouble)
{
    switch (trouble->error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        explain_mismatch(f, ssl, trouble->certificate);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        explain_unknown_issuer(f, client, trouble);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        print_whose(f, trouble);
        (void)fputs(" expired on ", f);
        print_time(f, X509_get0_notAfter(trouble->certificate));
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        print_whose(f, trouble);
        (void)fputs(" is not valid before ", f);
        print_time(f, X509_get0_notBefore(trouble->certificate));
        break;
    case X509_V_ERR_INVALID_PURPOSE:
        print_whose(f, trouble);
        (void)fputs(" is not meant for a server", f);
        break;
    default:
        print_whose(f, trouble);
        (void)fprintf(f, " is not accepted: %s", X509_verify_cert_error_string(trouble->error));
    }
}

/* The server says these of our certificate (RFC 8446, 6.2). OpenSSL's says decrypt_error if the
 * issuer's key does not fit. */
static bool is_about_certificate(int alert)
{
    switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_DECRYPT_ERROR:
        return true;
    default:
        return false;
    }
}

static void explain_alert(FILE *f, const SSL *ssl, const struct tls_trouble *trouble)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    int alert = trouble->alert;

    /* TLS 1.2 has no alert of its own for a missing certificate. */
    if (alert == SSL_AD_CERTIFICATE_REQUIRED ||
        (trouble->asked && (alert == SSL_AD_HANDSHAKE_FAILURE || is_about_certificate(alert)))) {
        (void)fputs("the server demands a client certificate; use --cert=FILE", f);
    } else if (is_about_certificate(alert) && SSL_get_certificate(ssl)) {
        (void)fprintf(f, "the server does not accept our certificate: %s",
                      SSL_alert_desc_string_long(alert));
    } else if (alert == SSL_AD_PROTOCOL_VERSION) {
        (void)fputs("the server accepts neither TLS 1.2 nor TLS 1.3", f);
    } else if (alert == SSL_AD_HANDSHAKE_FAILURE) {
        (void)fputs("the server accepts none of our ciphers, groups or signatures "
                    "(handshake failure)",
                    f);
    } else if (alert == SSL_AD_UNRECOGNIZED_NAME && name) {
        (void)fputs("the server does not know the name ", f);
        print(f, name, strlen(name));
    } else {
        (void)fprintf(f, "the server ended TLS with an alert: %s",
                      SSL_alert_desc_string_long(alert));
    }
}

static bool is(const char *reason, int code)
{
    const char *text = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, code));

    return text && strcmp(reason, text) == 0;
}

/* All streams of a thread share the BIO. So this is about the last operation, which was on this
 * stream. */
static bool has_ended(const SSL *ssl)
{
    return BIO_test_flags(SSL_get_rbio(ssl), BIO_FLAGS_IN_EOF);
}

static void explain_reason(FILE *f, const SSL *ssl, const char *reason)
{
    if (SSL_in_init(ssl) && has_ended(ssl))
        (void)fprintf(f, "the server closed the connection in the TLS handshake%s",
                      SSL_get_state(ssl) == TLS_ST_CW_CLNT_HELLO ? "; it may not speak TLS" : "");
    /* Bytes that cannot be the head of a record. */
    else if (is(reason, SSL_R_WRONG_VERSION_NUMBER) || is(reason, SSL_R_HTTP_REQUEST) ||
             is(reason, SSL_R_HTTPS_PROXY_REQUEST))
        (void)fputs("the server does not speak TLS", f);
    else if (is(reason, SSL_R_UNSUPPORTED_PROTOCOL) || is(reason, SSL_R_VERSION_TOO_LOW) ||
             is(reason, SSL_R_WRONG_SSL_VERSION))
        (void)fputs("the server accepts neither TLS 1.2 nor TLS 1.3", f);
    else
        (void)fprintf(f, "TLS failed: %s", reason);
}

char *tls_client_explain(const struct tls_client *client, const struct tls *t, const char *reason)
{
    const struct tls_trouble *trouble = tls_trouble_of(tls_ssl(t));
    char *line = NULL;
    size_t size;
    FILE *f = open_memstream(&line, &size);
    bool failed;

    if (!f)
        return NULL;
    if (trouble && trouble->certificate)
        explain_certificate(f, tls_ssl(t), client, trouble);
    else if (trouble && trouble->alert)
        explain_alert(f, tls_ssl(t), trouble);
    else
        explain_reason(f, tls_ssl(t), reason ?: "the stream is damaged");
    failed = ferror(f);
    ERR_clear_error();
    if (fclose(f) == 0 && !failed)
        return line;
    free(line);
    return NULL;
}

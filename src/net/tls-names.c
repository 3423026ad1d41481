/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/macros.h"
#include "net/tls-names.h"

struct names {
    char **all;
    size_t n;
};

static void free_names(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->all[i]);
    free(names->all);
}

/* Letters in hexadecimal, since a certificate can have any bytes. Case does not matter. */
static bool add(struct names *names, const char *kind, const ASN1_STRING *value)
{
    const unsigned char *bytes = ASN1_STRING_get0_data(value);
    size_t size = (size_t)ASN1_STRING_length(value), used = strlen(kind);
    char **all = reallocarray(names->all, names->n + 1, sizeof *all), *name;

    if (!all)
        return false;
    names->all = all;
    name = malloc(used + 2 * size + 1);
    if (!name)
        return false;
    memcpy(name, kind, used + 1);
    for (size_t i = 0; i < size; i++) {
        unsigned byte = bytes[i];

        if (byte >= 'A' && byte <= 'Z')
            byte += 'a' - 'A';
        (void)snprintf(name + used + 2 * i, 3, "%02x", byte);
    }
    all[names->n++] = name;
    return true;
}

/* Returns false without memory. */
static bool add_alternatives(struct names *names, const GENERAL_NAMES *alternatives, bool *ret_any)
{
    bool fine = true;

    for (int i = 0; fine && i < sk_GENERAL_NAME_num(alternatives); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(alternatives, i);

        if (one->type == GEN_DNS)
            fine = *ret_any = add(names, "dns ", one->d.dNSName);
        else if (one->type == GEN_IPADD)
            fine = add(names, "ip ", one->d.iPAddress);
    }
    return fine;
}

/* These count only in a certificate without alternative names for hosts, see X509_check_host(3). */
static bool add_common_names(struct names *names, const X509_NAME *subject)
{
    bool fine = true;

    for (int at = -1;
         fine && (at = X509_NAME_get_index_by_NID((X509_NAME *)subject, NID_commonName, at)) >= 0;)
        fine = add(names, "cn ", X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    return fine;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, and each once. */
static char *join(const struct names *names)
{
    size_t size = 1, used = 0;
    char *text;

    if (names->n > 0)
        qsort(names->all, names->n, sizeof *names->all, compare);
    for (size_t i = 0; i < names->n; i++)
        size += strlen(names->all[i]) + 1;
    text = malloc(size);
    if (!text)
        return NULL;
    text[0] = '\0';
    for (size_t i = 0; i < names->n; i++)
        if (i == 0 || strcmp(names->all[i - 1], names->all[i]) != 0)
            used += (size_t)snprintf(text + used, size - used, "%s\n", names->all[i]);
    return text;
}

char *tls_names_of(X509 *certificate)
{
    _cleanup_(free_names) struct names names = { 0 };
    GENERAL_NAMES *alternatives = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool any = false, fine = add_alternatives(&names, alternatives, &any);

    GENERAL_NAMES_free(alternatives);
    ERR_clear_error();
    if (fine && !any)
        fine = add_common_names(&names, X509_get_subject_name(certificate));
    return fine ? join(&names) : NULL;
}

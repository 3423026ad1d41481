/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "answerd/config-blame.h"

/*
 * The [TLS NAME] sections: pairs of certificate and key, and what their servers are made of.
 */

#define CONFIG_KEY_CERTIFICATE "Certificate"
#define CONFIG_KEY_KEY         "Key"

/* Certificate=, or Key= for the last certificate. Takes over the text of *noted on success. 0;
 * -EINVAL and *ret_expected, a static text about what is right; or -ENOMEM. */
int config_tls_add(struct config_tls *t, const char *key, struct config_value *noted,
                   const char **ret_expected);

/* When all is read: reads the files of all sections, and gives their listeners the servers. 0;
 * -EINVAL after one or more errors; or -ENOMEM. */
int config_tls_apply(struct config *c, const struct config_blame *b);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <openssl/ssl.h>

/* The clients' side. It trusts anybody. */
SSL_CTX *keys_client(void);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ask/render-json.h"

#ifdef HAVE_JANSSON

#include <jansson.h>
#include <stdlib.h>

#include "base/macros.h"

static void cleanup_json(json_t **j)
{
    json_decref(*j);
}

/* Returns a string to be freed, or NULL. */
static char *base64(const uint8_t *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc(n / 3 * 4 + 5), *p = text;

    if (!text)
        return NULL;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;

        if (i + 1 < n)
            group |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < n)
            group |= bytes[i + 2];
        *p++ = digits[group >> 18];
        *p++ = digits[group >> 12 & 0x3f];
        *p++ = i + 1 < n ? digits[group >> 6 & 0x3f] : '=';
        *p++ = i + 2 < n ? digits[group & 0x3f] : '=';
    }
    *p = '\0';
    return text;
}

/* A JSON string is UTF-8, and jansson checks it. Other bytes go into the second key, in base64. */
static int set_bytes(json_t *object, const char *key, const char *key_base64, const void *bytes,
                     size_t n)
{
    _cleanup_free_ char *encoded = NULL;
    json_t *text = json_stringn(n > 0 ? bytes : "", n);

    if (text)
        return json_object_set_new(object, key, text);
    encoded = base64(bytes, n);
    if (!encoded)
        return -1;
    return json_object_set_new(object, key_base64, json_string(encoded));
}

static int append_text(const char *text, size_t n, void *out)
{
    return buffer_append(out, text, n);
}

int render_json(const struct answer *a, bool ascii, struct buffer **out)
{
    _cleanup_(cleanup_json) json_t *object = json_object();
    int r = 0;

    if (!object)
        return -ENOMEM;
    r |= json_object_set_new(object, "number", json_integer((json_int_t)a->number));
    if (a->message)
        r |= set_bytes(object, "message", "message_base64", a->message, a->message_size);
    r |= set_bytes(object, "reply", "reply_base64", a->reply, a->size);
    r |= json_object_set_new(object, "bytes", json_integer((json_int_t)a->size));
    if (a->message)
        r |= json_object_set_new(object, "rtt_us", json_integer((json_int_t)a->rtt_us));
    if (a->refusal)
        r |= json_object_set_new(object, "refusal", json_true());
    if (a->cut_off)
        r |= json_object_set_new(object, "cut_off", json_true());
    if (r != 0)
        return -ENOMEM;
    if (json_dump_callback(object, append_text, out,
                           JSON_COMPACT | (ascii ? JSON_ENSURE_ASCII : 0)) < 0)
        return -ENOMEM;
    return buffer_append(out, "\n", 1);
}

bool render_has_json(void)
{
    return true;
}

#else

int render_json(const struct answer *a, bool ascii, struct buffer **out)
{
    (void)a;
    (void)ascii;
    (void)out;
    return -EOPNOTSUPP;
}

bool render_has_json(void)
{
    return false;
}

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Input: a peer and a listener, each up to a NUL, then a message. An independent decoder must find
 * exactly these fields in the journal entry, whatever their bytes are.
 */

#include "base/escape.h"
#include "record/entry.h"
#include "target.h"
#include "unit/decoder.h"

/* Valid UTF-8 without control characters, from the first byte to the last. */
static bool is_safe(const uint8_t *text, size_t n)
{
    for (size_t i = 0, size; i < n; i += size) {
        size = utf8_sequence(text + i, n - i);
        if (size == 0 || text[i] < 0x20 || text[i] == 0x7f ||
            (text[i] == 0xc2 && text[i + 1] < 0xa0))
            return false;
    }
    return true;
}

static void check_message(const struct decoded *d, const struct record *record)
{
    const struct decoded_field *message = decoded_find(d, "MESSAGE");
    size_t peer = strlen(record->peer_name);

    CHECK(message && message->size >= peer + 2 && message->size <= peer + 2 + ENTRY_TEXT_MAX);
    CHECK(memcmp(message->data, record->peer_name, peer) == 0);
    CHECK(memcmp(message->data + peer, ": ", 2) == 0);
    CHECK(is_safe(message->data + peer + 2, message->size - peer - 2));
}

static void check(const struct record *record)
{
    _cleanup_(buffer_free) struct buffer *out = NULL;
    struct decoded d;

    CHECK(entry_record(&out, record) == 0);
    CHECK(decode(buffer_head(out), buffer_size(out), &d));
    CHECK(d.n_fields == 11);
    CHECK(decoded_is_text(&d, "SYSLOG_IDENTIFIER", "answerd"));
    CHECK(decoded_is_text(&d, "PRIORITY", "6"));
    CHECK(decoded_is_text(&d, "ANSWERD_ID", record->id));
    CHECK(decoded_is_text(&d, "ANSWERD_PEER", record->peer));
    CHECK(decoded_is_text(&d, "ANSWERD_PEER_PORT", record->peer_port));
    CHECK(decoded_is_text(&d, "ANSWERD_LISTENER", record->listener));
    CHECK(decoded_is_text(&d, "ANSWERD_CONNECTION", "18446744073709551615"));
    CHECK(decoded_is_text(&d, "ANSWERD_SEQ", "1"));
    CHECK(decoded_is(&d, "ANSWERD_DATA", record->data, record->size));
    CHECK(decoded_find(&d, "MESSAGE_ID") && decoded_find(&d, "MESSAGE_ID")->size == 32);
    check_message(&d, record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *peer = fuzz_string(data, size), *listener = NULL;
    size_t used = MIN(strlen(peer) + 1, size);

    listener = fuzz_string(data + used, size - used);
    used = MIN(used + strlen(listener) + 1, size);
    check(&(struct record){
        .data = data + used,
        .size = size - used,
        .id = "0123456789abcdef-18446744073709551615-1",
        .peer = peer,
        .peer_port = "65535",
        .peer_name = peer,
        .listener = listener,
        .connection = UINT64_MAX,
        .seq = 1,
    });
    return 0;
}

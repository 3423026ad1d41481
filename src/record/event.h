/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The kinds of events that go to the journal. Each MESSAGE_ID belongs to one kind permanently;
 * systemd/answerd.catalog has a text for each. X(name, id, level): level is a syslog(3) priority.
 */
#define EVENTS(X)                                                                                  \
    X(MESSAGE, "bb76528fac9d4b059a11d46c1196ef46", 6)                                              \
    X(STARTED, "862e1c8ecb7245d08c55499474390968", 6)                                              \
    X(READY, "36ec94df86864b66a5d5b0abb36f0b5c", 6)                                                \
    X(RELOADED, "7ad49df4067049919ac1f544ce158109", 5)                                             \
    X(RELOAD_REFUSED, "b2b6f48c4747492e90ac6eefb58a8e72", 3)                                       \
    X(STOPPING, "193bb95a72d3460e81fcfc0002333989", 6)                                             \
    X(STOPPED, "d166fb5ce71b4fc0a163371c5e0ad8ec", 6)                                              \
    X(COUNTERS, "f2b0ee5bd28648ac988964f1ed1fc08b", 6)                                             \
    X(CONNECTION_LIMIT, "6110a2dcdd25474ca31e71e5ccc4b53b", 4)                                     \
    X(ADDRESS_LIMIT, "bb8d5ff7060d4a4b9a444d0d73a7a8f5", 4)                                        \
    X(NOT_ALLOWED, "6f33c9de105f46c9b4f9ca994105ab2b", 5)                                          \
    X(MEMORY_LIMIT, "c450a16d3870422b90f3bf3069e266c6", 4)                                         \
    X(ACCEPT_FAILED, "6f2907644fca41a0bfe1083143db25d9", 4)                                        \
    X(TIMEOUT, "17d4198266204ddb91e5034f5dd4e8ce", 5)                                              \
    X(PROTOCOL_ERROR, "d7a6e57411a94cc1b1009435fa844811", 5)                                       \
    X(DISCARDED, "09f6c6b34e9d4319a0c617b73df63c71", 5)                                            \
    X(SINK_BLOCKED, "558d2589954a4691981095cdfee9cf58", 4)                                         \
    X(SINK_AWAY, "de2f1dedc72440e6a7f0b4796fc4efee", 3)                                            \
    X(SINK_BACK, "a9f387909544466c8a9c892d12a14a36", 5)                                            \
    X(RECORD_REFUSED, "09eec57aaa5dcdc97a9b7b1a6195861a", 3)                                       \
    X(HEADER_REFUSED, "47c7aaefbd12139b6263352eec9f36e1", 4)                                       \
    X(PROXY_REFUSED, "49aab679f08240ea97439a39ab54e268", 4)                                        \
    X(TLS_REFUSED, "dbf01f0d33e1449ea508306f08418960", 5)                                          \
    X(TLS_EXPIRES, "7d9abb424de34f548fcf177b38112ff9", 4)                                          \
    X(HTTP_REFUSED, "3b5cecc66db08aafaad89ef865abbcd4", 5)                                         \
    X(LOG_FAILED, "cdaa85a9b5802c5a38f4ca0731aae23b", 2)                                           \
    X(LOG_NO_ROOM, "ef3689ee77d145b065fd33a9020ce214", 3)                                          \
    X(LOG_RECOVERED, "d54512b9ded45ab2aa416c916379d5cd", 5)                                        \
    X(LOG_DAMAGED, "56bdabc0298d7478f2502a386755f1f9", 2)                                          \
    X(MIRROR_MISSED, "43bc5d774e474d67911c08f4b934e4b1", 3)                                        \
    X(NOTICE, "feaaff9632dd4a9da6f4d5361ce7e935", 4)

enum event {
#define X(name, id, level) EVENT_##name,
    EVENTS(X)
#undef X
        EVENT_COUNT
};

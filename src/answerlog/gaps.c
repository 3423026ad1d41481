/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "answerlog/gaps.h"

#define TEXT_MAX 96

static void name_segments(const struct gap *gap, char text[static TEXT_MAX])
{
    char name[SEGMENT_NAME_MAX];

    if (gap->last_serial > gap->serial) {
        (void)snprintf(text, TEXT_MAX, "segments %" PRIu64 " to %" PRIu64, gap->serial,
                       gap->last_serial);
    } else if (gap->error == -EIO) {
        segment_name(gap->serial, name);
        (void)snprintf(text, TEXT_MAX, "segment %" PRIu64 " (%s)", gap->serial, name);
    } else {
        (void)snprintf(text, TEXT_MAX, "segment %" PRIu64, gap->serial);
    }
}

static void name_records(const struct gap *gap, char text[static TEXT_MAX])
{
    if (gap->from == 0 && gap->to == 0)
        (void)snprintf(text, TEXT_MAX, "an unknown number of records is missing");
    else if (gap->from == 0)
        (void)snprintf(text, TEXT_MAX, "records before number %" PRIu64 " are missing",
                       gap->to + 1);
    else if (gap->to == 0)
        (void)snprintf(text, TEXT_MAX, "records from number %" PRIu64 " on are missing", gap->from);
    else if (gap->from == gap->to)
        (void)snprintf(text, TEXT_MAX, "record %" PRIu64 " is missing", gap->from);
    else
        (void)snprintf(text, TEXT_MAX, "records %" PRIu64 " to %" PRIu64 " are missing", gap->from,
                       gap->to);
}

static const char *reason(const struct gap *gap)
{
    bool plural = gap->last_serial > gap->serial;

    switch (gap->kind) {
    case GAP_UNREADABLE:
        if (gap->error == -EIO)
            return "cannot be read: Input/output error";
        return "cannot be read: damaged, or from a newer version";
    case GAP_MISSING:
        return plural ? "were not found" : "was not found";
    case GAP_REMOVED:
        return plural ? "were removed by retention before they were read"
                      : "was removed by retention before it was read";
    case GAP_DAMAGED:
        break;
    }
    return plural ? "are damaged" : "is damaged";
}

static void report(void *userdata, const struct gap *gap)
{
    char segments[TEXT_MAX], records[TEXT_MAX];
    struct gaps *gaps = userdata;

    name_segments(gap, segments);
    name_records(gap, records);
    /* In the order in which it was found. */
    (void)fflush(stdout);
    (void)fprintf(stderr, "answerlog: %s %s; %s\n", segments, reason(gap), records);
    if (gap->kind == GAP_REMOVED)
        return;
    gaps->n++;
    if (gap->from > 0 && gap->to > 0)
        gaps->n_missing += gap->to - gap->from + 1;
}

void gaps_attach(struct gaps *gaps, struct reader *r)
{
    r->on_gap = report;
    r->userdata = gaps;
}

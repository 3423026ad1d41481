/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../clock.h"
#include "../disk-file.h"
#include "../own.h"
#include "../trace.h"
#include "base/macros.h"
#include "book.h"
#include "ledger.h"
#include "logged.h"
#include "process.h"

enum fate {
    FATE_NONE,
    FATE_WRITTEN, /* a crash of the machine may take it */
    FATE_SAFE,
    FATE_DOUBTFUL, /* a sync failed: it may be there or not */
    FATE_REMOVED,  /* with its segment */
};

struct line {
    enum fate fate;
    uint64_t segment, offset; /* the file's ID, and where the record is in it */
    uint32_t checksum;
    struct conn *conn; /* whose process may answer it */
};

static struct {
    struct line *lines; /* by number */
    uint64_t next, capacity;
    bool always, runs, crashed;
    uint64_t failed_at;

    /* The segment that is written to. */
    uint64_t segment, offset, salt;
} ledger;

void ledger_begin(void)
{
    memset(&ledger, 0, sizeof ledger);
    ledger.next = 1;
}

void ledger_end(void)
{
    sim_own_free(ledger.lines);
    ledger.lines = NULL;
}

uint64_t ledger_failed_at(void)
{
    return ledger.failed_at;
}

void ledger_process_began(bool always)
{
    ledger.always = always;
    ledger.runs = false;
    ledger.segment = ledger.failed_at = 0;
}

void ledger_process_ended(bool orderly)
{
    ledger.runs = false;
    ledger.failed_at = 0;
    for (uint64_t n = 1; n < ledger.next && orderly; n++)
        if (ledger.lines[n].fate == FATE_WRITTEN)
            sim_violate("record %" PRIu64 " is not synced, and the process ends", n);
}

void ledger_crashed(void)
{
    ledger.crashed = true;
}

/* The serial of a segment's name; 0: it is none. */
static uint64_t serial_of(const char *name)
{
    char *end;
    uint64_t serial = strtoull(name, &end, 10);

    return strcmp(end, ".log") == 0 ? serial : 0;
}

/* The serial of a segment; 0: it is another file. */
static uint64_t serial_of_file(const struct sim_inode *inode)
{
    struct sim_inode *parent;
    const char *name;
    const struct sim_inode *folder = sim_inode_by_path(LOG_FOLDER, &parent, &name);

    for (size_t i = 0; folder && i < folder->names.n; i++)
        if (folder->names.all[i].inode == inode)
            return serial_of(folder->names.all[i].text);
    return 0;
}

/* --- writing -------------------------------------------------------------------------------- */

static struct line *add_line(const struct logged *l)
{
    struct line *line;

    if (ledger.next >= ledger.capacity) {
        ledger.capacity = 2 * ledger.next + 256;
        ledger.lines = sim_own_resize(ledger.lines, ledger.capacity * sizeof *ledger.lines);
    }
    line = &ledger.lines[ledger.next++];
    *line = (struct line){
        .fate = FATE_WRITTEN,
        .segment = ledger.segment,
        .offset = ledger.offset,
        .checksum = l->checksum,
    };
    return line;
}

/* A process may answer it now. */
static void promise(struct line *line, const struct logged *l)
{
    line->conn = record_logged(&(struct record_in_log){
        .peer = l->peer,
        .port = l->port,
        .listener = l->listener,
        .connection = l->connection,
        .seq = l->seq,
        .data = l->data,
        .size = l->data_size,
        .unfinished = l->unfinished,
    });
}

static void drop_last_line(void)
{
    struct line *line = &ledger.lines[--ledger.next];

    if (line->conn)
        record_revoke(line->conn);
}

/* A write that failed midway is done again, from its beginning: what it had written is gone. Or only
 * its rest comes, and changes nothing. */
static void look_again(const struct sim_inode *inode)
{
    struct logged l;

    while (ledger.next > 1) {
        const struct line *line = &ledger.lines[ledger.next - 1];

        if (line->segment != inode->id ||
            (logged_get(inode->bytes, inode->size, line->offset, ledger.salt, &l) &&
             l.checksum == line->checksum))
            return;
        ledger.offset = line->offset;
        drop_last_line();
    }
}

static void begin_segment(const struct sim_inode *inode, uint64_t serial)
{
    struct logged_head head;

    ledger.segment = inode->id;
    ledger.offset = LOGGED_HEAD;
    if (!logged_head_get(inode->bytes, inode->size, &head) || head.serial != serial ||
        head.run != process.life || head.first > ledger.next) {
        sim_violate("segment %" PRIu64 " has no head, or another one", serial);
        return;
    }
    ledger.salt = head.salt;
    /* A write that failed midway is done again in this segment. */
    while (ledger.next > head.first)
        drop_last_line();
}

void ledger_written(struct sim_file *file, uint64_t offset, size_t n)
{
    const struct sim_inode *inode = sim_disk_file_of(file)->inode;
    uint64_t serial = ledger.runs && n > 0 ? serial_of_file(inode) : 0;
    struct line *line;
    struct logged l;

    if (serial == 0)
        return;
    if (ledger.segment != inode->id)
        begin_segment(inode, serial);
    if (offset < ledger.offset)
        look_again(inode);
    while (!sim_violation() &&
           logged_get(inode->bytes, inode->size, ledger.offset, ledger.salt, &l)) {
        if (l.number != ledger.next)
            sim_violate("record %" PRIu64 " comes where %" PRIu64 " should be", l.number,
                        ledger.next);
        line = add_line(&l);
        if (!ledger.always)
            promise(line, &l);
        ledger.offset += l.size;
    }
}

/* The records of the segment that are written, but not synced yet. */
static uint64_t first_unsynced(const struct sim_inode *inode)
{
    uint64_t n = ledger.next;

    while (n > 1 && ledger.lines[n - 1].segment == inode->id &&
           ledger.lines[n - 1].fate == FATE_WRITTEN)
        n--;
    return n;
}

void ledger_synced(struct sim_file *file, int error)
{
    const struct sim_inode *inode = sim_disk_file_of(file)->inode;
    struct logged l;

    if (!ledger.runs || inode->id != ledger.segment)
        return;
    for (uint64_t n = first_unsynced(inode); n < ledger.next; n++) {
        struct line *line = &ledger.lines[n];

        line->fate = error < 0 ? FATE_DOUBTFUL : FATE_SAFE;
        if (error < 0)
            ledger.failed_at = sim_now();
        else if (ledger.always &&
                 logged_get(inode->bytes, inode->size, line->offset, ledger.salt, &l))
            promise(line, &l);
    }
}

void ledger_unlinking(const char *name, const struct sim_inode *inode)
{
    struct logged_head head;
    struct logged l;

    if (serial_of(name) == 0 || !logged_head_get(inode->bytes, inode->size, &head))
        return;
    if (ledger.runs && first_unsynced(inode) < ledger.next)
        sim_violate("a segment is removed while records of it are not synced");
    for (uint64_t at = LOGGED_HEAD; logged_get(inode->bytes, inode->size, at, head.salt, &l);
         at += l.size)
        if (l.number < ledger.next)
            ledger.lines[l.number].fate = FATE_REMOVED;
}

/* --- after a start -------------------------------------------------------------------------- */

static void look_for_missing(uint64_t from, uint64_t to, bool at_end)
{
    for (uint64_t n = from; n < to; n++) {
        enum fate fate = ledger.lines[n].fate;

        if (fate == FATE_SAFE)
            sim_violate("record %" PRIu64 " was safe, and it is lost", n);
        if (fate == FATE_WRITTEN && !(at_end && ledger.crashed))
            sim_violate("record %" PRIu64 " was written, and it is lost", n);
    }
}

static void look_at_segment(const struct sim_inode *inode, uint64_t serial, uint64_t *before)
{
    struct logged_head head;
    struct logged l;

    if (!logged_head_get(inode->bytes, inode->size, &head) || head.serial != serial) {
        sim_violate("segment %" PRIu64 " has no head", serial);
        return;
    }
    for (uint64_t at = LOGGED_HEAD; logged_get(inode->bytes, inode->size, at, head.salt, &l);
         at += l.size) {
        struct line *line = l.number < ledger.next ? &ledger.lines[l.number] : NULL;

        if (l.number <= *before)
            sim_violate("record %" PRIu64 " comes behind record %" PRIu64, l.number, *before);
        else if (!line || line->checksum != l.checksum)
            sim_violate("record %" PRIu64 " was never written", l.number);
        if (sim_violation())
            return;
        look_for_missing(*before + 1, l.number, false);
        *before = l.number;
        if (line->fate == FATE_WRITTEN)
            line->fate = FATE_SAFE;
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct sim_name *)a)->text, ((const struct sim_name *)b)->text);
}

void ledger_recovered(uint64_t next_number)
{
    struct sim_inode *parent;
    const char *name;
    const struct sim_inode *folder = sim_inode_by_path(LOG_FOLDER, &parent, &name);
    struct sim_name *names = sim_own_alloc(folder->names.n * sizeof *names);
    uint64_t last = 0;

    memcpy(names, folder->names.all, folder->names.n * sizeof *names);
    qsort(names, folder->names.n, sizeof *names, by_name);
    for (size_t i = 0; i < folder->names.n && !sim_violation(); i++)
        if (serial_of(names[i].text) > 0)
            look_at_segment(names[i].inode, serial_of(names[i].text), &last);
    sim_own_free(names);
    look_for_missing(last + 1, ledger.next, true);
    for (uint64_t n = last + 1; n < ledger.next; n++)
        if (ledger.lines[n].fate == FATE_REMOVED)
            last = n;
    for (; last + 1 < MIN(next_number, ledger.next); last++)
        if (ledger.lines[last + 1].fate != FATE_DOUBTFUL)
            break;
    if (next_number != last + 1)
        sim_violate("the next record would be %" PRIu64 ", behind %" PRIu64, next_number, last);
    ledger.next = MIN(ledger.next, next_number);
    ledger.crashed = false;
    ledger.runs = true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* journald as its senders see it: fast, slow, stuck, or away for a while. Also the reader of the
 * terminal. */

#include "../clock.h"
#include "../datagram.h"
#include "../names.h"
#include "../seed.h"
#include "../task.h"
#include "../terminal.h"
#include "../trace.h"
#include "base/macros.h"
#include "book.h"
#include "others.h"
#include "process.h"

static struct {
    struct sim_task task;
    struct sim_watch watch;
    struct sim_alarm alarm, trouble;
    struct sim_file *file; /* NULL: away */
    uint32_t entry_us, trouble_us;
    bool still, fair;
    unsigned troubles;
} journal;

static struct {
    struct sim_task task;
    struct sim_alarm alarm;
    uint32_t pause_us, portion;
    bool fair;
} reader;

static bool on_wake(struct sim_watch *watch, uint32_t key)
{
    (void)watch;
    (void)key;
    if (!sim_alarm_pending(&journal.alarm))
        sim_task_queue(&journal.task);
    return true;
}

static void on_alarm(struct sim_alarm *alarm)
{
    (void)alarm;
    sim_task_queue(&journal.task);
}

static void journal_run(struct sim_task *task)
{
    struct sim_message m;

    if (!journal.file || journal.still || !sim_datagram_receive(sim_datagram_of(journal.file), &m))
        return;
    sim_message_free(&m);
    if (journal.entry_us > 0)
        sim_alarm_set(&journal.alarm, sim_now() + journal.entry_us * SIM_US, on_alarm);
    else
        sim_task_queue(task);
}

static void come(void)
{
    struct sockaddr_storage address;
    socklen_t size = sim_address(JOURNAL_PATH, &address);

    (void)sim_name_unlink(JOURNAL_PATH);
    journal.file = sim_datagram_new();
    (void)sim_datagram_bind(sim_datagram_of(journal.file), (struct sockaddr *)&address, size);
    sim_watch_add(&journal.watch, journal.file, false);
    sim_say("JOURNAL comes");
}

static void go(void)
{
    sim_say("JOURNAL goes");
    sim_watch_remove(&journal.watch);
    sim_file_unref(journal.file);
    journal.file = NULL;
    if (sim_below(2) > 0)
        (void)sim_name_unlink(JOURNAL_PATH);
}

static void on_trouble(struct sim_alarm *alarm)
{
    if (journal.fair)
        return;
    if (!journal.file)
        come();
    else if (journal.still || sim_below(3) > 0)
        journal.still = !journal.still;
    else
        go();
    sim_say("JOURNAL %s", journal.still ? "stands still" : "reads");
    sim_task_queue(&journal.task);
    sim_alarm_set(alarm, sim_now() + sim_scale(1, journal.trouble_us) * SIM_US, on_trouble);
}

void journal_begin(void)
{
    journal.fair = journal.still = false;
    journal.task.run = journal_run;
    journal.watch.wake = on_wake;
    journal.entry_us = sim_below(2) ? sim_scale(1, 1 << 16) : sim_below(20);
    journal.trouble_us = sim_scale(100, 1 << 24);
    if (sim_below(8) < 7)
        come();
    else
        journal.file = NULL;
    if (sim_below(3) > 0)
        sim_alarm_set(&journal.trouble, sim_now() + sim_scale(1, 1 << 22) * SIM_US, on_trouble);
}

void journal_turn_fair(void)
{
    sim_alarm_cancel(&journal.trouble);
    journal.fair = true;
    journal.still = false;
    journal.entry_us = 15;
    if (!journal.file)
        come();
    sim_task_queue(&journal.task);
}

void journal_end(void)
{
    sim_alarm_cancel(&journal.alarm);
    sim_alarm_cancel(&journal.trouble);
    sim_task_unqueue(&journal.task);
    if (!journal.file)
        return;
    sim_watch_remove(&journal.watch);
    sim_file_unref(journal.file);
    journal.file = NULL;
}

/* --- the terminal --- */

static void on_reader_alarm(struct sim_alarm *alarm)
{
    (void)alarm;
    sim_task_queue(&reader.task);
}

static void reader_run(struct sim_task *task)
{
    static char bytes[65536];

    (void)task;
    (void)sim_terminal_read(bytes, reader.portion);
    sim_alarm_set(&reader.alarm, sim_now() + reader.pause_us * SIM_US, on_reader_alarm);
}

void terminal_begin(void)
{
    reader.task.run = reader_run;
    reader.portion = sim_scale(1000, 65536);
    reader.pause_us = sim_below(2) ? sim_scale(1000, 1 << 23) : 10000;
    sim_terminal_set_capacity(sim_scale(4096, 65536));
    sim_task_queue(&reader.task);
}

void terminal_turn_fair(void)
{
    reader.portion = 65536;
    reader.pause_us = 10000;
    sim_task_queue(&reader.task);
}

void terminal_end(void)
{
    sim_alarm_cancel(&reader.alarm);
    sim_task_unqueue(&reader.task);
}

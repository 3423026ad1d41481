/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include "file.h"

static size_t n_open;

void sim_file_init(struct sim_file *file, const struct sim_file_kind *kind)
{
    *file = (struct sim_file){ .kind = kind, .refs = 1 };
    file->watches_tail = &file->watches;
    n_open++;
}

struct sim_file *sim_file_ref(struct sim_file *file)
{
    file->refs++;
    return file;
}

void sim_file_unref(struct sim_file *file)
{
    if (--file->refs > 0)
        return;
    while (file->watches) {
        struct sim_watch *watch = file->watches;

        sim_watch_remove(watch);
        if (watch->gone)
            watch->gone(watch);
    }
    n_open--;
    file->kind->release(file);
}

void sim_file_set_nonblocking(struct sim_file *file, bool nonblocking)
{
    file->nonblocking = nonblocking;
}

void sim_watch_add(struct sim_watch *watch, struct sim_file *file, bool exclusive)
{
    struct sim_watch **at = exclusive ? file->watches_tail : &file->watches;

    watch->file = file;
    watch->exclusive = exclusive;
    watch->next = *at;
    watch->pprev = at;
    if (watch->next)
        watch->next->pprev = &watch->next;
    else
        file->watches_tail = &watch->next;
    *at = watch;
}

void sim_watch_remove(struct sim_watch *watch)
{
    if (watch->next)
        watch->next->pprev = watch->pprev;
    else
        watch->file->watches_tail = watch->pprev;
    *watch->pprev = watch->next;
    watch->pprev = NULL;
}

/* __wake_up_common() with one exclusive waiter, or without that limit if the key is 0. */
void sim_file_wake(struct sim_file *file, uint32_t key)
{
    for (struct sim_watch *watch = file->watches, *next; watch; watch = next) {
        next = watch->next;
        if (watch->wake(watch, key) && watch->exclusive && key != 0)
            break;
    }
}

size_t sim_files_open(void)
{
    return n_open;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "blank.h"
#include "names.h"
#include "own.h"

struct blank {
    struct sim_file file;
    int family;
};

static uint32_t blank_poll(struct sim_file *file)
{
    (void)file;
    return EPOLLOUT | EPOLLWRNORM | EPOLLHUP;
}

static void blank_release(struct sim_file *file)
{
    sim_name_release(file);
    sim_own_free(file);
}

static const struct sim_file_kind blank_kind = {
    .name = "socket",
    .is_socket = true,
    .poll = blank_poll,
    .release = blank_release,
};

struct sim_file *sim_blank_new(int family)
{
    struct blank *b = sim_own_alloc(sizeof *b);

    sim_file_init(&b->file, &blank_kind);
    b->family = family;
    return &b->file;
}

bool sim_blank_is(const struct sim_file *file)
{
    return file->kind == &blank_kind;
}

int sim_blank_family(const struct sim_file *file)
{
    return ((const struct blank *)file)->family;
}

int sim_blank_bind(struct sim_file *file, const struct sockaddr *address, socklen_t size)
{
    struct sockaddr_storage before;

    if (address->sa_family != sim_blank_family(file) || sim_name_of(file, &before) > 0)
        return -EINVAL;
    return sim_name_bind(address, size, file);
}

socklen_t sim_blank_address(const struct sim_file *file, struct sockaddr_storage *ret)
{
    return sim_name_of(file, ret);
}

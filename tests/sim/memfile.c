/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "memfile.h"
#include "own.h"
#include "seed.h"

struct memfile {
    struct sim_file file;
    uint8_t *bytes;
    size_t size;
    unsigned seals;
};

static bool forbidden;

/* As if a seccomp filter forbade it. */
void sim_memfile_begin(bool plain)
{
    forbidden = !plain && sim_below(8) == 7;
}

bool sim_memfile_forbidden(void)
{
    return forbidden;
}

static void memfile_release(struct sim_file *file)
{
    sim_own_free(((struct memfile *)file)->bytes);
    sim_own_free(file);
}

static ssize_t memfile_write(struct sim_file *file, const void *bytes, size_t n)
{
    struct memfile *m = (struct memfile *)file;

    if (m->seals & (F_SEAL_WRITE | F_SEAL_GROW))
        return -EPERM;
    m->bytes = sim_own_resize(m->bytes, m->size + n + 1);
    memcpy(m->bytes + m->size, bytes, n);
    m->size += n;
    return (ssize_t)n;
}

static const struct sim_file_kind memfile_kind = {
    .name = "memfile",
    .release = memfile_release,
    .write = memfile_write,
};

struct sim_file *sim_memfile_new(void)
{
    struct memfile *m = sim_own_alloc(sizeof *m);

    sim_file_init(&m->file, &memfile_kind);
    return &m->file;
}

bool sim_memfile_is(const struct sim_file *file)
{
    return file->kind == &memfile_kind;
}

int sim_memfile_seal(struct sim_file *file, unsigned seals)
{
    struct memfile *m = (struct memfile *)file;

    if (m->seals & F_SEAL_SEAL)
        return -EPERM;
    m->seals |= seals;
    return 0;
}

unsigned sim_memfile_seals(const struct sim_file *file)
{
    return ((const struct memfile *)file)->seals;
}

const uint8_t *sim_memfile_bytes(const struct sim_file *file, size_t *ret_size)
{
    const struct memfile *m = (const struct memfile *)file;

    *ret_size = m->size;
    return m->bytes;
}

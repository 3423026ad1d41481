/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Input: a configuration file. Either it is accepted as a whole, with every value in its range, or
 * it is refused as a whole, with one or more lines that name file and line.
 */

#include <sys/mman.h>

#include "answerd/config-file.h"
#include "net/address.h"
#include "target.h"

struct reports {
    const char *file;
    size_t n;
};

static void count(void *userdata, const char *line)
{
    struct reports *reports = userdata;

    CHECK(strncmp(line, reports->file, strlen(reports->file)) == 0);
    CHECK(line[strlen(reports->file)] == ':');
    CHECK(!strchr(line, '\n'));
    reports->n++;
}

static void check_listener(const struct config *c, const struct config_listener *l)
{
    const struct settings *s = l->settings;
    struct address address;
    const char *error;

    CHECK(s && s->name && s->reply && s->rules.reply == s->reply);
    CHECK(framing_name(s->rules.framing) && s->record <= RECORD_NONE);
    CHECK(s->output_limit > 0);
    CHECK(config_find(c, s->name) == l);
    for (size_t i = 0; i < l->n_listen; i++)
        CHECK(address_parse(l->listen[i].text, &address, &error) == 0);
}

/* The file, held in memory. */
static int write_file(const uint8_t *data, size_t size)
{
    int fd = memfd_create("answerd.conf", MFD_CLOEXEC);

    CHECK(fd >= 0);
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, data + done, size - done);

        CHECK(n > 0);
        done += (size_t)n;
    }
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_close_ int fd = write_file(data, size);
    const struct config_overrides overrides = { 0 };
    struct config *config = NULL;
    struct reports reports;
    char path[64];
    int r;

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    reports = (struct reports){ .file = path };
    r = config_load(path, &overrides, &(struct config_defaults){ .record = RECORD_STDERR }, &config,
                    count, &reports);
    if (r < 0) {
        CHECK(r == -EINVAL && reports.n > 0 && !config);
        return 0;
    }
    CHECK(size == 0 || !memchr(data, '\0', size));
    CHECK(reports.n == 0 && config && config->n_listeners > 0);
    CHECK(config_find(config, "default") == config->listeners);
    for (size_t i = 0; i < config->n_listeners; i++)
        check_listener(config, &config->listeners[i]);
    config_free(config);
    return 0;
}

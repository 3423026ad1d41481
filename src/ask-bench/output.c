/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ask-bench/output.h"

static int complain(const char *name, int error)
{
    (void)fprintf(stderr, "ask-bench: %s: %s\n", name, strerror(-error));
    return error;
}

/* Keep the old contents until there is something to replace them. */
static FILE *open_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    if (fd >= 0 && !file)
        (void)close(fd);
    return file;
}

static int add(struct outputs *outputs, const char *path,
               int (*write)(const struct result *r, FILE *f))
{
    struct output *output = &outputs->all[outputs->n];

    if (!path)
        return 0;
    *output = (struct output){ .name = path, .write = write };
    if (strcmp(path, "-") == 0) {
        output->name = "standard output";
        output->file = stdout;
    } else
        output->file = open_file(path);
    if (!output->file)
        return complain(path, -errno);
    outputs->n++;
    return 0;
}

static int write_histogram(const struct result *r, FILE *f)
{
    return histogram_write(&r->latency, f);
}

static int add_all(struct outputs *outputs, const struct options *o)
{
    int r;

    r = add(outputs, o->json, report_json);
    if (r < 0)
        return r;
    r = add(outputs, o->report, report_html);
    if (r < 0)
        return r;
    r = add(outputs, o->histogram, write_histogram);
    if (r < 0)
        return r;
    for (size_t i = 0; i < outputs->n; i++)
        if (outputs->all[i].file == stdout)
            return 0;
    return add(outputs, "-", report_text);
}

int outputs_open(struct outputs *outputs, const struct options *o)
{
    int r;

    outputs->n = 0;
    r = add_all(outputs, o);
    if (r < 0)
        outputs_discard(outputs);
    return r;
}

static int close_output(struct output *output)
{
    int failed = output->file == stdout ? fflush(stdout) : fclose(output->file);

    return failed ? -errno : 0;
}

int outputs_write(struct outputs *outputs, const struct result *r)
{
    int first = 0;

    for (size_t i = 0; i < outputs->n; i++) {
        struct output *output = &outputs->all[i];
        int written, closed, error;

        /* Fails for anything but a regular file, which has nothing to truncate. */
        if (output->file != stdout)
            (void)!ftruncate(fileno(output->file), 0);
        written = output->write(r, output->file);
        closed = close_output(output);
        error = written < 0 ? written : closed;

        if (error < 0) {
            (void)complain(output->name, error);
            first = first < 0 ? first : error;
        }
    }
    outputs->n = 0;
    return first;
}

void outputs_discard(struct outputs *outputs)
{
    for (size_t i = 0; i < outputs->n; i++)
        (void)close_output(&outputs->all[i]);
    outputs->n = 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "answerd/service.h"

#define GOES_ON_US 30000000U

/* JOURNAL_STREAM names the device and inode of the stream that systemd connected to the journal. A
 * shell's child inherits the variable but has another standard error (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
    const char *text = getenv("JOURNAL_STREAM");
    char ours[48];
    struct stat st;

    if (!text || fstat(STDERR_FILENO, &st) < 0)
        return false;
    (void)snprintf(ours, sizeof ours, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(text, ours) == 0;
}

bool service_by_hand(void)
{
    return !getenv("NOTIFY_SOCKET") && !stderr_is_journal();
}

static bool unit_is(sd_bus *bus, const char *path, const char *property, const char *value)
{
    _cleanup_free_ char *text = NULL;

    return sd_bus_get_property_string(bus, "org.freedesktop.systemd1", path,
                                      "org.freedesktop.systemd1.Unit", property, NULL,
                                      &text) >= 0 &&
           strcmp(text, value) == 0;
}

bool service_socket_unit_in_use(void)
{
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    _cleanup_free_ char *path = NULL;

    if (sd_bus_open_system(&bus) < 0 || sd_bus_set_method_call_timeout(bus, 1000000) < 0 ||
        sd_bus_path_encode("/org/freedesktop/systemd1/unit", SERVICE_SOCKET_UNIT, &path) < 0)
        return false;
    return unit_is(bus, path, "ActiveState", "active") ||
           unit_is(bus, path, "UnitFileState", "enabled");
}

/* sd_listen_fds_with_names(3) gives "unknown" if no names were passed. A socket unit without
 * FileDescriptorName= passes its own name, which ends in .socket. */
static bool unnamed(const char *name)
{
    size_t n = strlen(name);

    return n == 0 || strcmp(name, "unknown") == 0 ||
           (n > 7 && strcmp(name + n - 7, ".socket") == 0);
}

static void free_names(char ***names)
{
    for (size_t i = 0; *names && (*names)[i]; i++)
        free((*names)[i]);
    free(*names);
}

int service_sockets(struct service_socket **ret)
{
    _cleanup_(free_names) char **names = NULL;
    struct service_socket *sockets;
    int n;

    n = sd_listen_fds_with_names(1, &names);
    if (n <= 0)
        return n;
    sockets = calloc((size_t)n, sizeof *sockets);
    if (!sockets)
        return -ENOMEM;
    for (int i = 0; i < n; i++) {
        sockets[i].fd = SD_LISTEN_FDS_START + i;
        sockets[i].name = strdup(unnamed(names[i]) ? "default" : names[i]);
        if (!sockets[i].name) {
            service_sockets_free(sockets, i);
            return -ENOMEM;
        }
    }
    *ret = sockets;
    return n;
}

void service_sockets_free(struct service_socket *sockets, int n)
{
    for (int i = 0; i < n; i++)
        free(sockets[i].name);
    free(sockets);
}

void service_notify(const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    /* If the notification fails, there is nobody to tell. */
    (void)sd_notify(0, text);
}

void service_goes_on(const char *text)
{
    service_notify("EXTEND_TIMEOUT_USEC=%u\nWATCHDOG=1\nSTATUS=%s", GOES_ON_US, text);
}

uint64_t service_watchdog_ms(void)
{
    uint64_t us;

    return sd_watchdog_enabled(0, &us) > 0 ? MAX(us / 1000, UINT64_C(1)) : 0;
}

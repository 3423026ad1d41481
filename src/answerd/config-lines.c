/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "answerd/config-lines.h"
#include "base/macros.h"

#define SPACE     " \t\r\n\v\f"
#define QUOTE_(n) #n
#define QUOTE(n)  QUOTE_(n)

static const char bom[] = "\xef\xbb\xbf"; /* some editors put it at the start of a file */

int config_lines_open(struct config_lines *l, const char *path)
{
    *l = (struct config_lines){ .stream = fopen(path, "re") };
    if (!l->stream)
        return -errno;
    /* Room for the line, its end and a NUL, and one more byte to notice a longer line. */
    l->text = malloc(CONFIG_LINE_MAX + 4);
    if (l->text)
        return 0;
    config_lines_close(l);
    return -ENOMEM;
}

void config_lines_close(struct config_lines *l)
{
    if (l->stream)
        (void)fclose(l->stream);
    free(l->text);
    *l = (struct config_lines){ 0 };
}

/* Reads a line and removes LF or CR LF. False at the end. */
static bool read_line(struct config_lines *l)
{
    size_t n = 0;
    int c;

    l->wrong = NULL;
    while ((c = getc(l->stream)) != EOF && c != '\n')
        if (n < CONFIG_LINE_MAX + 2)
            l->text[n++] = (char)c;
    l->error = ferror(l->stream) ? -errno : 0;
    if (c == EOF && (n == 0 || l->error < 0))
        return false;
    l->number++;
    if (n > 0 && l->text[n - 1] == '\r')
        n--;
    l->text[n] = '\0';
    if (n > CONFIG_LINE_MAX)
        l->wrong = "a line has at most " QUOTE(CONFIG_LINE_MAX) " bytes";
    else if (memchr(l->text, '\0', n))
        l->wrong = "the line contains a NUL byte";
    return true;
}

/* Strips white space from both ends. */
static char *trim(char *text)
{
    size_t n;

    text += strspn(text, SPACE);
    n = strlen(text);
    while (n > 0 && strchr(SPACE, text[n - 1]))
        n--;
    text[n] = '\0';
    return text;
}

static enum config_line wrong(struct config_lines *l, const char *what)
{
    l->wrong = what;
    return LINE_WRONG;
}

static enum config_line take_section(struct config_lines *l, char *line)
{
    char *end = strchr(line, ']');

    if (!end)
        return wrong(l, "] is missing");
    if (end[1 + strspn(end + 1, SPACE)])
        return wrong(l, "nothing may follow ]");
    *end = '\0';
    l->name = line + 1;
    return LINE_SECTION;
}

static enum config_line take_key(struct config_lines *l, char *line)
{
    char *equals = strpbrk(line, "=:");

    if (!equals)
        return wrong(l, "expected [SECTION], KEY=VALUE or # comment");
    if (strstr(line, " ;") || strstr(line, "\t;"))
        return wrong(l, "no comment may follow a value; in a reply, write \\x3b for a semicolon "
                        "after a space");
    *equals = '\0';
    l->name = trim(line);
    l->value = trim(equals + 1);
    return LINE_KEY;
}

enum config_line config_lines_next(struct config_lines *l)
{
    while (read_line(l)) {
        char *line = l->text;
        size_t indent;

        if (l->wrong)
            return LINE_WRONG;
        if (l->number == 1 && strncmp(line, bom, strlen(bom)) == 0)
            line += strlen(bom);
        indent = strspn(line, SPACE);
        if (line[indent] == '\0' || strchr("#;", line[indent]))
            continue;
        if (indent > 0)
            return wrong(l, "a line may not begin with a space");
        return line[0] == '[' ? take_section(l, line) : take_key(l, line);
    }
    return LINE_END;
}

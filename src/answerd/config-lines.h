/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/*
 * Reads a configuration file line by line: sections, keys and comments. Does not know their
 * meaning.
 */

#define CONFIG_LINE_MAX 65536 /* bytes, without the end of the line */

enum config_line { LINE_END, LINE_SECTION, LINE_KEY, LINE_WRONG };

struct config_lines {
    FILE *stream;
    char *text; /* the present line */
    unsigned number;
    int error;         /* 0, or the negative errno that ended reading */
    const char *name;  /* LINE_SECTION: the text between the brackets; LINE_KEY: the key */
    const char *value; /* LINE_KEY: the value, without white space around it */
    const char *wrong; /* LINE_WRONG: the error in the form of the line, a static text */
};

/* 0 or a negative errno. */
int config_lines_open(struct config_lines *l, const char *path);
void config_lines_close(struct config_lines *l);

/* The next line that is neither empty nor a comment. LINE_END also after an error, see l->error.
 * Pointers in l are valid until the next call. */
enum config_line config_lines_next(struct config_lines *l);

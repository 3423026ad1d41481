/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/*
 * The lines of a configuration file: sections, keys and comments. What they mean is not known here.
 */

#define CONFIG_LINE_MAX 65536 /* bytes, without the line's end */

enum config_line { LINE_END, LINE_SECTION, LINE_KEY, LINE_WRONG };

struct config_lines {
    FILE *stream;
    char *text; /* the line as it is read */
    unsigned number;
    int error;         /* 0, or the negative errno with which reading ended */
    const char *name;  /* of LINE_SECTION, between the brackets; of LINE_KEY */
    const char *value; /* of LINE_KEY, without white space around it */
    const char *wrong; /* of LINE_WRONG: what is wrong with the line's form, a static text */
};

/* 0 or a negative errno. */
int config_lines_open(struct config_lines *l, const char *path);
void config_lines_close(struct config_lines *l);

/* The next line that is not empty and no comment; LINE_END also where reading failed, see l->error.
 * What l points to is there until the next call. */
enum config_line config_lines_next(struct config_lines *l);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The commit that this was built from, or "" if unknown. The build writes it. */
extern const char version_revision[];

/*
 * Prints the output of --version: version and revision, compiled features, libraries, and licence.
 * features, libraries: the text to print; NULL: a program without any. Returns 0, or a negative
 * errno after printing the error to standard error.
 */
int version_print(const char *program, const char *features, const char *libraries);

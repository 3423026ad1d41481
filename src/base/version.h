/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The commit that this was built from, "" where that is not known. The build writes it. */
extern const char version_revision[];

/*
 * Prints what --version says of a program: its version and revision, the features and libraries it
 * was built with, and its licence. features, libraries: as they are to be shown. 0, or a negative
 * errno, which has been said on standard error.
 */
int version_print(const char *program, const char *features, const char *libraries);

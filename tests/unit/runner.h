/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A unit test includes this, contains its cases, and defines test_suite(). runner.c has the main()
 * that runs them all and reports them to standard output as TAP. */

#include <check.h>

/* Returns the file's cases; the runner frees the suite. */
Suite *test_suite(void);

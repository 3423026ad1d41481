/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>
#include <stdlib.h>
#include <sys/times.h>
#include <unistd.h>

#include "runner.h"

/* Reads a clock that no test replaces. */
static double seconds(void)
{
    return (double)times(&(struct tms){ 0 }) / (double)sysconf(_SC_CLK_TCK);
}

int main(void)
{
    double begun = seconds();
    SRunner *runner;
    int failed;

    /* Limits guard against hangs alone. Check's default of 4 s per test is for idle machines and
     * builds without sanitizers. The multiplier is for all limits, those of the tests too. */
    (void)setenv("CK_DEFAULT_TIMEOUT", "60", 0);
    (void)setenv("CK_TIMEOUT_MULTIPLIER", "10", 0);
    runner = srunner_create(test_suite());
    srunner_set_tap(runner, "-");
    /* Check's own summary would mix with the TAP lines. */
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    /* Like tests/lib/tap.py for each case; tests/slowest.py reads it. */
    printf("# %.1f s in all\n", seconds() - begun);

    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

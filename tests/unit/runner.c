/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdlib.h>

#include "runner.h"

int main(void)
{
    SRunner *runner;
    int failed;

    /* Check's own limit of 4 s for a test is for idle machines and builds without sanitizers. */
    (void)setenv("CK_DEFAULT_TIMEOUT", "60", 0);
    runner = srunner_create(test_suite());
    srunner_set_tap(runner, "-");
    /* Check's own summary would stand among the TAP lines. */
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);

    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

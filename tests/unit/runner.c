/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdlib.h>

#include "runner.h"

int main(void)
{
    SRunner *runner;
    int failed;

    runner = srunner_create(test_suite());
    srunner_set_tap(runner, "-");
    /* Check's own summary would stand among the TAP lines. */
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);

    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>

#include "ask-bench/checktcp.h"
#include "ask-bench/coordinator.h"
#include "ask-bench/options.h"
#include "ask-bench/output.h"
#include "ask-bench/result.h"

static struct options options;
static struct result result;

static int run(void)
{
    struct outputs outputs;
    int status = BENCH_OK;

    /* Before the run: a path that cannot be written must not cost a run. */
    if (outputs_open(&outputs, &options) < 0)
        return BENCH_FAILED;
    if (coordinator_run(&options, &result) < 0) {
        outputs_discard(&outputs);
        coordinator_wait();
        return BENCH_FAILED;
    }
    result_explain_tls(&result, stderr);
    if (outputs_write(&outputs, &result) < 0 || result_incomplete(&result, stderr))
        status = BENCH_FAILED;
    if (result_check(&result, stderr) > 0)
        status = status == BENCH_OK ? BENCH_ASSERTION : status;
    if (status == BENCH_OK && result_unanswered(&result, stderr))
        status = BENCH_ASSERTION;
    /* The convention of shells for a process killed by a signal. */
    if (result.interrupted && status != BENCH_FAILED)
        status = BENCH_SIGNAL + result.signal;
    result_deinit(&result);
    coordinator_wait();
    return status;
}

int main(int argc, char *argv[])
{
    int r;

    r = options_parse(&options, argc, argv);
    if (r <= 0)
        return r == 0 ? BENCH_OK : r == -EINVAL ? BENCH_USAGE : BENCH_FAILED;
    return options.check_tcp ? checktcp_run(&options, stdout) : run();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How far a stage of a preface has come. */
enum stage {
    STAGE_DONE,
    STAGE_WAITS, /* an edge will come, or its turn */
    STAGE_OVER,  /* the socket has to be closed; all that is to be said about it is said */
};

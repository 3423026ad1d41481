/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "answerlog/options.h"
#include "answerlog/status.h"

/* Reads the whole log, says what is damaged, and what there is. */
enum status verify(const struct options *o);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "answerlog/options.h"
#include "answerlog/status.h"

/* Prints the records that are asked for. */
enum status show(const struct options *o);

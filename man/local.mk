# SPDX-License-Identifier: LGPL-2.1-or-later
dist_man_MANS += man/answerd.8
dist_man_MANS += man/answerd-log.5
dist_man_MANS += man/answerd.conf.5
dist_man_MANS += man/answerlog.1
dist_man_MANS += man/ask-bench.1
dist_man_MANS += man/ask.1

# SPDX-License-Identifier: LGPL-2.1-or-later

dist_bashcompletion_DATA = \
	completions/bash/answerd \
	completions/bash/answerlog \
	completions/bash/ask \
	completions/bash/ask-bench
dist_zshcompletion_DATA = \
	completions/zsh/_answerd \
	completions/zsh/_answerlog \
	completions/zsh/_ask \
	completions/zsh/_ask-bench

EXTRA_DIST += completions/test_completions.py
TESTS += completions/test_completions.py

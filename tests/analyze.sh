#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# analyze.sh PREPROCESSOR-FLAG...: looks for mistakes in all sources with gcc's analyzer, clang-tidy (its checks are in
# .clang-tidy) and cppcheck. Run by "make analyze", which knows the flags. Any finding is a failure.

set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mapfile -t sources < <(find "$top/src" -name '*.c' | sort)
failed=0

step() {
    local name=$1

    shift
    if "$@"; then
        printf '%s: nothing found\n' "$name"
    else
        printf '%s: FAILED\n' "$name"
        failed=1
    fi
}

# for_each COMMAND...: with every {} in it replaced by a source, as many at once as there are CPUs.
for_each() {
    printf '%s\0' "${sources[@]}" | xargs -0 -P "$(nproc)" -I{} "$@"
}

# -O2 lets it see through inlined functions. Up to gcc 12 it loses what is freed through a struct or a container, and
# calls it leaked; the tests run under LeakSanitizer.
gcc_analyzer() {
    for_each gcc -std=gnu17 "$@" -O2 -Werror -fanalyzer -Wno-analyzer-malloc-leak -c -o /dev/null {}
}

tidy() {
    for_each clang-tidy --quiet --config-file="$top/.clang-tidy" {} -- -std=gnu17 "$@"
}

step "gcc -fanalyzer" gcc_analyzer "$@"
step "clang-tidy" tidy "$@"
# It cannot read statement expressions, and so is shown functions in the place of the macros that are made of them.
step "cppcheck" cppcheck -UMIN -UMAX -UCONTAINER_OF --quiet --error-exitcode=1 --std=c11 --inline-suppr \
    -D_GNU_SOURCE -I"$top/src" --enable=warning,performance,portability "$top/src"
[ "$failed" -eq 0 ]

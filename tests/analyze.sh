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

gcc_analyzer() {
    local source status=0

    # -O2 lets it see through inlined functions.
    for source in "${sources[@]}"; do
        gcc -std=gnu17 "$@" -O2 -Werror -fanalyzer -c -o /dev/null "$source" || status=1
    done
    return "$status"
}

tidy() {
    printf '%s\0' "${sources[@]}" |
        xargs -0 -P "$(nproc)" -I{} clang-tidy --quiet --config-file="$top/.clang-tidy" {} -- -std=gnu17 "$@"
}

step "gcc -fanalyzer" gcc_analyzer "$@"
step "clang-tidy" tidy "$@"
step "cppcheck" cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr -D_GNU_SOURCE -I"$top/src" \
    --enable=warning,performance,portability "$top/src"
[ "$failed" -eq 0 ]

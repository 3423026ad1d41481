#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
#     client.sh HOST PORT MESSAGE
#
# Sends one message and waits for its reply. Needs only bash.

exec 3<>"/dev/tcp/$1/$2" || exit 3
printf '%s\n' "$3" >&3
IFS= read -r -t 30 reply <&3 || exit 4
[ "$reply" = ok ]

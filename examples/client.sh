#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
#     client.sh HOST PORT MESSAGE
#
# Sends one message and prints its reply. Needs only bash.
#
# Exit status: 0 the message was answered; 1 it was refused, or its reply was cut off; 2 usage; 3 no connection; 4 no
# reply within 30 s; 5 the connection ended without a reply.

fail() {
    printf 'client: %s\n' "$2" >&2
    exit "$1"
}

[ $# -eq 3 ] || fail 2 'usage: client.sh HOST PORT MESSAGE'
exec 3<>"/dev/tcp/$1/$2" || exit 3
printf '%s\n' "$3" >&3
IFS= read -r -t 30 reply <&3
case $?:$reply in
0:error:\ *) fail 1 "refused: $reply" ;;
0:*) printf '%s\n' "$reply" ;;
# The stream has ended. Without a complete reply, the message may or may not be recorded.
1:) fail 5 'no reply' ;;
1:*) fail 1 "the reply was cut off: $reply" ;;
*) fail 4 'no reply within 30 s' ;;
esac

#!/bin/sh
# What every container of ours starts with.
#
# MARQUEE_SLOTS=yes: replicas of one service share one volume, and each takes the first folder of it
# that no other holds, for as long as it lives. So a scaled DataNode finds its blocks again, whatever
# its container is called. MARQUEE_SLOT is the folder's number.
#
# MARQUEE_VARIABLES_FILE: a file of a secret, NAME=value a line, for this container's process alone.
set -eu
if [ -r "${MARQUEE_VARIABLES_FILE:-}" ]; then
    set -a
    . "$MARQUEE_VARIABLES_FILE"
    set +a
fi
if [ "${MARQUEE_SLOTS:-}" = yes ]; then
    slot=1
    while :; do
        mkdir -p "$MARQUEE_DATA/$slot"
        exec 9>"$MARQUEE_DATA/$slot/in-use"
        status=0
        flock --nonblock --conflict-exit-code 5 9 || status=$?
        [ "$status" = 0 ] && break
        if [ "$status" != 5 ] || [ "$slot" -ge 100 ]; then
            echo "error: $MARQUEE_DATA/$slot cannot be locked ($status) - does its disk have locks, and room?" >&2
            exit 75
        fi
        slot=$((slot + 1))
    done
    export MARQUEE_DATA="$MARQUEE_DATA/$slot" MARQUEE_SLOT="$slot"
fi
exec "$@"

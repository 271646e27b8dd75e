#!/bin/sh
# Restarts the backends one by one and drops nobody: sh rolling-deploy.sh blue=http://10.0.0.1:3000/healthz green=…
# For each its id in lb.config.ts, and a url that answers 200 when it is well.
set -eu
wslb=${WSLB:-npx wslb}
restart=${RESTART:-systemctl restart}

fail() { echo "$2" >&2; exit "$1"; }
usage='usage: sh rolling-deploy.sh <backend>=<health url> …'

[ $# -gt 0 ] || fail 2 "$usage"
for backend; do
  case $backend in ?*=?*) ;; *) fail 2 "$usage" ;; esac
done

for backend; do
  id=${backend%%=*}
  health=${backend#*=}

  $wslb drain "$id"          # new clients go elsewhere; waits until the last one has left
  $restart "chat-$id"
  curl -fs -m 5 -o /dev/null --retry "${RETRIES:-60}" --retry-delay 1 --retry-all-errors "$health" ||
    fail 1 "$id is not well after its restart: no good answer from $health. It stays drained."
  $wslb restore "$id"        # waits until wslb holds it to be up
done

#!/bin/sh
# Restarts the backends one by one and drops nobody: sh rolling-deploy.sh blue=http://10.0.0.1:3000/healthz green=…
# For each its id in lb.config.ts, and a url that answers 200 when it is well.
set -eu
wslb=${WSLB:-npx wslb}
restart=${RESTART:-systemctl restart}

for backend; do
  id=${backend%%=*}
  health=${backend#*=}

  $wslb drain "$id"          # new clients go elsewhere; waits until the last one has left
  $restart "chat-$id"
  curl -fsS -o /dev/null --retry 60 --retry-delay 1 --retry-connrefused "$health"
  $wslb restore "$id"
  sleep "${SETTLE:-5}"       # until those who left last have come back to the others
done

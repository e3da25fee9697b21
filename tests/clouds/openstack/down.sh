#!/usr/bin/env bash
# Stops what up.sh started, by its recorded process groups, and nothing else. --wipe also removes the folder R.
set -u
cd "$(dirname "$0")" || exit 1
# shellcheck source-path=SCRIPTDIR source=env.sh
. ./env.sh
services=(nova-compute nova-api nova-scheduler nova-conductor neutron glance placement keystone rabbit mysql)

pid_of() {
  [[ -s $R/run/$1.pid ]] && cat "$R/run/$1.pid"
}

for name in "${services[@]}"; do
  pid=$(pid_of "$name") || continue
  kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true
done
for name in "${services[@]}"; do
  pid=$(pid_of "$name") || continue
  for _ in $(seq 1 100); do
    kill -0 -- "-$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL -- "-$pid" 2>/dev/null || true
  rm -f "$R/run/$name.pid"
done
# Erlang's port mapper leaves the group by itself: stop the one on our own port.
if command -v epmd >/dev/null; then ERL_EPMD_PORT=$P_EPMD epmd -kill >/dev/null 2>&1; fi
if [[ ${1:-} == --wipe ]]; then rm -rf -- "${R:?}"; fi
exit 0

#!/usr/bin/env bash
# Real clients against mock clouds: starts what the scripts of this folder need, runs them, prints a summary.
# Usage: run.sh PATH_OF_DROVER [NAME…]   (names of scripts without .py; default: all)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
drover=$(readlink -f "${1:?give the path of the drover binary}")
shift
names=("$@")
((${#names[@]})) || names=(ec2_awscli ec2_boto3 ec2_libcloud openstack_client openstack_libcloud opennebula_check
  bad_input restart)
# The clients are Debian's, whatever other Python comes first in PATH.
python=/usr/bin/python3
[[ -x $python ]] || python=python3

folder=$(mktemp -d)
declare -A pids=() urls=()
stop_all() {
  local name
  for name in "${!pids[@]}"; do kill "${pids[$name]}" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap stop_all EXIT

# start NAME SETTINGS [ARGS…]: a mock cloud with these settings; its address is in urls[NAME].
start() {
  local name=$1 settings=$2 log="$folder/$1.log" try
  shift 2
  printf '%s\n' "$settings" >"$folder/$name.yaml"
  : >"$log"
  "$drover" mockcloud --config "$folder/$name.yaml" --listen "${urls[$name]:-127.0.0.1:0}" "$@" >"$log" 2>&1 &
  pids[$name]=$!
  for ((try = 0; try < 100; ++try)); do
    urls[$name]=$(sed -n 's/.*listening on http:\/\/\([^ ]*\).*/\1/p' "$log")
    [[ -z ${urls[$name]} ]] || return 0
    kill -0 "${pids[$name]}" 2>/dev/null || break
    sleep 0.1
  done
  cat "$log" >&2
  return 1
}

failed=() passed=()
run() {
  local name=$1 script=$1
  shift
  if "$python" "$here/$script.py" "$@"; then passed+=("$name"); else failed+=("$name"); fi
}

kept='terminated_listed: 1000h'
for name in "${names[@]}"; do
  case $name in
    ec2_boto3)
      start main "{time_scale: 100, cloud: {$kept}}"
      start throttled '{cloud: {throttle: {rate: 2/s, burst: 3}}}'
      start quota "{time_scale: 100, cloud: {$kept, quota: {instances: 4}}}"
      start capacity "{time_scale: 100, cloud: {$kept, capacity: 5}}"
      start lagging "{time_scale: 10, cloud: {$kept, list_lag: 30s}}"
      run "$name" --url "http://${urls[main]}" --throttled-url "http://${urls[throttled]}" \
        --quota-url "http://${urls[quota]}" --capacity-url "http://${urls[capacity]}" \
        --lagging-url "http://${urls[lagging]}"
      ;;
    ec2_libcloud)
      start "$name" "{time_scale: 100, cloud: {$kept}}"
      start big "{cloud: {call_latency: 0s}}"
      run "$name" --url "http://${urls[$name]}" --big-url "http://${urls[big]}"
      ;;
    restart)
      printf '%s\n' '- {id: once, when: "iaas.newInstance.before", times: 1, do: throttle}' >"$folder/rules.yaml"
      settings="{seed: 3, cloud: {$kept, boot: 600s, call_latency: 0s}}"
      start "$name" "$settings" --db "$folder/cloud.db" --faults "$folder/rules.yaml"
      run "$name" --url "http://${urls[$name]}" --phase before --memory "$folder/memory.json"
      kill -9 "${pids[$name]}"
      wait "${pids[$name]}" 2>/dev/null || true
      start "$name" "$settings" --db "$folder/cloud.db" --faults "$folder/rules.yaml"
      run "$name" --url "http://${urls[$name]}" --phase after --memory "$folder/memory.json"
      ;;
    opennebula_check)
      if [[ ! -f $here/$name.py ]]; then
        failed+=("$name (is not there)")
        continue
      fi
      start "$name" "{time_scale: 100, cloud: {$kept}}"
      run "$name" --url "http://${urls[$name]}"
      ;;
    *)
      [[ -f $here/$name.py ]] || {
        echo "run.sh: there is no script $name in $here" >&2
        exit 2
      }
      start "$name" "{time_scale: 100, cloud: {$kept}}"
      run "$name" --url "http://${urls[$name]}"
      ;;
  esac
done

echo
echo "passed: ${passed[*]:-none}"
((${#failed[@]} == 0)) || {
  echo "FAILED: ${failed[*]}"
  exit 1
}

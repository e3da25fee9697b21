#!/usr/bin/env bash
# Starts a real OpenStack in a temporary folder, runs the driver's contract, its check and the recorded samples
# against it, and takes it down again, whatever happens. Arguments: the test program (default: build/release's), then
# options for it; or another program, which finds the cloud in its environment. DROVER_KEEP=1 leaves the folder with
# its logs. Needs root for the packages (see up.sh).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
program=${1:-$root/build/release/tests/test_openstack}
shift || true
[[ -x $program ]] || {
  printf 'run.sh: %s is not there; build it first: tools/dev build release test_openstack\n' "$program" >&2
  exit 1
}
R=$(mktemp -d "${TMPDIR:-/tmp}/drover-openstack.XXXXXX")
export R
finish() {
  local status=$?
  trap - EXIT
  if [[ -n ${DROVER_KEEP:-} ]]; then
    "$here/down.sh"
    printf 'run.sh: logs are in %s\n' "$R" >&2
  else
    if ((status != 0)) && [[ -d $R/log ]]; then
      printf 'run.sh: failed; the last lines of the logs:\n' >&2
      tail -n 5 "$R"/log/*.log >&2 || true
    fi
    "$here/down.sh" --wipe
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$here/up.sh"
# The scripts' ports; whoever sets others sets them for all.
export DROVER_OPENSTACK_AUTH_URL=http://127.0.0.1:${P_KEYSTONE:-27500}/v3
export DROVER_OPENSTACK_USER=demo DROVER_OPENSTACK_PASSWORD=demopw DROVER_OPENSTACK_PROJECT=demo
export DROVER_OPENSTACK_IMAGE=tiny DROVER_OPENSTACK_FLAVOR=m1.tiny DROVER_OPENSTACK_NETWORK=private
export DROVER_OPENSTACK_SAMPLES=1
if [[ ${program##*/} == test_* ]]; then
  "$program" '--gtest_filter=*RealOpenStack*:FaceSamples.*' "$@"
else
  "$program" "$@"
fi

#!/bin/sh
# Makes a fresh Debian 12 (or Ubuntu 24.04) machine a node of drover: MariaDB's programs, the drover binary, the
# agent's configuration, and a service that starts the agent now and at every boot. The manager puts the values
# below in front of this text and gives it to the machine as user data; it runs as root, and may run again.
#
# With DROVER_SOURCED=1 nothing happens but that the functions are there. With DROVER_ROOT every file is written
# below that folder.

: "${DROVER_ROOT:=}"
: "${DROVER_SOURCED:=0}"
: "${DROVER_MANAGER_IP:=}"           # where the manager's API is: an address or a name
: "${DROVER_MANAGER_PORT:=50000}"
: "${DROVER_TOKEN:=}"                # shared by the manager and its agents
: "${DROVER_INSTANCE_ID:=}"          # what the cloud calls this machine; found out where it is empty
: "${DROVER_LISTEN_ADDRESS:=}"       # of the agent and the server; the one that the manager is reached from
: "${DROVER_AGENT_PORT:=60000}"
: "${DROVER_MYSQLD_PORT:=3306}"
: "${DROVER_BUFFER_POOL_MB:=128}"
: "${DROVER_BINARY_URL:=}"           # where to fetch drover; empty: it is in the image
: "${DROVER_BINARY_SHA256:=}"
: "${DROVER_PACKAGES:=mariadb-server-core mariadb-client mariadb-backup}"
: "${DROVER_LIBRARIES:=libmariadb3 libsqlite3-0 libyaml-cpp0.7 libpugixml1v5 libmimalloc2.0 libssl3}"
: "${DROVER_ATTEMPTS:=30}"           # for what needs the network
: "${DROVER_PAUSE:=5}"               # seconds between two

drover_say() { printf 'drover: %s\n' "$*" >&2; }
drover_die() {
  drover_say "$*"
  exit 1
}

# drover_again COMMAND…: until it succeeds, or the attempts are used up.
drover_again() {
  drover_left=$DROVER_ATTEMPTS
  until "$@"; do
    drover_left=$((drover_left - 1))
    [ "$drover_left" -gt 0 ] || return 1
    sleep "$DROVER_PAUSE"
  done
}

# drover_only TEXT CHARACTERS: whether the text is not empty and has no others.
drover_only() {
  case $1 in
    '' | *[!$2]*) return 1 ;;
  esac
}

drover_check_values() {
  drover_only "$DROVER_MANAGER_IP" 'A-Za-z0-9.:_-' ||
    drover_die "DROVER_MANAGER_IP must be the manager's address, not '$DROVER_MANAGER_IP'"
  for drover_number in "$DROVER_MANAGER_PORT" "$DROVER_AGENT_PORT" "$DROVER_MYSQLD_PORT" "$DROVER_BUFFER_POOL_MB"; do
    drover_only "$drover_number" '0-9' || drover_die "a port or a size is no number: '$drover_number'"
  done
  if [ -z "$DROVER_TOKEN" ] || [ "$(printf %s "$DROVER_TOKEN" | tr -d '\000-\037\177')" != "$DROVER_TOKEN" ]; then
    drover_die "DROVER_TOKEN is empty, or is no single line"
  fi
}

# drover_context_value NAME FILE: of a line NAME='value', as OpenNebula writes its context.
drover_context_value() {
  [ -r "$2" ] || return 0
  sed -n "s/^\\(export \\)\\{0,1\\}$1=[\"']\\{0,1\\}\\([A-Za-z0-9._:-]*\\)[\"']\\{0,1\\}\$/\\2/p" "$2" | head -n 1
}

# What the cloud calls this machine, on stdout.
drover_instance_id() {
  drover_id=$DROVER_INSTANCE_ID
  # OpenNebula: left by its context package, or on the context disk.
  for drover_file in "$DROVER_ROOT/run/one-context/one_env" "$DROVER_ROOT/var/run/one-context/one_env" \
    "$DROVER_ROOT/mnt/context/context.sh"; do
    [ -n "$drover_id" ] || drover_id=$(drover_context_value VMID "$drover_file")
  done
  drover_disk=$DROVER_ROOT/dev/disk/by-label/CONTEXT
  if [ -z "$drover_id" ] && [ -e "$drover_disk" ]; then
    drover_mount=$(mktemp -d)
    if mount -o ro "$drover_disk" "$drover_mount"; then
      drover_id=$(drover_context_value VMID "$drover_mount/context.sh")
      umount "$drover_mount"
    fi
    rmdir "$drover_mount"
  fi
  # EC2 and OpenStack: what cloud-init was told.
  drover_file=$DROVER_ROOT/var/lib/cloud/data/instance-id
  if [ -z "$drover_id" ] && [ -r "$drover_file" ]; then
    drover_id=$(head -n 1 "$drover_file")
  fi
  case $drover_id in
    '' | iid-* | nocloud) return 1 ;;
  esac
  drover_only "$drover_id" 'A-Za-z0-9._:-' || return 1
  printf '%s\n' "$drover_id"
}

# The address from which this machine reaches the manager, on stdout.
drover_own_address() {
  if [ -n "$DROVER_LISTEN_ADDRESS" ]; then
    printf '%s\n' "$DROVER_LISTEN_ADDRESS"
    return 0
  fi
  drover_target=$DROVER_MANAGER_IP
  drover_only "$drover_target" '0-9.' || drover_target=$(getent ahostsv4 "$drover_target" | awk 'NR == 1 { print $1 }')
  [ -n "$drover_target" ] || return 1
  drover_found=$(ip -o -4 route get "$drover_target" | sed -n 's/.* src \([0-9.]*\).*/\1/p')
  drover_only "$drover_found" '0-9.' || return 1
  printf '%s\n' "$drover_found"
}

drover_has() { command -v "$1" >/dev/null 2>&1; }

drover_install_once() {
  apt-get -qq update &&
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 install "$@"
}

# MariaDB's programs, without a service of their own.
drover_install_mariadb() {
  drover_missing=0
  for drover_program in mariadbd mariadb mariadb-dump mariadb-backup mariadb-install-db; do
    PATH=$PATH:/usr/sbin:/sbin drover_has "$drover_program" || drover_missing=1
  done
  if [ "$drover_missing" = 1 ]; then
    drover_has apt-get || drover_die "MariaDB's programs are missing, and there is no apt-get to install them"
    # The packages are a list, and meant to be split.
    # shellcheck disable=SC2086
    drover_again drover_install_once $DROVER_PACKAGES ||
      drover_die "the packages could not be installed: $DROVER_PACKAGES; check the machine's package sources"
  fi
  # A server that the image starts by itself would hold the port.
  if systemctl list-unit-files mariadb.service 2>/dev/null | grep -q '^mariadb\.service'; then
    systemctl disable --now mariadb.service || true
  fi
}

drover_fetch_once() {
  if drover_has curl; then
    curl -fsSL --max-time 300 -o "$2" "$1"
  elif drover_has wget; then
    wget -q -T 300 -O "$2" "$1"
  else
    drover_install_once curl ca-certificates && curl -fsSL --max-time 300 -o "$2" "$1"
  fi
}

drover_sum_is_right() { [ "$(sha256sum "$1" | cut -d ' ' -f 1)" = "$DROVER_BINARY_SHA256" ]; }

# Puts drover where the service finds it; DROVER_BINARY is then the path.
drover_install_binary() {
  DROVER_BINARY=
  if [ -z "$DROVER_BINARY_URL" ]; then
    for drover_path in /usr/local/bin/drover /usr/bin/drover /opt/drover/bin/drover; do
      if [ -z "$DROVER_BINARY" ] && [ -x "$DROVER_ROOT$drover_path" ]; then
        DROVER_BINARY=$drover_path
      fi
    done
    [ -n "$DROVER_BINARY" ] ||
      drover_die "the image has no drover: put it at /usr/local/bin/drover, or configure where to fetch it"
  else
    if [ ${#DROVER_BINARY_SHA256} -ne 64 ] || ! drover_only "$DROVER_BINARY_SHA256" '0-9a-f'; then
      drover_die "DROVER_BINARY_SHA256 must be the 64 digits of sha256sum: what is fetched is run as it is"
    fi
    DROVER_BINARY=/usr/local/bin/drover
    if ! [ -x "$DROVER_ROOT$DROVER_BINARY" ] || ! drover_sum_is_right "$DROVER_ROOT$DROVER_BINARY"; then
      mkdir -p "$DROVER_ROOT/usr/local/bin"
      drover_part=$DROVER_ROOT$DROVER_BINARY.part
      drover_again drover_fetch_once "$DROVER_BINARY_URL" "$drover_part" ||
        drover_die "drover could not be fetched from $DROVER_BINARY_URL"
      if ! drover_sum_is_right "$drover_part"; then
        rm -f "$drover_part"
        drover_die "what $DROVER_BINARY_URL gave has another SHA-256 than the configured one; it was deleted"
      fi
      chmod 0755 "$drover_part"
      mv -f "$drover_part" "$DROVER_ROOT$DROVER_BINARY"
    fi
  fi
  if ! "$DROVER_ROOT$DROVER_BINARY" --version >/dev/null 2>&1; then
    if drover_has apt-get; then
      # shellcheck disable=SC2086
      drover_again drover_install_once $DROVER_LIBRARIES || true
    fi
    "$DROVER_ROOT$DROVER_BINARY" --version >/dev/null ||
      drover_die "$DROVER_BINARY does not run here: is it built for this system?"
  fi
}

# The agent runs as a user of its own.
drover_make_user() {
  [ "$(id -u)" = 0 ] || return 0
  id drover >/dev/null 2>&1 ||
    useradd --system --home-dir /var/lib/drover --no-create-home --shell /usr/sbin/nologin drover
}

# drover_write MODE PATH: stdin becomes the file, whole or not at all, never readable for longer than it may be.
drover_write() {
  (
    umask 077
    mkdir -p "$(dirname "$DROVER_ROOT$2")"
    cat >"$DROVER_ROOT$2.new"
  )
  chmod "$1" "$DROVER_ROOT$2.new"
  mv -f "$DROVER_ROOT$2.new" "$DROVER_ROOT$2"
}

# drover_write_config ID ADDRESS
drover_write_config() {
  drover_manager=$DROVER_MANAGER_IP
  case $drover_manager in
    *:*) drover_manager="[$drover_manager]" ;;
  esac
  printf '%s\n' "$DROVER_TOKEN" | drover_write 0600 /etc/drover/agent.token
  drover_write 0644 /etc/drover/agent.yaml <<CONFIG
id: "$1"
listen: "$2:$DROVER_AGENT_PORT"
mysqld_port: $DROVER_MYSQLD_PORT
dir: "/var/lib/drover/node"
manager: "http://$drover_manager:$DROVER_MANAGER_PORT"
token_file: "/etc/drover/agent.token"
buffer_pool_mb: $DROVER_BUFFER_POOL_MB
CONFIG
  chmod 0755 "$DROVER_ROOT/etc/drover"
  if [ "$(id -u)" = 0 ] && id drover >/dev/null 2>&1; then
    chown drover: "$DROVER_ROOT/etc/drover/agent.token"
  fi
}

# KillMode=process: an agent that dies leaves its server running, and its successor takes it over.
drover_write_unit() {
  drover_write 0644 /etc/systemd/system/drover-agent.service <<UNIT
[Unit]
Description=Agent of a drover node
Wants=network-online.target
After=network-online.target

[Service]
User=drover
Group=drover
StateDirectory=drover
StateDirectoryMode=0700
UMask=0077
ExecStart=$DROVER_BINARY agent --config /etc/drover/agent.yaml
Restart=always
RestartSec=2
KillMode=process
TimeoutStopSec=90
LimitNOFILE=65536
NoNewPrivileges=yes
ProtectSystem=full
ProtectHome=yes

[Install]
WantedBy=multi-user.target
UNIT
}

drover_start() {
  systemctl daemon-reload
  systemctl enable drover-agent.service
  systemctl restart drover-agent.service
}

drover_main() {
  set -eu
  drover_check_values
  drover_node=$(drover_instance_id) ||
    drover_die "this machine does not know what its cloud calls it; set DROVER_INSTANCE_ID, or VMID in the context"
  drover_again drover_own_address >/dev/null ||
    drover_die "there is no way to the manager at $DROVER_MANAGER_IP; check the machine's network"
  drover_address=$(drover_own_address)
  drover_install_mariadb
  drover_install_binary
  drover_make_user
  drover_write_config "$drover_node" "$drover_address"
  drover_write_unit
  drover_start
  drover_say "node $drover_node at $drover_address reports to $DROVER_MANAGER_IP:$DROVER_MANAGER_PORT"
}

if [ "$DROVER_SOURCED" != 1 ]; then
  drover_main
fi

#!/usr/bin/env bash
# A real OpenStack (Zed, from Debian 12's packages) with a fake hypervisor, all of it on 127.0.0.1 and under the
# folder R: Keystone, Placement, Glance, Neutron and Nova over MariaDB and RabbitMQ. Run it again to go on with
# what is in R; down.sh stops it. Needs root, 2 GB of memory and 1.2 GB of packages; takes about 90 seconds once
# these are installed. A server is ACTIVE after a second; one whose name begins with "fail" ends in ERROR.
set -eu
cd "$(dirname "$0")"
# shellcheck source-path=SCRIPTDIR source=env.sh
. ./env.sh
begun=$(date +%s)
step() { printf '[%3ds] %s\n' "$(($(date +%s) - begun))" "$*"; }
die() {
  printf 'up.sh: %s\n' "$*" >&2
  exit 1
}

# Libraries and servers without their services: nothing asks questions, nothing is started.
packages=(python3-keystone python3-nova python3-placement python3-glance python3-neutron python3-openstackclient
  python3-pastescript uwsgi-core uwsgi-plugin-python3 mariadb-server rabbitmq-server curl)
mkdir -p "$R"/{tmp,run,log,mysql,rabbit} "$R"/etc/{keystone,nova,placement,glance,neutron} \
  "$R"/lib/{nova/instances,glance/images,neutron,lock}

install_packages() {
  local line="apt-get install --no-install-recommends ${packages[*]}" made_policy=
  [[ -z ${DROVER_NO_INSTALL:-} ]] || die "missing packages: run as root: $line"
  if [[ ! -e /usr/sbin/policy-rc.d ]]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    made_policy=yes
  fi
  local failed=
  apt-get update -qq || true
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends \
    "${packages[@]}" >"$R/log/apt.log" 2>&1 || failed=yes
  [[ -z $made_policy ]] || rm -f /usr/sbin/policy-rc.d
  [[ -z $failed ]] || die "the packages could not be installed, see $R/log/apt.log; by hand, as root: $line"
  step "packages installed"
}
dpkg -s "${packages[@]}" >/dev/null 2>&1 || install_packages
fresh=1
[[ ! -e $R/.ready ]] || fresh=0

# The services' paste files come in packages that would also set up services: take only the files.
if [[ ! -e $R/etc/nova/api-paste.ini ]]; then
  unpacked=$(mktemp -d)
  (
    cd "$unpacked"
    apt-get download -qq nova-common glance-common neutron-common 2>/dev/null
    for package in *.deb; do dpkg -x "$package" x; done
    cp x/usr/share/nova-common/api-paste.ini "$R/etc/nova/"
    cp x/usr/share/neutron-common/api-paste.ini "$R/etc/neutron/"
    cp x/usr/share/glance-common/glance-api-paste.ini "$R/etc/glance/"
  )
  rm -rf "$unpacked"
fi

alive() { [[ -s $R/run/$1.pid ]] && kill -0 "$(cat "$R/run/$1.pid")" 2>/dev/null; }
# start NAME COMMAND…: in a process group of its own, whose leader is recorded.
start() {
  local name=$1
  shift
  if alive "$name"; then return; fi
  setsid nohup "$@" >>"$R/log/$name.log" 2>&1 </dev/null &
  echo $! >"$R/run/$name.pid"
}
is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
wait_port() {
  local _
  for _ in $(seq 1 300); do
    if is_open "$1"; then return; fi
    sleep 0.2
  done
  die "port $1 never opened, see $R/log"
}
wait_http() {
  local _
  for _ in $(seq 1 300); do
    if curl -s -o /dev/null --noproxy '*' -m 30 "$1"; then return; fi
    sleep 0.2
  done
  die "$1 never answered, see $R/log"
}
for place in "mysql:$P_MYSQL" "keystone:$P_KEYSTONE" "placement:$P_PLACEMENT" "glance:$P_GLANCE" \
  "neutron:$P_NEUTRON" "nova-api:$P_NOVA" "rabbit:$P_RABBIT"; do
  if is_open "${place#*:}" && ! alive "${place%:*}"; then
    die "port ${place#*:} (for ${place%:*}) is taken by another program; set P_… (see env.sh)"
  fi
done

# MariaDB and RabbitMQ.
sql() { mariadb --no-defaults -uroot -S "$R/run/mysql.sock" "$@"; }
if [[ ! -d $R/mysql/mysql ]]; then
  mariadb-install-db --no-defaults --auth-root-authentication-method=normal --user=root --datadir="$R/mysql" \
    --skip-test-db >"$R/log/mysql-install.log" 2>&1
fi
start mysql /usr/sbin/mariadbd --no-defaults --user=root --datadir="$R/mysql" --socket="$R/run/mysql.sock" \
  --pid-file="$R/run/mysqld.srv.pid" --port="$P_MYSQL" --bind-address=127.0.0.1 --skip-log-bin --max-connections=400 \
  --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --innodb-buffer-pool-size=128M \
  --character-set-server=utf8mb3 --collation-server=utf8mb3_general_ci --skip-name-resolve --tmpdir="$R/tmp"
echo "listeners.tcp.1 = 127.0.0.1:$P_RABBIT" >"$R/rabbit/rabbitmq.conf"
echo '[].' >"$R/rabbit/enabled_plugins"
start rabbit env HOME="$R/rabbit" RABBITMQ_NODENAME=drover@localhost RABBITMQ_CONFIG_FILE="$R/rabbit/rabbitmq.conf" \
  RABBITMQ_ENABLED_PLUGINS_FILE="$R/rabbit/enabled_plugins" RABBITMQ_MNESIA_BASE="$R/rabbit/mnesia" \
  RABBITMQ_LOG_BASE="$R/rabbit/log" RABBITMQ_DIST_PORT="$P_DIST" ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="$P_EPMD" \
  RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}' \
  RABBITMQ_SERVER_ERL_ARGS='+S 1:1 +sbwt none' /usr/lib/rabbitmq/bin/rabbitmq-server
TRANSPORT=rabbit://guest:guest@127.0.0.1:$P_RABBIT/
wait_port "$P_MYSQL"
if ((fresh)); then
  for database in keystone placement glance neutron nova_api nova nova_cell0; do
    echo "CREATE DATABASE IF NOT EXISTS $database CHARACTER SET utf8mb3;"
  done | sql
  for host in 127.0.0.1 localhost; do
    echo "CREATE USER IF NOT EXISTS os@'$host' IDENTIFIED BY 'os'; GRANT ALL ON *.* TO os@'$host';"
  done | sql
fi
DB=mysql+pymysql://os:os@127.0.0.1:$P_MYSQL
K=http://127.0.0.1:$P_KEYSTONE/v3
step "MariaDB is up"

cat >"$R/etc/keystone/keystone.conf" <<X
[DEFAULT]
log_file = $R/log/keystone.log
public_endpoint = http://127.0.0.1:$P_KEYSTONE
[database]
connection = $DB/keystone
[token]
provider = fernet
expiration = 3600
[fernet_tokens]
key_repository = $R/etc/keystone/fernet-keys/
[credential]
key_repository = $R/etc/keystone/credential-keys/
caching = false
[cache]
enabled = true
backend = oslo_cache.dict
[security_compliance]
[oslo_messaging_notifications]
driver = noop
X
auth_section() {
  cat <<X
auth_type = password
auth_url = $K
username = svc
password = svcpw
user_domain_name = Default
project_name = service
project_domain_name = Default
region_name = RegionOne
X
}
token_section() {
  echo "[keystone_authtoken]"
  echo "www_authenticate_uri = $K"
  echo "service_token_roles_required = false"
  auth_section
}
cat >"$R/etc/placement/placement.conf" <<X
[DEFAULT]
log_file = $R/log/placement.log
[api]
auth_strategy = keystone
[placement_database]
connection = $DB/placement
$(token_section)
X
cat >"$R/etc/glance/glance-api.conf" <<X
[DEFAULT]
log_file = $R/log/glance.log
bind_host = 127.0.0.1
bind_port = $P_GLANCE
workers = 0
enabled_backends = fs:file
[glance_store]
default_backend = fs
[fs]
filesystem_store_datadir = $R/lib/glance/images
[database]
connection = $DB/glance
[paste_deploy]
flavor = keystone
config_file = $R/etc/glance/glance-api-paste.ini
[oslo_concurrency]
lock_path = $R/lib/lock
$(token_section)
X
cat >"$R/etc/neutron/neutron.conf" <<X
[DEFAULT]
log_file = $R/log/neutron.log
state_path = $R/lib/neutron
bind_host = 127.0.0.1
bind_port = $P_NEUTRON
core_plugin = ml2
service_plugins = router
api_paste_config = $R/etc/neutron/api-paste.ini
transport_url = $TRANSPORT
api_workers = 0
rpc_workers = 0
rpc_state_report_workers = 0
agent_down_time = 2000000
dhcp_agent_notification = false
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
allow_overlapping_ips = true
[database]
connection = $DB/neutron
[oslo_concurrency]
lock_path = $R/lib/lock
[ml2]
type_drivers = local,flat,vxlan
tenant_network_types = vxlan
mechanism_drivers = openvswitch
extension_drivers = port_security
[ml2_type_vxlan]
vni_ranges = 1:1000
[securitygroup]
enable_security_group = true
$(token_section)
X
cat >"$R/etc/nova/nova.conf" <<X
[DEFAULT]
host = fakehost
my_ip = 127.0.0.1
state_path = $R/lib/nova
instances_path = $R/lib/nova/instances
transport_url = $TRANSPORT
compute_driver = fakenodes.MultiNode
enabled_apis = osapi_compute
osapi_compute_listen = 127.0.0.1
osapi_compute_listen_port = $P_NOVA
osapi_compute_workers = 1
vif_plugging_is_fatal = false
vif_plugging_timeout = 0
max_concurrent_builds = 20
report_interval = 3
service_down_time = 30
[api]
auth_strategy = keystone
[wsgi]
api_paste_config = $R/etc/nova/api-paste.ini
[api_database]
connection = $DB/nova_api
[database]
connection = $DB/nova
[conductor]
workers = 1
[scheduler]
workers = 1
discover_hosts_in_cells_interval = -1
[filter_scheduler]
track_instance_changes = false
[compute]
resource_provider_association_refresh = 0
[glance]
region_name = RegionOne
valid_interfaces = public
[vnc]
enabled = false
[oslo_concurrency]
lock_path = $R/lib/lock
[placement]
valid_interfaces = public
$(auth_section)
[neutron]
valid_interfaces = public
$(auth_section)
[service_user]
send_service_user_token = false
$(auth_section)
$(token_section)
X
cat >"$R/adminrc" <<X
unset \${!OS_*}
export OS_AUTH_URL=$K OS_USERNAME=admin OS_PASSWORD=adminpw OS_PROJECT_NAME=admin OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default OS_IDENTITY_API_VERSION=3 OS_REGION_NAME=RegionOne OS_COMPUTE_API_VERSION=2.37
X
sed -e 's/OS_USERNAME=admin/OS_USERNAME=demo/; s/adminpw/demopw/; s/OS_PROJECT_NAME=admin/OS_PROJECT_NAME=demo/' "$R/adminrc" >"$R/demorc"

export OS_KEYSTONE_CONFIG_FILES=$R/etc/keystone/keystone.conf OS_PLACEMENT_CONFIG_DIR=$R/etc/placement
keystone=(keystone-manage --config-file "$R/etc/keystone/keystone.conf")
nova_config=(--config-file "$R/etc/nova/nova.conf")
# run_module MODULE ARGS…: what its command would do; Debian's commands are in packages with services.
run_module() {
  local module=$1
  shift
  "$python" -c "import sys; sys.argv[0] = '$module'; from $module import main; sys.exit(main())" "$@"
}

sync_keystone() {
  "${keystone[@]}" db_sync
  "${keystone[@]}" fernet_setup --keystone-user root --keystone-group root
  "${keystone[@]}" credential_setup --keystone-user root --keystone-group root
  "${keystone[@]}" bootstrap --bootstrap-password adminpw --bootstrap-region-id RegionOne --bootstrap-admin-url "$K/" \
    --bootstrap-internal-url "$K/" --bootstrap-public-url "$K/"
}
sync_nova() {
  run_module nova.cmd.manage "${nova_config[@]}" api_db sync
  run_module nova.cmd.manage "${nova_config[@]}" cell_v2 map_cell0 --database_connection "$DB/nova_cell0"
  run_module nova.cmd.manage "${nova_config[@]}" db sync
  run_module nova.cmd.manage "${nova_config[@]}" cell_v2 create_cell --name cell1
}
if ((fresh)); then
  pids=()
  (sync_keystone) >"$R/log/sync-keystone.log" 2>&1 &
  pids+=($!)
  placement-manage --config-file "$R/etc/placement/placement.conf" db sync >"$R/log/sync-placement.log" 2>&1 &
  pids+=($!)
  run_module glance.cmd.manage --config-file "$R/etc/glance/glance-api.conf" db_sync >"$R/log/sync-glance.log" 2>&1 &
  pids+=($!)
  if [[ $NEUTRON == real ]]; then
    run_module neutron.db.migration.cli --config-file "$R/etc/neutron/neutron.conf" upgrade heads \
      >"$R/log/sync-neutron.log" 2>&1 &
    pids+=($!)
  fi
  (sync_nova) >"$R/log/sync-nova.log" 2>&1 &
  pids+=($!)
  for pid in "${pids[@]}"; do wait "$pid" || die "a database could not be set up, see $R/log/sync-*.log"; done
  step "databases are set up"
fi
wait_port "$P_RABBIT"

uwsgi=(/usr/bin/uwsgi --plugins python3 --master --lazy-apps --die-on-term --enable-threads --need-app
  --buffer-size 65535 --disable-logging --add-header Connection:close)
start keystone "${uwsgi[@]}" --http-socket "127.0.0.1:$P_KEYSTONE" --processes 1 --threads 4 \
  --wsgi-file /usr/bin/keystone-wsgi-public
start placement "${uwsgi[@]}" --http-socket "127.0.0.1:$P_PLACEMENT" --processes 1 --threads 2 \
  --wsgi-file /usr/bin/placement-api
wait_http "$K"
wait_http "http://127.0.0.1:$P_PLACEMENT/"
step "Keystone and Placement are up"
seed() { "$python" "$here/seed.py" "$1" "$K" "$P_NOVA" "$P_PLACEMENT" "$P_GLANCE" "$P_NEUTRON"; }
if ((fresh)); then
  # An agent's row lets Neutron bind ports on the fake host although no agent runs there.
  if [[ $NEUTRON == real ]]; then
    sql neutron -e "INSERT INTO agents (id, agent_type, \`binary\`, topic, host, admin_state_up, created_at, started_at,
      heartbeat_timestamp, configurations, \`load\`, availability_zone) VALUES (UUID(), 'Open vSwitch agent',
      'neutron-openvswitch-agent', 'N/A', 'fakehost', 1, NOW(), NOW(), NOW(),
      '{\"tunnel_types\":[\"vxlan\"],\"tunneling_ip\":\"127.0.0.1\",\"bridge_mappings\":{}}', 0, NULL)"
  fi
  seed identity
fi

service() {
  local name=$1 module=$2
  shift 2
  start "$name" "$python" -c "import sys; sys.argv[0] = '$name'; from $module import main; sys.exit(main())" "$@"
}
service glance glance.cmd.api --config-file "$R/etc/glance/glance-api.conf"
if [[ $NEUTRON == real ]]; then
  service neutron neutron.cmd.eventlet.server --config-file "$R/etc/neutron/neutron.conf"
else
  start neutron "$python" "$here/neutron_stub.py" "$P_NEUTRON"
fi
service nova-conductor nova.cmd.conductor "${nova_config[@]}" --log-file "$R/log/nova-conductor.log"
service nova-scheduler nova.cmd.scheduler "${nova_config[@]}" --log-file "$R/log/nova-scheduler.log"
service nova-api nova.cmd.api "${nova_config[@]}" --log-file "$R/log/nova-api.log"
wait_port "$P_NOVA"
# Nova takes drivers from its own package only: the folder is added to that package's path.
export FAKE_NODES=${FAKE_NODES:-20} FAKE_BOOT_DELAY=${FAKE_BOOT_DELAY:-0}
if ! alive nova-compute; then
  FAKE_SINCE=$(date -u +%Y-%m-%dT%H:%M:%S)
  export FAKE_SINCE
fi
start nova-compute "$python" -c "import sys; sys.argv[0] = 'nova-compute'
import nova.cmd, nova.virt
nova.virt.__path__.append('$here/fakenodes')
from nova.cmd.compute import main
sys.exit(main())" "${nova_config[@]}" --log-file "$R/log/nova-compute.log"
wait_http "http://127.0.0.1:$P_GLANCE/"
wait_http "http://127.0.0.1:$P_NEUTRON/"
step "Nova, Glance and Neutron are up"

if ((fresh)); then
  for _ in $(seq 1 600); do
    [[ $(sql nova -N -e 'select count(*) from placement.inventories' 2>/dev/null || echo 0) -lt $((3 * FAKE_NODES)) ]] || break
    alive nova-compute || die "nova-compute died, see $R/log/nova-compute.log"
    sleep 0.3
  done
  run_module nova.cmd.manage "${nova_config[@]}" cell_v2 discover_hosts >>"$R/log/sync-nova.log" 2>&1
  seed cloud
  touch "$R/.ready"
fi
seed wait
step "ready: . $R/demorc; openstack server create --image tiny --flavor m1.tiny --network private --wait x"

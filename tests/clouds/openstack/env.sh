# shellcheck shell=bash
# Sourced by up.sh and down.sh. R is a folder for all state: databases, queues, configuration, logs.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export here
R=${R:?set R to a folder for all state (it is made, and removed by down.sh --wipe)}
P_KEYSTONE=${P_KEYSTONE:-27500}
P_NOVA=${P_NOVA:-27774}
P_PLACEMENT=${P_PLACEMENT:-27778}
P_GLANCE=${P_GLANCE:-27292}
P_NEUTRON=${P_NEUTRON:-27696}
P_MYSQL=${P_MYSQL:-27306}
P_RABBIT=${P_RABBIT:-27672}
P_EPMD=${P_EPMD:-27369}
P_DIST=${P_DIST:-27673}
export R P_KEYSTONE P_NOVA P_PLACEMENT P_GLANCE P_NEUTRON P_MYSQL P_RABBIT P_EPMD P_DIST
NEUTRON=${NEUTRON:-real} # or stub: saves 455 MB, for servers with `networks: none` only
export NEUTRON
# Debian's own Python: another one does not see its packages.
python=/usr/bin/python3
export python
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
unset PYTHONPATH http_proxy https_proxy HTTP_PROXY HTTPS_PROXY
export no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost

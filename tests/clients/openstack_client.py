#!/usr/bin/python3
"""The openstack command against a mock cloud."""

import json
import os
import subprocess
import sys
import tempfile
import uuid

from checks import Checks, Control, arguments, eventually

IMAGE, FLAVOR, NETWORK = "debian-12-drover", "small", "default"
args = arguments(__doc__)
checks = Checks("openstack")
control = Control(args.url)
run = uuid.uuid4().hex[:8]
environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
environment.update({"OS_AUTH_URL": args.url.rstrip("/") + "/identity/v3", "OS_USERNAME": args.access_key,
                    "OS_PASSWORD": args.secret, "OS_PROJECT_NAME": "drover", "OS_USER_DOMAIN_NAME": "Default",
                    "OS_PROJECT_DOMAIN_NAME": "Default", "OS_IDENTITY_API_VERSION": "3", "OS_REGION_NAME": "RegionOne"})
OPENSTACK = "/usr/bin/openstack" if os.path.exists("/usr/bin/openstack") else "openstack"


def raw(*words, **more):
    return subprocess.run([OPENSTACK, *words], env={**environment, **more}, capture_output=True, text=True, timeout=120,
                          check=False)


def ask(*words):
    done = raw(*words, "-f", "json")
    if done.returncode != 0:
        raise RuntimeError(f"openstack {' '.join(words)}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


with checks.group("identity"):
    token = ask("token", "issue")
    checks.check("token issue", token["id"] and token["project_id"])
    checks.check("catalog list", {"nova", "glance", "neutron"} <= {row["Name"] for row in ask("catalog", "list")},
                 [row["Name"] for row in ask("catalog", "list")])
    done = raw("server", "list", OS_PASSWORD="wrong")
    checks.check("a wrong password", done.returncode != 0 and "401" in done.stderr, done.stderr)
    done = raw("server", "list", OS_USERNAME="nobody")
    checks.check("an unknown user", done.returncode != 0 and "401" in done.stderr, done.stderr)

with checks.group("the catalogue"):
    checks.check("flavor list", FLAVOR in [row["Name"] for row in ask("flavor", "list")])
    checks.check("flavor show", ask("flavor", "show", FLAVOR)["ram"] > 0)
    checks.check("image list", IMAGE in [row["Name"] for row in ask("image", "list")])
    checks.equal("image show", ask("image", "show", IMAGE)["status"], "active")
    checks.check("network list", NETWORK in [row["Name"] for row in ask("network", "list")])
    checks.equal("network show", ask("network", "show", NETWORK)["name"], NETWORK)
    checks.check("availability zone list", ask("availability", "zone", "list", "--compute"))

with checks.group("servers"):
    key = "key-" + run
    done = raw("keypair", "create", key)
    checks.check("keypair create", "PRIVATE KEY" in done.stdout, done.stderr)
    checks.check("keypair list", key in [row["Name"] for row in ask("keypair", "list")])
    name = "web-" + run
    with tempfile.NamedTemporaryFile("w") as script:
        script.write("#!/bin/sh\necho hi\n")
        script.flush()
        made = ask("server", "create", "--image", IMAGE, "--flavor", FLAVOR, "--network", NETWORK, "--key-name", key,
                   "--property", "role=db & <co>", "--user-data", script.name, "--wait", name)
    checks.equal("server create --wait", (made["status"], made["name"]), ("ACTIVE", name))
    shown = ask("server", "show", name)
    checks.equal("server show by name", shown["id"], made["id"])
    checks.check("its address", NETWORK in shown["addresses"], shown["addresses"])
    checks.check("its property", shown["properties"].get("role") == "db & <co>", shown["properties"])
    checks.check("server list", made["id"] in [row["ID"] for row in ask("server", "list")])
    checks.equal("server list by name and status",
                 [row["ID"] for row in ask("server", "list", "--name", "^" + name + "$", "--status", "ACTIVE")],
                 [made["id"]])
    raw("server", "set", "--property", "more=1", name)
    checks.equal("server set --property", ask("server", "show", name)["properties"].get("more"), "1")
    checks.equal("server stop", raw("server", "stop", name).returncode, 0)
    checks.check("it stops", eventually(lambda: ask("server", "show", name)["status"] == "SHUTOFF"))
    checks.equal("server start", raw("server", "start", name).returncode, 0)
    checks.check("it starts", eventually(lambda: ask("server", "show", name)["status"] == "ACTIVE"))
    done = raw("server", "reboot", "--hard", "--wait", name)
    checks.equal("server reboot --wait", done.returncode, 0)
    volume = ask("volume", "create", "--size", "2", "vol-" + run)
    checks.check("volume create", eventually(lambda: ask("volume", "show", volume["id"])["status"] == "available"))
    done = raw("server", "add", "volume", name, volume["id"])
    checks.check("server add volume", done.returncode == 0, done.stderr)
    checks.check("it is in use", eventually(lambda: ask("volume", "show", volume["id"])["status"] == "in-use"))
    done = raw("server", "remove", "volume", name, volume["id"])
    checks.check("server remove volume", done.returncode == 0, done.stderr)
    checks.check("it is free", eventually(lambda: ask("volume", "show", volume["id"])["status"] == "available"))
    done = raw("volume", "delete", volume["id"])
    checks.check("volume delete", done.returncode == 0, done.stderr)
    done = raw("server", "delete", "--wait", name)
    checks.check("server delete --wait", done.returncode == 0, done.stderr)
    done = raw("server", "show", name)
    checks.check("a deleted server is gone", done.returncode != 0 and "No server" in done.stderr, done.stderr)
    checks.equal("keypair delete", raw("keypair", "delete", key).returncode, 0)

with checks.group("many and failures"):
    for number in range(3):
        ask("server", "create", "--image", IMAGE, "--flavor", FLAVOR, "--network", NETWORK, f"many-{run}-{number}")
    rows = ask("server", "list", "--name", f"many-{run}", "--limit", "-1")
    checks.equal("three servers", len(rows), 3)
    done = raw("server", "delete", "--wait", *[row["ID"] for row in rows])
    checks.check("deleted together", done.returncode == 0, done.stderr)
    for what, words in [("image", ["--image", "none", "--flavor", FLAVOR]), ("flavor", ["--image", IMAGE, "--flavor", "none"])]:
        done = raw("server", "create", *words, "--network", NETWORK, "none-" + run)
        checks.check("an unknown " + what, done.returncode != 0 and ("No " in done.stderr or "not found" in done.stderr.lower()
                                                                     or "could not be found" in done.stderr), done.stderr)
    control.do("vm.boot_error", "bad-" + run)
    done = raw("server", "create", "--image", IMAGE, "--flavor", FLAVOR, "--network", NETWORK, "--wait", "bad-" + run)
    checks.check("a boot that fails", "Error creating server" in done.stderr + done.stdout, done.stderr)
    shown = ask("server", "show", "bad-" + run)
    checks.equal("it is in ERROR and says why", (shown["status"], "no valid host" in json.dumps(shown).lower()), ("ERROR", True))
    raw("server", "delete", "bad-" + run)

sys.exit(checks.exit_code())

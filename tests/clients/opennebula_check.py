#!/usr/bin/python3
"""python3's xmlrpc.client, an XML-RPC client that knows nothing of OpenNebula, against a mock cloud."""

import argparse
import hashlib
import sys
import urllib.error
import urllib.request
import uuid
import xml.etree.ElementTree
import xmlrpc.client

from checks import Checks, eventually

ACTIVE, DONE, POWEROFF = "3", "6", "8"


class One:
    """Calls with the session in front; gives (ok, value or message, code)."""

    def __init__(self, url, session):
        self.proxy = xmlrpc.client.ServerProxy(url)
        self.session = session

    def call(self, method, *arguments):
        answer = getattr(self.proxy, method)(self.session, *arguments)
        return answer[0], answer[1], answer[2]

    def value(self, method, *arguments):
        ok, value, code = self.call(method, *arguments)
        if not ok:
            raise RuntimeError(f"{method}: {code} {value}")
        return value

    def xml(self, method, *arguments):
        return xml.etree.ElementTree.fromstring(self.value(method, *arguments))

    def state(self, vm):
        info = self.xml("one.vm.info", vm, False)
        return info.findtext("STATE"), info.findtext("LCM_STATE")


def sessions(checks, url, one, options):
    checks.check("version", one.value("one.system.version").count(".") == 2)
    hashed = hashlib.sha1(options.password.encode()).hexdigest()
    checks.check("a hashed password", One(url, f"{options.user}:{hashed}").call("one.system.version")[0])
    ok, message, code = One(url, f"{options.user}:wrong").call("one.system.version")
    checks.equal("a wrong password", (ok, code), (False, 256))
    checks.check("its message", "couldn't be authenticated" in message, message)
    token = one.value("one.user.login", options.user, "", 3600, -1)
    checks.check("a login token", One(url, f"{options.user}:{token}").call("one.system.version")[0])


def machines(checks, one):
    mark = uuid.uuid4().hex
    image = one.xml("one.imagepool.info", -2, -1, -1).findtext("IMAGE/NAME")
    network = one.xml("one.vnpool.info", -2, -1, -1).findtext("VNET/NAME")
    template = one.value("one.template.allocate", f"""
        NAME = "check-{mark}"   # a comment
        CPU = 0.5
        MEMORY = 512
        DISK = [ IMAGE = "{image}" ]
        NIC = [ NETWORK = "{network}" ]
        CONTEXT = [ NETWORK = "YES", USER_DATA = "#!/bin/sh
echo \\"hello\\"" ]
        DROVER_CHECK = "{mark}"
    """)
    vm = one.value("one.template.instantiate", template, "first", False, 'OWNER = "<&>"', False)
    checks.check("the id is a number", isinstance(vm, int), vm)
    checks.check("it runs", eventually(lambda: one.state(vm) == (ACTIVE, "3"), 60))
    info = one.xml("one.vm.info", vm, False)
    checks.check("an address", (info.findtext("TEMPLATE/NIC/IP") or "").count(".") == 3)
    checks.equal("the same in the context", info.findtext("TEMPLATE/CONTEXT/ETH0_IP"),
                 info.findtext("TEMPLATE/NIC/IP"))
    checks.equal("user data", info.findtext("TEMPLATE/CONTEXT/USER_DATA"), '#!/bin/sh\necho "hello"')
    checks.equal("a user attribute", info.findtext("USER_TEMPLATE/DROVER_CHECK"), mark)
    checks.equal("one of the instance", info.findtext("USER_TEMPLATE/OWNER"), "<&>")

    second = one.value("one.vm.allocate", f'NAME="second"\nCPU=1\nMEMORY=64\nDROVER_CHECK="{mark}"', False)

    def listed(state=-1):
        pool = one.xml("one.vmpool.info", -3, -1, -1, state)
        return [int(vm.findtext("ID")) for vm in pool.findall("VM")
                if vm.findtext("USER_TEMPLATE/DROVER_CHECK") == mark]

    checks.check("both are listed, newest first", eventually(lambda: listed() == [second, vm]), listed())
    page = one.xml("one.vmpool.info", -2, 0, -2, -1).findall("VM")
    checks.check("a page of two", len(page) == 2, len(page))

    checks.equal("rename", one.value("one.vm.rename", vm, "renamed"), vm)
    checks.equal("the new name", one.xml("one.vm.info", vm, False).findtext("NAME"), "renamed")
    one.value("one.vm.update", vm, f'DROVER_CHECK="{mark}"\nNOTE="new"', 0)
    user = one.xml("one.vm.info", vm, False).find("USER_TEMPLATE")
    checks.equal("the user template is replaced", sorted(node.tag for node in user), ["DROVER_CHECK", "NOTE"])

    checks.equal("poweroff", one.value("one.vm.action", "poweroff", vm), vm)
    checks.check("it is off", eventually(lambda: one.state(vm)[0] == POWEROFF, 60))
    checks.equal("reboot of what is off", one.call("one.vm.action", "reboot", vm)[::2], (False, 2048))
    one.value("one.vm.action", "resume", vm)
    checks.check("it runs again", eventually(lambda: one.state(vm) == (ACTIVE, "3"), 60))

    for each in (vm, second):
        checks.equal("terminate", one.value("one.vm.action", "terminate-hard", each), each)
    checks.check("DONE", eventually(lambda: one.state(vm)[0] == DONE and one.state(second)[0] == DONE, 60))
    checks.check("what is DONE is hidden", eventually(lambda: listed() == []), listed())
    checks.check("unless asked for", eventually(lambda: listed(6) == [second, vm]), listed(6))
    checks.equal("terminate again", one.value("one.vm.action", "terminate-hard", vm), vm)
    checks.equal("delete the template", one.value("one.template.delete", template), template)


def refusals(checks, url, one):
    for name, wanted, method, *arguments in (
            ("an unknown VM", 1024, "one.vm.info", 999999, False),
            ("an unknown template", 1024, "one.template.instantiate", 999999, "x", False, "", False),
            ("an unknown image", 8192, "one.vm.allocate", 'CPU=1\nMEMORY=1\nDISK=[IMAGE="nope"]', False),
            ("an unknown network", 8192, "one.vm.allocate", 'CPU=1\nMEMORY=1\nNIC=[NETWORK_ID="999"]', False),
            ("no memory", 8192, "one.vm.allocate", "CPU=1", False),
            ("bad syntax", 8192, "one.vm.allocate", 'NAME="bad\nCPU=', False),
            ("a filter that is none", 4096, "one.vmpool.info", -9, -1, -1, -1)):
        ok, message, code = one.call(method, *arguments)
        checks.equal(name, (ok, code), (False, wanted))
        checks.check(f"{name}: its message", message.startswith(f"[{method}] "), message)
    for name, wanted, method, *arguments in (("an unknown method", -506, "one.no.such"),
                                             ("a missing argument", -501, "one.vm.info"),
                                             ("text for a number", -501, "one.vm.info", "x", False)):
        try:
            one.call(method, *arguments)
            checks.check(name, False, "no fault")
        except xmlrpc.client.Fault as fault:
            checks.equal(name, fault.faultCode, wanted)
    try:
        urllib.request.urlopen(url, timeout=30)
        checks.check("GET", False, "no refusal")
    except urllib.error.HTTPError as error:
        checks.equal("GET", error.code, 405)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="a mock cloud with its usual settings and a fast clock")
    parser.add_argument("--user", default="drover")
    parser.add_argument("--password", default="drover-secret")
    options = parser.parse_args()
    url = options.url.rstrip("/")
    if not url.endswith("/RPC2"):
        url += "/RPC2"
    one = One(url, f"{options.user}:{options.password}")
    checks = Checks("opennebula")
    with checks.group("sessions"):
        sessions(checks, url, one, options)
    with checks.group("machines"):
        machines(checks, one)
    with checks.group("refusals"):
        refusals(checks, url, one)
    return checks.exit_code()


if __name__ == "__main__":
    sys.exit(main())

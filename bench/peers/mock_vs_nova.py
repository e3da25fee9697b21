#!/usr/bin/env python3
"""The mock cloud's OpenStack wire against a real OpenStack, the same requests one after the other over one connection.

    bench/peers/mock_vs_nova.py [--servers N] [--drover build/release/drover] [--json FILE]
    tests/clouds/openstack/run.sh bench/peers/mock_vs_nova.py      both; starts and ends the real one (minutes, root)

Measured of each: a token, N servers created (until the API has answered, not until they run), one shown, all listed, N
deleted. The real one is Debian's Keystone and Nova with a hypervisor that runs nothing, where DROVER_OPENSTACK_AUTH_URL
(and _USER, _PASSWORD, _PROJECT, _IMAGE, _FLAVOR, _NETWORK) say; without that only the mock is measured. It is one worker
on the same machine, with its database and queue; no more is claimed of it than what one client sees.
"""
import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOCK = {"user": "drover", "password": "drover-secret", "project": "drover", "image": "debian-12-drover",
        "flavor": "small", "network": "default"}


class Cloud:
    """One OpenStack as a client sees it. Errors end the program with the cloud's own words."""

    def __init__(self, auth_url, words):
        self.auth_url, self.words, self.connections = auth_url.rstrip("/"), words, {}
        self.token = None
        self.endpoints = {}

    def ask(self, method, url, body=None, good=(200, 201, 202, 204)):
        parts = urllib.parse.urlsplit(url)
        if parts.netloc not in self.connections:
            self.connections[parts.netloc] = http.client.HTTPConnection(parts.netloc, timeout=60)
        connection = self.connections[parts.netloc]
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.token:
            headers["X-Auth-Token"] = self.token
        path = parts.path + ("?" + parts.query if parts.query else "")
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        data = answer.read()
        if answer.status not in good:
            sys.exit(f"mock_vs_nova: {method} {url}: {answer.status} {data[:300]!r}")
        return answer, json.loads(data) if data else {}

    def log_in(self):
        words = self.words
        domain = {"name": "Default"}
        answer, body = self.ask("POST", self.auth_url + "/auth/tokens", {"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": words["user"], "domain": domain, "password": words["password"]}}},
            "scope": {"project": {"name": words["project"], "domain": domain}}}})
        self.token = answer.getheader("X-Subject-Token")
        for service in body["token"]["catalog"]:
            for endpoint in service["endpoints"]:
                if endpoint["interface"] == "public":
                    self.endpoints[service["type"]] = endpoint["url"].rstrip("/")

    def find(self):
        """The ids of image, flavor and network."""
        words = self.words
        image = self.endpoints["image"]
        image += "" if re.search(r"/v2(\.\d+)?$", image) else "/v2"
        network = self.endpoints["network"]
        network += "" if re.search(r"/v2(\.\d+)?$", network) else "/v2.0"
        compute = self.endpoints["compute"]
        named = lambda things, name: next(one["id"] for one in things if one["name"] == name)
        return {"imageRef": named(self.ask("GET", image + "/images")[1]["images"], words["image"]),
                "flavorRef": named(self.ask("GET", compute + "/flavors")[1]["flavors"], words["flavor"]),
                "networks": [{"uuid": named(self.ask("GET", network + "/networks")[1]["networks"], words["network"])}]}


def timed(times, what):
    begun = time.perf_counter()
    outcome = what()
    times.append(time.perf_counter() - begun)
    return outcome


def measure(cloud, count):
    """Milliseconds, the median of each kind of request."""
    times = {kind: [] for kind in ("token", "create", "show", "list", "delete")}
    for _ in range(5):
        timed(times["token"], cloud.log_in)
    spec, compute = cloud.find(), cloud.endpoints["compute"]
    ids = []
    for number in range(count):
        body = {"server": {"name": f"peer-{number}", **spec}}
        ids.append(timed(times["create"], lambda: cloud.ask("POST", compute + "/servers", body))[1]["server"]["id"])
    over = time.monotonic() + 300
    while any(one["status"] == "BUILD" for one in cloud.ask("GET", compute + "/servers/detail")[1]["servers"]):
        if time.monotonic() > over:
            sys.exit("mock_vs_nova: the servers do not leave BUILD")
        time.sleep(0.5)
    for number in range(max(20, count)):
        timed(times["show"], lambda: cloud.ask("GET", f"{compute}/servers/{ids[number % count]}"))
    for _ in range(10):
        listed = timed(times["list"], lambda: cloud.ask("GET", compute + "/servers/detail"))[1]["servers"]
        if len(listed) < count:
            sys.exit(f"mock_vs_nova: {len(listed)} of {count} servers are listed")
    for one in ids:
        timed(times["delete"], lambda: cloud.ask("DELETE", f"{compute}/servers/{one}"))
    return {kind: 1000 * statistics.median(taken) for kind, taken in times.items()}


def measure_mock(drover, count):
    settings = {"cloud": {"call_latency": "0s", "boot": "1s", "quota": {"instances": count + 10}}}
    server = subprocess.Popen([drover, "mockcloud", "--listen", "127.0.0.1:0", "--config", "/dev/stdin"],
                              stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        server.stdin.write(json.dumps(settings))
        server.stdin.close()
        said = server.stderr.readline()
        address = re.search(r"listening on (http://[\d.]+:\d+)", said)
        if not address:
            sys.exit("mock_vs_nova: the mock cloud did not start: " + said + server.stderr.read())
        return measure(Cloud(address.group(1) + "/identity/v3", MOCK), count)
    finally:
        server.terminate()
        server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=int, default=20, help="how many are created (default: 20)")
    parser.add_argument("--drover", default=str(ROOT / "build/release/drover"))
    parser.add_argument("--json", help="where the figures are written too")
    options = parser.parse_args()
    figures = {"mock": measure_mock(options.drover, options.servers)}
    url = os.environ.get("DROVER_OPENSTACK_AUTH_URL")
    if url:
        words = {key: os.environ["DROVER_OPENSTACK_" + key.upper()] for key in MOCK}
        figures["nova"] = measure(Cloud(url, words), options.servers)
    print(f"{options.servers} servers, ms, median; load {os.getloadavg()[0]:.1f}")
    for kind, mock in figures["mock"].items():
        nova = figures.get("nova", {}).get(kind)
        print(f"  {kind:7} mock {mock:8.2f}" + (f"   nova {nova:9.2f}   {nova / mock:6.0f} x" if nova else ""))
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

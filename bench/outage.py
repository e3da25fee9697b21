#!/usr/bin/python3
"""How long clients cannot write while the master of a real service changes, and what they lose.

    bench/outage.py [--what switchover|kill|stop|lag] [--durability async|semi_sync] [--runs N] [--writers N] [--json FILE]
    bench/outage.py --what flap [--minutes N] [--writers N] [--json FILE]

Starts `drover serve --cloud local` with one master and two slaves (real MariaDB servers on this machine), lets clients
write without a pause, and replaces the master again and again: switchover promotes a slave; kill ends the master's
mariadbd with SIGKILL and stop stops it with SIGSTOP, and the service has to notice it by itself. lag keeps both
slaves from applying, writes 12,000 rows more, and kills the master once they have received them: they must be applied
before one takes over. flap leaves the servers alone and stops the agent of the master again and again for 0.5 to 4 s, as a bad link of the manager does: nobody
may take over. Before the next run both slaves must replicate again, the former master among them. Outage: from the last write that was acknowledged by the
former master to the first that is acknowledged by the new one, over all clients. Lost: acknowledged writes that the last
master does not hold. Late: writes that a former master acknowledged after its successor had. Needs the release build, MariaDB and python3-pymysql: `tools/dev install build mariadb bench`.
"""
import argparse
import collections
import getpass
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

try:
    import pymysql
except ImportError:
    sys.exit("outage: python3-pymysql is missing: run tools/dev install bench")

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 60
PASSWORD = "outage-writers"
JSON = {"Content-Type": "application/json"}


class Service:
    """`drover serve` with real servers; ends them with itself."""

    def __init__(self, folder, durability, drover=str(ROOT / "build/release/drover")):
        self.vms = Path(folder) / "vms"
        # One fail-over follows the other here: no pause between them, and a former master is cloned whatever it holds.
        manager = {"durability": durability, "poll_agents_timer": "1s",
                   "failover": {"automatic": True, "pause": "0s", "errant": "clone"}}
        configuration = Path(folder) / "drover.json"
        configuration.write_text(json.dumps({"manager": manager}), encoding="utf-8")
        self.process = subprocess.Popen(
            [drover, "serve", "--config", str(configuration), "--cloud", "local", "--listen",
             "127.0.0.1:0", "--state-dir", str(self.vms), "--journal", str(Path(folder) / "journal.db")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.url = None
        for line in self.process.stdout:
            if "http://" in line:
                self.url = line[line.index("http://"):].split()[0].rstrip("/.,;")
                break
        if self.url is None:
            sys.exit("outage: drover serve did not start")
        self.said = collections.deque(maxlen=20)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.said.append(line)

    def call(self, verb, method, **params):
        if verb == "GET":
            query = urllib.parse.urlencode({"method": method, "params": json.dumps(params), "id": 1})
            request = urllib.request.Request(f"{self.url}/?{query}", headers=JSON)
        else:
            body = json.dumps({"method": method, "params": params, "id": 1}).encode()
            request = urllib.request.Request(self.url + "/", body, JSON)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            said = json.load(answer)
        if said.get("error"):
            raise RuntimeError(f"{method}: {said['error']}")
        return said["result"]

    def done(self, method, **params):
        """Calls and waits until the operation has ended; its seconds."""
        begun = time.monotonic()
        operation = self.call("POST", method, **params)["operation"]
        while time.monotonic() - begun < PATIENCE_S:
            state = self.call("GET", "get_operation", id=operation)["operation"]
            if state["state"] in ("DONE", "FAILED", "CANCELLED"):
                if state["state"] != "DONE":
                    raise RuntimeError(f"{method} {state['state']}: {state.get('error')}")
                return time.monotonic() - begun
            time.sleep(0.01)
        raise RuntimeError(f"{method} did not end within {PATIENCE_S} s")

    def hit(self, node, number):
        """Sends a signal to the database server of a node."""
        vm = self.call("GET", "get_node_info", serviceNodeId=node)["serviceNode"]["vm"]
        os.kill(int((self.vms / vm / "mysqld.pid").read_text()), number)

    def hold(self, node):
        """A connection that keeps a slave from applying what it receives, until it is closed."""
        vm = self.call("GET", "get_node_info", serviceNodeId=node)["serviceNode"]["vm"]
        connection = pymysql.connect(unix_socket=str(self.vms / vm / "mysqld.sock"), user=getpass.getuser())
        with connection.cursor() as cursor:
            cursor.execute("FLUSH TABLES WITH READ LOCK")
        return connection

    def wait_until_received(self, transactions):
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENCE_S:
            views = self.call("POST", "fail_over", dry_run=True)["slaves"]
            if all(view.get("to_apply", 0) >= transactions for view in views):
                return
            time.sleep(0.05)
        raise RuntimeError(f"the slaves did not receive {transactions} transactions: {views}")

    def agent(self, node):
        """The process of a node's agent."""
        vm = self.call("GET", "get_node_info", serviceNodeId=node)["serviceNode"]["vm"]
        words = f"agent --id {vm} ".encode(), str(self.vms).encode()
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ")
            except OSError:
                continue
            if all(word in line for word in words):
                return int(path.parent.name)
        raise RuntimeError(f"node {node} has no agent")

    def wait_for_master_other_than(self, node):
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENCE_S:
            master = self.call("GET", "get_topology")["master"]
            if master not in (None, node):
                return master
            time.sleep(0.02)
        raise RuntimeError(f"no fail-over from node {node} within {PATIENCE_S} s")

    def wait_for_slaves(self, count):
        """Until so many replicate, as the servers themselves say."""
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENCE_S:
            views = self.call("POST", "fail_over", dry_run=True)["slaves"]
            if sum(1 for view in views if view.get("io") == "Yes" and view.get("sql_running")) >= count:
                return time.monotonic() - begun
            time.sleep(0.05)
        raise RuntimeError(f"no {count} slaves replicate within {PATIENCE_S} s: {views}")

    def address(self, node):
        return self.call("GET", "get_node_info", serviceNodeId=node)["serviceNode"]["ip"]

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)


class Writers:
    """Clients that write one row after the other, each to whom the manager calls the master."""

    def __init__(self, service, count):
        self.service = service
        self.acknowledged = []  # (time, server, row)
        self.lock = threading.Lock()
        self.over = False
        self.rows = iter(range(1, 1 << 60))
        self.threads = [threading.Thread(target=self.write, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def connect(self):
        master = self.service.call("GET", "get_topology")["master"]
        address = self.service.address(master)
        return address, pymysql.connect(host=address, user="app", password=PASSWORD, autocommit=True, connect_timeout=1,
                                        read_timeout=5, write_timeout=5)

    def write(self):
        connection = address = None
        while not self.over:
            try:
                if connection is None:
                    address, connection = self.connect()
                with self.lock:
                    row = next(self.rows)
                with connection.cursor() as cursor:
                    cursor.execute("INSERT INTO shop.outage VALUES (%s)", (row,))
                with self.lock:
                    self.acknowledged.append((time.monotonic(), address, row))
            except (pymysql.MySQLError, OSError, RuntimeError, KeyError):
                if connection is not None:
                    try:
                        connection.close()
                    except pymysql.MySQLError:
                        pass
                connection = None
                time.sleep(0.002)

    def write_many(self, rows, each):
        """So many rows, `each` in a transaction, by one client."""
        address, connection = self.connect()
        with connection.cursor() as cursor:
            for _ in range(rows // each):
                with self.lock:
                    numbers = [next(self.rows) for _ in range(each)]
                cursor.executemany("INSERT INTO shop.outage VALUES (%s)", [(number,) for number in numbers])
                with self.lock:
                    self.acknowledged.extend((time.monotonic(), address, number) for number in numbers)
        connection.close()

    def end(self):
        self.over = True
        for thread in self.threads:
            thread.join(PATIENCE_S)


def outages(acknowledged, former, new):
    """Seconds from the last write on `former` to the first on `new` after it."""
    last = max(at for at, server, _ in acknowledged if server == former)
    first = min((at for at, server, _ in acknowledged if server == new and at > last), default=None)
    return None if first is None else first - last


def flap(service, writers, minutes):
    """How often a master was replaced although only the way to its agent was bad."""
    agent, over, stops = service.agent("1"), time.monotonic() + minutes * 60, 0
    draw = random.Random(1)
    try:
        while time.monotonic() < over:
            os.kill(agent, signal.SIGSTOP)
            time.sleep(draw.uniform(0.5, 4))
            os.kill(agent, signal.SIGCONT)
            time.sleep(draw.uniform(0.5, 3))
            stops += 1
    finally:
        os.kill(agent, signal.SIGCONT)
    time.sleep(3)
    writers.end()
    asked = service.call("GET", "list_operations")["operations"]
    return stops, [one for one in asked if one["method"] == "fail_over"]


def main():
    parser = argparse.ArgumentParser(prog="outage.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", choices=("switchover", "kill", "stop", "lag", "flap"), default="switchover",
                        help="what happens to the master (default: switchover)")
    parser.add_argument("--durability", choices=("async", "semi_sync"), default="async",
                        help="what an acknowledged write survives (default: async)")
    parser.add_argument("--runs", type=int, default=20, help="how often (default: 20)")
    parser.add_argument("--minutes", type=float, default=30, help="how long with flap (default: 30)")
    parser.add_argument("--writers", type=int, default=4, help="clients that write (default: 4)")
    parser.add_argument("--json", help="where the figures are written too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drover-outage-") as folder:
        service = Service(folder, options.durability)
        try:
            figures = measure(service, options)
        except RuntimeError as trouble:
            sys.exit(f"outage: {trouble}; the service's last words:\n{''.join(service.said)}")
        finally:
            service.end()
    if options.what == "flap":
        print(f"{options.minutes:g} minutes, {options.writers} writers, {figures['writes']:,} writes, the master's agent "
              f"stopped {figures['stops']} times: {len(figures['fail_overs'])} fail-over(s); load {os.getloadavg()[0]:.1f}")
        if options.json:
            Path(options.json).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        return 1 if figures["fail_overs"] else 0
    print(f"{figures['runs']} x {options.what}, {options.durability}, {options.writers} writers, "
          f"{figures['writes']:,} writes; load {os.getloadavg()[0]:.1f}")
    for name, samples in (("outage", figures["outage_s"]), ("promote until DONE", figures["operation_s"]),
                          ("until all replicate", figures["recovered_s"])):
        if not samples:
            continue
        print(f"{name:20} median {statistics.median(samples) * 1e3:7.1f} ms, smallest {min(samples) * 1e3:.1f}, "
              f"largest {max(samples) * 1e3:.1f}")
    print(f"acknowledged writes lost: {figures['lost']}; late: {figures['late']}")
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    must_keep = options.what == "switchover" or options.durability == "semi_sync"
    return 1 if figures["late"] or (must_keep and figures["lost"]) else 0


def measure(service, options):
    service.done("add_nodes", count=3)
    service.done("set_up_replica_master", id="1")
    # The slaves first: in semi-sync mode a write waits for one.
    for slave in ("2", "3"):
        service.done("set_up_replica_slave", id=slave)
    service.call("POST", "configure_user", serviceNodeId="1", username="app", password=PASSWORD)
    with pymysql.connect(host=service.address("1"), user="app", password=PASSWORD, autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE shop")
            cursor.execute("CREATE TABLE shop.outage (id BIGINT PRIMARY KEY)")
    writers = Writers(service, options.writers)
    time.sleep(1)
    if options.what == "flap":
        stops, replaced = flap(service, writers, options.minutes)
        return {"minutes": options.minutes, "writers": options.writers, "writes": len(writers.acknowledged),
                "stops": stops, "fail_overs": replaced}
    outage, operation, recovered, late, master = [], [], [], 0, "1"
    for _ in range(options.runs):
        former = master
        with writers.lock:
            begin = len(writers.acknowledged)
        if options.what == "switchover":
            master = str(int(master) % 3 + 1)
            operation.append(service.done("promote", id=master))
        else:
            held = []
            if options.what == "lag":
                held = [service.hold(node) for node in ("1", "2", "3") if node != former]
                writers.write_many(12_000, 20)
                service.wait_until_received(12_000 // 20)
            service.hit(former, signal.SIGSTOP if options.what == "stop" else signal.SIGKILL)
            for connection in held:
                connection.close()
            master = service.wait_for_master_other_than(former)
        time.sleep(0.5)
        if options.what != "switchover":
            recovered.append(service.wait_for_slaves(2))
        with writers.lock:
            before, after = writers.acknowledged[max(0, begin - 1000):begin], writers.acknowledged[begin:]
        old, new = service.address(former), service.address(master)
        gap = outages(before + after, old, new)
        if gap is None:
            raise RuntimeError(f"nobody could write on node {master} after it took over")
        outage.append(gap)
        first = min(at for at, server, _ in after if server == new)
        late += sum(1 for at, server, _ in after if server == old and at > first)
    writers.end()
    with pymysql.connect(host=service.address(str(master)), user="app", password=PASSWORD) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM shop.outage")
            held = {row for (row,) in cursor.fetchall()}
    lost = sum(1 for _, _, row in writers.acknowledged if row not in held)
    return {"runs": options.runs, "writers": options.writers, "writes": len(writers.acknowledged), "outage_s": outage,
            "operation_s": operation, "recovered_s": recovered, "lost": lost, "late": late}


if __name__ == "__main__":
    sys.exit(main())

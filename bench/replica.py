#!/usr/bin/python3
"""How long a real service takes from a node that does not exist to a replica that serves, and how long it would take by hand.

    bench/replica.py [--runs N] [--mb N] [--json FILE] [--drover BINARY]

Starts `drover serve --cloud local` with a master that holds so many MB (real MariaDB servers on this machine), and asks for a replica
again and again (create_replica), each time a new node, which is removed afterwards. The time ends when get_topology tells a slave that
runs and lags by nothing, and a client reads the last row there. By hand, in every run, in turns before and after: a mariadb-backup of
the same master, streamed into mbstream, prepared, and one start of mariadbd on it until it takes connections; nothing else, no replication.
Phases: "machine" until the agent listens; "first start" of mariadbd on an empty data directory; "copy" and prepare; "second start" on the
copy, with the end of the first server; "replication" until the operation is DONE; "visible" until clients see it as described.
Compare on a machine at rest, and runs of one kind with each other.
Needs the release build, MariaDB and python3-pymysql: `tools/dev install build mariadb bench`.
"""
import argparse
import getpass
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import outage
from outage import PASSWORD, PATIENCE_S, Service, pymysql

ROWS_PER_MB = 1000
PHASES = ("machine", "first start", "copy", "second start", "replication", "visible")


def vm_of(service, node):
    return service.vms / service.call("GET", "get_node_info", serviceNodeId=node)["serviceNode"]["vm"]


def load(service, megabytes):
    """Rows of a kilobyte that no compression makes smaller."""
    draw = random.Random(1)
    with pymysql.connect(host=service.address("1"), user="app", password=PASSWORD, autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE shop")
            cursor.execute("CREATE TABLE shop.data (id BIGINT PRIMARY KEY, word VARCHAR(1000) CHARACTER SET ascii)")
            for block in range(megabytes * 10):
                rows = [(block * 100 + i, draw.randbytes(480).hex()) for i in range(ROWS_PER_MB // 10)]
                cursor.executemany("INSERT INTO shop.data VALUES (%s, %s)", rows)


def run_quietly(arguments, **more):
    done = subprocess.run(arguments, stdout=more.pop("stdout", subprocess.DEVNULL), stderr=subprocess.PIPE, check=False, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{arguments[0]} failed: {done.stderr[-500:].decode(errors='replace')}")


def by_hand(master, folder):
    """Seconds of the copy and of the start, without drover."""
    shutil.rmtree(folder, ignore_errors=True)
    data = folder / "data"
    data.mkdir(parents=True)
    (folder / "tmp").mkdir()
    text = (master / "mysqld.cnf").read_text(encoding="utf-8").replace(str(master), str(folder))
    text = re.sub(r"(?m)^(bind_address|port|report_host|report_port|server_id)=.*\n", "", text)
    settings = folder / "mysqld.cnf"
    settings.write_text(text + "skip_networking\nserver_id=99\n", encoding="utf-8")
    begun = time.monotonic()
    backup = subprocess.Popen(
        ["mariadb-backup", f"--defaults-file={master}/mysqld.cnf", "--backup", "--stream=mbstream", f"--socket={master}/mysqld.sock",
         f"--user={getpass.getuser()}", f"--target-dir={folder}/tmp"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    run_quietly(["mbstream", "-x", "-C", str(data)], stdin=backup.stdout)
    if backup.wait() != 0:
        raise RuntimeError("mariadb-backup failed")
    run_quietly(["mariadb-backup", "--prepare", "--use-memory=32M", f"--target-dir={data}"])
    copied = time.monotonic()
    with open(folder / "mysqld.log", "ab") as log:
        server = subprocess.Popen(["mariadbd", f"--defaults-file={settings}"], stdout=log, stderr=log)
    try:
        while True:
            try:
                pymysql.connect(unix_socket=str(folder / "mysqld.sock"), user=getpass.getuser()).close()
                break
            except pymysql.MySQLError:
                if server.poll() is not None or time.monotonic() - begun > PATIENCE_S:
                    raise RuntimeError("mariadbd did not start on the copy")
                time.sleep(0.005)
        return copied - begun, time.monotonic() - copied
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def last_row_at(address):
    try:
        with pymysql.connect(host=address, user="app", password=PASSWORD, connect_timeout=1) as connection:
            with connection.cursor() as cursor:
                cursor.execute("SELECT MAX(id) FROM shop.data")
                return cursor.fetchone()[0]
    except pymysql.MySQLError:
        return None


def said_by_agent(folder):
    """What the agent of a node measured, seconds."""
    log = (folder / "agent.log").read_text(encoding="utf-8")
    copied = re.search(r"copied and prepared in (\d+) ms, swapped and started in (\d+) ms", log)
    if copied is None:
        raise RuntimeError(f"the agent told of no copy:\n{log}")
    return int(copied[1]) / 1e3, int(copied[2]) / 1e3


def by_drover(service, last_row):
    """Seconds of each phase."""
    begun = time.monotonic()
    asked = service.call("POST", "create_replica", master_id="1")
    node, at = asked["serviceNode"]["id"], {}
    while "visible" not in at:
        if time.monotonic() - begun > PATIENCE_S:
            raise RuntimeError(f"no replica within {PATIENCE_S} s")
        of_all = service.call("GET", "get_topology")["nodes"]
        is_now = next((one for one in of_all if one["id"] == node), {})
        now = time.monotonic() - begun
        if is_now.get("state") in ("CONFIGURING", "RUNNING"):
            at.setdefault("machine", now)
        if is_now.get("state") == "RUNNING":
            at.setdefault("first start", now)
        operation = service.call("GET", "get_operation", id=asked["operation"])["operation"]
        if operation["state"] == "FAILED":
            raise RuntimeError(f"create_replica FAILED: {operation.get('error')}")
        if operation["state"] == "DONE":
            at.setdefault("done", time.monotonic() - begun)
        serves = is_now.get("role") == "slave" and is_now.get("state") == "RUNNING" and is_now.get("seconds_behind_master") == 0
        if "done" in at and serves and last_row_at(is_now["ip"]) == last_row:
            at["visible"] = time.monotonic() - begun
        time.sleep(0.005)
    copy, second = said_by_agent(vm_of(service, node))
    service.done("remove_nodes", serviceNodeId=node)
    return {"machine": at["machine"], "first start": at["first start"] - at["machine"], "copy": copy, "second start": second,
            "replication": at["done"] - at["first start"] - copy - second, "visible": at["visible"] - at["done"],
            "all": at["visible"]}


def measure(service, folder, options):
    service.done("add_nodes", count=1)
    service.done("set_up_replica_master", id="1")
    service.call("POST", "configure_user", serviceNodeId="1", username="app", password=PASSWORD)
    load(service, options.mb)
    master, last_row = vm_of(service, "1"), options.mb * ROWS_PER_MB - 1
    runs = []
    for number in range(options.runs):
        hand = by_hand(master, folder) if number % 2 == 0 else None
        drover = by_drover(service, last_row)
        copy, start = hand or by_hand(master, folder)
        runs.append({"drover": drover, "hand": {"copy": copy, "start": start}, "load": os.getloadavg()[0],
                     "ratio": drover["all"] / (copy + start)})
    return runs


def row(name, samples):
    print(f"{name:22} median {statistics.median(samples) * 1e3:7.0f} ms, smallest {min(samples) * 1e3:.0f}, largest "
          f"{max(samples) * 1e3:.0f}")


def main():
    parser = argparse.ArgumentParser(prog="replica.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10, help="how often (default: 10)")
    parser.add_argument("--mb", type=int, default=50, help="of rows (default: 50)")
    parser.add_argument("--drover", default=str(outage.ROOT / "build/release/drover"), help="the program (default: the release build)")
    parser.add_argument("--json", help="where the figures are written too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drover-replica-") as folder:
        service = Service(folder, "async", options.drover)
        try:
            runs = measure(service, Path(folder) / "hand", options)
        except RuntimeError as trouble:
            sys.exit(f"replica: {trouble}; the service's last words:\n{''.join(service.said)}")
        finally:
            service.end()
    print(f"{len(runs)} replicas of {options.mb} MB; load {min(run['load'] for run in runs):.1f} to "
          f"{max(run['load'] for run in runs):.1f}")
    for phase in PHASES:
        row(phase, [run["drover"][phase] for run in runs])
    row("drover", [run["drover"]["all"] for run in runs])
    row("by hand: copy", [run["hand"]["copy"] for run in runs])
    row("by hand: start", [run["hand"]["start"] for run in runs])
    ratios = [run["ratio"] for run in runs]
    print(f"{'drover / by hand':22} median {statistics.median(ratios):.2f}, smallest {min(ratios):.2f}, largest {max(ratios):.2f}")
    if options.json:
        Path(options.json).write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

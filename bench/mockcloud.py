#!/usr/bin/env python3
"""Measures `drover mockcloud` over loopback through its EC2 face, with signatures verified.

    bench/mockcloud.py [--drover build/release/drover] [--instances 100000] [--database FILE] [--out FILE]
                       [--memory-max MB]

The server runs on one core, this client on another one. Requests are signed before they are timed, and sent over two
connections in bursts, so that the server always has the next one: what is measured is the server. Beside the rate the
server's own CPU time for a request is told, which other work of the machine does not change.
"""

import argparse
import datetime
import hashlib
import hmac
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FORM = "application/x-www-form-urlencoded; charset=utf-8"
TICKS = os.sysconf("SC_CLK_TCK")


class Signer:
    """Requests with a version 4 signature."""

    def __init__(self, host, key="drover", secret="drover-secret"):
        self.host, self.key = host, key
        now = datetime.datetime.now(datetime.timezone.utc)
        self.stamp = now.strftime("%Y%m%dT%H%M%SZ")
        self.scope = f"{now:%Y%m%d}/us-east-1/ec2/aws4_request"
        self.mac = ("AWS4" + secret).encode()
        for step in self.scope.split("/"):
            self.mac = hmac.new(self.mac, step.encode(), hashlib.sha256).digest()

    def request(self, **parameters):
        body = urllib.parse.urlencode({"Version": "2016-11-15", **parameters}).encode()
        names = "content-type;host;x-amz-date"
        canonical = (f"POST\n/\n\ncontent-type:{FORM}\nhost:{self.host}\nx-amz-date:{self.stamp}\n\n{names}\n"
                     + hashlib.sha256(body).hexdigest())
        text = f"AWS4-HMAC-SHA256\n{self.stamp}\n{self.scope}\n" + hashlib.sha256(canonical.encode()).hexdigest()
        signature = hmac.new(self.mac, text.encode(), hashlib.sha256).hexdigest()
        return (f"POST / HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: {FORM}\r\nX-Amz-Date: {self.stamp}\r\n"
                f"Authorization: AWS4-HMAC-SHA256 Credential={self.key}/{self.scope}, SignedHeaders={names}, "
                f"Signature={signature}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


class Wire:
    """One connection; answers are told apart by their Content-Length, or come in chunks."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def read(self, count):
        """Reads `count` answers; the bodies of those that are no success, and the last body."""
        bad, body = [], b""
        buffer = bytearray(self.rest)
        at = 0
        for _ in range(count):
            while (end := buffer.find(b"\r\n\r\n", at)) < 0:
                self.more(buffer)
            head = bytes(buffer[at:end])
            if b"Transfer-Encoding: chunked" in head:
                body, buffer = self.chunks(buffer[end + 4:])
                at = 0
                continue
            length = int(re.search(rb"Content-Length: (\d+)", head).group(1))
            if length > 1 << 20:
                body = bytearray(length)
                have = len(buffer) - end - 4
                body[:have] = buffer[end + 4:]
                while have < length:
                    have += self.socket.recv_into(memoryview(body)[have:])
                buffer, at = bytearray(), 0
                continue
            while len(buffer) < end + 4 + length:
                self.more(buffer)
            body = bytes(buffer[end + 4:end + 4 + length])
            if not head.startswith(b"HTTP/1.1 200"):
                bad.append(body)
            at = end + 4 + length
        self.rest = bytes(buffer[at:])
        return bad, body

    def chunks(self, buffer):
        """The body of a chunked answer, and what came behind it."""
        body = bytearray()
        while True:
            while (end := buffer.find(b"\r\n")) < 0:
                self.more(buffer)
            length = int(buffer[:end], 16)
            while len(buffer) < end + length + 4:
                self.more(buffer)
            body += memoryview(buffer)[end + 2:end + 2 + length]
            buffer = buffer[end + length + 4:]
            if length == 0:
                return body, buffer

    def more(self, buffer):
        data = self.socket.recv(1 << 20)
        if not data:
            raise SystemExit("the mock cloud has closed the connection")
        buffer += data

    def ask(self, request):
        self.socket.sendall(request)
        bad, body = self.read(1)
        if bad:
            raise SystemExit(bad[0].decode())
        return body


class Server:
    def __init__(self, drover, database, core):
        settings = {"cloud": {"call_latency": "0s", "terminated_listed": "100h"}}
        words = [drover, "mockcloud", "--listen", "127.0.0.1:0", "--config", "/dev/stdin"]
        if database:
            words += ["--db", database]
        self.process = subprocess.Popen(["taskset", "-c", str(core), *words], stdin=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.process.stdin.write(json.dumps(settings))
        self.process.stdin.close()
        self.port = int(re.search(r"listening on http://[\d.]+:(\d+)", self.process.stderr.readline()).group(1))

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def megabytes(self, field="VmRSS"):
        """Resident memory; "VmHWM": the most there has ever been."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(field + r":\s+(\d+)", file.read()).group(1)) / 1024


def burst(server, wires, requests, size=32):
    """Sends all requests, always keeping a burst in the other connection; (seconds, the server's CPU seconds)."""
    bursts = [requests[at:at + size] for at in range(0, len(requests), size)]
    cpu, begin = server.cpu(), time.perf_counter()
    waiting = []
    for number, each in enumerate(bursts):
        wire = wires[number % len(wires)]
        if len(waiting) == len(wires):
            check(*waiting.pop(0))
        wire.socket.sendall(b"".join(each))
        waiting.append((wire, len(each)))
    for each in waiting:
        check(*each)
    return time.perf_counter() - begin, server.cpu() - cpu


def check(wire, count):
    bad, _ = wire.read(count)
    if bad:
        raise SystemExit("an answer is no success: " + bad[0].decode()[:500])


def median_ms(wire, request, times):
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        wire.ask(request)
        taken.append((time.perf_counter() - begin) * 1000)
    return statistics.median(taken)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drover", default=os.path.join(ROOT, "build/release/drover"))
    parser.add_argument("--instances", type=int, default=100_000)
    parser.add_argument("--database", default="", help="a file for the cloud's state; in memory when left out")
    parser.add_argument("--out", help="the figures as JSON")
    parser.add_argument("--memory-max", type=float, help="fail when there was ever more resident memory, in MB")
    args = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    server = Server(args.drover, args.database, cores[0])
    try:
        figures = measure(args, server)
    finally:
        server.process.terminate()
        server.process.wait()
    if args.out:
        with open(args.out, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=2)
    if args.memory_max and figures["megabytes_peak"] > args.memory_max:
        raise SystemExit(f"{figures['megabytes_peak']:.0f} MB of memory, and at most {args.memory_max:.0f} are wanted")


def measure(args, server):
    signer = Signer(f"127.0.0.1:{server.port}")
    wires = [Wire(server.port), Wire(server.port)]
    figures = {"cores": os.cpu_count(), "load_before": os.getloadavg()[0], "run_per_s": {}, "run_cpu_us": {},
               "describe_ms": {}}
    print(f"load {figures['load_before']:.1f}, idle server {server.megabytes():.0f} MB", flush=True)
    launched = 0
    for size in sorted({10, 1000, 10_000, *range(20_000, args.instances + 1, 20_000), args.instances}):
        if size > args.instances:
            break
        requests = [signer.request(Action="RunInstances", ImageId="ami-12345678", InstanceType="t3.micro", MinCount=1,
                                   MaxCount=1, ClientToken=f"token-{n}", **{
                                       "TagSpecification.1.ResourceType": "instance",
                                       "TagSpecification.1.Tag.1.Key": "Name",
                                       "TagSpecification.1.Tag.1.Value": f"node-{n}",
                                       "TagSpecification.1.Tag.2.Key": "set",
                                       "TagSpecification.1.Tag.2.Value": f"set-{n % 100}"})
                    for n in range(launched, size)]
        seconds, cpu = burst(server, wires, requests)
        count, launched = size - launched, size
        figures["run_per_s"][size] = count / seconds
        figures["run_cpu_us"][size] = cpu / count * 1e6
        print(f"RunInstances to {size:>7}: {count / seconds:8.0f} /s, {cpu / count * 1e6:6.0f} us of CPU each, "
              f"{server.megabytes():.0f} MB", flush=True)
        describe = {"one id": {"InstanceId.1": f"i-{size // 2:08}"},
                    "tag filter (1 %)": {"Filter.1.Name": "tag:set", "Filter.1.Value.1": "set-7"},
                    "state filter, none": {"Filter.1.Name": "instance-state-name", "Filter.1.Value.1": "stopped"},
                    "page of 100": {"MaxResults": 100}}
        if size <= 10_000 or size == args.instances:
            describe["all"] = {}
        row = {}
        for name, parameters in describe.items():
            request = signer.request(Action="DescribeInstances", **parameters)
            times, cpu = 200 if name == "one id" else 20, server.cpu()
            if name == "all" and size > 10_000:
                times = 2
            row[name] = median_ms(wires[0], request, times)
            if name == "all":
                row["all, CPU"] = (server.cpu() - cpu) / times * 1000
        figures["describe_ms"][size] = row
        print("   DescribeInstances, ms: " + ", ".join(f"{name} {value:.3f}" for name, value in row.items()) +
              f"; {server.megabytes():.0f} MB", flush=True)
    figures["megabytes"] = server.megabytes()
    requests = [signer.request(Action="DescribeInstances", **{"InstanceId.1": f"i-{n % launched + 1:08}"})
                for n in range(10_000)]
    seconds, cpu = burst(server, wires, requests)
    figures["describe_one_per_s"] = len(requests) / seconds
    print(f"DescribeInstances of one id at {launched}: {len(requests) / seconds:.0f} /s, "
          f"{cpu / len(requests) * 1e6:.0f} us of CPU each", flush=True)
    requests = [signer.request(Action="TerminateInstances", **{"InstanceId.1": f"i-{n + 1:08}"})
                for n in range(min(launched, 20_000))]
    seconds, cpu = burst(server, wires, requests)
    figures["terminate_per_s"] = len(requests) / seconds
    print(f"TerminateInstances at {launched}: {len(requests) / seconds:.0f} /s, {cpu / len(requests) * 1e6:.0f} us of CPU "
          f"each", flush=True)
    figures["load_after"] = os.getloadavg()[0]
    figures["megabytes_end"], figures["megabytes_peak"] = server.megabytes(), server.megabytes("VmHWM")
    print(f"{launched} instances: {figures['megabytes']:.0f} MB, {figures['megabytes_end']:.0f} MB at the end, at most "
          f"{figures['megabytes_peak']:.0f} MB; load {figures['load_after']:.1f}", flush=True)
    return figures


if __name__ == "__main__":
    sys.exit(main())

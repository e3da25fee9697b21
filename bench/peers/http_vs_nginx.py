#!/usr/bin/env python3
"""Requests per second of drover's API against nginx serving a static file of the same size.

Both with one worker over loopback, wrk as the client, in alternating rounds (A B A B ...), so that a change of the
machine's load meets both; the figure is the median of the rounds' ratios. Beside it stands the ratio of the servers'
processor time per request, which other work on the machine does not touch. Where there are two cores, the server
under test has the first and wrk the second. Nothing outside a temporary directory is touched; every process
started here is ended here, by its id. Skips with a message when wrk or nginx is missing.
"""
import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

METHODS = ("get_service_info", "list_nodes")
MEDIA_TYPE = {"Content-Type": "application/json"}  # the API wants it with every request, also a GET
NODES = 3
CONFIG = {
    "mock_cloud": {"boot": "const(0s)", "call_latency": "const(0s)"},
    "agents": {"start": "const(0s)"},
}
NGINX_CONFIG = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  open_file_cache max=16;
  default_type application/json;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""


class Trouble(Exception):
    """What went wrong, for people."""


def server_core():
    cores = sorted(os.sched_getaffinity(0))
    return {cores[0]} if len(cores) > 1 else set(cores)


def client_cores():
    cores = sorted(os.sched_getaffinity(0))
    return set(cores[1:]) if len(cores) > 1 else set(cores)


def start(command, cores, **options):
    return subprocess.Popen(command, preexec_fn=lambda: os.sched_setaffinity(0, cores), **options)


def stop(process):
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def call(url, method, params=None):
    """One call of the API; its result. POST when there are parameters."""
    if params is None:
        query = urllib.parse.urlencode({"method": method, "id": 1})
        request = urllib.request.Request(f"{url}?{query}", headers=MEDIA_TYPE)
    else:
        body = json.dumps({"method": method, "params": params, "id": 1}).encode()
        request = urllib.request.Request(url, body, MEDIA_TYPE)
    with urllib.request.urlopen(request, timeout=10) as answer:
        content = answer.read()
    parsed = json.loads(content)
    if parsed.get("error"):
        raise Trouble(f"{method} failed: {parsed['error']}")
    return parsed["result"], len(content)


def start_drover(program, folder):
    config = os.path.join(folder, "drover.json")
    with open(config, "w", encoding="utf-8") as file:
        json.dump(CONFIG, file)
    log = os.path.join(folder, "drover.log")
    with open(log, "wb") as output:
        process = start([program, "serve", "--cloud", "mock", "--config", config, "--listen", "127.0.0.1:0"],
                        server_core(), stderr=output, stdout=output)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with open(log, encoding="utf-8") as file:
            text = file.read()
        found = re.search(r"listening on (http://\S+)", text)
        if found:
            return process, found.group(1)
        if process.poll() is not None:
            break
        time.sleep(0.05)
    stop(process)
    raise Trouble(f"{program} serve did not start: {text.strip() or 'it said nothing'}")


def bring_up(url):
    call(url, "add_nodes", {"count": NODES})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if len(call(url, "list_nodes")[0]["serviceNode"]) == NODES:
            return
        time.sleep(0.2)
    raise Trouble(f"the service did not have {NODES} nodes after 60 s")


def start_nginx(folder, sizes):
    """Serves one file for each method, as large as the method's answer."""
    files = os.path.join(folder, "files")
    os.mkdir(files)
    os.chmod(folder, 0o755)
    for method, size in sizes.items():
        with open(os.path.join(files, method), "wb") as file:
            file.write(b"x" * size)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = os.path.join(folder, "nginx.conf")
    with open(config, "w", encoding="utf-8") as file:
        file.write(NGINX_CONFIG.format(folder=folder, port=port))
    process = start(["nginx", "-p", folder, "-c", config, "-e", os.path.join(folder, "error.log")], server_core(),
                    stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/"
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url + METHODS[0], timeout=5):
                return process, url
        except OSError:
            time.sleep(0.05)
    stop(process)
    raise Trouble("nginx did not start; see its messages with: nginx -t -c FILE")


def processor_time(process):
    """Seconds of processor time that the process has used."""
    with open(f"/proc/{process.pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(url, seconds, connections):
    """Requests per second, requests in all, and the latency of the slowest hundredth in milliseconds."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    command += [f"-H{name}: {value}" for name, value in MEDIA_TYPE.items()] + [url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False,
                          preexec_fn=lambda: os.sched_setaffinity(0, client_cores()))
    rate = re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)
    if done.returncode != 0 or not rate:
        raise Trouble(f"wrk failed: {done.stderr.strip() or done.stdout.strip()}")
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise Trouble(f"wrk saw errors at {url}: {done.stdout.strip()}")
    slow = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout)
    scale = {"us": 1e-3, "ms": 1, "s": 1e3}
    total = int(re.search(r"(\d+) requests in", done.stdout).group(1))
    return float(rate.group(1)), total, float(slow.group(1)) * scale[slow.group(2)]


def measure(options):
    with tempfile.TemporaryDirectory(prefix="drover-bench-") as folder:
        drover = nginx = None
        try:
            drover, api = start_drover(options.drover, folder)
            bring_up(api)
            sizes = {method: call(api, method)[1] for method in METHODS}
            nginx, files = start_nginx(folder, sizes)
            servers = {"drover": (drover, api), "nginx": (nginx, files)}
            return [compare(options, method, servers, sizes[method]) for method in METHODS]
        finally:
            stop(drover)
            stop(nginx)


def compare(options, method, servers, size):
    urls = {"drover": f"{servers['drover'][1]}?method={method}&id=1", "nginx": servers["nginx"][1] + method}
    for url in urls.values():  # warm
        load(url, 1, options.connections)
    result = {"name": f"http/{method}", "bytes": size, "ratios": [], "processor_ratios": []}
    for turn in range(options.rounds):
        rates, costs = {}, {}
        for name in ("drover", "nginx") if turn % 2 == 0 else ("nginx", "drover"):
            before = processor_time(servers[name][0])
            rates[name], total, slow = load(urls[name], options.seconds, options.connections)
            costs[name] = (processor_time(servers[name][0]) - before) / total
            result.setdefault(name, []).append(rates[name])
            result.setdefault(f"{name}_p99_ms", []).append(slow)
            result.setdefault(f"{name}_processor_us", []).append(costs[name] * 1e6)
        result["ratios"].append(rates["drover"] / rates["nginx"])
        result["processor_ratios"].append(costs["nginx"] / costs["drover"])
    print(f"{result['name']}: drover {statistics.median(result['drover']):,.0f}/s, "
          f"nginx {statistics.median(result['nginx']):,.0f}/s, median of ratios "
          f"{statistics.median(result['ratios']):.2f}; by processor time per request "
          f"{statistics.median(result['processor_ratios']):.2f}", file=sys.stderr)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drover", required=True, help="the drover program")
    parser.add_argument("--out", required=True, help="where the JSON goes")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    missing = [name for name in ("wrk", "nginx") if shutil.which(name) is None]
    outcome = {"rounds": options.rounds, "seconds": options.seconds, "connections": options.connections}
    status = 0
    if missing:
        outcome["skipped"] = f"not installed: {', '.join(missing)} (tools/dev install bench)"
        print(f"http_vs_nginx skipped: {outcome['skipped']}", file=sys.stderr)
    else:
        try:
            outcome["results"] = measure(options)
        except (Trouble, OSError, subprocess.SubprocessError) as trouble:
            outcome["failed"] = str(trouble)
            print(f"http_vs_nginx failed: {trouble}", file=sys.stderr)
            status = 1
    with open(options.out, "w", encoding="utf-8") as file:
        json.dump(outcome, file, indent=1)
    return status


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Where the time of a simulation goes: instructions by part of the program, counted by callgrind.

    bench/profile.py [SCENARIO [SEEDS]]    default: bench/scenarios/network-and-clients.yaml 1..60

Needs valgrind and the release build (tools/dev build). Instructions are counted, not time: the figures are the same on
every machine, whatever its load.
"""
import collections
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The first that matches a function's place and name says which part it belongs to.
PARTS = (
    ("SQLite: the journal and the cloud's tables", r"libsqlite3|Sqlite"),
    ("allocation", r"libmimalloc|operator new|operator delete"),
    ("C library: copying and comparing", r"libc\.so"),
    ("JSON", r"nlohmann"),
    ("scenario engine: checkers, steps, metrics", r"drover::scenario"),
    ("simulated servers, agents and clients", r"drover::node"),
    ("mock cloud", r"drover::cloud"),
    ("fault engine", r"drover::fault"),
    ("network", r"drover::sim"),
    ("manager", r"drover::(ops|model|api)"),
    ("choices, distributions, trace", r"Trace|portable_|Distribution|Choices|quantile|hash_text"),
    ("scheduler and coroutines", r"Scheduler|asio|drover::Task|awaitable"),
    ("standard library: strings, containers, functions", r"std::"),
    ("the rest", r""),
)


def main():
    scenario = sys.argv[1] if len(sys.argv) > 1 else "bench/scenarios/network-and-clients.yaml"
    seeds = sys.argv[2] if len(sys.argv) > 2 else "1..60"
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "callgrind.out"
        subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={counts}", "--quiet",
                        str(ROOT / "build/release/drover"), "run", str(ROOT / scenario), "--seeds", seeds, "--jobs",
                        "1", "--quiet"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        text = subprocess.run(["callgrind_annotate", "--auto=no", "--threshold=100", str(counts)], check=True,
                              capture_output=True, text=True).stdout
    spent = collections.Counter()
    for line in text.splitlines():
        found = re.match(r"\s*([\d,]+) \(\s*[\d.]+%\)\s+(.*)", line)
        if not found or "PROGRAM TOTALS" in line:
            continue
        part = next(name for name, pattern in PARTS if re.search(pattern, found[2]))
        spent[part] += int(found[1].replace(",", ""))
    total = sum(spent.values())
    if total == 0:
        sys.exit("profile: callgrind counted nothing; is build/release/drover there? (tools/dev build)")
    for part, count in spent.most_common():
        print(f"{count / total:6.1%}  {part}")
    print(f"{total / 1e6:,.0f} million instructions: {scenario}, seeds {seeds}")


if __name__ == "__main__":
    main()

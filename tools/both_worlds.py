#!/usr/bin/env python3
"""Runs scenario files in the simulation and on real servers, and compares the verdicts of every case.

    both_worlds.py DROVER [-j N] [--json FILE] [FILE…]     default: those of tests/local/both_worlds.txt

A case that the local world skips is told with its reason and is no difference; a file of which it skips every case is,
unless networks or disks of its own are all that this machine does not give it (they take root).
Exit code 0: the same verdicts; 1: another one somewhere, or a run that did not pass.
"""
import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tests" / "local" / "both_worlds.txt"
# Of reasons to skip: what root could do, not what the local world cannot (scenarios/local/supported.cpp).
MACHINE_NEEDS = ("needs a network of each VM's own", "needs a small disk for each VM")


def listed_files():
    lines = (line.split("#")[0].strip() for line in LIST.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def run(drover, files, world, jobs):
    """The runs of one world by file, case and seed, and the seconds that they took."""
    with tempfile.NamedTemporaryFile(suffix=".json") as result:
        call = [drover, "run", *files, "--world", world, "--quick", "--quiet", "--json", result.name]
        if jobs:
            call += ["--jobs", str(jobs)]
        start = time.monotonic()
        code = subprocess.run(call, cwd=ROOT, check=False, stdout=subprocess.DEVNULL).returncode
        seconds = time.monotonic() - start
        if code not in (0, 1):
            sys.exit(f"both_worlds.py: drover run --world {world} ended with exit code {code}")
        runs = json.loads(Path(result.name).read_text(encoding="utf-8"))["runs"]
    return {(one["file"], json.dumps(one["case"]), one["seed"]): one for one in runs}, seconds


def why(one):
    failures = "; ".join(failure["message"] for failure in one["failures"])
    return failures or one.get("reason", "")


def compare(file, simulated, real):
    """One line for a file; the differences between its cases, as text."""
    cases = [key for key in simulated if key[0] == file]
    differences, skipped, seconds, lacks = [], 0, 0.0, False
    for key in cases:
        one, other = simulated[key], real[key]
        seconds += other["wall_s"]
        if other["verdict"] == "SKIPPED":
            skipped += 1
            lacks = lacks or any(need in other["reason"] for need in MACHINE_NEEDS)
            print(f"    skipped {key[1]}: {other['reason']}")
        elif other["verdict"] != one["verdict"]:
            differences.append(f"{file} {key[1]}: sim {one['verdict']}, local {other['verdict']} ({why(other)})")
        elif one["verdict"] not in ("PASS", "EXPECTED-LOSS"):
            differences.append(f"{file} {key[1]}: {one['verdict']} in both worlds ({why(other)})")
    if skipped == len(cases) and not lacks:
        differences.append(f"{file}: every case is skipped in the local world")
    verdicts = ", ".join(sorted({real[key]["verdict"] for key in cases}))
    print(f"{'same' if not differences else 'DIFFERENT':<10} {file:<66} {len(cases):>3} cases {seconds:7.1f} s  {verdicts}")
    return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drover")
    parser.add_argument("files", nargs="*")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="real runs at the same time (default 2)")
    parser.add_argument("--json", help="where the verdicts of both worlds go")
    arguments = parser.parse_args()
    files = [str(file) for file in arguments.files] or listed_files()
    drover = str(Path(arguments.drover).resolve())
    simulated, _ = run(drover, files, "sim", 0)
    real, seconds = run(drover, files, "local", arguments.jobs)
    differences = []
    for file in dict.fromkeys(key[0] for key in simulated):
        differences += compare(file, simulated, real)
    if arguments.json:
        rows = [{"file": key[0], "case": json.loads(key[1]), "seed": key[2], "sim": simulated[key]["verdict"],
                 "local": real[key]["verdict"], "why": why(real[key]), "local_s": real[key]["wall_s"]}
                for key in simulated]
        Path(arguments.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for difference in differences:
        print(difference, file=sys.stderr)
    print(f"{len(real)} runs on real servers in {seconds:.0f} s: "
          + (f"{len(differences)} differences" if differences else "the same verdicts as in the simulation"))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())

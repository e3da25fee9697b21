#!/usr/bin/env python3
"""The self-test of exploration: deliberate defects in drover, and how fast `drover explore` finds each.

The defects are data, tests/mutants/*.toml. Each names a source file, a text that occurs in it once (or `occurrence`,
counted from 1), and what stands there instead; in the replacement, MUTANT is "this defect is active". `masked_by` names the
second line of defence that makes a defect harmless: such a one is not missed when it is not found. None touches the
sources: a copy of the checkout in build/mutants/source holds all of them, asleep, and is built once; the environment
variable DROVER_MUTANT wakes one by its id. With none awake the copy must behave exactly as the original does.

    mutants.py check                    every text is still there, and no two defects overlap (a test of ctest)
    mutants.py run [ID|NAME|CLASS…]     builds, explores with each, writes build/mutants/results.json and docs/mutants.md
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "mutants"
COPY = BUILD / "source"
HEADER = "manager/base/mutant.hpp"
HEADER_TEXT = """// Written by tools/mutants.py: whether the environment has woken this defect.
#pragma once

#include <cstdlib>

namespace drover {

inline bool mutant(int id) {
  static const int awake = [] {
    const char* text = std::getenv("DROVER_MUTANT");
    return text == nullptr ? 0 : std::atoi(text);
  }();
  return awake == id;
}

}  // namespace drover
"""
CLASSES = ("false fail-over", "forgotten at a restart", "illegal state", "leak", "livelock", "lost VM", "lost write",
           "order of the journal", "retry twice", "secret", "simulated cloud", "simulated server", "stuck",
           "two masters", "wrong answer")
OPTIONAL = {"occurrence", "masked_by"}
KEYS = {"id", "name", "class", "file", "defect", "original", "replacement"} | OPTIONAL
UNCHANGED = {"id": 0, "name": "unchanged", "class": "", "file": "", "defect": "No defect at all."}
# A defect may end the process, or keep it from ever ending.
PATIENCE_S = 120
# Verdicts of a run in which nothing failed.
NO_FAILURE = ("PASS", "SKIPPED", "EXPECTED-LOSS")
# What a shrunk scenario may have at most to be called small.
FEW_FAULTS, FEW_STEPS = 3, 6


def load_mutants():
    mutants = []
    for path in sorted((ROOT / "tests" / "mutants").glob("*.toml")):
        for mutant in tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]:
            mutants.append(mutant)
    return sorted(mutants, key=lambda mutant: mutant["id"])


def load_notes():
    """What a file of defects says of all of its own (`about`), with their ids."""
    notes = []
    for path in sorted((ROOT / "tests" / "mutants").glob("*.toml")):
        file = tomllib.loads(path.read_text(encoding="utf-8"))
        if "about" in file:
            notes.append((file["about"], {mutant["id"] for mutant in file["mutant"]}))
    return notes


def place_of(mutant, text):
    """Where the original begins in `text`, or why that cannot be said."""
    places = [found.start() for found in re.finditer(re.escape(mutant["original"]), text)]
    wanted = mutant.get("occurrence", 1)
    if "occurrence" not in mutant and len(places) != 1:
        return None, f"its text occurs {len(places)} times in {mutant['file']}; it must occur once"
    if len(places) < wanted:
        return None, f"its text occurs {len(places)} times in {mutant['file']}, not {wanted} times"
    return places[wanted - 1], None


def trouble_with(mutants):
    """One line for each defect that cannot be planted."""
    found = []
    seen = {}
    for mutant in mutants:
        name = f"mutant {mutant.get('id')} ({mutant.get('name')})"
        if missing := (KEYS - OPTIONAL) - mutant.keys():
            found.append(f"{name}: it lacks {', '.join(sorted(missing))}")
            continue
        if unknown := mutant.keys() - KEYS:
            found.append(f"{name}: unknown {', '.join(sorted(unknown))}")
        if mutant["class"] not in CLASSES:
            found.append(f"{name}: there is no class \"{mutant['class']}\"")
        if "MUTANT" not in mutant["replacement"]:
            found.append(f"{name}: its replacement never asks for MUTANT, so it would always be awake")
        for key in (mutant["id"], mutant["name"]):
            if key in seen:
                found.append(f"{name}: {key} is taken by {seen[key]}")
            seen[key] = name
    if found:
        return found
    for file in sorted({mutant["file"] for mutant in mutants}):
        if not (ROOT / file).is_file():
            found.append(f"{file}: there is no such source")
            continue
        text = (ROOT / file).read_text(encoding="utf-8")
        spans = []
        for mutant in (m for m in mutants if m["file"] == file):
            place, trouble = place_of(mutant, text)
            if trouble:
                found.append(f"mutant {mutant['id']} ({mutant['name']}): {trouble}")
            else:
                spans.append((place, place + len(mutant["original"]), mutant))
        spans.sort(key=lambda span: span[0])
        for (_, end, one), (begin, _, other) in zip(spans, spans[1:]):
            if begin < end:
                found.append(f"mutants {one['id']} and {other['id']}: their texts overlap in {file}")
    return found


def planted(file, text, mutants):
    """The text of the copy: with all defects of this file, asleep."""
    own = [(place_of(mutant, text)[0], mutant) for mutant in mutants if mutant["file"] == file]
    if not own:
        return text
    for place, mutant in sorted(own, key=lambda pair: -pair[0]):
        replacement = mutant["replacement"].replace("MUTANT", f"drover::mutant({mutant['id']})")
        text = text[:place] + replacement + text[place + len(mutant["original"]):]
    return f'#include "{HEADER}"\n' + text


def write_copy(mutants):
    """Brings the copy up to date; files that stay as they are keep their time, so that little is built."""
    listed = subprocess.run(["git", "-C", str(ROOT), "-c", f"safe.directory={ROOT}", "ls-files", "-z"], check=True,
                            capture_output=True, text=True).stdout
    wanted = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    contents = {name: (ROOT / name).read_bytes() for name in wanted if not name.startswith("docs/")}
    for file in {mutant["file"] for mutant in mutants}:
        contents[file] = planted(file, contents[file].decode(), mutants).encode()
    contents[HEADER] = HEADER_TEXT.encode()
    for folder, folders, files in os.walk(COPY):
        if Path(folder) == COPY:
            folders[:] = [name for name in folders if name != "build"]
        for name in files:
            path = Path(folder) / name
            if str(path.relative_to(COPY)) not in contents:
                path.unlink()
    for name, content in contents.items():
        path = COPY / name
        if path.is_file() and path.read_bytes() == content:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod((ROOT / name).stat().st_mode if (ROOT / name).exists() else 0o644)


def build():
    """Builds the original and the copy, each with its own tools/dev and so with the same flags."""
    for tree in (ROOT, COPY):
        subprocess.run([str(tree / "tools" / "dev"), "build", "release", "drover"], check=True)


def drover(tree, mutant_id, *arguments, patience=PATIENCE_S):
    """Runs drover from the top of the original checkout; (exit code or None when it did not end, stderr)."""
    environment = {key: value for key, value in os.environ.items() if key != "DROVER_MUTANT"}
    if mutant_id:
        environment["DROVER_MUTANT"] = str(mutant_id)
    command = ["nice", "-n", "5", str(tree / "build" / "release" / "drover"), *arguments]
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, errors="replace", timeout=patience, check=False)
    except subprocess.TimeoutExpired:
        return None, "it did not end"
    return done.returncode, done.stderr.strip()[-500:]


def library(tree, mutant_id, name, *more):
    """The scenario library's results, or nothing when the process did not live to write them."""
    file = BUILD / "library" / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    drover(tree, mutant_id, "run", "scenarios/library", "--quiet", "--jobs", "1", "--json", str(file), *more,
           patience=1200)
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def compare_digests():
    """With no defect awake the copy must do, event for event, what the original does."""
    sides = [library(tree, 0, name, "--seeds", "1..3") for tree, name in ((ROOT, "original"), (COPY, "asleep"))]
    if None in sides:
        sys.exit("mutants: the scenario library did not run; try `drover run scenarios/library`")
    digests = [[(run["file"], run["seed"], run["digest"]) for run in side["runs"]] for side in sides]
    differing = sum(1 for one, other in zip(*digests) if one != other) + abs(len(digests[0]) - len(digests[1]))
    if differing:
        sys.exit(f"mutants: with no defect awake {differing} of {len(digests[0])} runs differ from the original's: "
                 "a replacement changes something while its defect sleeps")
    print(f"asleep, the copy gives the same digests as the original in {len(digests[0])} runs", flush=True)


def noticed_by_library(mutant):
    """How many scenarios of the library fail with this defect, one seed each; None: the process ended."""
    results = library(COPY, mutant["id"], str(mutant["id"]), "--quick")
    if results is None:
        return None
    return len({run["file"] for run in results["runs"] if run["verdict"] not in NO_FAILURE})


def explore(mutant, mode, budget, options):
    """One exploration in one mode: what it found first, or what kept it from looking."""
    name = f"{mutant['id']}-{mode}"
    file, out = BUILD / "explore" / f"{name}.json", BUILD / "explore" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    begun = time.monotonic()
    first = ["--first"] if mutant["id"] else []
    code, said = drover(COPY, mutant["id"], "explore", *options.scenarios, "--mode", mode.replace("+", ","), "--budget",
                        budget, "--jobs", "1", "--seed", "1", "--json", str(file), "--out", str(out), *first,
                        patience=seconds_of(budget) * 4 + PATIENCE_S)
    result = {"mode": mode, "wall_s": round(time.monotonic() - begun, 1), "found": []}
    if file.is_file():
        results = json.loads(file.read_text(encoding="utf-8"))
        result["found"] = sorted(results.get("found", []), key=lambda found: found.get("first_run", 0))
        result["runs"] = results.get("summary", {}).get("runs", 0)
    if mutant["id"]:
        for found in result["found"]:
            found["fails_anyway"] = fails_without_defect(found.get("file"))
    if code not in (0, 1) or not file.is_file():
        result["trouble"] = said.splitlines()[-1] if said else f"exit code {code}"
        if code is not None and code < 0:
            result["trouble"] = f"the process ended with signal {-code}: {result['trouble']}"
    return result


def fails_without_defect(file):
    """Whether the small file fails on the program as it should be: then it shows something else."""
    if not file or not Path(file).is_file():
        return False
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        told = Path(folder) / "asleep.json"
        drover(COPY, 0, "run", file, "--json", str(told), patience=PATIENCE_S)
        if not told.is_file():
            return True
        runs = json.loads(told.read_text(encoding="utf-8"))["runs"]
    return any(run["verdict"] not in (*NO_FAILURE, "VACUOUS") for run in runs)


def explorations(options):
    """[(mode, budget)]: one budget for all modes, or one for each."""
    modes, budgets = options.modes.split(","), options.budget.split(",")
    for budget in budgets:
        seconds_of(budget)
    if len(budgets) not in (1, len(modes)):
        sys.exit(f"mutants: --budget takes one time, or as many as there are modes: {len(modes)}")
    return list(zip(modes, budgets if len(budgets) > 1 else budgets * len(modes)))


def seconds_of(budget):
    found = re.fullmatch(r"(\d+)(s|m)", budget)
    if not found:
        sys.exit(f"mutants: --budget takes a time such as 60s or 5m, not \"{budget}\"")
    return int(found.group(1)) * (60 if found.group(2) == "m" else 1)


def examine(mutant, options):
    """All modes, in order, until one has found something; and what the library says. One that is known to be
    harmless is looked for in the first mode only."""
    result = {key: mutant[key] for key in ("id", "name", "class", "file", "defect")}
    result.update({"budget": options.budget, "modes": options.modes.split(","), "tries": []})
    if mutant["id"] and not options.no_library:
        result["library"] = noticed_by_library(mutant)
    for mode, budget in explorations(options):
        if options.library_only:
            break
        result["tries"].append(explore(mutant, mode, budget, options))
        if mutant["id"] and (first_found(result)[0] or "masked_by" in mutant):
            break
    return result


def first_found(result):
    """(mode, what was found first, seconds until then with the modes before), or three times nothing."""
    before = 0.0
    for attempt in result["tries"]:
        shown = [found for found in attempt["found"] if not found.get("fails_anyway")]
        if shown:
            first = shown[0]
            return attempt["mode"], first, before + first.get("first_wall_s", 0.0)
        if str(attempt.get("trouble", "")).startswith("the process ended"):
            return attempt["mode"], {"fingerprint": attempt["trouble"]}, before + attempt["wall_s"]
        before += attempt["wall_s"]
    return None, None, None


def row_of(result, masked=False):
    mode, first, seconds = first_found(result)
    noticed = result.get("library", "")
    row = [str(result["id"]), result["name"], result["class"], mode or ("masked" if masked else "**no**")]
    if first:
        row += [str(first.get(key, "")) for key in ("first_run",)] + [f"{seconds:.0f} s"]
        row += [str(first.get(key, "")) for key in ("faults", "steps", "fingerprint")]
    else:
        row += ["", "", "", "", next((str(t["trouble"]) for t in result["tries"] if "trouble" in t), "")]
    return row + ["ended" if noticed is None else str(noticed)]


def summary_of(awake):
    """How many each mode found, how fast, and how small the findings are."""
    found = [first_found(result) for result in awake]
    modes = list(dict.fromkeys(mode for result in awake for mode in result["modes"]))
    counts = [f"{sum(1 for mode, _, _ in found if mode == wanted)} by {wanted}" for wanted in modes]
    firsts = [first for _, first, _ in found if first]
    runs = sorted(first["first_run"] for first in firsts if "first_run" in first)
    sizes = [(first["faults"], first["steps"]) for first in firsts if "steps" in first]
    large = [f"{result['id']} ({first['faults']} faults, {first['steps']} steps)"
             for result, (_, first, _) in zip(awake, found)
             if first and "steps" in first and (first["faults"] > FEW_FAULTS or first["steps"] > FEW_STEPS)]
    if not runs:
        return []
    text = (f"Of those found, {', '.join(counts)}; the median was found in run {runs[len(runs) // 2]}. "
            f"{len(sizes) - len(large)} of {len(sizes)} shrink to at most {FEW_FAULTS} faults and {FEW_STEPS} steps")
    lines = [text + ("." if not large else "; the others: " + ", ".join(large) + ".")]
    files = [(result["id"], found) for result in awake for attempt in result["tries"] for found in attempt["found"]
             if "fails_anyway" in found]
    wrong = sorted({str(number) for number, found in files if found["fails_anyway"]}, key=int)
    if files:
        lines.append(f"Of the {len(files)} small files of all findings {len(files) - len(wrong)} pass with the defect asleep" +
                     ("." if not wrong else f"; those of {', '.join(wrong)} do not."))
    return lines


def write_report(results, path):
    """docs/mutants.md: the table, and the misses by name with what they are."""
    awake = [result for result in results.values() if result["id"] and result["tries"]]
    awake.sort(key=lambda result: result["id"])
    masks = {mutant["id"]: mutant["masked_by"] for mutant in load_mutants() if "masked_by" in mutant}
    unfound = [result for result in awake if not first_found(result)[0]]
    masked = [result for result in unfound if result["id"] in masks]
    missed = [result for result in unfound if result["id"] not in masks]
    budgets = sorted({f"{result['budget'].replace(',', ' and ')} of {' and '.join(result['modes'])}" for result in awake})
    lines = ["# What exploration finds", "",
             "`tools/dev mutants` plants deliberate defects (`tests/mutants`) one at a time and lets `drover explore` look",
             "for each, on one core, without telling it anything. This page is what it wrote.", "",
             f"Found: {len(awake) - len(unfound)} of {len(awake)}, in {', '.join(budgets)} each; "
             f"made harmless by a second line of defence: {len(masked)}."]
    lines += summary_of(awake)
    calm = results.get("0")
    if calm and calm["tries"]:
        count = sum(len(attempt["found"]) for attempt in calm["tries"])
        lines.append(f"With no defect awake, in the same budgets: {count} finding{'s' if count != 1 else ''}.")
    for about, ids in load_notes():
        own = [result for result in awake if result["id"] in ids]
        found = sum(1 for result in own if first_found(result)[0])
        if own:
            lines += ["", f"{about} Found of these: {found} of {len(own)}."]
    lines += ["", "| id | defect | class | found by | run | after | faults | steps | fingerprint | library |",
              "|---|---|---|---|---|---|---|---|---|---|"]
    lines += ["| " + " | ".join(row_of(result, result["id"] in masks)).replace("\n", " ") + " |" for result in awake]
    lines += ["", "*run*, *after*: runs and time until the first finding; *faults*, *steps*: of the shrunk scenario;",
              "*library*: scenarios of the library that fail with the defect, one seed each."]
    if missed:
        lines += ["", "## Missed", ""]
        lines += [f"- {result['id']} `{result['name']}` ({result['file']}): {result['defect']}" for result in missed]
    if masked:
        lines += ["", "## Masked", ""]
        lines += [f"- {result['id']} `{result['name']}` ({result['file']}): {result['defect']} {masks[result['id']]}"
                  for result in masked]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def chosen(mutants, wanted):
    if not wanted:
        return [UNCHANGED, *mutants]
    for word in wanted:
        if not any(word in (str(m["id"]), m["name"], m["class"]) for m in [UNCHANGED, *mutants]):
            sys.exit(f"mutants: there is no defect, and no class, \"{word}\"")
    return [m for m in [UNCHANGED, *mutants] if {str(m["id"]), m["name"], m["class"]} & set(wanted)]


def run(options):
    explorations(options)
    mutants = load_mutants()
    if trouble := trouble_with(mutants):
        sys.exit("\n".join(trouble))
    todo = chosen(mutants, options.mutants)
    write_copy(mutants)
    build()
    if not options.no_digests:
        compare_digests()
    file = BUILD / "results.json"
    results = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    results = {key: value for key, value in results.items() if key in {str(m["id"]) for m in [UNCHANGED, *mutants]}}
    if not options.again:
        todo = [m for m in todo if str(m["id"]) not in results]
    lock = threading.Lock()

    def one(mutant):
        result = examine(mutant, options)
        with lock:
            results[str(mutant["id"])] = result
            file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
            print("  ".join(filter(None, row_of(result))), flush=True)

    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, min(options.jobs, 2))) as pool:
        for done in [pool.submit(one, mutant) for mutant in todo]:
            done.result()
    if not options.library_only:
        write_report(results, Path(options.report))
    calm = results.get("0", {"tries": []})
    if any(attempt["found"] for attempt in calm["tries"]):
        sys.exit("mutants: exploration found something with no defect awake: see build/mutants/explore")


def main():
    parser = argparse.ArgumentParser(prog="mutants.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check")
    runner = commands.add_parser("run")
    runner.add_argument("mutants", nargs="*", metavar="ID", help="ids, names or classes (default: all; 0: none awake)")
    runner.add_argument("--budget", default="60s", help="of each mode, or one for each: 60s,300s (default: 60s)")
    runner.add_argument("--modes", default="single+crash",
                        help="explorations, one after another until one finds something; `+` joins the modes of one")
    runner.add_argument("--jobs", type=int, default=2, help="defects at the same time, one core each; at most 2")
    runner.add_argument("--scenarios", nargs="+", default=["scenarios/library"], help="what is explored")
    runner.add_argument("--again", action="store_true", help="also those that are in build/mutants/results.json")
    runner.add_argument("--no-digests", action="store_true", help="do not compare the copy with the original first")
    runner.add_argument("--no-library", action="store_true", help="do not run the library with each")
    runner.add_argument("--library-only", action="store_true", help="only see what the library notices")
    runner.add_argument("--report", default=str(ROOT / "docs" / "mutants.md"), help="where the table is written")
    options = parser.parse_args()
    if options.command == "run":
        return run(options)
    mutants = load_mutants()
    trouble = trouble_with(mutants)
    print("\n".join(trouble) if trouble else f"{len(mutants)} mutants can be planted")
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main())

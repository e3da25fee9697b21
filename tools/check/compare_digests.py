#!/usr/bin/env python3
"""Compares the digests of the same runs made in different surroundings.

    compare_digests.py REFERENCE.json OTHER.json...

The files are results of `drover run --json`. Every run in an OTHER must be in the REFERENCE, with the same digest
and verdict; the REFERENCE may hold more (other files may be subsets). Exits 0 when all agree, 1 when one differs,
2 when a file cannot be read or holds no runs.
"""

import json
import sys


def load(path):
    """{(file, scenario, case, seed, world): (digest, verdict)}"""
    try:
        with open(path, encoding="utf-8") as stream:
            result = json.load(stream)
        runs = {(run.get("file", ""), run["scenario"], json.dumps(run.get("case", {}), sort_keys=True), run["seed"],
                 run.get("world", "sim")): (run["digest"], run["verdict"]) for run in result["runs"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"{path}: not a result of `drover run --json`: {error!r}") from None
    return runs


def name_of(key):
    file, scenario, case, seed, world = key
    return f"{scenario} {case if case != '{}' else ''} seed {seed} in {world} ({file})"


def main(paths):
    if len(paths) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        reference = load(paths[0])
        others = [(path, load(path)) for path in paths[1:]]
    except SystemExit as error:
        print(error, file=sys.stderr)
        return 2
    differences = 0
    for path, runs in others:
        if not runs:
            print(f"{path}: holds no runs: nothing was compared", file=sys.stderr)
            return 2
        for key, (digest, verdict) in runs.items():
            if key not in reference:
                print(f"{path}: {name_of(key)}: not in {paths[0]}")
            elif reference[key] != (digest, verdict):
                print(f"{path}: {name_of(key)}: {digest} {verdict}, but {reference[key][0]} {reference[key][1]} in "
                      f"{paths[0]}: find the first entry that differs with `drover run … --seed {key[3]} --trace`")
            else:
                continue
            differences += 1
        print(f"{path}: {len(runs)} runs compared with {paths[0]}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
"""Include directions between folders: what each may see, and no cycles.

base <- runtime <- ports <- model <- ops <- api. adapters, agent and mockcloud see ports and below. The scenario
engine sees all of these; only tools, tests and bench see everything.
"""

import posixpath

from source_text import cpp_files, includes, read_text, run

BELOW_MODEL = {"manager/base", "manager/runtime", "manager/ports"}
MANAGER = BELOW_MODEL | {"manager/model", "manager/ops", "manager/api"}
MOCKCLOUD = {"mockcloud/sim", "mockcloud/cloud", "mockcloud/node", "mockcloud/fault", "mockcloud/wire"}
EVERYTHING = None

# folder -> folders it may include from, beside itself. The longest matching prefix counts.
MAY_SEE = {
    "manager/base": set(),
    "manager/runtime": {"manager/base"},
    "manager/ports": {"manager/base", "manager/runtime"},
    "manager/model": BELOW_MODEL,
    "manager/ops": BELOW_MODEL | {"manager/model"},
    "manager/api": BELOW_MODEL | {"manager/model", "manager/ops"},
    "manager/system": {"manager/base"},
    "manager/adapters": BELOW_MODEL | {"manager/system"},
    "manager/agent": BELOW_MODEL | {"manager/system"},
    "mockcloud/sim": BELOW_MODEL | {"mockcloud/node"},
    "mockcloud/cloud": BELOW_MODEL | MOCKCLOUD,
    "mockcloud/node": BELOW_MODEL | MOCKCLOUD,
    "mockcloud/fault": BELOW_MODEL | MOCKCLOUD,
    "mockcloud/wire": BELOW_MODEL | MOCKCLOUD | {"manager/system"},
    "scenarios/engine": MANAGER | {"manager/adapters"} | MOCKCLOUD,
    # Runs scenarios on real servers: what serves them, and how they are asked and harmed; of the simulated
    # network what a rule is.
    "scenarios/local": MANAGER | {"manager/adapters", "manager/agent", "manager/system", "mockcloud/fault",
                                  "mockcloud/sim", "scenarios/engine"},
    # Runs scenarios with the drivers of real clouds in front of the mock cloud's wires.
    "scenarios/mock": MANAGER | {"manager/adapters", "manager/system", "scenarios/engine"} | MOCKCLOUD,
    # Runs scenarios on a real cloud, whose driver it is given.
    "scenarios/cloud": MANAGER | {"manager/adapters", "manager/system", "mockcloud/fault", "scenarios/engine",
                                  "scenarios/local"},
    "scenarios/explore": MANAGER | MOCKCLOUD | {"scenarios/engine"},
    "tools": EVERYTHING,
    "tests": EVERYTHING,
    "bench": EVERYTHING,
}
TOP_LEVEL = ("manager", "mockcloud", "scenarios", "bench", "tests", "tools")


def layer_of(path):
    """The row of MAY_SEE that a file belongs to, or None."""
    parts = path.split("/")[:-1]
    for length in range(len(parts), 0, -1):
        if "/".join(parts[:length]) in MAY_SEE:
            return "/".join(parts[:length])
    return None


def find_cycle(edges):
    """One cycle in {folder: {folder: place}} as a list of folders, first repeated at the end, or None."""
    done = set()

    def visit(folder, path):
        if folder in path:
            return path[path.index(folder):] + [folder]
        if folder in done:
            return None
        for other in sorted(edges.get(folder, {})):
            if found := visit(other, path + [folder]):
                return found
        done.add(folder)
        return None

    for folder in sorted(edges):
        if found := visit(folder, []):
            return found
    return None


def check(root, report):
    files = cpp_files(root)
    known = set(files)
    edges = {}
    for name in files:
        if name.split("/")[0] not in TOP_LEVEL:
            continue
        layer = layer_of(name)
        if layer is None:
            report.add(name, 1, f"folder {posixpath.dirname(name)} has no place among the layers",
                       "move the file, or give the folder a row in tools/check/layers.py")
            continue
        for line, path, quoted in includes(read_text(root / name) or ""):
            if path.split("/")[0] not in TOP_LEVEL:
                if quoted and posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) in known:
                    report.add(name, line, f'"{path}" is included by a relative path',
                               "include by the path from the top of the checkout")
                continue
            target = layer_of(path)
            if target is None or target == layer:
                continue
            seen = MAY_SEE[layer]
            if seen is not EVERYTHING:
                edges.setdefault(layer, {}).setdefault(target, (name, line))
                if target not in seen:
                    allowed = ", ".join(sorted(seen)) or "nothing else"
                    report.add(name, line, f"{layer} must not see {target}",
                               f"turn the dependency round or put a port between ({layer} may see: {allowed})")
    if cycle := find_cycle(edges):
        name, line = edges[cycle[0]][cycle[1]]
        report.add(name, line, "folders include each other: " + " -> ".join(cycle),
                   "move what both need into a folder below them")


if __name__ == "__main__":
    run(check, __doc__)

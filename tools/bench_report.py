#!/usr/bin/env python3
"""The readable report of `tools/dev bench`: build/bench/report.md and report.html from build/bench/*.json.

Reads micro.json (Google Benchmark, several repetitions) and http.json (bench/peers/http_vs_nginx.py), sets them
against the recorded bench/baseline.json and the goals below, and says of every figure that is missing that it is.
--record writes the figures measured now as the new baseline (figures not measured now keep their old one).
"""
import argparse
import datetime
import html
import json
import os
import platform
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# (figure, from benchmark, field, text, unit, better, goal); field "time" is the wall time of one iteration.
GOALS = [
    ("timer_events_1", "timer_events/coroutines/1", "items_per_second", "timer events, 1 coroutine", "/s", "more",
     15e6),
    ("timer_events_10000", "timer_events/coroutines/10000", "items_per_second", "timer events, 10,000 coroutines",
     "/s", "more", 1.5e6),
    ("scenarios", "scenario/three_nodes_traffic", "items_per_second",
     "scenarios: 3 nodes, master, 2 slaves, 10 min of traffic; one core", "/s", "more", 200),
    ("simulated_hours", "scenario/three_nodes_traffic", "simulated_hours_per_s",
     "simulated hours per second of wall time; one core", "h/s", "more", 25),
    ("events_per_scenario", "scenario/three_nodes_traffic", "events_per_scenario", "events per scenario", "", None,
     None),
    ("network_scenarios", "scenario/network_and_clients", "items_per_second",
     "scenarios with network, clients and a switchover; one core", "/s", "more", 200),
    ("network_hours", "scenario/network_and_clients", "simulated_hours_per_s",
     "simulated hours per second with network and clients; one core", "h/s", "more", 25),
    ("network_events", "scenario/network_and_clients", "events_per_scenario",
     "events per scenario with network and clients", "", None, None),
    ("http_get_service_info", "http/get_service_info", "ratio", "API over loopback: get_service_info, against nginx",
     "x nginx", "more", 0.5),
    ("http_list_nodes", "http/list_nodes", "ratio", "API over loopback: list_nodes, against nginx", "x nginx", "more",
     0.5),
    ("manager_memory", "manager_memory/nodes/10000/iterations:1", "bytes_per_node",
     "memory of the manager per node, 10,000 nodes", "B", "less", 4096),
    ("add_nodes", "add_nodes/world/10000", "time", "add_nodes count=10,000 until all are registered", "s", "less", 2),
    ("add_nodes_growth", None, None, "time per node of add_nodes, 10,000 nodes against 1,000", "x", "less", 2),
]
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
ORDINARY = {"name", "run_name", "run_type", "family_index", "per_family_instance_index", "repetitions",
            "repetition_index", "threads", "iterations", "real_time", "cpu_time", "time_unit", "items_per_second",
            "bytes_per_second", "label", "error_occurred", "error_message", "aggregate_name", "aggregate_unit"}


class Figure:
    """One measured quantity: its samples, one a run."""

    def __init__(self, key, text, unit, better, goal, samples, trouble=""):
        self.key, self.text, self.unit, self.better, self.goal = key, text, unit, better, goal
        self.samples, self.trouble = samples, trouble

    @property
    def median(self):
        return statistics.median(self.samples) if self.samples else None

    def verdict(self):
        if not self.samples:
            return "missing"
        if self.goal is None:
            return ""
        met = self.median >= self.goal if self.better == "more" else self.median <= self.goal
        return "met" if met else "MISSED"


def read_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None
    except ValueError as error:
        sys.exit(f"tools/bench_report.py: {path} is no JSON: {error}. Remove it, or measure again.")


def collect(micro, http):
    """{benchmark: {field: [samples]}} and {benchmark: why it failed}."""
    fields, troubles = {}, {}
    for run in (micro or {}).get("benchmarks", []):
        if run.get("run_type") != "iteration":
            continue
        name = run.get("run_name", run["name"])
        if run.get("error_occurred"):
            troubles[name] = run.get("error_message", "failed")
            continue
        mine = fields.setdefault(name, {})
        mine.setdefault("time", []).append(run["real_time"] * SECONDS[run["time_unit"]])
        for field, value in run.items():
            if field == "items_per_second" or (field not in ORDINARY and isinstance(value, (int, float))):
                mine.setdefault(field, []).append(value)
    for result in (http or {}).get("results", []):
        fields[result["name"]] = {"ratio": result["ratios"], "processor_ratio": result["processor_ratios"],
                                  "requests_per_second": result["drover"],
                                  "nginx_requests_per_second": result["nginx"], "p99_ms": result["drover_p99_ms"],
                                  "nginx_p99_ms": result["nginx_p99_ms"],
                                  "processor_us": result["drover_processor_us"],
                                  "nginx_processor_us": result["nginx_processor_us"]}
    for name in ("skipped", "failed"):
        if http and name in http:
            for method in ("get_service_info", "list_nodes"):
                troubles[f"http/{method}"] = f"{name}: {http[name]}"
    return fields, troubles


def growth(fields):
    few = fields.get("add_nodes/world/1000", {}).get("items_per_second")
    many = fields.get("add_nodes/world/10000", {}).get("items_per_second")
    if not few or not many:
        return []
    return [statistics.median(few) / rate for rate in many]


def figures_of(fields, troubles):
    goals = []
    for key, name, field, text, unit, better, goal in GOALS:
        samples = growth(fields) if name is None else fields.get(name, {}).get(field, [])
        goals.append(Figure(key, text, unit, better, goal, samples, troubles.get(name, "")))
    others = []
    for name in sorted(set(fields) | set(troubles)):
        if name in troubles and name not in fields:
            others.append(Figure(name, name, "", None, None, [], troubles[name]))
            continue
        for field, samples in fields[name].items():
            if field == "time" and "items_per_second" in fields[name] and not name.startswith("add_nodes"):
                continue
            unit, better = unit_of(field)
            others.append(Figure(f"{name}:{field}", f"{name} {field.replace('_', ' ')}", unit, better, None, samples))
    return goals, others


def unit_of(field):
    if field == "time":
        return "s", "less"
    if field.endswith("_per_second") or field.endswith("_per_s"):
        return "/s", "more"
    if field.endswith("ratio"):
        return "x nginx", "more"
    for unit in ("ms", "us"):
        if field.endswith(f"_{unit}"):
            return unit, "less"
    return "", None


def number(value):
    if value is None:
        return "-"
    magnitude = abs(value)
    if magnitude >= 1e6:
        return f"{value / 1e6:,.2f} M"
    if magnitude >= 1000:
        return f"{value:,.0f}"
    if magnitude >= 10:
        return f"{value:.1f}"
    if magnitude >= 0.1:
        return f"{value:.2f}"
    return f"{value:.2e}" if magnitude else "0"


def ratio_text(figure, baseline):
    known = baseline.get("figures", {}).get(figure.key)
    if known is None:
        return "no baseline"
    if not figure.samples or not known["median"]:
        return "-"
    ratio = figure.median / known["median"]
    if figure.better is None:
        return f"{ratio:.2f}"
    better = ratio >= 1 if figure.better == "more" else ratio <= 1
    slight = 0.95 <= ratio <= 1.05
    return f"{ratio:.2f}" + ("" if slight else " better" if better else " WORSE")


def goal_text(figure):
    if figure.goal is None:
        return ""
    return ("≥ " if figure.better == "more" else "≤ ") + f"{number(figure.goal)} {figure.unit}".rstrip()


def row(figure, baseline, with_goal):
    if figure.samples:
        spread = [number(min(figure.samples)), number(figure.median), number(max(figure.samples))]
    else:
        spread = ["", f"missing: {figure.trouble or 'not measured in this run'}", ""]
    cells = [figure.text, *spread, figure.unit, str(len(figure.samples)), ratio_text(figure, baseline)]
    if with_goal:
        cells += [goal_text(figure), figure.verdict()]
    return cells


def output_of(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=30)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine() or "unknown"


def cache_entry(build, name):
    try:
        with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as file:
            for line in file:
                if line.startswith(name + ":"):
                    return line.split("=", 1)[1].strip()
    except OSError:
        pass
    return ""


def compiler(build):
    version = ""
    program = cache_entry(build, "CMAKE_CXX_COMPILER")
    if program:
        version = output_of(program, "--version").split("\n")[0]
    flags = cache_entry(build, "CMAKE_CXX_FLAGS_RELEASE")
    return f"{version or 'unknown'} {flags}".strip()


def commit():
    git = ("git", "-c", f"safe.directory={ROOT}")
    name = output_of(*git, "rev-parse", "--short=12", "HEAD")
    changed = output_of(*git, "status", "--porcelain", "--untracked-files=no")
    return (name or "unknown") + (" with uncommitted changes" if changed else "")


def circumstances(micro, build):
    context = (micro or {}).get("context", {})
    load = ", ".join(f"{value:.1f}" for value in context.get("load_avg", []))
    return [("cores", str(os.cpu_count())), ("processor", processor()),
            ("kernel", f"{platform.system()} {platform.release()}"), ("compiler", compiler(build)),
            ("commit", commit()), ("measured", context.get("date", "unknown")),
            ("load when it began", load or "unknown")]


HEAD = ["figure", "min", "median", "max", "unit", "runs", "to baseline"]


def markdown(facts, tables, notes):
    lines = ["# Benchmarks", ""]
    lines += [f"- {name}: {value}" for name, value in facts]
    lines += [f"- {note}" for note in notes]
    for title, head, rows in tables:
        lines += ["", f"## {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in rows]
    return "\n".join(lines) + "\n"


STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:75em;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse;margin:1em 0;width:100%}th,td{padding:.3em .7em;border-bottom:1px solid #ddd}
td{text-align:right;font-variant-numeric:tabular-nums}td:first-child,th:first-child{text-align:left}th{text-align:right}
.met{color:#17692f}.MISSED,.worse{color:#a61b1b;font-weight:bold}.missing{color:#8a5a00}
dl{display:grid;grid-template-columns:max-content auto;gap:.1em 1em}dt{color:#666}dd{margin:0}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}th,td{border-color:#444}.met{color:#6c6}
.MISSED,.worse{color:#f88}.missing{color:#fc6}}"""


def cell_class(cell):
    if cell in ("met", "MISSED", "missing"):
        return cell
    if cell.endswith("WORSE"):
        return "worse"
    return "missing" if cell.startswith("missing") else ""


def page(facts, tables, notes):
    out = ["<!doctype html><html lang=en><meta charset=utf-8><title>drover benchmarks</title>",
           f"<style>{STYLE}</style><h1>Benchmarks</h1><dl>"]
    out += [f"<dt>{html.escape(name)}<dd>{html.escape(value)}" for name, value in facts]
    out.append("</dl>")
    out += [f"<p>{html.escape(note)}" for note in notes]
    for title, head, rows in tables:
        out.append(f"<h2>{html.escape(title)}</h2><table><tr>" + "".join(f"<th>{html.escape(h)}" for h in head))
        for cells in rows:
            out.append("<tr>" + "".join(f'<td class="{cell_class(c)}">{html.escape(c)}' for c in cells))
        out.append("</table>")
    return "\n".join(out) + "</html>\n"


def record(path, figures, facts, old):
    kept = dict(old.get("figures", {}))
    for figure in figures:
        if figure.samples:
            kept[figure.key] = {"median": figure.median, "min": min(figure.samples), "max": max(figure.samples),
                                "runs": len(figure.samples)}
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"recorded_on": dict(facts), "figures": dict(sorted(kept.items()))}, file, indent=1)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", default=os.path.join(ROOT, "build/bench"), help="where the JSON files are")
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"), help="the build that was measured")
    parser.add_argument("--baseline", default=os.path.join(ROOT, "bench/baseline.json"))
    parser.add_argument("--record", action="store_true", help="make the figures the new baseline")
    options = parser.parse_args()

    micro = read_json(os.path.join(options.results, "micro.json"))
    http = read_json(os.path.join(options.results, "http.json"))
    if micro is None and http is None:
        sys.exit(f"tools/bench_report.py: there are no results in {options.results}. Run: tools/dev bench")
    baseline = read_json(options.baseline) or {}
    goals, others = figures_of(*collect(micro, http))
    facts = circumstances(micro, options.build)

    notes = []
    if baseline:
        machine = baseline.get("recorded_on", {})
        notes.append(f"The baseline was recorded on {machine.get('cores', '?')} cores of "
                     f"{machine.get('processor', '?')}, commit {machine.get('commit', '?')}. \"To baseline\" is this "
                     "run's median divided by the baseline's.")
    else:
        notes.append("There is no baseline: tools/dev bench --record makes one.")
    missing = [figure.text for figure in goals if not figure.samples]
    if missing:
        notes.append(f"{len(missing)} of {len(goals)} figures with a goal are missing: " + "; ".join(missing) + ".")
    tables = [("Goals", HEAD + ["goal", ""], [row(figure, baseline, True) for figure in goals]),
              ("All figures", HEAD, [row(figure, baseline, False) for figure in others])]
    report = os.path.join(options.results, "report.md")
    with open(report, "w", encoding="utf-8") as file:
        file.write(markdown(facts, tables, notes))
    with open(os.path.join(options.results, "report.html"), "w", encoding="utf-8") as file:
        file.write(page(facts, tables, notes))
    if options.record:
        record(options.baseline, goals + others, facts, baseline)
        print(f"baseline: {os.path.relpath(options.baseline)}")
    for figure in goals:
        if figure.samples and figure.goal is not None:
            print(f"{figure.verdict():7} {figure.text}: {number(figure.median)} {figure.unit} "
                  f"(goal {goal_text(figure)})")
        elif not figure.samples:
            print(f"missing {figure.text}: {figure.trouble or 'not measured in this run'}")
    print(f"report: {os.path.relpath(report)} and {os.path.relpath(report)[:-3]}.html")


if __name__ == "__main__":
    main()

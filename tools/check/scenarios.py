#!/usr/bin/env python3
"""Every scenario file is valid, as `drover run --check` sees it. Skipped while that is not built."""

import subprocess

from source_text import run


def check(root, report):
    binary = root / "build/release/drover"
    if not binary.exists():
        print("scenarios: skipped: build/release/drover is not built (tools/dev build)")
        return
    about = subprocess.run([binary, "run", "--help"], capture_output=True, text=True, check=False)
    if about.returncode != 0 or "--check" not in about.stdout:
        print("scenarios: skipped: this drover has no `run --check`")
        return
    folders = [name for name in ("scenarios/library", "scenarios/regressions") if (root / name).is_dir()]
    if not folders:
        print("scenarios: skipped: there are no scenario files yet")
        return
    said = subprocess.run([binary, "run", "--check", *folders], cwd=root, capture_output=True, text=True, check=False)
    if said.returncode != 0:
        print(said.stdout + said.stderr, end="")
        report.findings += 1


if __name__ == "__main__":
    run(check, __doc__)

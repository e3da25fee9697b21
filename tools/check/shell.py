#!/usr/bin/env python3
"""Shell scripts pass shellcheck."""

import re
import shutil
import subprocess
import sys

from source_text import read_text, run, tracked_files

FINDING = re.compile(r"^(.*?):(\d+):\d+: \w+: (.*)$", re.MULTILINE)


def check(root, report):
    scripts = [name for name in tracked_files(root)
               if name.endswith((".sh", ".bash")) or re.match(r"#!.*\b(ba)?sh\b", (read_text(root / name) or "")[:80])]
    if not scripts:
        return
    if shutil.which("shellcheck") is None:
        print("shell: shellcheck is not installed: apt-get install shellcheck", file=sys.stderr)
        report.findings += 1
        return
    said = subprocess.run(["shellcheck", "--format=gcc", "--external-sources", *scripts], cwd=root,
                          capture_output=True, text=True, check=False)
    for name, line, message in FINDING.findall(said.stdout):
        report.add(name, int(line), "shellcheck", message)
    if said.returncode != 0 and not said.stdout:
        print(said.stderr, file=sys.stderr)
        report.findings += 1


if __name__ == "__main__":
    run(check, __doc__)

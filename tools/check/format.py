#!/usr/bin/env python3
"""C++ files are as clang-format 14 writes them; other text files end in one newline and lines in no blanks.

With --fix both are mended. The version is fixed because versions differ in what they write.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from source_text import Report, arguments, cpp_files, read_text, tracked_files

TEXT = re.compile(r"(\.md|\.py|\.sh|\.cmake|\.json|\.ya?ml|CMakeLists\.txt)$|^tools/dev$|^\.ci/run$|^\.clang-\w+$")
RECORDED = re.compile(r"(^|/)(data|golden|recorded|corpus|baselines?)/")  # kept byte for byte
FINDING = re.compile(r"^(.*?):(\d+):\d+: (?:error|warning): ", re.MULTILINE)


def clang_format():
    for program in ("clang-format-14", "clang-format"):
        if path := shutil.which(program):
            version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
            if re.search(r"version 14\.", version):
                return path
    return None


def check_cpp(root, report, fix):
    program = clang_format()
    if program is None:
        print("format: clang-format 14 is not installed: apt-get install clang-format-14 (or tools/dev check)",
              file=sys.stderr)
        report.findings += 1
        return
    files = cpp_files(root)
    for start in range(0, len(files), 50):
        some = files[start:start + 50]
        if fix:
            subprocess.run([program, "-i", *some], cwd=root, check=True)
            continue
        said = subprocess.run([program, "--dry-run", "--Werror", *some], cwd=root, capture_output=True, text=True,
                              check=False)
        seen = {}
        for name, line in FINDING.findall(said.stderr):
            seen.setdefault(name, []).append(int(line))
        for name, lines in sorted(seen.items()):
            report.add(name, min(lines), f"not formatted ({len(set(lines))} lines)", "tools/dev fix")
        if said.returncode != 0 and not seen:
            print(said.stderr, file=sys.stderr)
            report.findings += 1


def check_text(root, report, fix):
    for name in tracked_files(root):
        if not TEXT.search(name) or RECORDED.search(name):
            continue
        text = read_text(root / name)
        if not text:
            continue
        mended = re.sub(r"[ \t\r]+$", "", text, flags=re.MULTILINE).rstrip("\n") + "\n"
        if mended == text:
            continue
        if fix:
            Path(root / name).write_bytes(mended.encode())
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                report.add(name, number, "blanks at the end of the line", "tools/dev fix")
        if text.rstrip("\n") + "\n" != text:
            report.add(name, text.count("\n") or 1, "does not end in exactly one newline", "tools/dev fix")


def main():
    options = arguments(__doc__, fix=True)
    root = Path(options.root)
    report = Report(root)
    check_cpp(root, report, options.fix)
    check_text(root, report, options.fix)
    sys.exit(report.exit_code())


if __name__ == "__main__":
    main()

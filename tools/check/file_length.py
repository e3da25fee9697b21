#!/usr/bin/env python3
"""Names the source files over 500 lines. A note, never a failure: a file should fit one idea."""

from source_text import CPP_SUFFIXES, read_text, run, tracked_files

LINES_MAX = 500


def check(root, _report):
    for name in tracked_files(root):
        if name.endswith(CPP_SUFFIXES + (".py", ".sh")) or name in ("tools/dev", ".ci/run"):
            lines = (read_text(root / name) or "").count("\n")
            if lines > LINES_MAX:
                print(f"{name}:1: note: {lines} lines: consider one file per idea (most stay under 400)")


if __name__ == "__main__":
    run(check, __doc__)

#!/usr/bin/env python3
"""No private keys, no cloud credentials and no paths of one person's machine in tracked files."""

import re

from source_text import read_text, run, tracked_files

NOT_IN_A_PATH = r"(?<![\w.$})\]*~-])"
MACHINE = "use a path relative to the checkout, or a temporary folder"
REVOKE = "remove it and revoke it: it has to count as known"

# Written so that this file does not match itself.
PATTERNS = [
    (NOT_IN_A_PATH + r"/(?:work)/", "path of one machine", MACHINE),
    (NOT_IN_A_PATH + r"/(?:root)/", "path of one machine", MACHINE),
    (NOT_IN_A_PATH + r"/home/(?!user/|USER/)\w+/", "path of one machine", MACHINE),
    (r"-----BEGIN [A-Z ]*PRIVATE[ ]KEY", "private key", REVOKE),
    (r"\b(?:AKIA|ASIA)(?!\w*EXAMPLE)[0-9A-Z]{16}\b", "AWS access key", REVOKE),
    (r"\bgh[pousr]_[A-Za-z0-9]{36}\b", "GitHub token", REVOKE),
]


def check(root, report):
    for name in tracked_files(root):
        text = read_text(root / name)
        if text is None:
            continue
        for pattern, what, mend in PATTERNS:
            for found in re.finditer(pattern, text):
                report.add(name, text.count("\n", 0, found.start()) + 1, f"{what} ({found.group(0)[:20]}…)", mend)


if __name__ == "__main__":
    run(check, __doc__)

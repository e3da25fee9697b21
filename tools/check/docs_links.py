#!/usr/bin/env python3
"""Relative links in *.md lead to tracked files and folders, and their #anchors to headings."""

import posixpath
import re
from urllib.parse import unquote

from source_text import read_text, run, tracked_files

LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)>?")
OUTSIDE = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*:|^//")


def lines_outside_code(text):
    """(line number, line without inline code) outside fenced blocks."""
    fence = None
    for number, line in enumerate(text.split("\n"), 1):
        if found := re.match(r"\s*(```+|~~~+)", line):
            if fence is None:
                fence = found.group(1)[:3]
            elif found.group(1).startswith(fence):
                fence = None
            continue
        if fence is None:
            yield number, line


def without_inline_code(line):
    return re.sub(r"(`+)(?:(?!\1).)*\1", "", line)


def anchors(text):
    """The anchors that GitHub makes of a file's headings, and explicit ones."""
    found = set()
    for _, line in lines_outside_code(text):
        if heading := re.match(r"#{1,6}\s+(.*?)\s*#*\s*$", line):
            title = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading.group(1))
            slug = re.sub(r"[^\w\- ]", "", title.lower().replace("`", "")).replace(" ", "-")
            number, unique = 0, slug
            while unique in found:
                number += 1
                unique = f"{slug}-{number}"
            found.add(unique)
        found |= set(re.findall(r"<a\s+(?:name|id)=\"([^\"]+)\"", line))
    return found


def check(root, report):
    files = set(tracked_files(root))
    folders = {""}
    for name in files:
        parts = name.split("/")
        folders |= {"/".join(parts[:length]) for length in range(1, len(parts))}
    for name in sorted(f for f in files if f.endswith(".md")):
        text = read_text(root / name) or ""
        for number, line in lines_outside_code(text):
            line = without_inline_code(line)
            targets = LINK.findall(line) + DEFINITION.findall(line)
            for target in targets:
                if OUTSIDE.match(target):
                    continue
                path, _, anchor = unquote(target).partition("#")
                if path.startswith("/"):
                    report.add(name, number, f"link to '{target}' starts at the root", "link relative to this file")
                    continue
                full = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
                full = "" if full == "." else full
                if full not in files and full not in folders:
                    report.add(name, number, f"link to '{target}' leads nowhere",
                               "mend the path, or add the file to git")
                elif anchor and full.endswith(".md") and anchor.lower() not in anchors(read_text(root / full) or ""):
                    report.add(name, number, f"'{full}' has no heading for '#{anchor}'", "mend the anchor")


if __name__ == "__main__":
    run(check, __doc__)

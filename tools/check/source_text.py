"""What every check shares: the tracked files, C++ text without comments and literals, and findings.

A check is a script `NAME.py [--root DIR] [--fix]`. It prints `file:line: what: how to mend` for every finding and
exits 1 when there is one. A line that ends in a comment `drover-allow: <reason>` is left alone; the reason is
required.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

CPP_SUFFIXES = (".cpp", ".hpp", ".cc", ".hh", ".h", ".ipp")
ALLOW = re.compile(r"drover-allow:\s*\S.*$")


def tracked_files(root):
    """Paths relative to `root`, sorted: what git tracks there, or every file when `root` is not a checkout."""
    root = Path(root)
    if (root / ".git").exists():
        listed = subprocess.run(["git", "-C", str(root), "-c", f"safe.directory={root}", "ls-files", "-z"],
                                check=True, capture_output=True, text=True).stdout
        names = [name for name in listed.split("\0") if name]
    else:
        names = []
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(f for f in folders if f not in ("build", ".cache", "__pycache__"))
            names += [os.path.relpath(os.path.join(folder, file), root) for file in files]
    return sorted(name for name in names if (root / name).is_file())


def cpp_files(root):
    return [name for name in tracked_files(root) if name.endswith(CPP_SUFFIXES)]


def read_text(path):
    """The file's text, or None when it is binary."""
    data = Path(path).read_bytes()
    if b"\0" in data:
        return None
    return data.decode("utf-8", errors="replace")


RAW_STRING = re.compile(r'(?:u8|[uUL])?R"([^()\\\s]{0,16})\(')


def blank_comments(text, keep_strings=False):
    """`text` with comments, and unless `keep_strings` the insides of literals, turned into spaces.

    Every other character keeps its offset, and line ends stay, so offsets still give line numbers.
    """
    out = []
    at = 0
    end = len(text)

    def blank(piece):
        out.append(re.sub(r"[^\n]", " ", piece))

    while at < end:
        character = text[at]
        if text.startswith("//", at):
            stop = text.find("\n", at)
            stop = end if stop < 0 else stop
            blank(text[at:stop])
        elif text.startswith("/*", at):
            stop = text.find("*/", at + 2)
            stop = end if stop < 0 else stop + 2
            blank(text[at:stop])
        elif character in "RuUL" and not (at and (text[at - 1].isalnum() or text[at - 1] == "_")) and \
                (raw := RAW_STRING.match(text, at)):
            close = ")" + raw.group(1) + '"'
            stop = text.find(close, raw.end())
            stop = end if stop < 0 else stop + len(close)
            if keep_strings:
                out.append(text[at:stop])
            else:
                out.append('"')
                blank(text[at + 1:stop - 1])
                out.append('"')
        elif character == "'" and at and text[at - 1].isalnum() and text[at + 1:at + 2].isalnum():
            out.append("'")  # a digit separator: 10'000
            stop = at + 1
        elif character in "\"'":
            stop = at + 1
            while stop < end and text[stop] not in (character, "\n"):
                stop += 2 if text[stop] == "\\" else 1
            stop = min(stop + 1, end)
            if keep_strings:
                out.append(text[at:stop])
            else:
                out.append(character)
                blank(text[at + 1:stop - 1])
                out.append(text[stop - 1] if stop - 1 > at else "")
        else:
            out.append(character)
            stop = at + 1
        at = stop
    return "".join(out)


INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def includes(text):
    """(line, path, quoted) of every #include outside comments."""
    for found in INCLUDE.finditer(blank_comments(text, keep_strings=True)):
        yield text.count("\n", 0, found.start()) + 1, found.group(2), found.group(1) == '"'


class Report:
    """Collects findings of one check."""

    def __init__(self, root):
        self.root = Path(root)
        self.findings = 0
        self._lines = {}

    def allowed(self, name, line):
        if name not in self._lines:
            text = read_text(self.root / name) or ""
            self._lines[name] = text.split("\n")
        lines = self._lines[name]
        return 0 < line <= len(lines) and ALLOW.search(lines[line - 1]) is not None

    def add(self, name, line, what, mend):
        if self.allowed(name, line):
            return
        self.findings += 1
        print(f"{name}:{line}: {what}: {mend}")

    def exit_code(self):
        return 1 if self.findings else 0


def arguments(description, fix=False):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", default=str(Path(__file__).resolve().parents[2]),
                        help="the checkout to look at (default: this one)")
    if fix:
        parser.add_argument("--fix", action="store_true", help="mend what can be mended")
    return parser.parse_args()


def run(check, description):
    """The main() of a check that cannot mend: check(root, report)."""
    options = arguments(description)
    report = Report(options.root)
    check(Path(options.root), report)
    sys.exit(report.exit_code())

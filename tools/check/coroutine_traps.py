#!/usr/bin/env python3
"""Forms that g++ 12 compiles wrongly in an expression holding co_await (objects destroyed twice, no warning), and
two that no compiler can make right.

A heuristic over statements, not a parser: it knows blocks, lambda bodies and brackets. Where it is wrong, name the
part as a local first; the code is clearer for it.
"""

import re

from source_text import blank_comments, cpp_files, read_text, run

# Braces around these hold nothing that could be destroyed twice.
TRIVIAL = {"Duration", "TimePoint", "int", "unsigned", "bool", "double", "char", "long", "size_t", "nanoseconds",
           "microseconds", "milliseconds", "seconds", "minutes", "hours", "string_view", "monostate", "nullopt"}
TRIVIAL |= {f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)}

BLOCK_WORDS = {"else", "do", "try", "const", "noexcept", "override", "final", "mutable", "constexpr", "requires"}
SCOPE_START = re.compile(r"(?:^|[;{}\s])(namespace|struct|class|union|enum|concept|extern)\b[^;{}()]*$")
TRAILING_RETURN = re.compile(r"->\s*(?:const\s+)?[\w:]+(?:\s*<[^{};]*>)?(?:::\w+)?\s*[&*]*\s*$")


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def match_brackets(text):
    """{open offset: close offset} and the reverse, for (), [] and {}."""
    pairs, stack = {}, []
    closing = {")": "(", "]": "[", "}": "{"}
    for at, character in enumerate(text):
        if character in "([{":
            stack.append(at)
        elif character in closing:
            while stack and text[stack[-1]] != closing[character]:
                stack.pop()
            if stack:
                start = stack.pop()
                pairs[start], pairs[at] = at, start
    return pairs


def opens_block(text, at, statement_start):
    """Whether the '{' at `at` opens a block (statements), rather than an initialiser."""
    before = text[max(statement_start, at - 400):at].rstrip()
    if not before or before[-1] in ";{}":
        return True
    if before[-1] == ")" or SCOPE_START.search(before) or TRAILING_RETURN.search(before):
        return True
    if before[-1] == "]":  # a lambda without parameters, or an array: int a[] {1}
        return not re.search(r"\w\s*\[[^\[\]]*\]$", before)
    if before[-1] == ":" and not before.endswith("::"):  # a label
        return True
    word = re.search(r"(\w+)$", before)
    return word is not None and word.group(1) in BLOCK_WORDS


class Source:
    """One file cut into statements. `blocks` are the offsets of braces that open or close a block."""

    def __init__(self, text):
        # Preprocessor lines hold no statements.
        self.text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text,
                           flags=re.MULTILINE)
        self.pairs = match_brackets(self.text)
        self.blocks = set()
        start = 0
        for found in re.finditer(r"[;{}]", self.text):
            at = found.start()
            if found.group(0) == "{":
                if not opens_block(self.text, at, start):
                    continue
                self.blocks.add(at)
                if at in self.pairs:
                    self.blocks.add(self.pairs[at])
            elif found.group(0) == "}" and at not in self.blocks:
                continue
            start = at + 1

    def statement(self, at):
        """(start, end) of the full expression or statement around `at`, nested blocks included."""
        text = self.text
        start = at
        while start > 0:
            previous = start - 1
            character = text[previous]
            if character == ";":
                break
            if character == "}" and previous in self.blocks:
                opened = self.pairs.get(previous)
                # A lambda's body inside the expression is stepped over; any other block ends the search.
                if opened is None or not self.is_lambda_body(opened):
                    break
                start = opened
                continue
            if character == "{" and previous in self.blocks:
                break
            start = previous
        end = at
        while end < len(text):
            character = text[end]
            if character == ";":
                break
            if end in self.blocks:
                if character == "}":
                    break
                if not self.is_lambda_body(end):
                    break
                end = self.pairs.get(end, end)
            end += 1
        return start, end

    def is_lambda_body(self, opened):
        """Whether the block opened at `opened` is the body of a lambda."""
        before = self.text[:opened].rstrip()
        before = TRAILING_RETURN.sub("", before).rstrip()
        while (word := re.search(r"\b(mutable|noexcept|constexpr)$", before)):
            before = before[:word.start()].rstrip()
        if before.endswith(")"):
            before = before[:self.pairs.get(len(before) - 1, 0)].rstrip()
        if not before.endswith("]"):
            return False
        start = self.pairs.get(len(before) - 1)
        return start is not None and self.opens_lambda(start)

    def opens_lambda(self, at):
        """Whether the '[' at `at` starts a lambda's captures: not an index, not an attribute."""
        before = self.text[:at].rstrip()
        if self.text[at + 1:at + 2] == "[" or before.endswith("["):
            return False
        if not before:
            return True
        if before[-1] in ")]" or before[-1] == '"':
            return False
        word = re.search(r"(\w+)$", before)
        return word is None or word.group(1) in ("return", "co_return", "co_await", "co_yield")

    def without_blocks(self, start, end):
        """The text of [start, end) with the insides of nested blocks blanked; offsets stay."""
        piece = list(self.text[start:end])
        at = start
        while at < end:
            if self.text[at] == "{" and at in self.blocks:
                close = min(self.pairs.get(at, end), end)
                for inside in range(at + 1, close):
                    if piece[inside - start] != "\n":
                        piece[inside - start] = " "
                at = close
            at += 1
        return "".join(piece)


CONTROL = re.compile(r"\s*(?:else\s+)?(?:if\s+constexpr|if|while|for|switch)\s*\(")


def full_expressions(source, start, end):
    """(start, end) pieces of a statement: the heads of if, while, for, switch apart from what they govern."""
    pieces = []
    while (head := CONTROL.match(source.text, start, end)):
        opened = head.end() - 1
        closed = source.pairs.get(opened, end)
        if closed >= end:
            return pieces + [(opened + 1, end)]
        pieces.append((opened + 1, closed))
        start = closed + 1
    return pieces + [(start, end)]


def split_captures(text):
    found, depth, piece = [], 0, ""
    for character in text:
        depth += character in "([{<"
        depth -= character in ")]}>"
        if character == "," and depth == 0:
            found.append(piece.strip())
            piece = ""
        else:
            piece += character
    return [part for part in found + [piece.strip()] if part]


def by_value(capture):
    return not (capture.startswith("&") or capture == "this")


def check_expression(report, name, source, start, end):
    text = source.without_blocks(start, end)
    if "co_await" not in text:
        return

    def add(offset, what, mend):
        report.add(name, line_of(source.text, start + offset), what, mend)

    if (found := text.find("?")) >= 0:
        add(found, "'?:' in an expression with co_await (g++ 12 destroys its operands twice)",
            "choose into a local first, then await")
    for found in re.finditer(r"\{", text):
        at = start + found.start()
        if at in source.blocks:
            continue
        before = text[:found.start()].rstrip()
        kind = re.search(r"([\w:]+)(?:\s*<[^;{}]*>)?$", before)
        type_name = kind.group(1).split("::")[-1] if kind else ""
        if type_name in TRIVIAL:
            continue
        closed = source.pairs.get(at, end)
        declares = re.search(r"[\w>&*]\s+\w+$", before) and not re.search(r"\b(co_await|co_return|return)\s+[\w:]+$",
                                                                            before)
        if declares and "co_await" not in source.text[at:closed]:
            continue  # the declared variable of a range-for or an init-statement
        add(found.start(), f"braces of '{type_name or '{…}'}' in an expression with co_await (g++ 12 destroys the "
            "aggregate twice)", "name it as a local first, then await")
    for found in re.finditer(r"\[", text):
        at = start + found.start()
        if not source.opens_lambda(at) or at not in source.pairs:
            continue
        values = [c for c in split_captures(source.text[at + 1:source.pairs[at]]) if by_value(c)]
        if values:
            add(found.start(), f"a lambda that captures '{values[0]}' by value in an expression with co_await "
                "(g++ 12 destroys the capture twice)", "name the lambda as a local first, then await")


def check_catch(report, name, source):
    for found in re.finditer(r"\bcatch\s*\(", source.text):
        closed = source.pairs.get(found.end() - 1)
        if closed is None:
            continue
        opened = re.match(r"\s*\{", source.text[closed + 1:])
        if not opened:
            continue
        start = closed + opened.end()
        end = source.pairs.get(start, start)
        for awaited in re.finditer(r"\bco_await\b", source.text[start:end]):
            at = start + awaited.start()
            around = [o for o in source.blocks if source.text[o] == "{" and start < o < at < source.pairs.get(o, -1)]
            if not any(source.is_lambda_body(o) for o in around):
                report.add(name, line_of(source.text, at), "co_await in a catch block",
                           "note the error in a local, leave the block, then await")


def check_closures(report, name, source):
    """`spawn(domain, [x]() -> Task<> { co_await … }())`: the closure dies before the coroutine that uses it."""
    for opened in sorted(o for o in source.blocks if source.text[o] == "{"):
        closed = source.pairs.get(opened)
        if closed is None or not re.match(r"\s*\(", source.text[closed + 1:closed + 20]):
            continue
        if not source.is_lambda_body(opened):
            continue
        if not re.search(r"\bco_(await|return|yield)\b", source.text[opened:closed]):
            continue
        before = source.text[:opened].rstrip()
        before = TRAILING_RETURN.sub("", before).rstrip()
        while (word := re.search(r"\b(mutable|noexcept)$", before)):
            before = before[:word.start()].rstrip()
        if before.endswith(")"):
            before = before[:source.pairs[len(before) - 1]].rstrip()
        captures_start = source.pairs[len(before) - 1]
        if not source.text[captures_start + 1:len(before) - 1].strip():
            continue
        start, _ = source.statement(captures_start)
        if "co_await" not in source.text[start:captures_start]:
            report.add(name, line_of(source.text, captures_start),
                       "a coroutine lambda with captures is called as a temporary (its captures die first)",
                       "pass what it needs as parameters by value, or name the lambda where it outlives the task")


def check(root, report):
    for name in cpp_files(root):
        raw = read_text(root / name) or ""
        if "co_await" not in raw and "co_return" not in raw:
            continue
        source = Source(blank_comments(raw))
        seen = set()
        for found in re.finditer(r"\bco_await\b", source.text):
            start, end = source.statement(found.start())
            for piece in full_expressions(source, start, end):
                if piece not in seen:
                    seen.add(piece)
                    check_expression(report, name, source, *piece)
        check_catch(report, name, source)
        check_closures(report, name, source)


if __name__ == "__main__":
    run(check, __doc__)

#!/usr/bin/env python3
"""What would make a simulated run differ from its twin: clocks, threads, files, sockets, unseeded randomness,
the environment, and iteration in the order of hashes or addresses.

Allowed where the real world is met: manager/adapters, manager/agent, manager/system, the HTTP part of manager/api (http*,
multipart*), mockcloud/wire, scenarios/local (runs on real servers), tools, tests, bench. Elsewhere a line may carry `// drover-allow: <reason>`.
"""

import re

from source_text import blank_comments, cpp_files, includes, read_text, run

SCANNED = ("manager/", "mockcloud/", "scenarios/")
REAL_WORLD = ("manager/adapters/", "manager/agent/", "manager/system/", "manager/api/http", "manager/api/multipart",
              "mockcloud/wire/", "scenarios/local/", "scenarios/mock/",
              "scenarios/cloud/")
READS_FILES = re.compile(r"^scenarios/engine/(.*/)?(load|report)_[^/]*\.cpp$")

FREE = r"(?<![\w.>])"  # not a member and not the tail of a longer name
RANDOM = "draw from Choices, keyed by a stable entity and a site"
CLOCK = "take the time from Scheduler::now() or the Clock port"
THREAD = "everything runs on the scheduler's thread: spawn a Task"
FILES = "go through a port; in scenarios/engine read and write files in load_*.cpp and report_*.cpp only"
SOCKET = "go through a port; sockets live in manager/adapters, manager/api/http* and mockcloud/wire"
SURROUNDINGS = "pass it in as configuration from tools/drover"

# (what is searched, what it is, how to mend). Searched in text without comments and literals.
CONSTRUCTS = [
    (r"\bstd::(random_device|mt19937(_64)?|minstd_rand0?|default_random_engine|ranlux\w+|knuth_b)\b",
     "standard random engine", RANDOM),
    (r"\bstd::(\w+_distribution|random_shuffle|shuffle|sample|generate_canonical)\b",
     "its results differ between standard libraries", RANDOM),
    (r"\brandom_device\b", "unseeded randomness", RANDOM),
    (FREE + r"s?rand(om|_r|48)?\s*\(|\b[delmn]rand48\s*\(|" + FREE + r"(getrandom|getentropy|arc4random\w*)\s*\(",
     "randomness of the process", RANDOM),
    (r"\b(system_clock::now|steady_clock|high_resolution_clock|utc_clock::now)\b", "the machine's clock", CLOCK),
    (r"\bsteady_timer\b|\bsystem_timer\b", "a timer on the machine's clock", CLOCK),
    (FREE + r"(?<!\w::)(?:std::|::)?time\s*\(\s*(nullptr|NULL|0|&)|\b(gettimeofday|clock_gettime|timespec_get)\b|"
     + FREE + r"(?:std::|::)?clock\s*\(\s*\)", "the machine's clock", CLOCK),
    (r"\b(localtime|localtime_r|mktime)\s*\(", "depends on the machine's time zone",
     "format virtual time with manager/base/time.hpp"),
    (r"\b(secure_)?getenv\s*\(|\bsetenv\s*\(|\bputenv\s*\(", "the environment", SURROUNDINGS),
    (r"\bsetlocale\s*\(|\bstd::locale\b", "the locale", "format with to_chars or std::format without a locale"),
    (r"\bstd::(thread|jthread|async|promise|packaged_task)\b|\bpthread_\w+|\bthread_pool\b", "a thread", THREAD),
    (r"\bthis_thread::", "the calling thread", THREAD),
    (FREE + r"(?:::)?(usleep|nanosleep|sleep)\s*\(", "blocks the thread", "co_await sleep_for(…)"),
    (r"\basio::post\s*\(\s*\[", "post without an executor runs on a thread pool", "post to Executor(domain)"),
]
FILE_CONSTRUCTS = [
    (r"\b(fopen|freopen|fdopen|opendir|mkstemp|mkdtemp|tmpfile)\s*\(", "opens a file", FILES),
    (r"\b(basic_)?[io]?fstream\b|\bstd::filesystem\b|\bfilesystem::", "touches the file system", FILES),
    (r"(?<![\w>])::(open|openat|unlink|rename|mkdir|stat|read|write)\s*\(", "touches the file system", FILES),
]
SOCKET_CONSTRUCTS = [
    (r"(?<![\w>])::(socket|bind|connect|listen|accept4?|send|sendto|recv|recvfrom|getaddrinfo|poll|epoll_\w+)\s*\(",
     "a socket call", SOCKET),
    (r"\bsocket\s*\(\s*(AF|PF)_", "a socket call", SOCKET),
    (r"\basio::ip::|\bip::tcp\b|\basio::local::|\bbeast::", "the network", SOCKET),
]
# Printed addresses: searched with literals kept.
IN_LITERALS = [(r'"[^"\n]*%[-+ #0-9]*p', "prints an address", "print a stable name or number")]

INCLUDES = [
    (r"random", "randomness", RANDOM),
    (r"thread|future|pthread\.h|stop_token|boost/thread(/.*|\.hpp)", "threads", THREAD),
    (r"sys/time\.h", "the machine's clock", CLOCK),
    (r"locale|clocale|locale\.h", "the locale", "format with to_chars or std::format without a locale"),
    (r"sys/socket\.h|netinet/.*|arpa/.*|netdb\.h|sys/epoll\.h|poll\.h|boost/asio/ip/.*|boost/asio/local/.*|"
     r"boost/asio\.hpp|boost/beast.*", "the network", SOCKET),
]
FILE_INCLUDES = [(r"filesystem|fstream|dirent\.h|fcntl\.h|sys/stat\.h|boost/filesystem.*", "the file system", FILES)]


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def template_end(text, start):
    """The offset after the '>' that closes the '<' at `start`, or -1."""
    depth = 0
    for at in range(start, min(len(text), start + 2000)):
        if text[at] == "<":
            depth += 1
        elif text[at] == ">" and text[at - 1] != "-":
            depth -= 1
            if depth == 0:
                return at + 1
        elif text[at] == ";":
            return -1
    return -1


def template_arguments(text, start, end):
    """The arguments between the '<' at `start` and the '>' before `end`."""
    found, depth, piece = [], 0, ""
    for character in text[start + 1:end - 1]:
        if character in "<([{":
            depth += 1
        elif character in ">)]}":
            depth -= 1
        if character == "," and depth == 0:
            found.append(piece.strip())
            piece = ""
        else:
            piece += character
    return found + [piece.strip()]


def unordered_names(text):
    """Names of variables (and functions) declared in `text` with an unordered type, or an alias of one."""
    names, aliases = set(), set()
    for found in re.finditer(r"\bunordered_(?:flat_|node_)?(?:multi)?(?:map|set)\s*<", text):
        end = template_end(text, found.end() - 1)
        if end < 0:
            continue
        before = re.search(r"\busing\s+(\w+)\s*=\s*[\w:]*$", text[:found.start()])
        if before:
            aliases.add(before.group(1))
        elif after := re.match(r"\s*(?:const\b)?\s*[&*]?\s*(\w+)", text[end:]):
            names.add(after.group(1))
    for alias in aliases:
        names |= {found.group(1) for found in re.finditer(rf"\b{alias}\b\s*(?:const\b)?\s*[&*]?\s*(\w+)\s*[;={{,()]", text)}
    return names


def check_iteration(report, name, text, names):
    if not names:
        return
    mend = "iterate a sorted copy, or keep the things in a vector, or a std::map with a stable key"
    either = "|".join(sorted(re.escape(n) for n in names))
    for found in re.finditer(rf"\bfor\s*\([^;()]*(?:\([^()]*\)[^;()]*)*[^:]:(?!:)\s*[\w.\->*&:]*?\b({either})\b\s*(\(\s*\)\s*)?\)",
                             text):
        report.add(name, line_of(text, found.start()), f"iterates '{found.group(1)}', which has no order", mend)
    for found in re.finditer(rf"\b({either})\s*(?:\.|->)\s*c?begin\s*\(", text):
        report.add(name, line_of(text, found.start()), f"iterates '{found.group(1)}', which has no order", mend)


def check_pointer_keys(report, name, text):
    for found in re.finditer(r"\bstd::(?:multi)?(map|set)\s*<", text):
        end = template_end(text, found.end() - 1)
        if end < 0:
            continue
        arguments = template_arguments(text, found.end() - 1, end)
        own_order = len(arguments) > (2 if found.group(1) == "map" else 1)
        key = re.sub(r"\s*\bconst$", "", arguments[0])
        if not own_order and (key.endswith("*") or re.match(r"(std::)?(shared|unique)_ptr\s*<", key)):
            report.add(name, line_of(text, found.start()), f"ordered by address ({arguments[0]})",
                       "key it by a stable name or number")


def sibling_text(root, name, files):
    stem = name.rsplit(".", 1)[0]
    return "\n".join(blank_comments(read_text(root / other) or "")
                     for other in (stem + ".hpp", stem + ".h") if other != name and other in files)


def check(root, report):
    files = set(cpp_files(root))
    for name in sorted(files):
        if not name.startswith(SCANNED) or name.startswith(REAL_WORLD):
            continue
        raw = read_text(root / name) or ""
        text = blank_comments(raw)
        may_read_files = READS_FILES.match(name) is not None
        patterns = CONSTRUCTS + SOCKET_CONSTRUCTS + ([] if may_read_files else FILE_CONSTRUCTS)
        reported = set()
        for pattern, what, mend in patterns:
            for found in re.finditer(pattern, text):
                line = line_of(text, found.start())
                if text[text.rfind("\n", 0, found.start()) + 1:].lstrip().startswith("#") or (line, mend) in reported:
                    continue
                reported.add((line, mend))
                report.add(name, line, f"{found.group(0).strip()}: {what}", mend)
        with_literals = blank_comments(raw, keep_strings=True)
        for pattern, what, mend in IN_LITERALS:
            for found in re.finditer(pattern, with_literals):
                report.add(name, line_of(text, found.start()), what, mend)
        for line, path, _ in includes(raw):
            for pattern, what, mend in INCLUDES + ([] if may_read_files else FILE_INCLUDES):
                if re.fullmatch(pattern, path):
                    report.add(name, line, f"<{path}>: {what}", mend)
        check_iteration(report, name, text, unordered_names(text + "\n" + sibling_text(root, name, files)))
        check_pointer_keys(report, name, text)


if __name__ == "__main__":
    run(check, __doc__)

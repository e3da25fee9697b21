#!/usr/bin/env python3
"""The checks in tools/check: each finds a planted violation, says nothing about good code, and finds none here.

    check_selftest.py [unittest arguments]     e.g. TheTree, or CoroutineTraps.FindsTernary
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHECKS = ROOT / "tools" / "check"


def run_check(name, root, *arguments):
    return subprocess.run([sys.executable, CHECKS / f"{name}.py", "--root", str(root), *arguments],
                          capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})


class CheckCase(unittest.TestCase):
    check = ""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="drover-check-")
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def plant(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def assert_finds(self, expected, *arguments):
        """`expected`: "file:line" and words of the message, all of which one printed line must hold."""
        said = run_check(self.check, self.root, *arguments)
        self.assertEqual(said.returncode, 1, said.stdout + said.stderr)
        self.assertTrue(any(all(part in line for part in expected) for line in said.stdout.split("\n")),
                        f"no line with {expected} in:\n{said.stdout}{said.stderr}")

    def assert_clean(self, *arguments):
        said = run_check(self.check, self.root, *arguments)
        self.assertEqual((said.returncode, said.stdout), (0, ""), said.stderr)


class Layers(CheckCase):
    check = "layers"

    def test_finds_call_upwards(self):
        self.plant("manager/model/node.hpp", '#pragma once\n#include "manager/ops/add_nodes.hpp"\n')
        self.assert_finds(["manager/model/node.hpp:2", "manager/model must not see manager/ops"])

    def test_finds_mock_that_sees_operations(self):
        self.plant("mockcloud/node/server.cpp", '\n#include "manager/ops/dispatcher.hpp"\n')
        self.assert_finds(["mockcloud/node/server.cpp:2", "must not see manager/ops"])

    def test_finds_cycle_between_folders(self):
        self.plant("mockcloud/cloud/a.hpp", '#include "mockcloud/node/b.hpp"\n')
        self.plant("mockcloud/node/b.hpp", '#include "mockcloud/cloud/a.hpp"\n')
        self.assert_finds(["mockcloud/cloud -> mockcloud/node -> mockcloud/cloud"])

    def test_finds_relative_include(self):
        self.plant("manager/base/a.hpp", "")
        self.plant("manager/base/a.cpp", '#include "a.hpp"\n')
        self.assert_finds(["manager/base/a.cpp:1", "relative path"])

    def test_finds_folder_without_layer(self):
        self.plant("manager/helpers/a.hpp", "")
        self.assert_finds(["manager/helpers", "no place among the layers"])

    def test_accepts_downward_includes_and_comments(self):
        self.plant("manager/ops/a.hpp", '#include <vector>\n#include "manager/model/b.hpp"\n'
                                        '// #include "manager/api/c.hpp"\n')
        self.plant("tools/drover/main.cpp", '#include "scenarios/engine/world.hpp"\n')
        self.assert_clean()


class Forbidden(CheckCase):
    check = "forbidden"

    def test_finds_each_construct(self):
        for line in ("std::mt19937 engine;", "std::uniform_int_distribution<int> d;", "int x = rand();",
                     "std::random_device device;", "auto t = std::chrono::system_clock::now();",
                     "auto t = std::chrono::steady_clock::now();", "auto t = time(nullptr);",
                     "gettimeofday(&tv, nullptr);", 'auto v = std::getenv("HOME");', "std::thread worker;",
                     "auto f = std::async(g);", "std::this_thread::sleep_for(1s);", 'auto* f = fopen("a", "r");',
                     "std::ifstream in;", "std::ofstream out;", "std::filesystem::path p;",
                     "int s = ::socket(a, b, c);", "int s = socket(AF_INET, b, c);", 'setlocale(LC_ALL, "");',
                     "pthread_create(a, b, c, d);", 'printf("%p", x);', "std::map<Node*, int> nodes;",
                     "std::set<const Node *> nodes;", "std::set<std::shared_ptr<Node>> nodes;",
                     "#include <random>", "#include <thread>", "#include <sys/socket.h>", "#include <fstream>",
                     "asio::post([] {});", "std::shuffle(a, b, c);"):
            with self.subTest(line):
                self.plant("manager/ops/a.cpp", f"// first\n{line}\n")
                self.assert_finds(["manager/ops/a.cpp:2: "])

    def test_finds_iteration_over_unordered_member_of_header(self):
        self.plant("manager/ops/a.hpp", "std::unordered_map<std::string, std::vector<int>> things_;\n")
        self.plant("manager/ops/a.cpp", "void A::f() {\n  for (const auto& [k, v] : things_) use(k, v);\n}\n")
        self.assert_finds(["manager/ops/a.cpp:2", "'things_', which has no order"])

    def test_finds_iteration_through_alias_and_begin(self):
        self.plant("manager/ops/a.cpp", "using Seen = std::unordered_set<int>;\nSeen seen;\n"
                                        "auto first = seen.begin();\n")
        self.assert_finds(["manager/ops/a.cpp:3", "'seen'"])

    def test_accepts_lookups_names_and_comments(self):
        self.plant("manager/ops/a.cpp", "\n".join((
            "std::unordered_map<int, int> seen; // time(nullptr)", "if (seen.find(1) != seen.end()) return;",
            "for (int n : ordered) use(n);", "TimePoint time() const;", "co_await sleep_for(1s);",
            'log("std::thread and fopen( are words here");', "std::map<std::string, Node*> by_name;",
            "void operand(int rand_count);", "network.connect(a); link->send(b);", "std::runtime_error time_out(x);",
            "std::set<Node*, ByName> nodes;", "")))
        self.assert_clean()

    def test_accepts_line_allowed_with_reason(self):
        self.plant("scenarios/engine/runner.cpp", "std::thread t;  // drover-allow: one world per thread\n")
        self.assert_clean()

    def test_finds_line_allowed_without_reason(self):
        self.plant("scenarios/engine/runner.cpp", "std::thread t;  // drover-allow:\n")
        self.assert_finds(["scenarios/engine/runner.cpp:1"])

    def test_accepts_real_world_folders(self):
        for path in ("manager/adapters/a.cpp", "manager/agent/a.cpp", "mockcloud/wire/a.cpp", "scenarios/local/a.cpp",
                     "manager/api/http_server.cpp", "tools/drover/main.cpp", "tests/ops/a.cpp", "bench/a.cpp"):
            self.plant(path, "std::thread t;\nstd::ifstream in;\n")
        self.assert_clean()

    def test_accepts_files_read_by_load_and_report_only(self):
        self.plant("scenarios/engine/load_file.cpp", "#include <fstream>\nstd::ifstream in;\n")
        self.plant("scenarios/engine/report_json.cpp", "std::ofstream out;\n")
        self.assert_clean()
        self.plant("scenarios/engine/runner.cpp", "std::ifstream in;\n")
        self.assert_finds(["scenarios/engine/runner.cpp:1"])


class CoroutineTraps(CheckCase):
    check = "coroutine_traps"

    def body(self, text):
        self.plant("manager/ops/a.cpp", "Task<void> f(Domain& d) {\n  begin();\n" + text + "\n  done();\n}\n")

    def test_finds_ternary(self):
        self.body("  const auto name = co_await ask(\n      quick ? first : second);")
        self.assert_finds(["manager/ops/a.cpp:4", "'?:'"])

    def test_finds_braced_aggregate(self):
        self.body("  auto reply = co_await client.call(Request{name, size});")
        self.assert_finds(["manager/ops/a.cpp:3", "'Request'"])

    def test_finds_aggregate_that_holds_await(self):
        self.body("  const Request request{co_await name(), 3};")
        self.assert_finds(["manager/ops/a.cpp:3", "braces"])

    def test_finds_bare_braces(self):
        self.body("  co_await call(1, {name, size});")
        self.assert_finds(["manager/ops/a.cpp:3", "braces"])

    def test_finds_aggregate_in_head_of_if(self):
        self.body("  if (co_await call(Request{1})) {\n    stop();\n  }")
        self.assert_finds(["manager/ops/a.cpp:3", "'Request'"])

    def test_finds_captures_by_value(self):
        for captures in ("=", "x", "x = std::move(x)", "&, x", "*this", "this, x"):
            with self.subTest(captures):
                self.body(f"  co_await await_reply<int>(10s, [{captures}](Handler<int> h) {{ go(h); }});")
                self.assert_finds(["manager/ops/a.cpp:3", "by value"])

    def test_finds_await_in_catch(self):
        self.body("  try {\n    go();\n  } catch (const std::exception& e) {\n    co_await undo();\n  }")
        self.assert_finds(["manager/ops/a.cpp:6", "catch"])

    def test_finds_temporary_coroutine_lambda_with_captures(self):
        self.body("  spawn(d, [&]() -> Task<void> {\n    co_await sleep_for(1s);\n  }());")
        self.assert_finds(["manager/ops/a.cpp:3", "temporary"])

    def test_accepts_good_forms(self):
        self.body("""\
  const std::string name = quick ? first : second;
  const Request request{name, size};
  auto start = [name, size](Handler<int> handler) { go(handler); };
  auto reply = co_await await_reply<int>(10s, start);
  co_await await_reply<int>(10s, [&](Handler<int> handler) { port.call(Request{1}, q ? 1 : 2, std::move(handler)); });
  co_await await_reply<int>(10s, [this, &request](Handler<int> handler) { call(request, std::move(handler)); });
  if (quick ? a : b) co_await sleep_for(Duration{5});
  for (int i = 0; i < 3; ++i) { co_await sleep_for(1s); }
  while (co_await more()) {
    things[index] = Thing{1, 2};
    use(a ? b : c);
  }
  switch (co_await kind()) {
    case Kind::a: co_await go(); break;
    default: break;
  }
  try { co_await go(); } catch (const std::exception& e) { failed = true; }
  auto task = [&]() -> Task<void> { co_await sleep_for(1s); };
  spawn(d, task());
  spawn(d, []() -> Task<void> { co_await sleep_for(1s); }());
  // co_await call(Request{1}, a ? b : c);
  log("co_await call(Request{1})");
  if (!(co_await go())) { co_return; } else { co_await stop(); }""")
        self.assert_clean()

    def test_accepts_initialisers_elsewhere_in_the_file(self):
        self.plant("manager/ops/b.hpp", """\
struct State { int a = 1; std::vector<int> b{1, 2}; };
enum class Kind : unsigned char { a, b };
inline constexpr int kTable[] = {1, 2};
Task<void> f(State s = State{}) { co_await g(s); }
class C : public B {
 public:
  C(int a) : a_{a}, b_(a ? 1 : 2) {}
  Task<int> get() const { co_return co_await other_->get(a_); }
  template <class T> requires std::integral<T> Task<T> got() noexcept { co_return co_await x(); }
  int a_{0};
};
""")
        self.assert_clean()

    def test_accepts_line_allowed_with_reason(self):
        self.body("  total += co_await ask() ? 1 : 0;  // drover-allow: integers")
        self.assert_clean()


class DocsLinks(CheckCase):
    check = "docs_links"

    def test_finds_link_to_nothing(self):
        self.plant("README.md", "# A\n\nSee [the design](docs/design.md).\n")
        self.assert_finds(["README.md:3", "docs/design.md"])

    def test_finds_anchor_without_heading(self):
        self.plant("README.md", "[x](docs/a.md#missing-part)\n")
        self.plant("docs/a.md", "# Part\n")
        self.assert_finds(["README.md:1", "#missing-part"])

    def test_accepts_good_links(self):
        self.plant("README.md", "# A `b` c!\n[x](docs/a.md#part-one) [y](docs) [z](#a-b-c) [w](https://example.org/n)\n"
                                "`[not](a link)`\n```\n[nor](this)\n```\n")
        self.plant("docs/a.md", "# Part one\n[up](../README.md)\n")
        self.assert_clean()


class Secrets(CheckCase):
    check = "secrets"

    def test_finds_each_kind(self):
        for text in ("cd /" + "work/main", '"/' + 'root/.ssh"', "/ho" + "me/jane/x", "-----BEGIN RSA PRIVATE" + " KEY-----",
                     "key AKIA" + "ABCDEFGHIJKLMNOP"):
            with self.subTest(text):
                self.plant("docs/a.md", f"first\n{text}\n")
                self.assert_finds(["docs/a.md:2"])

    def test_accepts_relative_paths_and_documented_examples(self):
        self.plant("tests/a.sh", '"$tmp/' + 'work/data" ./work/x a/root/b AKIAIOSFODNN7EXAMPLE\n')
        self.assert_clean()


class FileLength(CheckCase):
    check = "file_length"

    def test_notes_long_file_without_failing(self):
        self.plant("manager/ops/a.cpp", "\n" * 501)
        said = run_check(self.check, self.root)
        self.assertEqual(said.returncode, 0)
        self.assertIn("manager/ops/a.cpp:1: note: 501 lines", said.stdout)


def has_clang_format_14():
    return shutil.which("clang-format-14") is not None


class Format(CheckCase):
    check = "format"

    def setUp(self):
        super().setUp()
        if not has_clang_format_14():
            self.skipTest("clang-format-14 is not installed")
        shutil.copy(ROOT / ".clang-format", self.root)

    def test_finds_and_mends_source(self):
        self.plant("manager/base/a.cpp", "int  f( ) {return 1;}\n")
        self.assert_finds(["manager/base/a.cpp:1", "not formatted"])
        run_check(self.check, self.root, "--fix")
        self.assertEqual((self.root / "manager/base/a.cpp").read_text(), "int f() { return 1; }\n")
        self.assert_clean()

    def test_finds_and_mends_blanks_in_text(self):
        self.plant("docs/a.md", "# A  \n\ntext\n\n\n")
        self.assert_finds(["docs/a.md:1", "blanks"])
        run_check(self.check, self.root, "--fix")
        self.assertEqual((self.root / "docs/a.md").read_text(), "# A\n\ntext\n")

    def test_leaves_recorded_data_alone(self):
        self.plant("tests/data/a.json", "{} \n\n")
        self.assert_clean()


class Shell(CheckCase):
    check = "shell"

    def test_finds_unquoted_variable(self):
        if shutil.which("shellcheck") is None:
            self.skipTest("shellcheck is not installed")
        self.plant("tools/a", "#!/usr/bin/env bash\nrm $1\n")
        self.assert_finds(["tools/a:2", "quote"])


class Scenarios(CheckCase):
    check = "scenarios"

    def plant_drover(self, exit_code):
        self.plant("build/release/drover", "#!/bin/sh\ncase $* in *--help*) echo ' --check  only checks' ;;\n"
                                           f"*) echo 'a.yaml:3:1: wrong'; exit {exit_code} ;; esac\n")
        (self.root / "build/release/drover").chmod(0o755)
        self.plant("scenarios/library/a.yaml", "")

    def test_fails_when_a_file_is_invalid(self):
        self.plant_drover(2)
        self.assert_finds(["a.yaml:3:1: wrong"])

    def test_passes_when_all_are_valid(self):
        self.plant_drover(0)
        self.assert_clean()


class CompareDigests(unittest.TestCase):
    def compare(self, *results):
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for number, runs in enumerate(results):
                paths.append(Path(folder) / f"{number}.json")
                paths[-1].write_text(json.dumps({"runs": [
                    {"scenario": "s", "file": "s.yaml", "case": {"n": 1}, "seed": seed, "verdict": "PASS",
                     "digest": digest} for seed, digest in runs]}))
            return subprocess.run([sys.executable, CHECKS / "compare_digests.py", *paths], capture_output=True,
                                  text=True, check=False)

    def test_accepts_equal_subset(self):
        self.assertEqual(self.compare([(1, "a"), (2, "b")], [(2, "b")]).returncode, 0)

    def test_finds_difference(self):
        said = self.compare([(1, "a"), (2, "b")], [(1, "a"), (2, "c")])
        self.assertEqual(said.returncode, 1)
        self.assertIn("seed 2", said.stdout)

    def test_finds_run_missing_from_reference(self):
        self.assertEqual(self.compare([(1, "a")], [(3, "a")]).returncode, 1)

    def test_refuses_to_compare_nothing(self):
        self.assertEqual(self.compare([(1, "a")], []).returncode, 2)


class TheTree(unittest.TestCase):
    """Formatting is left to `tools/dev check`: it needs clang-format."""

    def test_is_clean(self):
        for check in ("layers", "forbidden", "coroutine_traps", "docs_links", "secrets"):
            with self.subTest(check):
                said = run_check(check, ROOT)
                self.assertEqual(said.returncode, 0, said.stdout + said.stderr)


if __name__ == "__main__":
    unittest.main()

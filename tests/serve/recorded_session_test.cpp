// Replays every recorded row of the original, in its order, against the real binary. The rows of a group were
// recorded in a session whose earlier, unrecorded calls had registered nodes by hand; here nodes are bought
// from the mock cloud, so each group gets a server of its own with as many nodes as its rows speak of.
//
// What must be equal: the status, the id, and the error or the keys of the result (which may hold more). What
// is answered differently on purpose is in the table of docs/api-differences.md, and that table is checked
// here: a row that is not in it is answered as recorded, a row that is in it is answered as its column "here"
// says and not as recorded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/support/drover_process.hpp"
#include "tests/support/recorded_rows.hpp"

namespace drover::serve_test {
namespace {

using namespace testing_support;
using nlohmann::json;

struct Claim {
  int status = 200;
  std::optional<int> code;  // of the envelope's error; none: it carries a result
  bool envelope = false;    // whether the two above say anything about the body
  std::string here;         // the cell itself
};

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::string cell;
  std::istringstream rest(line.substr(1));
  while (std::getline(rest, cell, '|')) {
    const auto first = cell.find_first_not_of(' ');
    cells.push_back(first == std::string::npos ? ""
                                               : cell.substr(first, cell.find_last_not_of(' ') + 1 - first));
  }
  return cells;
}

Claim read_claim(const std::string& here) {
  Claim claim;
  claim.here = here;
  std::smatch found;
  if (std::regex_search(here, found, std::regex("code ([0-6])"))) {
    claim.envelope = true;
    claim.code = std::stoi(found[1]);
  } else if (std::regex_search(here, found, std::regex("\\b([1-5][0-9][0-9])\\b")) && found[1] != "200") {
    claim.status = std::stoi(found[1]);
  } else {
    claim.envelope = true;
  }
  return claim;
}

// Rows "| 105, 106, 108 | request | original | here | why |" of every table of the page.
std::map<int, Claim> documented_differences() {
  std::map<int, Claim> claims;
  std::ifstream page(source_path("docs/api-differences.md"));
  std::string line;
  while (std::getline(page, line)) {
    if (!std::regex_search(line, std::regex("^\\| [0-9]"))) continue;
    const auto cells = cells_of(line);
    if (cells.size() < 5) continue;
    std::istringstream numbers(cells[0]);
    std::string number;
    while (std::getline(numbers, number, ',')) claims[std::stoi(number)] = read_claim(cells[3]);
  }
  return claims;
}

// Every key and value of `there` is in `here`; lists and scalars are equal.
bool holds(const json& here, const json& there) {
  if (!there.is_object() || !here.is_object()) return here == there;
  for (const auto& [key, value] : there.items())
    if (!here.contains(key) || !holds(here[key], value)) return false;
  return true;
}

bool is_as_recorded(const RecordedRow& row, const HttpAnswer& answer) {
  if (answer.status != row.status) return false;
  if (answer.body == row.body) return true;
  const json here = json::parse(answer.body, nullptr, false);
  const json there = json::parse(row.body, nullptr, false);
  return here.is_object() && there.is_object() && here.value("id", json()) == there.value("id", json()) &&
         holds(here, there);
}

std::string run_curl(std::string command, std::uint16_t port) {
  const std::string there = "127.0.0.1:50000";
  for (auto at = command.find(there); at != std::string::npos; at = command.find(there, at))
    command.replace(at, there.size(), "127.0.0.1:" + std::to_string(port));
  command += " --max-time 60 2>&1";
  std::string text;
  if (FILE* pipe = ::popen(command.c_str(), "r"); pipe != nullptr) {
    char piece[4096];
    while (const auto got = std::fread(piece, 1, sizeof piece, pipe)) text.append(piece, got);
    ::pclose(pipe);
  }
  return text;
}

// What curl -i printed: the last head and the body after it.
HttpAnswer curl_answer(const std::string& text) {
  HttpAnswer answer;
  const auto head = text.rfind("HTTP/1.");
  if (head == std::string::npos) return answer;
  answer.status = std::stoi(text.substr(head + 9, 3));
  const auto body = text.find("\r\n\r\n", head);
  if (body != std::string::npos) answer.body = text.substr(body + 4);
  return answer;
}

const std::vector<RecordedRow>& all_rows() {
  static const auto rows = load_recorded_rows(source_path("tests/data/recorded.jsonl"));
  return rows;
}

std::vector<std::string> groups() {
  std::vector<std::string> names;
  for (const RecordedRow& row : all_rows())
    if (std::find(names.begin(), names.end(), row.group) == names.end()) names.push_back(row.group);
  return names;
}

// How many nodes run before a group's first row: as many as the recorded session had registered by then, and
// in its last part (node 7 has a dead agent) as many as there must be to have a node 7.
std::size_t nodes_before(const std::string& group) {
  if (group == "register_node" || group.starts_with("state:") || group.starts_with("users and dump") ||
      group.starts_with("curl"))
    return 3;
  return group == "dead agent" ? 7 : 0;
}

constexpr const char* kDeadAgent =
    "schema: 1\nname: dead-agent\nfaults:\n"
    "  - {when: node.RUNNING, subject: node-7, do: agent.crash, target: node-7, restart: never}\n";

class RecordedSession : public testing::TestWithParam<int> {
 protected:
  std::string group() const { return groups()[static_cast<std::size_t>(GetParam())]; }

  void start_server() {
    std::vector<std::string> arguments{"serve",        "--listen", "127.0.0.1:0", "--cloud", "mock",
                                       "--time-scale", "1000",     "--log-level", "error"};
    // Rows that never end their headers would wait ten seconds each.
    const std::string config = scratch_.write("serve.yaml", "limits: {header_timeout: 3s}\n");
    arguments.insert(arguments.end(), {"--config", config});
    if (group() == "dead agent") {
      const std::string faults = scratch_.write("dead-agent.yaml", kDeadAgent);
      arguments.insert(arguments.end(), {"--faults", faults});
    }
    server_ = std::make_unique<DroverProcess>(arguments);
    ASSERT_NE(server_->wait_until_listening(), 0) << server_->err();
    const std::size_t nodes = nodes_before(group());
    if (nodes == 0) {
      ASSERT_TRUE(settles_with_nodes(server_->port(), 0));
      return;
    }
    ASSERT_TRUE(eventually([&] {
      return call_api(server_->port(), "POST", "add_nodes", {{"count", nodes}, {"key", "set-up"}})
          .contains("result");
    }));
    ASSERT_TRUE(eventually([&] {
      const json topology = call_api(server_->port(), "GET", "get_topology");
      return topology["result"]["state"] == "RUNNING" && topology["result"]["nodes"].size() == nodes;
    }));
  }

  // Operations run in the background here and ran within the call in the original: rows that look at their
  // effect are sent when nothing is under way.
  void let_operations_end() {
    EXPECT_TRUE(eventually([&] {
      const json listed = call_api(server_->port(), "GET", "list_operations");
      if (!listed.contains("result")) return false;
      for (const json& operation : listed["result"]["operations"])
        if (operation["state"] == "RUNNING" || operation["state"] == "QUEUED" ||
            operation["state"] == "COMPENSATING")
          return false;
      return true;
    }));
  }

  HttpAnswer send_row(const RecordedRow& row) {
    if (row.by_curl) return curl_answer(run_curl(row.command, server_->port()));
    return replay(row, server_->port());
  }

  ScratchFolder scratch_;
  std::unique_ptr<DroverProcess> server_;
};

void judge(const RecordedRow& row, const HttpAnswer& answer, const std::map<int, Claim>& claims) {
  const std::string shown = "row " + std::to_string(row.number) + " (" + row.group + ": " + row.name +
                            ")\nhere " + std::to_string(answer.status) + " " + answer.body.substr(0, 400) +
                            "\nrecorded " + std::to_string(row.status) + " " + row.body.substr(0, 400);
  const auto claim = claims.find(row.number);
  if (claim == claims.end()) {
    EXPECT_TRUE(is_as_recorded(row, answer)) << shown;
    return;
  }
  EXPECT_FALSE(is_as_recorded(row, answer)) << "is as recorded, but in the table of differences: " << shown;
  EXPECT_EQ(answer.status, claim->second.status) << shown << "\ndocumented: " << claim->second.here;
  if (!claim->second.envelope) return;
  const json envelope = json::parse(answer.body, nullptr, false);
  ASSERT_TRUE(envelope.is_object()) << shown;
  const bool failed = !envelope.value("error", json()).is_null();
  EXPECT_EQ(failed, claim->second.code.has_value()) << shown << "\ndocumented: " << claim->second.here;
  if (claim->second.code) {
    EXPECT_EQ(envelope.value("code", json()), *claim->second.code) << shown;
  }
}

TEST_P(RecordedSession, IsAnsweredAsDocumented) {
  if (group().starts_with("curl") && std::system("curl --version > /dev/null 2>&1") != 0)
    GTEST_SKIP() << "curl is not installed: apt-get install curl";
  ASSERT_NO_FATAL_FAILURE(start_server());
  const auto claims = documented_differences();
  for (const RecordedRow& row : all_rows()) {
    if (row.group != group()) continue;
    let_operations_end();
    judge(row, send_row(row), claims);
  }
  EXPECT_TRUE(server_->running());
}

INSTANTIATE_TEST_SUITE_P(Group, RecordedSession, testing::Range(0, static_cast<int>(groups().size())));

TEST(RecordedSessionTable, NamesOnlyRowsThatExist) {
  std::set<int> numbers;
  for (const RecordedRow& row : all_rows()) numbers.insert(row.number);
  for (const auto& [number, claim] : documented_differences())
    EXPECT_TRUE(numbers.contains(number)) << number;
}

}  // namespace
}  // namespace drover::serve_test

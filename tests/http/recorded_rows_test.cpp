// Replays what was recorded of the original's HTTP layer. Rows that are answered differently on purpose are
// listed here, and for people in docs/api-differences.md.
#include "tests/support/recorded_rows.hpp"

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "tests/http/fake_manager.hpp"

namespace drover::http_test {
namespace {

using testing_support::load_recorded_rows;
using testing_support::RecordedRow;

struct Difference {
  int status;
  const char* contains;  // somewhere in the body
};

// By row number.
const std::map<int, Difference>& differences() {
  static const std::map<int, Difference> table = {
      {18, {200, "conpaas-mysql"}},
      {19, {200, "conpaas-mysql"}},
      {47, {505, "Invalid HTTP Version (2.0)"}},
      {52, {200, "conpaas-mysql"}},
      {55, {408, "Error code 408"}},
      {67, {400, "Error code 400"}},
      {72, {200, "\"code\": 4"}},
      {75, {400, "The request ends within its body"}},
      {76, {400, "Did not specify method"}},
      {77, {200, "\"code\": 5"}},
      {80, {400, "Did not specify method"}},
      {81, {400, "Did not specify method"}},
      {84, {200, "\"code\": 5"}},
      {85, {200, "\"id\": 1, \"result\": {}"}},
      {86, {200, "\"code\": 5"}},
      {90, {413, "Error code 413"}},
      {100, {404, "method not found"}},
      {101, {404, "method not found"}},
      {102, {200, "Missing argument: id"}},
      {103, {200, "Missing argument: id"}},
      {104, {200, "Missing argument: id"}},
      {120, {200, "Invalid argument: id"}},
      {321, {400, "Error code 400"}},
      {322, {413, "Error code 413"}},
  };
  return table;
}

// What these rows answer is decided behind the HTTP layer: params that are no object, missing arguments.
const std::set<int> kDecidedByTheManager = {125, 128, 131, 133, 135};

const std::vector<RecordedRow>& rows() {
  static const std::vector<RecordedRow> loaded =
      load_recorded_rows(testing_support::source_path("tests/data/recorded.jsonl"));
  return loaded;
}

std::vector<int> rows_of_the_http_layer() {
  static const std::set<std::string> groups = {"HTTP layer", "POST body", "JSON-RPC layer", "extra"};
  std::vector<int> chosen;
  for (const RecordedRow& row : rows())
    if (!row.by_curl && groups.contains(row.group) && !kDecidedByTheManager.contains(row.number))
      chosen.push_back(row.number);
  return chosen;
}

class Recorded : public Http, public testing::WithParamInterface<int> {};

TEST_P(Recorded, IsAnsweredAsDocumented) {
  api::ServerLimits limits;
  limits.header_timeout = 100ms;
  start(limits);
  const RecordedRow& row = *std::find_if(rows().begin(), rows().end(),
                                         [](const RecordedRow& r) { return r.number == GetParam(); });
  const HttpAnswer answer = replay(row, server_->port());
  const auto differs = differences().find(row.number);
  if (differs == differences().end()) {
    EXPECT_EQ(testing_support::difference(row, answer).value_or(""), "") << row.name << "\n" << row.note;
  } else {
    EXPECT_EQ(answer.status, differs->second.status) << row.name;
    EXPECT_THAT(answer.body, testing::HasSubstr(differs->second.contains)) << row.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Row, Recorded, testing::ValuesIn(rows_of_the_http_layer()),
                         [](const auto& tested) { return "N" + std::to_string(tested.param); });

TEST(RecordedRows, AreAllThere) { EXPECT_EQ(rows().size(), 211U); }

TEST(RecordedRows, AbbreviatedBodiesAreWrittenOut) {
  std::size_t largest = 0;
  for (const RecordedRow& row : rows()) largest = std::max(largest, row.bytes.size() - row.body_begin);
  EXPECT_EQ(largest, 67108931U);
}

TEST(RecordedRows, EveryDifferenceIsDocumented) {
  std::ifstream file(testing_support::source_path("docs/api-differences.md"));
  std::stringstream text;
  text << file.rdbuf();
  for (const auto& [number, difference] : differences()) {
    std::string cell = "| ";
    cell += std::to_string(number);
    cell += " |";
    EXPECT_THAT(text.str(), testing::HasSubstr(cell));
  }
}

}  // namespace
}  // namespace drover::http_test

// The recorded request/response pairs of the original (tests/data/recorded.jsonl): loading them, putting a
// row on a socket as it was sent, and comparing an answer with what was recorded. One thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/http_client.hpp"

namespace drover::testing_support {

struct RecordedRow {
  int number = 0;
  std::string group;
  std::string name;
  std::string note;
  bool by_curl = false;  // `command` was run; there are no raw bytes
  std::string command;
  std::string bytes;           // what went over the socket, abbreviated parts written out
  bool half_close = false;     // the client then closed its sending side
  bool body_is_late = false;   // the body was sent a second after the headers
  std::size_t body_begin = 0;  // of the body within bytes
  int status = 0;              // 0: no status line came
  std::string body;            // of the answer
  bool empty_reply = false;    // the connection was closed without an answer
};

// Every row, in the file's order. A file that cannot be read gives none.
std::vector<RecordedRow> load_recorded_rows(const std::string& path);

// Sends the row and reads the (final) answer.
HttpAnswer replay(const RecordedRow& row, std::uint16_t port);

// Nothing when `answer` is what the original answered: the same status, and the same JSON value or the same
// text; else what differs.
std::optional<std::string> difference(const RecordedRow& row, const HttpAnswer& answer);

// A file of the checkout, by its path from the top.
std::string source_path(std::string_view relative);

}  // namespace drover::testing_support

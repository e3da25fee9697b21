#include "tests/support/recorded_rows.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include "paths.hpp"

namespace drover::testing_support {
namespace {

using nlohmann::json;

// "zzz...<67106931 bytes cut>...zzz": the cut bytes repeat the one before them.
std::string written_out(const std::string& text) {
  constexpr std::string_view kOpen = "...<";
  constexpr std::string_view kClose = " bytes cut>...";
  const auto open = text.find(kOpen);
  const auto close = text.find(kClose);
  if (open == std::string::npos || close == std::string::npos || open == 0) return text;
  const std::size_t count = std::stoull(text.substr(open + kOpen.size()));
  return text.substr(0, open) + std::string(count, text[open - 1]) + text.substr(close + kClose.size());
}

// The recording keeps bytes as the characters U+0000 to U+00FF.
std::string to_bytes(const std::string& utf8) {
  std::string bytes;
  bytes.reserve(utf8.size());
  for (std::size_t at = 0; at < utf8.size(); ++at) {
    const auto lead = static_cast<unsigned char>(utf8[at]);
    if ((lead & 0xE0U) == 0xC0U && at + 1 < utf8.size())
      bytes.push_back(
          static_cast<char>(((lead & 0x03U) << 6U) | (static_cast<unsigned char>(utf8[++at]) & 0x3FU)));
    else
      bytes.push_back(utf8[at]);
  }
  return bytes;
}

void read_request(const json& request, RecordedRow& row) {
  if (request.contains("command")) {
    row.by_curl = true;
    row.command = request["command"].get<std::string>();
    return;
  }
  const std::string line = written_out(request["line"].get<std::string>());
  const json& headers = request["headers"];
  const bool ends_in_headers = !headers.empty() && headers.back() == "";
  if (line.find('\n') != std::string::npos) {
    row.bytes = line;
  } else if (!line.empty() || !headers.empty()) {
    row.bytes = line + "\r\n";
    for (const json& header : headers)
      if (header != "") row.bytes += written_out(header.get<std::string>()) + "\r\n";
    if (!ends_in_headers) row.bytes += "\r\n";
  }
  row.body_begin = row.bytes.size();
  row.bytes += to_bytes(written_out(request["body"].get<std::string>()));
  row.body_is_late = row.bytes.find("Expect: 100-continue") != std::string::npos;
}

}  // namespace

std::vector<RecordedRow> load_recorded_rows(const std::string& path) {
  std::vector<RecordedRow> rows;
  std::ifstream file(path);
  std::string text;
  while (std::getline(file, text)) {
    const json row_json = json::parse(text, nullptr, false);
    if (!row_json.is_object()) continue;
    RecordedRow row;
    row.number = row_json.value("n", 0);
    row.group = row_json.value("group", "");
    row.name = row_json.value("name", "");
    row.note = row_json.value("note", "");
    row.half_close = row.name.find("half close") != std::string::npos;
    read_request(row_json["request"], row);
    const json& response = row_json["response"];
    row.status = response["status"].is_number() ? response["status"].get<int>() : 0;
    row.body = response.value("body", "");
    row.empty_reply = response.value("empty_reply", false);
    rows.push_back(std::move(row));
  }
  return rows;
}

HttpAnswer replay(const RecordedRow& row, std::uint16_t port) {
  HttpClient client(port);
  const bool head = row.bytes.starts_with("HEAD ");
  const std::string_view bytes = row.bytes;
  client.send(bytes.substr(0, row.body_begin));
  HttpAnswer answer;
  if (row.body_is_late) answer = client.read_answer(head);
  if (!row.body_is_late || answer.status == 100) {
    client.send(bytes.substr(row.body_begin));
    if (row.half_close) client.half_close();
    answer = client.read_answer(head);
  }
  return answer;
}

std::optional<std::string> difference(const RecordedRow& row, const HttpAnswer& answer) {
  if (answer.status != row.status)
    return "status " + std::to_string(answer.status) + ", recorded " + std::to_string(row.status);
  if (answer.body == row.body) return std::nullopt;
  const json here = json::parse(answer.body, nullptr, false);
  const json there = json::parse(row.body, nullptr, false);
  if (!here.is_discarded() && here == there) return std::nullopt;
  return "body " + answer.body.substr(0, 500) + "\nrecorded " + row.body.substr(0, 500);
}

std::string source_path(std::string_view relative) {
  std::string path = DROVER_SOURCE_DIR;
  path += '/';
  path += relative;
  return path;
}

}  // namespace drover::testing_support

// The text of dumps: SQL-looking statements, one a line, of which only those written here are understood.
#include <charconv>

#include "mockcloud/node/agent.hpp"

namespace drover::node {
namespace {

std::string as_literal(std::string_view text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') result += '\\';
    if (c == '\n')
      result += "\\n";
    else
      result += c;
  }
  result += '\'';
  return result;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<std::string> take_quoted(std::string_view& text) {
  if (!take(text, "'")) return std::nullopt;
  std::string value;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '\'') return value;
    if (c != '\\') {
      value += c;
      continue;
    }
    if (text.empty()) return std::nullopt;
    value += text.front() == 'n' ? '\n' : text.front();
    text.remove_prefix(1);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> take_number(std::string_view& text, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

constexpr std::string_view kUser = "CREATE OR REPLACE USER ";
constexpr std::string_view kCounter = "REPLACE INTO counters VALUES (";

bool read_user(std::string_view line, Change& change) {
  const auto name = take_quoted(line);
  if (!name || !take(line, "@")) return false;
  const auto location = take_quoted(line);
  if (!location || !take(line, " IDENTIFIED BY PASSWORD '*")) return false;
  const auto hash = take_number(line, 16);
  if (!hash || line != "';") return false;
  change.users[*name] = UserAccount{*location, *hash};
  return true;
}

bool read_counter(std::string_view line, Change& change) {
  const auto name = take_quoted(line);
  if (!name || !take(line, ", ")) return false;
  const auto value = take_number(line, 10);
  if (!value || line != ");") return false;
  change.counters[*name] = *value;
  return true;
}

std::string hexadecimal(std::uint64_t value) {
  char digits[16];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value, 16);
  return error == std::errc{} ? std::string(digits, end) : std::string();
}

}  // namespace

std::string make_dump(const std::map<std::string, UserAccount>& users,
                      const std::map<std::string, std::uint64_t>& counters) {
  std::string text = "-- drover dump 1\n";
  for (const auto& [name, account] : users) {
    text += kUser;
    text += as_literal(name) + "@" + as_literal(account.location) + " IDENTIFIED BY PASSWORD '*" +
            hexadecimal(account.password_hash) + "';\n";
  }
  for (const auto& [name, value] : counters) {
    text += kCounter;
    text += as_literal(name) + ", " + std::to_string(value) + ");\n";
  }
  return text;
}

Result<Change> read_dump_text(std::string_view text) {
  Change change;
  for (unsigned number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    bool ok = true;
    if (take(line, kUser))
      ok = read_user(line, change);
    else if (take(line, kCounter))
      ok = read_counter(line, change);
    if (!ok)
      return make_error(ErrorCode::invalid,
                        "The dump cannot be loaded: line " + std::to_string(number) +
                            " is cut off or malformed; nothing was changed. Take the dump again.");
  }
  return change;
}

}  // namespace drover::node

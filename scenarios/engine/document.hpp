// A scenario file as a tree of nodes, each with the line and column it came from; made from YAML or JSON.
// Knows nothing of scenarios: parse_scenario.hpp gives the tree its meaning. Plain data and pure functions,
// any thread.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "manager/base/result.hpp"

namespace drover::scenario {

inline constexpr std::size_t kDocumentBytesMax = std::size_t{4} * 1024 * 1024;
inline constexpr int kDocumentDepthMax = 64;
inline constexpr std::size_t kDocumentValuesMax = 100'000;

// Where something stands in its file: both from 1, columns counted in characters; 0 when it came from
// nowhere. Two models that differ only in places are equal, hence the comparison.
struct Place {
  unsigned line = 0;
  unsigned column = 0;
  friend constexpr bool operator==(const Place&, const Place&) { return true; }
};

struct Member;

struct Node {
  enum class Kind : unsigned char { null, boolean, number, text, list, map };

  Kind kind = Kind::null;
  Place place;
  bool boolean = false;
  double number = 0;
  std::string text;  // of a text its characters; of a number or boolean how it was written
  int text_offset =
      -1;  // column of the text's first character relative to `place`; -1: unknown (escapes, blocks)
  std::vector<Node> items;
  std::vector<Member> members;  // in file order, keys are unique

  bool is_scalar() const { return kind != Kind::list && kind != Kind::map; }
  // The value of a key of a map, or nullptr.
  const Node* find(std::string_view key) const;
  // The place of the offset-th byte of a text, as exactly as it is known.
  Place place_at(std::size_t offset) const;
};

struct Member {
  std::string key;
  Place place;
  Node value;
};

// In double quotes for a message: cut after 60 bytes, control characters shown as '?'.
std::string in_quotes(std::string_view text);
// "a list", "the number 3", "the text \"x\"": for messages.
std::string describe(const Node& node);

// What a plain (unquoted) scalar means in YAML 1.2 style: true, false, yes, no; numbers as JSON writes them;
// null, ~ and nothing; everything else ("on", "1..5", "35s", "0x10") is text.
Node plain_scalar(std::string text, Place place = {});

// The same data as JSON; whole numbers become integers.
nlohmann::json to_json(const Node& node);

// Everything found wrong in one file; more than 20 are not kept.
class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  void add(Place place, std::string_view message);
  bool empty() const { return lines_.empty(); }
  std::size_t size() const { return lines_.size(); }
  const std::string& file() const { return file_; }
  // ErrorCode::invalid; one "file:line:column: message" a line, in the order of the file.
  Error to_error() const;

 private:
  struct Line {
    Place place;
    std::string text;
  };
  std::string file_;
  std::vector<Line> lines_;
};

// Parses YAML or JSON: by the ending of `file` (".json", ".yaml", ".yml"), else JSON when the first character
// is '{' or '['. The result is a map or a list. Refused, with "file:line:column: message": more than 4 MiB,
// nesting deeper than 64, more than 100,000 values, duplicate keys, anchors, aliases, tags, merge keys, a
// second document, control characters, invalid UTF-8, and a file with nothing in it.
Result<Node> parse_document(std::string_view text, const std::string& file);

// The halves of parse_document, with the same limits.
Result<Node> parse_json(std::string_view text, const std::string& file);
Result<Node> parse_yaml(std::string_view text, const std::string& file);

// Counts positions of a text into lines and columns of characters; quick when asked in ascending order.
class Locator {
 public:
  explicit Locator(std::string_view text) : text_(text) {}
  Place place_of(std::size_t offset);

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  Place place_{1, 1};
};

// The candidate closest to `name` by edit distance, if close enough to be a slip of the pen.
std::optional<std::string> nearest(std::string_view name, std::span<const std::string> candidates);
// "; did you mean \"until\"?", or "; known are a, b, c" when nothing is near, or "" without candidates.
std::string suggestion(std::string_view name, std::span<const std::string> candidates);

}  // namespace drover::scenario

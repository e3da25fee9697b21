// JSON with the place of every value: RFC 8259, duplicate keys refused.
#include <charconv>
#include <cmath>
#include <unordered_set>

#include "scenarios/engine/document_text.hpp"

namespace drover::scenario {
namespace {

class JsonReader {
 public:
  JsonReader(std::string_view text, const std::string& file) : text_(text), file_(file), locator_(text) {}

  Result<Node> read() {
    skip_space();
    if (at_ == text_.size()) return document_error(file_, {1, 1}, kNothingThere);
    DROVER_TRY(auto root, value(0));
    skip_space();
    if (at_ != text_.size())
      return fail("something follows the end of the JSON text; a file holds one value");
    return root;
  }

 private:
  Error fail_at(std::size_t offset, std::string_view message) {
    return document_error(file_, locator_.place_of(offset), message);
  }
  Error fail(std::string_view message) { return fail_at(at_, message); }
  // What stands here, for messages.
  std::string here() const {
    if (at_ >= text_.size()) return "the end of the file";
    std::size_t end = at_ + 1;
    while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xC0U) == 0x80U) ++end;
    return text_[at_] == '\n' ? "the end of the line" : "'" + std::string(text_.substr(at_, end - at_)) + "'";
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
  }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  Result<Node> value(int depth) {
    if (depth > kDocumentDepthMax) return fail(kTooDeep);
    if (++values_ > kDocumentValuesMax) return fail(kTooMany);
    const auto start = at_;
    const Place place = locator_.place_of(start);
    if (take('{')) return map(depth, place);
    if (take('[')) return list(depth, place);
    if (at_ < text_.size() && text_[at_] == '"') {
      Node node;
      node.kind = Node::Kind::text;
      node.place = place;
      DROVER_TRY(node.text, string());
      if (text_.substr(start + 1, node.text.size()) == node.text) node.text_offset = 1;
      return node;
    }
    return word(place);
  }

  // true, false, null or a number.
  Result<Node> word(Place place) {
    auto end = at_;
    while (end < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[end])) != 0 || text_[end] == '-' ||
            text_[end] == '+' || text_[end] == '.' || text_[end] == '_'))
      ++end;
    const std::string found(text_.substr(at_, end - at_));
    if (found.empty()) return fail("expected a JSON value, found " + here());
    auto node = plain_scalar(found, place);
    const bool yaml_only = node.kind == Node::Kind::text || found == "yes" || found == "no";
    if (yaml_only) {
      const bool numeric =
          found.front() == '-' || std::isdigit(static_cast<unsigned char>(found.front())) != 0;
      return fail("expected a JSON value, found " + in_quotes(found) +
                  (numeric ? ", which is no JSON number" : "; texts stand in double quotes"));
    }
    at_ = end;
    return node;
  }

  Result<Node> list(int depth, Place place) {
    Node node;
    node.kind = Node::Kind::list;
    node.place = place;
    skip_space();
    if (take(']')) return node;
    while (true) {
      skip_space();
      DROVER_TRY(auto item, value(depth + 1));
      node.items.push_back(std::move(item));
      skip_space();
      if (take(']')) return node;
      if (!take(',')) return fail("expected ',' or ']' in a list, found " + here());
    }
  }

  Result<Node> map(int depth, Place place) {
    Node node;
    node.kind = Node::Kind::map;
    node.place = place;
    std::unordered_set<std::string> keys;  // looked up, never iterated
    skip_space();
    if (take('}')) return node;
    while (true) {
      skip_space();
      const auto key_at = at_;
      const auto key_place = locator_.place_of(key_at);
      if (at_ >= text_.size() || text_[at_] != '"')
        return fail("expected a key in double quotes, found " + here());
      DROVER_TRY(auto key, string());
      if (!keys.insert(key).second)
        return fail_at(key_at, "the key " + in_quotes(key) + " stands here twice");
      skip_space();
      if (!take(':')) return fail("expected ':' after the key " + in_quotes(key) + ", found " + here());
      skip_space();
      DROVER_TRY(auto member, value(depth + 1));
      node.members.push_back({std::move(key), key_place, std::move(member)});
      skip_space();
      if (take('}')) return node;
      if (!take(',')) return fail("expected ',' or '}' in a map, found " + here());
    }
  }

  Result<std::string> string() {
    const auto start = at_++;
    std::string out;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return out;
      }
      if (c == '\n') break;
      if (c == '\t') return fail("a tab inside a JSON text; write \\t");
      ++at_;
      if (c != '\\') {
        out += c;
        continue;
      }
      DROVER_TRY(escape(out));
    }
    return fail_at(start, "this text has no closing double quote");
  }

  Result<void> escape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kBytes = "\"\\/\b\f\n\r\t";
    const char c = at_ < text_.size() ? text_[at_] : '\n';
    const auto found = kNames.find(c);
    if (found != std::string_view::npos) {
      ++at_;
      out += kBytes[found];
      return success();
    }
    if (c != 'u') return fail_at(at_ - 1, "unknown escape in a JSON text");
    ++at_;
    DROVER_TRY(auto code, hex());
    if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_).starts_with("\\u")) {
      at_ += 2;
      DROVER_TRY(auto low, hex());
      if (low < 0xDC00 || low > 0xDFFF) return fail_at(at_ - 6, "half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10U) + (low - 0xDC00);
    }
    if (code >= 0xD800 && code < 0xE000) return fail_at(at_ - 6, "half of a surrogate pair");
    append_character(out, code);
    return success();
  }

  Result<unsigned> hex() {
    unsigned code = 0;
    const auto digits = text_.substr(at_, 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (error != std::errc{} || digits.size() != 4 || end != digits.data() + 4)
      return fail_at(at_, "\\u needs four hexadecimal digits");
    at_ += 4;
    return code;
  }

  static void append_character(std::string& out, unsigned code) {
    const auto byte = [&](unsigned value) { out += static_cast<char>(static_cast<unsigned char>(value)); };
    if (code < 0x80) {
      byte(code);
    } else if (code < 0x800) {
      byte(0xC0U | code >> 6U);
      byte(0x80U | (code & 0x3FU));
    } else if (code < 0x10000) {
      byte(0xE0U | code >> 12U);
      byte(0x80U | (code >> 6U & 0x3FU));
      byte(0x80U | (code & 0x3FU));
    } else {
      byte(0xF0U | code >> 18U);
      byte(0x80U | (code >> 12U & 0x3FU));
      byte(0x80U | (code >> 6U & 0x3FU));
      byte(0x80U | (code & 0x3FU));
    }
  }

  std::string_view text_;
  const std::string& file_;
  Locator locator_;
  std::size_t at_ = 0;
  std::size_t values_ = 0;
};

}  // namespace

Result<Node> parse_json(std::string_view text, const std::string& file) {
  DROVER_TRY(auto clean, clean_text(text, file));
  return JsonReader(clean, file).read();
}

}  // namespace drover::scenario

#include "manager/system/one_template.hpp"

#include <algorithm>
#include <pugixml.hpp>

#include "manager/system/xml_rpc.hpp"

namespace drover::one {
namespace {

constexpr std::size_t kAttributesMax = 4096;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool is_word(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '"') ++i;
    out += text[i];
  }
  return out;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Template> run() {
    Template all;
    while (true) {
      skip();
      if (at_end()) return all;
      if (all.size() == kAttributesMax) return fail("too many attributes", "");
      DROVER_TRY(auto attribute, this->attribute());
      all.push_back(std::move(attribute));
    }
  }

 private:
  enum class Equal : unsigned char { none, empty, value };

  Result<Attribute> attribute() {
    Attribute made;
    made.name = word();
    if (made.name.empty()) return fail(unexpected(), "VARIABLE");
    switch (equal()) {
      case Equal::none:
        return fail(unexpected(), "EQUAL or EQUAL_EMPTY");
      case Equal::empty:
        return made;
      case Equal::value:
        break;
    }
    if (peek() == '[') {
      ++at_;
      made.vector = true;
      DROVER_TRY(parts(made));
      return made;
    }
    DROVER_TRY(made.value, value("OBRACKET or CCDATA or STRING"));
    return made;
  }

  Result<void> parts(Attribute& made) {
    skip();
    if (peek() == ']') {
      ++at_;
      return success();
    }
    while (true) {
      skip();
      const std::string name = word();
      if (name.empty()) return fail(unexpected(), "VARIABLE");
      if (equal() != Equal::value) return fail(unexpected(), "EQUAL");
      DROVER_TRY(auto content, value("STRING"));
      if (made.parts.size() == kAttributesMax) return fail("too many attributes", "");
      if (std::none_of(made.parts.begin(), made.parts.end(),
                       [&](const auto& part) { return part.first == name; }))
        made.parts.emplace_back(name, std::move(content));
      skip();
      if (peek() == ']') break;
      if (peek() != ',') return fail(unexpected(), "COMMA or CBRACKET");
      ++at_;
    }
    ++at_;
    return success();
  }

  Result<std::string> value(const char* expected) {
    const std::string_view rest = text_.substr(at_);
    const std::string_view line = rest.substr(0, rest.find('\n'));
    const std::size_t quoted = quoted_size(rest);
    std::size_t bare = 0;
    if (quoted == 0) bare = std::min(rest.find_first_of("=# \t\n,[]"), rest.size());
    if (line.find("]]>") != std::string_view::npos && line.size() >= std::max(quoted, bare))
      return make_error(ErrorCode::invalid, "Parse error.");
    if (quoted == 0 && bare == 0) return fail(unexpected(), expected);
    at_ += std::max(quoted, bare);
    std::string_view taken = rest.substr(0, std::max(quoted, bare));
    if (quoted > 0) taken = taken.substr(1, taken.size() - 2);
    if (quoted == 0 && taken.ends_with('\r')) taken.remove_suffix(1);
    return unescaped(taken);
  }

  // The longest quoted text at the start, both quotes included; 0 for none. \" does not end it, unless
  // nothing else does.
  static std::size_t quoted_size(std::string_view rest) {
    if (!rest.starts_with('"')) return 0;
    std::size_t candidate = 0;
    for (std::size_t i = 1; i < rest.size(); ++i) {
      if (rest[i] != '"') continue;
      candidate = i + 1;
      if (rest[i - 1] != '\\' || i == 1) break;
    }
    return candidate;
  }

  std::string word() {
    std::string name;
    for (; !at_end() && is_word(text_[at_]); ++at_) name += upper(text_[at_]);
    return name;
  }
  Equal equal() {
    std::size_t at = at_;
    while (at < text_.size() && is_blank(text_[at])) ++at;
    if (at == text_.size() || text_[at] != '=') return Equal::none;
    do ++at;
    while (at < text_.size() && is_blank(text_[at]));
    at_ = at;
    if (peek() != '\n') return Equal::value;
    ++at_;
    return Equal::empty;
  }
  void skip() {
    while (!at_end()) {
      if (is_blank(peek()) || peek() == '\n')
        ++at_;
      else if (peek() == '#')
        at_ = std::min(text_.find('\n', at_), text_.size());
      else
        return;
    }
  }
  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }

  std::string unexpected() const {
    std::string what = "syntax error, unexpected ";
    if (at_end()) return what + "$end";
    switch (peek()) {
      case '=':
        return what + "EQUAL";
      case ',':
        return what + "COMMA";
      case '[':
        return what + "OBRACKET";
      case ']':
        return what + "CBRACKET";
      default:
        return what + (is_word(peek()) ? "VARIABLE" : "character");
    }
  }
  Error fail(const std::string& what, const std::string& expected) const {
    const std::string_view before = text_.substr(0, at_);
    const auto lines = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t last = before.rfind('\n');
    const std::size_t column = last == std::string_view::npos ? at_ : at_ - last - 1;
    return make_error(ErrorCode::invalid, "Parse error: " + what +
                                              (expected.empty() ? "" : ", expecting " + expected) +
                                              " at line " + std::to_string(lines) + ", columns " +
                                              std::to_string(column) + ":" + std::to_string(column + 1));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string content(const pugi::xml_node& node) {
  std::string text;
  for (const pugi::xml_node& child : node.children())
    if (child.type() == pugi::node_pcdata || child.type() == pugi::node_cdata) text += child.value();
  return text;
}

Result<Template> parse_xml(std::string_view text) {
  const auto malformed = [] {
    return make_error(ErrorCode::invalid, "Parse error: XML Template malformed.");
  };
  pugi::xml_document document;
  constexpr unsigned kParse = pugi::parse_default | pugi::parse_doctype;
  if (!xml_rpc::is_plain(text) ||
      !document.load_buffer(text.data(), text.size(), kParse, pugi::encoding_utf8))
    return malformed();
  for (const pugi::xml_node& child : document.children())
    if (child.type() == pugi::node_doctype) return malformed();
  Template all;
  for (const pugi::xml_node& node : document.document_element().children()) {
    if (node.type() != pugi::node_element) continue;
    if (all.size() == kAttributesMax) return malformed();
    Attribute made = single(attribute_name(node.name()), content(node));
    for (const pugi::xml_node& part : node.children()) {
      if (part.type() != pugi::node_element) continue;
      made.vector = true;
      if (made.parts.size() == kAttributesMax) return malformed();
      made.parts.emplace_back(attribute_name(part.name()), content(part));
    }
    if (made.vector) made.value.clear();
    all.push_back(std::move(made));
  }
  return all;
}

Error unsayable(const std::string& name) {
  return make_error(ErrorCode::invalid,
                    "the value of " + name +
                        " cannot be said in an OpenNebula template: it must not contain \"]]>\" or control "
                        "characters, nor end with a backslash");
}

}  // namespace

std::string Attribute::part(std::string_view wanted) const {
  for (const auto& [key, text] : parts)
    if (key == wanted) return text;
  return {};
}

void Attribute::set_part(std::string_view wanted, std::string text) {
  for (auto& [key, old] : parts)
    if (key == wanted) {
      old = std::move(text);
      return;
    }
  parts.emplace_back(wanted, std::move(text));
}

Attribute single(std::string name, std::string value) {
  Attribute made;
  made.name = std::move(name);
  made.value = std::move(value);
  return made;
}

const Attribute* find(const Template& from, std::string_view name) {
  for (const Attribute& each : from)
    if (each.name == name) return &each;
  return nullptr;
}

std::string value_of(const Template& from, std::string_view name) {
  const Attribute* found = find(from, name);
  return found == nullptr ? std::string() : found->value;
}

void drop(Template& from, std::string_view name) {
  std::erase_if(from, [&](const Attribute& each) { return each.name == name; });
}

void set(Template& to, Attribute attribute) {
  drop(to, attribute.name);
  to.push_back(std::move(attribute));
}

Result<Template> parse_template(std::string_view text) {
  if (text.size() > kTemplateBytesMax)
    return make_error(ErrorCode::invalid, "Parse error: the template is larger than 1 MiB");
  if (text.starts_with('<')) return parse_xml(text);
  return Parser(text).run();
}

std::optional<std::string> quote(std::string_view value) {
  if (value.ends_with('\\') || value.find("]]>") != std::string_view::npos || !xml_rpc::is_plain(value))
    return std::nullopt;
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"') out += '\\';
    out += c;
  }
  return out + '"';
}

Result<std::string> write_text(const Template& from) {
  std::string out;
  for (const Attribute& each : from) {
    out += each.name + " = ";
    if (!each.vector) {
      const auto quoted = quote(each.value);
      if (!quoted) return unsayable(each.name);
      out += *quoted + "\n";
      continue;
    }
    out += "[";
    const char* before = " ";
    for (const auto& [key, text] : each.parts) {
      const auto quoted = quote(text);
      if (!quoted) return unsayable(each.name + "/" + key);
      out += before + key + " = " + *quoted;
      before = ",\n  ";
    }
    out += " ]\n";
  }
  return out;
}

std::string write_xml(const Template& from) {
  std::vector<const Attribute*> sorted;
  for (const Attribute& each : from) sorted.push_back(&each);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Attribute* a, const Attribute* b) { return a->name < b->name; });
  std::string out;
  const auto element = [](const std::string& name, const std::string& inner) {
    return "<" + name + ">" + inner + "</" + name + ">";
  };
  for (const Attribute* each : sorted) {
    if (!each->vector) {
      out += element(attribute_name(each->name), xml_rpc::cdata(each->value));
      continue;
    }
    auto parts = each->parts;
    std::stable_sort(parts.begin(), parts.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::string inner;
    for (const auto& [key, text] : parts) inner += element(attribute_name(key), xml_rpc::cdata(text));
    out += element(attribute_name(each->name), inner);
  }
  return out;
}

std::string attribute_name(std::string_view text) {
  std::string name;
  if (text.empty() || (text.front() >= '0' && text.front() <= '9')) name = "_";
  for (const char c : text) name += is_word(c) ? upper(c) : '_';
  return name;
}

std::string tag_key(std::string_view attribute) {
  constexpr std::string_view kOurs = "DROVER_";
  if (!attribute.starts_with(kOurs)) return std::string(attribute);
  std::string key;
  for (const char c : attribute)
    key += c == '_' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return key;
}

}  // namespace drover::one

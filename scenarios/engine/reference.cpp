#include "scenarios/engine/reference.hpp"

#include <charconv>

#include "scenarios/engine/document.hpp"

namespace drover::scenario {
namespace {

constexpr std::size_t kIndexMax = 999'999;

Error fail_at(std::size_t offset, std::string_view message) {
  return make_error(ErrorCode::invalid, std::to_string(offset) + ": " + std::string(message));
}

bool starts_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool in_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

class TemplateReader {
 public:
  explicit TemplateReader(std::string_view text) : text_(text) {}

  Result<TextTemplate> read() {
    while (at_ < text_.size()) {
      if (text_[at_] != '$') {
        literal_ += text_[at_++];
        continue;
      }
      const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : ' ';
      if (next == '$') {
        literal_ += '$';
        at_ += 2;
      } else if (starts_name(next) || next == '{') {
        DROVER_TRY(reference());
      } else {
        literal_ += text_[at_++];
      }
    }
    flush();
    return std::move(out_);
  }

 private:
  void flush() {
    if (!literal_.empty()) out_.parts.emplace_back(std::move(literal_));
    literal_.clear();
  }
  std::string name() {
    const auto from = at_;
    while (at_ < text_.size() && in_name(text_[at_])) ++at_;
    return std::string(text_.substr(from, at_ - from));
  }

  Result<void> reference() {
    Reference found;
    found.offset = at_++;
    const bool braces = text_[at_] == '{';
    if (braces) ++at_;
    if (at_ >= text_.size() || !starts_name(text_[at_]))
      return fail_at(found.offset, "a name must follow \"${\"");
    found.root = name();
    while (at_ < text_.size()) {
      if (text_[at_] == '.' && at_ + 1 < text_.size() && starts_name(text_[at_ + 1])) {
        ++at_;
        found.path.emplace_back(name());
      } else if (text_[at_] == '[') {
        DROVER_TRY(auto index, this->index());
        found.path.emplace_back(index);
      } else {
        break;
      }
    }
    if (braces && (at_ >= text_.size() || text_[at_++] != '}'))
      return fail_at(found.offset, "this reference has no closing '}'");
    found.length = at_ - found.offset;
    flush();
    out_.parts.emplace_back(std::move(found));
    return success();
  }

  Result<std::size_t> index() {
    const auto open = at_++;
    std::size_t value = 0;
    const char* const end = text_.data() + text_.size();
    const auto [stop, error] = std::from_chars(text_.data() + at_, end, value);
    if (error != std::errc{} || value > kIndexMax)
      return fail_at(open, "an index is a whole number from 0 to 999999, such as [0]");
    at_ = static_cast<std::size_t>(stop - text_.data());
    if (at_ >= text_.size() || text_[at_] != ']') return fail_at(open, "this index has no closing ']'");
    ++at_;
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string literal_;
  TextTemplate out_;
};

std::string written(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::vector<std::string> keys_of(const nlohmann::json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

// One step of a path; nullptr and a reason when there is no such thing.
const nlohmann::json* step_into(const nlohmann::json& at, const std::variant<std::string, std::size_t>& part,
                                std::string& why) {
  if (const auto* key = std::get_if<std::string>(&part)) {
    if (!at.is_object()) {
      why = std::string("it is ") + at.type_name() + ", not an object with keys";
      return nullptr;
    }
    if (const auto found = at.find(*key); found != at.end()) return &*found;
    why = "there is no " + in_quotes(*key) + suggestion(*key, keys_of(at));
    return nullptr;
  }
  const auto index = std::get<std::size_t>(part);
  if (!at.is_array()) {
    why = std::string("it is ") + at.type_name() + ", not a list";
    return nullptr;
  }
  if (index < at.size()) return &at[index];
  why = "it has only " + std::to_string(at.size()) + " elements";
  return nullptr;
}

}  // namespace

std::string to_text(const Reference& reference) {
  std::string out = "$" + reference.root;
  for (const auto& part : reference.path) {
    if (const auto* key = std::get_if<std::string>(&part)) {
      out += "." + *key;
    } else {
      out += "[" + std::to_string(std::get<std::size_t>(part)) + "]";
    }
  }
  return out;
}

bool TextTemplate::has_references() const {
  return std::ranges::any_of(parts, [](const auto& part) { return std::holds_alternative<Reference>(part); });
}

Result<TextTemplate> parse_template(std::string_view text) { return TemplateReader(text).read(); }

Result<nlohmann::json> resolve(const Reference& reference, const nlohmann::json& captures) {
  const auto root = captures.find(reference.root);
  if (root == captures.end())
    return make_error(ErrorCode::not_found, "nothing is known yet as $" + reference.root +
                                                suggestion(reference.root, keys_of(captures)));
  const nlohmann::json* at = &*root;
  Reference walked;
  walked.root = reference.root;
  for (const auto& part : reference.path) {
    std::string why;
    at = step_into(*at, part, why);
    if (at == nullptr)
      return make_error(ErrorCode::not_found,
                        to_text(reference) + " does not exist: in " + to_text(walked) + " " + why);
    walked.path.push_back(part);
  }
  return *at;
}

Result<nlohmann::json> resolve(const nlohmann::json& value, const nlohmann::json& captures) {
  if (value.is_string()) {
    DROVER_TRY(auto parsed, parse_template(value.get_ref<const std::string&>()));
    if (parsed.is_one_reference()) return resolve(std::get<Reference>(parsed.parts[0]), captures);
    std::string out;
    for (const auto& part : parsed.parts) {
      if (const auto* literal = std::get_if<std::string>(&part)) {
        out += *literal;
        continue;
      }
      DROVER_TRY(auto found, resolve(std::get<Reference>(part), captures));
      out += written(found);
    }
    return nlohmann::json(std::move(out));
  }
  auto out = value;
  for (auto& element : out) {
    if (!out.is_structured()) break;
    DROVER_TRY(auto resolved, resolve(std::as_const(element), captures));
    element = std::move(resolved);
  }
  return out;
}

Result<std::string> resolve_text(std::string_view text, const nlohmann::json& captures) {
  DROVER_TRY(auto value, resolve(nlohmann::json(std::string(text)), captures));
  return written(value);
}

}  // namespace drover::scenario

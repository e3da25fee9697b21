#include "mockcloud/wire/openstack/json_body.hpp"

#include <charconv>

namespace drover::wire::openstack {
namespace {

constexpr int kDepthMax = 32;
constexpr std::size_t kQuotedMax = 200;

void print(const Json& json, std::string& out) {
  if (out.size() > kQuotedMax) return;
  if (json.is_string()) {
    out += "'" + json.get_ref<const std::string&>().substr(0, kQuotedMax) + "'";
  } else if (json.is_array()) {
    const char* before = "[";
    for (const auto& each : json) {
      out += before;
      print(each, out);
      before = ", ";
    }
    out += json.empty() ? "[]" : "]";
  } else if (json.is_object()) {
    const char* before = "{";
    for (const auto& [key, value] : json.items()) {
      out += before + ("'" + key.substr(0, kQuotedMax)) + "': ";
      print(value, out);
      before = ", ";
    }
    out += json.empty() ? "{}" : "}";
  } else if (json.is_null()) {
    out += "None";
  } else if (json.is_boolean()) {
    out += json.get<bool>() ? "True" : "False";
  } else {
    out += json.dump();
  }
}

}  // namespace

std::optional<Json> parse_json(std::string_view text) {
  // The depth is bounded before anything is built, by the brackets outside of strings.
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kDepthMax) return std::nullopt;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return std::nullopt;
  return json;
}

std::string to_text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

const Json* member(const Json& json, const char* name) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(name);
  return found == json.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> text_member(const Json& json, const char* name) {
  const Json* found = member(json, name);
  if (found == nullptr || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

std::optional<std::uint64_t> number_member(const Json& json, const char* name, std::uint64_t least,
                                           std::uint64_t most) {
  const Json* found = member(json, name);
  if (found == nullptr) return std::nullopt;
  std::uint64_t value = 0;
  if (found->is_number_unsigned()) {
    value = found->get<std::uint64_t>();
  } else if (found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  } else {
    return std::nullopt;
  }
  if (value < least || value > most) return std::nullopt;
  return value;
}

std::string quoted(const Json& json) {
  std::string out;
  print(json, out);
  if (out.size() <= kQuotedMax) return out;
  return out.substr(0, kQuotedMax) + "...";
}

}  // namespace drover::wire::openstack

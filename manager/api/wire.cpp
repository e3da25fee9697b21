#include "manager/api/wire.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

namespace drover::api {
namespace {

using Json = nlohmann::json;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

std::string json_text(std::string_view text) {
  return Json(text).dump(-1, ' ', true, Json::error_handler_t::replace);
}

// One pass over JSON text that need not be valid: how deep it nests, and where the value of the last
// top-level "id" stands. The text of the id is kept because a parsed number would lose digits (1.50,
// 12345678901234567890123).
struct Outline {
  std::size_t depth = 0;
  std::string_view id;
};

class OutlineReader {
 public:
  explicit OutlineReader(std::string_view text) : text_(text) {}

  Outline read() {
    for (std::size_t at = 0; at < text_.size(); ++at) {
      switch (text_[at]) {
        case '"':
          at = skip_string(at);
          break;
        case '{':
        case '[':
          if (++depth_ == 1) in_object_ = text_[at] == '{';
          outline_.depth = std::max(outline_.depth, depth_);
          break;
        case '}':
        case ']':
          if (depth_ == 1) end_value(at);
          if (depth_ > 0) --depth_;
          break;
        case ':':
          if (depth_ == 1 && in_object_ && !value_begin_ && is_id(key_)) value_begin_ = at + 1;
          break;
        case ',':
          if (depth_ == 1) end_value(at);
          break;
        default:
          break;
      }
    }
    end_value(text_.size());
    return outline_;
  }

 private:
  std::size_t skip_string(std::size_t begin) {
    std::size_t at = begin + 1;
    while (at < text_.size() && text_[at] != '"') at += text_[at] == '\\' ? 2 : 1;
    at = std::min(at, text_.size());
    if (depth_ == 1 && !value_begin_) key_ = text_.substr(begin, at + 1 - begin);
    return at;
  }
  void end_value(std::size_t end) {
    if (value_begin_) outline_.id = trim(text_.substr(*value_begin_, end - *value_begin_));
    value_begin_.reset();
    key_ = {};
  }
  static bool is_id(std::string_view key) {
    if (key == "\"id\"") return true;
    if (key.find('\\') == std::string_view::npos || key.size() > 14) return false;
    const Json decoded = Json::parse(key, nullptr, false);
    return decoded.is_string() && decoded.get_ref<const std::string&>() == "id";
  }

  std::string_view text_;
  Outline outline_;
  std::size_t depth_ = 0;
  bool in_object_ = false;
  std::string_view key_;
  std::optional<std::size_t> value_begin_;
};

Call fail(Call call, Code code, std::string text) {
  call.kind = Call::Kind::failure;
  call.failure = make_failure(code, std::move(text));
  return call;
}

std::string too_deep(std::string_view what, const CallRules& rules) {
  return "Invalid argument: " + std::string(what) + " DETAIL:nested deeper than " +
         std::to_string(rules.depth_max) + " levels";
}

// Parses JSON, or says where it is broken without repeating any of it.
std::optional<Json> parse(std::string_view text, std::string& problem) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    problem = "not valid JSON, at byte " + std::to_string(error.byte);
  } catch (const Json::exception&) {
    problem = "not valid JSON: a number is out of range";
  }
  return std::nullopt;
}

// Collects the keys of the object `params` (of the whole text when `member` is empty) in their order.
class KeyOrder final : public nlohmann::json_sax<Json> {
 public:
  explicit KeyOrder(std::string_view member) : member_(member), inside_(member.empty()) {}
  std::vector<std::string> take() { return std::move(keys_); }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return ++depth_ > 0; }
  bool end_object() override { return depth_-- > 0; }
  bool start_array(std::size_t) override { return ++depth_ > 0; }
  bool end_array() override { return depth_-- > 0; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }
  bool key(string_t& name) override {
    const std::size_t level = member_.empty() ? 1 : 2;
    if (depth_ < level) {
      inside_ = name == member_;
      if (inside_) keys_.clear();
    } else if (depth_ == level && inside_ && std::find(keys_.begin(), keys_.end(), name) == keys_.end()) {
      keys_.push_back(name);
    }
    return true;
  }

 private:
  std::string_view member_;
  bool inside_;
  std::size_t depth_ = 0;
  std::vector<std::string> keys_;
};

// nlohmann::json sorts keys, and the documented error names them in the client's order. Only few keys are put
// in order: more are no call that anybody means.
std::vector<std::string> key_order(std::string_view text, std::string_view member, const Json& params) {
  constexpr std::size_t kOrderedMax = 64;
  if (!params.is_object() || params.size() < 2 || params.size() > kOrderedMax) return {};
  KeyOrder order(member);
  Json::sax_parse(text, &order);
  return order.take();
}

bool method_unknown(const CallRules& rules, const Request& request) {
  if (!is_utf8(request.method)) return true;
  return rules.knows_method != nullptr && *rules.knows_method &&
         !(*rules.knows_method)(request.verb, request.method);
}

constexpr std::string_view kMissingId =
    "Missing argument: id DETAIL:every call carries an id, which its answer repeats";

bool is_utf8_charset(std::string_view value) {
  value = trim(value);
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
    value = value.substr(1, value.size() - 2);
  return equal_ignoring_case(value, "utf-8") || equal_ignoring_case(value, "utf8") ||
         equal_ignoring_case(value, "us-ascii");
}

// RFC 2046: up to 70 characters, quoted or not.
std::string boundary_value(std::string_view value) {
  value = trim(value);
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
    value = value.substr(1, value.size() - 2);
  const bool printable = std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c <= '~'; });
  return value.size() <= 70 && printable ? std::string(value) : std::string();
}

}  // namespace

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first);
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool is_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto byte = [&](std::size_t offset) -> unsigned {
      return at + offset < text.size() ? static_cast<unsigned char>(text[at + offset]) : 0U;
    };
    const auto tail = [&](std::size_t offset) { return (byte(offset) & 0xC0U) == 0x80U; };
    const unsigned lead = byte(0);
    if (lead < 0x80) {
      at += 1;
    } else if (lead >= 0xC2 && lead <= 0xDF && tail(1)) {
      at += 2;
    } else if (lead >= 0xE0 && lead <= 0xEF && tail(1) && tail(2)) {
      if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F)) return false;
      at += 3;
    } else if (lead >= 0xF0 && lead <= 0xF4 && tail(1) && tail(2) && tail(3)) {
      if ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) return false;
      at += 4;
    } else {
      return false;
    }
  }
  return true;
}

std::string decode_query_text(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%' && at + 2 < text.size() && hex_value(text[at + 1]) >= 0 &&
        hex_value(text[at + 2]) >= 0) {
      decoded.push_back(static_cast<char>(hex_value(text[at + 1]) * 16 + hex_value(text[at + 2])));
      at += 2;
    } else {
      decoded.push_back(text[at] == '+' ? ' ' : text[at]);
    }
  }
  return decoded;
}

Target split_target(std::string_view target) {
  target = target.substr(0, target.find('#'));
  const auto scheme = target.find("://");
  if (!target.starts_with('/') && scheme != std::string_view::npos && scheme < target.find_first_of("/?")) {
    target.remove_prefix(scheme + 3);
    const auto authority_end = target.find_first_of("/?");
    target = authority_end == std::string_view::npos ? std::string_view() : target.substr(authority_end);
  }
  Target split;
  const auto question = target.find('?');
  split.path = target.substr(0, question);
  if (question != std::string_view::npos) split.query = target.substr(question + 1);
  const auto slash = split.path.rfind('/');
  const auto parameters = split.path.find(';', slash == std::string_view::npos ? 0 : slash);
  split.path = split.path.substr(0, parameters);
  return split;
}

ContentType parse_content_type(std::string_view value) {
  ContentType type;
  const auto semicolon = value.find(';');
  const std::string_view essence = trim(value.substr(0, semicolon));
  for (const std::string_view json : {"application/json", "application/json-rpc", "application/jsonrequest"})
    if (equal_ignoring_case(essence, json)) type.media = Media::json;
  if (equal_ignoring_case(essence, "multipart/form-data")) type.media = Media::multipart;
  std::string_view rest =
      semicolon == std::string_view::npos ? std::string_view() : value.substr(semicolon + 1);
  while (!rest.empty()) {
    const auto end = rest.find(';');
    const std::string_view parameter = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    const auto equals = parameter.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = trim(parameter.substr(0, equals));
    if (equal_ignoring_case(name, "charset") && !is_utf8_charset(parameter.substr(equals + 1)))
      type.media = Media::other;
    if (equal_ignoring_case(name, "boundary")) type.boundary = boundary_value(parameter.substr(equals + 1));
  }
  return type;
}

Response make_failure(Code code, std::string text) {
  Response response;
  response.failed = true;
  response.code = code;
  response.error = std::move(text);
  return response;
}

Call read_query(std::string_view query, const CallRules& rules) {
  Call call;
  std::optional<std::string> method;
  std::optional<std::string> id;
  std::optional<std::string> params;
  while (!query.empty()) {
    const auto end = query.find_first_of("&;");
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || equals + 1 == pair.size()) continue;
    const std::string key = decode_query_text(pair.substr(0, equals));
    if (key == "method") method = decode_query_text(pair.substr(equals + 1));
    if (key == "id") id = decode_query_text(pair.substr(equals + 1));
    if (key == "params") params = decode_query_text(pair.substr(equals + 1));
  }
  if (id && is_utf8(*id)) call.id = json_text(*id);
  if (!method) {
    call.kind = Call::Kind::no_method;
    return call;
  }
  call.request.method = std::move(*method);
  if (method_unknown(rules, call.request)) {
    call.kind = Call::Kind::unknown_method;
    return call;
  }
  if (!id) return fail(std::move(call), Code::E_ARGS_MISSING, std::string(kMissingId));
  if (!is_utf8(*id))
    return fail(std::move(call), Code::E_ARGS_INVALID, "Invalid argument: id DETAIL:not UTF-8");
  if (!params) return call;
  if (OutlineReader(*params).read().depth > rules.depth_max)
    return fail(std::move(call), Code::E_ARGS_INVALID, too_deep("params", rules));
  std::string problem;
  std::optional<Json> parsed = parse(*params, problem);
  if (!parsed)
    return fail(std::move(call), Code::E_ARGS_INVALID, "Invalid argument: params DETAIL:" + problem);
  call.request.order = key_order(*params, {}, *parsed);
  call.request.params = std::move(*parsed);
  return call;
}

Call read_body(std::string_view body, const CallRules& rules) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (body.starts_with(kByteOrderMark)) body.remove_prefix(kByteOrderMark.size());
  Call call;
  call.request.verb = Verb::post;
  if (trim(body).empty())
    return fail(
        std::move(call), Code::E_ARGS_MISSING,
        "Missing argument: the request body is empty DETAIL:expected {\"method\", \"params\", \"id\"}");
  const Outline outline = OutlineReader(body).read();
  if (!outline.id.empty() && Json::accept(outline.id)) call.id = std::string(outline.id);
  if (outline.depth > rules.depth_max)
    return fail(std::move(call), Code::E_ARGS_INVALID, too_deep("the request body", rules));
  std::string problem;
  std::optional<Json> parsed = parse(body, problem);
  if (!parsed)
    return fail(std::move(call), Code::E_ARGS_INVALID,
                "Invalid argument: the request body DETAIL:" + problem);
  const auto method = parsed->is_object() ? parsed->find("method") : parsed->end();
  if (!parsed->is_object() || method == parsed->end()) {
    call.kind = Call::Kind::no_method;
    return call;
  }
  if (method->is_string()) call.request.method = method->get<std::string>();
  if (!method->is_string() || method_unknown(rules, call.request)) {
    call.kind = Call::Kind::unknown_method;
    return call;
  }
  if (!parsed->contains("id")) return fail(std::move(call), Code::E_ARGS_MISSING, std::string(kMissingId));
  if (const auto params = parsed->find("params"); params != parsed->end()) {
    call.request.order = key_order(body, "params", *params);
    call.request.params = std::move(*params);
  }
  return call;
}

Call read_fields(Json fields, std::vector<UploadedFile> files, const CallRules& rules) {
  Call call;
  call.id = "1";
  call.request.verb = Verb::upload;
  const auto method = fields.find("method");
  if (method == fields.end() || method->get_ref<const std::string&>().empty()) {
    call.kind = Call::Kind::no_method;
    return call;
  }
  call.request.method = method->get<std::string>();
  fields.erase(method);
  if (method_unknown(rules, call.request)) {
    call.kind = Call::Kind::unknown_method;
    return call;
  }
  call.request.params = std::move(fields);
  call.request.files = std::move(files);
  return call;
}

void append_envelope(std::string& out, std::string_view id, const Response& response) {
  const auto append = [&](const Json& value) {
    out += value.dump(-1, ' ', true, Json::error_handler_t::replace);
  };
  out += "{\"id\": ";
  out += id;
  if (!response.failed) {
    out += ", \"result\": ";
    append(response.result);
    out += ", \"error\": null}";
    return;
  }
  out += ", \"error\": ";
  out += json_text(response.error);
  out += ", \"code\": ";
  out += std::to_string(static_cast<int>(response.code));
  out += ", \"data\": ";
  append(response.data);
  out += '}';
}

}  // namespace drover::api

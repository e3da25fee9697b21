#include "manager/system/xml_rpc.hpp"

#include <charconv>
#include <pugixml.hpp>

namespace drover::xml_rpc {
namespace {

constexpr unsigned kParse = pugi::parse_cdata | pugi::parse_escapes | pugi::parse_eol | pugi::parse_doctype |
                            pugi::parse_ws_pcdata_single;
constexpr std::size_t kDigitsMax = 32;

Error wrong(const std::string& what) { return make_error(ErrorCode::protocol, what); }

// How many bytes the character at the start of `text` has, 0 when it is none that XML allows.
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return first >= 0x20 || first == '\t' || first == '\n' || first == '\r' ? 1 : 0;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xc0U) != 0x80) return 0;
  const unsigned second = byte(1);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool surrogate = first == 0xed && second > 0x9f;
  const bool beyond = first == 0xf4 && second > 0x8f;
  const bool reserved = first == 0xef && second == 0xbf && byte(2) >= 0xbe;  // U+FFFE, U+FFFF
  return overlong || surrogate || beyond || reserved ? 0 : size;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// All character data of an element, over several sections.
std::string text_of(const pugi::xml_node& node) {
  std::string text;
  for (const pugi::xml_node& child : node.children())
    if (child.type() == pugi::node_pcdata || child.type() == pugi::node_cdata) text += child.value();
  return text;
}

pugi::xml_node first_element(const pugi::xml_node& node) {
  for (const pugi::xml_node& child : node.children())
    if (child.type() == pugi::node_element) return child;
  return {};
}

class Reader {
 public:
  explicit Reader(const Limits& limits) : limits_(limits) {}

  Result<Value> value(const pugi::xml_node& node, unsigned depth) {
    if (depth > limits_.depth || ++values_ > limits_.values)
      return make_error(ErrorCode::quota, "the values are nested too deeply, or there are too many");
    const pugi::xml_node type = first_element(node);
    if (!type) return text(node);  // without a type it is a string
    const std::string_view name = type.name();
    if (name == "string" || name == "base64" || name == "dateTime.iso8601") return text(type);
    if (name == "int" || name == "i4" || name == "i8" || name == "ex:i8") return integer(type, name);
    if (name == "boolean") return boolean(type);
    if (name == "double") return real(type);
    if (name == "array") return array(type, depth);
    if (name == "struct") return structure(type, depth);
    if (name == "nil" || name == "ex:nil") return Value{};
    return wrong("<value> has an unknown type <" + std::string(name.substr(0, kDigitsMax)) + ">");
  }

 private:
  // A reference such as &#1; may have made what no XML may hold.
  static Result<Value> text(const pugi::xml_node& node) {
    Value value = Value::of_text(text_of(node));
    if (!is_plain(value.text)) return wrong("reference to invalid character number");
    return value;
  }
  static Result<Value> integer(const pugi::xml_node& node, std::string_view name) {
    const std::string all = text_of(node);
    std::string_view text = trim(all);
    if (text.size() > 1 && text.front() == '+' && text[1] != '-') text.remove_prefix(1);
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || text.empty())
      return wrong("the content of <" + std::string(name) + "> is no whole number, or too large");
    const bool wide = name.ends_with("i8");
    if (!wide && (number < INT32_MIN || number > INT32_MAX))
      return wrong("the content of <" + std::string(name) + "> does not fit into 32 bits");
    return Value::of_int(number, wide);
  }
  static Result<Value> boolean(const pugi::xml_node& node) {
    const std::string all = text_of(node);
    const std::string_view text = trim(all);
    if (text != "0" && text != "1") return wrong("the content of <boolean> must be 0 or 1");
    return Value::of_bool(text == "1");
  }
  static Result<Value> real(const pugi::xml_node& node) {
    const std::string all = text_of(node);
    const std::string_view text = trim(all);
    Value value;
    value.kind = Value::Kind::real;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value.real);
    if (error != std::errc() || end != text.data() + text.size())
      return wrong("the content of <double> is no number");
    return value;
  }
  // The two that contain values call value() again, and are bounded by its depth.
  Result<Value> array(const pugi::xml_node& node, unsigned depth) {
    Value value;
    value.kind = Value::Kind::array;
    const pugi::xml_node data = node.child("data");
    if (!data) return wrong("<array> has no <data>");
    for (const pugi::xml_node& child : data.children("value")) {
      DROVER_TRY(auto item, this->value(child, depth + 1));
      value.items.push_back(std::move(item));
    }
    return value;
  }
  Result<Value> structure(const pugi::xml_node& node, unsigned depth) {
    Value value;
    value.kind = Value::Kind::structure;
    for (const pugi::xml_node& child : node.children("member")) {
      const pugi::xml_node name = child.child("name"), content = child.child("value");
      if (!name || !content) return wrong("<member> has no <name> or no <value>");
      DROVER_TRY(auto member, this->value(content, depth + 1));
      value.members.push_back({text_of(name), std::move(member)});
    }
    return value;
  }

  const Limits& limits_;
  std::size_t values_ = 0;
};

Result<void> load(pugi::xml_document& document, std::string_view text, const Limits& limits) {
  if (text.size() > limits.bytes)
    return make_error(ErrorCode::quota, "the XML is larger than " + std::to_string(limits.bytes) + " bytes");
  if (!is_plain(text)) return wrong("not well-formed (invalid token)");
  const pugi::xml_parse_result parsed =
      document.load_buffer(text.data(), text.size(), kParse, pugi::encoding_utf8);
  if (!parsed)
    return wrong(parsed.status == pugi::status_no_document_element ? "no element found"
                                                                   : parsed.description());
  for (const pugi::xml_node& child : document.children())
    if (child.type() == pugi::node_doctype) return wrong("a document type is not accepted");
  return success();
}

void write_value(std::string& out, const Value& value) {
  out += "<value>";
  switch (value.kind) {
    case Value::Kind::integer:
      out += (value.wide ? "<i8>" : "<i4>") + std::to_string(value.number) + (value.wide ? "</i8>" : "</i4>");
      break;
    case Value::Kind::boolean:
      out += value.number != 0 ? "<boolean>1</boolean>" : "<boolean>0</boolean>";
      break;
    case Value::Kind::text:
      out += "<string>" + escape(value.text) + "</string>";
      break;
    case Value::Kind::real:
      out += "<double>" + std::to_string(value.real) + "</double>";
      break;
    case Value::Kind::array:
      out += "<array><data>\n";
      for (const Value& item : value.items) {
        write_value(out, item);
        out += "\n";
      }
      out += "</data></array>";
      break;
    case Value::Kind::structure:
      out += "<struct>\n";
      for (const auto& [name, member] : value.members) {
        out += "<member><name>" + escape(name) + "</name>\n";
        write_value(out, member);
        out += "</member>\n";
      }
      out += "</struct>";
      break;
    case Value::Kind::nil:
      out += "<nil/>";
      break;
  }
  out += "</value>";
}

constexpr const char* kReplyHead = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<methodResponse>\n";

}  // namespace

Value Value::of_int(std::int64_t number, bool wide) {
  Value value;
  value.kind = Kind::integer;
  value.number = number;
  value.wide = wide;
  return value;
}

Value Value::of_bool(bool truth) {
  Value value;
  value.kind = Kind::boolean;
  value.number = truth ? 1 : 0;
  return value;
}

Value Value::of_text(std::string text) {
  Value value;
  value.kind = Kind::text;
  value.text = std::move(text);
  return value;
}

Value Value::of_array(std::vector<Value> items) {
  Value value;
  value.kind = Kind::array;
  value.items = std::move(items);
  return value;
}

Result<Call> parse_call(std::string_view text, const Limits& limits) {
  pugi::xml_document document;
  DROVER_TRY(load(document, text, limits));
  const pugi::xml_node root = document.document_element();
  if (std::string_view(root.name()) != "methodCall") return wrong("the XML is no <methodCall>");
  const pugi::xml_node method = root.child("methodName");
  if (!method) return wrong("<methodCall> has no <methodName>");
  Call call;
  call.method = trim(text_of(method));
  Reader reader(limits);
  for (const pugi::xml_node& param : root.child("params").children("param")) {
    const pugi::xml_node content = param.child("value");
    if (!content) return wrong("<param> has no <value>");
    DROVER_TRY(auto value, reader.value(content, 1));
    call.params.push_back(std::move(value));
  }
  return call;
}

Result<Reply> parse_reply(std::string_view text, const Limits& limits) {
  pugi::xml_document document;
  DROVER_TRY(load(document, text, limits));
  const pugi::xml_node root = document.document_element();
  if (std::string_view(root.name()) != "methodResponse") return wrong("the XML is no <methodResponse>");
  Reply reply;
  Reader reader(limits);
  if (const pugi::xml_node fault = root.child("fault")) {
    DROVER_TRY(const auto value, reader.value(fault.child("value"), 1));
    reply.fault = true;
    for (const auto& [name, member] : value.members) {
      if (name == "faultCode") reply.fault_code = member.number;
      if (name == "faultString") reply.fault_text = member.text;
    }
    return reply;
  }
  const pugi::xml_node content = root.child("params").child("param").child("value");
  if (!content) return wrong("<methodResponse> has neither a value nor a fault");
  DROVER_TRY(reply.value, reader.value(content, 1));
  return reply;
}

std::string write_call(const Call& call) {
  std::string out = "<?xml version=\"1.0\"?>\n<methodCall>\n<methodName>" + escape(call.method) +
                    "</methodName>\n<params>\n";
  for (const Value& value : call.params) {
    out += "<param>";
    write_value(out, value);
    out += "</param>\n";
  }
  return out + "</params>\n</methodCall>\n";
}

std::string write_reply(const Value& value) {
  std::string out = kReplyHead;
  out += "<params>\n<param>";
  write_value(out, value);
  return out + "</param>\n</params>\n</methodResponse>\n";
}

std::string write_fault(std::int64_t code, std::string_view message) {
  Value fault;
  fault.kind = Value::Kind::structure;
  fault.members.push_back({"faultCode", Value::of_int(code)});
  fault.members.push_back({"faultString", Value::of_text(std::string(message))});
  std::string out = kReplyHead;
  out += "<fault>\n";
  write_value(out, fault);
  return out + "\n</fault>\n</methodResponse>\n";
}

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = character(text);
    if (size == 0) {
      out += '?';
    } else if (text.front() == '<') {
      out += "&lt;";
    } else if (text.front() == '>') {
      out += "&gt;";
    } else if (text.front() == '&') {
      out += "&amp;";
    } else if (text.front() == '\r') {
      out += "&#13;";  // a reader would make a line feed of it
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

std::string cdata(std::string_view text) {
  std::string out = "<![CDATA[";
  while (!text.empty()) {
    const std::size_t size = character(text);
    if (text.starts_with("]]>")) {
      out += "]]]]><![CDATA[>";
      text.remove_prefix(3);
      continue;
    }
    if (size == 0)
      out += '?';
    else
      out += text.substr(0, size);
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out + "]]>";
}

bool is_plain(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = character(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

}  // namespace drover::xml_rpc

// XML-RPC as OpenNebula speaks it: calls, answers and faults, to text and back; and the escaping that XML in
// XML needs. Shared by the driver (manager/adapters/opennebula) and the mock cloud's face
// (mockcloud/wire/opennebula). Pure. What comes from outside is bounded in bytes, depth and number of values;
// document types, and with them entities, are refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "manager/base/result.hpp"

namespace drover::xml_rpc {

struct Member;

struct Value {
  enum class Kind : unsigned char { integer, boolean, text, real, array, structure, nil };
  Kind kind = Kind::nil;
  std::int64_t number = 0;  // integer; boolean: 0 or 1
  bool wide = false;        // an integer that is written as i8
  double real = 0;
  std::string text;  // also base64 and dateTime.iso8601, as they stand
  std::vector<Value> items;
  std::vector<Member> members;  // of a structure

  static Value of_int(std::int64_t number, bool wide = false);
  static Value of_bool(bool value);
  static Value of_text(std::string text);
  static Value of_array(std::vector<Value> items);
};

struct Member {
  std::string first;  // its name
  Value second;
};

struct Call {
  std::string method;
  std::vector<Value> params;
};

struct Reply {
  bool fault = false;
  std::int64_t fault_code = 0;
  std::string fault_text;
  Value value;  // when there is no fault
};

struct Limits {
  std::size_t bytes = 16 * 1024 * 1024;
  unsigned depth = 16;  // of values in values
  std::size_t values = 100'000;
};

// Errors: ErrorCode::protocol for text that is not XML, and for XML that is no call or no reply; quota when a
// limit is broken. The message is fit for a faultString.
Result<Call> parse_call(std::string_view text, const Limits& limits = {});
Result<Reply> parse_reply(std::string_view text, const Limits& limits = {});

std::string write_call(const Call& call);
std::string write_reply(const Value& value);
std::string write_fault(std::int64_t code, std::string_view message);

// Text for an element's content. Bytes that no XML document may hold (control characters, broken UTF-8)
// become
// '?', so that what is written can always be read.
std::string escape(std::string_view text);
// "<![CDATA[text]]>", with "]]>" in it divided over two sections.
std::string cdata(std::string_view text);
// Whether every byte may stand in an XML document as it is.
bool is_plain(std::string_view text);

}  // namespace drover::xml_rpc

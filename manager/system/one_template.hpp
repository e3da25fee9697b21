// OpenNebula's templates: attributes as text (NAME = "value", NIC = [ NETWORK = "private", … ]) or as XML,
// read and written. Shared by the driver and the mock cloud's face. Pure; what comes from outside is bounded.
//
// The text has no escape but \" in a quoted value, so that some values cannot be said in it: see quote().
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "manager/base/result.hpp"

namespace drover::one {

struct Attribute {
  std::string name;  // in capitals
  std::string value;
  bool vector = false;  // with parts instead of a value
  std::vector<std::pair<std::string, std::string>> parts;

  // The value of a part, or "".
  std::string part(std::string_view name) const;
  void set_part(std::string_view name, std::string value);
};

// In the order of the text. A name may come several times (two DISKs).
using Template = std::vector<Attribute>;

Attribute single(std::string name, std::string value);
const Attribute* find(const Template& from, std::string_view name);  // the first of that name, or null
std::string value_of(const Template& from, std::string_view name);   // of a single attribute, or ""
void drop(Template& from, std::string_view name);                    // all of that name
void set(Template& to, Attribute attribute);                         // instead of all of that name

inline constexpr std::size_t kTemplateBytesMax = 1024 * 1024;

// Text, or XML where it begins with '<'. Errors: ErrorCode::invalid with the parser's message, beginning with
// "Parse error", as OpenNebula's own.
Result<Template> parse_template(std::string_view text);

// A value with the quotes around it. Nothing where the text cannot say it: one that ends with a backslash or
// contains "]]>", and what no XML may hold (control characters, broken UTF-8).
std::optional<std::string> quote(std::string_view value);
// Errors: ErrorCode::invalid, naming the attribute whose value the text cannot say.
Result<std::string> write_text(const Template& from);
// The attributes as XML elements, without one around them, sorted as OpenNebula has them.
std::string write_xml(const Template& from);

// What a template's attribute may be called: letters, digits and '_', in capitals; anything else becomes '_'.
std::string attribute_name(std::string_view text);
// The attribute that a tag is kept in, and back: "drover-service" is DROVER_SERVICE. A name that does not
// begin with DROVER_ is the tag's key as it stands.
inline std::string tag_attribute(std::string_view key) { return attribute_name(key); }
std::string tag_key(std::string_view attribute);

}  // namespace drover::one

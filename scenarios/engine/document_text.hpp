// What the JSON and the YAML reader share: the checks on the bytes of a file before anything is parsed.
// Internal to document_*.cpp.
#pragma once

#include <string>
#include <string_view>

#include "manager/base/result.hpp"
#include "scenarios/engine/document.hpp"

namespace drover::scenario {

// The text without its byte order mark and with "\n" as its only line end. Errors as parse_document(): too
// large, a control character, invalid UTF-8.
Result<std::string> clean_text(std::string_view text, const std::string& file);

Error document_error(const std::string& file, Place place, std::string_view message);

inline constexpr std::string_view kTooDeep = "nesting deeper than 64 levels; no scenario needs that";
inline constexpr std::string_view kTooMany = "more than 100,000 values; no scenario needs that";
inline constexpr std::string_view kNothingThere =
    "the file is empty; a scenario starts with \"schema: 1\", \"name: …\" and \"steps:\"";

}  // namespace drover::scenario

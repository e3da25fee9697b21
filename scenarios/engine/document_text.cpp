#include "scenarios/engine/document_text.hpp"

namespace drover::scenario {
namespace {

// The length of the UTF-8 character at `at`, 0 when the bytes there are none.
std::size_t character_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : static_cast<unsigned char>(0);
  };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned lead = byte(at);
  const unsigned second = byte(at + 1);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF && follows(at + 1)) return 2;
  if (lead >= 0xE0 && lead <= 0xEF && follows(at + 1) && follows(at + 2)) {
    const bool overlong = lead == 0xE0 && second < 0xA0;
    const bool surrogate = lead == 0xED && second > 0x9F;
    return overlong || surrogate ? 0 : 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4 && follows(at + 1) && follows(at + 2) && follows(at + 3)) {
    const bool out_of_range = (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F);
    return out_of_range ? 0 : 4;
  }
  return 0;
}

}  // namespace

Error document_error(const std::string& file, Place place, std::string_view message) {
  Problems problems(file);
  problems.add(place, message);
  return problems.to_error();
}

Result<std::string> clean_text(std::string_view text, const std::string& file) {
  if (text.size() > kDocumentBytesMax)
    return document_error(
        file, {1, 1}, "the file has " + std::to_string(text.size()) + " bytes; more than 4 MiB are refused");
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::string clean;
  clean.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == '\r') {
      clean += '\n';
      i += text.substr(i).starts_with("\r\n") ? 2 : 1;
      continue;
    }
    const auto length = character_length(text, i);
    if (length == 0)
      return document_error(file, Locator(clean).place_of(clean.size()), "not a text file: invalid UTF-8");
    if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f)
      return document_error(file, Locator(clean).place_of(clean.size()),
                            "not a text file: control character " + std::to_string(byte));
    clean.append(text.substr(i, length));
    i += length;
  }
  return clean;
}

}  // namespace drover::scenario

// XML as EC2 answers it, appended to a text. Element names are literals of ours, texts are escaped. Pure.
#pragma once

#include <string>
#include <string_view>

namespace drover::wire::ec2 {

class XmlWriter {
 public:
  explicit XmlWriter(std::string& out) : out_(out) {}

  void open(std::string_view name) {
    out_ += '<';
    out_ += name;
    out_ += '>';
  }
  void close(std::string_view name) {
    out_ += "</";
    out_ += name;
    out_ += '>';
  }
  void text(std::string_view name, std::string_view value) {
    if (value.empty()) {
      out_ += '<';
      out_ += name;
      out_ += "/>";
      return;
    }
    open(name);
    escape(value);
    close(name);
  }
  // Only when there is a value.
  void maybe(std::string_view name, std::string_view value) {
    if (!value.empty()) text(name, value);
  }
  void number(std::string_view name, std::int64_t value) { text(name, std::to_string(value)); }
  void flag(std::string_view name, bool value) { text(name, value ? "true" : "false"); }
  // <name>…</name> around what `content` writes.
  template <class Content>
  void element(std::string_view name, Content&& content) {
    open(name);
    content();
    close(name);
  }

 private:
  void escape(std::string_view value) {
    for (const char c : value) {
      switch (c) {
        case '&':
          out_ += "&amp;";
          break;
        case '<':
          out_ += "&lt;";
          break;
        case '>':
          out_ += "&gt;";
          break;
        case '"':
          out_ += "&quot;";
          break;
        case '\r':
          out_ += "&#13;";
          break;
        default:
          // XML 1.0 has no way to write the other control characters.
          out_ += static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' ? '?' : c;
      }
    }
  }

  std::string& out_;
};

}  // namespace drover::wire::ec2

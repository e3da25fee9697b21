// XML as EC2 answers it, appended to a text. Element names are literals of ours, texts are escaped. Pure.
#pragma once

#include <string>
#include <string_view>

#include "manager/system/xml_rpc.hpp"

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
  // Nothing for a character that stands for itself.
  static const char* escaped(char c) {
    switch (c) {
      case '&':
        return "&amp;";
      case '<':
        return "&lt;";
      case '>':
        return "&gt;";
      case '"':
        return "&quot;";
      case '\r':
        return "&#13;";
      default:
        // XML 1.0 has no way to write the other control characters.
        return static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' ? "?" : nullptr;
    }
  }
  void escape(std::string_view value) {
    std::size_t written = 0;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (static_cast<unsigned char>(value[i]) >= 0x80) {  // which must be UTF-8, or no client can read it
        out_ += xml_rpc::escape(value.substr(written));
        return;
      }
      const char* instead = escaped(value[i]);
      if (instead == nullptr) continue;
      out_.append(value, written, i - written);
      out_ += instead;
      written = i + 1;
    }
    out_.append(value, written);
  }

  std::string& out_;
};

}  // namespace drover::wire::ec2

// Beast's request parser over a flat buffer, without its containers: the few headers the server looks at are
// kept as views, bodies go to a sink as they arrive. Single-threaded.
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <string>
#include <string_view>

namespace drover::api {

// Where a body goes.
class BodySink {
 public:
  virtual ~BodySink() = default;
  // False ends the reading of the body (the sink knows why).
  virtual bool take(std::string_view piece) = 0;
};

class RequestParser : public boost::beast::http::basic_parser<true> {
 public:
  using Field = boost::beast::http::field;
  using Verb = boost::beast::http::verb;

  struct Head {
    Verb verb = Verb::unknown;
    std::string_view target;  // views into the header block
    std::string_view content_type;
    bool http10 = false;
    bool has_content_type = false;
    bool expects_continue = false;
    bool unknown_expectation = false;
    bool unknown_coding = false;  // a Transfer-Encoding other than "chunked"
  };

  RequestParser() = default;

  const Head& head() const { return head_; }
  void set_sink(BodySink* sink) { sink_ = sink; }

 private:
  using Text = boost::beast::string_view;
  using ErrorCode = boost::beast::error_code;

  void on_request_impl(Verb verb, Text name, Text target, int version, ErrorCode& error) override;
  void on_response_impl(int, Text, int, ErrorCode&) override {}
  void on_field_impl(Field field, Text name, Text value, ErrorCode& error) override;
  void on_header_impl(ErrorCode&) override { in_header_ = false; }
  void on_body_init_impl(boost::optional<std::uint64_t> const&, ErrorCode&) override {}
  std::size_t on_body_impl(Text body, ErrorCode& error) override { return pass(body, error); }
  void on_chunk_header_impl(std::uint64_t, Text, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, ErrorCode& error) override {
    return pass(body, error);
  }
  void on_finish_impl(ErrorCode&) override {}

  std::size_t pass(Text body, ErrorCode& error);

  Head head_;
  BodySink* sink_ = nullptr;
  bool in_header_ = true;
};

// Finds where the headers at the beginning of a growing buffer end. A line may end in LF alone.
class HeaderScan {
 public:
  // Bytes up to and with the blank line, 0 while it is not there. `buffer` has only grown since the last
  // call.
  std::size_t end(std::string_view buffer);
  // A line ended in LF alone: the parser must be given normalized().
  bool bare_lf() const { return bare_lf_; }
  bool request_line_complete() const { return lines_ > 0; }
  void reset() { *this = HeaderScan(); }

 private:
  std::size_t scanned_ = 0;
  std::size_t line_begin_ = 0;
  std::size_t lines_ = 0;
  bool bare_lf_ = false;
};

// The header block with every line ended by CRLF.
std::string normalized(std::string_view headers);

}  // namespace drover::api

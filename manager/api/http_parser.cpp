#include "manager/api/http_parser.hpp"

#include <boost/beast/http/error.hpp>
#include <cstring>

#include "manager/api/wire.hpp"

namespace drover::api {
namespace {

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

void RequestParser::on_request_impl(Verb verb, Text, Text target, int version, ErrorCode&) {
  head_.verb = verb;
  head_.http10 = version == 10;
  head_.target = view(target);
}

void RequestParser::on_field_impl(Field field, Text, Text value, ErrorCode&) {
  if (!in_header_) return;  // trailers of a chunked body mean nothing here
  if (field == Field::content_type) {
    head_.content_type = view(value);
    head_.has_content_type = true;
  } else if (field == Field::expect) {
    head_.expects_continue = equal_ignoring_case(view(value), "100-continue");
    head_.unknown_expectation = !head_.expects_continue;
  } else if (field == Field::transfer_encoding) {
    head_.unknown_coding = head_.unknown_coding || !equal_ignoring_case(view(value), "chunked");
  }
}

std::size_t RequestParser::pass(Text body, ErrorCode& error) {
  if (sink_ != nullptr && !sink_->take(view(body))) error = boost::beast::http::error::body_limit;
  return body.size();
}

std::size_t HeaderScan::end(std::string_view buffer) {
  while (scanned_ < buffer.size()) {
    const void* hit = std::memchr(buffer.data() + scanned_, '\n', buffer.size() - scanned_);
    if (hit == nullptr) {
      scanned_ = buffer.size();
      return 0;
    }
    const auto at = static_cast<std::size_t>(static_cast<const char*>(hit) - buffer.data());
    const bool crlf = at > line_begin_ && buffer[at - 1] == '\r';
    const std::size_t length = at - line_begin_ - (crlf ? 1 : 0);
    scanned_ = line_begin_ = at + 1;
    if (!crlf) bare_lf_ = true;
    if (length == 0) return at + 1;
    ++lines_;
  }
  return 0;
}

std::string normalized(std::string_view headers) {
  std::string text;
  text.reserve(headers.size() + 64);
  for (std::size_t at = 0; at < headers.size(); ++at) {
    if (headers[at] == '\n' && (at == 0 || headers[at - 1] != '\r')) text.push_back('\r');
    text.push_back(headers[at]);
  }
  return text;
}

}  // namespace drover::api

// What HttpConnection does without waiting: judging a request by its headers, and putting answers together.
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>

#include "manager/api/http_connection.hpp"
#include "manager/api/http_reply.hpp"

namespace drover::api {
namespace {

namespace http = boost::beast::http;
using SystemError = boost::system::error_code;

constexpr std::size_t kSkippedBodyMax =
    64 * 1024;  // a body nobody wants is read up to here, to keep the connection
constexpr std::size_t kLargeAnswer = 256 * 1024;

}  // namespace

bool HttpConnection::parse_header(std::string_view block) {
  idle_ = false;
  received_ = block.size();
  ++core_->statistics().requests;
  if (core_->hooks().access_log) request_begun_ = std::chrono::steady_clock::now();
  if (scan_.bare_lf()) {
    block_ = normalized(block);
    block = block_;
  }
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(core_->limits().header_bytes_max * 2 + 16));
  parser_->body_limit(boost::none);
  SystemError error;
  const std::size_t used = parser_->put(asio::buffer(block.data(), block.size()), error);
  if (!error && used == block.size() && parser_->is_header_done()) {
    http10_ = parser_->head().http10;
    if (!parser_->keep_alive() || core_->stopping() || ended_) closing_ = lingering_ = true;
    return true;
  }
  closing_ = lingering_ = true;
  parser_.reset();
  answer_bad_header(block, error == http::error::bad_version);
  return false;
}

void HttpConnection::answer_bad_header(std::string_view block, bool bad_version) {
  const std::string_view line = block.substr(0, block.find('\r'));
  const auto at = line.rfind(" HTTP/");
  if (bad_version && at != std::string_view::npos && line.size() == at + 9) {
    const std::string_view version = line.substr(at + 6);
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (is_digit(version[0]) && version[1] == '.' && is_digit(version[2]))
      return answer_html(505, "Invalid HTTP Version (" + std::string(version) + ")");
  }
  answer_html(400);
}

int HttpConnection::refusal(const Target& target, const RequestParser::Head& head) {
  using HttpVerb = RequestParser::Verb;
  if (target.path != "/") return 404;
  log_path_ = "/";
  if (!head.has_content_type) return 415;
  if (head.verb != HttpVerb::get && head.verb != HttpVerb::post) return 405;
  content_type_ = parse_content_type(head.content_type);
  const bool is_upload = content_type_.media == Media::multipart;
  if (content_type_.media == Media::other || (is_upload && head.verb == HttpVerb::get)) return 415;
  if (head.unknown_expectation) return 417;
  if (head.unknown_coding) return 501;
  if (head.verb == HttpVerb::get) return 0;
  const auto length = parser_->content_length();
  if (!length && !parser_->chunked()) return 411;
  const std::uint64_t bytes_max =
      is_upload ? core_->limits().upload_bytes_max : core_->limits().json_bytes_max;
  if (length && *length > bytes_max) return 413;
  if (is_upload) log_verb_ = "UPLOAD";
  return 0;
}

void HttpConnection::settle_unread_body(const RequestParser::Head& head) {
  if (head.unknown_coding) closing_ = lingering_ = true;
  if (parser_->is_done()) return;
  const auto rest = parser_->chunked() ? boost::none : parser_->content_length_remaining();
  if (head.expects_continue || !rest || *rest > kSkippedBodyMax) closing_ = lingering_ = true;
}

bool HttpConnection::answer_from_header(const RequestParser::Head& head) {
  using HttpVerb = RequestParser::Verb;
  head_only_ = head.verb == HttpVerb::head;
  if (head.verb == HttpVerb::get) log_verb_ = "GET";
  if (head.verb == HttpVerb::post) log_verb_ = "POST";
  const Target target = split_target(head.target);
  if (answer_extra_path(target.path, head)) return true;
  const int status = refusal(target, head);
  if (status != 0) {
    settle_unread_body(head);
    answer_html(status, {}, status == 405 ? "Allow: GET, POST\r\n" : "");
    return true;
  }
  if (head.verb == HttpVerb::get) {
    settle_unread_body(head);
    const CallRules rules{core_->limits().json_depth_max, &core_->hooks().knows_method};
    query_call_ = read_query(target.query, rules);
  }
  return false;
}

bool HttpConnection::answer_extra_path(std::string_view path, const RequestParser::Head& head) {
  const ServerHooks& hooks = core_->hooks();
  const bool metrics = path == "/metrics" && hooks.metrics;
  const bool health = path == "/healthz" && hooks.health;
  if (!metrics && !health) return false;
  log_path_ = metrics ? "/metrics" : "/healthz";
  settle_unread_body(head);
  if (head.verb != RequestParser::Verb::get && head.verb != RequestParser::Verb::head) {
    answer_html(405, {}, "Allow: GET, HEAD\r\n");
    return true;
  }
  Reply reply;
  std::string body;
  if (metrics) {
    body = hooks.metrics();
    reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  } else {
    Health state = hooks.health();
    body = std::move(state.text);
    reply.status = state.healthy ? 200 : 503;
    reply.content_type = "text/plain; charset=utf-8";
  }
  reply.body = body;
  answer(reply);
  return true;
}

void HttpConnection::answer_body_fault(Body fault) {
  closing_ = true;
  if (fault == Body::broken) return;
  lingering_ = true;
  switch (fault) {
    case Body::too_large:
      return answer_html(413);
    case Body::too_busy:
      return answer_html(503, {}, "Retry-After: 1\r\n");
    case Body::timeout:
      return answer_html(408);
    case Body::truncated:
      return answer_html(400, "The request ends within its body");
    default:
      return answer_html(400);
  }
}

void HttpConnection::answer(Reply reply) {
  reply.omit_body = head_only_;
  reply.close = closing_;
  reply.say_keep_alive = http10_ && !closing_;
  const std::size_t before = out_.size();
  append_reply(out_, reply);
  if (!core_->hooks().access_log) return;
  AccessEntry entry;
  entry.peer = peer_;
  entry.verb = log_verb_;
  entry.path = log_path_;
  entry.method = log_method_;
  entry.status = reply.status;
  entry.failed = log_failed_;
  entry.bytes_received = received_;
  entry.bytes_sent = out_.size() - before;
  if (received_ > 0) entry.duration = std::chrono::steady_clock::now() - request_begun_;
  core_->hooks().access_log(entry);
}

void HttpConnection::answer_html(int status, std::string_view message, std::string_view extra_headers) {
  text_ = html_error(status, message);
  answer({.status = status, .content_type = "text/html", .body = text_, .extra_headers = extra_headers});
}

void HttpConnection::answer_text(int status, std::string_view text, std::string_view extra_headers) {
  answer({.status = status, .content_type = "text/plain", .body = text, .extra_headers = extra_headers});
}

void HttpConnection::answer_envelope(std::string_view id, const Response& response) {
  text_.clear();
  append_envelope(text_, id, response);
  log_failed_ = response.failed;
  Reply reply;
  reply.body = text_;
  answer(reply);
  log_failed_ = false;
  if (text_.capacity() > kLargeAnswer) text_ = std::string();
}

}  // namespace drover::api

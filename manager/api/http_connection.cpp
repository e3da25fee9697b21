#include "manager/api/http_connection.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/error.hpp>
#include <cstring>

#include "manager/api/http_reply.hpp"

namespace drover::api {
namespace {

namespace http = boost::beast::http;
using SystemError = boost::system::error_code;

constexpr asio::use_awaitable_t<IoExecutor> kAwait;
constexpr asio::as_tuple_t<asio::use_awaitable_t<IoExecutor>> kAwaitTuple{kAwait};

// "0\r\n\r\n": Beast's parser asserts when it is given less than that of a chunked rest.
constexpr std::size_t kChunkedRestMin = 5;
constexpr std::size_t kLargeAnswer = 256 * 1024;

class Discard : public BodySink {
 public:
  bool take(std::string_view) override { return true; }
};

// The body of a JSON call, in memory, within the limits of its own size and of all bodies together.
class JsonBody : public BodySink {
 public:
  JsonBody(const ServerLimits& limits, ServerStatistics& statistics)
      : limits_(limits), statistics_(statistics) {}
  ~JsonBody() override { statistics_.body_bytes -= text.size(); }
  JsonBody(const JsonBody&) = delete;
  JsonBody& operator=(const JsonBody&) = delete;

  bool take(std::string_view piece) override {
    if (text.size() + piece.size() > limits_.json_bytes_max) return false;
    busy = statistics_.body_bytes + piece.size() > limits_.body_memory_max;
    if (busy) return false;
    text.append(piece);
    statistics_.body_bytes += piece.size();
    return true;
  }

  std::string text;
  bool busy = false;

 private:
  const ServerLimits& limits_;
  ServerStatistics& statistics_;
};

class UploadBody : public BodySink {
 public:
  UploadBody(Upload& upload, std::uint64_t bytes_max) : upload_(upload), left_(bytes_max) {}
  bool take(std::string_view piece) override {
    if (piece.size() > left_) return false;
    left_ -= piece.size();
    upload_.take(piece);
    return true;
  }

 private:
  Upload& upload_;
  std::uint64_t left_;
};

// The Respond of one call. Dropped unanswered, it answers that nobody will.
class Answer {
 public:
  explicit Answer(std::shared_ptr<PendingCall> pending) : pending_(std::move(pending)) {}
  Answer(Answer&&) noexcept = default;
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
  Answer& operator=(Answer&&) = delete;
  ~Answer() {
    if (pending_)
      give(make_failure(
          Code::E_UNKNOWN,
          "The call was dropped before it was answered; it may have taken effect. Look at the state "
          "of the service before you repeat it."));
  }
  void operator()(Response response) {
    if (pending_) give(std::move(response));
  }

 private:
  void give(Response response) {
    const std::shared_ptr<PendingCall> pending = std::exchange(pending_, nullptr);
    pending->response = std::move(response);
    pending->upload.reset();
    if (auto resume = std::exchange(pending->resume, nullptr)) resume();
  }
  std::shared_ptr<PendingCall> pending_;
};

}  // namespace

void InputBuffer::consume(std::size_t size) {
  begin_ += size;
  if (begin_ == end_) clear();
}

char* InputBuffer::prepare(std::size_t size) {
  if (capacity_ - end_ >= size) return data_.get() + end_;
  const std::size_t used = end_ - begin_;
  if (capacity_ < used + size) {
    const std::size_t capacity = std::max(used + size, std::min(capacity_ * 2, used + kLarge));
    std::unique_ptr<char[]> grown(new char[capacity]);
    if (used > 0) std::memcpy(grown.get(), data_.get() + begin_, used);
    data_ = std::move(grown);
    capacity_ = capacity;
  } else if (used > 0) {
    std::memmove(data_.get(), data_.get() + begin_, used);
  }
  begin_ = 0;
  end_ = used;
  return data_.get() + end_;
}

void InputBuffer::shrink() {
  if (begin_ != end_ || capacity_ <= kSmall) return;
  data_.reset();
  capacity_ = begin_ = end_ = 0;
}

HttpConnection::HttpConnection(std::shared_ptr<HttpCore> core, Socket socket, bool refused)
    : core_(std::move(core)), socket_(std::move(socket)), refused_(refused) {
  SystemError ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  if (core_->hooks().access_log) {
    const auto endpoint = socket_.remote_endpoint(ignored);
    if (!ignored) peer_ = endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
  }
  core_->link(this);
}

HttpConnection::~HttpConnection() { core_->unlink(this); }

IoTask<> HttpConnection::run(std::shared_ptr<HttpConnection> self) {
  if (self->refused_)
    co_await self->refuse();
  else
    co_await self->serve();
  SystemError ignored;
  self->socket_.close(ignored);
}

void HttpConnection::expire() {
  deadline_ = SteadyTime::max();
  timed_out_ = true;
  SystemError ignored;
  socket_.cancel(ignored);
}

void HttpConnection::close_when_idle() {
  if (!idle_) return;
  closing_ = true;
  SystemError ignored;
  socket_.cancel(ignored);
}

void HttpConnection::abort() {
  aborted_ = closing_ = true;
  SystemError ignored;
  socket_.close(ignored);
  if (!pending_) return;
  if (auto resume = std::exchange(pending_->resume, nullptr)) resume();
}

IoTask<> HttpConnection::serve() {
  while (!closing_) {
    const bool readable = co_await read_header();
    if (!readable) break;
    if (answer_from_header(parser_->head())) {
      co_await skip_body();
    } else if (query_call_) {
      Call call = std::move(*query_call_);
      query_call_.reset();
      std::unique_ptr<Upload> none;
      co_await perform(std::move(call), std::move(none));
      co_await skip_body();
    } else if (content_type_.media == Media::json) {
      co_await read_json_call();
    } else {
      co_await read_upload();
    }
    if (out_.size() >= core_->limits().pipeline_bytes_max && !flush_at_once()) co_await flush();
  }
  bool written = flush_at_once();
  if (!written) written = co_await flush();
  if (written && lingering_ && !ended_) co_await linger();
}

IoTask<> HttpConnection::refuse() {
  idle_ = false;
  closing_ = lingering_ = true;
  answer_html(503, "Too many connections", "Retry-After: 1\r\n");
  const bool written = co_await flush();
  if (written) co_await linger();
}

// The client may still be sending: closing now would destroy the answer on its way. What comes is thrown
// away.
IoTask<> HttpConnection::linger() {
  SystemError error;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  const SteadyTime until = std::chrono::steady_clock::now() + core_->limits().linger_timeout;
  Got got = Got::data;
  while (!error && !aborted_ && got == Got::data) {
    in_.clear();
    deadline_ = until;
    got = co_await fill(InputBuffer::kLarge);
  }
}

IoTask<HttpConnection::Got> HttpConnection::fill(std::size_t wanted) {
  if (!out_.empty() && !flush_at_once()) {
    const SteadyTime kept = deadline_;
    const bool written = co_await flush();
    if (!written) co_return Got::broken;
    deadline_ = kept;
  }
  char* const place = in_.prepare(std::clamp(wanted, InputBuffer::kSmall, InputBuffer::kLarge));
  const asio::mutable_buffer space(place, in_.room());
  timed_out_ = false;
  const auto [error, size] = co_await socket_.async_read_some(space, kAwaitTuple);
  deadline_ = SteadyTime::max();
  if (!error) {
    in_.commit(size);
    co_return Got::data;
  }
  if (error == asio::error::eof) {
    ended_ = true;
    co_return Got::end;
  }
  if (timed_out_ && !aborted_) {
    ++core_->statistics().timeouts;
    co_return Got::timeout;
  }
  co_return Got::broken;
}

// True when nothing is left to write.
bool HttpConnection::flush_at_once() {
  if (out_.empty()) return true;
  SystemError error;
  const std::size_t written = socket_.write_some(asio::buffer(out_), error);
  if (error || written < out_.size()) {
    out_.erase(0, written);
    return false;
  }
  out_.clear();
  if (out_.capacity() > kLargeAnswer) out_.shrink_to_fit();
  return true;
}

IoTask<bool> HttpConnection::flush() {
  std::size_t written = 0;
  while (written < out_.size()) {
    set_deadline(core_->limits().body_timeout);
    const asio::const_buffer rest(out_.data() + written, out_.size() - written);
    const auto [error, size] = co_await socket_.async_write_some(rest, kAwaitTuple);
    deadline_ = SteadyTime::max();
    if (error) {
      closing_ = true;
      lingering_ = false;
      out_.clear();
      co_return false;
    }
    written += size;
  }
  out_.clear();
  if (out_.capacity() > kLargeAnswer) out_.shrink_to_fit();
  co_return true;
}

IoTask<bool> HttpConnection::read_header() {
  const ServerLimits& limits = core_->limits();
  scan_.reset();
  parser_.reset();
  head_only_ = http10_ = false;
  log_verb_ = "-";
  log_path_ = "other";
  received_ = 0;
  SteadyTime until = std::chrono::steady_clock::now() + limits.header_timeout;
  while (true) {
    while (!scan_.request_line_complete() && !in_.view().empty() &&
           (in_.view().front() == '\r' || in_.view().front() == '\n')) {
      in_.consume(1);
      scan_.reset();
    }
    const std::string_view seen = in_.view();
    const std::size_t end = scan_.end(seen.substr(0, limits.header_bytes_max));
    if (end > 0) {
      const bool parsed = parse_header(seen.substr(0, end));
      in_.consume(end);
      co_return parsed;
    }
    if (seen.size() >= limits.header_bytes_max) {
      closing_ = lingering_ = true;
      answer_html(scan_.request_line_complete() ? 431 : 414);
      co_return false;
    }
    idle_ = seen.empty();
    if (idle_ && (core_->stopping() || ended_)) co_return false;
    if (idle_) in_.shrink();
    deadline_ = idle_ ? std::chrono::steady_clock::now() + limits.idle_timeout : until;
    Got got = Got::end;
    if (!ended_) got = co_await fill(InputBuffer::kSmall);
    if (got != Got::data) {
      const bool was_idle = std::exchange(idle_, false);
      closing_ = true;
      if (was_idle || got == Got::broken) co_return false;
      if (got == Got::end && scan_.request_line_complete() && in_.view().ends_with('\n')) {
        // The client closed its side instead of sending the blank line: what it sent is whole.
        block_ = std::string(in_.view()) + "\r\n";
        const bool parsed = parse_header(block_);
        in_.clear();
        co_return parsed;
      }
      lingering_ = true;
      answer_html(got == Got::timeout ? 408 : 400,
                  got == Got::timeout ? "" : "The request ends within its headers");
      co_return false;
    }
    if (idle_) until = std::chrono::steady_clock::now() + limits.header_timeout;
    idle_ = false;
  }
}

IoTask<HttpConnection::Body> HttpConnection::read_body(BodySink& sink) {
  parser_->set_sink(&sink);
  parser_->eager(true);
  if (!parser_->is_done() && parser_->head().expects_continue && !http10_ && in_.view().empty())
    out_ += "HTTP/1.1 100 Continue\r\n\r\n";
  const std::size_t given_min = parser_->chunked() ? kChunkedRestMin : 1;
  while (!parser_->is_done()) {
    const std::string_view seen = in_.view();
    if (seen.size() >= given_min) {
      SystemError error;
      const std::size_t used = parser_->put(asio::buffer(seen.data(), seen.size()), error);
      in_.consume(used);
      received_ += used;
      if (error == http::error::body_limit) co_return Body::too_large;
      if (error && error != http::error::need_more) co_return Body::malformed;
      if (parser_->is_done()) break;
      // Only the head of a chunk or a trailer can be left over.
      if (in_.view().size() >= core_->limits().header_bytes_max) co_return Body::malformed;
    }
    if (ended_) co_return Body::truncated;
    const auto rest = parser_->chunked() ? boost::none : parser_->content_length_remaining();
    const std::size_t wanted =
        rest ? static_cast<std::size_t>(std::min<std::uint64_t>(*rest, InputBuffer::kLarge))
             : InputBuffer::kLarge;
    set_deadline(core_->limits().body_timeout);
    const Got got = co_await fill(wanted);
    if (got == Got::timeout) co_return Body::timeout;
    if (got == Got::broken) co_return Body::broken;
  }
  co_return Body::complete;
}

IoTask<> HttpConnection::skip_body() {
  if (closing_ || parser_->is_done()) co_return;
  Discard discard;
  const Body body = co_await read_body(discard);
  if (body != Body::complete) closing_ = lingering_ = true;
}

IoTask<> HttpConnection::read_json_call() {
  Call call;
  {
    JsonBody body(core_->limits(), core_->statistics());
    Body got = co_await read_body(body);
    if (got == Body::too_large && body.busy) got = Body::too_busy;
    if (got != Body::complete) {
      answer_body_fault(got);
      co_return;
    }
    CallRules rules{core_->limits().json_depth_max, &core_->hooks().knows_method};
    call = api::read_body(body.text, rules);
  }
  std::unique_ptr<Upload> none;
  co_await perform(std::move(call), std::move(none));
}

IoTask<> HttpConnection::read_upload() {
  UploadLimits limits{core_->limits().json_bytes_max, core_->limits().upload_files_max,
                      core_->limits().upload_directory};
  auto upload = std::make_unique<Upload>(std::move(content_type_.boundary), std::move(limits));
  UploadBody body(*upload, core_->limits().upload_bytes_max);
  const Body got = co_await read_body(body);
  if (got != Body::complete) {
    answer_body_fault(got);
    co_return;
  }
  upload->finish();
  if (upload->failure()) {
    answer_envelope("1", *upload->failure());
    co_return;
  }
  CallRules rules{core_->limits().json_depth_max, &core_->hooks().knows_method};
  Call call = read_fields(upload->take_fields(), upload->files(), rules);
  co_await perform(std::move(call), std::move(upload));
}

IoTask<> HttpConnection::perform(Call call, std::unique_ptr<Upload> upload) {
  if (call.kind == Call::Kind::no_method) {
    answer_text(400, "Did not specify method");
    co_return;
  }
  if (call.kind == Call::Kind::unknown_method) {
    answer_text(404, "method not found");
    co_return;
  }
  if (call.kind == Call::Kind::failure) {
    answer_envelope(call.id, call.failure);
    co_return;
  }
  if (aborted_) co_return;
  const auto pending = std::make_shared<PendingCall>();
  pending->upload = std::move(upload);
  std::string method;
  if (core_->hooks().access_log) method = call.request.method;
  try {
    core_->hooks().handle(std::move(call.request), Answer(pending));
  } catch (const std::exception&) {
    pending->response = make_failure(Code::E_UNKNOWN, "Unknown error.");
  }
  if (!pending->response) co_await wait_for(pending);
  if (aborted_ || !pending->response) co_return;
  if (!pending->response->method_found) {
    answer_text(404, "method not found");
    co_return;
  }
  log_method_ = method;
  if (core_->stopping()) closing_ = lingering_ = true;
  answer_envelope(call.id, *pending->response);
  log_method_ = {};
}

IoTask<> HttpConnection::wait_for(std::shared_ptr<PendingCall> pending) {
  if (!flush_at_once()) co_await flush();
  if (pending->response || aborted_) co_return;
  deadline_ = SteadyTime::max();
  pending_ = pending;
  PendingCall* const call = pending.get();
  auto initiate = [call](auto handler) {
    call->resume = [resumed = std::move(handler)]() mutable { asio::post(std::move(resumed)); };
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<IoExecutor>&, void()>(initiate, kAwait);
  pending_.reset();
}

}  // namespace drover::api

// One client's connection: reads requests one after the other (pipelined ones wait in the buffer), gathers
// their answers in order, and writes them when nothing complete is left to read. Internal to manager/api.
// Single-threaded.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "manager/api/http_core.hpp"
#include "manager/api/http_parser.hpp"
#include "manager/api/http_reply.hpp"
#include "manager/api/multipart.hpp"
#include "manager/api/wire.hpp"

namespace drover::api {

// Bytes read and not yet used; grows on demand, shrinks when the connection falls idle.
class InputBuffer {
 public:
  std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
  void consume(std::size_t size);
  // Room for at least `size` more bytes.
  char* prepare(std::size_t size);
  std::size_t room() const { return capacity_ - end_; }
  void commit(std::size_t size) { end_ += size; }
  void clear() { begin_ = end_ = 0; }
  void shrink();

  static constexpr std::size_t kSmall = 2048;
  static constexpr std::size_t kLarge = 64 * 1024;

 private:
  std::unique_ptr<char[]> data_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t capacity_ = 0;
};

// The answer of a call that is under way. Shared by the connection and the Respond given to the handler;
// either may go first. Owns the uploaded files: the handler may read them until it has answered.
struct PendingCall {
  std::optional<Response> response;
  std::move_only_function<void()> resume;  // set while the connection waits
  std::unique_ptr<Upload> upload;
};

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(std::shared_ptr<HttpCore> core, Socket socket, bool refused);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // The whole life of the connection.
  static IoTask<> run(std::shared_ptr<HttpConnection> self);

  SteadyTime deadline() const { return deadline_; }
  bool refused() const { return refused_; }
  // Ends the present read or write as timed out.
  void expire();
  // The server is ending: an idle connection closes now, a busy one after its answer.
  void close_when_idle();
  // Closes now, whatever is under way.
  void abort();

  HttpConnection* next = nullptr;  // the core's list
  HttpConnection* previous = nullptr;

 private:
  enum class Got : unsigned char { data, end, timeout, broken };
  enum class Body : unsigned char { complete, too_large, too_busy, malformed, truncated, timeout, broken };

  IoTask<> serve();
  IoTask<> refuse();
  IoTask<> linger();
  // Reads once into the input buffer; `wanted` is a hint for its size.
  IoTask<Got> fill(std::size_t wanted);
  // Writes all of out_; false when the client is gone.
  IoTask<bool> flush();
  bool flush_at_once();

  // Reads until the headers of a request are complete; false when none will come.
  IoTask<bool> read_header();
  bool parse_header(std::string_view block);
  // Answers what needs no body; false when the body must be read (media_ says how).
  bool answer_from_header(const RequestParser::Head& head);
  // The status that the request is refused with on sight of its headers, 0 when it is not.
  int refusal(const Target& target, const RequestParser::Head& head);
  bool answer_extra_path(std::string_view path, const RequestParser::Head& head);
  // Before an answer that does not wait for the body: may the connection go on after it?
  void settle_unread_body(const RequestParser::Head& head);
  void answer_bad_header(std::string_view block, bool bad_version);

  IoTask<Body> read_body(BodySink& sink);
  IoTask<> skip_body();
  IoTask<> read_json_call();
  IoTask<> read_upload();
  void answer_body_fault(Body fault);

  IoTask<> perform(Call call, std::unique_ptr<Upload> upload);
  IoTask<> wait_for(std::shared_ptr<PendingCall> pending);

  void answer(Reply reply);
  void answer_html(int status, std::string_view message = {}, std::string_view extra_headers = {});
  void answer_text(int status, std::string_view text, std::string_view extra_headers = {});
  void answer_envelope(std::string_view id, const Response& response);
  void set_deadline(Duration timeout) { deadline_ = std::chrono::steady_clock::now() + timeout; }

  std::shared_ptr<HttpCore> core_;
  Socket socket_;
  std::string peer_;
  InputBuffer in_;
  std::string out_;
  std::string text_;   // scratch for an answer's body
  std::string block_;  // a header block whose line ends had to be mended
  HeaderScan scan_;
  std::optional<RequestParser> parser_;
  std::optional<Call> query_call_;
  ContentType content_type_;
  std::shared_ptr<PendingCall> pending_;
  SteadyTime deadline_ = SteadyTime::max();
  SteadyTime request_begun_{};
  std::uint64_t received_ = 0;  // of the present request
  std::string_view log_verb_ = "-";
  std::string_view log_path_ = "other";
  std::string_view log_method_;
  bool log_failed_ = false;
  const bool refused_;
  bool idle_ = true;        // between requests
  bool closing_ = false;    // no further request
  bool lingering_ = false;  // the last answer was written while the client may still be sending
  bool ended_ = false;      // the client sent its end of input
  bool timed_out_ = false;
  bool head_only_ = false;
  bool http10_ = false;
  bool aborted_ = false;
};

}  // namespace drover::api

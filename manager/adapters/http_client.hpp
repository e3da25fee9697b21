// An HTTP/1.1 client for drivers of clouds: keeps connections open and uses them again, speaks TLS, and takes
// its time-outs from the scheduler. Answers come in scheduler events. All of it on one thread.
//
// Errors: unavailable with Effect::none (no such name, refused, TLS failed), timeout with Effect::none while
// connecting; timeout and connection_lost with Effect::possible once the request may have been read; protocol
// (no HTTP, or a body above the limit). A kept connection that the server has closed meanwhile is replaced by
// a new one, unseen, when nothing of an answer was read and `repeatable` says that doing it twice does no
// harm.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "manager/runtime/task.hpp"
#include "manager/system/http_message.hpp"
#include "manager/system/wire_traffic.hpp"

namespace drover {

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Sends `request` to the host and port of `url` (its path is not used: `target` is complete). Host and
  // Content-Length are added. The status is the caller's to judge; redirections are not followed.
  virtual void send(const http::Url& url, http::Request request, Duration timeout, bool repeatable,
                    Handler<http::Response> handler) = 0;
};

struct HttpClientConfig {
  std::size_t body_bytes_max = 256 * 1024 * 1024;  // of an answer
  std::size_t connections_max = 64;                // at once, to one host; more requests wait
  Duration connect_timeout{5s};
  Duration idle_timeout{20s};  // a kept connection
  std::string ca_file;         // PEM, beside the system's; "" for none
};

class NetHttpClient final : public HttpClient {
 public:
  // `enter` runs what it is given as outside input of the scheduler (RealTimePump::submit). Everything must
  // outlive this; the io_context may run on after it. `traffic` may be null.
  using Enter = std::function<void(std::move_only_function<void()>)>;
  NetHttpClient(asio::io_context& io, Domain& domain, Enter enter, HttpClientConfig config,
                WireTraffic* traffic = nullptr);
  ~NetHttpClient() override;
  void send(const http::Url& url, http::Request request, Duration timeout, bool repeatable,
            Handler<http::Response> handler) override;

 private:
  struct Shared;
  class Exchange;
  std::shared_ptr<Shared> shared_;
};

}  // namespace drover

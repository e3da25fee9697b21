// The HTTP/1.1 server of the manager's API: reads requests from sockets, hands each call to a HandleRequest
// and writes its answer. Knows the wire (paths, media types, limits, envelopes), nothing of what the methods
// mean. Parsing is Beast's, replies are plain strings. What is accepted and where it differs from the
// original: docs/api-differences.md.
//
// Single-threaded: every member is called on the thread that runs the io_context, every callback is called
// there, and a Respond must be called there (now or later; dropping it answers with an error).
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "manager/api/request.hpp"
#include "manager/base/result.hpp"
#include "manager/base/time.hpp"

namespace drover::api {

// What one client may cost. Sizes in bytes.
struct ServerLimits {
  std::size_t header_bytes_max = 256 * 1024;     // request line and headers; beyond: 414 or 431
  std::size_t json_bytes_max = 8 * 1024 * 1024;  // body of a JSON call, text fields of an upload; 413
  std::uint64_t upload_bytes_max = std::uint64_t{16} << 30U;  // body of an upload; 413
  std::size_t upload_files_max = 16;                          // files in one upload; 413
  std::size_t json_depth_max = 64;                  // nesting of a body or of params: an error envelope
  std::size_t connections_max = 4096;               // beyond: 503 with Retry-After
  std::size_t body_memory_max = 256 * 1024 * 1024;  // bodies of all connections together; beyond: 503
  std::size_t pipeline_bytes_max = 64 * 1024;       // answers gathered before they are written
  Duration header_timeout = 10s;           // from a request's first byte to the end of its headers: 408
  Duration body_timeout = 60s;             // without a byte of body read, or of answer taken
  Duration idle_timeout = 75s;             // a connection between requests
  Duration linger_timeout = 5s;            // input discarded after the last answer, then closed
  std::filesystem::path upload_directory;  // empty: the system's directory for temporary files
};

// One answered request, for the access log. Holds no parameter, no body, no query and no header value.
struct AccessEntry {
  std::string_view peer;    // "127.0.0.1:40312"
  std::string_view verb;    // GET, POST, UPLOAD, or "-" when the request could not be read
  std::string_view path;    // "/", "/metrics", "/healthz", or "other"
  std::string_view method;  // the called method when it exists, else empty
  int status = 0;
  bool failed = false;  // the envelope carried an error
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  Duration duration{0};  // from the end of the headers to the answer
};

struct Health {
  bool healthy = true;
  std::string text = "ok\n";  // the body of /healthz; no secret
};

// Callbacks of the server; all but `handle` may be empty.
struct ServerHooks {
  HandleRequest handle;
  std::function<std::string()> metrics;                      // GET /metrics, Prometheus text
  std::function<Health()> health;                            // GET /healthz
  std::function<bool(Verb, std::string_view)> knows_method;  // lets 404 come before a missing id is told
  std::function<void(const AccessEntry&)> access_log;
};

struct ServerStatistics {
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_refused = 0;  // beyond connections_max
  std::uint64_t requests = 0;
  std::uint64_t timeouts = 0;
  std::size_t connections_open = 0;
  std::size_t body_bytes = 0;  // request bodies in memory now
};

class HttpCore;

class HttpServer {
 public:
  // Nothing listens yet. The io_context must outlive the server.
  HttpServer(boost::asio::io_context& io, ServerLimits limits, ServerHooks hooks);
  // Closes everything at once; calls under way lose their clients. Use shutdown() first for a polite end.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Binds and listens on a numeric address ("127.0.0.1", "::1", "0.0.0.0"); port 0 takes a free one. Errors:
  // invalid (the address is no numeric address), unavailable (in use, no permission), with what to do.
  Result<void> listen(const std::string& address, std::uint16_t port);
  // The port bound, 0 before listen().
  std::uint16_t port() const;

  // Stops accepting, closes idle connections, lets calls under way end for `grace`, then closes the rest.
  // `done` is called once, from the io_context, when no connection is left.
  void shutdown(Duration grace, std::move_only_function<void()> done);

  ServerStatistics statistics() const;

 private:
  std::shared_ptr<HttpCore> core_;
};

}  // namespace drover::api

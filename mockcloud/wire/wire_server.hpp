// The mock cloud's HTTP server: one address for all faces. Reads requests from sockets, gives each to the
// face that claims it, inside the scheduler, and writes its answer. Pipelined requests are answered in order.
// What cannot be read is refused in the words of the face that would have claimed it. Single-threaded.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "manager/base/result.hpp"
#include "manager/runtime/scheduler.hpp"
#include "manager/system/wire_traffic.hpp"
#include "mockcloud/wire/face.hpp"

namespace drover::wire {

struct ServerConfig {
  std::size_t header_bytes_max = 64 * 1024;
  std::size_t body_bytes_max = 16 * 1024 * 1024;
  std::size_t connections_max = 4096;
  Duration read_timeout{30s};  // real time, for one request to arrive
  Duration idle_timeout{75s};  // real time, between requests
};

class WireServer {
 public:
  using Enter = std::function<void(std::move_only_function<void()>)>;
  // `enter` runs what it is given as outside input of the scheduler. Faces are asked in their order; the last
  // one takes what nobody claims. `traffic` may be null.
  WireServer(asio::io_context& io, Enter enter, std::vector<Face*> faces, ServerConfig config,
             WireTraffic* traffic = nullptr);
  ~WireServer();
  WireServer(const WireServer&) = delete;
  WireServer& operator=(const WireServer&) = delete;

  // Told of every request before its face is, and of its answer; `begun` gives the request's number.
  struct Journal {
    std::function<std::uint64_t(const Face&, const http::Request&)> begun;
    std::function<void(std::uint64_t number, int status)> ended;
  };
  void set_journal(Journal journal);

  // Errors: invalid (no numeric address), unavailable (in use, no permission).
  Result<void> listen(const std::string& address, std::uint16_t port);
  std::uint16_t port() const;

  struct Shared;

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace drover::wire

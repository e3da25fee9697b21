// What the connections of one HttpServer share: limits, callbacks, the list of connections, and the one timer
// that looks for expired deadlines (a timer for each connection would cost more than a small request).
// Internal to manager/api. Single-threaded.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>

#include "manager/api/http_server.hpp"

namespace drover::api {

namespace asio = boost::asio;

using IoExecutor = asio::io_context::executor_type;
template <class T = void>
using IoTask = asio::awaitable<T, IoExecutor>;
using Socket = asio::basic_stream_socket<asio::ip::tcp, IoExecutor>;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, IoExecutor>;
using SteadyTime = std::chrono::steady_clock::time_point;

class HttpConnection;

class HttpCore : public std::enable_shared_from_this<HttpCore> {
 public:
  HttpCore(asio::io_context& io, ServerLimits limits, ServerHooks hooks);

  Result<void> listen(const std::string& address, std::uint16_t port);
  std::uint16_t port() const { return port_; }
  void shutdown(Duration grace, std::move_only_function<void()> done);
  // Ends everything without waiting; afterwards no callback is called any more.
  void abandon();

  asio::io_context& io() { return io_; }
  const ServerLimits& limits() const { return limits_; }
  const ServerHooks& hooks() const { return hooks_; }
  ServerStatistics& statistics() { return statistics_; }
  bool stopping() const { return stopping_; }

  // Called by connections as they begin and end.
  void link(HttpConnection* connection);
  void unlink(HttpConnection* connection);

 private:
  static IoTask<> accept_loop(std::shared_ptr<HttpCore> self);
  void admit(Socket socket);
  void arm_sweep();
  void sweep();
  void close_all();
  void tell_when_empty();
  template <class F>
  void for_each_connection(F&& function);

  asio::io_context& io_;
  ServerLimits limits_;
  ServerHooks hooks_;
  ServerStatistics statistics_;
  Acceptor acceptor_;
  asio::steady_timer sweep_timer_;
  asio::steady_timer grace_timer_;
  asio::steady_timer accept_pause_;
  std::chrono::nanoseconds sweep_period_;
  std::move_only_function<void()> done_;
  HttpConnection* first_ = nullptr;
  std::size_t refusing_ = 0;
  std::uint16_t port_ = 0;
  bool sweeping_ = false;
  bool stopping_ = false;
};

}  // namespace drover::api

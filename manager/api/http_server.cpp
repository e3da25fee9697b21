#include "manager/api/http_server.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <vector>

#include "manager/api/http_connection.hpp"
#include "manager/api/http_core.hpp"
#include "manager/base/check.hpp"

namespace drover::api {
namespace {

using SystemError = boost::system::error_code;
constexpr asio::as_tuple_t<asio::use_awaitable_t<IoExecutor>> kAwaitTuple{
    asio::use_awaitable_t<IoExecutor>{}};

constexpr std::size_t kRefusingMax =
    256;  // connections that are being told 503; beyond, they are just closed
constexpr int kBacklog = 1024;
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

// Deadlines are met to a quarter of the shortest.
std::chrono::nanoseconds sweep_period(const ServerLimits& limits) {
  const Duration shortest =
      std::min({limits.header_timeout, limits.body_timeout, limits.idle_timeout, limits.linger_timeout});
  return std::clamp<std::chrono::nanoseconds>(shortest / 4, std::chrono::milliseconds(5),
                                              std::chrono::milliseconds(500));
}

}  // namespace

HttpCore::HttpCore(asio::io_context& io, ServerLimits limits, ServerHooks hooks)
    : io_(io),
      limits_(std::move(limits)),
      hooks_(std::move(hooks)),
      acceptor_(io),
      sweep_timer_(io),
      grace_timer_(io),
      accept_pause_(io),
      sweep_period_(sweep_period(limits_)) {}

Result<void> HttpCore::listen(const std::string& address, std::uint16_t port) {
  SystemError error;
  const auto ip = asio::ip::make_address(address, error);
  if (error)
    return make_error(ErrorCode::invalid,
                      "Cannot listen on \"" + address +
                          "\": it is no numeric address. Give one such as 127.0.0.1 or 0.0.0.0.");
  const asio::ip::tcp::endpoint endpoint(ip, port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(kBacklog, error);
  if (error) {
    SystemError ignored;
    acceptor_.close(ignored);
    return make_error(ErrorCode::unavailable,
                      "Cannot listen on " + address + " port " + std::to_string(port) + ": " +
                          error.message() + ". Stop what listens there, or choose another address or port.");
  }
  port_ = acceptor_.local_endpoint(error).port();
  asio::co_spawn(io_.get_executor(), accept_loop(shared_from_this()), asio::detached);
  return success();
}

IoTask<> HttpCore::accept_loop(std::shared_ptr<HttpCore> self) {
  while (self->acceptor_.is_open()) {
    Socket socket(self->io_);
    const auto [error] = co_await self->acceptor_.async_accept(socket, kAwaitTuple);
    if (!self->acceptor_.is_open()) break;
    if (!error) {
      self->admit(std::move(socket));
      continue;
    }
    if (error == asio::error::connection_aborted) continue;
    // Out of file descriptors or memory: trying at once again would only burn the processor.
    self->accept_pause_.expires_after(kAcceptPause);
    co_await self->accept_pause_.async_wait(kAwaitTuple);
  }
}

void HttpCore::admit(Socket socket) {
  const bool refused = statistics_.connections_open - refusing_ >= limits_.connections_max;
  if (refused) ++statistics_.connections_refused;
  if (refused && refusing_ >= kRefusingMax) return;
  if (!refused) ++statistics_.connections_accepted;
  auto connection = std::make_shared<HttpConnection>(shared_from_this(), std::move(socket), refused);
  asio::co_spawn(io_.get_executor(), HttpConnection::run(std::move(connection)), asio::detached);
}

void HttpCore::link(HttpConnection* connection) {
  connection->next = first_;
  if (first_ != nullptr) first_->previous = connection;
  first_ = connection;
  ++statistics_.connections_open;
  if (connection->refused()) ++refusing_;
  if (!sweeping_) arm_sweep();
}

void HttpCore::unlink(HttpConnection* connection) {
  if (connection->previous != nullptr)
    connection->previous->next = connection->next;
  else
    first_ = connection->next;
  if (connection->next != nullptr) connection->next->previous = connection->previous;
  --statistics_.connections_open;
  if (connection->refused()) --refusing_;
  if (first_ == nullptr) sweep_timer_.cancel();
  tell_when_empty();
}

template <class F>
void HttpCore::for_each_connection(F&& function) {
  for (HttpConnection* connection = first_; connection != nullptr;) {
    HttpConnection* const next = connection->next;
    function(*connection);
    connection = next;
  }
}

void HttpCore::arm_sweep() {
  sweeping_ = true;
  sweep_timer_.expires_after(sweep_period_);
  sweep_timer_.async_wait([self = shared_from_this()](const SystemError&) {
    self->sweeping_ = false;
    if (self->first_ != nullptr) self->sweep();
  });
}

void HttpCore::sweep() {
  const SteadyTime now = std::chrono::steady_clock::now();
  for_each_connection([&](HttpConnection& connection) {
    if (connection.deadline() <= now) connection.expire();
  });
  arm_sweep();
}

void HttpCore::shutdown(Duration grace, std::move_only_function<void()> done) {
  done_ = std::move(done);
  stopping_ = true;
  SystemError ignored;
  acceptor_.close(ignored);
  accept_pause_.cancel();
  for_each_connection([](HttpConnection& connection) { connection.close_when_idle(); });
  if (first_ != nullptr) {
    grace_timer_.expires_after(grace);
    grace_timer_.async_wait([self = shared_from_this()](const SystemError& error) {
      if (!error) self->close_all();
    });
  }
  tell_when_empty();
}

void HttpCore::tell_when_empty() {
  if (first_ != nullptr || !stopping_) return;
  grace_timer_.cancel();
  if (done_) asio::post(io_, std::exchange(done_, nullptr));
}

void HttpCore::close_all() {
  for_each_connection([](HttpConnection& connection) { connection.abort(); });
}

void HttpCore::abandon() {
  stopping_ = true;
  done_ = nullptr;
  SystemError ignored;
  acceptor_.close(ignored);
  accept_pause_.cancel();
  grace_timer_.cancel();
  close_all();
  sweep_timer_.cancel();
  hooks_ = {};
}

HttpServer::HttpServer(asio::io_context& io, ServerLimits limits, ServerHooks hooks)
    : core_(std::make_shared<HttpCore>(io, std::move(limits), std::move(hooks))) {
  DROVER_CHECK(core_->hooks().handle != nullptr, "an HTTP server needs a handler");
}

HttpServer::~HttpServer() { core_->abandon(); }

Result<void> HttpServer::listen(const std::string& address, std::uint16_t port) {
  return core_->listen(address, port);
}

std::uint16_t HttpServer::port() const { return core_->port(); }

void HttpServer::shutdown(Duration grace, std::move_only_function<void()> done) {
  core_->shutdown(grace, std::move(done));
}

ServerStatistics HttpServer::statistics() const { return core_->statistics(); }

}  // namespace drover::api

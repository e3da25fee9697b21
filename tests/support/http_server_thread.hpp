// The API's HTTP server in a thread of its own on a free port of 127.0.0.1, for tests that talk to it over
// sockets. The handler runs in that thread; call() is the one way in from the test's thread.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <future>
#include <memory>
#include <thread>

#include "manager/api/http_server.hpp"

namespace drover::testing_support {

class HttpServerThread {
 public:
  HttpServerThread(api::ServerLimits limits,
                   std::function<api::ServerHooks(boost::asio::io_context&)> make_hooks);
  ~HttpServerThread();

  std::uint16_t port() const { return port_; }

  // Runs `function` in the server's thread and returns its result.
  template <class F>
  auto call(F function) {
    std::packaged_task<std::invoke_result_t<F, api::HttpServer&>()> task([&] { return function(*server_); });
    auto result = task.get_future();
    boost::asio::post(io_, [&task] { task(); });
    return result.get();
  }
  api::ServerStatistics statistics() {
    return call([](api::HttpServer& server) { return server.statistics(); });
  }
  // Starts the graceful shutdown; the future is ready when every connection is gone.
  std::future<void> shutdown(Duration grace);

 private:
  boost::asio::io_context io_{1};
  std::unique_ptr<api::HttpServer> server_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace drover::testing_support

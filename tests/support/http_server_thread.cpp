#include "tests/support/http_server_thread.hpp"

#include "manager/base/check.hpp"

namespace drover::testing_support {

HttpServerThread::HttpServerThread(api::ServerLimits limits,
                                   std::function<api::ServerHooks(boost::asio::io_context&)> make_hooks)
    : server_(std::make_unique<api::HttpServer>(io_, std::move(limits), make_hooks(io_))) {
  const Result<void> listening = server_->listen("127.0.0.1", 0);
  DROVER_CHECK(listening.has_value(), "the test's server cannot listen");
  port_ = server_->port();
  thread_ = std::thread([this] { io_.run(); });
}

HttpServerThread::~HttpServerThread() {
  call([this](api::HttpServer&) {
    server_.reset();
    return 0;
  });
  work_.reset();
  io_.stop();
  thread_.join();
}

std::future<void> HttpServerThread::shutdown(Duration grace) {
  auto done = std::make_shared<std::promise<void>>();
  auto result = done->get_future();
  call([&](api::HttpServer& server) {
    server.shutdown(grace, [done] { done->set_value(); });
    return 0;
  });
  return result;
}

}  // namespace drover::testing_support

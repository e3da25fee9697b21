#include "manager/agent/heartbeat.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <nlohmann/json.hpp>

#include "manager/system/net_stream.hpp"

namespace drover::agent {
namespace {

namespace http = boost::beast::http;
constexpr Duration kTimeout{5s};
constexpr Duration kAgainAfter{1s};  // as long as the manager does not know this node

}  // namespace

void Heartbeat::start() {
  if (!agent_.settings().manager_host.empty()) thread_ = std::thread([this] { run(); });
}

Heartbeat::~Heartbeat() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Heartbeat::run() {
  bool heard = true;
  while (true) {
    const bool answered = tell();
    if (answered != heard)
      agent_.settings().log(answered ? "the manager answers"
                                     : "the manager does not answer; going on without");
    heard = answered;
    std::unique_lock lock(mutex_);
    const Duration pause = answered ? agent_.settings().heartbeat_interval
                                    : std::min(kAgainAfter, agent_.settings().heartbeat_interval);
    if (changed_.wait_for(lock, std::chrono::nanoseconds(pause), [this] { return stopping_; })) return;
  }
}

bool Heartbeat::tell() {
  const AgentSettings& own = agent_.settings();
  auto socket = system::connect_to(own.manager_host, own.manager_port, kTimeout);
  if (socket.has_error()) return false;
  const nlohmann::json state{{"id", own.instance_id},
                             {"name", own.instance_id},
                             {"state", agent_.server_runs() ? "RUNNING" : "STOPPED"},
                             {"ip", own.address},
                             {"port", std::to_string(own.port)},
                             {"mysqld_port", std::to_string(own.mysqld_port)}};
  http::request<http::string_body> request(http::verb::post, "/", 11);
  request.set(http::field::host, own.manager_host + ":" + std::to_string(own.manager_port));
  request.set(http::field::content_type, "application/json");
  request.keep_alive(false);
  request.body() =
      nlohmann::json{{"method", "register_node"}, {"params", {{"state", state}}}, {"id", 1}}.dump();
  request.prepare_payload();
  system::NetStream stream(socket.value().get(), kTimeout);
  boost::system::error_code error;
  http::write(stream, request, error);
  boost::beast::flat_buffer buffer;
  http::response<http::string_body> response;
  if (!error) http::read(stream, buffer, response, error);
  return !error && response.result() == http::status::ok;
}

}  // namespace drover::agent

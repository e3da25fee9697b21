#include "tests/http/fake_manager.hpp"

#include <boost/asio/steady_timer.hpp>
#include <fstream>
#include <stdexcept>

#include "manager/base/hash.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DROVER_TEST_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DROVER_TEST_SANITIZED
#endif

namespace drover::http_test {
namespace {

using nlohmann::json;

struct Fake {
  boost::asio::io_context& io;
  std::vector<api::Respond> kept;  // never answered
};

json echo(const api::Request& request) {
  json result = {{"params", request.params}, {"files", json::array()}};
  for (const api::UploadedFile& file : request.files) {
    std::uint64_t hash = 0;
    std::uint64_t bytes = 0;
    std::ifstream stream(file.path, std::ios::binary);
    std::vector<char> piece(1 << 16);
    while (stream.read(piece.data(), static_cast<std::streamsize>(piece.size())), stream.gcount() > 0) {
      const auto size = static_cast<std::size_t>(stream.gcount());
      hash = hash_text(std::string_view(piece.data(), size), hash);
      bytes += size;
    }
    result["files"].push_back({{"field", file.field},
                               {"bytes", file.bytes},
                               {"on_disk", bytes},
                               {"hash", hash},
                               {"path", file.path}});
  }
  return result;
}

void answer_later(Fake& fake, api::Respond respond) {
  auto timer = std::make_shared<boost::asio::steady_timer>(fake.io, std::chrono::milliseconds(30));
  timer->async_wait([timer, respond = std::move(respond)](const boost::system::error_code&) mutable {
    api::Response response;
    response.result = {{"late", true}};
    respond(std::move(response));
  });
}

void handle(Fake& fake, api::Request request, api::Respond respond) {
  api::Response response;
  const bool get = request.verb == api::Verb::get;
  const bool post = request.verb == api::Verb::post;
  if (request.method == "echo") {
    response.result = echo(request);
  } else if (get && request.method == "list_nodes") {
    response.result = {{"conpaas-mysql", json::array()}};
  } else if (get && request.method == "get_service_info") {
    response.result = {{"state", "RUNNING"}, {"type", "conpaas-mysql"}};
  } else if (post && request.method == "add_nodes") {
    response.result = json::object();
  } else if (get && request.method == "later") {
    return answer_later(fake, std::move(respond));
  } else if (get && request.method == "never") {
    return fake.kept.push_back(std::move(respond));
  } else if (get && request.method == "drop") {
    return;
  } else if (get && request.method == "fault") {
    throw std::runtime_error("a secret of the server");
  } else if (get && request.method == "twice") {
    respond(response);
    response.failed = true;
  } else if (get && request.method == "big") {
    response.result = std::string(1 << 20, 'b');
  } else if (get && request.method == "binary") {
    response.result = "\xff\xfe";
  } else if (post && request.method == "refuse") {
    response.failed = true;
    response.error = "Service in wrong state";
    response.code = api::Code::E_STATE_ERROR;
    response.data = {{"state", "INIT"}};
  } else {
    response.method_found = false;
  }
  respond(std::move(response));
}

std::size_t status_value(const std::string& name) {
  std::ifstream status("/proc/self/status");
  std::string word;
  std::size_t kilobytes = 0;
  while (status >> word)
    if (word == name) status >> kilobytes;
  return kilobytes * 1024;
}

}  // namespace

api::ServerHooks fake_manager(boost::asio::io_context& io) {
  auto fake = std::make_shared<Fake>(Fake{io, {}});
  api::ServerHooks hooks;
  hooks.handle = [fake](api::Request request, api::Respond respond) {
    handle(*fake, std::move(request), std::move(respond));
  };
  hooks.metrics = [] { return std::string("drover_up 1\n"); };
  hooks.health = [] { return api::Health{}; };
  return hooks;
}

HttpServerThread& Http::start(api::ServerLimits limits) {
  const auto make = [log = log_](boost::asio::io_context& io) {
    api::ServerHooks hooks = fake_manager(io);
    hooks.access_log = [log](const api::AccessEntry& entry) {
      const std::lock_guard lock(log->mutex);
      log->entries.push_back(std::string(entry.verb) + " " + std::string(entry.path) + " " +
                             std::string(entry.method) + " " + std::to_string(entry.status));
    };
    return hooks;
  };
  server_ = std::make_unique<HttpServerThread>(std::move(limits), make);
  return *server_;
}

json Http::envelope(const HttpAnswer& answer) {
  EXPECT_EQ(answer.status, 200) << answer.body;
  return json::parse(answer.body, nullptr, false);
}

std::vector<std::string> Http::log() {
  const std::lock_guard lock(log_->mutex);
  return log_->entries;
}

std::size_t peak_memory() { return status_value("VmHWM:"); }
std::size_t resident_memory() { return status_value("VmRSS:"); }
void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5"; }

std::size_t memory_growth(std::size_t now, std::size_t before) {
#ifdef DROVER_TEST_SANITIZED
  static_cast<void>(now);
  static_cast<void>(before);
  return 0;
#else
  return now > before ? now - before : 0;
#endif
}

std::string json_post_head() { return "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"; }

}  // namespace drover::http_test

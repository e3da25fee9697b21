// A mock cloud behind its wire and a client in front of it, in one process and in virtual time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "manager/adapters/http_client.hpp"
#include "mockcloud/wire/backend.hpp"
#include "mockcloud/wire/virtual_pump.hpp"
#include "mockcloud/wire/wire_server.hpp"

namespace drover::test {

class WiredCloud {
 public:
  using MakeFace = std::function<std::unique_ptr<wire::Face>(wire::Backend&)>;
  // `calls_through` may wrap the cloud (in faults); null: the cloud itself.
  explicit WiredCloud(const MakeFace& make_face, cloud::CloudConfig config = {}, wire::Settings settings = {},
                      const std::function<std::unique_ptr<Iaas>(Iaas&)>& calls_through = nullptr);
  ~WiredCloud();

  Scheduler& scheduler() { return scheduler_; }
  Domain& domain() { return domain_; }
  cloud::Cloud& cloud() { return *cloud_; }
  wire::Backend& backend() { return *backend_; }
  HttpClient& client() { return *client_; }
  asio::io_context& io() { return io_; }
  http::Url url() const;  // "http://127.0.0.1:PORT"
  std::uint16_t port() const { return server_->port(); }

  // Lets virtual time pass until `done` or for `limit`; says whether `done` became true.
  bool run_until(const std::function<bool()>& done, Duration limit = std::chrono::hours(1));
  // One request, and its answer.
  Result<http::Response> ask(http::Request request, Duration timeout = std::chrono::minutes(1));

 private:
  asio::io_context io_{1};
  Scheduler scheduler_;
  Domain domain_{scheduler_};
  Domain cloud_domain_{scheduler_};
  Choices choices_{1};
  Trace trace_;
  WireTraffic traffic_;
  std::unique_ptr<cloud::Cloud> cloud_;
  std::unique_ptr<Iaas> through_;
  std::unique_ptr<wire::Backend> backend_;
  std::unique_ptr<wire::Face> face_;
  std::unique_ptr<wire::VirtualPump> pump_;
  std::unique_ptr<NetHttpClient> client_;
  std::unique_ptr<wire::WireServer> server_;
};

}  // namespace drover::test

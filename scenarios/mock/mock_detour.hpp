// The world "mock": the manager's driver of a real cloud speaks over a socket to the mock cloud's wire, both
// in this process. Time is virtual and stands still while bytes are under way, so that a run takes as little
// time as it can and is decided by its seed alone. See docs/decisions/0008-virtual-time-over-sockets.md.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "manager/adapters/http_client.hpp"
#include "mockcloud/wire/backend.hpp"
#include "mockcloud/wire/virtual_pump.hpp"
#include "mockcloud/wire/wire_server.hpp"
#include "scenarios/engine/detour.hpp"

namespace drover::scenario {

enum class Protocol : unsigned char { ec2, openstack, opennebula };
std::optional<Protocol> parse_protocol(std::string_view text);
const char* to_text(Protocol protocol);

class MockDetour final : public Detour {
 public:
  explicit MockDetour(Protocol protocol);
  ~MockDetour() override;

  const char* world() const override { return "mock"; }
  const char* for_people() const override { return "the mock cloud's wire"; }
  bool honours_tokens() const override { return protocol_ == Protocol::ec2; }
  Iaas& attach(Scheduler& scheduler, cloud::Cloud& cloud, Iaas& calls) override;
  void manager_ended() override;
  void detach() override;
  void drive(Scheduler& scheduler, TimePoint limit, const std::function<bool()>& go_on) override;

 private:
  // One process's driver with its connections.
  struct Driver;
  // What the manager has: the driver of the moment, and the cloud's own ids.
  class Front;

  std::unique_ptr<Driver> make_driver();
  std::unique_ptr<Iaas> make_iaas(HttpClient& client);
  http::Url url() const;
  // Ids as the protocol has them, and as the mock cloud has them.
  std::string to_inner(const std::string& id) const;
  std::string to_outer(const std::string& id) const;

  const Protocol protocol_;
  asio::io_context io_{1};
  WireTraffic traffic_;
  Scheduler* scheduler_ = nullptr;
  const cloud::Cloud* cloud_ = nullptr;
  std::unique_ptr<wire::Backend> backend_;
  std::unique_ptr<wire::Face> face_;
  std::unique_ptr<wire::WireServer> server_;
  std::unique_ptr<Driver> driver_;
  std::unique_ptr<Front> front_;
};

}  // namespace drover::scenario

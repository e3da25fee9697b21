// Servers: the cloud's instances with what only Nova knows of them, and those that never got a host.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mockcloud/wire/openstack/catalogue.hpp"

namespace drover::wire::openstack {

struct Server {
  std::string uuid;
  std::string instance;  // the cloud's id; "" for one that never got a host
  std::string name;
  InstanceState state = InstanceState::pending;
  std::string address;
  std::string fault;
  std::string image;
  std::string size;
  std::string network;
  std::string zone;
  Tags metadata;
  TimePoint created{};  // of the cloud
  TimePoint updated{};
  bool paused = false;
  std::vector<std::string> volumes;  // their UUIDs
  std::uint32_t order = 0;           // among those of one moment
  Json details = Json::object();     // what only Nova knows; see below
};

// Details: "key_name", "security_groups" (names), "config_drive" (bool), "description", "no_network" (bool),
// "hostname", "tags", "reservation", "locked" (bool), "starting" (bool), "user" (an account's name).
class Servers {
 public:
  explicit Servers(Backend& backend) : backend_(backend) {}

  static std::string uuid_of(const cloud::Instance& vm);
  // Whether it was asked for over this wire.
  static bool made(const cloud::Instance& vm);
  // Null for every id that is none of an instance.
  const cloud::Instance* instance(const std::string& uuid) const;
  std::optional<Server> from(const InstanceInfo& info) const;

  // Details are kept under the token that the instance was created with, which is known before the instance
  // is: nothing is lost with a lost answer.
  std::string new_token();
  void keep_details(const std::string& token, const Json& details);
  void forget_details(const std::string& token);
  Json details(const cloud::Instance& vm) const;
  void change_details(const cloud::Instance& vm, const char* name, const Json& value);

  // Servers that found no host.
  Server keep_failed(const InstanceSpec& spec, const std::string& message, const Json& details);
  std::optional<Server> failed(const std::string& uuid) const;
  std::vector<Server> all_failed() const;  // those that were deleted too, as long as the cloud lists such
  void delete_failed(const std::string& uuid);
  void change_failed(const Server& server);

 private:
  Backend& backend_;
};

inline constexpr const char* kServerKind = "server";  // of numbered_uuid
inline constexpr const char* kVolumeKind = "volume";

// A server as a client of the exchange's microversion sees it.
enum class View : unsigned char { summary, changed, listed, shown };
Json server_json(const Exchange& exchange, const Catalogue& catalogue, const Calendar& calendar,
                 const Server& server, View view);
// Nova's word for the state ("ACTIVE"), and its other three.
const char* status_of(const Server& server);
const char* vm_state_of(const Server& server);
const char* task_state_of(const Server& server);  // null: none
int power_state_of(const Server& server);
Json addresses_json(const Server& server, bool extended);

}  // namespace drover::wire::openstack

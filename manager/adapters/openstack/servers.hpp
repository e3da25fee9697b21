// Servers of Nova as instances.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "manager/adapters/openstack/names.hpp"

namespace drover::openstack {

class Servers {
 public:
  Servers(Session& session, Names& names) : session_(session), names_(names) {}

  Task<Result<InstanceInfo>> create(const InstanceSpec& spec, const std::string& token, const Budget& budget);
  Task<Result<void>> kill(const std::string& id, const Budget& budget);
  Task<Result<InstanceInfo>> show(const std::string& id, const Budget& budget);
  Task<Result<std::vector<InstanceInfo>>> list(const std::string& key, const std::string& value,
                                               const Budget& budget);

 private:
  // What this process knows of a token that it used.
  struct Used {
    std::string id;
    std::string digest;
    bool unclear = false;  // a creation was not answered: look again a little later
  };
  struct Places {
    std::string image, flavor, network;  // ids; a network may be "none" or "auto"
  };

  Task<Result<InstanceInfo>> create_alone(const InstanceSpec& spec, const std::string& token,
                                          const Budget& budget);
  // The server made with the token; nothing when there is none.
  Task<Result<std::optional<InstanceInfo>>> find(const InstanceSpec& spec, const std::string& token,
                                                 const std::string& digest, const Budget& budget);
  Task<Result<std::optional<InstanceInfo>>> find_used(const Used& used, const InstanceSpec& spec,
                                                      const Budget& budget);
  Task<Result<InstanceInfo>> post(const InstanceSpec& spec, const std::string& token,
                                  const std::string& digest, const Budget& budget);
  Task<Result<Places>> places(const InstanceSpec& spec, const Budget& budget);
  Result<std::string> body_for(const InstanceSpec& spec, const Places& places, const std::string& token,
                               const std::string& digest) const;
  Task<Result<InstanceInfo>> read(const Json& server, const Budget& budget);
  void remember(const std::string& token, Used used);

  Session& session_;
  Names& names_;
  std::map<std::string, Used> used_;
  std::deque<std::string> used_order_;
  std::set<std::string> in_flight_;  // tokens with which something is being created
  Signal landed_;
};

}  // namespace drover::openstack

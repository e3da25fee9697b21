// Images, flavors and networks by what people call them. What was found once is kept; forget() when the cloud
// says that it is no longer so.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "manager/adapters/openstack/session.hpp"

namespace drover::openstack {

// Pages of a listing until it ends: `path` has its query already ("/servers/detail?limit=10"), `key` names
// the items. The next page begins after the last item's id. Errors: protocol for a listing without an end.
Task<Result<std::vector<Json>>> list_all(Session& session, Service service, const std::string& path,
                                         const std::string& key, const Budget& budget);

class Names {
 public:
  explicit Names(Session& session) : session_(session) {}

  // The id of what is called so: tried as an id first, then as a name. Errors: invalid when there is none or
  // more than one.
  Task<Result<std::string>> image(const std::string& name, const Budget& budget);
  Task<Result<std::string>> flavor(const std::string& name, const Budget& budget);
  Task<Result<std::string>> network(const std::string& name, const Budget& budget);
  // Drops all ids, and says whether there were any.
  bool forget();

  // Puts names in place of ids: as they were asked for when they were, else as the cloud calls them.
  Task<Result<void>> name_all(std::vector<ServerAnswer>& servers, const Budget& budget);

 private:
  using Ids = std::map<std::string, std::string>;
  struct Kind {
    Service service;
    const char* what;        // "image"
    const char* collection;  // "/images"
    const char* one;         // the member that holds one; null: the answer itself
    const char* many;
  };
  static const Kind kImage, kNetwork;

  Task<Result<std::string>> find(const Kind& kind, const std::string& name, const Budget& budget);
  Task<Result<std::string>> look_up(const Kind& kind, const std::string& name, const Budget& budget);
  Task<Result<std::string>> find_flavor(const std::string& name, const Budget& budget);
  Task<std::string> image_name(const std::string& id, const Budget& budget);
  Task<std::string> flavor_name(const std::string& id, const Budget& budget);

  Session& session_;
  Ids images_, flavors_, networks_;  // ids by what they were asked for
  Ids image_names_;                  // by id
  Ids flavor_names_;                 // by id, and by the name that Nova tells from 2.47 on
};

}  // namespace drover::openstack

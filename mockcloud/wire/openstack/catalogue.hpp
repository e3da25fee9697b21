// What the cloud offers, under the ids that OpenStack gives it: flavors "1", "2", … in the order of the
// sizes; images and networks by UUIDs made from their names. In a cloud that is not strict, names that are
// not listed are their own ids.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mockcloud/wire/openstack/exchange.hpp"

namespace drover::wire::openstack {

struct Flavor {
  std::string id;
  std::string name;
  unsigned vcpus = 1;
  unsigned ram = 2048;  // MiB
  unsigned disk = 20;   // GiB
};

class Catalogue {
 public:
  explicit Catalogue(const Backend& backend) : backend_(backend) {}

  std::vector<Flavor> flavors() const;
  std::optional<Flavor> flavor(const std::string& id) const;
  Flavor flavor_named(const std::string& size) const;
  std::optional<std::string> image_name(const std::string& id) const;
  std::string image_id(const std::string& name) const;
  std::optional<std::string> network_name(const std::string& id) const;
  std::string network_id(const std::string& name) const;
  std::string subnet_id(const std::string& network) const;

  // One account, one project, one domain.
  std::string user_id(const std::string& account) const;
  std::string project_id() const;
  const std::string& project() const { return backend_.settings().project; }

  const std::vector<std::string>& images() const { return backend_.cloud().config().images; }
  const std::vector<std::string>& networks() const { return backend_.cloud().config().networks; }
  const std::vector<std::string>& zones() const { return backend_.cloud().config().zones; }

 private:
  bool strict() const { return backend_.cloud().config().strict; }

  const Backend& backend_;
};

// As flavors/detail shows it to a client of this microversion.
Json flavor_json(const Exchange& exchange, const Flavor& flavor, bool detail);
// "self" and "bookmark" of compute's things ("servers", id).
Json links_of(const Exchange& exchange, const std::string& what, const std::string& id);

}  // namespace drover::wire::openstack

// The network service, Neutron v2.0: the cloud's networks, a subnet and a port for each use, and the one
// security group, to read.
#pragma once

#include "mockcloud/wire/openstack/servers.hpp"

namespace drover::wire::openstack {

class Neutron {
 public:
  Neutron(Backend& backend, const Catalogue& catalogue, const Servers& servers, const Calendar& calendar)
      : backend_(backend), catalogue_(catalogue), servers_(servers), calendar_(calendar) {}

  // `exchange->path` is what follows "/network".
  void handle(const ExchangePtr& exchange);
  static bool is_version(const Exchange& exchange);
  static void versions(Exchange& exchange);

 private:
  void known(Exchange& exchange, const std::string& what);
  void ports(const ExchangePtr& exchange);
  Json network_json(const std::string& name) const;
  Json subnet_json(const std::string& network) const;
  Json group_json() const;
  Json port_json(const Server& server) const;
  // The collection, or the one of its items that the path names.
  void show(Exchange& exchange, const std::string& what, const char* one, const char* type,
            std::vector<Json> items) const;

  Backend& backend_;
  const Catalogue& catalogue_;
  const Servers& servers_;
  const Calendar& calendar_;
};

}  // namespace drover::wire::openstack

// The image service, Glance v2: the cloud's images, to read.
#pragma once

#include "mockcloud/wire/openstack/catalogue.hpp"

namespace drover::wire::openstack {

class Glance {
 public:
  Glance(Backend& backend, const Catalogue& catalogue, const Calendar& calendar)
      : backend_(backend), catalogue_(catalogue), calendar_(calendar) {}

  // `exchange->path` is what follows "/image".
  void handle(const ExchangePtr& exchange);
  static bool is_version(const Exchange& exchange);
  static void versions(Exchange& exchange);

 private:
  void images(Exchange& exchange);
  Json image_json(const std::string& name) const;

  Backend& backend_;
  const Catalogue& catalogue_;
  const Calendar& calendar_;
};

}  // namespace drover::wire::openstack

// The volume service, Cinder v3: volumes of the cloud.
#pragma once

#include "mockcloud/wire/openstack/servers.hpp"
#include "mockcloud/wire/openstack/volumes.hpp"

namespace drover::wire::openstack {

class Cinder {
 public:
  Cinder(Backend& backend, const Catalogue& catalogue, Volumes& volumes, const Calendar& calendar)
      : backend_(backend), catalogue_(catalogue), volumes_(volumes), calendar_(calendar) {}

  // `exchange->path` is what follows "/volume".
  void handle(const ExchangePtr& exchange);
  static bool is_version(const Exchange& exchange);
  static void versions(Exchange& exchange);

 private:
  void volumes(const ExchangePtr& exchange);
  void list(const ExchangePtr& exchange, bool detail);
  void create(const ExchangePtr& exchange);
  void change(const ExchangePtr& exchange);
  void remove(const ExchangePtr& exchange);
  void other(Exchange& exchange);
  Json volume_json(const Exchange& exchange, const cloud::Volume& volume, bool detail);

  Backend& backend_;
  const Catalogue& catalogue_;
  Volumes& volumes_;
  const Calendar& calendar_;
};

}  // namespace drover::wire::openstack

// The mock cloud as an OpenStack: Keystone v3 at /identity (and /v3), Nova at /compute, Glance at /image,
// Neutron at /network and Cinder at /volume, all behind one address. What differs from the real services is
// in docs/openstack.md.
#pragma once

#include "mockcloud/wire/face.hpp"
#include "mockcloud/wire/openstack/cinder.hpp"
#include "mockcloud/wire/openstack/glance.hpp"
#include "mockcloud/wire/openstack/keystone.hpp"
#include "mockcloud/wire/openstack/neutron.hpp"
#include "mockcloud/wire/openstack/nova.hpp"

namespace drover::wire {

class OpenStackFace final : public Face {
 public:
  // The backend must outlive the face. `token_lifetime` is in the time of the clients.
  explicit OpenStackFace(Backend& backend, Duration token_lifetime = openstack::kTokenLifetime);

  const char* name() const override { return "openstack"; }
  bool claims(const http::Request& request) const override;
  void handle(http::Request request, Respond respond) override;
  http::Response refusal(int status, const std::string& why) const override;

 private:
  // Finds the service and what follows its part of the path; false when no service is so called.
  static bool place(openstack::Exchange& exchange);
  void dispatch(const openstack::ExchangePtr& exchange);

  Backend& backend_;
  openstack::Calendar calendar_;
  openstack::Catalogue catalogue_;
  openstack::Tokens tokens_;
  openstack::Servers servers_;
  openstack::Volumes volumes_;
  openstack::Keystone keystone_;
  openstack::Nova nova_;
  openstack::Glance glance_;
  openstack::Neutron neutron_;
  openstack::Cinder cinder_;
};

}  // namespace drover::wire

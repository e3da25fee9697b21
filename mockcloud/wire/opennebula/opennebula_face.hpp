// OpenNebula's XML-RPC in front of the mock cloud: one.vm.*, one.template.*, and what clients list. What is
// like the real thing, and what is not: docs/opennebula.md.
#pragma once

#include "mockcloud/wire/backend.hpp"
#include "mockcloud/wire/face.hpp"

namespace drover::wire {

class OpenNebulaFace final : public Face {
 public:
  // The backend must outlive the face, and the face what it has asked the cloud for.
  explicit OpenNebulaFace(Backend& backend) : backend_(backend) {}

  const char* name() const override { return "opennebula"; }
  // /RPC2, and / when XML is posted there.
  bool claims(const http::Request& request) const override;
  void handle(http::Request request, Respond respond) override;
  http::Response refusal(int status, const std::string& why) const override;

 private:
  Backend& backend_;
};

}  // namespace drover::wire

// The mock cloud as Amazon's EC2: the Query API (POST form or GET query), signatures of version 4 and 2,
// answers in XML. What differs from the real one: docs/ec2.md.
#pragma once

#include "mockcloud/wire/backend.hpp"
#include "mockcloud/wire/face.hpp"

namespace drover::wire {

class Ec2Face final : public Face {
 public:
  // The backend must outlive the face and its calls under way.
  explicit Ec2Face(Backend& backend) : backend_(backend) {}

  const char* name() const override { return "ec2"; }
  bool claims(const http::Request& request) const override;
  void handle(http::Request request, Respond respond) override;
  std::string label(const http::Request& request) const override;
  http::Response refusal(int status, const std::string& why) const override;

 private:
  std::string next_request_id() const;

  Backend& backend_;
  mutable std::uint64_t requests_ = 0;
};

}  // namespace drover::wire

// What EC2 says when it refuses, as the port's errors. Pure.
#pragma once

#include <string>
#include <string_view>

#include "manager/base/result.hpp"
#include "manager/system/http_message.hpp"

namespace drover::ec2 {

struct Refusal {
  std::string code;     // "InvalidInstanceID.NotFound"; "" when the body is no error document
  std::string message;  // at most 500 bytes, without control characters
};
Refusal read_refusal(const std::string& body);

// `changing`: whether the call changes something, so that a failure of the cloud may have had an effect.
// `what` is the call and what it is for. Messages hold the cloud's own words where they cannot hold a secret.
Error to_error(const http::Response& response, const Refusal& refusal, bool changing,
               const std::string& what);

}  // namespace drover::ec2

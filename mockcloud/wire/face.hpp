// One protocol in which the mock cloud is spoken to. Implementations: ec2, openstack, opennebula; wire_server
// carries them. A face answers every request that it claims, bad ones in the protocol's own words.
// Single-threaded, on the scheduler's thread.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "manager/system/http_message.hpp"

namespace drover::wire {

// An answer, or the first part of a large one.
struct WireResponse : http::Response {
  WireResponse() = default;
  WireResponse(http::Response response) : http::Response(std::move(response)) {}
  // Appends the next part when the client has taken the one before; false: it was the last one. Null: `body`
  // is all.
  std::move_only_function<bool(std::string& part)> more;
};

// Called once; dropping it unanswered is how an answer is lost: the client hears nothing.
using Respond = std::move_only_function<void(WireResponse)>;

class Face {
 public:
  virtual ~Face() = default;
  virtual const char* name() const = 0;  // "ec2", as --api has it
  // Whether the request is in this protocol, by its path and fields. Faces are asked in turn.
  virtual bool claims(const http::Request& request) const = 0;
  virtual void handle(http::Request request, Respond respond) = 0;
  // What is asked, for a journal: "RunInstances". Never a parameter's value.
  virtual std::string label(const http::Request& request) const {
    return request.method + " " + std::string(request.path());
  }
  // The answer to a request that cannot be read: `status` is 400, 408, 413 or 431.
  virtual http::Response refusal(int status, const std::string& why) const = 0;
};

}  // namespace drover::wire

// What is under way on the sockets between a client and a server of one process: while there is anything,
// virtual time must stand still (mockcloud/wire/virtual_pump.hpp). Connections are known by the client's
// port. Single-threaded.
#pragma once

#include <cstdint>
#include <map>

namespace drover {

class WireTraffic {
 public:
  // The client: a connection is being made; and no longer.
  void begin_connect() { ++connecting_; }
  void end_connect() { --connecting_; }
  // The client has begun to write a request; it has the answer, or has closed the connection.
  void sent(std::uint16_t port) { set(port, true); }
  void done(std::uint16_t port) {
    const auto found = moving_.find(port);
    if (found == moving_.end()) return;
    if (found->second) --under_way_;
    moving_.erase(found);
  }
  // The server: it has the whole request; it has begun to answer, or to close the connection.
  void taken(std::uint16_t port) {
    if (moving_.contains(port)) set(port, false);
  }
  void answered(std::uint16_t port) {
    if (moving_.contains(port)) set(port, true);
  }
  bool quiet() const { return connecting_ == 0 && under_way_ == 0; }

 private:
  void set(std::uint16_t port, bool moving) {
    bool& known = moving_[port];
    if (known == moving) return;
    known = moving;
    under_way_ += moving ? 1 : 0;
    under_way_ -= moving ? 0 : 1;
  }

  std::map<std::uint16_t, bool> moving_;  // false: the server has it
  std::size_t under_way_ = 0;
  std::size_t connecting_ = 0;
};

}  // namespace drover

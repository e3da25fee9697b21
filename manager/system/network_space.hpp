// A network of one's own: a namespace of the kernel without a name. It lives as long as a process is in it or
// a descriptor of it is open, and leaves nothing behind. Linux; needs root, or the root of a user namespace
// (`unshare --map-root-user`). What is said of "this thread" is so: others stay where they are,
// and threads and processes that it starts begin where it is.
#pragma once

#include <string>

#include "manager/system/child_process.hpp"

namespace drover::system {

class NetworkSpace {
 public:
  // A fresh one: only its own loopback, which is up. This thread stays where it is. Errors: unavailable, with
  // what is missing.
  static Result<NetworkSpace> make();
  int descriptor() const { return descriptor_.get(); }
  // Gives it a device with an address in a network of `prefix_bits`: what is sent into that network comes out
  // of the descriptor, one IP packet a read, and what is written there has arrived. The device is gone with
  // the descriptor. Errors: unavailable.
  Result<Descriptor> plug(const std::string& address, unsigned prefix_bits, unsigned mtu) const;

 private:
  explicit NetworkSpace(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}
  Descriptor descriptor_;
};

// This thread is there until the end, and must be able to go back: from a network that it may not enter it
// moves for good. With a negative number nothing happens.
class InsideNetwork {
 public:
  explicit InsideNetwork(int space);
  ~InsideNetwork();
  InsideNetwork(const InsideNetwork&) = delete;
  InsideNetwork& operator=(const InsideNetwork&) = delete;
  bool entered() const { return entered_; }

 private:
  Descriptor before_;
  bool entered_ = false;
};

// For good. Errors: unavailable.
Result<void> move_to_network(int space);

}  // namespace drover::system

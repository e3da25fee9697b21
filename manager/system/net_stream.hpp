// Blocking TCP with time limits, in the shape that Beast's synchronous functions take. One thread at a time
// per stream.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>
#include <cstdint>
#include <string>

#include "manager/base/result.hpp"
#include "manager/system/child_process.hpp"

namespace drover::system {

// `address` is numeric or a name. Errors: unavailable (nothing listens, no route, no such name;
// Effect::none), timeout (Effect::none).
Result<Descriptor> connect_to(const std::string& address, std::uint16_t port, Duration timeout);
// Listens on a numeric address. Errors: unavailable.
Result<Descriptor> listen_on(const std::string& address, std::uint16_t port);

class NetStream {
 public:
  // Each single read or write takes at most `timeout`; then it fails with errc::timed_out.
  NetStream(int descriptor, Duration timeout) : descriptor_(descriptor), timeout_(timeout) {}

  template <class Buffers>
  std::size_t read_some(const Buffers& buffers, boost::system::error_code& error) {
    for (auto at = boost::asio::buffer_sequence_begin(buffers);
         at != boost::asio::buffer_sequence_end(buffers); ++at) {
      const boost::asio::mutable_buffer one(*at);
      if (one.size() > 0) return read(one.data(), one.size(), error);
    }
    return 0;
  }
  template <class Buffers>
  std::size_t read_some(const Buffers& buffers) {
    boost::system::error_code ignored;
    return read_some(buffers, ignored);
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers, boost::system::error_code& error) {
    for (auto at = boost::asio::buffer_sequence_begin(buffers);
         at != boost::asio::buffer_sequence_end(buffers); ++at) {
      const boost::asio::const_buffer one(*at);
      if (one.size() > 0) return write(one.data(), one.size(), error);
    }
    return 0;
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers) {
    boost::system::error_code ignored;
    return write_some(buffers, ignored);
  }

 private:
  std::size_t read(void* data, std::size_t size, boost::system::error_code& error);
  std::size_t write(const void* data, std::size_t size, boost::system::error_code& error);

  int descriptor_;
  Duration timeout_;
};

}  // namespace drover::system

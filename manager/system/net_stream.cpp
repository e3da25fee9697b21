#include "manager/system/net_stream.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/error.hpp>
#include <cerrno>
#include <cstring>

namespace drover::system {
namespace {

int milliseconds(Duration time) { return static_cast<int>((time + 999us) / 1ms); }

struct Addresses {
  addrinfo* first = nullptr;
  ~Addresses() {
    if (first != nullptr) ::freeaddrinfo(first);
  }
};

// 0, or what went wrong.
int look_up(const std::string& address, std::uint16_t port, int flags, Addresses& found) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  return ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found.first);
}

std::string place_of(const std::string& address, std::uint16_t port) {
  return address + ":" + std::to_string(port);
}

// -1, 0 (ready) or ETIMEDOUT.
int wait_for(int descriptor, short what, Duration limit) {
  pollfd look{descriptor, what, 0};
  int count = 0;
  do count = ::poll(&look, 1, milliseconds(limit));
  while (count < 0 && errno == EINTR);
  if (count < 0) return errno;
  return count == 0 ? ETIMEDOUT : 0;
}

boost::system::error_code system_error(int number) { return {number, boost::system::system_category()}; }

}  // namespace

Result<Descriptor> connect_to(const std::string& address, std::uint16_t port, Duration timeout) {
  Addresses addresses;
  if (const int wrong = look_up(address, port, 0, addresses); wrong != 0)
    return make_error(ErrorCode::unavailable, place_of(address, port) + ": " + ::gai_strerror(wrong));
  int last = EADDRNOTAVAIL;
  for (const addrinfo* one = addresses.first; one != nullptr; one = one->ai_next) {
    Descriptor socket(::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.is_open()) continue;
    if (::connect(socket.get(), one->ai_addr, one->ai_addrlen) != 0) {
      last = errno;
      if (last != EINPROGRESS) continue;
      last = wait_for(socket.get(), POLLOUT, timeout);
      socklen_t size = sizeof last;
      if (last == 0) ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &last, &size);
      if (last != 0) continue;
    }
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return socket;
  }
  return make_error(last == ETIMEDOUT ? ErrorCode::timeout : ErrorCode::unavailable,
                    place_of(address, port) + " cannot be reached: " + std::strerror(last));
}

Result<Descriptor> listen_on(const std::string& address, std::uint16_t port) {
  Addresses addresses;
  const int wrong = look_up(address, port, AI_NUMERICHOST | AI_PASSIVE, addresses);
  if (wrong != 0)
    return make_error(ErrorCode::invalid, place_of(address, port) + " is no numeric address to listen on");
  const addrinfo& one = *addresses.first;
  Descriptor socket(::socket(one.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.get(), one.ai_addr, one.ai_addrlen) != 0 || ::listen(socket.get(), 128) != 0)
    return make_error(ErrorCode::unavailable, "cannot listen on " + place_of(address, port) + ": " +
                                                  std::strerror(errno) +
                                                  "; choose another address or port, or end who uses it");
  return socket;
}

std::size_t NetStream::read(void* data, std::size_t size, boost::system::error_code& error) {
  error = {};
  while (true) {
    const ssize_t count = ::recv(descriptor_, data, size, MSG_DONTWAIT);
    if (count > 0) return static_cast<std::size_t>(count);
    if (count == 0) {
      error = boost::asio::error::eof;
      return 0;
    }
    if (errno == EINTR) continue;
    const int why = errno == EAGAIN ? wait_for(descriptor_, POLLIN, timeout_) : errno;
    if (why == 0) continue;
    error = system_error(why);
    return 0;
  }
}

std::size_t NetStream::write(const void* data, std::size_t size, boost::system::error_code& error) {
  error = {};
  while (true) {
    const ssize_t count = ::send(descriptor_, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EINTR) continue;
    const int why = errno == EAGAIN ? wait_for(descriptor_, POLLOUT, timeout_) : errno;
    if (why == 0) continue;
    error = system_error(why);
    return 0;
  }
}

}  // namespace drover::system

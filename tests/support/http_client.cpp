#include "tests/support/http_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace drover::testing_support {

using Clock = std::chrono::steady_clock;

HttpClient::HttpClient(std::uint16_t port, int receive_buffer) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  if (receive_buffer > 0)
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    ::close(socket_);
    socket_ = -1;
  }
}

HttpClient::~HttpClient() {
  if (socket_ >= 0) ::close(socket_);
}

HttpClient::HttpClient(HttpClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), buffer_(std::move(other.buffer_)) {}

bool HttpClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void HttpClient::half_close() { ::shutdown(socket_, SHUT_WR); }

bool HttpClient::read_more(Clock::time_point until) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
  pollfd ready{socket_, POLLIN, 0};
  if (left < 0 || ::poll(&ready, 1, static_cast<int>(left) + 1) <= 0) return false;
  char piece[16384];
  const ssize_t got = ::recv(socket_, piece, sizeof(piece), 0);
  if (got <= 0) return false;
  buffer_.append(piece, static_cast<std::size_t>(got));
  return true;
}

HttpAnswer HttpClient::read_answer(bool head_only, std::chrono::milliseconds timeout) {
  const auto until = Clock::now() + timeout;
  HttpAnswer answer;
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
    if (!read_more(until)) return answer;
  std::string_view head(buffer_.data(), end + 2);
  int status = 0;
  if (head.size() > 12) std::from_chars(head.data() + 9, head.data() + 12, status);
  std::size_t length = 0;
  for (std::size_t line = head.find("\r\n") + 2; line < head.size();) {
    const auto line_end = head.find("\r\n", line);
    const std::string_view text = head.substr(line, line_end - line);
    const auto colon = text.find(": ");
    std::string name(text.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    const std::string value(colon == std::string_view::npos ? "" : text.substr(colon + 2));
    if (name == "content-length") std::from_chars(value.data(), value.data() + value.size(), length);
    answer.headers[name] = value;
    line = line_end + 2;
  }
  buffer_.erase(0, end + 4);
  if (!head_only && status != 100) {
    while (buffer_.size() < length)
      if (!read_more(until)) return answer;
    answer.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
  }
  answer.status = status;
  return answer;
}

std::string HttpClient::read_all(std::chrono::milliseconds timeout) {
  const auto until = Clock::now() + timeout;
  while (read_more(until)) {
  }
  return std::exchange(buffer_, {});
}

bool HttpClient::sees_end(std::chrono::milliseconds timeout) {
  if (!buffer_.empty()) return false;
  pollfd ready{socket_, POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(timeout.count())) <= 0) return false;
  char byte = 0;
  return ::recv(socket_, &byte, 1, 0) <= 0;
}

std::string get_request(std::string_view query, std::string_view extra_headers) {
  std::string request = "GET /?";
  request += query;
  request += " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
  request += extra_headers;
  return request + "\r\n";
}

std::string post_request(std::string_view body, std::string_view extra_headers) {
  std::string request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
  request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  request += extra_headers;
  request += "\r\n";
  request += body;
  return request;
}

std::string form_body(const std::vector<FormField>& fields, std::string_view boundary) {
  std::string body;
  for (const FormField& field : fields) {
    body += "--" + std::string(boundary) + "\r\nContent-Disposition: form-data; name=\"" + field.name + "\"";
    if (field.is_file) body += "; filename=\"dump.sql\"\r\nContent-Type: application/octet-stream";
    body += "\r\n\r\n" + field.content + "\r\n";
  }
  return body + "--" + std::string(boundary) + "--\r\n";
}

std::string form_request(const std::vector<FormField>& fields) {
  const std::string body = form_body(fields);
  return "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; "
         "boundary=BOUNDARY\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace drover::testing_support

// A blocking HTTP client for tests, down to single bytes on the socket: half-sent requests, half-closed
// connections, pipelines. Every wait is bounded. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace drover::testing_support {

struct HttpAnswer {
  int status = 0;                              // 0: no answer came
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port, int receive_buffer = 0);
  ~HttpClient();
  HttpClient(HttpClient&& other) noexcept;
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  HttpClient& operator=(HttpClient&&) = delete;

  // False when the server has closed the connection.
  bool send(std::string_view bytes);
  // Ends the sending side; answers can still be read.
  void half_close();
  // The next answer; status 0 when the connection ends or nothing comes within the time.
  HttpAnswer read_answer(bool head_only = false,
                         std::chrono::milliseconds timeout = std::chrono::seconds(20));
  // Everything up to the end of the connection.
  std::string read_all(std::chrono::milliseconds timeout = std::chrono::seconds(20));
  // The server ends the connection, without another byte, within the time.
  bool sees_end(std::chrono::milliseconds timeout = std::chrono::seconds(20));

  HttpAnswer exchange(std::string_view request, bool head_only = false) {
    send(request);
    return read_answer(head_only);
  }

 private:
  // Reads more into buffer_; false at the end, at a fault, or after the time.
  bool read_more(std::chrono::steady_clock::time_point until);

  int socket_ = -1;
  std::string buffer_;
};

// "GET /?method=M&id=1&QUERY" with a JSON Content-Type; POST and multipart likewise.
std::string get_request(std::string_view query, std::string_view extra_headers = {});
std::string post_request(std::string_view body, std::string_view extra_headers = {});

struct FormField {
  std::string name;
  std::string content;
  bool is_file = false;
};
std::string form_body(const std::vector<FormField>& fields, std::string_view boundary = "BOUNDARY");
std::string form_request(const std::vector<FormField>& fields);

}  // namespace drover::testing_support

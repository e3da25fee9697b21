// Requests to a real OpenStack and its answers, recorded (tests/openstack/samples), and asked again: of the
// mock cloud, or of another real one. Answers are compared by status, by the structure of their JSON, and by
// the text of errors.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "manager/base/result.hpp"
#include "manager/system/http_message.hpp"

namespace drover::test {

struct Sample {
  std::string name;
  std::string service;  // "compute"
  http::Request request;
  http::Response response;
};
// From tests/openstack/samples; a missing file fails the test.
Sample read_sample(const std::string& name);

// An OpenStack to be asked, and what it calls the things of the recording.
class Place {
 public:
  using Ask = std::function<Result<http::Response>(const http::Url&, http::Request)>;
  // `auth_url` ends in "/v3". Logs in as demo/demopw into the project demo. What is made there is called by
  // `run_name`.
  Place(Ask ask, const std::string& auth_url, std::string run_name = "samples");

  bool is_open() const { return !token_.empty(); }
  const std::string& token() const { return token_; }
  void set_token(std::string token) { token_ = std::move(token); }
  // What stands in requests and answers for something recorded, from now on.
  void name(const std::string& recorded, const std::string& here) { names_[recorded] = here; }
  std::string named(const std::string& recorded) const;

  // A sample's request in this place.
  Result<http::Response> ask(const Sample& sample) const;
  // A request with JSON: the status and the body ("" when the connection failed).
  Result<http::Response> ask(const std::string& service, const std::string& method, const std::string& path,
                             const std::string& body = {}, const http::Fields& fields = {}) const;
  // Finds image, flavors and network, and creates the two servers of the recording. Says what is missing.
  std::string prepare(const std::function<void()>& pass_a_second);
  void clean_up();
  // Waits until a server has this status; false when it never does.
  bool reaches(const std::string& server, const std::string& status,
               const std::function<void()>& pass_a_second) const;

 private:
  std::string in_words_of_here(std::string text) const;
  Ask ask_;
  std::string run_name_;
  std::map<std::string, std::string> roots_;  // addresses of services, without their versions
  std::string auth_root_;
  std::string token_;
  std::map<std::string, std::string> names_;
  std::vector<std::string> servers_;
};

// Ids of the recording.
inline constexpr const char* kRecordedUser = "78ee7c892a3c4c74b5372cb162e6f7d9";
inline constexpr const char* kRecordedProject = "2972204561a645cca7eecd22f4d58592";
inline constexpr const char* kRecordedImage = "432d4337-80d9-446e-ba39-77781d21ef5e";
inline constexpr const char* kRecordedNetwork = "5aeb29df-2aae-4d64-9cbd-28e7a72f2d1e";
inline constexpr const char* kRecordedServer = "7d7161b1-f1ac-40ab-ad0c-e28cfa3415da";
inline constexpr const char* kRecordedNetServer = "b458a6ea-38e4-423b-9e5a-d34f1d9e242d";
inline constexpr const char* kRecordedMarker = "1270a485-2703-45c2-89c8-f6ff12b0c642";

// How `answer` differs from what was recorded, in lines; `known` holds fields (as "server.hostId") and parts
// ("message", "fields") that may.
std::vector<std::string> differences(const Sample& sample, const http::Response& answer, const Place& place,
                                     const std::vector<std::string>& known);

// What may differ from the recording, by sample; docs/openstack.md explains each.
const std::map<std::string, std::vector<std::string>>& known_differences();
// Samples that can be asked while the two servers are active, in this order.
const std::vector<std::string>& sequence();

}  // namespace drover::test

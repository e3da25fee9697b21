// One call under way, and the two forms of its answer: [true, value, 0] and [false, message, code, id, -1].
// Internal to the face.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "manager/system/xml_rpc.hpp"
#include "mockcloud/wire/backend.hpp"
#include "mockcloud/wire/face.hpp"

namespace drover::wire::opennebula {

// OpenNebula's error codes.
enum Code : int {
  kAuthentication = 256,
  kAuthorization = 512,  // also a quota
  kNoExists = 1024,
  kAction = 2048,  // wrong state
  kApi = 4096,     // an argument that makes no sense
  kInternal = 8192,
  kAllocate = 16384,
};

struct Exchange {
  http::Request http;
  const char* method = "";             // of static lifetime
  std::vector<xml_rpc::Value> params;  // without the session
  std::string user;                    // who is logged in
  Respond respond;

  bool has(std::size_t i) const { return i < params.size(); }
  std::int64_t number(std::size_t i, std::int64_t otherwise = -1) const {
    return has(i) ? params[i].number : otherwise;
  }
  bool truth(std::size_t i) const { return has(i) && params[i].number != 0; }
  std::string text(std::size_t i) const { return has(i) ? params[i].text : std::string(); }
};

http::Response xml_answer(std::string body);
void succeed(Exchange& exchange, xml_rpc::Value value);
void succeed(Exchange& exchange, std::int64_t id);
void succeed(Exchange& exchange, std::string text);
// The message is preceded by "[one.vm.info] ".
void fail(Exchange& exchange, int code, const std::string& message, std::int64_t id = -1);
// An error of the port. Throttling and an unavailable cloud are HTTP statuses (429, 503), as a proxy in front
// of oned answers: the protocol has nothing for them.
void fail(Exchange& exchange, const Error& error, std::int64_t id = -1);

struct Failure {
  int code = kInternal;
  std::string message;
  std::int64_t id = -1;
};

// What a request does that is none of the port's calls: a value, or an answer of its own words.
struct Outcome {
  xml_rpc::Value value;
  bool failed = false;
  Failure failure;
};
Outcome done(xml_rpc::Value value);
Outcome done(std::int64_t id);
Outcome done(std::string text);
Outcome refused(int code, std::string message, std::int64_t id = -1);
Outcome refused(const Error& error);
// Pays the cloud's latency, runs `effect` and answers.
void perform(Backend& backend, Exchange exchange, const std::string& subject,
             std::move_only_function<Outcome(const Exchange&)> effect);

// A method: its name and the kinds of its arguments behind the session, one letter each (i, s, b); those
// after
// '|' may be left out. More arguments than these are accepted.
struct Method {
  const char* name;
  const char* signature;
  void (*run)(Backend&, Exchange);
};
std::span<const Method> vm_methods();
std::span<const Method> template_methods();
std::span<const Method> pool_methods();
std::span<const Method> user_methods();

// "user:password", "user:sha1(password)", or "user:token": the user, or "" for whom nobody knows.
std::string authenticate(Backend& backend, const std::string& session);

}  // namespace drover::wire::opennebula

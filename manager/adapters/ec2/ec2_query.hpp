// One call of the query API: a signed form, its answer as XML, and another attempt where that is safe.
#pragma once

#include <functional>
#include <memory>
#include <pugixml.hpp>
#include <string>

#include "manager/adapters/http_client.hpp"
#include "manager/system/aws_signature.hpp"

namespace drover {

struct Ec2Call {
  std::string action;       // "RunInstances"
  std::string about;        // what it is for, for messages: "instance i-1"
  std::string subject;      // CallContext's
  http::Fields parameters;  // without Action and Version
  TimePoint deadline{};     // the scheduler's
  bool changing = false;
  bool repeatable = true;  // doing it twice is doing it once
};

// An answer of success. Its text is valid as long as this.
class Ec2Answer {
 public:
  // Errors: protocol (no XML, a document type, another root than <ActionResponse>, above 64 MB).
  static Result<Ec2Answer> read(const std::string& body, const std::string& action);
  pugi::xml_node root() const { return document_->document_element(); }

 private:
  std::unique_ptr<pugi::xml_document> document_;
};

class Ec2Query {
 public:
  struct Settings {
    http::Url url;
    std::string region, api_version;
    AwsCredentials credentials;
  };
  // References must outlive this; `wall` gives nanoseconds since 1970.
  Ec2Query(Scheduler& scheduler, HttpClient& client, Settings settings, std::function<TimePoint()> wall);

  // This must outlive the task. An error's effect is that of all attempts together; of a call that changes
  // nothing it is none. `code`, when not null, gets the cloud's own word for a refusal, else "".
  Task<Result<Ec2Answer>> ask(Ec2Call call, std::string* code = nullptr);

 private:
  http::Request build(const Ec2Call& call) const;
  // Until the next attempt; nothing when there must be none.
  std::optional<Duration> pause(const Ec2Call& call, const Error& error, unsigned attempt) const;

  Scheduler& scheduler_;
  HttpClient& client_;
  const Settings settings_;
  std::function<TimePoint()> wall_;
};

}  // namespace drover

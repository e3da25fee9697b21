// A client whose answers the test writes beforehand, and the driver on top of it.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "manager/adapters/opennebula/opennebula_cloud.hpp"
#include "manager/system/xml_rpc.hpp"

namespace drover::test {

class ScriptedClient final : public HttpClient {
 public:
  explicit ScriptedClient(Scheduler& scheduler) : scheduler_(scheduler) {}

  struct Sent {
    http::Request request;
    xml_rpc::Call call;
    Duration timeout{};
    bool repeatable = false;
    TimePoint at{};
  };
  using Answer = std::optional<Result<http::Response>>;  // nothing: the client hears nothing

  void send(const http::Url&, http::Request request, Duration timeout, bool repeatable,
            Handler<http::Response> handler) override {
    auto call = xml_rpc::parse_call(request.body);
    EXPECT_TRUE(call.has_value()) << request.body;
    sent.push_back({std::move(request), call ? std::move(call).value() : xml_rpc::Call{}, timeout, repeatable,
                    scheduler_.now()});
    if (answers.empty()) {
      ADD_FAILURE() << "no answer is left for " << sent.back().call.method;
      return;
    }
    Answer answer = std::move(answers.front());
    answers.pop_front();
    if (answer)
      handler(*std::move(answer));
    else
      kept_.push_back(std::move(handler));
  }

  std::vector<std::string> methods() const {
    std::vector<std::string> all;
    for (const Sent& each : sent) all.push_back(each.call.method);
    return all;
  }

  std::vector<Sent> sent;
  std::deque<Answer> answers;

 private:
  Scheduler& scheduler_;
  std::vector<Handler<http::Response>> kept_;
};

inline http::Response body_of(std::string body, int status = 200, http::Fields fields = {}) {
  http::Response response;
  response.status = status;
  response.fields = std::move(fields);
  response.body = std::move(body);
  return response;
}
inline http::Response ok(xml_rpc::Value value) {
  return body_of(xml_rpc::write_reply(xml_rpc::Value::of_array(
      {xml_rpc::Value::of_bool(true), std::move(value), xml_rpc::Value::of_int(0)})));
}
inline http::Response ok(std::string text) { return ok(xml_rpc::Value::of_text(std::move(text))); }
inline http::Response ok(int number) { return ok(xml_rpc::Value::of_int(number)); }
inline http::Response refused(int code, std::string message) {
  return body_of(xml_rpc::write_reply(xml_rpc::Value::of_array(
      {xml_rpc::Value::of_bool(false), xml_rpc::Value::of_text(std::move(message)),
       xml_rpc::Value::of_int(code), xml_rpc::Value::of_int(-1), xml_rpc::Value::of_int(-1, true)})));
}
inline http::Response fault(int code, const std::string& text) {
  return body_of(xml_rpc::write_fault(code, text));
}

// <VM> as oned would show it, as far as the driver reads.
inline std::string vm_xml(const std::string& id, int state = 3, int lcm = 3, const std::string& user = {}) {
  return "<VM><ID>" + id + "</ID><NAME>n" + id + "</NAME><STATE>" + std::to_string(state) +
         "</STATE><LCM_STATE>" + std::to_string(lcm) +
         "</LCM_STATE><STIME>100</STIME><TEMPLATE><NIC><IP><![CDATA[10.0.0.9]]></IP></NIC>" +
         "</TEMPLATE><USER_TEMPLATE>" + user + "</USER_TEMPLATE></VM>";
}
inline std::string pool_xml(const std::vector<std::string>& ids) {
  std::string all = "<VM_POOL>";
  for (const std::string& id : ids) all += vm_xml(id);
  return all + "</VM_POOL>";
}

inline OpenNebulaConfig scripted_config() {
  OpenNebulaConfig config;
  config.url = "http://nebula.example:2633/RPC2";
  config.user = "drover";
  config.password = Secret{"very-secret-password"};
  return config;
}

class DriverStage {
 public:
  explicit DriverStage(OpenNebulaConfig config = scripted_config())
      : client(scheduler), driver(std::in_place, scheduler, client, std::move(config)) {}

  // Starts a call and lets virtual time pass until it is answered.
  template <class T, class Start>
  Result<T> ask(Start start) {
    std::optional<Result<T>> answer;
    start(Handler<T>([&](Result<T> result) { answer.emplace(std::move(result)); }));
    while (!answer && scheduler.run_one()) {
    }
    if (!answer) return make_error(ErrorCode::unknown, "the call was never answered");
    return *std::move(answer);
  }
  Result<InstanceInfo> create(const InstanceSpec& spec, const std::string& token = "t") {
    return ask<InstanceInfo>(
        [&](auto handler) { driver->newInstance(context, spec, token, std::move(handler)); });
  }
  Result<InstanceInfo> info(const std::string& id) {
    return ask<InstanceInfo>([&](auto handler) { driver->getVMInfo(context, id, std::move(handler)); });
  }
  Result<void> kill(const std::string& id) {
    return ask<void>([&](auto handler) { driver->killInstance(context, id, std::move(handler)); });
  }
  Result<std::vector<InstanceInfo>> list(const std::string& key = {}, const std::string& value = {}) {
    return ask<std::vector<InstanceInfo>>(
        [&](auto handler) { driver->listVMs(context, key, value, std::move(handler)); });
  }
  Result<std::vector<std::string>> check() {
    return ask<std::vector<std::string>>([&](auto handler) { driver->check(std::move(handler)); });
  }

  Scheduler scheduler;
  ScriptedClient client;
  std::optional<OpenNebulaCloud> driver;
  CallContext context{"node-3", std::chrono::seconds(30)};
};

inline const InstanceSpec kSpec{"db-1", "7", "small",
                                "2",    "",  {{kServiceTag, "shop"}, {kNodeTag, "node-3.1"}}};

}  // namespace drover::test

// The mock cloud behind OpenNebula's XML-RPC, in virtual time, and a client that speaks to it by hand.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "manager/system/xml_rpc.hpp"
#include "mockcloud/wire/opennebula/opennebula_face.hpp"
#include "tests/support/wired_cloud.hpp"

namespace drover::test {

inline wire::Settings one_settings() {
  wire::Settings settings;
  settings.accounts = {wire::Account{"oneadmin", Secret{"onepass"}}};
  return settings;
}

inline std::unique_ptr<wire::Face> make_one_face(wire::Backend& backend) {
  return std::make_unique<wire::OpenNebulaFace>(backend);
}

inline xml_rpc::Value in(int number) { return xml_rpc::Value::of_int(number); }
inline xml_rpc::Value in(bool truth) { return xml_rpc::Value::of_bool(truth); }
inline xml_rpc::Value in(const char* text) { return xml_rpc::Value::of_text(text); }
inline xml_rpc::Value in(std::string text) { return xml_rpc::Value::of_text(std::move(text)); }

// What OpenNebula answered: a value, or a code and a message; or a fault of the protocol.
struct OneAnswer {
  bool ok = false;
  std::string text;  // the value as text, or the message
  std::int64_t number = -1;
  std::int64_t code = 0;
  std::int64_t id = -1;
  std::int64_t fault = 0;
};

class OneStage {
 public:
  explicit OneStage(cloud::CloudConfig config = {}, wire::Settings settings = one_settings(),
                    const std::function<std::unique_ptr<Iaas>(Iaas&)>& through = nullptr)
      : wired_(make_one_face, std::move(config), std::move(settings), through) {}

  WiredCloud& wired() { return wired_; }
  cloud::Cloud& cloud() { return wired_.cloud(); }

  Result<http::Response> post(std::string body, const std::string& target = "/RPC2",
                              const std::string& method = "POST") {
    http::Request request;
    request.method = method;
    request.target = target;
    request.fields = {{"Content-Type", "text/xml"}};
    request.body = std::move(body);
    return wired_.ask(std::move(request));
  }

  template <class... Args>
  OneAnswer call(const std::string& method, Args... args) {
    return call_as("oneadmin:onepass", method, std::move(args)...);
  }
  template <class... Args>
  OneAnswer call_as(const std::string& session, const std::string& method, Args... args) {
    xml_rpc::Call rpc{method, {in(session)}};
    (rpc.params.push_back(in(std::move(args))), ...);
    const auto response = post(xml_rpc::write_call(rpc));
    if (!response) return OneAnswer{false, response.error().message};
    return read(response.value());
  }
  static OneAnswer read(const http::Response& response) {
    OneAnswer answer;
    EXPECT_EQ(response.status, 200) << response.body;
    const auto reply = xml_rpc::parse_reply(response.body);
    if (!reply) {
      ADD_FAILURE() << reply.error().message << "\n" << response.body;
      return answer;
    }
    if (reply.value().fault) {
      answer.fault = reply.value().fault_code;
      answer.text = reply.value().fault_text;
      return answer;
    }
    const auto& items = reply.value().value.items;
    EXPECT_GE(items.size(), 3U);
    if (items.size() < 3) return answer;
    answer.ok = items[0].number == 1;
    answer.text = items[1].text;
    answer.number = items[1].number;
    answer.code = items[2].number;
    if (items.size() > 3) answer.id = items[3].number;
    return answer;
  }
  // Virtual time passes.
  void pass(Duration time) {
    wired_.run_until([] { return false; }, time);
  }

 private:
  WiredCloud wired_;
};

// The text between <name> and </name>, its CDATA unwrapped; nothing when it is not there.
inline std::optional<std::string> inside(const std::string& xml, const std::string& name) {
  const std::string open = "<" + name + ">";
  const auto first = xml.find(open);
  if (first == std::string::npos) return std::nullopt;
  const auto last = xml.find("</" + name + ">", first);
  std::string text = xml.substr(first + open.size(), last - first - open.size());
  constexpr std::string_view kHead = "<![CDATA[", kTail = "]]>";
  if (text.starts_with(kHead) && text.ends_with(kTail))
    text = text.substr(kHead.size(), text.size() - kHead.size() - kTail.size());
  return text;
}

}  // namespace drover::test

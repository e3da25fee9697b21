#include "tests/openstack/samples.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include "paths.hpp"

namespace drover::test {
namespace {

using Json = nlohmann::json;

constexpr const char* kRecordedToken = "gAAAAAB...";

// Every member as "server.addresses.private[].addr:string"; elements of arrays are one.
void outline(const Json& json, const std::string& path, std::map<std::string, std::string>& members) {
  if (json.is_object()) {
    if (!path.empty()) members[path] = "object";
    for (const auto& [key, value] : json.items())
      outline(value, path.empty() ? key : path + "." + key, members);
  } else if (json.is_array()) {
    members[path] = "array";
    for (const auto& each : json) outline(each, path + "[]", members);
  } else if (json.is_number()) {
    members[path] = "number";
  } else {
    members[path] = json.type_name();
  }
}

std::map<std::string, std::string> outline(const std::string& body) {
  std::map<std::string, std::string> members;
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_discarded()) outline(json, "", members);
  return members;
}

std::string error_text(const std::string& body) {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return {};
  if (json.contains("message") && json["message"].is_string()) return json["message"];
  for (const auto& [key, value] : json.items())
    if (value.is_object() && value.contains("message") && value["message"].is_string())
      return value["message"];
  return {};
}

bool is_known(const std::vector<std::string>& known, const std::string& field) {
  return std::any_of(known.begin(), known.end(), [&](const std::string& each) {
    return field == each || (each.ends_with('*') && field.starts_with(each.substr(0, each.size() - 1)));
  });
}

}  // namespace

Sample read_sample(const std::string& name) {
  Sample sample;
  sample.name = name;
  std::ifstream file(std::string(DROVER_SOURCE_DIR) + "/tests/openstack/samples/" + name + ".http");
  EXPECT_TRUE(file.good()) << "no sample " << name;
  std::string line;
  std::getline(file, sample.service);
  std::getline(file, line);
  const auto space = line.find(' ');
  sample.request.method = line.substr(0, space);
  sample.request.target = line.substr(space + 1);
  const auto add_field = [](http::Fields& fields, const std::string& text) {
    const auto colon = text.find(": ");
    if (colon != std::string::npos) fields.emplace_back(text.substr(0, colon), text.substr(colon + 2));
  };
  while (std::getline(file, line) && line != "---") {
    if (line.starts_with('{') || line.starts_with('['))
      sample.request.body = line;
    else
      add_field(sample.request.fields, line);
  }
  std::getline(file, line);
  sample.response.status = std::stoi(line);
  while (std::getline(file, line) && !line.empty()) add_field(sample.response.fields, line);
  std::getline(file, sample.response.body);
  return sample;
}

Place::Place(Ask ask, const std::string& auth_url, std::string run_name)
    : ask_(std::move(ask)), run_name_(std::move(run_name)) {
  auth_root_ = auth_url.substr(0, auth_url.rfind("/v3"));
  roots_["identity"] = auth_root_;
  const auto answer =
      this->ask("identity", "POST", "/v3/auth/tokens", read_sample("ks-auth-scoped").request.body);
  if (!answer || answer.value().status != 201) return;
  if (const std::string* token = answer.value().field("X-Subject-Token"); token != nullptr) token_ = *token;
  const Json body = Json::parse(answer.value().body, nullptr, false);
  if (body.is_discarded()) return;
  name(kRecordedProject, body["token"]["project"]["id"]);
  name(kRecordedUser, body["token"]["user"]["id"]);
  for (const auto& service : body["token"]["catalog"])
    for (const auto& endpoint : service["endpoints"]) {
      std::string url = endpoint["url"];
      if (endpoint["interface"] != "public" || service["type"] == "identity") continue;
      if (const auto version = url.find("/v2.1"); version != std::string::npos) url.resize(version);
      roots_[service["type"]] = url;
    }
}

std::string Place::named(const std::string& recorded) const {
  const auto found = names_.find(recorded);
  return found == names_.end() ? recorded : found->second;
}

std::string Place::in_words_of_here(std::string text) const {
  for (const auto& [recorded, here] : names_)
    for (auto at = text.find(recorded); at != std::string::npos; at = text.find(recorded, at + here.size()))
      text.replace(at, recorded.size(), here);
  return text;
}

Result<http::Response> Place::ask(const std::string& service, const std::string& method,
                                  const std::string& path, const std::string& body,
                                  const http::Fields& fields) const {
  const auto root = roots_.find(service);
  if (root == roots_.end()) return make_error(ErrorCode::unavailable, "no service " + service);
  const auto url = http::parse_url(root->second);
  if (!url) return make_error(ErrorCode::invalid, root->second);
  http::Request request;
  request.method = method;
  request.target = url->path + path;
  request.fields = fields;
  request.fields.emplace_back("Accept", "application/json");
  if (!body.empty()) request.fields.emplace_back("Content-Type", "application/json");
  request.body = body;
  return ask_(*url, std::move(request));
}

Result<http::Response> Place::ask(const Sample& sample) const {
  http::Fields fields;
  for (const auto& [name, value] : sample.request.fields)
    fields.emplace_back(name, value == "TOKEN" ? token_ : value);
  std::string body = in_words_of_here(sample.request.body);
  if (const auto at = body.find(kRecordedToken); at != std::string::npos)
    body.replace(at, std::string(kRecordedToken).size(), token_);
  return ask(sample.service, sample.request.method, in_words_of_here(sample.request.target), body, fields);
}

std::string Place::prepare(const std::function<void()>& pass_a_second) {
  const http::Fields token{{"X-Auth-Token", token_}};
  const auto first_id = [&](const std::string& service, const std::string& path,
                            const char* key) -> std::string {
    const auto answer = ask(service, "GET", path, {}, token);
    const Json body = answer ? Json::parse(answer.value().body, nullptr, false) : Json();
    return body.is_object() && body.contains(key) && !body[key].empty() ? body[key][0].value("id", "") : "";
  };
  const std::string image = first_id("image", "/v2/images?name=tiny", "images");
  const std::string network = first_id("network", "/v2.0/networks?name=private", "networks");
  if (image.empty()) return "there is no image called tiny";
  if (network.empty()) return "there is no network called private";
  name(kRecordedImage, image);
  name(kRecordedNetwork, network);
  // The credential of the recording has another secret everywhere.
  const std::string credentials = "/v3/users/" + named(kRecordedUser) + "/application_credentials";
  const auto made = ask("identity", "POST", credentials,
                        R"({"application_credential": {"name": ")" + run_name_ + R"("}})", token);
  if (!made || made.value().status != 201) return "no application credential can be made";
  name("052207df84fe4b969e89acc61e42ada8", Json::parse(made.value().body)["application_credential"]["id"]);
  for (const char* sample : {"nova-create-none", "nova-create-net"}) {
    const auto answer = ask(read_sample(sample));
    if (!answer || answer.value().status != 202) return std::string(sample) + " does not give a server";
    const std::string id = Json::parse(answer.value().body)["server"]["id"];
    servers_.push_back(id);
    name(servers_.size() == 1 ? kRecordedServer : kRecordedNetServer, id);
    if (!reaches(id, "ACTIVE", pass_a_second)) return "a server does not become ACTIVE";
  }
  name(kRecordedMarker, servers_.back());
  return {};
}

bool Place::reaches(const std::string& server, const std::string& status,
                    const std::function<void()>& pass_a_second) const {
  for (int i = 0; i < 600; ++i) {
    const auto answer = ask("compute", "GET", "/v2.1/servers/" + server, {}, {{"X-Auth-Token", token_}});
    const Json body = answer ? Json::parse(answer.value().body, nullptr, false) : Json();
    if (answer && answer.value().status == 404) return status == "gone";
    if (body.is_object() && body.contains("server") && body["server"].value("status", "") == status &&
        body["server"]["OS-EXT-STS:task_state"].is_null())
      return true;
    pass_a_second();
  }
  return false;
}

void Place::clean_up() {
  const auto answer = ask("compute", "GET", "/v2.1/servers", {}, {{"X-Auth-Token", token_}});
  const Json body = answer ? Json::parse(answer.value().body, nullptr, false) : Json();
  if (!body.is_object() || !body.contains("servers")) return;
  for (const auto& server : body["servers"]) {
    const std::string id = server["id"];
    EXPECT_TRUE(ask("compute", "DELETE", "/v2.1/servers/" + id, {}, {{"X-Auth-Token", token_}}).has_value())
        << id;
  }
}

std::vector<std::string> differences(const Sample& sample, const http::Response& answer, const Place& place,
                                     const std::vector<std::string>& known) {
  std::vector<std::string> found;
  const http::Response& real = sample.response;
  if (answer.status != real.status)
    found.push_back("status " + std::to_string(answer.status) + " instead of " + std::to_string(real.status) +
                    ": " + answer.body.substr(0, 300));
  for (const char* field :
       {"WWW-Authenticate", "OpenStack-API-Version", "X-OpenStack-Nova-API-Version", "Location", "Vary"}) {
    const bool here = answer.field(field) != nullptr, there = real.field(field) != nullptr;
    if (here != there && !is_known(known, field))
      found.push_back(std::string(here ? "has" : "lacks") + " the field " + field);
  }
  const auto theirs = outline(real.body), ours = outline(answer.body);
  for (const auto& [path, type] : theirs) {
    if (is_known(known, path)) continue;
    const auto match = ours.find(path);
    if (match == ours.end())
      found.push_back("lacks " + path);
    else if (match->second != type && type != "null" && match->second != "null")
      found.push_back(path + " is " + match->second + " instead of " + type);
  }
  for (const auto& [path, type] : ours)
    if (!theirs.contains(path) && !is_known(known, path)) found.push_back("has " + path);
  if (real.status >= 400 && !is_known(known, "message")) {
    std::string expected = error_text(real.body);
    const auto words = place.named(kRecordedServer);
    for (const char* id :
         {kRecordedServer, kRecordedImage, kRecordedNetwork, kRecordedUser, kRecordedProject})
      for (auto at = expected.find(id); at != std::string::npos; at = expected.find(id))
        expected.replace(at, std::string(id).size(), place.named(id));
    if (error_text(answer.body) != expected)
      found.push_back("says \"" + error_text(answer.body) + "\" instead of \"" + expected + "\"");
  }
  return found;
}

}  // namespace drover::test

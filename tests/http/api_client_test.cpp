// The client behind `drover call`, against a real server.
#include "tools/drover/api_client.hpp"

#include <filesystem>
#include <fstream>

#include "tests/http/fake_manager.hpp"

namespace drover::http_test {
namespace {

using nlohmann::json;
using tools::ApiCall;
using tools::ApiOutcome;

class ApiClient : public Http {
 protected:
  void SetUp() override { start(); }
  ApiOutcome call(const ApiCall& made) {
    return call_api({"127.0.0.1", std::to_string(server_->port())}, made);
  }
  static ApiCall make_call(const std::string& verb, const std::string& method, json params = json::object()) {
    ApiCall made;
    made.verb = verb;
    made.method = method;
    made.params = std::move(params);
    return made;
  }
};

TEST_F(ApiClient, GetsCarryParamsInTheQuery) {
  const json params = {{"a b", "\u00e9&=;+"}, {"n", 5}};
  EXPECT_EQ(call(make_call("GET", "echo", params)).result["params"], params);
}

TEST_F(ApiClient, PostsCarryParamsInTheBody) {
  const json params = {{"count", 2}};
  EXPECT_EQ(call(make_call("POST", "echo", params)).result["params"], params);
}

TEST_F(ApiClient, UploadsStreamTheirFiles) {
  const auto path = std::filesystem::temp_directory_path() / ("drover-client-" + std::to_string(::getpid()));
  std::ofstream(path) << std::string(1000000, 's');
  ApiCall upload = make_call("UPLOAD", "echo", {{"serviceNodeId", "all"}});
  upload.files = {{"mysqldump", path.string()}};
  const ApiOutcome outcome = call(upload);
  std::filesystem::remove(path);
  EXPECT_EQ(outcome.result["params"], (json{{"serviceNodeId", "all"}}));
  EXPECT_EQ(outcome.result["files"][0]["on_disk"], 1000000);
}

TEST_F(ApiClient, ARefusalCarriesTextAndData) {
  const ApiOutcome outcome = call(make_call("POST", "refuse"));
  EXPECT_EQ(outcome.kind, ApiOutcome::Kind::refused);
  EXPECT_EQ(outcome.text, "Service in wrong state");
  EXPECT_EQ(outcome.result["state"], "INIT");
}

TEST_F(ApiClient, AnUnknownMethodIsRefused) {
  EXPECT_EQ(call(make_call("GET", "nope")).text, "HTTP 404: method not found");
}

TEST_F(ApiClient, AnUnreadableFileIsTold) {
  ApiCall upload = make_call("UPLOAD", "echo");
  upload.files = {{"f", "/nonexistent"}};
  EXPECT_EQ(call(upload).kind, ApiOutcome::Kind::bad_file);
}

TEST_F(ApiClient, AMissingServerIsToldWithWhatToDo) {
  const ApiOutcome outcome = tools::call_api({"127.0.0.1", "1"}, make_call("GET", "list_nodes"));
  EXPECT_EQ(outcome.kind, ApiOutcome::Kind::unreachable);
  EXPECT_THAT(outcome.text, testing::HasSubstr("drover serve"));
}

TEST(ApiUrl, NamesHostAndPort) {
  EXPECT_EQ(tools::parse_api_url("http://h:7/")->port, "7");
  EXPECT_EQ(tools::parse_api_url("http://h")->port, "50000");
  EXPECT_EQ(tools::parse_api_url("h:8")->host, "h");
  EXPECT_EQ(tools::parse_api_url("http://[::1]:9/")->host, "::1");
}

TEST(ApiUrl, RefusesWhatIsNone) {
  for (const char* url : {"", "https://h/", "http://h/x", "http://:5/", "http://h:x/", "ftp://h"})
    EXPECT_FALSE(tools::parse_api_url(url)) << url;
}

TEST(ApiVerbs, ComeFromTheDocumentedTable) {
  EXPECT_EQ(tools::verb_of_method("get_node_info", false), "GET");
  EXPECT_EQ(tools::verb_of_method("add_nodes", false), "POST");
  EXPECT_EQ(tools::verb_of_method("send_mysqldump", true), "UPLOAD");
}

}  // namespace
}  // namespace drover::http_test

// What clients of the OpenStack face know is in the cloud's database: it is all there after a restart.
#include <gtest/gtest.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "mockcloud/wire/openstack/ids.hpp"
#include "mockcloud/wire/openstack/openstack_face.hpp"

namespace drover {
namespace {

using nlohmann::json;

// A cloud in a file and its face, asked directly.
class Stage {
 public:
  explicit Stage(const std::string& file) {
    trace_.follow(scheduler_.now_address());
    cloud::CloudConfig config;
    config.capacity = 1;
    cloud_ = std::make_unique<cloud::Cloud>(scheduler_, domain_, choices_, trace_, config, file);
    backend_ = std::make_unique<wire::Backend>(*cloud_, *cloud_, scheduler_, wire::Settings{},
                                               [this] { return scheduler_.now(); });
    face_ = std::make_unique<wire::OpenStackFace>(*backend_);
  }
  ~Stage() { domain_.kill(); }

  http::Response ask(const std::string& method, const std::string& target, const std::string& body = {}) {
    http::Request request;
    request.method = method;
    request.target = target;
    request.body = body;
    request.fields = {{"Host", "cloud"}, {"X-Auth-Token", token}, {"OpenStack-API-Version", "compute 2.93"}};
    std::optional<http::Response> answer;
    face_->handle(std::move(request), [&](http::Response response) { answer = std::move(response); });
    scheduler_.run_until(scheduler_.now() + 1min);
    EXPECT_TRUE(answer.has_value()) << method << " " << target << " was not answered";
    return answer.value_or(http::Response{});
  }
  void log_in() {
    const auto answer =
        ask("POST", "/identity/v3/auth/tokens",
            R"({"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "drover",
                                "domain": {"id": "default"}, "password": "drover-secret"}}}}})");
    ASSERT_EQ(answer.status, 201) << answer.body;
    token = *answer.field("X-Subject-Token");
  }
  std::string create(const std::string& name) {
    const auto answer = ask("POST", "/compute/v2.1/servers",
                            R"({"server": {"name": ")" + name +
                                R"(", "flavorRef": "1", "networks": "auto", "description": "kept",)" +
                                R"("metadata": {"k": "v"}, "imageRef": ")" +
                                wire::openstack::named_uuid("image", "debian-12-drover") + R"("}})");
    EXPECT_EQ(answer.status, 202) << answer.body;
    return answer.status == 202 ? json::parse(answer.body)["server"]["id"].get<std::string>() : "";
  }

  std::string token;

 private:
  Scheduler scheduler_;
  Domain domain_{scheduler_};
  Choices choices_{1};
  Trace trace_;
  std::unique_ptr<cloud::Cloud> cloud_;
  std::unique_ptr<wire::Backend> backend_;
  std::unique_ptr<wire::OpenStackFace> face_;
};

TEST(FaceRestart, TokensServersAndWhatOnlyNovaKnowsAreThereAgain) {
  const std::string file = testing::TempDir() + "openstack-restart.sqlite";
  std::remove(file.c_str());
  std::string token, placed, failed;
  {
    Stage stage(file);
    stage.log_in();
    token = stage.token;
    placed = stage.create("placed");
    failed = stage.create("failed");
    ASSERT_EQ(stage
                  .ask("POST", "/compute/v2.1/os-keypairs",
                       R"({"keypair": {"name": "key", "public_key": "ssh-rsa AAAA"}})")
                  .status,
              201);
  }
  {
    Stage stage(file);
    stage.token = token;
    const auto shown = stage.ask("GET", "/compute/v2.1/servers/" + placed);
    ASSERT_EQ(shown.status, 200) << shown.body;
    EXPECT_EQ(json::parse(shown.body)["server"]["description"], "kept");
    EXPECT_EQ(json::parse(shown.body)["server"]["metadata"]["k"], "v");
    const auto error = stage.ask("GET", "/compute/v2.1/servers/" + failed);
    ASSERT_EQ(error.status, 200) << error.body;
    EXPECT_EQ(json::parse(error.body)["server"]["status"], "ERROR");
    EXPECT_EQ(json::parse(error.body)["server"]["fault"]["message"], "No valid host was found. ");
    EXPECT_EQ(stage.ask("GET", "/compute/v2.1/os-keypairs/key").status, 200);
    stage.log_in();
    EXPECT_NE(stage.token, token) << "a new token is not an old one";
    EXPECT_EQ(stage.ask("DELETE", "/compute/v2.1/servers/" + failed).status, 204);
  }
  Stage stage(file);
  stage.token = token;
  EXPECT_EQ(stage.ask("GET", "/compute/v2.1/servers/" + failed).status, 404);
  std::remove(file.c_str());
}

}  // namespace
}  // namespace drover

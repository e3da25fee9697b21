// EC2's face as its clients see it: requests as text in, answers as text out.
#include "mockcloud/wire/ec2/ec2_face.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <pugixml.hpp>

#include "manager/ports/forwarding_iaas.hpp"
#include "manager/system/aws_signature.hpp"
#include "mockcloud/wire/ec2/query.hpp"
#include "tests/support/wired_cloud.hpp"

namespace drover::wire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Reply {
  int status = 0;
  std::string body;
  pugi::xml_document xml;

  // The text of the first element called `name`, or "".
  std::string text(const char* name) const {
    const auto found =
        xml.find_node([&](const pugi::xml_node& node) { return name == std::string_view(node.name()); });
    return found.text().get();
  }
  // The texts of all of them.
  std::vector<std::string> texts(const std::string& name) const {
    std::vector<std::string> all;
    for (const auto& each : xml.select_nodes(("//*[local-name()='" + name + "']").c_str()))
      all.emplace_back(each.node().text().get());
    return all;
  }
  // "400 InvalidAction", or "200 ".
  std::string error() const { return std::to_string(status) + " " + text("Code"); }
};

cloud::CloudConfig usual() {
  cloud::CloudConfig config;
  config.images = {"ami-12345678", "debian-12-drover"};
  config.sizes = {"t3.micro", "m1.small"};
  config.networks = {"subnet-12345678"};
  return config;
}

Settings unsigned_requests() {
  Settings settings;
  settings.check_signatures = false;
  return settings;
}

std::unique_ptr<Reply> read_reply(const Result<http::Response>& answer) {
  auto reply = std::make_unique<Reply>();
  EXPECT_TRUE(answer.has_value()) << (answer.has_error() ? answer.error().message : "");
  if (answer.has_error()) return reply;
  reply->status = answer.value().status;
  reply->body = answer.value().body;
  EXPECT_TRUE(reply->xml.load_string(reply->body.c_str())) << reply->body;
  return reply;
}

http::Request post(const http::Fields& form) {
  http::Request request;
  request.method = "POST";
  request.target = "/";
  request.fields = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
  request.body = http::to_form(form);
  return request;
}

class Ec2FaceTest : public testing::Test {
 protected:
  void use(cloud::CloudConfig config, Settings settings = unsigned_requests()) {
    wired_ = std::make_unique<test::WiredCloud>(
        [](Backend& backend) { return std::make_unique<Ec2Face>(backend); }, std::move(config),
        std::move(settings));
  }
  void SetUp() override { use(usual()); }

  std::unique_ptr<Reply> ask(const std::string& action, http::Fields form = {}) {
    form.insert(form.begin(), {{"Action", action}, {"Version", "2016-11-15"}});
    return read_reply(wired_->ask(post(form)));
  }
  std::unique_ptr<Reply> launch(http::Fields more = {}, const std::string& least = "1",
                                const std::string& most = "") {
    http::Fields form{{"ImageId", "ami-12345678"},
                      {"InstanceType", "t3.micro"},
                      {"MinCount", least},
                      {"MaxCount", most.empty() ? least : most}};
    form.insert(form.end(), more.begin(), more.end());
    return ask("RunInstances", form);
  }
  static http::Fields tagged(const std::string& key, const std::string& value) {
    return {{"TagSpecification.1.ResourceType", "instance"},
            {"TagSpecification.1.Tag.1.Key", key},
            {"TagSpecification.1.Tag.1.Value", value}};
  }
  static http::Fields filter(const std::string& name, const std::string& value) {
    return {{"Filter.1.Name", name}, {"Filter.1.Value.1", value}};
  }
  void pass(Duration time) {
    wired_->run_until([] { return false; }, time);
  }
  std::string state(const std::string& id) {
    return ask("DescribeInstances", {{"InstanceId.1", id}})
        ->xml.select_node("//instanceState/name")
        .node()
        .text()
        .get();
  }

  std::unique_ptr<test::WiredCloud> wired_;
};

TEST_F(Ec2FaceTest, AnInstanceLivesAndDies) {
  const auto made = launch();
  ASSERT_EQ(made->error(), "200 ") << made->body;
  const std::string id = made->text("instanceId");
  EXPECT_EQ(made->xml.select_node("//instanceState/code").node().text().as_int(), 0);
  EXPECT_EQ(state(id), "pending");
  pass(10min);
  EXPECT_EQ(state(id), "running");
  EXPECT_EQ(ask("StopInstances", {{"InstanceId.1", id}})->error(), "200 ");
  EXPECT_EQ(state(id), "stopping");
  pass(1min);
  EXPECT_EQ(state(id), "stopped");
  EXPECT_EQ(ask("StartInstances", {{"InstanceId.1", id}})->error(), "200 ");
  EXPECT_EQ(ask("RebootInstances", {{"InstanceId.1", id}})->error(), "400 IncorrectInstanceState");
  pass(10min);
  EXPECT_EQ(state(id), "running");
  const auto ended = ask("TerminateInstances", {{"InstanceId.1", id}});
  EXPECT_STREQ(ended->xml.select_node("//previousState/name").node().text().get(), "running");
  EXPECT_STREQ(ended->xml.select_node("//currentState/name").node().text().get(), "shutting-down");
  pass(1min);
  EXPECT_EQ(state(id), "terminated");
  EXPECT_EQ(ask("StartInstances", {{"InstanceId.1", id}})->error(), "400 IncorrectInstanceState");
  pass(2h);
  EXPECT_EQ(ask("DescribeInstances", {{"InstanceId.1", id}})->error(), "400 InvalidInstanceID.NotFound");
}

TEST_F(Ec2FaceTest, Filters) {
  launch(tagged("Name", "web-1"));
  launch(tagged("Name", "web-22"));
  launch({{"InstanceType", "m1.small"}});  // the first value of a parameter counts: t3.micro
  launch(tagged("team", "d*b"));
  pass(10min);
  const struct {
    const char* name;
    const char* value;
    std::size_t found;
  } rows[] = {
      {"tag:Name", "web-1", 1},
      {"tag:Name", "web-*", 2},
      {"tag:Name", "web-?", 1},
      {"tag:Name", "WEB-1", 0},
      {"tag:Name", "*", 2},
      {"tag:team", "d\\*b", 1},
      {"tag:team", "d\\?b", 0},
      {"tag-key", "team", 1},
      {"tag-value", "web-22", 1},
      {"instance-state-name", "running", 4},
      {"instance-state-name", "pending", 0},
      {"instance-state-code", "16", 4},
      {"image-id", "ami-12345678", 4},
      {"instance-type", "t3.micro", 4},
      {"instance-id", "i-00000002", 1},
      {"availability-zone", "us-east-1?", 4},
      {"group-name", "default", 4},
      {"subnet-id", "subnet-12345678", 4},
      {"private-ip-address", "10.0.*", 4},
  };
  for (const auto& row : rows) {
    const auto found = ask("DescribeInstances", filter(row.name, row.value));
    EXPECT_EQ(found->texts("instanceId").size(), row.found) << row.name << "=" << row.value;
  }
  http::Fields both = filter("tag:Name", "web-*");
  both.insert(both.end(), {{"Filter.2.Name", "instance-id"},
                           {"Filter.2.Value.1", "i-00000001"},
                           {"Filter.2.Value.2", "i-00000004"}});
  EXPECT_THAT(ask("DescribeInstances", both)->texts("instanceId"), ElementsAre("i-00000001"));
  EXPECT_EQ(ask("DescribeInstances", filter("colour", "red"))->error(), "400 InvalidParameterValue");
  EXPECT_EQ(ask("DescribeInstances", {{"Filter.1.Name", "tag-key"}})->error(), "400 MissingParameter");
}

TEST(Ec2Wildcards, Fit) {
  const struct {
    const char* pattern;
    const char* text;
    bool fits;
  } rows[] = {{"", "", true},       {"*", "", true},          {"?", "", false},
              {"a*", "a", true},    {"*a*b*", "xaxbx", true}, {"*a*b*", "xbxax", false},
              {"a\\*", "a*", true}, {"a\\*", "ab", false},    {"\\\\", "\\", true},
              {"a\\", "a\\", true}, {"**?", "x", true},       {"*?x", "x", false}};
  for (const auto& row : rows)
    EXPECT_EQ(ec2::fits(row.pattern, row.text), row.fits) << row.pattern << " " << row.text;
  // A pattern made to be slow is not.
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "*a";
  EXPECT_FALSE(ec2::fits(pattern + "b", std::string(2000, 'a')));
}

TEST_F(Ec2FaceTest, PagesAreEverythingOnceEvenWhenTheWorldChangesBetween) {
  launch({}, "7");
  std::vector<std::string> seen;
  http::Fields page{{"MaxResults", "5"}};
  for (int pages = 0; pages < 10; ++pages) {
    const auto reply = ask("DescribeInstances", page);
    for (const auto& id : reply->texts("instanceId")) seen.push_back(id);
    const std::string next = reply->text("nextToken");
    if (next.empty()) break;
    if (pages == 0) launch();
    page = {{"MaxResults", "5"}, {"NextToken", next}};
  }
  EXPECT_THAT(seen, ElementsAre("i-00000001", "i-00000002", "i-00000003", "i-00000004", "i-00000005",
                                "i-00000006", "i-00000007", "i-00000008"));
  EXPECT_EQ(ask("DescribeInstances", {{"MaxResults", "4"}})->error(), "400 InvalidParameterValue");
  EXPECT_EQ(ask("DescribeInstances", {{"NextToken", "x"}})->error(), "400 InvalidNextToken");
}

TEST_F(Ec2FaceTest, Tokens) {
  const auto one = launch({{"ClientToken", "a"}}, "2");
  const auto two = launch({{"ClientToken", "a"}}, "2");
  EXPECT_EQ(one->texts("instanceId"), two->texts("instanceId"));
  EXPECT_EQ(one->text("reservationId"), two->text("reservationId"));
  EXPECT_EQ(launch({{"ClientToken", "a"}}, "3")->error(), "400 IdempotentParameterMismatch");
  EXPECT_EQ(launch({{"ClientToken", "a"}, {"UserData", "eA=="}}, "2")->error(),
            "400 IdempotentParameterMismatch");
  ask("TerminateInstances", {{"InstanceId.1", "i-00000001"}, {"InstanceId.2", "i-00000002"}});
  EXPECT_EQ(launch({{"ClientToken", "a"}}, "2")->error(), "400 IdempotentInstanceTerminated");
  EXPECT_EQ(wired_->cloud().total_created(), 2U);
}

TEST_F(Ec2FaceTest, LaunchesThatDoNotFitLeaveNothing) {
  cloud::CloudConfig config = usual();
  config.quota_instances = 3;
  config.capacity = 5;
  use(config);
  EXPECT_EQ(launch({{"ClientToken", "many"}}, "4", "9")->error(), "400 InstanceLimitExceeded");
  EXPECT_EQ(wired_->cloud().total_created(), 0U);
  const auto three = launch({{"ClientToken", "few"}}, "2", "9");
  EXPECT_EQ(three->texts("instanceId").size(), 3U);
  EXPECT_EQ(launch()->error(), "400 InstanceLimitExceeded");
  ask("TerminateInstances", {{"InstanceId.1", "i-00000003"}});
  pass(1min);
  EXPECT_EQ(launch({{"ClientToken", "few"}}, "2", "9")->texts("instanceId"), three->texts("instanceId"))
      << "a repeated request gives what it gave";
  EXPECT_EQ(launch({{"ClientToken", "many"}}, "1", "9")->error(), "200 ")
      << "a refused token is as good as new";

  config.quota_instances = 0;
  config.capacity = 1;
  use(config);
  EXPECT_EQ(launch({}, "2")->error(), "500 InsufficientInstanceCapacity");
  EXPECT_EQ(wired_->cloud().total_created(), 0U);
}

TEST_F(Ec2FaceTest, ErrorsAndTheirStatus) {
  const std::string id = launch()->text("instanceId");
  const std::string unknown = "i-0123456789abcdef0";
  const struct {
    const char* action;
    http::Fields form;
    const char* error;
  } rows[] = {
      {"EatLunch", {}, "400 InvalidAction"},
      {"", {}, "400 MissingAction"},
      {"DescribeInstances", {{"InstanceId.1", unknown}}, "400 InvalidInstanceID.NotFound"},
      {"DescribeInstances", {{"InstanceId.1", "x"}}, "400 InvalidInstanceID.Malformed"},
      {"TerminateInstances", {}, "400 MissingParameter"},
      {"TerminateInstances", {{"InstanceId.1", id}, {"DryRun", "true"}}, "412 DryRunOperation"},
      {"TerminateInstances", {{"InstanceId.1", id}, {"DryRun", "perhaps"}}, "400 InvalidParameterValue"},
      {"DescribeInstances", {{"DryRun", "true"}}, "412 DryRunOperation"},
      {"CreateKeyPair", {{"KeyName", "k"}, {"DryRun", "true"}}, "412 DryRunOperation"},
      {"DescribeKeyPairs", {{"KeyName.1", "k"}}, "400 InvalidKeyPair.NotFound"},
      {"CreateTags", {{"ResourceId.1", id}}, "400 MissingParameter"},
      {"CreateTags", {{"ResourceId.1", id}, {"Tag.1.Key", "aws:x"}}, "400 InvalidParameterValue"},
      {"CreateTags", {{"ResourceId.1", "zz"}, {"Tag.1.Key", "x"}}, "400 InvalidID"},
      {"DescribeImages", {{"ImageId.1", "ami-00000000"}}, "400 InvalidAMIID.NotFound"},
      {"DescribeVolumes", {{"VolumeId.1", "vol-00000001"}}, "400 InvalidVolume.NotFound"},
      {"CreateVolume", {{"AvailabilityZone", "us-east-1a"}, {"Size", "0"}}, "400 InvalidParameterValue"},
      {"CreateVolume", {{"AvailabilityZone", "mars"}, {"Size", "1"}}, "400 InvalidZone.NotFound"},
      {"DescribeSecurityGroups", {{"GroupId.1", "sg-11111111"}}, "400 InvalidGroup.NotFound"},
      {"DeleteSecurityGroup", {{"GroupName", "default"}}, "400 CannotDelete"},
      {"RunInstances", {{"ImageId", "ami-12345678"}, {"MinCount", "1"}}, "400 MissingParameter"},
      {"RunInstances",
       {{"ImageId", "ami-12345678"}, {"MinCount", "2"}, {"MaxCount", "1"}},
       "400 InvalidParameterValue"},
      {"RunInstances",
       {{"ImageId", "ami-12345678"}, {"MinCount", "1"}, {"MaxCount", "99999"}},
       "400 InvalidParameterValue"},
      {"RunInstances",
       {{"ImageId", "ami-99999999"}, {"MinCount", "1"}, {"MaxCount", "1"}},
       "400 InvalidAMIID.NotFound"},
      {"RunInstances",
       {{"ImageId", "ami-12345678"}, {"MinCount", "1"}, {"MaxCount", "1"}, {"UserData", "@@@"}},
       "400 InvalidParameterValue"},
  };
  for (const auto& row : rows) EXPECT_EQ(ask(row.action, row.form)->error(), row.error) << row.action;
  EXPECT_EQ(wired_->cloud().total_created(), 1U);
  EXPECT_EQ(state(id), "pending");
}

TEST_F(Ec2FaceTest, SecurityGroups) {
  const std::string id =
      ask("CreateSecurityGroup", {{"GroupName", "g"}, {"GroupDescription", "d"}})->text("groupId");
  const http::Fields all_out{{"GroupId", id},
                             {"IpPermissions.1.IpProtocol", "-1"},
                             {"IpPermissions.1.FromPort", "0"},
                             {"IpPermissions.1.ToPort", "0"},
                             {"IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"}};
  EXPECT_EQ(ask("AuthorizeSecurityGroupEgress", all_out)->error(), "400 InvalidPermission.Duplicate");
  EXPECT_EQ(ask("RevokeSecurityGroupEgress", all_out)->error(), "200 ");
  EXPECT_EQ(ask("RevokeSecurityGroupEgress", all_out)->error(), "400 InvalidPermission.NotFound");
  const http::Fields port{
      {"GroupId", id}, {"IpProtocol", "tcp"}, {"FromPort", "22"}, {"ToPort", "22"}, {"CidrIp", "10.0.0.0/8"}};
  EXPECT_EQ(ask("AuthorizeSecurityGroupIngress", port)->error(), "200 ");
  EXPECT_THAT(ask("DescribeSecurityGroups", {{"GroupId.1", id}})->texts("cidrIp"), ElementsAre("10.0.0.0/8"));
  launch({{"SecurityGroupId.1", id}});
  EXPECT_EQ(ask("DeleteSecurityGroup", {{"GroupId", id}})->error(), "400 DependencyViolation");
  EXPECT_EQ(ask("DescribeInstances", filter("group-name", "g"))->texts("instanceId").size(), 1U);
}

TEST_F(Ec2FaceTest, HostileTextsAreEscaped) {
  const std::string hostile = "<b>&\"'\r\n\x01]]> é";
  const std::string id = launch(tagged("Name", hostile))->text("instanceId");
  ask("CreateTags", {{"ResourceId.1", id}, {"Tag.1.Key", "</key><key>"}, {"Tag.1.Value", hostile}});
  const auto shown = ask("DescribeInstances");
  ASSERT_EQ(shown->status, 200);
  EXPECT_EQ(shown->texts("key"), (std::vector<std::string>{"Name", "</key><key>"}));
  // XML has no way to write a control character.
  EXPECT_EQ(shown->texts("value").front(), "<b>&\"'\r\n?]]> é");
  ask("CreateTags", {{"ResourceId.1", id}, {"Tag.1.Key", "broken"}, {"Tag.1.Value", "<\xff\xc3"}});
  const auto broken = ask("DescribeTags", filter("key", "broken"));
  EXPECT_EQ(broken->text("value"), "<??") << "what is no UTF-8 would make the whole answer unreadable";
  EXPECT_THAT(ask("<script>")->error(), "400 InvalidAction");
  EXPECT_THAT(ask("DescribeInstances", {{"InstanceId.1", "<i>"}})->text("Message"), HasSubstr("<i>"));
}

TEST_F(Ec2FaceTest, Throttling) {
  cloud::CloudConfig config = usual();
  config.throttle.rate_per_second = 0.1;
  config.throttle.burst = 1;
  use(config);
  EXPECT_EQ(ask("DescribeInstances")->error(), "200 ");
  EXPECT_EQ(ask("DescribeRegions")->error(), "503 RequestLimitExceeded");
  pass(11s);
  EXPECT_EQ(ask("DescribeInstances")->error(), "200 ");
}

TEST_F(Ec2FaceTest, SignaturesAreVerified) {
  use(usual(), Settings{});
  const auto signed_by = [&](const std::string& key, const std::string& secret, Duration skew) {
    http::Request request = post({{"Action", "DescribeInstances"}, {"Version", "2016-11-15"}});
    request.fields.emplace_back("Host", wired_->url().authority());
    aws::sign_sigv4(request, {key, secret, ""}, "us-east-1", "ec2", wired_->backend().wall() + skew);
    return read_reply(wired_->ask(request))->error();
  };
  EXPECT_EQ(signed_by("drover", "drover-secret", 0s), "200 ");
  EXPECT_EQ(signed_by("drover", "drover-secret", -14min), "200 ");
  EXPECT_EQ(signed_by("drover", "drover-secret", -16min), "400 RequestExpired");
  EXPECT_EQ(signed_by("drover", "drover-secret", 16min), "400 RequestExpired");
  EXPECT_EQ(signed_by("drover", "wrong", 0s), "403 SignatureDoesNotMatch");
  EXPECT_EQ(signed_by("nobody", "drover-secret", 0s), "401 AuthFailure");
  EXPECT_EQ(ask("DescribeInstances")->error(), "403 MissingAuthenticationToken");
}

TEST_F(Ec2FaceTest, AListingOfAnyLengthComesInPartsAndIsOfOneMoment) {
  ASSERT_EQ(launch({}, "1000")->error(), "200 ");
  for (int i = 0; i < 3; ++i) ASSERT_EQ(launch()->error(), "200 ");
  const auto answer = wired_->ask(post({{"Action", "DescribeInstances"}, {"Version", "2016-11-15"}}));
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer.value().field("Content-Length"), nullptr);
  EXPECT_GT(answer.value().body.size(), std::size_t{1} << 20U);
  const auto reply = read_reply(answer);
  EXPECT_EQ(reply->texts("instanceId").size(), 1003U);
  EXPECT_EQ(reply->texts("reservationId").size(), 4U) << "a part may end inside a reservation";
  EXPECT_EQ(reply->texts("amiLaunchIndex")[999], "999");
  const auto states = ask("DescribeInstanceStatus", {{"IncludeAllInstances", "true"}});
  EXPECT_EQ(states->xml.select_nodes("//instanceStatusSet/item/instanceId").size(), 1003U);
}

// Loses the answers of terminations, as many as it is told.
class LosesAnswers final : public ForwardingIaas {
 public:
  explicit LosesAnswers(Iaas& below) : below_(below) {}
  int lost = 0;
  void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) override {
    if (lost-- > 0) handler = [](const Result<void>&) {};
    below_.killInstance(context, id, std::move(handler));
  }

 private:
  Iaas& target() override { return below_; }
  Iaas& below_;
};

TEST_F(Ec2FaceTest, ATerminationWhoseAnswerIsLostHasEndedAllOfItsInstances) {
  LosesAnswers* calls = nullptr;
  wired_ = std::make_unique<test::WiredCloud>(
      [](Backend& backend) { return std::make_unique<Ec2Face>(backend); }, usual(), unsigned_requests(),
      [&](Iaas& below) {
        auto made = std::make_unique<LosesAnswers>(below);
        calls = made.get();
        return made;
      });
  ASSERT_EQ(launch({}, "4")->error(), "200 ");
  calls->lost = 1;
  const auto silence = wired_->ask(post({{"Action", "TerminateInstances"},
                                         {"Version", "2016-11-15"},
                                         {"InstanceId.1", "i-00000003"},
                                         {"InstanceId.2", "i-00000001"},
                                         {"InstanceId.3", "i-00000002"}}));
  EXPECT_TRUE(silence.has_error());
  EXPECT_EQ(wired_->cloud().live(), 1U);
  EXPECT_EQ(ask("TerminateInstances", {{"InstanceId.1", "i-00000002"}, {"InstanceId.2", "i-00000004"}})
                ->texts("instanceId"),
            (std::vector<std::string>{"i-00000002", "i-00000004"}));
  pass(10min);
  EXPECT_EQ(wired_->cloud().live(), 0U);
}

// The face alone on a database, as often as it is started.
class Started {
 public:
  explicit Started(const std::string& path) {
    trace_.follow(scheduler_.now_address());
    cloud_ = std::move(cloud::Cloud::open(scheduler_, domain_, choices_, trace_, usual(), path)).value();
    backend_ = std::make_unique<Backend>(*cloud_, *cloud_, scheduler_, unsigned_requests(),
                                         [this] { return scheduler_.now(); });
    face_ = std::make_unique<Ec2Face>(*backend_);
  }
  ~Started() { domain_.kill(); }
  std::unique_ptr<Reply> ask(const std::string& action, http::Fields form = {}) {
    form.insert(form.begin(), {{"Action", action}, {"Version", "2016-11-15"}});
    std::optional<http::Response> answer;
    face_->handle(post(form), [&](http::Response response) { answer = std::move(response); });
    while (!answer && scheduler_.run_one()) {
    }
    EXPECT_TRUE(answer.has_value());
    return read_reply(answer.value_or(http::Response{}));
  }
  void pass(Duration time) { scheduler_.run_until(scheduler_.later(time)); }

 private:
  Scheduler scheduler_;
  Domain domain_{scheduler_};
  Choices choices_{1};
  Trace trace_;
  std::unique_ptr<cloud::Cloud> cloud_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Ec2Face> face_;
};

TEST(Ec2FaceRestart, WhatWasKnownAndWhatWasToHappen) {
  const std::string path =
      std::filesystem::temp_directory_path() / ("ec2-face-" + std::to_string(::getpid()) + ".db");
  std::filesystem::remove(path);
  const http::Fields launch{{"ImageId", "ami-12345678"},
                            {"MinCount", "2"},
                            {"MaxCount", "2"},
                            {"ClientToken", "t"},
                            {"KeyName", "k"},
                            {"TagSpecification.1.ResourceType", "instance"},
                            {"TagSpecification.1.Tag.1.Key", "role"},
                            {"TagSpecification.1.Tag.1.Value", "db"}};
  std::string reservation, group;
  {
    Started first(path);
    first.ask("CreateKeyPair", {{"KeyName", "k"}});
    group =
        first.ask("CreateSecurityGroup", {{"GroupName", "g"}, {"GroupDescription", "d"}})->text("groupId");
    reservation = first.ask("RunInstances", launch)->text("reservationId");
    EXPECT_EQ(first.ask("DescribeInstances", {{"InstanceId.1", "i-00000001"}})->text("name"), "pending");
  }
  {
    Started second(path);
    const auto again = second.ask("RunInstances", launch);
    EXPECT_EQ(again->text("reservationId"), reservation);
    EXPECT_THAT(again->texts("instanceId"), ElementsAre("i-00000001", "i-00000002"));
    EXPECT_EQ(again->text("keyName"), "k");
    EXPECT_EQ(second.ask("DescribeTags")->texts("value").size(), 2U);
    EXPECT_EQ(second.ask("DescribeKeyPairs")->text("keyName"), "k");
    EXPECT_EQ(second.ask("DescribeSecurityGroups", {{"GroupId.1", group}})->text("groupName"), "g");
    second.pass(10min);
    EXPECT_EQ(second
                  .ask("DescribeInstances",
                       {{"Filter.1.Name", "instance-state-name"}, {"Filter.1.Value.1", "running"}})
                  ->texts("instanceId")
                  .size(),
              2U);
  }
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end);
}

}  // namespace
}  // namespace drover::wire

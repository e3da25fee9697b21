// The face against recorded answers of a real oned (data/): byte for byte where the mock cloud can be in the
// same state, by shape where it shows machines of its own.
#include <fstream>
#include <pugixml.hpp>
#include <set>
#include <sstream>

#include "paths.hpp"
#include "tests/opennebula/stage.hpp"

namespace drover {
namespace {

struct Sample {
  http::Request request;
  int status = 0;
  std::string body;
};

Sample read_sample(const std::string& name) {
  std::ifstream file(std::string(DROVER_SOURCE_DIR) + "/tests/opennebula/data/" + name + ".http");
  std::ostringstream all;
  all << file.rdbuf();
  const std::string text = all.str();
  const std::string mark = "\n\n<<<<< response\n";
  const auto middle = text.find(mark);
  EXPECT_NE(middle, std::string::npos) << name << ": no such sample";
  if (middle == std::string::npos) return {};
  Sample sample;
  std::istringstream head(text.substr(text.find('\n') + 1));
  head >> sample.request.method >> sample.request.target;
  sample.request.fields = {{"Content-Type", "text/xml"}};
  const auto body = text.find("\n\n");
  if (body < middle) sample.request.body = text.substr(body + 2, middle - body - 2);
  const std::string answer = text.substr(middle + mark.size());
  sample.status = std::stoi(answer.substr(answer.find(' ') + 1));
  sample.body = answer.substr(answer.find("\n\n") + 2);
  while (sample.body.ends_with("\n\n")) sample.body.pop_back();
  return sample;
}

// A cloud like the one that was recorded: an image "tiny", a network "private", a template, two VMs that run.
class OpenNebulaSamples : public testing::Test {
 protected:
  static cloud::CloudConfig config() {
    cloud::CloudConfig config;
    config.images = {"tiny"};
    config.networks = {"private"};
    config.address_prefix = "10.20.";
    return config;
  }
  void make_the_recorded_world() {
    ASSERT_EQ(stage_
                  .call("one.template.allocate",
                        "NAME=\"tmpl\"\nCPU=\"0.01\"\nMEMORY=\"16\"\nDISK=[IMAGE=\"tiny\"]\n"
                        "NIC=[NETWORK=\"private\"]\nOS=[ARCH=\"x86_64\"]")
                  .number,
              0);
    ASSERT_EQ(stage_.call("one.template.instantiate", 0, "vm1").number, 0);
    stage_.pass(std::chrono::minutes(20));
  }
  std::string answer_to(const Sample& sample) {
    const auto response = stage_.post(sample.request.body, sample.request.target, sample.request.method);
    EXPECT_TRUE(response.has_value());
    if (!response) return {};
    EXPECT_EQ(response.value().status, sample.status);
    return response.value().body;
  }

  test::OneStage stage_{config()};
};

TEST_F(OpenNebulaSamples, AnswersThatHoldNoMachineAreTheSameBytes) {
  make_the_recorded_world();
  for (const char* name :
       {"auth-bad", "auth-bad-vm", "auth-nocolon", "badmethod", "vm-allocate-badimage", "vm-allocate-badnet",
        "vm-allocate-nomem", "vm-info-404", "template-404", "vmpool-filterkv", "raftstatus",
        "template-instantiate", "vm-allocate", "vm-allocate-hold"}) {
    const Sample sample = read_sample(name);
    EXPECT_EQ(answer_to(sample), sample.body) << name;
  }
  for (const char* name : {"vm-action-unknown", "vm-monitoring", "vm-rename", "vm-update", "vm-resume"}) {
    if (std::string(name) == "vm-resume") {
      stage_.pass(std::chrono::minutes(20));
      ASSERT_TRUE(stage_.call("one.vm.action", "poweroff", 1).ok);
      stage_.pass(std::chrono::minutes(1));
    }
    const Sample sample = read_sample(name);
    EXPECT_EQ(answer_to(sample), sample.body) << name;
  }
  stage_.pass(std::chrono::minutes(20));
  for (const char* name : {"vm-reboot", "vm-terminate-hard"}) {
    const Sample sample = read_sample(name);
    EXPECT_EQ(answer_to(sample), sample.body) << name;
  }
}

TEST_F(OpenNebulaSamples, ATemplateLooksAsRecorded) {
  make_the_recorded_world();
  const Sample sample = read_sample("template-info");
  const auto recorded = xml_rpc::parse_reply(sample.body), ours = xml_rpc::parse_reply(answer_to(sample));
  ASSERT_TRUE(recorded.has_value() && ours.has_value());
  const auto without_time = [](std::string text) {
    const auto first = text.find("<REGTIME>"), last = text.find("</REGTIME>");
    return text.erase(first, last - first);
  };
  EXPECT_EQ(without_time(ours.value().value.items[1].text),
            without_time(recorded.value().value.items[1].text));
}

TEST_F(OpenNebulaSamples, WhatIsNoCallIsAnsweredWithTheRecordedStatus) {
  for (const char* name : {"get", "badpath"}) {
    const Sample sample = read_sample(name);
    EXPECT_NE(answer_to(sample).find("Error " + std::to_string(sample.status)), std::string::npos) << name;
  }
}

// "VM/TEMPLATE/NIC/IP", …
void add_paths(const pugi::xml_node& node, const std::string& before, std::set<std::string>& paths) {
  for (const auto& child : node.children()) {
    if (child.type() != pugi::node_element) continue;
    const std::string path = before + child.name();
    paths.insert(path);
    add_paths(child, path + "/", paths);
  }
}
std::set<std::string> paths_of(const std::string& body) {
  const auto reply = xml_rpc::parse_reply(body);
  std::set<std::string> paths;
  EXPECT_TRUE(reply.has_value());
  if (!reply || reply.value().value.items.size() < 2) return paths;
  pugi::xml_document document;
  EXPECT_TRUE(document.load_string(reply.value().value.items[1].text.c_str()));
  add_paths(document, "", paths);
  return paths;
}

struct Shape {
  const char* name;
  std::vector<std::string> left_out;  // beginnings of paths: docs/opennebula.md names them
};
class OpenNebulaShapes : public OpenNebulaSamples, public testing::WithParamInterface<Shape> {};

TEST_P(OpenNebulaShapes, EveryElementIsOneOfTheRecordedOnesAndFewAreMissing) {
  make_the_recorded_world();
  ASSERT_EQ(stage_
                .call("one.template.instantiate", 0, "smp", false,
                      "CONTEXT=[NETWORK=\"YES\",USER_DATA=\"#!/bin/sh\"]", false)
                .number,
            1);
  stage_.pass(std::chrono::minutes(20));
  const Sample sample = read_sample(GetParam().name);
  const auto recorded = paths_of(sample.body), ours = paths_of(answer_to(sample));
  ASSERT_GT(recorded.size(), 30U);
  for (const auto& path : ours) EXPECT_TRUE(recorded.contains(path)) << path << " is no element of oned's";
  for (const auto& path : recorded) {
    const bool known = std::any_of(GetParam().left_out.begin(), GetParam().left_out.end(),
                                   [&](const auto& beginning) { return path.starts_with(beginning); });
    EXPECT_EQ(ours.contains(path), !known) << path;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Recorded, OpenNebulaShapes,
    testing::Values(Shape{"vm-info-running",
                          {"VM/TEMPLATE/AUTOMATIC_",
                           "VM/TEMPLATE/CONTEXT/ETH0_DNS",
                           "VM/TEMPLATE/CONTEXT/ETH0_EXTERNAL",
                           "VM/TEMPLATE/CONTEXT/ETH0_GATEWAY",
                           "VM/TEMPLATE/CONTEXT/ETH0_IP6",
                           "VM/TEMPLATE/CONTEXT/ETH0_MASK",
                           "VM/TEMPLATE/CONTEXT/ETH0_MET",
                           "VM/TEMPLATE/CONTEXT/ETH0_MTU",
                           "VM/TEMPLATE/CONTEXT/ETH0_NETWORK",
                           "VM/TEMPLATE/CONTEXT/ETH0_ROUTES",
                           "VM/TEMPLATE/CONTEXT/ETH0_SEARCH",
                           "VM/TEMPLATE/CONTEXT/ETH0_V",
                           "VM/TEMPLATE/DISK/DRIVER",
                           "VM/TEMPLATE/DISK/FORMAT",
                           "VM/TEMPLATE/DISK/IMAGE_STATE",
                           "VM/TEMPLATE/DISK/ORIGINAL_SIZE",
                           "VM/TEMPLATE/DISK/READONLY",
                           "VM/TEMPLATE/DISK/SAVE",
                           "VM/TEMPLATE/DISK/SOURCE",
                           "VM/TEMPLATE/NIC/BRIDGE_TYPE",
                           "VM/TEMPLATE/NIC/CLUSTER_ID",
                           "VM/TEMPLATE/NIC/VN_MAD",
                           "VM/TEMPLATE/OS/UUID",
                           "VM/TEMPLATE/SECURITY_GROUP_RULE",
                           "VM/TEMPLATE/TM_MAD_SYSTEM",
                           "VM/HISTORY_RECORDS/HISTORY/PLAN_ID",
                           "VM/HISTORY_RECORDS/HISTORY/ACTION_ID",
                           "VM/HISTORY_RECORDS/HISTORY/P",
                           "VM/HISTORY_RECORDS/HISTORY/R",
                           "VM/HISTORY_RECORDS/HISTORY/ES",
                           "VM/HISTORY_RECORDS/HISTORY/EE",
                           "VM/HISTORY_RECORDS/HISTORY/UID",
                           "VM/HISTORY_RECORDS/HISTORY/GID"}},
                    Shape{"vmpool-info", {}},
                    Shape{"imagepool", {"IMAGE_POOL/IMAGE/SNAPSHOTS/", "IMAGE_POOL/IMAGE/BACKUP_"}},
                    Shape{"vnpool",
                          {"VNET_POOL/VNET/TEMPLATE/BRIDGE_TYPE", "VNET_POOL/VNET/TEMPLATE/OUTER_VLAN_ID",
                           "VNET_POOL/VNET/TEMPLATE/PHYDEV", "VNET_POOL/VNET/TEMPLATE/VLAN_ID",
                           "VNET_POOL/VNET/AR_POOL/AR"}}),
    [](const auto& shape) {
      std::string name = shape.param.name;
      std::erase(name, '-');
      return name;
    });

}  // namespace
}  // namespace drover

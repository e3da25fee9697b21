// What the EC2 driver asks and what it makes of the answers.
#include <fstream>
#include <sstream>

#include "manager/system/digest.hpp"
#include "manager/system/iso_time.hpp"
#include "paths.hpp"
#include "tests/ec2/ec2_driver_stage.hpp"

namespace drover::test {
namespace {

std::string data(const std::string& name) {
  std::ifstream file(std::string(DROVER_SOURCE_DIR) + "/tests/ec2/data/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST_F(Ec2Driver, ANewInstanceIsOneSignedForm) {
  Ec2Config wanted = config();
  wanted.key_name = "key";
  wanted.security_groups = {"sg-1", "mysql"};
  wanted.availability_zone = "eu-north-1a";
  use(wanted);
  InstanceSpec spec = Ec2Driver::spec();
  spec.user_data = "#!/bin/sh\n";
  client_.say(200, launched(instance_item("i-1", 0)));
  ASSERT_TRUE(create(spec).has_value());
  ASSERT_EQ(client_.sent.size(), 1U);
  const auto& sent = client_.sent[0];
  EXPECT_EQ(sent.request.method + sent.request.target, "POST/");
  EXPECT_EQ(sent.request.value("user-agent"), "drover/" DROVER_VERSION " subject/node-1");
  EXPECT_EQ(sent.request.value("host"), "127.0.0.1:4566");
  const http::Fields form{{"Action", "RunInstances"},
                          {"Version", "2016-11-15"},
                          {"ImageId", "ami-1"},
                          {"InstanceType", "t3.small"},
                          {"MinCount", "1"},
                          {"MaxCount", "1"},
                          {"ClientToken", "db:node-1.1"},
                          {"KeyName", "key"},
                          {"Placement.AvailabilityZone", "eu-north-1a"},
                          {"SecurityGroupId.1", "sg-1"},
                          {"SecurityGroup.1", "mysql"},
                          {"UserData", base64_encode("#!/bin/sh\n")},
                          {"TagSpecification.1.ResourceType", "instance"},
                          {"TagSpecification.1.Tag.1.Key", "Name"},
                          {"TagSpecification.1.Tag.1.Value", "db-node-1"},
                          {"TagSpecification.1.Tag.2.Key", kServiceTag},
                          {"TagSpecification.1.Tag.2.Value", "db"},
                          {"TagSpecification.1.Tag.3.Key", kNodeTag},
                          {"TagSpecification.1.Tag.3.Value", "node-1"}};
  EXPECT_EQ(sent.form, form);
  const auto signature = aws::parse_sigv4(sent.request);
  ASSERT_TRUE(signature.has_value());
  EXPECT_EQ(signature.value().region + "/" + signature.value().service, "eu-north-1/ec2");
  EXPECT_TRUE(aws::is_signed_by(sent.request, signature.value(), "drover-secret"));
}

TEST_F(Ec2Driver, ASubnetIsNamedByTheSpecOrTheConfiguration) {
  Ec2Config wanted = config();
  wanted.subnet = "subnet-1";
  wanted.security_groups = {"sg-1"};
  use(wanted);
  InstanceSpec spec = Ec2Driver::spec();
  for (int i = 0; i < 3; ++i) client_.say(200, launched(instance_item("i-1", 0)));
  ASSERT_TRUE(create(spec).has_value());
  EXPECT_EQ(client_.sent.back().value("SubnetId"), "subnet-1");
  spec.network = "subnet-2";
  ASSERT_TRUE(create(spec).has_value());
  EXPECT_EQ(client_.sent.back().value("SubnetId"), "subnet-2");
  EXPECT_EQ(client_.sent.back().value("SecurityGroupId.1"), "sg-1");
  wanted.public_address = true;
  use(wanted);
  ASSERT_TRUE(create(spec).has_value());
  const auto& sent = client_.sent.back();
  EXPECT_EQ(sent.value("SubnetId"), "");
  EXPECT_EQ(sent.value("NetworkInterface.1.SubnetId"), "subnet-2");
  EXPECT_EQ(sent.value("NetworkInterface.1.SecurityGroupId.1"), "sg-1");
  EXPECT_EQ(sent.value("NetworkInterface.1.AssociatePublicIpAddress"), "true");
  EXPECT_EQ(sent.value("NetworkInterface.1.DeviceIndex"), "0");
}

TEST_F(Ec2Driver, ALongOrOddTokenIsHashedToWhatTheCloudTakes) {
  client_.say(200, launched(instance_item("i-1")));
  client_.say(200, launched(instance_item("i-1")));
  ASSERT_TRUE(create(spec(), "a/token").has_value());
  EXPECT_EQ(client_.sent.back().value("ClientToken"), to_hex(sha256("a/token")));
  ASSERT_TRUE(create(spec(), std::string(64, 'x')).has_value());
  EXPECT_EQ(client_.sent.back().value("ClientToken"), to_hex(sha256(std::string(64, 'x'))));
}

TEST_F(Ec2Driver, AnAnswerWithoutTagsIsFilledFromTheRequest) {
  client_.say(200, data("nova_run_instances.xml"));
  const auto made = create(spec());
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_EQ(made.value().id, "i-d5d4b5de");
  EXPECT_EQ(made.value().name, "db-node-1");
  EXPECT_EQ(made.value().tag(kNodeTag), "node-1");
  EXPECT_EQ(made.value().state, InstanceState::pending);
  EXPECT_EQ(to_iso8601(made.value().created_at), "2026-11-22T09:02:58Z");
}

TEST_F(Ec2Driver, ARecordedListingIsReadInTheOrderOfCreation) {
  client_.say(200, data("nova_describe_instances.xml"));
  const auto listed = list("");
  ASSERT_TRUE(listed.has_value()) << listed.error().message;
  std::vector<std::string> ids;
  for (const auto& info : listed.value()) ids.push_back(info.id);
  EXPECT_EQ(ids, (std::vector<std::string>{"i-326697fa", "i-04265d16", "i-f050af78", "i-d5d4b5de"}));
  EXPECT_EQ(listed.value()[3].address, "10.10.2.30");
  EXPECT_EQ(listed.value()[3].size, "m1.tiny");
  EXPECT_EQ(client_.sent[0].value("Filter.1.Name"), "");
}

TEST_F(Ec2Driver, AListingGoesThroughAllPages) {
  client_.say(200, listing(instance_item("i-1"), "page2"));
  client_.say(200, listing(instance_item("i-2"), "page3"));
  client_.say(200, listing(instance_item("i-3")));
  const auto listed = list();
  ASSERT_TRUE(listed.has_value());
  EXPECT_EQ(listed.value().size(), 3U);
  ASSERT_EQ(client_.sent.size(), 3U);
  EXPECT_EQ(client_.sent[0].value("Filter.1.Name"), std::string("tag:") + kServiceTag);
  EXPECT_EQ(client_.sent[0].value("Filter.1.Value.1"), "db");
  EXPECT_EQ(client_.sent[0].value("MaxResults"), "1000");
  EXPECT_EQ(client_.sent[0].value("NextToken"), "");
  EXPECT_EQ(client_.sent[1].value("NextToken"), "page2");
  EXPECT_EQ(client_.sent[2].value("NextToken"), "page3");
}

TEST_F(Ec2Driver, AListingWithoutAnEndIsAnError) {
  for (int i = 0; i < 3; ++i) client_.say(200, listing(instance_item("i-1"), "again"));
  const auto listed = list();
  ASSERT_TRUE(listed.has_error());
  EXPECT_EQ(listed.error().code, ErrorCode::protocol);
  EXPECT_EQ(client_.sent.size(), 2U);
}

TEST_F(Ec2Driver, EveryStateHasItsWord) {
  for (const auto& [code, state] : {std::pair{0, InstanceState::pending},
                                    {16, InstanceState::running},
                                    {256 + 16, InstanceState::running},
                                    {32, InstanceState::shutting_down},
                                    {48, InstanceState::terminated},
                                    {64, InstanceState::stopping},
                                    {80, InstanceState::stopped}}) {
    client_.say(200,
                listing(instance_item("i-1", code,
                                      "<privateIpAddress>10.0.0.5</privateIpAddress><tagSet><item><key>Name"
                                      "</key><value>n</value></item><item><key>k</key><value>v</value></item>"
                                      "</tagSet>")));
    const auto info = look_up("i-1");
    ASSERT_TRUE(info.has_value()) << code;
    EXPECT_EQ(info.value().state, state) << code;
    EXPECT_EQ(info.value().address, "10.0.0.5");
    EXPECT_EQ(info.value().name, "n");
    EXPECT_EQ(info.value().tags, (Tags{{"k", "v"}}));
  }
  client_.say(200, listing(instance_item("i-1", 7)));
  const auto odd = look_up("i-1");
  ASSERT_TRUE(odd.has_error());
  EXPECT_EQ(odd.error().code, ErrorCode::protocol);
}

TEST_F(Ec2Driver, AFailedLaunchIsAnErrorUntilItIsTerminated) {
  const std::string reason =
      "<stateReason><code>Server.InternalError</code><message>Server.InternalError: no "
      "host</message></stateReason>";
  client_.say(200, listing(instance_item("i-1", 48, reason)));
  const auto failed = look_up("i-1");
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(failed.value().state, InstanceState::error);
  EXPECT_EQ(failed.value().fault, "Server.InternalError: no host");
  client_.say(200, "<TerminateInstancesResponse><instancesSet/></TerminateInstancesResponse>");
  ASSERT_TRUE(kill("i-1").has_value());
  EXPECT_EQ(client_.sent.back().value("InstanceId.1"), "i-1");
  client_.say(200, listing(instance_item("i-1", 48, reason)));
  EXPECT_EQ(look_up("i-1").value().state, InstanceState::terminated);
  client_.say(200, listing(instance_item(
                       "i-2", 48, "<stateReason><code>Client.UserInitiatedShutdown</code></stateReason>")));
  EXPECT_EQ(look_up("i-2").value().state, InstanceState::terminated);
  client_.say(200, listing(instance_item(
                       "i-3", 48, "<stateReason><code>Server.SpotInstanceTermination</code></stateReason>")));
  EXPECT_EQ(look_up("i-3").value().state, InstanceState::terminated);
}

TEST_F(Ec2Driver, WhatIsUnknownIsNotFoundAndKilled) {
  client_.refuse(400, "InvalidInstanceID.NotFound");
  const auto info = look_up("i-9");
  ASSERT_TRUE(info.has_error());
  EXPECT_EQ(info.error().code, ErrorCode::not_found);
  client_.say(200, "<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>");
  EXPECT_EQ(look_up("i-9").error().code, ErrorCode::not_found);
  client_.refuse(400, "InvalidInstanceID.NotFound");
  EXPECT_TRUE(kill("i-9").has_value());
}

TEST_F(Ec2Driver, WhatWasJustCreatedIsNotTakenForGone) {
  client_.say(200, launched(instance_item("i-1", 0)));
  std::optional<Result<void>> killed;
  cloud().newInstance(context_, spec(), "t", [](Result<InstanceInfo>) {});
  scheduler_.run_until(scheduler_.later(1s));
  client_.refuse(400, "InvalidInstanceID.NotFound");
  cloud().killInstance(context_, "i-1", [&](Result<void> result) { killed.emplace(std::move(result)); });
  scheduler_.run_until(scheduler_.later(1s));
  ASSERT_TRUE(killed.has_value());
  ASSERT_TRUE(killed->has_error());
  EXPECT_EQ(killed->error().code, ErrorCode::not_found);
  EXPECT_EQ(killed->error().retry, Retry::soon);
  scheduler_.run_until(scheduler_.later(3min));
  client_.refuse(400, "InvalidInstanceID.NotFound");
  EXPECT_TRUE(kill("i-1").has_value());
}

TEST_F(Ec2Driver, ATokenWhoseInstanceIsTerminatedAnswersThatInstance) {
  client_.refuse(400, "IdempotentInstanceTerminated");
  client_.say(200, listing(instance_item("i-1", 48)));
  const auto made = create(spec(), "t");
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_EQ(made.value().id, "i-1");
  EXPECT_EQ(made.value().state, InstanceState::terminated);
  EXPECT_EQ(client_.sent[1].value("Filter.1.Name"), "client-token");
  EXPECT_EQ(client_.sent[1].value("Filter.1.Value.1"), "t");
}

TEST_F(Ec2Driver, VolumesAreMadeInTheCloudsFirstZone) {
  client_.say(
      200,
      "<DescribeAvailabilityZonesResponse><availabilityZoneInfo><item><zoneName>a</zoneName><zoneState>"
      "impaired</zoneState></item><item><zoneName>b</zoneName><zoneState>available</zoneState></item>"
      "</availabilityZoneInfo></DescribeAvailabilityZonesResponse>");
  const std::string made =
      "<CreateVolumeResponse><volumeId>vol-1</volumeId><size>10</size><status>creating</status>"
      "</CreateVolumeResponse>";
  client_.say(200, made);
  client_.say(200, made);
  for (int i = 0; i < 2; ++i) {
    const auto volume = ask<VolumeInfo>(
        [&](auto handler) { cloud().createVolume(context_, "data", 10, "t", std::move(handler)); });
    ASSERT_TRUE(volume.has_value()) << volume.error().message;
    EXPECT_EQ(volume.value().id, "vol-1");
    EXPECT_EQ(volume.value().name, "data");
    EXPECT_EQ(volume.value().gigabytes, 10U);
  }
  ASSERT_EQ(client_.sent.size(), 3U);
  EXPECT_EQ(client_.sent[1].value("AvailabilityZone"), "b");
  EXPECT_EQ(client_.sent[1].value("Size"), "10");
  EXPECT_EQ(client_.sent[1].value("ClientToken"), "t");
}

TEST_F(Ec2Driver, AVolumeIsAttachedUnderANameThatIsFree) {
  client_.say(200, listing(instance_item("i-1", 16,
                                         "<blockDeviceMapping><item><deviceName>/dev/sdf</deviceName></item>"
                                         "</blockDeviceMapping>")));
  client_.say(200, "<AttachVolumeResponse><status>attaching</status></AttachVolumeResponse>");
  const auto attach = [&] {
    return ask<void>(
        [&](auto handler) { cloud().attachVolume(context_, "vol-1", "i-1", std::move(handler)); });
  };
  ASSERT_TRUE(attach().has_value());
  EXPECT_EQ(client_.sent[1].value("Device"), "/dev/sdg");
  EXPECT_EQ(client_.sent[1].value("VolumeId") + client_.sent[1].value("InstanceId"), "vol-1i-1");
  const auto volumes = [](const std::string& holder) {
    return "<DescribeVolumesResponse><volumeSet><item><volumeId>vol-1</volumeId><size>1</size><status>in-use"
           "</status><attachmentSet><item><instanceId>" +
           holder + "</instanceId><status>attached</status></item></attachmentSet></item></volumeSet>" +
           "</DescribeVolumesResponse>";
  };
  for (const std::string holder : {"i-1", "i-2"}) {
    client_.say(200, listing(instance_item("i-1")));
    client_.refuse(400, "VolumeInUse");
    client_.say(200, volumes(holder));
    const auto attached = attach();
    EXPECT_EQ(attached.has_value(), holder == "i-1");
    if (holder == "i-2") {
      ASSERT_TRUE(attached.has_error());
      EXPECT_EQ(attached.error().code, ErrorCode::wrong_state);
    }
  }
}

TEST_F(Ec2Driver, ADeletedVolumeIsDeleted) {
  const auto drop = [&] {
    return ask<void>([&](auto handler) { cloud().deleteVolume(context_, "vol-1", std::move(handler)); });
  };
  client_.say(200, "<DeleteVolumeResponse><return>true</return></DeleteVolumeResponse>");
  EXPECT_TRUE(drop().has_value());
  client_.refuse(400, "InvalidVolume.NotFound");
  EXPECT_TRUE(drop().has_value());
  client_.refuse(400, "VolumeInUse");
  EXPECT_EQ(drop().error().code, ErrorCode::wrong_state);
}

TEST_F(Ec2Driver, AConfigurationThatCannotWorkIsRefusedByName) {
  const auto refused = [](auto change) {
    Ec2Config config = Ec2Driver::config();
    change(config);
    const auto checked = check_config(config);
    return checked.has_error() ? checked.error().message : std::string();
  };
  EXPECT_EQ(refused([](Ec2Config&) {}), "");
  EXPECT_THAT(refused([](Ec2Config& c) { c.region = "eu north"; }), testing::HasSubstr("ec2.region"));
  EXPECT_THAT(refused([](Ec2Config& c) { c.endpoint = "ec2.example"; }), testing::HasSubstr("ec2.endpoint"));
  EXPECT_THAT(refused([](Ec2Config& c) { c.credentials.secret = ""; }), testing::HasSubstr("AWS_SECRET"));
  EXPECT_THAT(refused([](Ec2Config& c) { c.page_size = 4; }), testing::HasSubstr("page_size"));
  EXPECT_THAT(refused([](Ec2Config& c) {
                c.public_address = true;
                c.subnet = "subnet-1";
                c.security_groups = {"mysql"};
              }),
              testing::HasSubstr("security_groups"));
  Ec2Config config = Ec2Driver::config();
  config.credentials = {};
  use(config);
  EXPECT_EQ(list().error().code, ErrorCode::invalid);
  EXPECT_TRUE(client_.sent.empty());
}

TEST_F(Ec2Driver, TheDoctorSaysWhatIsWrongAndHowToMendIt) {
  const auto check = [&] {
    return ask<std::vector<std::string>>([&](auto handler) { cloud().check(spec(), std::move(handler)); });
  };
  client_.say(200, "<DescribeRegionsResponse><regionInfo/></DescribeRegionsResponse>");
  client_.refuse(400, "InvalidAMIID.NotFound");
  client_.refuse(400, "InvalidAction");
  auto problems = check();
  ASSERT_TRUE(problems.has_value());
  ASSERT_EQ(problems.value().size(), 1U) << testing::PrintToString(problems.value());
  EXPECT_THAT(problems.value()[0], testing::HasSubstr("InvalidAMIID.NotFound"));
  EXPECT_THAT(problems.value()[0], testing::HasSubstr("ec2.image"));
  client_.say(200, "<DescribeRegionsResponse><regionInfo/></DescribeRegionsResponse>");
  client_.say(200, "<DescribeImagesResponse/>");
  client_.say(200, "<DescribeInstanceTypesResponse/>");
  client_.refuse(412, "DryRunOperation");
  problems = check();
  EXPECT_TRUE(problems.value().empty()) << testing::PrintToString(problems.value());
  EXPECT_EQ(client_.sent.back().value("DryRun"), "true");
  client_.refuse(401, "AuthFailure");
  EXPECT_EQ(check().value().size(), 1U);
}

}  // namespace
}  // namespace drover::test

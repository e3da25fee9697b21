// Records survive the journal's documents, and documents that no manager wrote give an error.
#include "manager/model/codec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace drover::model {
namespace {

using testing::HasSubstr;

Operation full_operation() {
  Operation operation;
  operation.id = 12;
  operation.request.kind = OperationKind::set_up_replica_slave;
  operation.request.key = "key \"with\" \\ and \n";
  operation.request.count = 3;
  operation.request.node = 9;
  operation.request.partial = PartialPolicy::keep;
  operation.request.force = true;
  operation.request.source = {"10.0.0.1", "mysql-bin.000009", 1'234'567'890'123, 77};
  operation.state = OperationState::compensating;
  operation.nodes = {1, 2, 9};
  operation.epoch = 1ULL << 40U;
  operation.former = 4;
  operation.error = "it broke";
  operation.cancelling = true;
  operation.warning = "half of it";
  operation.accepted_at_ns = 1;
  operation.ended_at_ns = std::numeric_limits<std::int64_t>::max();
  return operation;
}

void expect_same(const Operation& a, const Operation& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.request.kind, b.request.kind);
  EXPECT_EQ(a.request.key, b.request.key);
  EXPECT_EQ(a.request.count, b.request.count);
  EXPECT_EQ(a.request.node, b.request.node);
  EXPECT_EQ(a.request.partial, b.request.partial);
  EXPECT_EQ(a.request.force, b.request.force);
  EXPECT_EQ(a.request.source.master_host, b.request.source.master_host);
  EXPECT_EQ(a.request.source.master_log_file, b.request.source.master_log_file);
  EXPECT_EQ(a.request.source.master_log_pos, b.request.source.master_log_pos);
  EXPECT_EQ(a.request.source.slave_server_id, b.request.source.slave_server_id);
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.nodes, b.nodes);
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_EQ(a.former, b.former);
  EXPECT_EQ(a.error, b.error);
  EXPECT_EQ(a.cancelling, b.cancelling);
  EXPECT_EQ(a.warning, b.warning);
  EXPECT_EQ(a.accepted_at_ns, b.accepted_at_ns);
  EXPECT_EQ(a.ended_at_ns, b.ended_at_ns);
}

TEST(Codec, AServiceIsReadBack) {
  Service service;
  service.state = ServiceState::S_ADAPTING;
  service.epoch = std::numeric_limits<std::uint64_t>::max();
  service.next_node = 5;
  service.next_operation = 6;
  service.next_server_id = std::numeric_limits<std::uint32_t>::max();
  service.primary = 3;
  service.maybe_writable = 4;
  service.doomed = {"i-1", "i-2"};
  const auto read = decode_service(encode(service));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(encode(read.value()), encode(service));
  EXPECT_EQ(read.value().epoch, service.epoch);
  EXPECT_EQ(read.value().maybe_writable, 4);
  EXPECT_EQ(read.value().doomed, service.doomed);
}

TEST(Codec, ANodeIsReadBackInEveryStateAndRole) {
  for (int state = 0; state < kNodeStates; ++state) {
    for (const Role role : {Role::none, Role::primary, Role::replica}) {
      Node node;
      node.id = 3;
      node.state = static_cast<NodeState>(state);
      node.role = role;
      node.server_id = 8;
      node.attempt = 65535;
      node.mysqld_port = 3307;
      node.operation = 2;
      node.vm = "i-0001";
      node.address = "10.0.0.1";
      const auto read = decode_node(encode(node));
      ASSERT_TRUE(read.has_value());
      EXPECT_EQ(encode(read.value()), encode(node));
      EXPECT_EQ(read.value().state, node.state);
      EXPECT_EQ(read.value().role, role);
    }
  }
}

TEST(Codec, WhatWasOnlySeenIsNotJournaled) {
  Node node;
  node.id = 3;
  const std::string before = encode(node);
  node.fresh = true;
  node.misses = 3;
  node.server_running = true;
  node.seconds_behind = 9;
  EXPECT_EQ(encode(node), before);
}

TEST(Codec, AnOperationIsReadBack) {
  const auto operation = full_operation();
  const auto read = decode_operation(encode(operation));
  ASSERT_TRUE(read.has_value());
  expect_same(read.value(), operation);
}

TEST(Codec, AnOperationIsReadBackInEveryKindAndState) {
  for (int kind = 0; kind < kOperationKinds; ++kind) {
    for (int state = 0; state < kOperationStates; ++state) {
      Operation operation;
      operation.id = 1;
      operation.request.kind = static_cast<OperationKind>(kind);
      operation.state = static_cast<OperationState>(state);
      const auto read = decode_operation(encode(operation));
      ASSERT_TRUE(read.has_value());
      expect_same(read.value(), operation);
    }
  }
}

TEST(Codec, ASourceWithoutAServerIdIsReadBack) {
  Operation operation;
  operation.id = 1;
  operation.request.source.master_host = "10.0.0.9";
  const auto read = decode_operation(encode(operation));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read.value().request.source.master_host, "10.0.0.9");
}

TEST(Codec, TextsThatAreNoUtf8AreWrittenAllTheSame) {
  Node node;
  node.id = 1;
  node.vm = "i-\xff\xfe";
  node.address = "\xc3";
  EXPECT_TRUE(decode_node(encode(node)).has_value());
  Operation operation;
  operation.id = 1;
  operation.request.key = "\xff";
  operation.error = "\xc3\x28";
  EXPECT_TRUE(decode_operation(encode(operation)).has_value());
}

TEST(Codec, UnknownKeysAreIgnored) {
  EXPECT_TRUE(decode_service(R"({"state": "RUNNING", "new": [1, {"a": null}]})").has_value());
  EXPECT_TRUE(decode_node(R"({"id": 1, "state": "RUNNING", "new": true})").has_value());
  EXPECT_TRUE(decode_operation(R"({"id": 1, "kind": "promote", "state": "DONE", "new": 1.5})").has_value());
}

TEST(Codec, MissingKeysTakeTheirDefault) {
  const auto service = decode_service("{}");
  ASSERT_TRUE(service.has_value());
  EXPECT_EQ(encode(service.value()), encode(Service{}));
  const auto node = decode_node(R"({"id": 1, "state": "RUNNING"})");
  ASSERT_TRUE(node.has_value());
  EXPECT_EQ(node.value().attempt, 1);
  EXPECT_EQ(node.value().mysqld_port, 3306);
}

const char* const kNoRecords[] = {
    "", " ", "{", "null", "true", "3", "\"text\"", "[]", "[{}]", "{\"id\":", "\xff", "{\"\xff\": 1}", "{} {}",
};

TEST(HostileDocuments, ThatAreNoJsonObjectAreErrors) {
  for (const char* document : kNoRecords) {
    EXPECT_TRUE(decode_service(document).has_error()) << document;
    EXPECT_TRUE(decode_node(document).has_error()) << document;
    EXPECT_TRUE(decode_operation(document).has_error()) << document;
  }
}

TEST(HostileDocuments, AreErrorsOfTheStorageThatNameTheDocument) {
  const auto read = decode_operation(R"({"id": "x"})");
  ASSERT_TRUE(read.has_error());
  EXPECT_EQ(read.error().code, ErrorCode::storage);
  EXPECT_THAT(read.error().message, HasSubstr("operation"));
}

TEST(HostileDocuments, NestedWithoutEndAreErrors) {
  std::string deep(200'000, '[');
  EXPECT_TRUE(decode_node(deep).has_error());
  deep += std::string(200'000, ']');
  EXPECT_TRUE(decode_node("{\"id\": 1, \"state\": " + deep + "}").has_error());
}

TEST(HostileDocuments, ServicesWithValuesOfTheWrongKindAreErrors) {
  for (const char* document :
       {R"({"state": 3})", R"({"state": null})", R"({"state": "HAPPY"})", R"({"epoch": "1"})",
        R"({"epoch": -1})", R"({"epoch": 1.5})", R"({"epoch": 1e300})", R"({"next_node": [1]})",
        R"({"next_node": 99999999999999999999})", R"({"next_node": 9223372036854775808})",
        R"({"next_server_id": 4294967296})", R"({"next_server_id": -1})", R"({"next_server_id": 0})",
        R"({"next_node": 0})", R"({"next_operation": -5})", R"({"primary": true})", R"({"primary": {}})"})
    EXPECT_TRUE(decode_service(document).has_error()) << document;
}

TEST(HostileDocuments, NodesWithValuesOfTheWrongKindAreErrors) {
  for (const char* document :
       {R"({})", R"({"id": 1})", R"({"state": "RUNNING"})", R"({"id": null, "state": "RUNNING"})",
        R"({"id": "1", "state": "RUNNING"})", R"({"id": 1.0e30, "state": "RUNNING"})",
        R"({"id": 0, "state": "RUNNING"})", R"({"id": 1, "state": "HAPPY"})",
        R"({"id": 1, "state": "RUNNING", "role": "king"})",
        R"({"id": 1, "state": "RUNNING", "attempt": 65536})",
        R"({"id": 1, "state": "RUNNING", "attempt": -1})",
        R"({"id": 1, "state": "RUNNING", "mysqld_port": 70000})",
        R"({"id": 1, "state": "RUNNING", "server_id": 4294967296})",
        R"({"id": 1, "state": "RUNNING", "vm": 5})", R"({"id": 1, "state": "RUNNING", "address": null})"})
    EXPECT_TRUE(decode_node(document).has_error()) << document;
}

TEST(HostileDocuments, OperationsWithValuesOfTheWrongKindAreErrors) {
  const std::string head = R"({"id": 1, "kind": "add_nodes", "state": "QUEUED")";
  for (const char* rest :
       {R"(, "nodes": 3})", R"(, "nodes": ["a"]})", R"(, "nodes": [1e30]})", R"(, "nodes": {"1": 2}})",
        R"(, "count": "3"})", R"(, "count": 1e19})", R"(, "key": 3})", R"(, "force": "yes"})",
        R"(, "source": 3})", R"(, "source": "10.0.0.1"})", R"(, "source": []})",
        R"(, "source": {"slave_server_id": -1}})", R"(, "source": {"master_log_pos": 1e40}})",
        R"(, "epoch": -1})", R"(, "cancelling": 1})", R"(, "ended_at_ns": 1e300})"})
    EXPECT_TRUE(decode_operation(head + rest).has_error()) << rest;
}

TEST(HostileDocuments, AnOperationOfAnUnknownKindOrStateIsAnErrorAndNotAnotherOperation) {
  EXPECT_TRUE(decode_operation(R"({"id": 1, "kind": "explode", "state": "QUEUED"})").has_error());
  EXPECT_TRUE(decode_operation(R"({"id": 1, "kind": "add_nodes", "state": "HAPPY"})").has_error());
}

TEST(HostileDocuments, CutAnywhereAreErrors) {
  const std::string whole = encode(full_operation());
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_TRUE(decode_operation(whole.substr(0, length)).has_error()) << length;
}

TEST(HostileDocuments, WithAnyByteChangedNeverThrow) {
  const std::string whole = encode(full_operation());
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char byte : {'\0', '"', '{', '9', '-', '\xff'}) {
      std::string changed = whole;
      changed[at] = byte;
      EXPECT_NO_THROW({
        (void)decode_operation(changed);
        (void)decode_node(changed);
        (void)decode_service(changed);
      });
    }
  }
}

}  // namespace
}  // namespace drover::model

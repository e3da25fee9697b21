// Input that no friend would send, against the real process: each is told what is wrong or runs out of time,
// memory stays bounded, and the next caller is served.
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/serve/serve_fixture.hpp"

namespace drover::serve_test {
namespace {

// Of the whole process; body_memory_max is 256 MiB. A sanitizer keeps what was freed for a while.
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
constexpr std::size_t kMemoryMibMax = 2000;
#else
constexpr std::size_t kMemoryMibMax = 600;
#endif

class HostileInput : public Serve {
 protected:
  void SetUp() override { start(); }
  void TearDown() override {
    EXPECT_TRUE(get("get_service_info").contains("result")) << "a normal call is not answered any more";
    EXPECT_TRUE(server_->running()) << server_->err();
  }
  HttpAnswer ask(const std::string& bytes) const {
    HttpClient client(server_->port());
    client.send(bytes);
    return client.read_answer(false, kPatience);
  }
  json envelope_of(const std::string& body) const {
    return json::parse(ask(post_request(body)).body, nullptr, false);
  }
};

TEST_F(HostileInput, UnknownKeysAreNamed) {
  EXPECT_EQ(get("list_nodes", {{"foo", 1}})["error"], "Unexpected arguments [u'foo']");
}

TEST_F(HostileInput, UnknownKeysAreNamedInTheOrderOfTheRequest) {
  const json answer = envelope_of(
      R"({"method": "set_up_replica_master", "params": {"zeta": 1, "id": "1", "alpha": {"id": 2}}, "id": 1})");
  EXPECT_EQ(answer["error"], "Unexpected arguments [u'zeta', u'alpha']");
}

TEST_F(HostileInput, WrongTypesAreInvalidArguments) {
  for (const json& count :
       {json("2"), json(1.5), json(true), json(nullptr), json::array({1}), json::object()})
    EXPECT_EQ(post("add_nodes", {{"count", count}})["code"], 5) << count;
}

TEST_F(HostileInput, LongIdsAreEchoed) {
  for (const std::string& id : {std::string(300, '7'), "\"" + std::string(100'000, 'x') + "\""})
    EXPECT_THAT(ask(post_request(R"({"method": "startup", "params": {}, "id": )" + id + "}")).body,
                testing::StartsWith("{\"id\": " + id));
}

TEST_F(HostileInput, NumbersBeyondAllRangesAreNotJson) {
  EXPECT_EQ(
      envelope_of(R"({"method": "startup", "params": {}, "id": )" + std::string(100'000, '7') + "}")["code"],
      5);
}

TEST_F(HostileInput, HugeNodeIdsAreUnknownNodes) {
  for (const char* id : {"99999999999999999999999999", "-1", "0", "1e9", "\\u0000", "node-1"})
    EXPECT_EQ(envelope_of(std::string(R"({"method": "remove_nodes", "params": {"serviceNodeId": ")") + id +
                          R"("}, "id": 1})")["code"],
              5)
        << id;
}

TEST_F(HostileInput, HugeOperationIdsAreUnknownOperations) {
  for (const json& id : {json("999999999999999999999"), json(UINT64_MAX), json(-5), json(1e300)})
    EXPECT_TRUE(get("get_operation", {{"id", id}})["code"].is_number()) << id;
}

TEST_F(HostileInput, BrokenJsonIsAnEnvelope) {
  for (const char* body :
       {"{", "[", "{\"method\": ", "{\"method\": \"add_nodes\", \"params\": {\"count\": 1}", "\"", "{]",
        "{\"a\": \\u}", "nul"})
    EXPECT_EQ(envelope_of(body)["code"], 5) << body;
}

TEST_F(HostileInput, InvalidUtf8IsAnEnvelope) {
  EXPECT_EQ(
      envelope_of("{\"method\": \"add_nodes\", \"params\": {\"key\": \"\xff\xfe\"}, \"id\": 1}")["code"], 5);
}

TEST_F(HostileInput, DeepJsonIsRefused) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_EQ(envelope_of(R"({"method": "add_nodes", "id": 1, "params": )" + deep + "}")["code"], 5);
}

TEST_F(HostileInput, DeepJsonWithoutAnEndIsRefused) {
  EXPECT_EQ(envelope_of(std::string(100'000, '['))["code"], 5);
}

TEST_F(HostileInput, ManyKeysAreRefused) {
  std::string params = "{";
  for (int i = 0; i < 100'000; ++i) params += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":0";
  EXPECT_EQ(envelope_of(R"({"method": "add_nodes", "id": 1, "params": )" + params + "}}")["code"], 0);
}

TEST_F(HostileInput, BodiesOf64MibAreRefusedWithinBounds) {
  const std::string body(std::size_t{64} << 20U, ' ');
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ask(post_request(body)).status, 413);
  EXPECT_LT(server_->resident_mib(), kMemoryMibMax);
}

TEST_F(HostileInput, ManyLargeBodiesAtOnceAreWithinBounds) {
  const std::string half(std::size_t{4} << 20U, ' ');
  std::vector<HttpClient> clients;
  for (int i = 0; i < 100; ++i) {
    clients.emplace_back(server_->port());
    clients.back().send("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " +
                        std::to_string(2 * half.size()) + "\r\n\r\n");
    clients.back().send(half);
  }
  EXPECT_TRUE(get("list_nodes").contains("result"));
  EXPECT_LT(server_->resident_mib(), kMemoryMibMax);
}

class PatienceEnds : public HostileInput {
 protected:
  void SetUp() override {
    start(
        {"--config", scratch_.write("serve.yaml", "limits: {header_timeout: 500ms, body_timeout: 500ms}\n")});
  }
};

TEST_F(PatienceEnds, WithHeadersThatNeverEnd) {
  EXPECT_EQ(ask("GET /?method=list_nodes&id=1 HTTP/1.1\r\nHost").status, 408);
}

TEST_F(PatienceEnds, WithBodiesThatNeverEnd) {
  EXPECT_EQ(ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{")
                .status,
            408);
}

TEST_F(HostileInput, TwoThousandIdleConnectionsAreBorne) {
  std::vector<HttpClient> clients;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  for (int i = 0; i < 2000; ++i) clients.emplace_back(server_->port());
  EXPECT_TRUE(get("list_nodes").contains("result"));
  EXPECT_EQ(clients.front().exchange(get_request("method=list_nodes&id=1")).status, 200);
  EXPECT_EQ(clients.back().exchange(get_request("method=list_nodes&id=1")).status, 200);
  EXPECT_LT(server_->resident_mib(), kMemoryMibMax);
}

// Opens `count` connections at once without waiting for any, and closes them.
int connect_and_leave(std::uint16_t port, int count) {
  std::vector<pollfd> sockets;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < count; ++i) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (socket < 0) break;
    (void)::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address);
    sockets.push_back({socket, POLLOUT, 0});
  }
  int connected = 0;
  for (pollfd& one : sockets) {
    ::poll(&one, 1, 20'000);
    connected += (one.revents & POLLOUT) != 0 && (one.revents & POLLERR) == 0 ? 1 : 0;
    ::close(one.fd);
  }
  return connected;
}

TEST_F(HostileInput, TenThousandConnectsAreBorne) {
  int connected = 0;
  for (int batch = 0; batch < 20; ++batch) connected += connect_and_leave(server_->port(), 500);
  EXPECT_EQ(connected, 10'000);
  EXPECT_LT(server_->resident_mib(), kMemoryMibMax);
}

}  // namespace
}  // namespace drover::serve_test

// What one client may cost: sizes, times, numbers of connections, memory.
#include <sys/resource.h>

#include "tests/http/fake_manager.hpp"

namespace drover::http_test {
namespace {

using nlohmann::json;

constexpr std::size_t kMiB = 1024 * 1024;

class Limits : public Http {};

TEST_F(Limits, ALongRequestLineWithinTheLimitIsAnswered) {
  start();
  EXPECT_EQ(ask(get_request("method=list_nodes&id=1&pad=" + std::string(200000, 'x'))).status, 200);
}

TEST_F(Limits, ALongerRequestLineIsToldWith414) {
  start();
  EXPECT_EQ(ask(get_request("method=list_nodes&id=1&pad=" + std::string(300000, 'x'))).status, 414);
}

TEST_F(Limits, LongerHeadersAreToldWith431) {
  start();
  const std::string header = "X-Big: " + std::string(300000, 'y') + "\r\n";
  EXPECT_EQ(ask(get_request("method=list_nodes&id=1", header)).status, 431);
}

TEST_F(Limits, ManyShortHeadersAreToldWith431) {
  start();
  std::string headers;
  for (int i = 0; i < 60000; ++i) headers += "a: b\r\n";
  EXPECT_EQ(ask(get_request("method=list_nodes&id=1", headers)).status, 431);
}

TEST_F(Limits, ABodyOf64MiBIsRefusedWithoutBeingKept) {
  start();
  HttpClient client = connect();
  const std::size_t before = resident_memory();
  reset_peak_memory();
  client.send(json_post_head() + "Content-Length: 67108864\r\n\r\n");
  const std::string piece(64 * 1024, 'z');
  for (int i = 0; i < 1024 && client.send(piece); ++i) {
  }
  EXPECT_EQ(client.read_answer().status, 413);
  EXPECT_LT(memory_growth(peak_memory(), before), 4 * kMiB);
}

TEST_F(Limits, AnEndlessChunkedBodyIsRefusedAtTheLimit) {
  start();
  HttpClient client = connect();
  client.send(json_post_head() + "Transfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(65536, 'z') + "\r\n";
  for (int i = 0; i < 300 && client.send(chunk); ++i) {
  }
  EXPECT_EQ(client.read_answer().status, 413);
}

TEST_F(Limits, AnEndlessChunkHeaderIsABadRequest) {
  start();
  HttpClient client = connect();
  client.send(json_post_head() + "Transfer-Encoding: chunked\r\n\r\n1;");
  client.send(std::string(300000, 'x'));
  EXPECT_EQ(client.read_answer().status, 400);
}

TEST_F(Limits, ABodyJustWithinTheLimitIsRead) {
  api::ServerLimits limits;
  limits.json_bytes_max = 4096;
  start(limits);
  std::string body = R"({"method":"add_nodes","id":1})";
  body.resize(4096, ' ');
  EXPECT_EQ(ask(post_request(body)).status, 200);
  EXPECT_EQ(ask(post_request(body + " ")).status, 413);
}

TEST_F(Limits, BodiesTogetherAreBounded) {
  api::ServerLimits limits;
  limits.body_memory_max = 10000;
  start(limits);
  HttpClient holder = connect();
  holder.send(json_post_head() + "Content-Length: 9001\r\n\r\n" + std::string(9000, ' '));
  while (server_->statistics().body_bytes < 9000) std::this_thread::yield();
  EXPECT_EQ(ask(post_request(std::string(2000, ' '))).status, 503);
  holder.send(" ");
  EXPECT_EQ(holder.read_answer().status, 200);
  EXPECT_EQ(server_->statistics().body_bytes, 0U);
}

TEST_F(Limits, HeadersThatNeverEndTimeOut) {
  api::ServerLimits limits;
  limits.header_timeout = 60ms;
  start(limits);
  HttpClient client = connect();
  client.send("GET /?method=list_nodes&id=1 HTTP/1.1\r\nContent-Type: application/json\r\n");
  EXPECT_EQ(client.read_answer().status, 408);
}

TEST_F(Limits, HeadersThatTrickleTimeOut) {
  api::ServerLimits limits;
  limits.header_timeout = 100ms;
  start(limits);
  HttpClient client = connect();
  client.send("GET /?method=list_nodes&id=1 HTTP/1.1\r\nX: ");
  for (int i = 0; i < 400 && client.send("x"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (server_->statistics().timeouts > 0) break;
  }
  EXPECT_EQ(client.read_answer().status, 408);
}

TEST_F(Limits, ABodyThatNeverEndsTimesOut) {
  api::ServerLimits limits;
  limits.body_timeout = 60ms;
  start(limits);
  HttpClient client = connect();
  client.send(json_post_head() + "Content-Length: 10\r\n\r\n{");
  EXPECT_EQ(client.read_answer().status, 408);
}

TEST_F(Limits, AnIdleConnectionIsClosedWithoutAnAnswer) {
  api::ServerLimits limits;
  limits.idle_timeout = 60ms;
  start(limits);
  HttpClient fresh = connect();
  HttpClient used = connect();
  used.exchange(get_request("method=list_nodes&id=1"));
  EXPECT_TRUE(fresh.sees_end());
  EXPECT_TRUE(used.sees_end());
}

TEST_F(Limits, AnAnswerThatNobodyTakesTimesOut) {
  api::ServerLimits limits;
  limits.body_timeout = 60ms;
  start(limits);
  HttpClient client(server_->port(), 4096);
  for (int i = 0; i < 20; ++i) client.send(get_request("method=big&id=1"));
  while (server_->statistics().connections_open > 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  SUCCEED();
}

TEST_F(Limits, OneConnectionTooManyIsToldToComeBack) {
  api::ServerLimits limits;
  limits.connections_max = 3;
  start(limits);
  std::vector<HttpClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(connect());
    clients.back().exchange(get_request("method=list_nodes&id=1"));
  }
  const HttpAnswer refused = ask(get_request("method=list_nodes&id=1"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
  EXPECT_EQ(clients.front().exchange(get_request("method=list_nodes&id=1")).status, 200);
  clients.pop_back();
  while (server_->statistics().connections_open > 2)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_EQ(ask(get_request("method=list_nodes&id=1")).status, 200);
}

TEST_F(Limits, TwoThousandIdleConnectionsDisturbNobody) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur < 4200) GTEST_SKIP() << "needs 4,200 file descriptors, may open " << files.rlim_cur;
  start();
  const std::size_t before = resident_memory();
  std::vector<HttpClient> idle;
  for (int i = 0; i < 2000; ++i) idle.push_back(connect());
  for (int i = 0; i < 1000; ++i) idle[static_cast<std::size_t>(i)].send("GET /?meth");
  while (server_->statistics().connections_open < 2000)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  HttpClient client = connect();
  for (int i = 0; i < 200; ++i) ASSERT_EQ(client.exchange(get_request("method=list_nodes&id=1")).status, 200);
  EXPECT_LT(memory_growth(resident_memory(), before), 32 * kMiB);
}

TEST_F(Limits, AQueryNestedTooDeeplyIsTold) {
  start();
  const std::string deep(70, '[');
  EXPECT_EQ(envelope(ask(get_request("method=echo&id=1&params=" + deep)))["code"], 5);
}

TEST_F(Limits, NestingWithinTheLimitIsRead) {
  start();
  const std::string params = std::string(63, '[') + std::string(63, ']');
  EXPECT_EQ(envelope(ask(post_request(R"({"method":"echo","id":1,"params":)" + params + "}")))["error"],
            nullptr);
}

}  // namespace
}  // namespace drover::http_test

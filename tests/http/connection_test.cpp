// Connections: keep-alive, pipelining, framing of bodies, time limits, shutdown, many clients.
#include "tests/http/fake_manager.hpp"

namespace drover::http_test {
namespace {

using nlohmann::json;

class Connection : public Http {};

constexpr std::string_view kCall = R"({"method":"add_nodes","id":1})";

TEST_F(Connection, StaysOpenForFurtherRequests) {
  start();
  HttpClient client = connect();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.exchange(get_request("method=list_nodes&id=1")).status, 200);
}

TEST_F(Connection, ClosesWhenAsked) {
  start();
  HttpClient client = connect();
  const HttpAnswer answer = client.exchange(get_request("method=list_nodes&id=1", "Connection: close\r\n"));
  EXPECT_EQ(answer.headers.at("connection"), "close");
  EXPECT_TRUE(client.sees_end());
}

TEST_F(Connection, Http10ClosesByDefault) {
  start();
  HttpClient client = connect();
  client.exchange("GET /?method=list_nodes&id=1 HTTP/1.0\r\nContent-Type: application/json\r\n\r\n");
  EXPECT_TRUE(client.sees_end());
}

TEST_F(Connection, Http10StaysOpenWhenAsked) {
  start();
  HttpClient client = connect();
  const std::string request =
      "GET /?method=list_nodes&id=1 HTTP/1.0\r\nContent-Type: application/json\r\nConnection: "
      "keep-alive\r\n\r\n";
  EXPECT_EQ(client.exchange(request).headers.at("connection"), "keep-alive");
  EXPECT_EQ(client.exchange(request).status, 200);
}

TEST_F(Connection, PipelinedRequestsAreAnsweredInOrder) {
  start();
  HttpClient client = connect();
  std::string all;
  for (int i = 0; i < 100; ++i)
    all += get_request((i % 10 == 5 ? "method=later&id=" : "method=list_nodes&id=") + std::to_string(i));
  client.send(all);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(envelope(client.read_answer())["id"], std::to_string(i));
}

TEST_F(Connection, PipelinedPostsAreAnsweredInOrder) {
  start();
  HttpClient client = connect();
  std::string all;
  for (int i = 0; i < 100; ++i)
    all += post_request("{\"method\":\"add_nodes\",\"id\":" + std::to_string(i) + "}");
  client.send(all);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(envelope(client.read_answer())["id"], i);
}

TEST_F(Connection, ARequestMayArriveByteByByte) {
  start();
  HttpClient client = connect();
  for (const char byte : post_request(kCall)) client.send({&byte, 1});
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST_F(Connection, LineEndsWithoutCarriageReturnAreAccepted) {
  start();
  EXPECT_EQ(ask("GET /?method=list_nodes&id=1 HTTP/1.1\nContent-Type: application/json\n\n").status, 200);
}

TEST_F(Connection, EmptyLinesBeforeARequestAreSkipped) {
  start();
  EXPECT_EQ(ask("\r\n\r\n" + get_request("method=list_nodes&id=1")).status, 200);
}

TEST_F(Connection, AHalfCloseMayEndTheHeaders) {
  start();
  HttpClient client = connect();
  client.send("GET /?method=list_nodes&id=1 HTTP/1.1\r\nContent-Type: application/json\r\n");
  client.half_close();
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_TRUE(client.sees_end());
}

TEST_F(Connection, AHalfCloseWithinAHeaderLineIsABadRequest) {
  start();
  HttpClient client = connect();
  client.send("GET /?method=list_nodes&id=1 HTTP/1.1\r\nContent-Ty");
  client.half_close();
  EXPECT_EQ(client.read_answer().status, 400);
}

TEST_F(Connection, AHalfClosedClientStillGetsALateAnswer) {
  start();
  HttpClient client = connect();
  client.send(get_request("method=later&id=1"));
  client.half_close();
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST_F(Connection, ABodyCutShortByAHalfCloseIsNotExecuted) {
  start();
  HttpClient client = connect();
  client.send(json_post_head() + "Content-Length: 1000\r\n\r\n" + std::string(kCall));
  client.half_close();
  EXPECT_EQ(client.read_answer().status, 400);
  EXPECT_THAT(log(), testing::ElementsAre("POST /  400"));
}

TEST_F(Connection, AMissingContentLengthIsToldWith411) {
  start();
  EXPECT_EQ(ask(json_post_head() + "\r\n").status, 411);
}

class BadLengths : public Connection, public testing::WithParamInterface<const char*> {};
TEST_P(BadLengths, AreBadRequestsAnsweredOnce) {
  start();
  HttpClient client = connect();
  client.send(json_post_head() + "Content-Length: " + GetParam() + "\r\n\r\n" + std::string(kCall));
  client.half_close();
  const std::string all = client.read_all();
  EXPECT_TRUE(all.starts_with("HTTP/1.1 400 ")) << all;
  EXPECT_EQ(all.find("HTTP/1.1", 1), std::string::npos);
}
INSTANTIATE_TEST_SUITE_P(Values, BadLengths,
                         testing::Values("abc", "+5", "-5", "", "5 6", "99999999999999999999999", "0x10",
                                         "29\r\nContent-Length: 30", "29\r\nTransfer-Encoding: chunked"));

TEST_F(Connection, ChunkedBodiesAreRead) {
  start();
  HttpClient client = connect();
  const std::string head = json_post_head() + "Transfer-Encoding: chunked\r\n\r\n";
  const std::string body =
      "8;x=y\r\n{\"method\r\n15\r\n\":\"add_nodes\",\"id\":1}\r\n0\r\nX: trailer\r\n\r\n";
  EXPECT_EQ(client.exchange(head + body).status, 200);
  for (const char byte : head + body) client.send({&byte, 1});
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST_F(Connection, AnEmptyChunkedBodyInPiecesIsAnswered) {
  start();
  HttpClient client = connect();
  client.send(json_post_head() + "Transfer-Encoding: chunked\r\n\r\n");
  for (const char byte : std::string_view("0\r\n\r\n")) {
    client.send({&byte, 1});
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_EQ(envelope(client.read_answer())["code"], 4);
}

TEST_F(Connection, ABrokenChunkIsABadRequest) {
  start();
  EXPECT_EQ(ask(json_post_head() + "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n").status, 400);
}

TEST_F(Connection, OtherTransferEncodingsAreNotImplemented) {
  start();
  EXPECT_EQ(ask(json_post_head() + "Transfer-Encoding: gzip, chunked\r\n\r\n").status, 501);
}

TEST_F(Connection, ExpectContinueIsAnsweredBeforeTheBody) {
  start();
  HttpClient client = connect();
  client.send(json_post_head() + "Expect: 100-continue\r\nContent-Length: 29\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 100);
  client.send(kCall);
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST_F(Connection, ExpectContinueIsRefusedBeforeTheBody) {
  start();
  HttpClient client = connect();
  client.send(json_post_head() + "Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 413);
}

TEST_F(Connection, ASmallUnwantedBodyKeepsTheConnection) {
  start();
  HttpClient client = connect();
  client.send("PUT / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello" +
              get_request("method=list_nodes&id=1"));
  EXPECT_EQ(client.read_answer().status, 405);
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST_F(Connection, AClientThatLeavesDisturbsNobody) {
  start();
  for (int i = 0; i < 20; ++i) {
    connect().send(get_request("method=later&id=1"));
    connect().send(get_request("method=never&id=1"));
    connect().send(json_post_head() + "Content-Length: 29\r\n\r\n{");
    connect().send(get_request("method=big&id=1"));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_EQ(ask(get_request("method=list_nodes&id=1")).status, 200);
}

TEST_F(Connection, BigAnswersReachSlowReaders) {
  start();
  HttpClient client(server_->port(), 4096);
  for (int i = 0; i < 4; ++i) client.send(get_request("method=big&id=1"));
  for (int i = 0; i < 4; ++i) EXPECT_GT(client.read_answer().body.size(), 1U << 20U);
}

TEST_F(Connection, ShutdownEndsIdleConnectionsAtOnce) {
  start();
  HttpClient client = connect();
  client.exchange(get_request("method=list_nodes&id=1"));
  auto gone = server_->shutdown(10s);
  EXPECT_TRUE(client.sees_end());
  EXPECT_EQ(gone.wait_for(std::chrono::seconds(5)), std::future_status::ready);
}

TEST_F(Connection, ShutdownLetsCallsUnderWayEnd) {
  start();
  HttpClient client = connect();
  client.exchange(get_request("method=list_nodes&id=1"));
  client.send(get_request("method=later&id=1"));
  while (server_->statistics().requests < 2) std::this_thread::yield();
  auto gone = server_->shutdown(10s);
  const HttpAnswer answer = client.read_answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("connection"), "close");
}

TEST_F(Connection, ShutdownClosesTheRestAfterItsGrace) {
  start();
  HttpClient client = connect();
  client.send(get_request("method=never&id=1"));
  while (server_->statistics().requests < 1) std::this_thread::yield();
  auto gone = server_->shutdown(50ms);
  EXPECT_EQ(gone.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_TRUE(client.sees_end());
}

TEST_F(Connection, ShutdownRefusesNewConnections) {
  start();
  server_->shutdown(1s).wait();
  EXPECT_FALSE(connect().send("x") && !connect().sees_end());
}

TEST_F(Connection, ListeningOnATakenPortSaysWhatToDo) {
  start();
  boost::asio::io_context io;
  api::HttpServer second(io, {}, fake_manager(io));
  const Result<void> listening = second.listen("127.0.0.1", server_->port());
  ASSERT_TRUE(listening.has_error());
  EXPECT_EQ(listening.error().code, ErrorCode::unavailable);
  EXPECT_THAT(listening.error().message, testing::HasSubstr("another address or port"));
}

TEST_F(Connection, ListeningOnANameIsInvalid) {
  boost::asio::io_context io;
  api::HttpServer server(io, {}, fake_manager(io));
  EXPECT_EQ(server.listen("localhost", 0).error().code, ErrorCode::invalid);
}

}  // namespace
}  // namespace drover::http_test

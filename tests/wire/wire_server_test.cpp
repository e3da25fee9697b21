// The wire server against raw bytes: what arrives in pieces, together, too large, or as nothing sensible.
#include "mockcloud/wire/wire_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <deque>

namespace drover::wire {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using tcp = asio::ip::tcp;

// Answers with what it was asked; "/hold" is answered by hand, "/drop" never, "/parts" in three parts,
// "/many" in 64 of a megabyte.
class EchoFace final : public Face {
 public:
  explicit EchoFace(std::string prefix = "") : prefix_(std::move(prefix)) {}
  const char* name() const override { return "echo"; }
  bool claims(const http::Request& request) const override { return request.target.starts_with(prefix_); }
  void handle(http::Request request, Respond respond) override {
    seen.push_back(request);
    if (request.target.ends_with("/drop")) return;
    if (request.target.ends_with("/hold")) {
      held.push_back(std::move(respond));
      return;
    }
    http::Response response;
    response.body = request.method + " " + request.target + " " + request.body;
    WireResponse whole(std::move(response));
    if (request.target.ends_with("/parts")) {
      whole.body = "one ";
      whole.more = [this, left = 2](std::string& part) mutable {
        ++parts;
        part += left == 2 ? "and two " : "and three";
        return --left > 0;
      };
    }
    if (request.target.ends_with("/many"))
      whole.more = [this](std::string& part) {
        part.assign(std::size_t{1} << 20U, 'x');
        return ++parts < 64;
      };
    respond(std::move(whole));
  }
  http::Response refusal(int status, const std::string&) const override {
    http::Response response;
    response.status = status;
    response.body = prefix_ + " refuses";
    return response;
  }

  std::vector<http::Request> seen;
  std::deque<Respond> held;
  int parts = 0;  // asked for

 private:
  std::string prefix_;
};

class WireServerTest : public testing::Test {
 protected:
  WireServerTest() {
    config_.header_bytes_max = 4096;
    config_.body_bytes_max = 10'000;
    start();
  }
  void start() {
    server_ = std::make_unique<WireServer>(
        io_, [](std::move_only_function<void()> input) { input(); }, std::vector<Face*>{&first_, &last_},
        config_);
    ASSERT_TRUE(server_->listen("127.0.0.1", 0).has_value());
  }

  // A client's connection, whose bytes are written and read while the server runs.
  struct Client {
    Client(asio::io_context& io_, std::uint16_t port) : io(io_), socket(io_) {
      socket.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port));
      socket.non_blocking(true);
    }
    Client& send(std::string_view data) {
      while (!data.empty()) {
        boost::system::error_code error;
        data.remove_prefix(socket.write_some(asio::buffer(data.data(), data.size()), error));
        if (error && error != asio::error::would_block) break;
        io.poll();
      }
      return *this;
    }
    // Everything that comes until `text` holds `count` answers' ends, or the server has closed.
    std::string read(std::size_t count = 1) {
      for (int idle = 0; idle < 2000 && !closed && answers() < count; ++idle) {
        io.poll();
        char buffer[4096];
        boost::system::error_code error;
        const std::size_t size = socket.read_some(asio::buffer(buffer), error);
        text.append(buffer, size);
        if (size > 0) idle = 0;
        if (error && error != asio::error::would_block) closed = true;
      }
      return text;
    }
    // Complete answers in `text`, by their Content-Length.
    std::size_t answers() const {
      std::size_t found = 0, at = 0;
      for (;;) {
        const auto head = text.find("\r\n\r\n", at);
        const auto field = text.find("Content-Length: ", at);
        if (head == std::string::npos) return found;
        const std::size_t length = field < head ? std::strtoul(text.c_str() + field + 16, nullptr, 10) : 0;
        const bool only_continue = text.compare(at, 12, "HTTP/1.1 100") == 0;
        at = head + 4 + length;
        if (at > text.size()) return found;
        found += only_continue ? 0 : 1;
      }
    }
    bool ends() {
      for (int idle = 0; idle < 2000 && !closed; ++idle) read(SIZE_MAX);
      return closed;
    }
    asio::io_context& io;
    tcp::socket socket;
    std::string text;
    bool closed = false;
  };
  Client connect() { return Client(io_, server_->port()); }

  asio::io_context io_{1};
  EchoFace first_{"/first"}, last_;
  ServerConfig config_;
  std::unique_ptr<WireServer> server_;
};

TEST_F(WireServerTest, AConnectionIsKept) {
  Client client = connect();
  EXPECT_THAT(client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n").read(), HasSubstr("GET /a "));
  EXPECT_THAT(client.send("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi").read(2),
              HasSubstr("POST /b hi"));
  EXPECT_FALSE(client.closed);
  EXPECT_EQ(last_.seen.size(), 2U);
}

TEST_F(WireServerTest, ALargeAnswerComesInChunksAndTheNextOneBehindIt) {
  Client client = connect();
  client.send("GET /parts HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string all = client.read(3);
  EXPECT_THAT(all, HasSubstr("Transfer-Encoding: chunked\r\n\r\n4\r\none \r\n8\r\nand two \r\n9\r\n"
                             "and three\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(all, HasSubstr("GET /next "));
}

TEST_F(WireServerTest, WhoKnowsNoChunksGetsTheWholeAnswerAndWhoWantsNoBodyNone) {
  Client old = connect();
  EXPECT_THAT(old.send("GET /parts HTTP/1.0\r\n\r\n").read(),
              HasSubstr("Content-Length: 21\r\nConnection: close\r\n\r\none and two and three"));
  Client head = connect();
  head.send("HEAD /parts HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(head.read(2), HasSubstr("chunked\r\n\r\nHTTP/1.1 200 OK\r\n"));
}

TEST_F(WireServerTest, PartsAreMadeAsTheClientTakesThem) {
  Client client = connect();
  client.send("GET /many HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  for (int i = 0; i < 1000; ++i) io_.poll();
  EXPECT_GT(last_.parts, 0);
  EXPECT_LT(last_.parts, 32) << "the rest does not fit into the sockets' buffers";
  std::string buffer(std::size_t{1} << 20U, '\0');
  std::size_t taken = 0;
  boost::system::error_code error;
  while (!error || error == asio::error::would_block) {
    io_.poll();
    taken += client.socket.read_some(asio::buffer(buffer), error);
  }
  EXPECT_EQ(error, asio::error::eof);
  EXPECT_EQ(last_.parts, 64);
  EXPECT_GT(taken, std::size_t{64} << 20U);
}

TEST_F(WireServerTest, PipelinedRequestsAreAnsweredInTheirOrder) {
  Client client = connect();
  client.send(
      "GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET /first/2 HTTP/1.1\r\nHost: x\r\n\r\n"
      "POST /3 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n3GET /4 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read(), "") << "the first one is not answered, so no other is";
  ASSERT_EQ(last_.held.size(), 1U);
  http::Response response;
  response.body = "at last";
  last_.held.front()(std::move(response));
  const std::string all = client.read(4);
  EXPECT_EQ(client.answers(), 4U);
  EXPECT_LT(all.find("at last"), all.find("GET /first/2"));
  EXPECT_LT(all.find("GET /first/2"), all.find("POST /3 3"));
  EXPECT_LT(all.find("POST /3 3"), all.find("GET /4"));
}

TEST_F(WireServerTest, ADroppedAnswerLeavesTheClientWithoutOne) {
  Client client = connect();
  EXPECT_EQ(client.send("GET /drop HTTP/1.1\r\nHost: x\r\n\r\n").read(), "");
  EXPECT_FALSE(client.closed) << "the connection stays open until the client gives up";
  Client other = connect();
  EXPECT_THAT(other.send("GET /ok HTTP/1.1\r\nHost: x\r\n\r\n").read(), HasSubstr("GET /ok"));
}

TEST_F(WireServerTest, AnAnswerToAClientThatIsGoneIsNoHarm) {
  {
    Client client = connect();
    client.send("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n").read();
  }
  for (int i = 0; i < 100; ++i) io_.poll();
  ASSERT_EQ(last_.held.size(), 1U);
  last_.held.front()(http::Response{});
  for (int i = 0; i < 100; ++i) io_.poll();
  Client other = connect();
  EXPECT_THAT(other.send("GET /ok HTTP/1.1\r\nHost: x\r\n\r\n").read(), HasSubstr("GET /ok"));
}

TEST_F(WireServerTest, BytesOneByOne) {
  Client client = connect();
  for (const char c : std::string_view("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nslow")) {
    client.send(std::string_view(&c, 1));
    for (int i = 0; i < 3; ++i) io_.poll();
  }
  EXPECT_THAT(client.read(), HasSubstr("POST /slow slow"));
}

TEST_F(WireServerTest, ChunkedBodies) {
  Client client = connect();
  EXPECT_THAT(client
                  .send("POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "3;note=1\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
                  .read(),
              HasSubstr("POST /c abcde"));
}

TEST_F(WireServerTest, ExpectContinue) {
  Client client = connect();
  client.send("POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  for (int i = 0; i < 100 && client.text.empty(); ++i) client.read(0), client.read(1);
  EXPECT_THAT(client.text, StartsWith("HTTP/1.1 100 Continue\r\n\r\n"));
  EXPECT_EQ(client.answers(), 0U);
  EXPECT_THAT(client.send("abc").read(), HasSubstr("POST /e abc"));
}

TEST_F(WireServerTest, HeadHasNoBody) {
  Client client = connect();
  const std::string answer = client.send("HEAD /h HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").read();
  EXPECT_TRUE(client.ends());
  EXPECT_THAT(client.text, HasSubstr("Content-Length: 8\r\n"));
  EXPECT_TRUE(client.text.ends_with("\r\n\r\n")) << answer;
}

TEST_F(WireServerTest, WhatIsTooLargeIsRefusedByWhomItIsFor) {
  const struct {
    std::string request;
    const char* answer;
    const char* body;
  } rows[] = {
      {"POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: 10001\r\n\r\n", "HTTP/1.1 413", "/first refuses"},
      {"POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", "HTTP/1.1 400",
       " refuses"},
      {"POST /first HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3000\r\n" +
           std::string(0x3000, 'x'),
       "HTTP/1.1 413", "/first refuses"},
      {"GET /first HTTP/1.1\r\nHost: x\r\nLong: " + std::string(5000, 'x') + "\r\n\r\n", "HTTP/1.1 431",
       " refuses"},
  };
  for (const auto& row : rows) {
    Client client = connect();
    EXPECT_THAT(client.send(row.request).read(), StartsWith(row.answer)) << row.request.substr(0, 60);
    EXPECT_THAT(client.text, HasSubstr(row.body)) << row.request.substr(0, 60);
    EXPECT_THAT(client.text, HasSubstr("Connection: close"));
  }
  EXPECT_TRUE(first_.seen.empty());
}

TEST_F(WireServerTest, HalfARequestIsRefusedInTheEnd) {
  config_.read_timeout = config_.idle_timeout = 1ms;
  start();
  for (const char* half :
       {"GET /a HTTP/1.1\r\nHo", "POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"}) {
    Client client = connect();
    client.send(half);
    EXPECT_TRUE(client.ends()) << half;
    EXPECT_THAT(client.text, StartsWith("HTTP/1.1 408")) << half;
  }
  Client silent = connect();
  EXPECT_TRUE(silent.ends());
  EXPECT_EQ(silent.text, "");
}

TEST_F(WireServerTest, ABodyOfJustTheLimitIsTaken) {
  Client client = connect();
  client.send("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n" + std::string(10'000, 'x'));
  EXPECT_THAT(client.read(), StartsWith("HTTP/1.1 200"));
}

TEST_F(WireServerTest, WhatIsNoHttpIsRefused) {
  for (const char* garbage : {"\x16\x03\x01\x02\r\n\r\n", "GET /\r\n\r\n", "nonsense\r\n\r\n",
                              "GET / HTTP/9.9\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                              "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                              "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"}) {
    Client client = connect();
    EXPECT_THAT(client.send(garbage).read(), StartsWith("HTTP/1.1 400")) << garbage;
  }
  EXPECT_TRUE(last_.seen.empty());
}

TEST_F(WireServerTest, TheJournalSeesEveryRequestAndItsStatus) {
  std::vector<std::string> begun;
  std::vector<std::pair<std::uint64_t, int>> ended;
  server_->set_journal({[&](const Face& face, const http::Request& request) {
                          begun.push_back(std::string(face.name()) + " " + request.target);
                          return begun.size();
                        },
                        [&](std::uint64_t number, int status) { ended.emplace_back(number, status); }});
  Client client = connect();
  client.send("GET /drop HTTP/1.1\r\nHost: x\r\n\r\n").read();
  Client other = connect();
  other.send("GET /b HTTP/1.1\r\nHost: x\r\n\r\n").read();
  EXPECT_EQ(begun, (std::vector<std::string>{"echo /drop", "echo /b"}));
  EXPECT_EQ(ended, (std::vector<std::pair<std::uint64_t, int>>{{2, 200}}));
}

TEST_F(WireServerTest, NoMoreConnectionsThanAllowed) {
  config_.connections_max = 2;
  start();
  Client one = connect(), two = connect();
  one.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n").read();
  two.send("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n").read();
  Client three = connect();
  EXPECT_TRUE(three.ends());
  EXPECT_THAT(one.send("GET /still HTTP/1.1\r\nHost: x\r\n\r\n").read(2), HasSubstr("/still"));
}

TEST_F(WireServerTest, WhereItCannotListen) {
  WireServer other(
      io_, [](std::move_only_function<void()> input) { input(); }, {&last_}, config_);
  EXPECT_EQ(other.listen("localhost", 0).error().code, ErrorCode::invalid);
  EXPECT_EQ(other.listen("127.0.0.1", server_->port()).error().code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace drover::wire

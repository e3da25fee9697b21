// The drivers' HTTP client against the wire server, in virtual time.
#include "manager/adapters/http_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <deque>

#include "tests/support/wired_cloud.hpp"

namespace drover::wire {
namespace {

using testing::HasSubstr;

// Answers after the time that the path names ("/20s"), "/drop" never; says how often it was asked.
class SlowFace final : public Face {
 public:
  SlowFace(Backend& backend, std::vector<std::string>& log) : backend_(backend), log_(log) {}
  const char* name() const override { return "slow"; }
  bool claims(const http::Request&) const override { return true; }
  void handle(http::Request request, Respond respond) override {
    log_.push_back(request.target);
    if (request.target == "/drop") return;
    const auto after = parse_duration(std::string(request.path().substr(1))).value_or(Duration{0});
    http::Response response;
    response.status = request.target == "/503" ? 503 : 200;
    response.fields = {{"X-Asked", std::to_string(log_.size())}};
    response.body = request.method + " " + request.body;
    backend_.scheduler().call_after(domain_, after,
                                    [respond = std::move(respond), response = std::move(response)]() mutable {
                                      respond(std::move(response));
                                    });
  }
  http::Response refusal(int status, const std::string& why) const override { return {status, {}, why}; }

 private:
  Backend& backend_;
  std::vector<std::string>& log_;
  Domain domain_{backend_.scheduler()};
};

class HttpClientTest : public testing::Test {
 protected:
  HttpClientTest() {
    wired_ = std::make_unique<test::WiredCloud>(
        [this](Backend& backend) { return std::make_unique<SlowFace>(backend, log_); });
  }
  static http::Request get(const std::string& target) {
    http::Request request;
    request.method = "GET";
    request.target = target;
    return request;
  }
  Result<http::Response> ask(const http::Request& request, Duration timeout = 1min) {
    return wired_->ask(request, timeout);
  }
  double now() { return to_seconds(wired_->scheduler().now() - kEpoch); }

  std::vector<std::string> log_;
  std::unique_ptr<test::WiredCloud> wired_;
};

TEST_F(HttpClientTest, AnswersAndTheirTime) {
  const auto quick = ask(get("/0s"));
  ASSERT_TRUE(quick.has_value());
  EXPECT_EQ(quick.value().body, "GET ");
  EXPECT_EQ(now(), 0);
  ASSERT_TRUE(ask(get("/20s")).has_value());
  EXPECT_EQ(now(), 20) << "an answer takes the time that its server took, and no more";
  EXPECT_EQ(ask(get("/503")).value().status, 503) << "the status is the caller's to judge";
}

TEST_F(HttpClientTest, BodiesGoBothWays) {
  http::Request request = get("/0s");
  request.method = "POST";
  request.body = std::string(300'000, 'x');
  const auto answer = ask(request);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer.value().body.size(), 300'005U);
}

TEST_F(HttpClientTest, TimeOutsAreVirtual) {
  const auto lost = ask(get("/drop"), 30s);
  ASSERT_TRUE(lost.has_error());
  EXPECT_EQ(lost.error().code, ErrorCode::timeout);
  EXPECT_EQ(lost.error().effect, Effect::possible) << "the request may have been read";
  EXPECT_EQ(now(), 30);
  EXPECT_TRUE(ask(get("/29s"), 30s).has_value());
  EXPECT_TRUE(ask(get("/31s"), 30s).has_error());
  EXPECT_TRUE(ask(get("/0s")).has_value()) << "a connection with an answer outstanding is not used again";
  EXPECT_EQ(log_.size(), 4U) << "nothing is sent twice unseen";
}

TEST_F(HttpClientTest, ManyAtOnce) {
  unsigned answered = 0;
  std::vector<double> times;
  for (int i = 0; i < 100; ++i)
    wired_->client().send(wired_->url(), get("/" + std::to_string(100 - i) + "s"), 10min, true,
                          [&](Result<http::Response> answer) {
                            answered += answer.has_value() ? 1 : 0;
                            times.push_back(now());
                          });
  ASSERT_TRUE(wired_->run_until([&] { return times.size() == 100; }, 1h));
  EXPECT_EQ(answered, 100U);
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  EXPECT_GE(times.back(), 100);
}

TEST_F(HttpClientTest, AServerThatIsNotThere) {
  http::Url nowhere = wired_->url();
  nowhere.port = 1;
  std::optional<Result<http::Response>> answer;
  wired_->client().send(nowhere, get("/"), 30s, true,
                        [&](Result<http::Response> result) { answer = std::move(result); });
  ASSERT_TRUE(wired_->run_until([&] { return answer.has_value(); }, 1min));
  ASSERT_TRUE(answer->has_error());
  EXPECT_EQ(answer->error().code, ErrorCode::unavailable);
  EXPECT_EQ(answer->error().effect, Effect::none);
}

// A server that serves each connection once, and closes it when the next request comes: as one whose idle
// time has passed just then.
class ClosingServer {
 public:
  explicit ClosingServer(asio::io_context& io) : acceptor_(io, {asio::ip::address_v4::loopback(), 0}) {
    accept();
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  unsigned connections = 0;

 private:
  struct Session {
    explicit Session(asio::ip::tcp::socket socket_) : socket(std::move(socket_)) {}
    asio::ip::tcp::socket socket;
    std::array<char, 4096> in{};
    std::string out = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    bool served = false;
  };
  void accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, asio::ip::tcp::socket socket) {
      if (error) return;
      ++connections;
      read(std::make_shared<Session>(std::move(socket)));
      accept();
    });
  }
  void read(const std::shared_ptr<Session>& session) {
    session->socket.async_read_some(asio::buffer(session->in),
                                    [this, session](const boost::system::error_code& error, std::size_t) {
                                      if (error || session->served) return session->socket.close();
                                      session->served = true;
                                      asio::write(session->socket, asio::buffer(session->out));
                                      read(session);
                                    });
  }
  asio::ip::tcp::acceptor acceptor_;
};

TEST(HttpClientConnections, AStaleOneIsReplacedWhenThatIsNoHarm) {
  asio::io_context io{1};
  Scheduler scheduler;
  Domain domain(scheduler);
  NetHttpClient client(io, domain, [](std::move_only_function<void()> input) { input(); }, {});
  ClosingServer server(io);
  http::Url url;
  url.host = "127.0.0.1";
  url.port = server.port();
  const auto ask = [&](bool repeatable) {
    http::Request request;
    request.method = "POST";
    request.target = "/";
    std::optional<Result<http::Response>> answer;
    client.send(url, request, 10s, repeatable,
                [&](Result<http::Response> result) { answer = std::move(result); });
    for (int i = 0; i < 100'000 && !answer; ++i) {
      io.poll();
      scheduler.run_until(scheduler.now());
    }
    EXPECT_TRUE(answer.has_value());
    return answer ? std::move(*answer) : Result<http::Response>(make_error(ErrorCode::timeout, "no answer"));
  };
  ASSERT_TRUE(ask(true).has_value());
  EXPECT_EQ(server.connections, 1U);
  ASSERT_TRUE(ask(true).has_value()) << "unseen, over a new connection";
  EXPECT_EQ(server.connections, 2U);
  const auto refused = ask(false);
  ASSERT_TRUE(refused.has_error()) << "it may have been carried out";
  EXPECT_EQ(refused.error().code, ErrorCode::connection_lost);
  EXPECT_EQ(refused.error().effect, Effect::possible);
  domain.kill();
}

// What happens over sockets is decided by the scheduler alone.
TEST(VirtualPumpTest, TheSameEveryTime) {
  const auto run = [] {
    std::vector<std::string> log;
    test::WiredCloud wired([&](Backend& backend) { return std::make_unique<SlowFace>(backend, log); });
    std::string trace;
    for (int i = 0; i < 40; ++i) {
      http::Request request;
      request.method = "GET";
      request.target = "/" + std::to_string(i * 7 % 11) + "s";
      wired.client().send(wired.url(), request, 5s, true, [&trace, i, &wired](Result<http::Response> answer) {
        trace += std::to_string(i) +
                 (answer.has_value() ? "=" + *answer.value().field("X-Asked") : std::string("!")) + "@" +
                 std::to_string(to_seconds(wired.scheduler().now() - kEpoch)) + " ";
      });
    }
    wired.run_until([] { return false; }, 1min);
    return trace;
  };
  const std::string once = run();
  EXPECT_THAT(once, HasSubstr("!")) << "some time out";
  for (int i = 0; i < 5; ++i) EXPECT_EQ(run(), once);
}

}  // namespace
}  // namespace drover::wire

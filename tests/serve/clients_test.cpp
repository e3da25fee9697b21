// Clients of the real binary: curl as the original's scripts used it, drover call, many at once, monitoring.
#include <array>
#include <atomic>
#include <cstdio>
#include <regex>
#include <set>
#include <sstream>

#include "tests/serve/serve_fixture.hpp"

namespace drover::serve_test {
namespace {

class Clients : public Serve {
 protected:
  void SetUp() override { start(); }
  Outcome call(std::vector<std::string> words) const {
    words.insert(words.begin(), "call");
    words.insert(words.end(), {"--url", url()});
    return run_drover(words);
  }
};

class Curl : public Clients {
 protected:
  void SetUp() override {
    if (std::system("curl --version > /dev/null 2>&1") != 0)
      GTEST_SKIP() << "curl is not installed: apt-get install curl";
    Clients::SetUp();
  }
  json curl(const std::string& arguments) const {
    const std::string command = "curl -sS --max-time 100 " + arguments + " 2>&1";
    std::string text;
    if (FILE* pipe = ::popen(command.c_str(), "r"); pipe != nullptr) {
      std::array<char, 4096> piece{};
      while (const auto got = std::fread(piece.data(), 1, piece.size(), pipe)) text.append(piece.data(), got);
      ::pclose(pipe);
    }
    const json parsed = json::parse(text, nullptr, false);
    return parsed.is_object() ? parsed : json{{"no JSON", text}};
  }
};

TEST_F(Curl, GetsWithAQuery) {
  EXPECT_EQ(curl("-H 'Content-Type: application/json' '" + url() + "?method=list_nodes&id=1'")["id"], "1");
}

TEST_F(Curl, GetsWithUrlencodedParams) {
  add_nodes(1, "one");
  ASSERT_TRUE(settles_with_nodes(server_->port(), 1));
  const json answer = curl(
      "-H 'Content-Type: application/json' -G --data-urlencode 'params={\"serviceNodeId\": \"1\"}' "
      "--data-urlencode method=get_node_info --data-urlencode id=1 " +
      url());
  EXPECT_EQ(answer["result"]["serviceNode"]["id"], "1");
}

TEST_F(Curl, PostsJson) {
  ASSERT_TRUE(settles_with_nodes(server_->port(), 0));
  const json answer = curl(
      "-H 'Content-Type: application/json' -d "
      "'{\"method\":\"add_nodes\",\"params\":{\"count\":2},\"id\":7}' " +
      url());
  EXPECT_EQ(answer["id"], 7);
  EXPECT_EQ(answer["result"]["serviceNode"].size(), 2U);
}

TEST_F(Curl, UploadsADump) {
  add_nodes(1, "one");
  ASSERT_TRUE(settles_with_nodes(server_->port(), 1));
  const json master = post("set_up_replica_master", {{"id", "1"}});
  ASSERT_TRUE(master.contains("result")) << master;
  ASSERT_TRUE(settles_with_nodes(server_->port(), 1));
  const json dump = get("sqldump");
  ASSERT_TRUE(dump.contains("result")) << dump;
  const std::string file = scratch_.write("dump.sql", "-- an empty dump\n");
  const json answer = curl("-F method=send_mysqldump -F serviceNodeId=1 -F mysqldump=@" + file + " " + url());
  EXPECT_EQ(answer, (json{{"id", 1}, {"result", json::object()}, {"error", nullptr}}));
}

TEST_F(Clients, DroverCallPrintsTheResult) {
  ASSERT_TRUE(settles_with_nodes(server_->port(), 0));
  const Outcome added = call({"add_nodes", "count=3"});
  EXPECT_EQ(added.exit_code, 0) << added.err;
  ASSERT_TRUE(settles_with_nodes(server_->port(), 3));
  const Outcome listed = call({"list_nodes"});
  EXPECT_EQ(json::parse(listed.out)["serviceNode"], (json{"1", "2", "3"}));
}

TEST_F(Clients, DroverCallUploads) {
  add_nodes(1, "one");
  ASSERT_TRUE(settles_with_nodes(server_->port(), 1));
  const std::string file = scratch_.write("dump.sql", "-- an empty dump\n");
  const Outcome sent = call({"send_mysqldump", "serviceNodeId=1", "mysqldump=@" + file});
  EXPECT_EQ(sent.exit_code, 0) << sent.err;
}

TEST_F(Clients, DroverCallExitsWithOneWhenRefused) {
  const Outcome refused = call({"get_node_info", "serviceNodeId=99"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, testing::HasSubstr("serviceNodeId"));
}

TEST_F(Clients, DroverCallExitsWithTwoOnWrongUse) { EXPECT_EQ(call({"add_nodes", "three"}).exit_code, 2); }

TEST_F(Clients, DroverCallExitsWithFourWhenNobodyAnswers) {
  const std::string there = url();
  server_.reset();
  EXPECT_EQ(run_drover({"call", "list_nodes", "--url", there}).exit_code, 4);
}

TEST_F(Clients, FourAtOnceGetTwoThousandAnswers) {
  constexpr int kThreads = 4;
  constexpr int kCalls = 500;
  ASSERT_TRUE(settles_with_nodes(server_->port(), 0));
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kCalls; ++i) {
        json answer;
        switch (i % 5) {
          case 0:
            answer = get("list_nodes");
            break;
          case 1:
            answer = get("get_service_info");
            break;
          case 2:
            answer = post("add_nodes", {{"count", 1}, {"key", "t" + std::to_string(t)}});
            break;
          case 3:
            answer = get("get_topology");
            break;
          default:
            answer = post("remove_nodes", {{"serviceNodeId", "nobody"}});
            break;
        }
        answered += answer.contains("id") ? 1 : 0;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(answered, kThreads * kCalls);
}

TEST_F(Clients, HealthzIsOk) {
  HttpClient client(server_->port());
  const HttpAnswer answer = client.exchange("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "ok\n");
}

// The text format 0.0.4: HELP and TYPE once before each family's samples, names and values well formed.
std::string problem_of(const std::string& text) {
  const std::regex comment(
      "# (HELP [a-zA-Z_:][a-zA-Z0-9_:]* .+|TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) "
      "(counter|gauge|histogram|summary|untyped))");
  const std::regex sample(
      "([a-zA-Z_:][a-zA-Z0-9_:]*)(\\{[a-zA-Z_][a-zA-Z0-9_]*=\"[^\"\\\\\n]*\"(,[a-zA-Z_]["
      "a-zA-Z0-9_]*=\"[^\"\\\\\n]*\")*\\})? -?[0-9]+(\\.[0-9]+)?([eE][-+]?[0-9]+)?");
  std::set<std::string> typed;
  std::set<std::string> samples;
  std::string family;
  std::istringstream lines(text);
  std::string line;
  if (!text.ends_with('\n')) return "the last line has no end";
  while (std::getline(lines, line)) {
    std::smatch found;
    if (line.starts_with('#')) {
      if (!std::regex_match(line, found, comment)) return "bad comment: " + line;
      if (found[2].matched) {
        family = found[2];
        if (!typed.insert(family).second) return "second TYPE of a family: " + line;
      }
      continue;
    }
    if (!std::regex_match(line, found, sample)) return "bad sample: " + line;
    if (found[1] != family) return "sample outside its family: " + line;
    if (!samples.insert(found[1].str() + found[2].str()).second) return "sample twice: " + line;
  }
  return samples.empty() ? "no samples" : "";
}

TEST_F(Clients, MetricsArePrometheusText) {
  add_nodes(1, "one");
  HttpClient client(server_->port());
  const HttpAnswer answer = client.exchange("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.headers.at("content-type"), testing::StartsWith("text/plain"));
  EXPECT_EQ(problem_of(answer.body), "");
  EXPECT_THAT(answer.body, testing::HasSubstr("drover_http_connections "));
}

}  // namespace
}  // namespace drover::serve_test

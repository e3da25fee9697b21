// Damaged requests: whatever arrives, there is an answer, and the server lives.
#include "manager/base/hash.hpp"
#include "tests/http/fake_manager.hpp"

namespace drover::http_test {
namespace {

class Mutations : public Http {
 protected:
  std::uint64_t below(std::uint64_t bound) { return mix(0x5eed, ++drawn_) % bound; }

  std::string damaged(std::string request) {
    static constexpr std::string_view kBytes{"\r\n\0 :;=&%{}[]\"\\0,-\xff\x7f", 21};
    for (std::uint64_t i = below(4) + 1; i > 0 && !request.empty(); --i) {
      const std::size_t at = below(request.size());
      switch (below(5)) {
        case 0:
          request[at] = kBytes[below(kBytes.size())];
          break;
        case 1:
          request.insert(at, 1, kBytes[below(kBytes.size())]);
          break;
        case 2:
          request.erase(at, below(8) + 1);
          break;
        case 3:
          request.resize(at);
          break;
        default:
          request.insert(at, request.substr(at, below(40)));
      }
    }
    return request;
  }

 private:
  std::uint64_t drawn_ = 0;
};

TEST_F(Mutations, AreAlwaysAnswered) {
  start();
  const std::string head = json_post_head();
  const std::vector<std::string> requests = {
      get_request("method=echo&id=1&params=%7B%22a%22:[1,2]%7D"),
      post_request(R"({"method":"echo","params":{"a":[1,{"b":"c"}]},"id":12})"),
      head +
          "Transfer-Encoding: chunked\r\n\r\n1d\r\n{\"method\":\"add_nodes\",\"id\":1}\r\n0\r\nX: y\r\n\r\n",
      head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      head + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
      form_request({{"method", "echo"}, {"a", "b"}, {"f", "content\r\n--BOUND", true}}),
  };
  for (int i = 0; i < 1500; ++i) {
    const std::string sent = damaged(requests[below(requests.size())]);
    HttpClient client = connect();
    const std::size_t cut = sent.empty() ? 0 : below(sent.size());
    client.send(std::string_view(sent).substr(0, cut));
    if (i % 3 == 0) std::this_thread::yield();
    client.send(std::string_view(sent).substr(cut));
    client.half_close();
    const std::string answer = client.read_all();
    if (sent.find_first_not_of("\r\n") == std::string::npos) continue;
    ASSERT_TRUE(answer.starts_with("HTTP/1.1 ")) << "request " << i << ":\n"
                                                 << sent << "\nanswer:\n"
                                                 << answer;
  }
  EXPECT_EQ(ask(get_request("method=list_nodes&id=1")).status, 200);
}

}  // namespace
}  // namespace drover::http_test

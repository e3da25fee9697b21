// Recorded bytes with a few of them changed, drawn from a seed: nothing may break, and everything is
// answered.
#include <fstream>
#include <iterator>

#include "manager/adapters/opennebula/vm_words.hpp"
#include "manager/base/hash.hpp"
#include "manager/system/one_template.hpp"
#include "paths.hpp"
#include "tests/opennebula/stage.hpp"

namespace drover {
namespace {

constexpr int kRounds = 400;

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : state_(seed) {}
  std::size_t below(std::size_t limit) {
    state_ = mix(state_, 0x5eed);
    return limit == 0 ? 0 : state_ % limit;
  }

 private:
  std::uint64_t state_;
};

std::string changed(std::string text, Draw& draw) {
  constexpr std::string_view kBytes = "<>/&;\"'=[]$\\\n#{}!-0123456789AZ\0\xff";
  for (std::size_t i = draw.below(4) + 1; i > 0 && !text.empty(); --i) {
    const std::size_t at = draw.below(text.size());
    switch (draw.below(4)) {
      case 0:
        text[at] = kBytes[draw.below(kBytes.size())];
        break;
      case 1:
        text.erase(at, draw.below(20) + 1);
        break;
      case 2:
        text.insert(at, text.substr(draw.below(text.size()), draw.below(40)));
        break;
      default:
        text.resize(at);
    }
  }
  return text;
}

std::string part_of(const std::string& name, bool request) {
  std::ifstream file(DROVER_SOURCE_DIR "/tests/opennebula/data/" + name + ".http");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto middle = text.find("<<<<< response");
  EXPECT_NE(middle, std::string::npos) << name;
  const std::string half = request ? text.substr(0, middle) : text.substr(middle);
  return half.substr(half.find("\n\n") + 2);
}

TEST(OpenNebulaMutations, EveryChangedCallIsAnswered) {
  test::OneStage stage;
  wire::OpenNebulaFace face(stage.wired().backend());
  Draw draw(1);
  int answers = 0;
  for (const char* name : {"vm-allocate", "template-instantiate", "vm-update", "vmpool-info", "vm-rename"}) {
    const std::string body = part_of(name, true);
    for (int i = 0; i < kRounds; ++i) {
      http::Request request;
      request.method = "POST";
      request.target = "/RPC2";
      request.body = changed(body, draw);
      face.handle(std::move(request), [&](const http::Response& response) {
        ++answers;
        EXPECT_TRUE(response.status == 200) << response.status;
        EXPECT_TRUE(xml_rpc::parse_reply(response.body).has_value()) << response.body;
      });
    }
  }
  stage.pass(std::chrono::minutes(1));
  EXPECT_EQ(answers, 5 * kRounds);
}

TEST(OpenNebulaMutations, EveryChangedAnswerIsUnderstoodOrRefused) {
  Draw draw(2);
  int understood = 0, refused = 0;
  for (const char* name : {"vmpool-info", "vm-info-running", "imagepool", "vm-info-404", "badmethod"}) {
    const std::string body = part_of(name, false);
    for (int i = 0; i < kRounds; ++i) {
      const auto value = opennebula::value_of_reply("one.vm.info", changed(body, draw), true);
      if (!value) {
        ++refused;
        EXPECT_FALSE(value.error().message.empty());
        continue;
      }
      ++understood;
      // And what is inside, changed once more.
      const std::string xml = changed(value.value().text, draw);
      const auto one = opennebula::parse_vm(xml);
      const auto pool = opennebula::parse_vm_pool(xml);
      EXPECT_TRUE(!one || !one.value().info.id.empty());
      for (const auto& record : pool ? pool.value() : std::vector<opennebula::VmRecord>{})
        EXPECT_GE(record.id, 0);
      (void)opennebula::parse_pool(xml);
    }
  }
  EXPECT_GT(understood, kRounds / 10);
  EXPECT_GT(refused, kRounds / 10);
}

TEST(OpenNebulaMutations, EveryTemplateThatIsReadIsWrittenTheSame) {
  Draw draw(3);
  const std::string text =
      "NAME = \"a\\\"b\" # c\nCPU=1\nNIC = [ NETWORK = \"x\", IP=\"y\" ]\nDISK=[]\nE=\nL = \"two\nlines\"\n";
  int same = 0;
  for (int i = 0; i < 10 * kRounds; ++i) {
    const auto first = one::parse_template(changed(text, draw));
    if (!first) continue;
    const auto written = one::write_text(first.value());
    if (!written) continue;
    const auto second = one::parse_template(written.value());
    ASSERT_TRUE(second.has_value()) << written.value();
    ASSERT_EQ(one::write_text(second.value()).value(), written.value());
    ++same;
  }
  EXPECT_GT(same, kRounds);
}

}  // namespace
}  // namespace drover

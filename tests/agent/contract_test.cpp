// The Agent port's contract on real servers.
#include "tests/contract/agent_contract.hpp"

#include "tests/agent/stage.hpp"

namespace drover {
namespace {

class Stage : public AgentStage {
 public:
  Agent& agent() override { return nodes_.agent(); }
  Endpoint endpoint(unsigned node) override { return nodes_.endpoint(node); }
  std::string identity(unsigned node) override { return nodes_.identity(node); }
  Endpoint nobody() override { return nodes_.nobody(); }
  bool run_until(const std::function<bool()>& done, Duration limit) override {
    return nodes_.run_until(done, limit);
  }
  std::string store_dump(const std::string& text) override { return nodes_.store_dump(text); }

 private:
  agent_test::RealNodes nodes_;
};

// A stage that skips is no stage: the suite is instantiated only where the programs are.
std::vector<AgentUnderTest> implementations() {
  if (!agent_test::missing_programs().empty()) return {};
  return {{"Real", [] { return std::make_unique<Stage>(); }}};
}

INSTANTIATE_TEST_SUITE_P(MariaDb, AgentContract, testing::ValuesIn(implementations()), name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(AgentContract);

TEST(RealAgents, AreTestedHere) {
  if (const std::string missing = agent_test::missing_programs(); !missing.empty()) GTEST_SKIP() << missing;
}

}  // namespace
}  // namespace drover

#include "tests/contract/agent_contract.hpp"

#include <map>

#include "tests/node/fleet_fixture.hpp"

namespace drover::node {
namespace {

class FleetStage final : public AgentStage {
 public:
  FleetStage() : cluster_(with_dumps(dumps_)) {
    for (unsigned n = 1; n <= 3; ++n) cluster_.boot(n);
    cluster_.run(5s);
  }
  Agent& agent() override { return cluster_.fleet; }
  Endpoint endpoint(unsigned node) override { return Cluster::endpoint(node); }
  std::string identity(unsigned node) override { return Cluster::id(node); }
  Endpoint nobody() override { return Endpoint{"10.0.9.9", 60000}; }
  bool run_until(const std::function<bool()>& done, Duration limit) override {
    const TimePoint end = cluster_.scheduler.later(limit);
    while (!done())
      if (!cluster_.scheduler.run_one(end)) return done();
    return true;
  }
  std::string store_dump(const std::string& text) override {
    const std::string path = "dump-" + std::to_string(dumps_.size());
    dumps_[path] = text;
    return path;
  }

 private:
  static FleetConfig with_dumps(const std::map<std::string, std::string>& dumps) {
    FleetConfig config = quiet_config();
    config.read_dump = [&dumps](const std::string& path) -> Result<std::string> {
      const auto found = dumps.find(path);
      if (found == dumps.end()) return make_error(ErrorCode::not_found, "no dump " + path);
      return found->second;
    };
    return config;
  }

  std::map<std::string, std::string> dumps_;
  Cluster cluster_;
};

}  // namespace
}  // namespace drover::node

namespace drover {

INSTANTIATE_TEST_SUITE_P(Simulated, AgentContract,
                         testing::Values(AgentUnderTest{"Fleet",
                                                        [] { return std::make_unique<node::FleetStage>(); }}),
                         [](const testing::TestParamInfo<AgentUnderTest>& stage) { return name_of(stage); });

}  // namespace drover

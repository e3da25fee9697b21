// The simulated servers do what real ones do: each case is carried out on both, and after every step all
// servers must show the same. A real server needs time for what the simulated one does at once: it must come
// to the same, and stay there for a moment.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "tests/agent/stage.hpp"
#include "tests/replication/cases.hpp"
#include "tests/replication/real_world.hpp"
#include "tests/replication/simulated_world.hpp"

namespace drover::replication_test {
namespace {

constexpr Duration kLook = 10ms;
constexpr Duration kMoment = 100ms;
constexpr Duration kPatience = 5s;

using Clock = std::chrono::steady_clock;
using Sight = std::vector<Observation>;  // of all servers, the first is 1's

Sight look(World& world, unsigned servers) {
  Sight sight;
  for (unsigned n = 1; n <= servers; ++n) sight.push_back(world.look(n));
  return sight;
}

// What `sight` lacks of "SERVER NAME=VALUE …"; "" when it is all there.
std::string missing(const Sight& sight, const std::string& shows) {
  std::istringstream words(shows);
  unsigned server = 0;
  words >> server;
  const Observation& seen = sight.at(server - 1);
  for (std::string word; words >> word;) {
    const std::size_t at = word.find_first_of("=~");
    const std::string name = word.substr(0, at);
    std::string value = word.substr(at + 1);
    const auto found = seen.find(name);
    const std::string is = found == seen.end() ? "nothing" : found->second;
    if (word[at] == '~') {
      std::replace(value.begin(), value.end(), '#', ' ');
      if (is.find(value) != std::string::npos) continue;
    } else if (is == value) {
      continue;
    }
    return "server " + std::to_string(server) + " shows " + name + "=" + is + " and not " + value;
  }
  return "";
}

std::string missing(const Sight& sight, const std::vector<std::string>& shows) {
  for (const std::string& one : shows)
    if (std::string lacks = missing(sight, one); !lacks.empty()) return lacks;
  return "";
}

std::string differences(const Sight& real, const Sight& simulated) {
  std::string text;
  for (unsigned n = 1; n <= real.size(); ++n) {
    Observation names = real[n - 1];
    names.insert(simulated[n - 1].begin(), simulated[n - 1].end());
    for (const auto& [name, unused] : names) {
      const auto of = [&, &key = name](const Sight& sight) {
        const auto found = sight[n - 1].find(key);
        return found == sight[n - 1].end() ? std::string("nothing") : found->second;
      };
      if (of(real) != of(simulated))
        text += "\n  server " + std::to_string(n) + " " + name + "\n    real:      " + of(real) +
                "\n    simulated: " + of(simulated);
    }
  }
  return text;
}

class Replication : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (const std::string missing = agent_test::missing_programs(); !missing.empty()) GTEST_SKIP() << missing;
    real_ = std::make_unique<RealWorld>(servers_);
    simulated_ = std::make_unique<SimulatedWorld>(servers_);
  }

  // What the simulation comes to.
  Sight settle(const Step& step) {
    for (Duration passed{0}; passed < kPatience; passed += kLook) {
      if (missing(look(*simulated_, servers_), step.shows).empty()) break;
      simulated_->pass(kLook);
    }
    simulated_->pass(kMoment);
    return look(*simulated_, servers_);
  }
  // The real servers, once they show the same for a moment or have had their time.
  Sight settle(const Sight& expected, Duration moment) {
    const auto until = Clock::now() + kPatience;
    auto equal_since = Clock::time_point::max();
    while (true) {
      Sight sight = look(*real_, servers_);
      const auto now = Clock::now();
      if (sight != expected)
        equal_since = Clock::time_point::max();
      else
        equal_since = std::min(equal_since, now);
      if ((equal_since != Clock::time_point::max() && now - equal_since >= moment) || now > until)
        return sight;
      real_->pass(kLook);
    }
  }
  void carry_out(const Step& step) {
    EXPECT_EQ(step.act(*simulated_), step.fails_with) << "simulated";
    EXPECT_EQ(step.act(*real_), step.fails_with) << "real";
    const Sight simulated = settle(step);
    const Sight real = settle(simulated, step.shows.empty() ? Duration{0} : kMoment);
    EXPECT_EQ(missing(real, step.shows), "") << "real";
    EXPECT_EQ(missing(simulated, step.shows), "") << "simulated";
    EXPECT_EQ(differences(real, simulated), "");
  }

  const unsigned servers_ = GetParam().servers;
  std::unique_ptr<World> real_;
  std::unique_ptr<World> simulated_;
};

TEST_P(Replication, IsTheSameOnRealAndSimulatedServers) {
  unsigned number = 0;
  for (const Step& step : GetParam().steps) {
    SCOPED_TRACE("step " + std::to_string(++number) + ", " + step.text);
    carry_out(step);
    if (HasFailure() && std::getenv("GO_ON") == nullptr) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Case, Replication, testing::ValuesIn(cases()),
                         [](const testing::TestParamInfo<Case>& one) { return one.param.name; });

}  // namespace
}  // namespace drover::replication_test

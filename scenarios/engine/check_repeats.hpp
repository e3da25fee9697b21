// S10: nothing that changes the world is done twice without a cause. A call may be repeated when the one
// before failed, timed out or lost its answer, when the world was seen to need it, and when something new
// begins: another life of the manager, another operation, another request. And nothing is asked more often
// than the configured intervals explain.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "scenarios/engine/port_watch.hpp"
#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {

class Repeats {
 public:
  explicit Repeats(SimWorld& world) : world_(world) {}

  std::uint64_t asked(const IaasCall& call);
  void answered(std::uint64_t number, const IaasCall& call, const IaasAnswer& answer);
  std::uint64_t asked(const std::string& subject, const AgentCommand& command, Duration timeout);
  void answered(std::uint64_t number, const std::string& subject, const AgentCommand& command,
                const Result<AgentReply>& reply);
  // Something new begins: what was done before may be done again.
  void begin();
  // A client's request, which may ask for looks of its own.
  void requested() { ++requests_; }

 private:
  struct Done {  // the latest call of its kind
    std::uint64_t number = 0;
    std::string what;  // with everything that makes it the same call
    AgentCommand command;
    TimePoint asked{};
    TimePoint answered{};
    TimePoint answered_before{};  // the call before this one
    Duration timeout{};
    bool pending = true;
    bool ok = false;
    bool needed = false;  // seen since: it has not had its effect, or nobody knows
    bool failed = false;  // once at least: somebody else may be trying again as well
    unsigned times = 1;   // without those that the cloud had no time for
  };
  struct Look {  // that has not been answered so far
    std::uint64_t number = 0;
    TimePoint asked{};
    Duration timeout{};
  };
  struct Window {  // calls of one kind about one subject
    std::int64_t minute = -1;
    std::uint64_t calls = 0;
    std::uint64_t requests = 0;
  };

  std::uint64_t repeat(const std::string& subject, const std::string& name, std::string what,
                       Duration timeout, const AgentCommand* command);
  std::uint64_t look(const std::string& subject, Duration timeout);
  // A copy that was ordered before, of a server that replicates by now.
  void check_copy(const std::string& subject, const SetUpReplica& command);
  // The look's answer has come; false when it came too late, or the look is forgotten.
  bool end_look(std::uint64_t number, const std::string& subject);
  // Whether a look since then was not answered in its time.
  bool looked_in_vain(const std::string& subject, TimePoint since) const;
  void end(std::uint64_t number, const std::string& subject, bool ok);
  void count(const std::string& subject, const char* name);

  SimWorld& world_;
  std::map<std::string, std::vector<Done>> subjects_;  // by node, or by VM for killInstance
  std::map<std::string, std::vector<Look>> looks_;     // by the same
  std::map<std::string, Window> windows_;
  std::uint64_t last_ = 0;
  std::uint64_t requests_ = 0;
};

}  // namespace drover::scenario

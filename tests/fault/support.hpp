// What the tests of the fault engine share: a world without anything in it, and ports that answer as they are
// told.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "mockcloud/fault/engine.hpp"
#include "mockcloud/fault/faulty_agent.hpp"
#include "mockcloud/fault/faulty_iaas.hpp"
#include "mockcloud/fault/faulty_store.hpp"

namespace drover::fault {

class RecordingSink : public ActionSink {
 public:
  void perform(const Action& action) override {
    performed.push_back(action);
    if (on_perform) on_perform(action);
  }
  // "vm.crash node-1", in order.
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& action : performed) all.push_back(action.name + " " + action.target);
    return all;
  }
  std::vector<Action> performed;
  std::function<void(const Action&)> on_perform;
};

inline Rule rule(std::string when, std::string action, std::map<std::string, std::string> arguments = {}) {
  Rule made;
  made.when = parse_trigger(when).value();
  made.action = std::move(action);
  made.arguments = std::move(arguments);
  return made;
}
inline Rule named(std::string id, Rule made) {
  made.id = std::move(id);
  return made;
}
inline Rule timed(Duration at, std::string action, std::map<std::string, std::string> arguments = {}) {
  Rule made;
  made.at = at;
  made.action = std::move(action);
  made.arguments = std::move(arguments);
  return made;
}

struct EngineTest : testing::Test {
  // Checks the rules as a scenario would, and starts an engine with them.
  Engine& start(std::vector<Rule> rules, std::uint64_t seed = 1) {
    const auto checked = check_rules(rules);
    EXPECT_TRUE(checked) << checked.error().message;
    choices = std::make_unique<Choices>(seed);
    engine = std::make_unique<Engine>(scheduler, domain, *choices, trace, std::move(rules), sink);
    return *engine;
  }
  void run_for(Duration time) { scheduler.run_until(scheduler.now() + time); }

  Scheduler scheduler;
  Domain domain{scheduler};
  Trace trace;
  RecordingSink sink;
  std::unique_ptr<Choices> choices;
  std::unique_ptr<Engine> engine;
};

// Counts its calls and answers at once; a test changes the answers.
class FakeIaas : public Iaas {
 public:
  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    note("newInstance", context);
    tokens.push_back(token);
    InstanceInfo made;
    made.id = "i-" + std::to_string(tokens.size());
    made.name = spec.name;
    made.tags = spec.tags;
    handler(made);
  }
  void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) override {
    note("killInstance " + id, context);
    handler(success());
  }
  void getVMInfo(const CallContext& context, const std::string&, Handler<InstanceInfo> handler) override {
    note("getVMInfo", context);
    handler(info);
  }
  void listVMs(const CallContext& context, const std::string&, const std::string&,
               Handler<std::vector<InstanceInfo>> handler) override {
    note("listVMs", context);
    handler(listing);
  }
  void createVolume(const CallContext& context, const std::string& name, unsigned, const std::string&,
                    Handler<VolumeInfo> handler) override {
    note("createVolume", context);
    VolumeInfo made;
    made.id = "v-1";
    made.name = name;
    handler(made);
  }
  void attachVolume(const CallContext& context, const std::string&, const std::string&,
                    Handler<void> handler) override {
    note("attachVolume", context);
    handler(success());
  }
  void deleteVolume(const CallContext& context, const std::string&, Handler<void> handler) override {
    note("deleteVolume", context);
    handler(success());
  }
  void listVolumes(const CallContext& context, Handler<std::vector<VolumeInfo>> handler) override {
    note("listVolumes", context);
    handler(volumes);
  }

  std::vector<std::string> calls;  // "killInstance i-1"
  std::vector<std::string> subjects;
  std::vector<std::string> tokens;
  Result<InstanceInfo> info = InstanceInfo{};
  std::vector<InstanceInfo> listing;
  std::vector<VolumeInfo> volumes;

 private:
  void note(const std::string& call, const CallContext& context) {
    calls.push_back(call);
    subjects.emplace_back(context.subject);
  }
};

class FakeAgent : public Agent {
 public:
  void call(const CallContext&, const Endpoint&, const AgentCommand& command,
            Handler<AgentReply> handler) override {
    calls.emplace_back(agent_method(command));
    handler(AgentReply{});
  }
  std::vector<std::string> calls;
};

class FakeStore : public Store {
 public:
  Result<std::uint64_t> take_generation(std::uint64_t, std::uint64_t above) override { return above + 1; }
  void commit(std::uint64_t, std::vector<Change> changes, Handler<void> handler) override {
    commits.push_back(std::move(changes));
    handler(success());
  }
  Result<std::vector<StoredDocument>> load() override { return std::vector<StoredDocument>{}; }
  std::vector<std::vector<Change>> commits;
};

// What a caller got: how often it was answered, and the last answer.
template <class T>
struct Caught {
  Handler<T> handler() {
    return [this](Result<T> result) {
      ++answers;
      last.emplace(std::move(result));
    };
  }
  bool ok() const { return last && last->has_value(); }
  ErrorCode code() const { return last && last->has_error() ? last->error().code : ErrorCode::unknown; }
  int answers = 0;
  std::optional<Result<T>> last;
};

}  // namespace drover::fault

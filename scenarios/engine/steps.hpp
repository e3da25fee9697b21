// Carries out the steps of a scenario as coroutines in the world's own domain.
#pragma once

#include <string>

#include "scenarios/engine/world.hpp"

namespace drover::scenario {

class Steps {
 public:
  Steps(World& world, Referee& referee) : world_(world), referee_(referee) {}

  // All steps in order; ends early at the first that fails (reported to the world as invariant "step").
  Task<void> run(const std::vector<Step>& steps);
  bool failed() const { return failed_; }
  // Under a tolerant judge: the steps that did not end as the file says, by their text, in their order.
  const std::vector<std::string>& shortfalls() const { return shortfalls_; }

  // Until what the world tells is what is so now.
  Task<void> look();

  // To be called after every event that changed something: wakes `eventually` steps whose condition holds
  // now.
  void after_change();

 private:
  struct Watcher {
    const Checks* checks;
    Handler<void> handler;
  };

  Task<void> run_one(const Step* step);
  Task<void> call(const Step* step, const Call* call);
  // Its result: the operation that the call began, as a text; "" when it began none.
  Task<std::string> finish_call(const Step* step, const Call* call, api::Request request);
  Task<void> finish_in_background(const Step* step, const Call* call, api::Request request);
  Task<ClientAnswer> ask(api::Request request, Client client, bool patient);
  Task<void> check_now(const Step* step, const Check* check);
  Task<void> eventually(const Step* step, const Eventually* wanted);
  Task<void> await_operation(const Step* step, const Await* wanted);
  Task<void> await_end(const Step* step, std::string operation, std::string state, Duration within);
  Task<void> parallel(const std::vector<Step>* steps);
  Task<void> parallel_one(const Step* step, std::size_t* left, Signal* done);
  Task<void> run_workload(const Step* step, const Workload* workload);
  void act(const Step& step, const Do& action);
  void judge(const Step& step, const Call& call, const ClientAnswer& answer);
  // Why the checks do not hold now; "" when they do.
  std::string trouble(const Checks& checks);
  void fail(const Step& step, const std::string& message);
  bool is_tolerant() const { return world_.scenario().judge.tolerant; }
  Duration patience(Duration within) const;
  // A key for a changing call that has none, so that a tolerant client can repeat it.
  void add_key(const Call& call, nlohmann::json& params);
  Task<ClientAnswer> ask_until_answered(api::Request request);
  bool is_hopeless(TimePoint& settled_since);
  nlohmann::json captures() const;

  World& world_;
  Referee& referee_;
  nlohmann::json captures_ = nlohmann::json::object();
  std::vector<Watcher> watchers_;
  bool failed_ = false;
  std::vector<std::string> shortfalls_;
  unsigned keys_ = 0;  // made so far
};

// Whether `part` is contained in `whole`: every key of an object, every element of an array in its place.
bool is_subset(const nlohmann::json& part, const nlohmann::json& whole);

// The request of a call by its method's name: the verb from exposed_functions, uploads from texts.
api::Request make_request(World& world, const std::string& method, nlohmann::json params);

// The workloads that `workload:` may name.
std::vector<std::string> workload_names();

}  // namespace drover::scenario

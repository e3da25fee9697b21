#include "scenarios/cloud/cloud_stage.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include "scenarios/engine/run.hpp"
#include "scenarios/local/supported.hpp"

namespace drover::scenario {
namespace {

constexpr std::chrono::milliseconds kLookForInterrupt{100};
constexpr Duration kCleanUpMax = 15min;

RunResult blank(const Scenario& scenario, std::uint64_t seed) {
  RunResult result;
  result.scenario = scenario.name;
  result.file = scenario.file;
  result.values = scenario.values;
  result.seed = seed;
  result.world = "cloud";
  result.repro = repro_line(scenario, seed, result.world);
  return result;
}

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// Every time limit of the steps, multiplied.
void stretch(std::vector<Step>& steps, double factor) {
  const auto longer = [factor](Duration& time) {
    time = Duration(static_cast<Duration::rep>(static_cast<double>(time.count()) * factor));
  };
  for (Step& step : steps) {
    if (auto* call = std::get_if<Call>(&step.action)) longer(call->within);
    if (auto* eventually = std::get_if<Eventually>(&step.action)) longer(eventually->within);
    if (auto* await = std::get_if<Await>(&step.action)) longer(await->within);
    if (auto* parallel = std::get_if<Parallel>(&step.action)) stretch(parallel->steps, factor);
    if (auto* repeat = std::get_if<Repeat>(&step.action)) stretch(repeat->steps, factor);
  }
}

// Lets the sockets and the clock work until `done`, or for `limit`.
void work_until(asio::io_context& io, CloudWorld& world, Duration limit, const std::function<bool()>& done) {
  const auto work = asio::make_work_guard(io);
  const TimePoint end = world.scheduler().later(limit);
  if (io.stopped()) io.restart();
  while (!done() && world.pump().present() < end) io.run_one_for(kLookForInterrupt);
}

void clean_up(asio::io_context& io, CloudWorld& world, RunResult& result,
              const std::function<void(const std::string&)>& log) {
  std::optional<std::vector<std::string>> left;
  const std::string run = world.guard().limits().run;
  if (world.guard().alive() > 0) log(run + ": ending " + std::to_string(world.guard().alive()) + " VM(s)");
  world.pump().submit([&] {
    world.end_everything([&](Result<std::vector<std::string>> still) {
      left = still.has_value() ? std::move(still).value() : std::vector<std::string>{};
    });
  });
  work_until(io, world, kCleanUpMax, [&] { return left.has_value(); });
  if (left && left->empty()) return;
  const std::string what =
      left ? "VM(s) " + list_of(*left) + " with the tag " + kRunTag + "=" + run + " could not be ended"
           : "the clean-up of the tag " + std::string(kRunTag) + "=" + run + " did not end";
  log(what + ": look for them at the provider");
  result.failures.push_back({"L3", what, TimePoint{} + result.simulated, "L3 left behind"});
  result.verdict = Verdict::fail;
}

}  // namespace

std::string describe_plan(const Scenario& scenario, const CloudPlace& place) {
  std::string text = scenario.file;
  if (const std::string values = to_text(scenario.values); !values.empty()) text += " [" + values + "]";
  if (const std::string why = why_not_on_a_cloud(scenario); !why.empty())
    return text + ": nothing: " + why + "\n";
  const InstanceSpec& vm = place.instance;
  text += ": on " + place.cloud + ", steps ask for " + std::to_string(vms_asked_for(scenario)) +
          " VM(s), at most " + std::to_string(scenario.real.max_instances) + " at once, of image \"" +
          vm.image + "\", size \"" + vm.size + "\", network \"" + vm.network +
          "\"; everything with the run's tag " + kRunTag + " is ended after the run, after " +
          drover::to_text(scenario.real.ttl) + " at the latest\n";
  return text;
}

RunResult run_on_cloud(const Scenario& scenario, std::uint64_t seed, const RunOptions& options,
                       const CloudPlace& place, const std::string& name, std::int64_t wall,
                       const std::function<bool()>& interrupted,
                       const std::function<void(const std::string&)>& log) {
  RunResult result = blank(scenario, seed);
  if (auto why = why_not_on_a_cloud(scenario); !why.empty()) {
    const bool forgiven = !scenario.real.allow || scenario.real.skip_unsupported;
    result.verdict = forgiven ? Verdict::skipped : Verdict::fail;
    if (!forgiven) result.failures.push_back({"world", why, TimePoint{}, "world " + why});
    result.reason = std::move(why);
    return result;
  }
  Scenario patient = scenario;
  stretch(patient.steps, scenario.real.slack);
  asio::io_context io{1};
  auto opened = CloudWorld::open(patient, seed, place, name, wall, io);
  if (opened.has_error()) {
    result.reason = opened.error().message;
    return result;
  }
  CloudWorld& world = *opened.value();
  CloudReferee referee(world);
  Run run(patient, options, world, referee);
  run.begin();
  const TimePoint limit = world.guard().limits().until;
  const auto work = asio::make_work_guard(io);
  while (!run.ended()) {
    io.run_one_for(kLookForInterrupt);
    run.after_event();
    if (world.scheduler().next_event() <= world.pump().present()) world.pump().wake();
    if (interrupted()) run.give_up("interrupted");
    if (world.pump().present() > limit)
      run.give_up("gave up after real.ttl, " + drover::to_text(scenario.real.ttl));
  }
  result = run.result(seed);
  if (!world.guard().stopped_by().empty() && result.verdict != Verdict::pass)
    result.reason += (result.reason.empty() ? "" : "; ") + world.guard().stopped_by();
  clean_up(io, world, result, log);
  return result;
}

}  // namespace drover::scenario

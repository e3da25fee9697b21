#include "scenarios/local/stage.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <filesystem>
#include <random>
#include <thread>

#include "manager/agent/server_process.hpp"
#include "scenarios/engine/run.hpp"
#include "scenarios/local/local_referee.hpp"

namespace drover::scenario {
namespace {

namespace fs = std::filesystem;

constexpr Duration kRunMax = 1h;  // beyond: UNKNOWN
constexpr std::chrono::milliseconds kLookForInterrupt{100};

RunResult blank(const Scenario& scenario, std::uint64_t seed) {
  RunResult result;
  result.scenario = scenario.name;
  result.file = scenario.file;
  result.values = scenario.values;
  result.seed = seed;
  result.world = "local";
  result.repro = repro_line(scenario, seed, result.world);
  return result;
}

void add_failure(RunResult& result, const std::string& message) {
  result.failures.push_back({"L3", message, TimePoint{} + result.simulated, "L3 left behind"});
  result.verdict = Verdict::fail;
}

}  // namespace

LocalStage::LocalStage(std::string folder, std::string program, Sweeper sweeper)
    : folder_(std::move(folder)), program_(std::move(program)), sweeper_(std::move(sweeper)) {}

LocalStage::~LocalStage() = default;

Result<std::unique_ptr<LocalStage>> LocalStage::open(const std::string& program, NetworkChoice networks) {
  for (const char* name : {"mariadbd", "mariadb-install-db", "mariadb-backup"})
    if (system::find_program(name).empty())
      return make_error(ErrorCode::unavailable,
                        std::string("--world local needs ") + name +
                            ": apt-get install mariadb-server-core mariadb-client mariadb-backup");
  DROVER_TRY(const std::string folder, make_stage_folder());
  auto sweeper = Sweeper::start(program, folder);
  if (sweeper.has_error()) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    return std::move(sweeper).error();
  }
  // What an agent that was killed leaves behind becomes ours to reap.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  std::unique_ptr<LocalStage> stage(new LocalStage(folder, program, std::move(sweeper).value()));
  DROVER_TRY(stage->see_what_lacks(networks));
  DROVER_TRY(stage->make_template());
  return stage;
}

Result<void> LocalStage::see_what_lacks(NetworkChoice networks) {
  networks_ = networks;
  const std::string probe = folder_ + "/probe";
  std::error_code error;
  fs::create_directory(probe, error);
  lacks_.networks = networks == NetworkChoice::loopback
                        ? "this is --network loopback"
                        : why_no_ground({.networks = true, .disks = false}, probe);
  lacks_.disks = why_no_ground({.networks = false, .disks = true}, probe);
  fs::remove_all(probe, error);
  if (networks == NetworkChoice::namespaces && !lacks_.networks.empty())
    return make_error(ErrorCode::unavailable,
                      "--network namespaces: " + lacks_.networks + "; or leave --network out");
  return success();
}

// A server of its own makes the writers' table and account once; every VM begins with a copy.
Result<void> LocalStage::make_template() {
  std::random_device random;
  common_.program = program_;
  common_.writers_password.value = "writer-" + std::to_string(random()) + "-" + std::to_string(random());
  common_.data_template = folder_ + "/template";
  agent::AgentSettings settings;
  settings.folder = folder_ + "/maker";
  // Not where any VM is; by the process, for several stages of one machine.
  const auto process = static_cast<unsigned>(::getpid());
  settings.address =
      "127.63." + std::to_string(process / 250 % 250) + "." + std::to_string(process % 250 + 1);
  settings.log = [](const std::string&) {};
  agent::ServerProcess maker(settings);
  DROVER_TRY(maker.open());
  common_.user = maker.user();
  DROVER_TRY(maker.make_data(maker.data_folder()));
  DROVER_TRY(maker.start(agent::AgentState{}));
  agent::Connection::Place place;
  place.socket = maker.socket();
  place.user = maker.user();
  {
    DROVER_TRY(auto connection, agent::Connection::open(place, 5s, 10s));
    DROVER_TRY(connection->run("SET SESSION sql_log_bin = 0"));
    for (const auto& statement : writers_schema(common_.writers_password)) {
      DROVER_TRY(connection->run(statement));
    }
    // Every server begins with an empty binary log of its own.
    DROVER_TRY(connection->run("RESET MASTER"));
  }
  DROVER_TRY(maker.stop());
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(maker.data_folder(), error))
    if (entry.path().filename().string().starts_with("binlog.")) fs::remove(entry.path(), error);
  fs::rename(maker.data_folder(), common_.data_template, error);
  if (error) return make_error(ErrorCode::unavailable, common_.data_template + ": " + error.message());
  fs::remove_all(settings.folder, error);
  return success();
}

RunResult LocalStage::run(const Scenario& scenario, std::uint64_t seed, const RunOptions& options,
                          const std::function<bool()>& interrupted) {
  if (auto why = why_not_local(scenario, lacks_); !why.empty()) {
    RunResult skipped = blank(scenario, seed);
    skipped.verdict = Verdict::skipped;
    skipped.reason = std::move(why);
    return skipped;
  }
  const unsigned number = ++runs_;
  LocalPlace place = common_;
  place.folder = folder_ + "/r" + std::to_string(number);
  // Runs of one process, and of several at the same time, should not try the same addresses.
  place.network = static_cast<unsigned>(::getpid()) + 97 * number;
  std::error_code error;
  fs::create_directory(place.folder, error);
  GroundWanted wanted = ground_wanted(scenario);
  wanted.networks = wanted.networks || networks_ == NetworkChoice::namespaces;
  RunResult result = wanted.any() ? perform_on_ground(scenario, seed, options, place, wanted, interrupted)
                                  : perform(scenario, seed, options, place, interrupted);
  if (const auto left = processes_of_folder(place.folder); !left.empty())
    add_failure(result, std::to_string(left.size()) + " process(es) of the run were left behind");
  if (const auto swept = sweep(place.folder); swept.has_error()) add_failure(result, swept.error().message);
  return result;
}

RunResult LocalStage::perform_on_ground(const Scenario& scenario, std::uint64_t seed,
                                        const RunOptions& options, LocalPlace place,
                                        const GroundWanted& wanted,
                                        const std::function<bool()>& interrupted) {
  RunResult result = blank(scenario, seed);
  std::thread([&] {
    auto ground = RunGround::make(wanted, seed);
    if (ground.has_error()) {
      result.reason = ground.error().message;
      return;
    }
    place.ground = ground.value().get();
    result = perform(scenario, seed, options, place, interrupted);
  }).join();
  return result;
}

RunResult LocalStage::perform(const Scenario& scenario, std::uint64_t seed, const RunOptions& options,
                              const LocalPlace& place, const std::function<bool()>& interrupted) {
  asio::io_context io{1};
  auto opened = LocalWorld::open(scenario, seed, place, io);
  if (opened.has_error()) {
    RunResult result = blank(scenario, seed);
    result.reason = opened.error().message;
    return result;
  }
  LocalWorld& world = *opened.value();
  LocalReferee referee(world);
  Run run(scenario, options, world, referee);
  run.begin();
  const TimePoint limit = world.scheduler().later(kRunMax);
  const auto work = asio::make_work_guard(io);
  while (!run.ended()) {
    io.run_one_for(kLookForInterrupt);
    run.after_event();
    // What a condition that holds now has woken.
    if (world.scheduler().next_event() <= world.pump().present()) world.pump().wake();
    if (interrupted()) run.give_up("interrupted");
    if (world.scheduler().now() > limit) run.give_up("gave up after " + drover::to_text(kRunMax));
  }
  return run.result(seed);
}

}  // namespace drover::scenario

// What all runs of one `drover run --world local` share: the folder, the sweeper that outlives the process,
// and the data directory that every VM begins with. Made and destroyed on the main thread; runs may be made
// on several threads at once.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "scenarios/engine/runner.hpp"
#include "scenarios/local/local_world.hpp"
#include "scenarios/local/supported.hpp"
#include "scenarios/local/sweeper.hpp"

namespace drover::scenario {

// Where the VMs of a run have their addresses.
enum class NetworkChoice : unsigned char {
  where_needed,  // in networks of their own where the scenario cuts them, else on the loopback
  namespaces,    // always in networks of their own
  loopback,      // never
};

class LocalStage {
 public:
  // Takes seconds. Errors: unavailable (no mariadbd, no folder, no networks where they are asked for) with
  // what to do.
  static Result<std::unique_ptr<LocalStage>> open(const std::string& program,
                                                  NetworkChoice networks = NetworkChoice::where_needed);
  // Nothing is left: no process, no folder.
  ~LocalStage();
  LocalStage(const LocalStage&) = delete;
  LocalStage& operator=(const LocalStage&) = delete;

  // `interrupted` is looked at ten times a second; once it is true the run ends as UNKNOWN. What the local
  // world cannot show is SKIPPED at once. Any thread.
  RunResult run(const Scenario& scenario, std::uint64_t seed, const RunOptions& options,
                const std::function<bool()>& interrupted);

 private:
  LocalStage(std::string folder, std::string program, Sweeper sweeper);
  Result<void> make_template();
  Result<void> see_what_lacks(NetworkChoice networks);
  // On a thread of its own, which the networks and disks of the run end with.
  RunResult perform_on_ground(const Scenario& scenario, std::uint64_t seed, const RunOptions& options,
                              LocalPlace place, const GroundWanted& wanted,
                              const std::function<bool()>& interrupted);
  RunResult perform(const Scenario& scenario, std::uint64_t seed, const RunOptions& options,
                    const LocalPlace& place, const std::function<bool()>& interrupted);

  const std::string folder_;
  const std::string program_;
  Sweeper sweeper_;
  LocalPlace common_;
  NetworkChoice networks_ = NetworkChoice::where_needed;
  LocalLacks lacks_;
  std::atomic<unsigned> runs_{0};
};

}  // namespace drover::scenario

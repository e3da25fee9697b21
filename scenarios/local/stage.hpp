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
#include "scenarios/local/sweeper.hpp"

namespace drover::scenario {

class LocalStage {
 public:
  // Takes seconds. Errors: unavailable (no mariadbd, no folder) with what to do.
  static Result<std::unique_ptr<LocalStage>> open(const std::string& program);
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
  RunResult perform(const Scenario& scenario, std::uint64_t seed, const RunOptions& options,
                    const LocalPlace& place, const std::function<bool()>& interrupted);

  const std::string folder_;
  const std::string program_;
  Sweeper sweeper_;
  LocalPlace common_;
  std::atomic<unsigned> runs_{0};
};

}  // namespace drover::scenario

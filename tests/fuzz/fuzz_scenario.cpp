// libFuzzer over whole rehearsals: the bytes spell a plan (which scenario, seed, faults, where), the coverage
// of the manager's code guides them, and a run that fails becomes a minimal scenario file.
#include <cstdio>
#include <cstdlib>

#include "paths.hpp"
#include "scenarios/engine/load_library.hpp"
#include "scenarios/engine/report_results.hpp"
#include "scenarios/explore/drawn_plan.hpp"
#include "scenarios/explore/report.hpp"
#include "scenarios/explore/search.hpp"

namespace {

using drover::explore::Base;

constexpr std::size_t kMostFaults = 4;

// Every case of the library that a run takes little time of, without its own faults.
std::vector<Base> load_bases() {
  std::vector<Base> bases;
  const auto files = drover::scenario::find_scenarios({DROVER_SOURCE_DIR "/scenarios/library"});
  for (const auto& path : files.value()) {
    const auto loaded = drover::scenario::load_scenario(path);
    if (loaded.has_error()) continue;
    Base base = drover::explore::make_base(loaded.value().cases.front(), 1);
    if (!base.too_large && !base.own_faults && base.reference.run.events < 20'000)
      bases.push_back(std::move(base));
  }
  return bases;
}

[[noreturn]] void report(const Base& base, const drover::explore::Plan& plan,
                         const drover::scenario::RunResult& result) {
  drover::explore::Finding finding;
  finding.fingerprint = result.failures.front().fingerprint;
  finding.invariant = result.failures.front().invariant;
  finding.message = result.failures.front().message;
  finding.plan = plan;
  finding.count = 1;
  const auto found = drover::explore::found_of(base, finding, true);
  const std::string file = "found-" + found.name + ".json";
  (void)drover::scenario::write_file(file, found.text);
  std::fprintf(stderr, "%s\n%s\nagain: drover run %s\n", found.fingerprint.c_str(), found.message.c_str(),
               file.c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<Base> bases = load_bases();
  drover::explore::ByteChoices choices(std::span(data, size));
  const auto plan = drover::explore::draw_plan(bases, choices, kMostFaults);
  const auto outcome = drover::explore::run_plan(bases[plan.base], plan);
  if (!outcome.result.failures.empty()) report(bases[plan.base], plan, outcome.result);
  return 0;
}

#include "scenarios/explore/search.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "scenarios/explore/generator.hpp"

namespace drover::explore {
namespace {

constexpr std::uint64_t kEventsGuessed = 2000;

}  // namespace

std::unique_ptr<Generator> make_generator(Mode mode, const GeneratorContext& context) {
  switch (mode) {
    case Mode::reference:
      return make_reference(context);
    case Mode::single:
      return make_single(context);
    case Mode::crash:
      return make_crash(context);
    case Mode::pairs:
      return make_pairs(context);
    case Mode::sweep:
      return make_sweep(context);
    case Mode::swarm:
      return make_swarm(context);
    case Mode::order:
      return make_order(context);
    case Mode::coverage:
      return make_coverage(context);
  }
  return nullptr;
}

Search::Search(std::vector<Base> bases, Settings settings)
    : bases_(std::move(bases)), settings_(std::move(settings)), base_counts_(bases_.size()) {
  std::set<std::uint64_t> known;
  for (auto& base : bases_) base.repeated = !known.insert(identity_of(base)).second;
  const GeneratorContext context{bases_, settings_};
  generators_.push_back(make_reference(context));
  for (const Mode mode : settings_.modes)
    if (mode != Mode::reference) generators_.push_back(make_generator(mode, context));
  for (const auto& generator : generators_) generator->count(counts_[generator->mode()], base_counts_);
}

Search::~Search() = default;

// The one that has had the fewest events, of those that still give plans; the events of what is planned but
// not yet run are guessed from the runs before.
std::optional<Plan> Search::next_of_modes(std::map<Mode, std::uint64_t>& planned) {
  std::vector<std::pair<std::uint64_t, Generator*>> order;
  for (std::size_t i = 1; i < generators_.size(); ++i) {
    const Mode mode = generators_[i]->mode();
    const ModeCounts& counts = counts_[mode];
    const std::uint64_t each = counts.runs == 0 ? kEventsGuessed : counts.events / counts.runs;
    order.emplace_back(counts.events + planned[mode] * each, generators_[i].get());
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [events, generator] : order) {
    auto plan = generator->next();
    if (!plan) continue;
    ++planned[generator->mode()];
    return plan;
  }
  return std::nullopt;
}

// The files as they are come first; then the modes, each with its share of events.
std::vector<Plan> Search::next(std::size_t limit) {
  std::vector<Plan> batch;
  std::map<Mode, std::uint64_t> planned;
  if (over_) return batch;
  limit = std::min<std::uint64_t>(limit, settings_.runs - std::min(settings_.runs, runs_));
  while (batch.size() < limit) {
    if (auto plan = generators_.front()->next()) {
      batch.push_back(std::move(*plan));
      continue;
    }
    auto plan = next_of_modes(planned);
    if (!plan) break;
    batch.push_back(std::move(*plan));
  }
  if (batch.empty()) over_ = true;
  return batch;
}

std::vector<std::uint64_t> Search::keys(std::size_t base) const {
  std::vector<std::uint64_t> all;
  for (const auto& generator : generators_) {
    const auto some = generator->keys(base);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

bool Search::exhausted() const { return over_ && events_ < settings_.events && runs_ < settings_.runs; }

void Search::absorb(const std::vector<Plan>& plans, std::vector<Outcome>& outcomes) {
  for (std::size_t i = 0; i < plans.size() && !over_; ++i) {
    const Plan& plan = plans[i];
    const scenario::RunResult& result = outcomes[i].result;
    ++runs_;
    events_ += result.events;
    digest_ = mix(digest_, result.digest);
    simulated_s_ += to_seconds(result.simulated);
    ModeCounts& counts = counts_[plan.mode];
    ++counts.runs;
    counts.events += result.events;
    ++base_counts_[plan.base].runs;
    if (plan.key != 0) {
      tried_.insert(plan.key);
      if (result.verdict != scenario::Verdict::vacuous) fired_.insert(plan.key);
    }
    if (!result.failures.empty() || result.verdict == scenario::Verdict::unknown) {
      ++counts.failed;
      Plan failed = plan;
      failed.tolerantly = outcomes[i].tolerantly;
      note_failures(failed, result);
    } else if (result.verdict == scenario::Verdict::vacuous) {
      ++counts.vacuous;
    } else if (!plan.as_written) {
      cells_.insert(plan.cell);
      transitions_.insert(plan.cell + " | " + plan.context);
    }
    for (const auto& generator : generators_)
      if (generator->mode() == plan.mode) generator->learn(plan, outcomes[i]);
    over_ = events_ >= settings_.events;
  }
}

void Search::note_failures(const Plan& plan, const scenario::RunResult& result) {
  std::string fingerprint = "gave up", invariant = "L6", message = result.reason;
  if (!result.failures.empty()) {
    fingerprint = result.failures.front().fingerprint;
    invariant = result.failures.front().invariant;
    message = result.failures.front().message;
  }
  auto [found, is_new] = findings_.try_emplace(fingerprint);
  Finding& finding = found->second;
  ++finding.count;
  const bool smaller = !is_new && plan.faults.size() < finding.plan.faults.size() && !plan.as_written;
  if (!is_new && !smaller) return;
  if (is_new) {
    finding.fingerprint = std::move(fingerprint);
    finding.invariant = std::move(invariant);
    finding.first_run = runs_;
  }
  finding.message = std::move(message);
  finding.plan = plan;
  finding.events = result.events;
}

std::vector<const Finding*> Search::in_order() const {
  std::vector<const Finding*> all;
  for (const auto& [fingerprint, finding] : findings_) all.push_back(&finding);
  std::sort(all.begin(), all.end(),
            [](const Finding* a, const Finding* b) { return a->first_run < b->first_run; });
  return all;
}

namespace {

// A step that fails tells what the file noticed. Often an invariant is broken as well, once the run goes on,
// and that is the same in every scenario.
void look_for_the_cause(const Base& base, Plan plan, const scenario::RunOptions& options, Outcome& outcome) {
  auto& failures = outcome.result.failures;
  const bool of_the_file = !failures.empty() && std::ranges::all_of(failures, [](const auto& failure) {
    return failure.invariant == "step" || failure.invariant == "expect";
  });
  if (!of_the_file) return;
  plan.tolerantly = true;
  auto result = scenario::run_scenario(scenario_of(base, plan), plan.seed, options);
  result.events += outcome.result.events;
  outcome.result.events = result.events;
  if (result.failures.empty()) return;
  result.failures.front().message += " (the file itself fails: " + failures.front().message + ")";
  outcome.result = std::move(result);
  outcome.tolerantly = true;
}

}  // namespace

Outcome run_plan(const Base& base, const Plan& plan) {
  Outcome outcome;
  const scenario::Scenario one = scenario_of(base, plan);
  if (plan.wants_recording) {
    outcome.recording = record(one, plan.seed, &base.reference.run.end, true);
    outcome.result = std::move(outcome.recording.run);
    return outcome;
  }
  scenario::RunOptions options;
  options.max_events = kEventsAtMost;
  if (one.judge.as_without_faults && plan.seed == base.reference.run.seed)
    options.reference = &base.reference.run.end;
  std::unordered_set<std::uint64_t> features;
  std::unordered_map<std::uint64_t, std::uint64_t> latest;  // of each subject
  if (plan.wants_features) {
    options.prepare = [&](scenario::SimWorld& world) {
      world.faults().set_recorder([&](std::string_view point, std::string_view subject) {
        std::uint64_t& before = latest[hash_text(subject)];
        const std::uint64_t here = hash_text(point);
        const std::uint64_t feature = mix(before, here);
        if (features.insert(feature).second) outcome.features.push_back(feature);
        before = here;
      });
    };
  }
  outcome.result = scenario::run_scenario(one, plan.seed, options);
  if (plan.as_written && !plan.tolerantly) look_for_the_cause(base, plan, options, outcome);
  return outcome;
}

}  // namespace drover::explore

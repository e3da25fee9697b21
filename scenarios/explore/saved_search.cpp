// A search as JSON: interrupted, or out of budget, and taken up again.
#include <nlohmann/json.hpp>

#include "scenarios/explore/generator.hpp"
#include "scenarios/explore/saved_plan.hpp"

namespace drover::explore {

using nlohmann::json;

namespace {

json to_json(const ModeCounts& counts) {
  return {{"runs", counts.runs},
          {"failed", counts.failed},
          {"vacuous", counts.vacuous},
          {"events", counts.events}};
}

void read(const json& saved, ModeCounts& counts) {
  saved.at("runs").get_to(counts.runs);
  saved.at("failed").get_to(counts.failed);
  saved.at("vacuous").get_to(counts.vacuous);
  saved.at("events").get_to(counts.events);
}

json to_json(const Finding& finding) {
  return {{"fingerprint", finding.fingerprint},
          {"invariant", finding.invariant},
          {"message", finding.message},
          {"count", finding.count},
          {"first_run", finding.first_run},
          {"plan", to_json(finding.plan)},
          {"events", finding.events}};
}

Finding finding_of(const json& saved) {
  Finding finding;
  saved.at("fingerprint").get_to(finding.fingerprint);
  saved.at("invariant").get_to(finding.invariant);
  saved.at("message").get_to(finding.message);
  saved.at("count").get_to(finding.count);
  saved.at("first_run").get_to(finding.first_run);
  saved.at("events").get_to(finding.events);
  finding.plan = plan_of(saved.at("plan")).value();
  return finding;
}

}  // namespace

// Of what is searched, and how: only the same can be gone on with.
std::string Search::identity() const {
  std::uint64_t hash = settings_.seed;
  for (const Base& base : bases_) {
    hash = hash_text(to_canonical_text(base.scenario), hash);
    hash = mix(hash, base.reference.run.digest);
  }
  for (const auto& generator : generators_) hash = hash_text(to_text(generator->mode()), hash);
  return std::to_string(hash);
}

json Search::save() const {
  json saved{{"identity", identity()},
             {"runs", runs_},
             {"events", events_},
             {"digest", digest_},
             {"simulated_s", simulated_s_},
             {"cells", cells_},
             {"transitions", transitions_},
             {"tried", tried_},
             {"fired", fired_}};
  for (const auto& generator : generators_) {
    saved["modes"][to_text(generator->mode())] = generator->save();
    saved["counts"][to_text(generator->mode())] = to_json(counts_.at(generator->mode()));
  }
  saved["findings"] = json::array();
  for (const auto& [fingerprint, finding] : findings_) saved["findings"].push_back(to_json(finding));
  saved["base_runs"] = json::array();
  for (const auto& counts : base_counts_) saved["base_runs"].push_back(counts.runs);
  return saved;
}

Result<void> Search::take_up(const json& saved) {
  try {
    if (saved.at("identity").get<std::string>() != identity())
      return make_error(
          ErrorCode::invalid,
          "the saved search was made with other files, another seed, other modes or another drover");
    saved.at("runs").get_to(runs_);
    saved.at("events").get_to(events_);
    saved.at("digest").get_to(digest_);
    saved.at("simulated_s").get_to(simulated_s_);
    saved.at("cells").get_to(cells_);
    saved.at("transitions").get_to(transitions_);
    saved.at("tried").get_to(tried_);
    saved.at("fired").get_to(fired_);
    for (const auto& generator : generators_) {
      generator->load(saved.at("modes").at(to_text(generator->mode())));
      read(saved.at("counts").at(to_text(generator->mode())), counts_.at(generator->mode()));
    }
    for (const auto& one : saved.at("findings")) {
      Finding finding = finding_of(one);
      findings_[finding.fingerprint] = std::move(finding);
    }
    for (std::size_t i = 0; i < base_counts_.size(); ++i)
      saved.at("base_runs").at(i).get_to(base_counts_[i].runs);
  } catch (const std::exception& error) {
    return make_error(ErrorCode::invalid, std::string("the saved search cannot be read: ") + error.what());
  }
  if (settings_.events != UINT64_MAX) settings_.events += events_;
  if (settings_.runs != UINT64_MAX) settings_.runs += runs_;
  return success();
}

}  // namespace drover::explore

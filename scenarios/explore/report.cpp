#include "scenarios/explore/report.hpp"

#include <cstdio>
#include <set>

#include "scenarios/engine/report_results.hpp"
#include "scenarios/explore/shrink.hpp"

namespace drover::explore {
namespace {

using nlohmann::ordered_json;

// "S1 surplus VM" → "s1-surplus-vm".
std::string slug_of(const std::string& text) {
  std::string slug;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    const bool capital = c >= 'A' && c <= 'Z';
    if (letter || capital)
      slug += capital ? static_cast<char>(c - 'A' + 'a') : c;
    else if (!slug.empty() && slug.back() != '-')
      slug += '-';
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  if (slug.size() > 60) slug.resize(60);
  return slug.empty() ? "failure" : slug;
}

std::string folder_of(const std::string& file) {
  const auto slash = file.rfind('/');
  if (slash == std::string::npos) return ".";
  const auto before = file.rfind('/', slash - 1);
  return file.substr(before == std::string::npos ? 0 : before + 1,
                     slash - (before == std::string::npos ? 0 : before + 1));
}

std::string format(const char* pattern, auto... values) {
  char line[400];
  std::snprintf(line, sizeof line, pattern, values...);
  return line;
}

}  // namespace

Found found_of(const Base& base, const Finding& finding, bool shrinks) {
  Found found;
  found.fingerprint = finding.fingerprint;
  found.message = finding.message;
  found.mode = finding.plan.mode;
  found.origin = base.scenario.file;
  found.seed = finding.plan.seed;
  found.count = finding.count;
  found.first_run = finding.first_run;
  found.shrunk_from_events = finding.events;
  found.name = slug_of(finding.fingerprint);
  scenario::Scenario one = scenario_of(base, finding.plan);
  ShrinkLimits limits;
  if (!shrinks) limits.runs = 1;
  Shrunk small = shrink(one, finding.plan.seed, finding.fingerprint, limits);
  found.reproduced = small.reproduced;
  found.faults = small.faults;
  found.steps = small.steps;
  found.shrink_runs = small.runs;
  if (!small.message.empty()) found.message = small.message;
  small.scenario.name = found.name;
  small.scenario.description = finding.fingerprint + ". Found by `drover explore --mode " +
                               to_text(finding.plan.mode) + "` from " + base.scenario.name + ".";
  small.scenario.tags = {"found"};
  found.text = to_canonical_text(small.scenario, small.seed);
  return found;
}

namespace {

Report::Cover cover_of(const Search& search, const std::set<std::uint64_t>& keys) {
  Report::Cover cover;
  cover.all = keys.size();
  for (const std::uint64_t key : keys) {
    if (search.tried(key)) ++cover.tried;
    if (search.took_effect(key)) ++cover.took_effect;
  }
  return cover;
}

std::string to_text(const Report::Cover& cover) {
  if (cover.all == 0) return "no faults at points";
  return format("%llu of %llu kinds of faults at points tried, %llu took effect",
                static_cast<unsigned long long>(cover.tried), static_cast<unsigned long long>(cover.all),
                static_cast<unsigned long long>(cover.took_effect));
}

ordered_json to_json(const Report::Cover& cover) {
  return {{"all", cover.all}, {"tried", cover.tried}, {"took_effect", cover.took_effect}};
}

}  // namespace

void summarize(const Search& search, Report& report) {
  report.runs = search.runs();
  report.events = search.events();
  report.digest = search.digest();
  report.simulated_s = search.simulated_s();
  report.exhausted = search.exhausted();
  report.modes = search.counts();
  report.cells = search.cells();
  report.transitions = search.transitions();
  std::map<std::string, std::set<std::string>> files;
  std::map<std::string, std::set<std::uint64_t>> keys;
  std::set<std::uint64_t> all_keys;
  for (std::size_t i = 0; i < search.bases().size(); ++i) {
    const auto& file = search.bases()[i].scenario.file;
    auto& folder = report.folders[folder_of(file)];
    files[folder_of(file)].insert(file);
    folder.points += search.base_counts()[i].points;
    folder.plans += search.base_counts()[i].plans;
    folder.runs += search.base_counts()[i].runs;
    for (const std::uint64_t key : search.keys(i)) {
      keys[folder_of(file)].insert(key);
      all_keys.insert(key);
    }
  }
  report.cover = cover_of(search, all_keys);
  for (auto& [name, folder] : report.folders) {
    folder.files = files[name].size();
    folder.cover = cover_of(search, keys[name]);
  }
}

ordered_json to_json(const Report& report) {
  ordered_json out;
  out["drover"] = DROVER_VERSION;
  out["command"] = "explore";
  auto& summary = out["summary"];
  std::uint64_t failed = 0, vacuous = 0, points = 0, plans = 0;
  auto pruned = ordered_json::object();
  auto modes = ordered_json::object();
  for (const auto& [mode, counts] : report.modes) {
    failed += counts.failed;
    vacuous += counts.vacuous;
    points += counts.points;
    plans += counts.plans;
    auto& one = modes[to_text(mode)];
    one = {{"observed", counts.observed}, {"points", counts.points}, {"applicable", counts.applicable},
           {"plans", counts.plans},       {"runs", counts.runs},     {"failed", counts.failed},
           {"vacuous", counts.vacuous},   {"events", counts.events}};
    one["pruned"] = ordered_json::object();
    for (const auto& [why, count] : counts.pruned) {
      one["pruned"][why] = count;
      pruned[why] = pruned.value(why, std::uint64_t{0}) + count;
    }
  }
  summary = {{"runs", report.runs},
             {"passed", report.runs - failed - vacuous},
             {"failed", failed},
             {"skipped", 0},
             {"vacuous", vacuous},
             {"unknown", 0},
             {"wall_s", report.wall_s},
             {"search_wall_s", report.search_wall_s},
             {"simulated_s", report.simulated_s},
             {"events", report.events},
             {"nondeterministic", report.nondeterministic.size()},
             {"digest", scenario::digest_text(report.digest)},
             {"points", points},
             {"plans", plans},
             {"pruned", pruned},
             {"exhausted", report.exhausted},
             {"ended_by_clock", report.by_clock},
             {"coverage",
              {{"fault_at_point", report.cells},
               {"fault_at_point_in_context", report.transitions},
               {"kinds_of_faults_at_points", to_json(report.cover)}}},
             {"modes", modes}};
  auto folders = ordered_json::object();
  for (const auto& [name, folder] : report.folders)
    folders[name] = {{"files", folder.files},
                     {"points", folder.points},
                     {"plans", folder.plans},
                     {"runs", folder.runs},
                     {"kinds_of_faults_at_points", to_json(folder.cover)}};
  summary["folders"] = folders;
  out["runs"] = ordered_json::array();
  out["found"] = ordered_json::array();
  for (const auto& one : report.found)
    out["found"].push_back({{"fingerprint", one.fingerprint},
                            {"message", one.message},
                            {"count", one.count},
                            {"file", one.file},
                            {"faults", one.faults},
                            {"steps", one.steps},
                            {"shrunk_from_events", one.shrunk_from_events},
                            {"first_run", one.first_run},
                            {"first_wall_s", one.first_wall_s},
                            {"mode", to_text(one.mode)},
                            {"scenario", one.origin},
                            {"seed", one.seed},
                            {"shrink_runs", one.shrink_runs},
                            {"shrink_wall_s", one.shrink_wall_s},
                            {"reproduced", one.reproduced},
                            {"repro", "drover run " + one.file}});
  return out;
}

std::string to_text(const Report& report) {
  std::string text;
  text += format("%-10s %9s %9s %11s %9s %8s %7s %8s\n", "mode", "observed", "points", "applicable", "plans",
                 "runs", "failed", "vacuous");
  for (const auto& [mode, counts] : report.modes) {
    const auto n = [](std::uint64_t count) { return static_cast<unsigned long long>(count); };
    text += format("%-10s %9llu %9llu %11llu %9llu %8llu %7llu %8llu\n", to_text(mode), n(counts.observed),
                   n(counts.points), n(counts.applicable), n(counts.plans), n(counts.runs), n(counts.failed),
                   n(counts.vacuous));
  }
  for (const auto& [mode, counts] : report.modes)
    for (const auto& [why, count] : counts.pruned)
      text += format("  %s: pruned %llu %s\n", to_text(mode), static_cast<unsigned long long>(count),
                     why.c_str());
  for (const auto& [name, folder] : report.folders)
    text +=
        format("  %-14s %3zu files, %6llu points, %7llu plans, %7llu runs; %s\n", name.c_str(), folder.files,
               static_cast<unsigned long long>(folder.points), static_cast<unsigned long long>(folder.plans),
               static_cast<unsigned long long>(folder.runs), to_text(folder.cover).c_str());
  text += format("coverage: %zu faults at points, %zu told apart by what was under way; %s\n", report.cells,
                 report.transitions, to_text(report.cover).c_str());
  for (const auto& one : report.nondeterministic) text += "NONDETERMINISTIC " + one + "\n";
  for (const auto& one : report.found) {
    text += format(
        "FOUND %s (%llu runs, the first after %.1f s, run %llu)\n      %s\n      %s: %zu fault(s), %zu "
        "step(s)%s\n      again: drover run %s\n",
        one.fingerprint.c_str(), static_cast<unsigned long long>(one.count), one.first_wall_s,
        static_cast<unsigned long long>(one.first_run), one.message.substr(0, 200).c_str(), one.file.c_str(),
        one.faults, one.steps, one.reproduced ? "" : "; it did not fail again by itself", one.file.c_str());
  }
  text += format(
      "%zu files, %zu cases: %llu runs, %.1f simulated hours and %llu events in %.1f s (%.0f runs/s); %s; "
      "%zu failure(s) found\n",
      report.files, report.cases, static_cast<unsigned long long>(report.runs), report.simulated_s / 3600,
      static_cast<unsigned long long>(report.events), report.search_wall_s,
      static_cast<double>(report.runs) / std::max(0.001, report.search_wall_s),
      report.exhausted  ? "nothing is left to try"
      : report.by_clock ? "ended by the clock"
                        : "the budget is used up",
      report.found.size());
  return text;
}

}  // namespace drover::explore

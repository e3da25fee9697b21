// drover explore: searches for failures, makes each one small, and writes it as a scenario file that fails by
// itself.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <thread>

#include "scenarios/engine/load_library.hpp"
#include "scenarios/engine/report_results.hpp"
#include "scenarios/explore/report.hpp"
#include "scenarios/explore/search.hpp"
#include "tools/drover/exit_codes.hpp"
#include "tools/drover/glob.hpp"
#include "tools/drover/subcommands.hpp"

namespace drover::tools {
namespace {

using Clock = std::chrono::steady_clock;

std::atomic<bool> interrupted{false};

struct ExploreSettings {
  std::vector<std::string> paths;
  std::string modes = "single,crash", budget = "60s", out = "found", json, filter, tag;
  std::uint64_t runs = 0, seed = 1;
  unsigned jobs = 0;
  bool tolerable_only = false, no_shrink = false, quiet = false, twice = false, first = false, keep = false,
       resume = false;
};

// What a second of the budget buys at most. With it a search on a machine at rest ends by its events, not by
// the clock, and finds the same again.
constexpr std::uint64_t kEventsPerBudgetSecond = 1'500'000;
constexpr std::size_t kBatch = 64;

int usage(const std::string& message) {
  std::cerr << "drover explore: " << message << "\n";
  return kExitUsage;
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Does work(0) … work(count - 1) on so many threads.
template <class Work>
void in_parallel(unsigned threads, std::size_t count, const Work& work) {
  std::atomic<std::size_t> next{0};
  const auto take = [&] {
    for (std::size_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::thread> helpers;
  for (unsigned i = 1; i < threads && i < count; ++i) helpers.emplace_back(take);
  take();
  for (auto& helper : helpers) helper.join();
}

std::optional<std::vector<explore::Mode>> parse_modes(const std::string& text) {
  std::vector<explore::Mode> modes;
  std::string name;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] != ',') {
      name += text[i];
      continue;
    }
    if (name == "all") {
      for (int mode = 1; mode < explore::kModes; ++mode) modes.push_back(static_cast<explore::Mode>(mode));
    } else {
      const auto mode = explore::parse_mode(name);
      if (!mode) return std::nullopt;
      modes.push_back(*mode);
    }
    name.clear();
  }
  return modes;
}

class Exploration {
 public:
  Exploration(const ExploreSettings& settings, explore::Settings search, Duration budget, unsigned threads)
      : settings_(settings), search_settings_(std::move(search)), budget_(budget), threads_(threads) {}

  int run();

 private:
  int load(std::vector<scenario::Scenario>& cases);
  void search(explore::Search& search);
  void progress(const explore::Search& search) const;
  void shrink_all(const explore::Search& search);
  int write();
  // The state of the search, in the folder of its findings.
  std::string state_file() const { return (std::filesystem::path(settings_.out) / "search.state").string(); }
  int take_up(explore::Search& search) const;
  int save(const explore::Search& search) const;

  const ExploreSettings& settings_;
  explore::Settings search_settings_;
  Duration budget_;
  unsigned threads_;
  Clock::time_point start_ = Clock::now();
  explore::Report report_;
  std::map<std::string, double> first_seen_;  // by fingerprint, in seconds
  const bool shows_progress_ = isatty(STDERR_FILENO) != 0;
};

int Exploration::load(std::vector<scenario::Scenario>& cases) {
  const auto found = scenario::find_scenarios(settings_.paths);
  if (found.has_error()) return usage(found.error().message);
  bool broken = false;
  for (const auto& path : found.value()) {
    auto loaded = scenario::load_scenario(path);
    if (loaded.has_error()) {
      std::cerr << loaded.error().message << "\n";
      broken = true;
      continue;
    }
    const auto& file = loaded.value();
    if (!settings_.tag.empty() && std::ranges::find(file.tags, settings_.tag) == file.tags.end()) continue;
    if (!settings_.filter.empty() && !matches_glob(settings_.filter, file.name)) continue;
    ++report_.files;
    for (const auto& one : file.cases) cases.push_back(one);
  }
  if (broken) return kExitUsage;
  if (cases.empty()) return usage("nothing to explore: no scenario matches the given paths");
  return kExitPassed;
}

void Exploration::progress(const explore::Search& search) const {
  if (!shows_progress_) return;
  char line[160];
  std::snprintf(line, sizeof line, "\r\033[K%.0f s: %llu runs, %zu found", seconds_since(start_),
                static_cast<unsigned long long>(search.runs()), search.findings().size());
  std::cerr << line << std::flush;
}

void Exploration::search(explore::Search& search) {
  const double seconds = to_seconds(budget_);
  while (!interrupted && seconds_since(start_) < seconds) {
    const auto plans = search.next(kBatch);
    if (plans.empty()) break;
    std::vector<explore::Outcome> outcomes(plans.size());
    std::vector<char> differs(plans.size(), 0);
    in_parallel(threads_, plans.size(), [&](std::size_t i) {
      const auto& base = search.bases()[plans[i].base];
      outcomes[i] = explore::run_plan(base, plans[i]);
      if (settings_.twice)
        differs[i] = explore::run_plan(base, plans[i]).result.digest != outcomes[i].result.digest ? 1 : 0;
    });
    for (std::size_t i = 0; i < plans.size(); ++i)
      if (differs[i] != 0)
        report_.nondeterministic.push_back(search.bases()[plans[i].base].scenario.file + " seed " +
                                           std::to_string(plans[i].seed) + ": " + plans[i].cell);
    search.absorb(plans, outcomes);
    for (const auto& [fingerprint, finding] : search.findings())
      first_seen_.try_emplace(fingerprint, seconds_since(start_));
    progress(search);
    if (settings_.first && !search.findings().empty()) break;
  }
  report_.by_clock = seconds_since(start_) >= seconds && !search.exhausted();
}

void Exploration::shrink_all(const explore::Search& search) {
  const auto findings = search.in_order();
  report_.found.resize(findings.size());
  if (shows_progress_ && !findings.empty())
    std::cerr << "\r\033[Kmaking " << findings.size() << " failure(s) small" << std::flush;
  in_parallel(threads_, findings.size(), [&](std::size_t i) {
    const auto begun = Clock::now();
    report_.found[i] = explore::found_of(search.bases()[findings[i]->plan.base], *findings[i],
                                         !settings_.no_shrink && !interrupted);
    report_.found[i].first_wall_s = first_seen_[findings[i]->fingerprint];
    report_.found[i].shrink_wall_s = seconds_since(begun);
  });
}

// The minimal files, and the results for machines and people.
int Exploration::write() {
  std::error_code failed;
  if (!report_.found.empty()) std::filesystem::create_directories(settings_.out, failed);
  if (failed) return usage("cannot make the folder " + settings_.out + ": " + failed.message());
  for (auto& one : report_.found) {
    one.file = (std::filesystem::path(settings_.out) / (one.name + ".json")).string();
    if (auto written = scenario::write_file(one.file, one.text); written.has_error())
      return usage(written.error().message);
  }
  if (!settings_.json.empty()) {
    const auto text = explore::to_json(report_).dump(1) + "\n";
    if (auto written = scenario::write_file(settings_.json, text); written.has_error())
      return usage(written.error().message);
  }
  if (shows_progress_) std::cerr << "\r\033[K";
  auto& out = settings_.json == "-" ? std::cerr : std::cout;
  if (!settings_.quiet) out << explore::to_text(report_);
  if (interrupted) {
    out << "interrupted: this is what was found until then\n";
    return 130;
  }
  if (!report_.nondeterministic.empty()) return kExitNondeterministic;
  return report_.found.empty() ? kExitPassed : kExitFailed;
}

int Exploration::take_up(explore::Search& search) const {
  if (!settings_.resume) return kExitPassed;
  const auto text = scenario::read_file(state_file());
  if (text.has_error()) return usage("nothing to resume: " + text.error().message);
  const auto saved = nlohmann::json::parse(text.value(), nullptr, false);
  if (auto taken = search.take_up(saved); taken.has_error())
    return usage(state_file() + ": " + taken.error().message + "; leave --resume out to begin anew");
  return kExitPassed;
}

int Exploration::save(const explore::Search& search) const {
  if (search.exhausted() || !(settings_.resume || settings_.keep)) return kExitPassed;
  std::error_code failed;
  std::filesystem::create_directories(settings_.out, failed);
  const auto written = scenario::write_file(state_file(), search.save().dump());
  return written.has_error() ? usage(written.error().message) : kExitPassed;
}

int Exploration::run() {
  std::vector<scenario::Scenario> cases;
  if (const int loaded = load(cases); loaded != kExitPassed) return loaded;
  std::vector<explore::Base> bases(cases.size());
  in_parallel(threads_, cases.size(),
              [&](std::size_t i) { bases[i] = explore::make_base(cases[i], search_settings_.seed); });
  report_.cases = bases.size();
  report_.prepare_wall_s = seconds_since(start_);
  explore::Search search(std::move(bases), search_settings_);
  if (const int taken = take_up(search); taken != kExitPassed) return taken;
  this->search(search);
  if (const int saved = save(search); saved != kExitPassed) return saved;
  report_.search_wall_s = seconds_since(start_);
  shrink_all(search);
  report_.wall_s = seconds_since(start_);
  explore::summarize(search, report_);
  return write();
}

int explore_with(const ExploreSettings& settings) {
  const auto modes = parse_modes(settings.modes);
  if (!modes)
    return usage(
        "--mode takes single, crash, pairs, sweep, swarm, order, coverage or all, with commas, not \"" +
        settings.modes + "\"");
  const auto budget = parse_duration(settings.budget);
  if (!budget || *budget <= Duration{0})
    return usage("--budget takes a time such as 60s or 10m, not \"" + settings.budget + "\"");
  explore::Settings search;
  search.modes = *modes;
  search.seed = settings.seed;
  if (settings.runs != 0) search.runs = settings.runs;
  search.events = static_cast<std::uint64_t>(to_seconds(*budget) * kEventsPerBudgetSecond);
  search.beyond_budget = !settings.tolerable_only;
  std::signal(SIGINT, [](int) { interrupted = true; });
  std::signal(SIGTERM, [](int) { interrupted = true; });
  const unsigned threads =
      settings.jobs != 0 ? settings.jobs : std::max(1U, std::thread::hardware_concurrency());
  return Exploration(settings, std::move(search), *budget, threads).run();
}

}  // namespace

void add_explore(CLI::App& app, int& exit_code) {
  auto settings = std::make_shared<ExploreSettings>();
  auto* command = app.add_subcommand("explore", "Search for failures nobody wrote down");
  command->add_option("paths", settings->paths, "Scenario files and folders (default: scenarios/library)");
  command
      ->add_option("--mode", settings->modes,
                   "What to try: single, crash, pairs, sweep, swarm, order, coverage, or all")
      ->capture_default_str();
  command->add_option("--budget", settings->budget, "How long to search")->capture_default_str();
  command->add_option("--runs", settings->runs, "Runs at most");
  command->add_option("--seed", settings->seed, "The same seed and budget find the same")
      ->capture_default_str();
  command->add_option("--jobs,-j", settings->jobs, "Runs at the same time (default: one per core)");
  command->add_option("--out", settings->out, "Folder for the minimal scenario files")->capture_default_str();
  command->add_option("--json", settings->json, "Write results as JSON; - is stdout");
  command->add_option("--tag", settings->tag, "Only scenarios with this tag");
  command->add_option("--filter", settings->filter,
                      "Only scenarios whose name matches this pattern (* and ?)");
  command->add_flag("--tolerable", settings->tolerable_only, "No faults beyond the budget");
  command->add_flag("--first", settings->first, "End with the first failure");
  command->add_flag("--twice", settings->twice, "Make every run twice and compare the digests");
  command->add_flag("--keep", settings->keep, "Write the state of the search, for --resume");
  command->add_flag("--resume", settings->resume, "Go on with the search that --out holds");
  command->add_flag("--no-shrink", settings->no_shrink, "Write failures as they were found");
  command->add_flag("--quiet,-q", settings->quiet, "Only the exit code and the files");
  command->callback([settings, &exit_code] {
    if (settings->paths.empty()) settings->paths = {"scenarios/library"};
    exit_code = explore_with(*settings);
  });
}

}  // namespace drover::tools

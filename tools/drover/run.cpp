// drover run: scenarios in the simulated world or on real servers, in parallel, with reports.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <mutex>
#include <set>
#include <thread>

#include "scenarios/engine/load_library.hpp"
#include "scenarios/engine/report_results.hpp"
#include "scenarios/engine/runner.hpp"
#include "scenarios/local/stage.hpp"
#include "scenarios/mock/mock_detour.hpp"
#include "tools/drover/cloud_drivers.hpp"
#include "tools/drover/exit_codes.hpp"
#include "tools/drover/glob.hpp"
#include "tools/drover/run_cloud.hpp"
#include "tools/drover/shard.hpp"
#include "tools/drover/subcommands.hpp"

namespace drover::tools {
namespace {

using scenario::RunResult;
using scenario::ScenarioFile;
using scenario::Verdict;

std::atomic<bool> interrupted{false};

struct RunSettings {
  std::vector<std::string> paths;
  std::string world = "sim";
  std::string api = "ec2";
  std::string config;            // of --world cloud
  std::string network = "auto";  // of --world local
  bool dry_run = false;
  std::string seeds_text, one_case, tag, filter, replay, junit, json, trace, shard;
  std::uint64_t seed = 0;
  bool has_seed = false;
  unsigned jobs = 0;
  bool quick = false, twice = false, check = false, quiet = false;
};

// One run to be made.
struct Job {
  std::size_t file = 0;
  std::size_t one_case = 0;
  std::uint64_t seed = 0;
  std::string expected_digest;  // of a replay
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int usage(const std::string& message) {
  std::cerr << "drover run: " << message << "\n";
  return kExitUsage;
}

bool parse_range(const std::string& text, std::uint64_t& first, std::uint64_t& last) {
  const auto dots = text.find("..");
  const std::string begin = text.substr(0, dots),
                    end = dots == std::string::npos ? begin : text.substr(dots + 2);
  const auto number = [](const std::string& digits, std::uint64_t& to) {
    if (digits.empty() || digits.size() > 18 || digits.find_first_not_of("0123456789") != std::string::npos)
      return false;
    to = std::stoull(digits);
    return true;
  };
  return number(begin, first) && number(end, last) && first <= last;
}

// Makes one run; on any thread.
using RunOne = std::function<RunResult(const scenario::Scenario&, const Job&)>;

RunResult simulate(const scenario::Scenario& one, const Job& job, const RunSettings& settings) {
  const auto start = std::chrono::steady_clock::now();
  scenario::RunOptions options;
  options.full_trace = !settings.trace.empty();
  if (settings.world == "mock") {
    const auto protocol = scenario::parse_protocol(settings.api);
    options.detour = [protocol] { return std::make_unique<scenario::MockDetour>(*protocol); };
  }
  RunResult result = scenario::run_scenario(one, job.seed, options);
  if (settings.world == "mock") result.repro += " --api " + settings.api;
  result.wall_s = seconds_since(start);
  if (settings.twice) {
    RunResult second = scenario::run_scenario(one, job.seed, options);
    if (second.digest != result.digest) {
      result.verdict = Verdict::nondeterministic;
      result.reason = "two runs of the same seed differ: " + scenario::digest_text(result.digest) + " and " +
                      scenario::digest_text(second.digest);
    }
  }
  if (!job.expected_digest.empty() && job.expected_digest != scenario::digest_text(result.digest)) {
    result.verdict = Verdict::nondeterministic;
    result.reason = "recorded " + job.expected_digest + ", now " + scenario::digest_text(result.digest) +
                    ": another build, a changed file, or nondeterminism";
  }
  if (result.verdict == Verdict::fail && !options.full_trace) {
    const std::string repro = result.repro;
    RunResult explained = scenario::explain(one, result, options);
    explained.repro = repro;
    explained.wall_s = result.wall_s;
    return explained;
  }
  return result;
}

std::optional<scenario::NetworkChoice> network_choice(const std::string& text) {
  using scenario::NetworkChoice;
  if (text == "auto") return NetworkChoice::where_needed;
  if (text == "namespaces") return NetworkChoice::namespaces;
  if (text == "loopback") return NetworkChoice::loopback;
  return std::nullopt;
}

int open_stage(std::unique_ptr<scenario::LocalStage>& stage, scenario::NetworkChoice networks) {
  std::signal(SIGPIPE, SIG_IGN);
  std::error_code error;
  auto opened =
      scenario::LocalStage::open(std::filesystem::read_symlink("/proc/self/exe", error).string(), networks);
  if (opened.has_error()) {
    std::cerr << "drover run: " << opened.error().message << "\n";
    return kExitUnavailable;
  }
  stage = std::move(opened).value();
  return kExitPassed;
}

RunResult run_for_real(scenario::LocalStage& stage, const scenario::Scenario& one, const Job& job,
                       const RunSettings& settings) {
  const auto start = std::chrono::steady_clock::now();
  scenario::RunOptions options;
  options.timeline = true;
  options.full_trace = !settings.trace.empty();
  RunResult result = stage.run(one, job.seed, options, [] { return interrupted.load(); });
  if (settings.network != "auto") result.repro += " --network " + settings.network;
  result.wall_s = seconds_since(start);
  return result;
}

RunResult run_on_a_cloud(const scenario::CloudPlace& place, const scenario::Scenario& one, const Job& job,
                         const RunSettings& settings) {
  const auto start = std::chrono::steady_clock::now();
  scenario::RunOptions options;
  options.timeline = true;
  options.full_trace = !settings.trace.empty();
  const auto name = new_run_name();
  RunResult result;
  if (name.has_value()) {
    const std::int64_t wall = wall_time().time_since_epoch() / 1s;
    result = scenario::run_on_cloud(
        one, job.seed, options, place, name.value(), wall, [] { return interrupted.load(); },
        [](const std::string& line) { std::cerr << "drover run: " + line + "\n"; });
    result.repro += " --config " + settings.config;
  }
  result.wall_s = seconds_since(start);
  return result;
}

// Runs all jobs on `threads` threads and prints one line per file, in their order, as they complete.
class Batch {
 public:
  Batch(const std::vector<ScenarioFile>& files, const std::vector<Job>& jobs, const RunSettings& settings,
        RunOne run_one)
      : files_(files),
        jobs_(jobs),
        settings_(settings),
        run_one_(std::move(run_one)),
        results_(jobs.size()),
        left_(files.size(), 0) {
    for (const Job& job : jobs) ++left_[job.file];
  }

  std::vector<RunResult> execute(unsigned threads) {
    std::vector<std::thread> workers;
    for (unsigned i = 1; i < threads; ++i) workers.emplace_back([this] { work(); });
    work();
    for (auto& worker : workers) worker.join();
    if (progress_) std::cerr << "\r\033[K";
    std::vector<RunResult> done;
    for (std::size_t i = 0; i < results_.size(); ++i)
      if (results_[i]) done.push_back(std::move(*results_[i]));
    return done;
  }

 private:
  void work() {
    while (!interrupted) {
      const std::size_t index = next_++;
      if (index >= jobs_.size()) return;
      const Job& job = jobs_[index];
      RunResult result = run_one_(files_[job.file].cases[job.one_case], job);
      const std::lock_guard lock(mutex_);
      results_[index] = std::move(result);
      --left_[job.file];
      ++done_;
      while (printed_ < files_.size() && left_[printed_] == 0) print(printed_++);
      if (progress_ && done_ % 16 == 0)
        std::cerr << "\r\033[K[" << done_ << "/" << jobs_.size() << "] " << files_[job.file].name
                  << std::flush;
    }
  }

  void print(std::size_t file) {
    if (settings_.quiet || settings_.json == "-") return;
    std::size_t runs = 0;
    double simulated = 0, wall = 0;
    Verdict worst = Verdict::pass;
    std::string detail;
    const auto severity = [](Verdict verdict) {
      switch (verdict) {
        case Verdict::pass:
          return 0;
        case Verdict::expected_loss:
          return 1;
        case Verdict::skipped:
          return 2;
        case Verdict::vacuous:
          return 3;
        case Verdict::unknown:
          return 4;
        case Verdict::fail:
          return 5;
        case Verdict::nondeterministic:
          return 6;
      }
      return 6;
    };
    std::size_t shown = 0;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      if (jobs_[i].file != file || !results_[i]) continue;
      const RunResult& run = *results_[i];
      ++runs;
      simulated += to_seconds(run.simulated);
      wall += run.wall_s;
      if (severity(run.verdict) > severity(worst)) worst = run.verdict;
      if (severity(run.verdict) >= 2 && ++shown <= 3) detail += scenario::failure_text(run);
    }
    if (runs == 0) return;
    if (progress_) std::cerr << "\r\033[K" << std::flush;
    char line[256];
    std::snprintf(line, sizeof line, "%-14s %-44s %4zu runs %8.1f h %7.2f s\n", scenario::to_text(worst),
                  files_[file].name.c_str(), runs, simulated / 3600, wall);
    std::cout << line << detail;
    if (shown > 3) std::cout << "      and " << shown - 3 << " more like these\n";
    std::cout << std::flush;
  }

  const std::vector<ScenarioFile>& files_;
  const std::vector<Job>& jobs_;
  const RunSettings& settings_;
  const RunOne run_one_;
  std::vector<std::optional<RunResult>> results_;
  std::vector<std::size_t> left_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  std::size_t done_ = 0;
  std::size_t printed_ = 0;
  const bool progress_ = isatty(STDERR_FILENO) != 0;
};

// A fault that fires by chance and did so with none of several seeds shows nothing either.
void judge_random_faults(std::vector<RunResult>& runs) {
  std::map<std::string, std::vector<RunResult*>> cases;
  for (auto& run : runs) cases[run.file + "\n" + scenario::to_text(run.values)].push_back(&run);
  for (auto& [name, group] : cases) {
    if (group.size() < 2) continue;
    for (std::size_t i = 0; i < group.front()->faults.size(); ++i) {
      const auto& fault = group.front()->faults[i];
      if (!fault.random) continue;
      const bool fired = std::any_of(group.begin(), group.end(), [&](const RunResult* run) {
        return i < run->faults.size() && run->faults[i].fired > 0;
      });
      if (fired || group.back()->verdict != Verdict::pass) continue;
      group.back()->verdict = Verdict::vacuous;
      group.back()->reason = fault.id + " fired with none of " + std::to_string(group.size()) + " seeds";
    }
  }
}

bool is_recorded_run(const nlohmann::json& run) {
  return run.is_object() && run.contains("file") && run.at("file").is_string() && run.contains("case") &&
         run.at("case").is_object() && run.contains("seed") && run.at("seed").is_number_unsigned() &&
         run.contains("digest") && run.at("digest").is_string();
}

// The jobs of a recorded result file: the same files, cases and seeds, with the digests they must give again.
int plan_replay(const RunSettings& settings, std::vector<ScenarioFile>& files, std::vector<Job>& jobs) {
  const auto text = scenario::read_file(settings.replay);
  if (text.has_error()) return usage(text.error().message);
  const auto recorded = nlohmann::json::parse(text.value(), nullptr, false);
  const auto no_recording = [&](const std::string& why) {
    return usage(settings.replay + ": " + why + "; give the file that `drover run --json FILE` wrote");
  };
  if (!recorded.is_object() || !recorded.contains("runs") || !recorded.at("runs").is_array() ||
      recorded.at("runs").empty())
    return no_recording("no recorded runs in it");
  std::map<std::string, std::size_t> known;
  for (const auto& run : recorded.at("runs")) {
    if (!is_recorded_run(run)) return no_recording("not a recorded run: " + run.dump());
    const auto path = run.at("file").get<std::string>();
    if (!known.contains(path)) {
      auto loaded = scenario::load_scenario(path);
      if (loaded.has_error()) {
        std::cerr << loaded.error().message << "\n";
        return kExitUsage;
      }
      known[path] = files.size();
      files.push_back(std::move(loaded).value());
    }
    const auto& file = files[known[path]];
    const auto found = std::find_if(file.cases.begin(), file.cases.end(), [&](const auto& one) {
      nlohmann::json values = nlohmann::json::object();
      for (const auto& [key, value] : one.values.values) values[key] = value;
      return values == run.at("case");
    });
    if (found == file.cases.end())
      return usage(path + " has no case " + run.at("case").dump() +
                   " any more: it was changed after it was recorded");
    jobs.push_back({known[path], static_cast<std::size_t>(found - file.cases.begin()),
                    run.at("seed").get<std::uint64_t>(), run.at("digest").get<std::string>()});
  }
  return kExitPassed;
}

int plan(const RunSettings& settings, std::vector<ScenarioFile>& files, std::vector<Job>& jobs) {
  if (!settings.replay.empty()) return plan_replay(settings, files, jobs);
  const auto found = scenario::find_scenarios(settings.paths);
  if (found.has_error()) return usage(found.error().message);
  std::uint64_t first = settings.seed, last = settings.seed;
  const bool seeds_given = settings.has_seed || !settings.seeds_text.empty();
  if (!settings.seeds_text.empty() && !parse_range(settings.seeds_text, first, last))
    return usage("--seeds takes a range such as 1..20, not \"" + settings.seeds_text + "\"");
  bool broken = false;
  std::set<std::string> names;
  for (const auto& path : found.value()) {
    auto loaded = scenario::load_scenario(path);
    if (loaded.has_error()) {
      std::cerr << loaded.error().message << "\n";
      broken = true;
      continue;
    }
    ScenarioFile file = std::move(loaded).value();
    if (!names.insert(file.name).second) {
      std::cerr << path << ": another file has the name \"" << file.name << "\" too\n";
      broken = true;
    }
    if (!settings.tag.empty() &&
        std::find(file.tags.begin(), file.tags.end(), settings.tag) == file.tags.end())
      continue;
    if (!settings.filter.empty() && !matches_glob(settings.filter, file.name)) continue;
    const std::size_t index = files.size();
    const std::uint64_t from = seeds_given ? first : file.seeds.first;
    // On a cloud that costs money more than one has to be asked for.
    const bool one_seed = settings.quick || (settings.world == "cloud" && !seeds_given);
    const std::uint64_t to = one_seed ? from : seeds_given ? last : file.seeds.last;
    for (std::size_t i = 0; i < file.cases.size(); ++i) {
      if (!settings.one_case.empty() && to_text(file.cases[i].values) != settings.one_case) continue;
      for (std::uint64_t seed = from; seed <= to; ++seed) jobs.push_back({index, i, seed, {}});
    }
    files.push_back(std::move(file));
  }
  if (broken) return kExitUsage;
  if (jobs.empty() && !settings.check)
    return usage("nothing to run: no scenario matches " +
                 (settings.filter.empty() ? "the given paths" : settings.filter));
  return kExitPassed;
}

int run(const RunSettings& settings) {
  const bool is_local = settings.world == "local";
  const bool is_cloud = settings.world == "cloud";
  if (settings.dry_run && !is_cloud)
    return usage("--dry-run says what --world cloud would create; nothing else costs money");
  if (settings.world != "sim" && settings.world != "mock" && !is_local && !is_cloud) {
    std::cerr << "drover run: there are the worlds \"sim\", \"mock\", \"local\" and \"cloud\"; \""
              << settings.world << "\" is none of them. Leave --world out, or give --world sim.\n";
    return kExitUnavailable;
  }
  if (!scenario::parse_protocol(settings.api))
    return usage("--api takes ec2, openstack or opennebula, not \"" + settings.api + "\"");
  const auto networks = network_choice(settings.network);
  if (!networks)
    return usage("--network takes auto, namespaces or loopback, not \"" + settings.network + "\"");
  if ((is_local || is_cloud) && (settings.twice || !settings.replay.empty()))
    return usage(
        "--twice and --replay compare digests: real servers take no steps twice alike; use --world sim");
  std::vector<ScenarioFile> files;
  std::vector<Job> jobs;
  if (const int planned = plan(settings, files, jobs); planned != kExitPassed) return planned;
  if (settings.check) {
    if (!settings.quiet) std::cout << files.size() << " scenario files are valid\n";
    return kExitPassed;
  }
  const auto shard = shard_of(settings.shard);
  if (!shard) return usage("--shard takes I/N with 0 <= I < N, not \"" + settings.shard + "\"");
  if (shard->count > 1) {
    std::vector<Job> mine;
    for (std::size_t i = 0; i < jobs.size(); ++i)
      if (i % shard->count == shard->index) mine.push_back(std::move(jobs[i]));
    jobs = std::move(mine);
  }
  std::signal(SIGINT, [](int) { interrupted = true; });
  std::signal(SIGTERM, [](int) { interrupted = true; });
  std::unique_ptr<scenario::LocalStage> stage;
  RunOne run_one = [&settings](const scenario::Scenario& one, const Job& job) {
    return simulate(one, job, settings);
  };
  if (is_local) {
    if (const int opened = open_stage(stage, *networks); opened != kExitPassed) return opened;
    run_one = [&settings, &stage](const scenario::Scenario& one, const Job& job) {
      return run_for_real(*stage, one, job, settings);
    };
  }
  scenario::CloudPlace place;
  if (is_cloud) {
    auto opened = open_cloud_place(settings.config);
    if (opened.has_error()) {
      std::cerr << "drover run: " << opened.error().message << "\n";
      return opened.error().code == ErrorCode::invalid ? kExitUsage : kExitUnavailable;
    }
    std::signal(SIGPIPE, SIG_IGN);
    place = std::move(opened).value();
    run_one = [&settings, &place](const scenario::Scenario& one, const Job& job) {
      return run_on_a_cloud(place, one, job, settings);
    };
  }
  if (settings.dry_run) {
    for (const Job& job : jobs)
      std::cout << scenario::describe_plan(files[job.file].cases[job.one_case], place);
    std::filesystem::remove_all(place.folder);
    return kExitPassed;
  }
  const auto start = std::chrono::steady_clock::now();
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const unsigned threads = settings.jobs != 0 ? settings.jobs : is_local || is_cloud ? 1 : cores;
  Batch batch(files, jobs, settings, std::move(run_one));
  auto results = batch.execute(threads);
  stage.reset();
  if (is_cloud) std::filesystem::remove_all(place.folder);
  judge_random_faults(results);
  const auto summary = scenario::summarize(results, seconds_since(start));
  std::set<std::uint64_t> seeds;
  std::set<std::string> ran;
  for (const auto& result : results) seeds.insert(result.seed), ran.insert(result.scenario);
  int exit_code = summary.nondeterministic > 0                             ? kExitNondeterministic
                  : summary.failed + summary.vacuous + summary.unknown > 0 ? kExitFailed
                                                                           : kExitPassed;
  const auto write = [&](const std::string& path, const std::string& text) {
    if (path.empty()) return;
    if (auto written = scenario::write_file(path, text); written.has_error()) {
      std::cerr << "drover run: " << written.error().message << "\n";
      exit_code = kExitUsage;
    }
  };
  write(settings.json, scenario::results_json(results, summary).dump(1) + "\n");
  write(settings.junit, scenario::junit_xml(results, summary));
  if (!settings.trace.empty()) {
    std::string text;
    for (const auto& result : results) {
      text += "# " + result.repro + "\n";
      for (const auto& line : result.timeline) text += line + "\n";
    }
    write(settings.trace, text);
  }
  auto& out = settings.json == "-" ? std::cerr : std::cout;
  out << summary_text(summary, ran.size(), seeds.size()) << "\n";
  if (interrupted) {
    out << "interrupted: " << results.size() << " of " << jobs.size() << " runs were made\n";
    return 130;
  }
  return exit_code;
}

}  // namespace

void add_run(CLI::App& app, int& exit_code) {
  auto settings = std::make_shared<RunSettings>();
  auto* command = app.add_subcommand("run", "Run scenarios");
  command->add_option("paths", settings->paths, "Scenario files and folders (default: scenarios/library)");
  command
      ->add_option(
          "--world", settings->world,
          "Where to run: sim, mock (real drivers over the mock cloud's wire), local (real servers on this "
          "machine), or cloud (a real one: VMs that cost money)")
      ->capture_default_str();
  command->add_option("--api", settings->api, "The wire of --world mock: ec2, openstack or opennebula")
      ->capture_default_str();
  command->add_option("--config", settings->config, "Of --world cloud: a configuration of drover serve");
  command
      ->add_option(
          "--network", settings->network,
          "Of --world local: VMs in networks of their own (namespaces; takes root) or not (loopback); "
          "auto: where a scenario cuts the network")
      ->capture_default_str();
  command->add_flag("--dry-run", settings->dry_run, "Of --world cloud: only say what would be created");
  auto* seed = command->add_option("--seed", settings->seed, "One seed instead of those in the file");
  command->add_option("--seeds", settings->seeds_text, "A range of seeds, A..B")->excludes(seed);
  command->add_option("--case", settings->one_case, "One case of the matrix, such as n=3,crash=true");
  command->add_option("--tag", settings->tag, "Only scenarios with this tag");
  command->add_option("--filter", settings->filter,
                      "Only scenarios whose name matches this pattern (* and ?)");
  command->add_option("--jobs,-j", settings->jobs, "Runs at the same time (default: one per core)");
  command->add_flag("--quick", settings->quick, "Only the first seed of each");
  command->add_flag("--twice", settings->twice, "Run everything twice and compare the digests");
  command->add_flag("--check", settings->check, "Only check that the files are valid");
  command->add_flag("--quiet,-q", settings->quiet, "Only the summary");
  command->add_option("--shard", settings->shard,
                      "Only part I of N, as I/N (default: what the surroundings say)");
  command->add_option("--replay", settings->replay,
                      "Run what a --json file recorded and compare the digests");
  command->add_option("--json", settings->json, "Write results as JSON; - is stdout");
  command->add_option("--junit", settings->junit, "Write results as JUnit XML");
  command->add_option("--trace", settings->trace, "Write the full trace of every run");
  command->callback([settings, seed, &exit_code] {
    settings->has_seed = seed->count() > 0;
    if (settings->paths.empty()) settings->paths = {"scenarios/library"};
    exit_code = run(*settings);
  });
}

}  // namespace drover::tools

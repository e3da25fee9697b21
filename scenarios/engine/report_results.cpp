#include "scenarios/engine/report_results.hpp"

#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

namespace drover::scenario {
namespace {

constexpr std::size_t kTimelineShown = 40;

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') out += c;
    }
  }
  return out;
}

std::string run_name(const RunResult& run) {
  const std::string one = to_text(run.values);
  return run.scenario + (one.empty() ? "" : "[" + one + "]") + " seed " + std::to_string(run.seed);
}

}  // namespace

std::string digest_text(std::uint64_t digest) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(digest));
  return text;
}

Summary summarize(const std::vector<RunResult>& runs, double wall_s) {
  Summary summary;
  summary.runs = runs.size();
  summary.wall_s = wall_s;
  for (const auto& run : runs) {
    summary.simulated_s += to_seconds(run.simulated);
    summary.events += run.events;
    switch (run.verdict) {
      case Verdict::pass:
        ++summary.passed;
        break;
      case Verdict::expected_loss:
        ++summary.passed, ++summary.expected_losses;
        break;
      case Verdict::fail:
        ++summary.failed;
        break;
      case Verdict::vacuous:
        ++summary.vacuous;
        break;
      case Verdict::unknown:
        ++summary.unknown;
        break;
      case Verdict::skipped:
        ++summary.skipped;
        break;
      case Verdict::nondeterministic:
        ++summary.nondeterministic;
        break;
    }
  }
  return summary;
}

nlohmann::ordered_json results_json(const std::vector<RunResult>& runs, const Summary& summary) {
  using json = nlohmann::ordered_json;
  json all;
  all["drover"] = DROVER_VERSION;
  all["command"] = "run";
  all["summary"] = json{{"runs", summary.runs},
                        {"passed", summary.passed},
                        {"failed", summary.failed},
                        {"skipped", summary.skipped},
                        {"vacuous", summary.vacuous},
                        {"unknown", summary.unknown},
                        {"expected_losses", summary.expected_losses},
                        {"nondeterministic", summary.nondeterministic},
                        {"wall_s", summary.wall_s},
                        {"simulated_s", summary.simulated_s},
                        {"events", summary.events}};
  all["runs"] = json::array();
  for (const auto& run : runs) {
    json values = json::object();
    for (const auto& [key, value] : run.values.values) values[key] = value;
    json faults = json::array();
    for (const auto& fault : run.faults) faults.push_back(json{{"id", fault.id}, {"fired", fault.fired}});
    json failures = json::array();
    for (const auto& failure : run.failures)
      failures.push_back(json{{"invariant", failure.invariant},
                              {"message", failure.message},
                              {"at_s", to_seconds(failure.at)},
                              {"fingerprint", failure.fingerprint}});
    json row{{"scenario", run.scenario},
             {"file", run.file},
             {"case", std::move(values)},
             {"seed", run.seed},
             {"world", run.world},
             {"verdict", to_text(run.verdict)},
             {"simulated_s", to_seconds(run.simulated)},
             {"wall_s", run.wall_s},
             {"events", run.events},
             {"digest", digest_text(run.digest)},
             {"faults", std::move(faults)},
             {"failures", std::move(failures)},
             {"repro", run.repro}};
    if (run.world != "sim") row["judged"] = run.judged;
    if (!run.reason.empty()) row["reason"] = run.reason;
    all["runs"].push_back(std::move(row));
  }
  all["found"] = json::array();
  return all;
}

std::string junit_xml(const std::vector<RunResult>& runs, const Summary& summary) {
  const auto bad = summary.failed + summary.vacuous + summary.unknown + summary.nondeterministic;
  std::string xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"" +
                    std::to_string(summary.runs) + "\" failures=\"" + std::to_string(bad) + "\" skipped=\"" +
                    std::to_string(summary.skipped) + "\" time=\"" + fixed(summary.wall_s, 3) +
                    "\">\n<testsuite name=\"drover run\" tests=\"" + std::to_string(summary.runs) +
                    "\" failures=\"" + std::to_string(bad) + "\" skipped=\"" +
                    std::to_string(summary.skipped) + "\" time=\"" + fixed(summary.wall_s, 3) + "\">\n";
  for (const auto& run : runs) {
    xml += "<testcase classname=\"" + escaped(run.scenario) + "\" name=\"" + escaped(run_name(run)) +
           "\" file=\"" + escaped(run.file) + "\" time=\"" + fixed(run.wall_s, 3) + "\"";
    if (run.verdict == Verdict::pass || run.verdict == Verdict::expected_loss) {
      xml += "/>\n";
      continue;
    }
    if (run.verdict == Verdict::skipped) {
      xml += "><skipped message=\"" + escaped(run.reason) + "\"/></testcase>\n";
      continue;
    }
    const std::string what = run.failures.empty() ? run.reason : run.failures.front().message;
    xml += "><failure type=\"" + std::string(to_text(run.verdict)) + "\" message=\"" + escaped(what) + "\">" +
           escaped(failure_text(run)) + "</failure></testcase>\n";
  }
  return xml + "</testsuite>\n</testsuites>\n";
}

std::string failure_text(const RunResult& run) {
  std::string text = std::string(to_text(run.verdict)) + "  " + run_name(run) + "\n";
  if (!run.reason.empty()) text += "      " + run.reason + "\n";
  for (const auto& failure : run.failures)
    text += "      " + failure.invariant + " at " + fixed(to_seconds(failure.at), 3) +
            " s: " + failure.message + "\n";
  if (!run.timeline.empty()) {
    // What led to the first failure, not what came after it.
    std::size_t end = run.timeline.size();
    for (std::size_t i = 0; i < run.timeline.size(); ++i) {
      if (run.timeline[i].find("] check ") == std::string::npos) continue;
      end = i + 1;
      break;
    }
    const std::size_t begin = end > kTimelineShown ? end - kTimelineShown : 0;
    text += "      timeline (" + std::to_string(end - begin) + " of " + std::to_string(run.timeline.size()) +
            " entries; --trace FILE writes all):\n";
    for (std::size_t i = begin; i < end; ++i) text += "        " + run.timeline[i] + "\n";
  }
  text += "      again: " + run.repro + "\n";
  return text;
}

std::string summary_text(const Summary& summary, std::size_t scenarios, std::size_t seeds) {
  std::string text = std::to_string(scenarios) + " scenarios, " + std::to_string(seeds) + " seeds, " +
                     std::to_string(summary.runs) + " runs: " + std::to_string(summary.passed) + " passed, " +
                     std::to_string(summary.failed) + " failed";
  const auto add = [&](std::size_t count, const char* what) {
    if (count > 0) text += ", " + std::to_string(count) + " " + what;
  };
  add(summary.vacuous, "vacuous");
  add(summary.unknown, "unknown");
  add(summary.nondeterministic, "nondeterministic");
  add(summary.skipped, "skipped");
  text += "; " + fixed(summary.simulated_s / 3600, 1) + " simulated hours and " +
          std::to_string(summary.events) + " events in " + fixed(summary.wall_s, 1) + " s";
  return text;
}

Result<void> write_file(const std::string& path, const std::string& text) {
  if (path == "-") {
    std::cout << text << std::flush;
    return success();
  }
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.flush();
  if (!out) return make_error(ErrorCode::storage, path + ": cannot be written");
  return success();
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return make_error(ErrorCode::not_found, path + ": cannot be read");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace drover::scenario

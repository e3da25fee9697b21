// drover doctor: whether everything that `drover serve` needs is there, and how to mend what is not.
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <iostream>
#include <memory>

#include "manager/system/child_process.hpp"
#include "tools/drover/cloud_drivers.hpp"
#include "tools/drover/exit_codes.hpp"
#include "tools/drover/serve_config.hpp"
#include "tools/drover/subcommands.hpp"

namespace drover::tools {
namespace {

constexpr int kSqliteVersionMin = 3'035'000;
constexpr std::chrono::seconds kCloudPatience{120};
constexpr std::string_view kWell = "ok: ";  // begins a driver's line that is no problem

struct Finding {
  std::string what;
  std::string problem;  // "" when all is well; else what is wrong and how to mend it
};

Finding check_sqlite() {
  Finding finding{std::string("SQLite ") + sqlite3_libversion(), {}};
  if (sqlite3_libversion_number() < kSqliteVersionMin)
    finding.problem = "drover needs 3.35 or newer: apt-get install libsqlite3-0";
  return finding;
}

Finding check_file(const char* what, const std::string& path) {
  if (path == kInMemory) return {std::string(what) + " in memory: nothing survives a restart", {}};
  Finding finding{std::string(what) + " " + path, {}};
  std::error_code error;
  const auto parent = std::filesystem::absolute(path, error).parent_path();
  if (!std::filesystem::is_directory(parent, error))
    finding.problem = "there is no folder " + parent.string() + ": mkdir -p " + parent.string();
  else if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error))
    finding.problem = "it is no file: choose another path";
  else if (::access(parent.c_str(), W_OK | X_OK) != 0)
    finding.problem = "the folder " + parent.string() + " may not be written to: chown it to this user";
  else if (std::filesystem::exists(path, error) && ::access(path.c_str(), R_OK | W_OK) != 0)
    finding.problem = "the file may not be read and written: chown it to this user";
  return finding;
}

Finding check_journal(const ServeSettings& settings) {
  Finding finding = check_file("journal", settings.journal);
  if (is_real_cloud(settings.cloud) && settings.journal == kInMemory)
    finding.problem = "a manager that forgot its VMs would leave them running, and paid for: set journal";
  return finding;
}

Finding check_uploads(const ServeSettings& settings) {
  std::error_code error;
  const auto folder = settings.limits.upload_directory.empty() ? std::filesystem::temp_directory_path(error)
                                                               : settings.limits.upload_directory;
  Finding finding{"uploads in " + folder.string(), {}};
  if (!std::filesystem::is_directory(folder, error))
    finding.problem = "there is no such folder: mkdir -p " + folder.string() + ", or set upload_dir";
  else if (::access(folder.c_str(), W_OK | X_OK) != 0)
    finding.problem = "it may not be written to: chown it to this user, or set upload_dir";
  return finding;
}

Finding check_port(const ServeSettings& settings) {
  Finding finding{"address " + settings.address + " port " + std::to_string(settings.port), {}};
  boost::asio::io_context io;
  api::ServerHooks hooks;
  hooks.handle = [](api::Request, api::Respond) {};
  api::HttpServer server(io, settings.limits, std::move(hooks));
  if (auto listening = server.listen(settings.address, settings.port); listening.has_error())
    finding.problem = listening.error().message;
  return finding;
}

Finding check_descriptors(const ServeSettings& settings) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const std::size_t needed = settings.limits.connections_max + 64;
  Finding finding{"descriptors for " + std::to_string(settings.limits.connections_max) + " connections", {}};
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < needed)
    finding.problem = "the hard limit is " + std::to_string(limit.rlim_max) + ": raise it (ulimit -Hn " +
                      std::to_string(needed) + "), or lower limits.connections";
  return finding;
}

Finding check_cloud(const ServeSettings& settings) {
  Finding finding{"cloud " + settings.cloud, {}};
  if (settings.cloud == "local") {
    for (const char* name : {"mariadbd", "mariadb-install-db", "mariadb-backup", "mbstream", "mariadb-dump"})
      if (finding.problem.empty() && system::find_program(name).empty())
        finding.problem = std::string(name) +
                          " is missing: apt-get install mariadb-server-core mariadb-client mariadb-backup";
  }
  return finding;
}

// Asks the cloud itself; nothing is created there.
std::vector<Finding> ask_cloud(const ServeSettings& settings) {
  boost::asio::io_context io{1};
  Scheduler scheduler;
  scheduler.advance_to(wall_time());
  Domain domain(scheduler);
  RealTimePump pump(io, scheduler);
  HttpClientConfig http;
  http.ca_file = settings.clouds.ca_file;
  NetHttpClient client(
      io, domain, [&](std::move_only_function<void()> input) { pump.submit(std::move(input)); },
      std::move(http));
  const std::string what = "cloud " + settings.cloud;
  auto driver = make_driver(settings, settings.clouds.nodes.manager_url, scheduler, client);
  if (driver.has_error()) return {{what, driver.error().message}};
  const InstanceSpec spec = vm_of(settings.cloud, settings.clouds, settings.manager.instance);
  std::optional<Result<std::vector<std::string>>> answer;
  pump.start();
  pump.submit([&] {
    driver.value().check(spec, [&](Result<std::vector<std::string>> result) {
      answer.emplace(std::move(result));
      io.stop();
    });
  });
  boost::asio::steady_timer deadline(io, kCloudPatience);
  deadline.async_wait([&](const boost::system::error_code& error) {
    if (!error) io.stop();
  });
  io.run();
  if (!answer)
    return {{what, "it gave no answer within " + to_text(Duration(kCloudPatience)) + "; is it reachable?"}};
  if (answer->has_error()) return {{what, answer->error().message}};
  std::vector<Finding> findings;
  bool well = true;
  for (const std::string& line : answer->value()) {
    const bool ok = line.starts_with(kWell);
    well = well && ok;
    findings.push_back(ok ? Finding{what + ": " + line.substr(kWell.size()), {}} : Finding{what, line});
  }
  if (well) findings.push_back({what + ": image " + spec.image + ", size " + spec.size, {}});
  return findings;
}

Finding check_password(const ServeSettings& settings) {
  const bool file = !settings.replication_password_file.empty();
  const bool env = !settings.replication_password_env.empty();
  Finding finding{file  ? "replication password from a file"
                  : env ? "replication password from the environment"
                  : is_real_cloud(settings.cloud)
                      ? "replication password kept in " + settings.journal + ".replication_password"
                      : "replication password generated at every start",
                  {}};
  if (auto read = read_replication_password(settings); read.has_error())
    finding.problem = read.error().message;
  return finding;
}

int run(const ServeOptions& options) {
  std::vector<Finding> findings{check_sqlite()};
  const auto settings = read_serve_settings(options);
  findings.push_back(
      {options.config.empty() ? "configuration: the defaults" : "configuration " + options.config,
       settings.has_error() ? "\n" + settings.error().message : std::string()});
  if (settings.has_value()) {
    const ServeSettings& all = settings.value();
    for (Finding& finding :
         std::vector<Finding>{check_journal(all), check_file("database", all.database), check_uploads(all),
                              check_port(all), check_descriptors(all), check_password(all)})
      findings.push_back(std::move(finding));
    for (Finding& finding :
         is_real_cloud(all.cloud) ? ask_cloud(all) : std::vector<Finding>{check_cloud(all)})
      findings.push_back(std::move(finding));
  }
  bool well = true;
  for (const Finding& finding : findings) {
    well = well && finding.problem.empty();
    std::cout << (finding.problem.empty() ? "ok    " : "WRONG ") << finding.what
              << (finding.problem.empty() ? "" : ": ") << finding.problem << "\n";
  }
  return well ? kExitPassed : kExitUnavailable;
}

}  // namespace

void add_doctor(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("doctor", "Check what drover serve needs here, and say how to mend what is missing");
  auto options = std::make_shared<ServeOptions>();
  command->add_option("--config", options->config, "The configuration to check (default: the defaults)");
  command->add_option("--listen", options->listen, "ADDR:PORT instead of the configured one");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace drover::tools

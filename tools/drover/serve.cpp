// drover serve: the manager with its API over HTTP, in real time.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "manager/adapters/real_time.hpp"
#include "tools/drover/exit_codes.hpp"
#include "tools/drover/serve_cloud.hpp"
#include "tools/drover/serve_local.hpp"
#include "tools/drover/serve_world.hpp"
#include "tools/drover/subcommands.hpp"

namespace drover::tools {
namespace {

constexpr Duration kGrace{10s};  // for calls under way when the end is asked for

void say(const std::string& line) { std::cerr << "drover serve: " + line + "\n" << std::flush; }

int fail(const Error& error) {
  std::cerr << (error.code == ErrorCode::invalid ? "" : "drover serve: ") << error.message << "\n";
  return error.code == ErrorCode::invalid ? kExitUsage : kExitUnavailable;
}

// As many connections as the server allows need as many descriptors.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

std::string access_line(const api::AccessEntry& entry) {
  std::string line = "access ";
  line += entry.peer;
  for (const std::string_view part : {entry.verb, entry.path, entry.method.empty() ? "-" : entry.method}) {
    line += ' ';
    line += part;
  }
  line += ' ' + std::to_string(entry.status) + (entry.failed ? " failed " : " ok ");
  line += std::to_string(entry.bytes_received) + " " + std::to_string(entry.bytes_sent) + " ";
  return line + std::to_string(entry.duration / 1us) + "us";
}

std::string server_metrics(const api::ServerStatistics& statistics) {
  std::string text;
  const auto add = [&](const char* name, const char* type, const char* help, std::uint64_t value) {
    text += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + type + "\n" + name + " " +
            std::to_string(value) + "\n";
  };
  add("drover_http_connections", "gauge", "Connections open now.", statistics.connections_open);
  add("drover_http_connections_accepted_total", "counter", "Connections accepted since the start.",
      statistics.connections_accepted);
  add("drover_http_connections_refused_total", "counter", "Connections refused for their number.",
      statistics.connections_refused);
  add("drover_http_requests_total", "counter", "HTTP requests since the start.", statistics.requests);
  add("drover_http_timeouts_total", "counter", "Connections ended for taking too long.", statistics.timeouts);
  add("drover_http_body_bytes", "gauge", "Request bodies in memory now.", statistics.body_bytes);
  return text;
}

bool knows_method(api::Verb verb, std::string_view name) {
  for (const api::Method& row : api::exposed_functions())
    if (row.verb == verb && name == row.name) return true;
  return false;
}

// The process: one io_context, the world on its scheduler, the server beside it.
class ServeProcess {
 public:
  explicit ServeProcess(ServeSettings settings) : settings_(std::move(settings)) {}

  int run() {
    auto world = open_world();
    if (world.has_error()) return fail(world.error());
    world_ = std::move(world).value();
    world_->set_on_fenced([this](const Error& why) { end_replaced(why); });
    pump_ = std::make_unique<RealTimePump>(io_, world_->scheduler(), settings_.time_scale);
    server_ = std::make_unique<api::HttpServer>(io_, settings_.limits, hooks());
    if (auto listening = server_->listen(settings_.address, settings_.port); listening.has_error())
      return fail(Error{ErrorCode::unavailable, Effect::none, Retry::no, Duration{0},
                        listening.error().message + " (--listen ADDR:PORT)"});
    if (auto started = world_->start(*pump_, url()); started.has_error()) return fail(started.error());
    pump_->start();
    wait_for_signal();
    announce();
    io_.run();
    pump_->stop();
    world_->save();
    server_.reset();
    pump_.reset();
    world_.reset();
    say("stopped");
    return exit_code_;
  }

 private:
  Result<std::unique_ptr<ServedWorld>> open_world() {
    const auto log = [this](const std::string& line) {
      if (settings_.log_level >= LogLevel::info) say(line);
    };
    if (settings_.cloud == "mock") {
      DROVER_TRY(std::unique_ptr<ServedWorld> world, ServeWorld::open(settings_, log));
      return world;
    }
    if (settings_.cloud == "local") {
      DROVER_TRY(std::unique_ptr<ServedWorld> world, LocalWorld::open(settings_, io_, log));
      return world;
    }
    DROVER_TRY(std::unique_ptr<ServedWorld> world, CloudWorld::open(settings_, io_, log));
    return world;
  }

  std::string url() const {
    const bool colon = settings_.address.find(':') != std::string::npos;
    const std::string host = colon ? "[" + settings_.address + "]" : settings_.address;
    return "http://" + host + ":" + std::to_string(server_->port()) + "/";
  }

  // Nothing was half done that the other manager does not know of, and nothing more can be done here.
  void end_replaced(const Error& why) {
    say(why.message + "; this one ends. Look for a second drover serve on the same journal");
    exit_code_ = kExitReplaced;
    io_.stop();
  }

  api::ServerHooks hooks() {
    api::ServerHooks hooks;
    hooks.handle = [this](api::Request request, api::Respond respond) {
      pump_->submit([&] { world_->service().handle(std::move(request), std::move(respond)); });
    };
    hooks.metrics = [this] { return world_->metrics() + server_metrics(server_->statistics()); };
    hooks.health = [] { return api::Health{}; };
    hooks.knows_method = knows_method;
    if (settings_.log_level >= LogLevel::debug)
      hooks.access_log = [](const api::AccessEntry& entry) { say(access_line(entry)); };
    return hooks;
  }

  void wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int) {
      if (error) return;
      say("stopping: calls under way get " + to_text(kGrace) + "; a second signal ends at once");
      server_->shutdown(kGrace, [this] { io_.stop(); });
      signals_.async_wait([](const boost::system::error_code& again, int number) {
        if (!again) std::_Exit(128 + number);
      });
    });
  }

  void announce() const {
    for (const std::string& line : settings_.notes) say("configuration: " + line);
    const auto place = [](const std::string& path) { return path == kInMemory ? "in memory" : path; };
    say("listening on " + url() + " (cloud " + settings_.cloud + ", journal " + place(settings_.journal) +
        (settings_.cloud == "mock" ? ", cloud database " + place(settings_.database) : std::string()) + ")");
    say("call it with: drover call list_nodes --url " + url());
    if (settings_.cloud != "mock") return;
    if (settings_.journal != kInMemory && settings_.database == kInMemory)
      say("the journal outlives this process and the mock cloud does not: its nodes will be gone after a "
          "restart (--db FILE keeps them)");
  }

  ServeSettings settings_;
  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_{io_, SIGINT, SIGTERM};
  std::unique_ptr<ServedWorld> world_;
  std::unique_ptr<RealTimePump> pump_;
  std::unique_ptr<api::HttpServer> server_;
  int exit_code_ = kExitPassed;
};

int run(const ServeOptions& options) {
  auto settings = read_serve_settings(options);
  if (settings.has_error()) {
    std::cerr << settings.error().message << "\n";
    return kExitUsage;
  }
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  return ServeProcess(std::move(settings).value()).run();
}

}  // namespace

void add_serve(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "serve",
      "Run the manager and its API, with nodes of the mock cloud, of this machine or of a real cloud");
  auto options = std::make_shared<ServeOptions>();
  command->add_option("--config", options->config,
                      "JSON or YAML file, or the original's INI; every key has a default");
  command->add_option("--listen", options->listen, "ADDR:PORT (default 127.0.0.1:50000; port 0: any free)");
  command
      ->add_option(
          "--cloud", options->cloud,
          "Where nodes are bought: mock (simulated, default), local (real servers here), ec2, openstack or "
          "opennebula")
      ->check(CLI::IsMember({"mock", "local", "ec2", "openstack", "opennebula"}));
  command->add_option("--time-scale", options->time_scale,
                      "Seconds of manager and mock cloud that pass in one (default 1)");
  command->add_option("--journal", options->journal, "File of the operation journal (default: in memory)");
  command->add_option("--db", options->database, "File of the mock cloud (default: in memory)");
  command->add_option("--state-dir", options->local_folder,
                      "Folder of the local cloud's VMs (default: a temporary one, deleted at the end)");
  command->add_option("--seed", options->seed, "Of the mock cloud's random decisions (default 1)");
  command->add_option("--faults", options->faults, "A scenario file whose faults happen");
  command->add_option("--log-level", options->log_level, "What stderr gets: error, info or debug")
      ->check(CLI::IsMember({"error", "info", "debug"}));
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace drover::tools

// drover mockcloud: the mock cloud for any client, behind the protocols of real clouds.
#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <iostream>

#include "tools/drover/exit_codes.hpp"
#include "tools/drover/mock_host.hpp"
#include "tools/drover/subcommands.hpp"

namespace drover::tools {
namespace {

void say(const std::string& line) { std::cerr << "drover mockcloud: " + line + "\n" << std::flush; }

int fail(const Error& error) {
  std::cerr << (error.code == ErrorCode::invalid ? "" : "drover mockcloud: ") << error.message << "\n";
  return error.code == ErrorCode::invalid ? kExitUsage : kExitUnavailable;
}

void announce(const MockSettings& settings, std::uint16_t port) {
  const std::string host =
      settings.address.find(':') == std::string::npos ? settings.address : "[" + settings.address + "]";
  const std::string url = "http://" + host + ":" + std::to_string(port);
  const std::string& user = settings.wire.accounts.front().name;
  say("listening on " + url + " (seed " + std::to_string(settings.seed) + ", state " +
      (settings.database == kInMemory ? "in memory" : settings.database) + ")");
  for (const std::string& api : settings.apis) {
    if (api == "ec2")
      say("ec2: aws --endpoint-url " + url + " ec2 describe-instances   (access key " + user + ", region " +
          settings.wire.region + ")");
    if (api == "openstack")
      say("openstack: OS_AUTH_URL=" + url + "/identity/v3 OS_USERNAME=" + user + " OS_PROJECT_NAME=" +
          settings.wire.project + " OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default");
    if (api == "opennebula") say("opennebula: " + url + "/RPC2   (user " + user + ")");
  }
  if (settings.machines)
    say("machines: real ones, in " + settings.cloud.address_prefix +
        "0/24; user data is run as the user that runs this");
  if (settings.control) say("control: curl " + url + "/_drover");
}

int run(const MockOptions& options) {
  auto settings = read_mock_settings(options);
  if (settings.has_error()) return fail(settings.error());
  std::signal(SIGPIPE, SIG_IGN);
  asio::io_context io{1};
  auto host = MockHost::open(settings.value(), io, say);
  if (host.has_error()) return fail(host.error());
  RealTimePump pump(io, host.value()->scheduler());
  if (auto started = host.value()->start(pump); started.has_error()) return fail(started.error());
  pump.start();
  if (settings.value().time_scale != 1) pump.set_time_scale(settings.value().time_scale);
  boost::asio::signal_set signals(io, SIGINT, SIGTERM);
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (!error) io.stop();
  });
  announce(settings.value(), host.value()->port());
  io.run();
  pump.stop();
  host.value().reset();
  say("stopped");
  return kExitPassed;
}

}  // namespace

void add_mockcloud(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "mockcloud", "Run a cloud that fails on command, for any client of EC2, OpenStack or OpenNebula");
  auto options = std::make_shared<MockOptions>();
  command->add_option("--config", options->config, "JSON or YAML file; every key has a default");
  command->add_option("--listen", options->listen, "ADDR:PORT (default 127.0.0.1:9000; port 0: any free)");
  command->add_option("--api", options->apis,
                      "The protocols, with commas (default: ec2,openstack,opennebula)");
  command->add_option("--db", options->database, "File of the cloud's state (default: in memory)");
  command->add_option("--faults", options->faults, "A file whose `faults:` happen, as in scenario files");
  command->add_option("--seed", options->seed, "Of the cloud's random decisions (default 1)");
  command->add_option("--time-scale", options->time_scale,
                      "Seconds of the cloud that pass in one (default 1; 0: time stands still)");
  command->add_option(
      "--machines", options->machines,
      "none (default), or local: each instance is an agent with a real MariaDB server here. Its "
      "user data is run as the user that runs this: whoever may use the cloud may run anything");
  command->add_option("--machines-dir", options->machines_folder,
                      "Folder of these machines, kept (default: a temporary one)");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace drover::tools

// drover agent: the agent of one node, driving a real mariadbd.
#include <pthread.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <ctime>
#include <iostream>
#include <memory>

#include "manager/agent/heartbeat.hpp"
#include "manager/agent/http_face.hpp"
#include "tools/drover/agent_config.hpp"
#include "tools/drover/exit_codes.hpp"
#include "tools/drover/subcommands.hpp"

namespace drover::tools {
namespace {

void say(const std::string& line) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds = static_cast<std::time_t>(now / 1s);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char when[32];
  const std::size_t length = std::strftime(when, sizeof when, "%FT%T", &parts);
  const std::string thousandths = std::to_string(1000 + now / 1ms % 1000).substr(1);
  std::cerr << std::string(when, length) + "." + thousandths + "Z drover agent: " + line + "\n" << std::flush;
}

int fail(const Error& error) {
  std::cerr << "drover agent: " + error.message + "\n";
  return error.code == ErrorCode::invalid || error.code == ErrorCode::not_found ? kExitUsage
                                                                                : kExitUnavailable;
}

int run(const AgentOptions& options) {
  auto read = read_agent_settings(options);
  if (read.has_error()) return fail(read.error());
  AgentStart start = std::move(read).value();
  auto token = read_agent_token(start.token_file, start.token_env);
  if (token.has_error()) return fail(token.error());
  start.settings.token = std::move(token).value();
  start.settings.log = say;
  // Before any thread: they all leave the signals to this one.
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  auto agent = std::make_unique<agent::NodeAgent>(start.settings);
  if (auto opened = agent->open(); opened.has_error()) {
    Error error = opened.error();
    if (error.code == ErrorCode::not_found) error.code = ErrorCode::unavailable;
    return fail(error);
  }
  auto face = std::make_unique<agent::HttpFace>(*agent);
  if (auto started = face->start(); started.has_error()) {
    agent->close();
    return fail(started.error());
  }
  auto heartbeat = std::make_unique<agent::Heartbeat>(*agent);
  heartbeat->start();
  say("node " + start.settings.instance_id + " listening on " + start.settings.address + ":" +
      std::to_string(start.settings.port) + ", database server on port " +
      std::to_string(start.settings.mysqld_port));
  int number = 0;
  ::sigwait(&signals, &number);
  say("stopping the database server");
  heartbeat.reset();
  face->stop();
  agent->close();
  say("stopped");
  // A connection may still be in the middle of a command that its client gave up; nothing waits for it.
  std::_Exit(kExitPassed);
}

}  // namespace

void add_agent(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "agent", "Run the agent of one node: it drives a real MariaDB server for the manager");
  auto options = std::make_shared<AgentOptions>();
  command->add_option("--config", options->config, "JSON or YAML file with the same keys");
  command->add_option("--id", options->id, "The VM's id, as the cloud tells the manager (required)");
  command->add_option("--listen", options->listen,
                      "ADDR:PORT (default 127.0.0.1:60000); the database server takes the same address");
  command->add_option("--mysqld-port", options->mysqld_port, "Port of the database server (default 3306)");
  command->add_option("--dir", options->folder, "Folder of data, socket, log and state (required)");
  command->add_option("--manager", options->manager, "http://HOST:PORT of the manager to report to");
  command->add_option("--token-file", options->token_file,
                      std::string("File with the token shared with the manager (default: the environment "
                                  "variable ") +
                          kAgentTokenVariable + ")");
  command->add_option("--template", options->template_folder,
                      "A data directory to copy instead of running mariadb-install-db");
  command->add_option("--buffer-pool-mb", options->buffer_pool_mb, "innodb_buffer_pool_size (default 16)");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace drover::tools

// drover sweep: what `drover run --world local` starts beside itself, so that nothing is left of it however
// it ends. Not for people.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <memory>

#include "scenarios/local/sweeper.hpp"
#include "tools/drover/exit_codes.hpp"
#include "tools/drover/subcommands.hpp"

namespace drover::tools {

void add_sweep(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("sweep", "Tidy up after drover run --world local");
  command->group("");  // of no help
  auto folder = std::make_shared<std::string>();
  command->add_option("folder", *folder)->required();
  command->callback([folder, &exit_code] {
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(number, SIG_IGN);
    const auto swept = scenario::wait_and_sweep(STDIN_FILENO, *folder);
    exit_code = swept.has_value() ? kExitPassed : kExitFailed;
  });
}

}  // namespace drover::tools

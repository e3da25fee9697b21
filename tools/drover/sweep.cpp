// drover sweep: what `drover run --world local` and `drover mockcloud --machines local` start beside
// themselves, so that nothing is left of them however they end. Not for people.
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
  command->add_option("folder", *folder);
  auto leaders = std::make_shared<std::string>();
  command->add_option("--sessions", *leaders);
  command->callback([folder, leaders, &exit_code] {
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(number, SIG_IGN);
    const auto swept = leaders->empty() ? scenario::wait_and_sweep(STDIN_FILENO, *folder)
                                        : scenario::wait_and_end_sessions(STDIN_FILENO, *leaders);
    exit_code = swept.has_value() ? kExitPassed : kExitFailed;
  });
}

}  // namespace drover::tools

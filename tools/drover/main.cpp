// The drover binary: see `drover --help`, one file per subcommand.
#include <CLI/CLI.hpp>

#include "tools/drover/exit_codes.hpp"
#include "tools/drover/subcommands.hpp"

int main(int argc, char** argv) {
  CLI::App app("drover: a manager of MySQL and MariaDB services, and the stage on which it is rehearsed",
               "drover");
  app.set_version_flag("--version", "drover " DROVER_VERSION);
  app.require_subcommand(1);
  int exit_code = drover::tools::kExitPassed;
  drover::tools::add_run(app, exit_code);
  drover::tools::add_explore(app, exit_code);
  drover::tools::add_serve(app, exit_code);
  drover::tools::add_mockcloud(app, exit_code);
  drover::tools::add_agent(app, exit_code);
  drover::tools::add_call(app, exit_code);
  drover::tools::add_schema(app, exit_code);
  drover::tools::add_doctor(app, exit_code);
  drover::tools::add_sweep(app, exit_code);
  drover::tools::add_completion(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? drover::tools::kExitPassed : drover::tools::kExitUsage;
  }
  return exit_code;
}

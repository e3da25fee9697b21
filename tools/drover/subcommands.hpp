// The subcommands of the drover binary, one file each. add_X registers X with the app; when the command line
// names it, its callback runs while the line is parsed, writes results to stdout and errors to stderr, and
// sets exit_code.
#pragma once

namespace CLI {
class App;
}

namespace drover::tools {

void add_run(CLI::App& app, int& exit_code);
void add_explore(CLI::App& app, int& exit_code);
void add_schema(CLI::App& app, int& exit_code);
void add_call(CLI::App& app, int& exit_code);
void add_serve(CLI::App& app, int& exit_code);
void add_mockcloud(CLI::App& app, int& exit_code);
void add_agent(CLI::App& app, int& exit_code);
void add_doctor(CLI::App& app, int& exit_code);
void add_sweep(CLI::App& app, int& exit_code);
void add_completion(CLI::App& app, int& exit_code);

}  // namespace drover::tools

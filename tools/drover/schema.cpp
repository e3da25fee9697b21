// drover schema: the JSON Schema of scenario files.
#include <CLI/CLI.hpp>
#include <iostream>

#include "scenarios/engine/schema.hpp"
#include "tools/drover/exit_codes.hpp"
#include "tools/drover/subcommands.hpp"

namespace drover::tools {

void add_schema(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("schema", "Print the JSON Schema of scenario files");
  auto reference = std::make_shared<bool>(false);
  command->add_flag("--reference", *reference, "Print the reference of all keys as Markdown instead");
  command->callback([reference, &exit_code] {
    std::cout << (*reference ? scenario::scenario_reference_text() : scenario::scenario_schema_text());
    exit_code = kExitPassed;
  });
}

}  // namespace drover::tools

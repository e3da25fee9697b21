// The configuration of the original (ConPaaS's MySQL manager) as one of drover: an INI file with the sections
// iaas, manager and onevm_agent_template. Its keys mean what they meant; what drover does by itself is
// accepted and has no effect. Pure but for the reading of the file.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "manager/base/result.hpp"
#include "manager/ports/agent.hpp"

namespace drover::tools {

struct IniConfig {
  nlohmann::json document;         // as `drover serve --config` reads it
  Secret password;                 // of the cloud: the original's file holds it in clear
  std::vector<std::string> notes;  // keys that have no effect, one line each
};

// Whether the file is one: its name ends in .ini, .cnf, .cfg or .conf.
bool is_ini_name(const std::string& path);
// Errors: invalid with "file:line: message", one a line, never with a value of a key PASSWORD.
Result<IniConfig> read_ini(const std::string& text, const std::string& path);

}  // namespace drover::tools

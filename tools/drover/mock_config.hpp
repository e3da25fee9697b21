// What `drover mockcloud` is told: defaults, then one JSON or YAML file, then the command line. Reads files
// and the environment; used while the program starts.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "manager/base/result.hpp"
#include "mockcloud/cloud/cloud_config.hpp"
#include "mockcloud/wire/backend.hpp"
#include "scenarios/engine/schema_fields.hpp"

namespace drover::tools {

struct MockOptions {
  std::string config;
  std::optional<std::string> listen, apis, database, faults, machines, machines_folder;
  std::optional<double> time_scale;
  std::optional<std::uint64_t> seed;
};

struct MockSettings {
  std::string address = "127.0.0.1";
  std::uint16_t port = 9000;
  std::vector<std::string> apis;  // "ec2", "openstack", "opennebula"
  std::string database;           // a path, or in memory
  std::string faults;             // a file with `faults:` (and `cloud:`); "" for none
  std::uint64_t seed = 1;
  double time_scale = 1;
  bool control = true;
  bool machines = false;        // real processes for every instance (local_machines.hpp)
  std::string machines_folder;  // where they live; "": a temporary folder
  cloud::CloudConfig cloud;
  wire::Settings wire;
};

// Every key of the file, as a table.
std::span<const scenario::Field> mock_fields();

// Errors: invalid with "file:line:column: message", one a line; not_found; unavailable (a secret that cannot
// be read).
Result<MockSettings> read_mock_settings(const MockOptions& options);

}  // namespace drover::tools

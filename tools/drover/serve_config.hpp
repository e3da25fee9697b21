// What `drover serve` and `drover doctor` are told: defaults, then one JSON or YAML file, then the command
// line. Reads files and the environment; used while the program starts, on its one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "manager/api/http_server.hpp"
#include "manager/base/result.hpp"
#include "manager/ops/config.hpp"
#include "mockcloud/cloud/cloud_config.hpp"
#include "mockcloud/node/fleet.hpp"
#include "scenarios/engine/schema_fields.hpp"
#include "tools/drover/cloud_settings.hpp"
#include "tools/drover/failover_hooks.hpp"

namespace drover::tools {

inline constexpr const char* kInMemory = ":memory:";

enum class LogLevel : unsigned char { error, info, debug };

// The command line; what is not given leaves the file's value, or the default.
struct ServeOptions {
  std::string config;
  std::optional<std::string> listen, cloud, journal, database, faults, log_level, local_folder;
  std::optional<double> time_scale;
  std::optional<std::uint64_t> seed;
};

struct ServeSettings {
  std::string address = "127.0.0.1";
  std::uint16_t port = 50000;
  std::string cloud = "mock";
  std::string journal = kInMemory;   // a path, or in memory
  std::string database = kInMemory;  // of the mock cloud
  std::string faults;                // a scenario file whose faults happen; "" for none
  std::uint64_t seed = 1;
  double time_scale = 1;
  LogLevel log_level = LogLevel::info;
  ops::Configuration manager;  // its replication password is set by read_replication_password()
  cloud::CloudConfig mock_cloud;
  node::FleetConfig agents;
  std::string local_folder;       // of the local cloud; "" for a temporary one
  unsigned local_instances = 32;  // VMs at the same time
  unsigned local_buffer_pool_mb = 16;
  bool local_keep = false;  // VMs go on when this process ends politely
  CloudSettings clouds;     // of real ones
  HookSettings failover_hooks;
  api::ServerLimits limits;
  std::string replication_password_file;
  std::string replication_password_env;
  std::vector<std::string> notes;  // for people: keys of the original's file that have no effect
};

// Every key of the file, as a table (schema_fields.hpp).
std::span<const scenario::Field> serve_fields();

// Errors: ErrorCode::invalid with "file:line:column: message", one a line; not_found when there is no such
// file.
Result<ServeSettings> read_serve_settings(const ServeOptions& options);

// From the configured file or environment variable, else 32 bytes of the kernel's randomness in hexadecimal.
// Errors: unavailable, never with any of the content.
Result<Secret> read_replication_password(const ServeSettings& settings);

// What the file holds, or 32 random bytes in hexadecimal that it holds from now on, for its owner only.
// Errors: unavailable, storage.
Result<Secret> kept_secret(const std::string& file);

// "ADDR:PORT" or "[ADDR]:PORT"; nothing for anything else.
std::optional<std::pair<std::string, std::uint16_t>> parse_listen(const std::string& text);

}  // namespace drover::tools

#include "tools/drover/serve_config.hpp"

#include <sys/random.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "manager/system/child_process.hpp"
#include "scenarios/engine/scenario.hpp"
#include "scenarios/engine/world_settings.hpp"
#include "tools/drover/ini_config.hpp"

namespace drover::tools {
namespace {

using scenario::Field;
using scenario::FieldType;
using scenario::Problems;
using scenario::Settings;

constexpr std::size_t kSecretBytesMax = 1024;
constexpr double kTimeScaleMax = 1e6;

constexpr std::string_view kClouds[] = {"mock", "local", "ec2", "openstack", "opennebula"};
constexpr std::string_view kLogLevels[] = {"error", "info", "debug"};

constexpr long kKibi = 1024;
constexpr Field kLimits[] = {
    {"connections", FieldType::integer, "open connections; more are told 503", "4096", {}, {}, 1, 1'000'000},
    {"header_bytes",
     FieldType::integer,
     "request line and headers",
     "262144",
     {},
     {},
     kKibi,
     64 * kKibi* kKibi},
    {"json_bytes", FieldType::integer, "body of a call", "8388608", {}, {}, kKibi, 1024 * kKibi* kKibi},
    {"upload_bytes",
     FieldType::integer,
     "body of an upload",
     "17179869184",
     {},
     {},
     kKibi,
     1024 * kKibi* kKibi* kKibi},
    {"header_timeout", FieldType::duration, "from a request's first byte to its last header", "10s"},
    {"body_timeout", FieldType::duration, "without a byte of a body", "60s"},
    {"idle_timeout", FieldType::duration, "of a connection between requests", "75s"},
};

constexpr Field kLocal[] = {
    {"dir", FieldType::text, "folder of the VMs; a temporary one, deleted at the end, when left out"},
    {"instances", FieldType::integer, "VMs at the same time", "32", {}, {}, 1, 250},
    {"buffer_pool_mb",
     FieldType::integer,
     "innodb_buffer_pool_size of every server",
     "16",
     {},
     {},
     5,
     1'000'000},
    {"keep", FieldType::boolean, "VMs go on when drover serve ends; needs dir", "false"},
};

constexpr Field kHooks[] = {
    {"before", FieldType::text,
     "program that is run before a fail-over; another exit code than 0 forbids it"},
    {"after", FieldType::text, "program that is run when it has ended"},
    {"timeout", FieldType::duration, "how long each may take", "10s"},
};

const std::vector<Field>& fields() {
  static const std::vector<Field> table = [] {
    using enum FieldType;
    std::vector<Field> rows = {
        {"listen", text, "address and port of the API", "127.0.0.1:50000"},
        {"cloud",
         choice,
         "where nodes are bought; mock (simulated), local (real servers of this machine), or a real cloud",
         "mock",
         {},
         kClouds},
        {"journal", text, "file of the operation journal; in memory when left out", ":memory:"},
        {"database", text, "file of the mock cloud; in memory when left out", ":memory:"},
        {"seed", integer, "of the mock cloud's random decisions", "1", {}, {}, 0, 1'000'000'000'000'000},
        {"time_scale",
         number,
         "how many seconds of the mock cloud and manager pass in one",
         "1",
         {},
         {},
         0,
         static_cast<long>(kTimeScaleMax)},
        {"faults", text, "a scenario file whose faults happen to the mock cloud"},
        {"log_level", choice, "what is written to stderr", "info", {}, kLogLevels},
        {"service_id", identifier, "name of the service; tags and tokens carry it", "drover"},
        {"upload_dir", text, "where uploads wait; the system's directory for temporary files when left out"},
        {"replication_password_file", text, "file that holds the password of replication"},
        {"replication_password_env", identifier, "environment variable that holds it"},
        {"limits", section, "what one client may cost", "", kLimits},
        {"local", section, "the local cloud", "", kLocal},
        {"failover_hooks", section, "programs that are told of fail-overs", "", kHooks},
    };
    rows.insert(rows.end(), cloud_sections().begin(), cloud_sections().end());
    rows.push_back({"manager", section, "as `manager` of a scenario", "", scenario::manager_fields()});
    rows.push_back({"mock_cloud", section, "as `cloud` of a scenario", "", scenario::cloud_fields()});
    rows.push_back({"agents", section, "as `agents` of a scenario", "", scenario::agents_fields()});
    return rows;
  }();
  return table;
}

// The keys that are no section of a scenario.
std::span<const Field> own_fields() { return std::span(fields()).first(fields().size() - 3); }

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return make_error(ErrorCode::not_found,
                      path + ": cannot be read; check that the file exists and may be read");
  std::string text(bytes_max + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (file.bad() || (text.empty() && !file.eof()))
    return make_error(ErrorCode::not_found, path + ": cannot be read; is it a folder?");
  return text;
}

Error bad_option(const char* name, const std::string& message) {
  return make_error(ErrorCode::invalid, std::string("--") + name + ": " + message);
}

LogLevel level_of(const std::string& text) {
  if (text == "error") return LogLevel::error;
  return text == "debug" ? LogLevel::debug : LogLevel::info;
}

void take_own(const Settings& from, ServeSettings& to) {
  std::tie(to.address, to.port) = *parse_listen(from.text("listen"));
  to.cloud = from.text("cloud");
  to.journal = from.text("journal");
  to.database = from.text("database");
  to.seed = static_cast<std::uint64_t>(from.integer("seed"));
  to.time_scale = from.number("time_scale");
  if (from.has("faults")) to.faults = from.text("faults");
  to.log_level = level_of(from.text("log_level"));
  if (from.has("upload_dir")) to.limits.upload_directory = from.text("upload_dir");
  if (from.has("replication_password_file"))
    to.replication_password_file = from.text("replication_password_file");
  if (from.has("replication_password_env"))
    to.replication_password_env = from.text("replication_password_env");
  if (from.has("local.dir")) to.local_folder = from.text("local.dir");
  to.local_instances = static_cast<unsigned>(from.integer("local.instances"));
  to.local_buffer_pool_mb = static_cast<unsigned>(from.integer("local.buffer_pool_mb"));
  to.local_keep = from.boolean("local.keep");
  to.clouds = take_cloud_settings(from);
  if (from.has("failover_hooks.before")) to.failover_hooks.before = from.text("failover_hooks.before");
  if (from.has("failover_hooks.after")) to.failover_hooks.after = from.text("failover_hooks.after");
  to.failover_hooks.timeout = from.duration("failover_hooks.timeout");
  to.limits.connections_max = static_cast<std::size_t>(from.integer("limits.connections"));
  to.limits.header_bytes_max = static_cast<std::size_t>(from.integer("limits.header_bytes"));
  to.limits.json_bytes_max = static_cast<std::size_t>(from.integer("limits.json_bytes"));
  to.limits.upload_bytes_max = static_cast<std::uint64_t>(from.integer("limits.upload_bytes"));
  to.limits.header_timeout = from.duration("limits.header_timeout");
  to.limits.body_timeout = from.duration("limits.body_timeout");
  to.limits.idle_timeout = from.duration("limits.idle_timeout");
}

// What the tables cannot say.
void check_values(const scenario::Node& root, Problems& problems) {
  if (const auto* listen = root.find("listen"); listen != nullptr && !parse_listen(listen->text))
    problems.add(listen->place, "listen takes ADDR:PORT such as 127.0.0.1:50000 or [::1]:50000, found " +
                                    scenario::describe(*listen));
  if (const auto* scale = root.find("time_scale"); scale != nullptr && !(scale->number > 0))
    problems.add(scale->place, "time_scale takes a number above 0, found " + scenario::describe(*scale));
  const auto* file = root.find("replication_password_file");
  if (file != nullptr && root.find("replication_password_env") != nullptr)
    problems.add(file->place,
                 "replication_password_file and replication_password_env: give one of them, not both");
  check_cloud_values(root, problems);
  const auto* limits = root.find("limits");
  for (const char* name : {"header_timeout", "body_timeout", "idle_timeout"}) {
    const auto* value = limits == nullptr ? nullptr : limits->find(name);
    if (value != nullptr && *parse_duration(value->text) <= Duration{0})
      problems.add(value->place, std::string(name) + " takes a time above 0s");
  }
}

// `original` is filled from a file of the original's form.
Result<void> take_file(const std::string& path, Settings& own, scenario::Scenario& sections,
                       IniConfig& original) {
  DROVER_TRY(std::string text, read_file(path, scenario::kDocumentBytesMax));
  if (is_ini_name(path)) {
    DROVER_TRY(original, read_ini(text, path));
    text = original.document.dump(2, ' ', true, nlohmann::json::error_handler_t::replace);
  }
  DROVER_TRY(const scenario::Node root, scenario::parse_document(text, path));
  Problems problems(path);
  if (scenario::check_map(root, serve_fields(), "the configuration", problems)) check_values(root, problems);
  if (!problems.empty()) return problems.to_error();
  scenario::Node mine = root;
  std::erase_if(mine.members, [](const scenario::Member& member) {
    return scenario::find_field(own_fields(), member.key) == nullptr;
  });
  own.assign(mine);
  if (const auto* node = root.find("manager")) sections.manager.assign(*node);
  if (const auto* node = root.find("mock_cloud")) sections.cloud.assign(*node);
  if (const auto* node = root.find("agents")) sections.agents.assign(*node);
  return success();
}

Result<void> take_options(const ServeOptions& options, ServeSettings& to) {
  if (options.listen) {
    const auto listen = parse_listen(*options.listen);
    if (!listen)
      return bad_option("listen", scenario::in_quotes(*options.listen) +
                                      " is no ADDR:PORT such as 127.0.0.1:50000 or [::1]:50000");
    std::tie(to.address, to.port) = *listen;
  }
  if (options.time_scale) {
    if (!(*options.time_scale > 0) || *options.time_scale > kTimeScaleMax)
      return bad_option("time-scale", "takes a number above 0 and up to 1000000");
    to.time_scale = *options.time_scale;
  }
  if (options.cloud) to.cloud = *options.cloud;
  if (options.journal) to.journal = *options.journal;
  if (options.database) to.database = *options.database;
  if (options.faults) to.faults = *options.faults;
  if (options.local_folder) to.local_folder = *options.local_folder;
  if (options.seed) to.seed = *options.seed;
  if (options.log_level) to.log_level = level_of(*options.log_level);
  return success();
}

}  // namespace

std::span<const Field> serve_fields() { return fields(); }

std::optional<std::pair<std::string, std::uint16_t>> parse_listen(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  std::string address = text.substr(0, colon);
  if (address.starts_with('[') != address.ends_with(']')) return std::nullopt;
  if (address.starts_with('['))
    address = address.substr(1, address.size() - 2);
  else if (address.find(':') != std::string::npos)
    return std::nullopt;
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (error != std::errc{} || stop != end || address.empty()) return std::nullopt;
  return std::pair{std::move(address), port};
}

Result<ServeSettings> read_serve_settings(const ServeOptions& options) {
  Settings own(own_fields());
  scenario::Scenario sections;
  IniConfig original;
  if (!options.config.empty())
    if (auto taken = take_file(options.config, own, sections, original); taken.has_error())
      return std::move(taken).error();
  ServeSettings settings;
  take_own(own, settings);
  settings.notes = std::move(original.notes);
  settings.clouds.ec2.secret.value = original.password;
  settings.clouds.openstack.password.value = original.password;
  settings.clouds.opennebula.password.value = original.password;
  if (auto taken = take_options(options, settings); taken.has_error()) return std::move(taken).error();
  settings.manager = scenario::manager_config(sections);
  settings.manager.replication_password = Secret{};
  // Real servers of this machine are there in a fraction of a second.
  if (settings.cloud == "local" && sections.manager.is_default("poll_interval"))
    settings.manager.poll_interval = 50ms;
  settings.manager.service_id = own.text("service_id");
  settings.mock_cloud = scenario::cloud_config(sections);
  settings.agents = scenario::fleet_config(sections);
  if (auto checked = cloud::check_config(settings.mock_cloud); checked.has_error())
    return make_error(ErrorCode::invalid, options.config + ": mock_cloud: " + checked.error().message);
  return settings;
}

Result<Secret> read_replication_password(const ServeSettings& settings) {
  const auto refuse = [](const std::string& message) { return make_error(ErrorCode::unavailable, message); };
  Secret password;
  if (!settings.replication_password_file.empty()) {
    auto text = read_file(settings.replication_password_file, kSecretBytesMax);
    if (text.has_error()) return refuse("replication_password_file: " + text.error().message);
    password.value = std::move(text).value();
    while (password.value.ends_with('\n') || password.value.ends_with('\r')) password.value.pop_back();
    if (password.value.empty() || password.value.size() > kSecretBytesMax)
      return refuse("replication_password_file: " + settings.replication_password_file +
                    " must hold 1 to 1024 bytes");
    return password;
  }
  if (!settings.replication_password_env.empty()) {
    const char* value = std::getenv(settings.replication_password_env.c_str());
    if (value == nullptr || *value == '\0')
      return refuse("replication_password_env: the environment variable " +
                    settings.replication_password_env + " is not set; set it, or leave the key out");
    password.value = value;
    return password;
  }
  unsigned char bytes[32];
  if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes))
    return refuse("the system gives no random numbers for the replication password");
  constexpr char kDigits[] = "0123456789abcdef";
  for (const unsigned char byte : bytes) {
    password.value.push_back(kDigits[byte >> 4U]);
    password.value.push_back(kDigits[byte & 15U]);
  }
  return password;
}

Result<Secret> kept_secret(const std::string& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    DROVER_TRY(const Secret fresh, read_replication_password(ServeSettings{}));
    DROVER_TRY(system::save_file(file, fresh.value + "\n"));
  }
  SecretPlace place;
  place.file = file;
  return read_secret(place, "secret");
}

}  // namespace drover::tools

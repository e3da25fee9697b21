#include "tools/drover/mock_config.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "scenarios/engine/scenario.hpp"
#include "scenarios/engine/world_settings.hpp"
#include "tools/drover/local_machines.hpp"
#include "tools/drover/serve_config.hpp"

namespace drover::tools {
namespace {

using scenario::Field;
using scenario::FieldType;

constexpr std::size_t kSecretMax = 1024;
constexpr unsigned kMachinesMax = 32;  // each with a database server of its own
constexpr std::string_view kMachines[] = {"none", "local"};

const std::vector<Field>& fields() {
  static const std::vector<Field> table = [] {
    using enum FieldType;
    std::vector<Field> rows = {
        {"listen", text, "address and port of every protocol", "127.0.0.1:9000"},
        {"api", text, "the protocols, with commas: ec2, openstack, opennebula", "ec2,openstack,opennebula"},
        {"database", text, "file of the cloud's state; in memory when left out", ":memory:"},
        {"faults", text, "a file whose `faults:` happen"},
        {"seed", integer, "of the cloud's random decisions", "1", {}, {}, 0, 1'000'000'000'000'000},
        {"time_scale",
         number,
         "how many seconds of the cloud pass in one; 0: none",
         "1",
         {},
         {},
         0,
         1'000'000},
        {"account", text, "EC2's access key, the user of Keystone and OpenNebula", "drover"},
        {"secret_file", text, "file with its secret key or password"},
        {"secret_env", identifier, "environment variable with it; without either it is drover-secret"},
        {"check_signatures", boolean, "whether EC2 requests must be signed rightly", "yes"},
        {"region", text, "EC2's region", "us-east-1"},
        {"project", text, "Keystone's project", "drover"},
        {"control", boolean, "whether /_drover is there", "yes"},
        {"machines",
         choice,
         "what instances are: entries in the cloud's books, or processes here that run their user data",
         "none",
         {},
         kMachines},
        {"machines_dir", text, "folder of the machines; a temporary one, deleted at the end, when left out"},
    };
    rows.push_back({"cloud", section, "as `cloud` of a scenario", "", scenario::cloud_fields()});
    return rows;
  }();
  return table;
}

std::span<const Field> own_fields() { return std::span(fields()).first(fields().size() - 1); }

Result<std::string> read_text(const std::string& path, std::size_t most) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return make_error(ErrorCode::not_found,
                      path + ": cannot be read; check that the file exists and may be read");
  std::string text(most + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > most)
    return make_error(ErrorCode::invalid, path + ": is longer than " + std::to_string(most) + " bytes");
  return text;
}

Result<void> take_apis(const std::string& text, MockSettings& to) {
  static const std::vector<std::string> known{"ec2", "openstack", "opennebula"};
  to.apis.clear();
  std::stringstream parts(text);
  for (std::string name; std::getline(parts, name, ',');) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      return make_error(ErrorCode::invalid, "--api: there is no protocol " + scenario::in_quotes(name) +
                                                "; there are ec2, openstack, opennebula");
    if (std::find(to.apis.begin(), to.apis.end(), name) == to.apis.end()) to.apis.push_back(name);
  }
  if (to.apis.empty())
    return make_error(ErrorCode::invalid, "--api: give at least one of ec2, openstack, opennebula");
  return success();
}

Result<void> take_secret(const scenario::Settings& own, MockSettings& to) {
  wire::Account account;
  account.name = own.text("account");
  if (own.has("secret_file")) {
    auto text = read_text(own.text("secret_file"), kSecretMax);
    if (text.has_error()) return make_error(ErrorCode::unavailable, "secret_file: " + text.error().message);
    account.secret.value = std::move(text).value();
    while (account.secret.value.ends_with('\n') || account.secret.value.ends_with('\r'))
      account.secret.value.pop_back();
  } else if (own.has("secret_env")) {
    const char* value = std::getenv(own.text("secret_env").c_str());
    if (value == nullptr)
      return make_error(ErrorCode::unavailable,
                        "secret_env: the environment variable " + own.text("secret_env") + " is not set");
    account.secret.value = value;
  }
  if (account.secret.value.empty() || account.name.empty())
    return make_error(ErrorCode::invalid, "the account's name and secret must not be empty");
  to.wire.accounts = {std::move(account)};
  return success();
}

// What the settings of a cloud leave open is filled with names that clients of each protocol know.
void add_usual_names(const scenario::Settings& cloud, cloud::CloudConfig& config) {
  if (!cloud.has("images")) config.images = {"debian-12-drover", "ami-12345678", "ami-0d8d8ad4c1d1e0f01"};
  if (!cloud.has("sizes")) config.sizes = {"small", "t3.micro", "t3.small", "m1.small", "m5.large"};
  if (!cloud.has("networks")) config.networks = {"default", "subnet-12345678"};
  config.address_prefix = "10.";  // 65,000 addresses are too few for some
}

// Real machines have addresses of this machine, boot in their own time, and are few.
void suit_machines(const std::vector<std::string>& given, cloud::CloudConfig& config) {
  config.address_prefix = free_local_network();
  const auto is_given = [&given](const char* key) { return std::ranges::find(given, key) != given.end(); };
  const auto shorten = [&](const char* key, Distribution& delay) {
    if (!is_given(key)) delay = Distribution::constant(1s);
  };
  shorten("boot", config.boot);
  shorten("stop", config.stop);
  shorten("reboot", config.reboot);
  shorten("terminate", config.terminate);
  if (!is_given("capacity")) config.capacity = kMachinesMax;
}

// The usual secret is known to everybody, web pages in a browser of this machine among them.
Result<void> check_machines(const scenario::Settings& own) {
  if (!own.has("secret_file") && !own.has("secret_env"))
    return make_error(ErrorCode::invalid,
                      "machines: local runs what whoever knows the account's secret launches: give it a "
                      "secret of your own, with secret_file or secret_env in the configuration");
  if (!own.boolean("check_signatures"))
    return make_error(ErrorCode::invalid,
                      "machines: local runs what whoever may launch instances launches: leave "
                      "check_signatures on");
  return success();
}

}  // namespace

std::span<const Field> mock_fields() { return fields(); }

Result<MockSettings> read_mock_settings(const MockOptions& options) {
  scenario::Settings own(own_fields());
  scenario::Scenario sections;
  std::vector<std::string> given;  // of the cloud's keys
  if (!options.config.empty()) {
    DROVER_TRY(const std::string text, read_text(options.config, scenario::kDocumentBytesMax));
    DROVER_TRY(const scenario::Node root, scenario::parse_document(text, options.config));
    scenario::Problems problems(options.config);
    if (scenario::check_map(root, mock_fields(), "the configuration", problems)) {
      if (const auto* listen = root.find("listen"); listen != nullptr && !parse_listen(listen->text))
        problems.add(listen->place, "listen takes ADDR:PORT such as 127.0.0.1:9000");
    }
    if (!problems.empty()) return problems.to_error();
    scenario::Node mine = root;
    std::erase_if(mine.members, [](const scenario::Member& member) { return member.key == "cloud"; });
    own.assign(mine);
    if (const auto* node = root.find("cloud")) {
      sections.cloud.assign(*node);
      for (const auto& member : node->members) given.push_back(member.key);
    }
  }
  MockSettings settings;
  const std::string listen = options.listen.value_or(own.text("listen"));
  const auto place = parse_listen(listen);
  if (!place)
    return make_error(ErrorCode::invalid,
                      "--listen: " + scenario::in_quotes(listen) + " is no ADDR:PORT such as 127.0.0.1:9000");
  std::tie(settings.address, settings.port) = *place;
  DROVER_TRY(take_apis(options.apis.value_or(own.text("api")), settings));
  settings.database = options.database.value_or(own.text("database"));
  if (own.has("faults")) settings.faults = own.text("faults");
  if (options.faults) settings.faults = *options.faults;
  settings.seed = options.seed.value_or(static_cast<std::uint64_t>(own.integer("seed")));
  settings.time_scale = options.time_scale.value_or(own.number("time_scale"));
  if (!(settings.time_scale >= 0) || settings.time_scale > 1e6)
    return make_error(ErrorCode::invalid, "--time-scale: takes a number from 0 to 1000000");
  settings.control = own.boolean("control");
  settings.wire.check_signatures = own.boolean("check_signatures");
  settings.wire.region = own.text("region");
  settings.wire.project = own.text("project");
  DROVER_TRY(take_secret(own, settings));
  settings.cloud = scenario::cloud_config(sections);
  add_usual_names(sections.cloud, settings.cloud);
  const std::string machines = options.machines.value_or(own.text("machines"));
  if (std::ranges::find(kMachines, machines) == std::end(kMachines))
    return make_error(ErrorCode::invalid,
                      "--machines: takes none or local, not " + scenario::in_quotes(machines));
  settings.machines = machines == "local";
  if (own.has("machines_dir")) settings.machines_folder = own.text("machines_dir");
  if (options.machines_folder) settings.machines_folder = *options.machines_folder;
  if (settings.machines) {
    DROVER_TRY(check_machines(own));
    suit_machines(given, settings.cloud);
  }
  if (auto checked = cloud::check_config(settings.cloud); checked.has_error())
    return make_error(ErrorCode::invalid, options.config + ": cloud: " + checked.error().message);
  return settings;
}

}  // namespace drover::tools

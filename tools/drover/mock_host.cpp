#include "tools/drover/mock_host.hpp"

#include <chrono>
#include <fstream>
#include <sstream>

#include "manager/ports/forwarding_iaas.hpp"
#include "mockcloud/fault/step_arguments.hpp"
#include "mockcloud/wire/ec2/ec2_face.hpp"
#include "mockcloud/wire/opennebula/opennebula_face.hpp"
#include "mockcloud/wire/openstack/openstack_face.hpp"
#include "scenarios/engine/load_library.hpp"
#include "tools/drover/cloud_actions.hpp"

namespace drover::tools {
namespace {

using nlohmann::json;

constexpr std::size_t kEntriesMax = 100'000;
constexpr std::size_t kLabelMax = 200;
constexpr std::size_t kLabelsMax = 1000;
constexpr std::uintmax_t kFaultsBytesMax = 1 << 20U;

TimePoint system_time() {
  return kEpoch + std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch());
}

// Actions that say how the boot of a machine will end.
bool settles_boot(std::string_view action) {
  for (const char* each :
       {"vm.never_boot", "vm.slow_boot", "vm.boot_error", "vm.boot_stopped", "vm.wrong_image"})
    if (action == each) return true;
  return false;
}

std::unique_ptr<wire::Face> make_face(const std::string& api, wire::Backend& backend) {
  if (api == "openstack") return std::make_unique<wire::OpenStackFace>(backend);
  if (api == "opennebula") return std::make_unique<wire::OpenNebulaFace>(backend);
  return std::make_unique<wire::Ec2Face>(backend);
}

}  // namespace

Result<std::vector<fault::Rule>> read_mock_faults(const std::string& text, const std::string& file,
                                                  TimePoint start) {
  // Rules alone are a scenario in which nothing else happens.
  constexpr const char* kRest = "\nschema: 1\nname: faults\nsteps: [{wait: 1s}]\n";
  constexpr const char* kRestInBraces =
      "{\"schema\": 1, \"name\": \"faults\", \"steps\": [{\"wait\": \"1s\"}], ";
  const auto begin = text.find_first_not_of(" \t\r\n");
  const char first = begin == std::string::npos ? '\0' : text[begin];
  std::string whole = text;
  if (first == '-')
    whole = "faults:\n" + text + kRest;
  else if (first == '[')
    whole = "faults: " + text + kRest;
  else if (text.find("schema") == std::string::npos)
    whole = first == '{' ? kRestInBraces + text.substr(begin + 1) : text + kRest;
  DROVER_TRY(const scenario::ScenarioFile parsed, scenario::prepare_scenario(whole, file));
  std::vector<fault::Rule> rules = parsed.cases.front().faults;
  std::string missing;
  for (fault::Rule& rule : rules) {
    if (rule.at) *rule.at += start.time_since_epoch();
    if (rule.until) *rule.until += start.time_since_epoch();
    std::vector<std::string> actions = rule.pick;
    if (!rule.action.empty()) actions.push_back(rule.action);
    for (const std::string& name : actions) {
      const fault::ActionRow* row = fault::find_action(name);
      if (row != nullptr && !row->is_call() && !is_cloud_action(name))
        missing += (missing.empty() ? "" : ", ") + name;
    }
  }
  if (missing.empty()) return rules;
  return make_error(ErrorCode::unavailable, file + ": a mock cloud has no nodes to do " + missing +
                                                " to; beside faults of calls it makes " +
                                                cloud_action_names());
}

class MockHost::Calls final : public ForwardingIaas, public cloud::Lister {
 public:
  explicit Calls(MockHost& host) : host_(host) {}
  void list_snapshot(const CallContext& context, const std::string& key, const std::string& value,
                     Handler<cloud::Snapshot> handler) override {
    host_.rules_.back().iaas->list_snapshot(context, key, value, std::move(handler));
  }

 private:
  Iaas& target() override { return *host_.rules_.back().iaas; }
  MockHost& host_;
};

MockHost::MockHost(const MockSettings& settings, asio::io_context& io, Log log)
    : settings_(settings), io_(io), log_(std::move(log)), choices_(settings.seed) {
  trace_.follow(scheduler_.now_address());
}

MockHost::~MockHost() {
  server_.reset();
  machines_.reset();
  domain_.kill();
  cloud_domain_.kill();
}

Result<std::unique_ptr<MockHost>> MockHost::open(const MockSettings& settings, asio::io_context& io,
                                                 Log log) {
  std::unique_ptr<MockHost> host(new MockHost(settings, io, std::move(log)));
  if (auto opened = host->open_parts(); opened.has_error()) return std::move(opened).error();
  return host;
}

Result<void> MockHost::open_parts() {
  scheduler_.advance_to(system_time());
  // What the user calls in memory: a cloud may have 100,000 machines, and only the copy in RAM is read.
  const std::string database = settings_.database == kInMemory ? std::string() : settings_.database;
  if (!database.empty()) {
    DROVER_TRY(lock_.take(database));
  }
  DROVER_TRY(cloud_,
             cloud::Cloud::open(scheduler_, cloud_domain_, choices_, trace_, settings_.cloud, database));
  calls_ = std::make_unique<Calls>(*this);
  std::vector<fault::Rule> first;
  if (!settings_.faults.empty()) {
    std::ifstream file(settings_.faults, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file || text.str().size() > kFaultsBytesMax)
      return make_error(ErrorCode::not_found,
                        settings_.faults + ": cannot be read; check that the file exists and may be read");
    DROVER_TRY(first, read_mock_faults(text.str(), settings_.faults, scheduler_.now()));
  }
  use(std::move(first));
  backend_ = std::make_unique<wire::Backend>(*cloud_, *calls_, scheduler_, settings_.wire, system_time);
  cloud_->set_observer([this](const cloud::Instance& vm, InstanceState) {
    if (engine().watching()) engine().observe(std::string("vm.") + to_text(vm.state), fault_subject(vm));
  });
  if (!settings_.machines) return success();
  DROVER_TRY(machines_, LocalMachines::open(io_, settings_.machines_folder, log_));
  machines_->follow(*cloud_,
                    [this](const std::string& id) { return guest_identity(*backend_, settings_.apis, id); });
  return success();
}

void MockHost::use(std::vector<fault::Rule> rules) {
  if (!rules_.empty()) engine().stop();
  Rules next;
  next.engine =
      std::make_unique<fault::Engine>(scheduler_, domain_, choices_, trace_, std::move(rules), *this);
  next.iaas = std::make_unique<fault::FaultyIaas>(*cloud_, *next.engine);
  rules_.push_back(std::move(next));
}

Result<void> MockHost::start(RealTimePump& pump) {
  pump_ = &pump;
  if (settings_.control) faces_.push_back(std::make_unique<wire::ControlFace>(controls()));
  // The last face takes what nobody claims: EC2's protocol has the loosest shape.
  for (const char* api : {"openstack", "opennebula", "ec2"}) {
    if (std::find(settings_.apis.begin(), settings_.apis.end(), api) == settings_.apis.end()) continue;
    faces_.push_back(make_face(api, *backend_));
  }
  std::vector<wire::Face*> faces;
  for (const auto& face : faces_) faces.push_back(face.get());
  server_ = std::make_unique<wire::WireServer>(
      io_, [this](std::move_only_function<void()> input) { pump_->submit(std::move(input)); }, faces,
      wire::ServerConfig{});
  server_->set_journal(
      {[this](const wire::Face& face, const http::Request& request) { return begun(face, request); },
       [this](std::uint64_t number, int status) { ended(number, status); }});
  return server_->listen(settings_.address, settings_.port);
}

void MockHost::perform(const fault::Action& action) {
  const std::string id = find_target(*cloud_, choices_, action);
  const auto done = act_on_cloud({scheduler_, domain_, *cloud_}, action, id);
  if (done.has_error()) engine().not_performed(action);
  log_("fault " + action.name + " on " + (id.empty() ? "nothing" : id) +
       (done.has_error() ? ": " + done.error().message : std::string()));
}

std::uint64_t MockHost::begun(const wire::Face& face, const http::Request& request) {
  if (std::string_view(face.name()) == "control") {
    engine().set_request(0);
    return 0;
  }
  Entry entry;
  entry.at = scheduler_.now();
  std::string label = face.label(request).substr(0, kLabelMax);
  if (asked_.size() >= kLabelsMax) asked_.clear();
  auto& asked = asked_[std::string(face.name()) + " " + label];
  if (asked == nullptr) asked = std::make_shared<const Asked>(Asked{face.name(), std::move(label)});
  entry.asked = asked;
  entries_.push_back(std::move(entry));
  ++last_number_;
  if (entries_.size() > kEntriesMax) entries_.pop_front();
  engine().set_request(last_number_);
  return last_number_;
}

void MockHost::ended(std::uint64_t number, int status) {
  if (number == 0 || entries_.empty() || number < first_number()) return;
  Entry& entry = entries_[number - first_number()];
  entry.status = status;
  entry.answered = scheduler_.now();
}

json MockHost::state() const {
  json instances = json::object();
  for (int i = 0; i < kInstanceStates; ++i) {
    const auto each = static_cast<InstanceState>(i);
    if (cloud_->count(each) > 0) instances[to_text(each)] = cloud_->count(each);
  }
  return {{"version", DROVER_VERSION},
          {"seed", settings_.seed},
          {"time", {{"now", to_iso8601(scheduler_.now(), true)}, {"scale", pump_->time_scale()}}},
          {"instances", instances},
          {"created", cloud_->total_created()},
          {"zombies", cloud_->zombies()},
          {"quota_used", cloud_->quota_used()},
          {"requests", last_number_},
          {"rules", rules()}};
}

json MockHost::rules() const {
  json all = json::array();
  for (const auto& count : rules_.back().engine->counts())
    all.push_back({{"rule", count.name},
                   {"matched", count.matched},
                   {"fired", count.fired},
                   {"enabled", count.enabled}});
  return all;
}

json MockHost::journal(std::uint64_t after, std::size_t limit) const {
  std::multimap<std::uint64_t, const fault::Firing*> by_request;
  json outside = json::array();
  const auto write = [](const fault::Firing& firing) {
    return json{{"rule", firing.rule},
                {"action", firing.action},
                {"target", firing.target},
                {"at", to_iso8601(firing.at, true)}};
  };
  for (const Rules& set : rules_)
    for (const auto& firing : set.engine->firings()) {
      if (firing.request == 0)
        outside.push_back(write(firing));
      else if (firing.request > after)
        by_request.emplace(firing.request, &firing);
    }
  json entries = json::array();
  std::uint64_t last = after;
  std::uint64_t number = first_number() - 1;
  for (const Entry& entry : entries_) {
    if (++number <= after) continue;
    if (entries.size() >= limit) break;
    json row{{"request", number},
             {"at", to_iso8601(entry.at, true)},
             {"api", entry.asked->api},
             {"call", entry.asked->request}};
    row["status"] = entry.status == 0 ? json() : json(entry.status);
    if (entry.status != 0) row["took_s"] = to_seconds(entry.answered - entry.at);
    json fired = json::array();
    const auto [from, to] = by_request.equal_range(number);
    for (auto at = from; at != to; ++at) fired.push_back(write(*at->second));
    row["fired"] = std::move(fired);
    entries.push_back(std::move(row));
    last = number;
  }
  return {{"requests", std::move(entries)}, {"last", last}, {"outside_of_requests", std::move(outside)}};
}

Result<void> MockHost::set_faults(const std::string& text) {
  std::vector<fault::Rule> next;
  if (text.find_first_not_of(" \t\r\n") != std::string::npos) {
    DROVER_TRY(next, read_mock_faults(text, "faults", scheduler_.now()));
  }
  use(std::move(next));
  return success();
}

Result<void> MockHost::act(const std::string& action, const std::string& target, const json& with) {
  const fault::ActionRow* row = fault::find_action(action);
  if (row == nullptr || row->is_call() || !is_cloud_action(action))
    return make_error(ErrorCode::invalid, "there is no action \"" + action.substr(0, 100) +
                                              "\" on machines; there are " + cloud_action_names());
  fault::Rule rule;
  rule.action = action;
  for (const auto& [name, value] : with.items())
    rule.arguments[name] = value.is_string() ? value.get<std::string>() : value.dump();
  DROVER_TRY(fault::check_step_arguments(*row, rule.arguments));
  const fault::Action wanted{action, target, fault::resolve_arguments(*row, rule, choices_, "control"),
                             "control"};
  std::string id = find_target(*cloud_, choices_, wanted);
  // How a boot ends can be settled before there is a machine of that name.
  if (id.empty() && settles_boot(action)) id = target;
  return act_on_cloud({scheduler_, domain_, *cloud_}, wanted, id);
}

wire::Controls MockHost::controls() {
  wire::Controls controls;
  controls.state = [this] { return state(); };
  controls.journal = [this](std::uint64_t after, std::size_t limit) { return journal(after, limit); };
  controls.faults = [this] { return json{{"rules", rules()}}; };
  controls.set_faults = [this](const std::string& text) { return set_faults(text); };
  controls.act = [this](const std::string& action, const std::string& target, const json& with) {
    return act(action, target, with);
  };
  controls.set_time = [this](std::optional<double> scale, std::optional<Duration> step) -> Result<void> {
    if (scale) pump_->set_time_scale(*scale);
    if (step) pump_->jump(*step);
    return success();
  };
  return controls;
}

}  // namespace drover::tools

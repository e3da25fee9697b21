#include "mockcloud/cloud/cloud.hpp"

#include <algorithm>
#include <charconv>

#include "manager/base/check.hpp"
#include "mockcloud/cloud/cloud_internal.hpp"

namespace drover::cloud {
namespace {

std::unique_ptr<Tables> must_open(const std::string& path, const CloudConfig& config) {
  const auto checked = check_config(config);
  DROVER_CHECK(checked.has_value(), checked.error().message.c_str());
  auto tables = Tables::open(path, config);
  DROVER_CHECK(tables.has_value(), tables.error().message.c_str());
  return std::move(tables).value();
}

void merge(std::vector<std::string>& names, const std::vector<std::string>& more) {
  for (const auto& name : more)
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

}  // namespace

std::uint32_t parse_id(std::string_view prefix, std::string_view id) {
  if (!id.starts_with(prefix)) return 0;
  std::uint32_t number = 0;
  const char* begin = id.data() + prefix.size();
  const char* end = id.data() + id.size();
  const auto [last, error] = std::from_chars(begin, end, number);
  return error == std::errc{} && last == end && end - begin >= 8 ? number : 0;
}

Cloud::Cloud(Scheduler& scheduler, Domain& domain, Choices& choices, Trace& trace, CloudConfig config,
             std::string database_path)
    : Cloud(scheduler, domain, choices, trace, config, must_open(database_path, config)) {
  const auto loaded = load();
  DROVER_CHECK(loaded.has_value(), loaded.error().message.c_str());
}

Cloud::Cloud(Scheduler& scheduler, Domain& domain, Choices& choices, Trace& trace, CloudConfig config,
             std::unique_ptr<Tables> tables)
    : scheduler_(scheduler),
      domain_(domain),
      choices_(choices),
      trace_(trace),
      config_(std::move(config)),
      tables_(std::move(tables)),
      addresses_(config_.address_prefix) {
  for (const auto& zone : config_.zones) zones_up_[zone] = true;
}

Result<std::unique_ptr<Cloud>> Cloud::open(Scheduler& scheduler, Domain& domain, Choices& choices,
                                           Trace& trace, CloudConfig config,
                                           const std::string& database_path) {
  DROVER_TRY(check_config(config));
  DROVER_TRY(auto tables, Tables::open(database_path, config));
  std::unique_ptr<Cloud> cloud(
      new Cloud(scheduler, domain, choices, trace, std::move(config), std::move(tables)));
  DROVER_TRY(cloud->load());
  return cloud;
}

Cloud::~Cloud() { Tables::give_back(std::move(tables_)); }

Result<void> Cloud::load() {
  DROVER_TRY(auto stored, tables_->load(scheduler_.now()));
  if (!stored.fresh) take_over(std::move(stored));
  return success();
}

void Cloud::take_over(StoredCloud stored) {
  merge(config_.images, stored.images);
  merge(config_.sizes, stored.sizes);
  merge(config_.networks, stored.networks);
  for (const auto& [zone, up] : stored.zones) zones_up_[zone] = up;
  for (auto& row : stored.tokens) tokens_.emplace(TextKey(row.token), Token{row.digest, row.number});
  for (auto& [name, outcome] : stored.boot_outcomes) boot_outcomes_.emplace(name, std::move(outcome));

  const Counters& counters = stored.counters;
  addresses_ = AddressPool(config_.address_prefix, counters.next_address);
  view_ = counters.view;
  next_volume_ = counters.next_volume;
  high_water_ = counters.high_water;
  released_address_ = counters.released_address;
  reuse_address_ = counters.reuse_address;
  if (stored.bucket_full_at) bucket_full_at_ = *stored.bucket_full_at;

  for (auto& loaded : stored.instances) {
    Instance& vm = instances_.emplace_back(std::move(loaded));
    for (Text* text : {&vm.spec.image, &vm.spec.size, &vm.spec.network, &vm.spec.zone, &vm.zone})
      *text = shared(*text);
    latest_by_name_[TextKey(vm.spec.name)] = vm.number;
    if (vm.state != InstanceState::terminated || vm.powered) addresses_.add_user(vm.address);
    count_in(vm);
    if (!lagging()) vm.past = {};
    if (lagging() && vm.past.empty()) vm.past.make().push_back({vm.state_since, vm.state, vm.address});
  }
  for (auto& volume : stored.volumes) {
    gigabytes_ += volume.gigabytes;
    next_volume_ = std::max(next_volume_, volume.number + 1);
    volumes_.emplace(volume.number, std::move(volume));
  }
  for (auto& document : stored.documents) documents_[document.kind][document.id] = std::move(document.text);
  for (auto& timer : stored.timers) {
    next_timer_ = std::max(next_timer_, timer.id + 1);
    Instance& vm = instances_[timer.instance - 1];
    if (timer.kind == TimerKind::address) addresses_.add_user(timer.argument);
    if (is_transition(timer.kind)) {
      vm.transition_timer = timer.id;
      vm.transition_due = timer.due;
    }
    schedule(std::move(timer));
  }
}

Counters Cloud::counters() const {
  return {scheduler_.now(),  view_,         addresses_.next(), next_volume_, high_water_,
          released_address_, reuse_address_};
}

void Cloud::count_in(const Instance& vm) {
  ++counts_[static_cast<std::size_t>(vm.state)];
  live_ += vm.live() ? 1 : 0;
  zombies_ += vm.zombie() ? 1 : 0;
  quota_used_ += vm.counts_to_quota ? 1 : 0;
  high_water_ = std::max(high_water_, live_);
}

void Cloud::mark_changed(Instance& vm) {
  if (vm.reported_changed) return;
  vm.reported_changed = true;
  changed_.push_back(vm.number);
}

std::vector<std::string> Cloud::take_changed() {
  std::vector<std::string> ids;
  ids.reserve(changed_.size());
  for (const std::uint32_t number : changed_) {
    Instance& vm = instances_[number - 1];
    vm.reported_changed = false;
    ids.push_back(vm.id);
  }
  changed_.clear();
  return ids;
}

Instance* Cloud::find(std::string_view id) {
  const std::uint32_t number = parse_id("i-", id);
  if (number == 0 || number > instances_.size()) return nullptr;
  Instance& vm = instances_[number - 1];
  return vm.id == id ? &vm : nullptr;
}

const Instance* Cloud::instance(std::string_view id) const { return const_cast<Cloud*>(this)->find(id); }

const Instance* Cloud::instance_named(const std::string& name) const {
  const auto found = latest_by_name_.find(TextKey(name));
  return found == latest_by_name_.end() ? nullptr : &instances_[found->second - 1];
}

Result<Instance*> Cloud::require(std::string_view id) {
  if (Instance* vm = find(id)) return vm;
  return make_error(ErrorCode::not_found, "no instance " + std::string(id.substr(0, 80)) +
                                              " in this cloud: it was never created here; check the id");
}

InstanceInfo Cloud::info(const Instance& vm) const {
  InstanceInfo info;
  tell(vm, info);
  return info;
}

Text Cloud::shared(const std::string& text) {
  const auto [found, added] = shared_texts_.try_emplace(text);
  if (added) found->second = text;
  return found->second;
}

bool Cloud::lagging() const { return config_.list_lag != Distribution(); }

void Cloud::remember_appearance(Instance& vm) {
  if (!lagging()) return;
  const std::string address = vm.state == InstanceState::terminated ? std::string() : vm.address;
  std::vector<Instance::Appearance>& past = vm.past.make();
  if (!past.empty() && past.back().state == vm.state && past.back().address == address) return;
  // A view never goes back, so of what was before it only the newest is still needed.
  std::size_t old = 0;
  while (old + 1 < past.size() && past[old + 1].at <= view_) ++old;
  past.erase(past.begin(), past.begin() + static_cast<std::ptrdiff_t>(old));
  past.push_back({scheduler_.now(), vm.state, address});
  tables_->insert_appearance(vm, past.back());
}

void Cloud::set_fault_count(const std::string& rule, std::uint64_t fired) {
  Change change(*this);
  tables_->save_fault_count(rule, fired);
}

std::vector<std::pair<std::string, std::uint64_t>> Cloud::fault_counts() { return tables_->fault_counts(); }

Result<void> Cloud::save_copy(const std::string& path) { return tables_->save_copy(path, counters()); }

}  // namespace drover::cloud

// The calls of the Iaas port on instances.
#include <algorithm>

#include "mockcloud/cloud/cloud_internal.hpp"

namespace drover::cloud {
namespace {

constexpr std::size_t kNameMax = 255;         // bytes, as EC2 and Nova
constexpr std::size_t kUserDataMax = 65'535;  // bytes, as Nova
constexpr std::size_t kTagsMax = 50;          // as EC2

Error invalid(const InstanceSpec& spec, const std::string& what) {
  return make_error(ErrorCode::invalid, "newInstance of \"" + spec.name.substr(0, kNameMax) + "\": " + what);
}

Result<void> check_known(const InstanceSpec& spec, const char* what, const std::string& name,
                         const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return success();
  std::string list;
  for (const auto& each : known) list += (list.empty() ? "" : ", ") + each;
  return invalid(spec, std::string(what) + " \"" + name.substr(0, kNameMax) +
                           "\" is unknown to this cloud; it has: " + (list.empty() ? "none" : list));
}

std::uint64_t digest_of(const InstanceSpec& spec) {
  std::uint64_t state = hash_text(spec.name);
  for (const std::string* text : {&spec.image, &spec.size, &spec.network, &spec.user_data})
    state = hash_text(*text, state);
  for (const auto& [key, value] : spec.tags) state = hash_text(value, hash_text(key, state));
  state = mix(state, spec.tags.size());
  return spec.zone.empty() && spec.extras.empty() ? state
                                                  : hash_text(spec.extras, hash_text(spec.zone, state));
}

}  // namespace

void Cloud::newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                        Handler<InstanceInfo> handler) {
  call<InstanceInfo>(subject_or(context.subject, spec.name), "cloud.newInstance", std::move(handler),
                     [this, spec, token] { return create(spec, token); });
}

void Cloud::killInstance(const CallContext& context, const std::string& id, Handler<void> handler) {
  call<void>(subject_or(context.subject, id), "cloud.killInstance", std::move(handler),
             [this, id] { return kill(id); });
}

void Cloud::getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) {
  call<InstanceInfo>(subject_or(context.subject, id), "cloud.getVMInfo", std::move(handler),
                     [this, id] { return look_up(id); });
}

void Cloud::listVMs(const CallContext& context, const std::string& key, const std::string& value,
                    Handler<std::vector<InstanceInfo>> handler) {
  list_snapshot(context, key, value, [done = std::move(handler)](Result<Snapshot> listing) mutable {
    if (!listing) return done(std::move(listing).error());
    done(listing.value().infos());
  });
}

void Cloud::list_snapshot(const CallContext& context, const std::string& key, const std::string& value,
                          Handler<Snapshot> handler) {
  const Duration lag = config_.list_lag.sample(choices_, context.subject, "cloud.list_lag");
  call<Snapshot>(context.subject, "cloud.listVMs", std::move(handler),
                 [this, lag, key, value]() -> Result<Snapshot> { return list(lag, key, value); });
}

Result<void> Cloud::admit() {
  const ThrottleConfig& throttle = config_.throttle;
  if (throttle.rate_per_second <= 0) return success();
  // The bucket as one moment: when it will be full again (the generic cell rate algorithm).
  const auto interval = Duration(static_cast<Duration::rep>(1e9 / throttle.rate_per_second));
  const TimePoint now = scheduler_.now();
  const TimePoint full_at = std::max(bucket_full_at_, now);
  const Duration wait = full_at - now - interval * (throttle.burst - 1);
  if (wait > Duration{0}) {
    Error error = make_error(ErrorCode::throttled, "the cloud refuses the call: too many calls; slow down",
                             Effect::none, Retry::later);
    error.retry_after = throttle.retry_after > Duration{0} ? throttle.retry_after : wait;
    return error;
  }
  bucket_full_at_ = full_at + interval;
  tables_->save_bucket(bucket_full_at_);
  return success();
}

Result<void> Cloud::check_spec(const InstanceSpec& spec) const {
  if (spec.name.empty()) return invalid(spec, "the name is empty");
  if (spec.name.size() > kNameMax) return invalid(spec, "the name is longer than 255 bytes");
  if (spec.user_data.size() > kUserDataMax) return invalid(spec, "user_data is longer than 65535 bytes");
  DROVER_TRY(check_tags(spec));
  if (!spec.zone.empty()) {
    DROVER_TRY(check_known(spec, "zone", spec.zone, config_.zones));
  }
  if (!config_.strict) return success();
  DROVER_TRY(check_known(spec, "image", spec.image, config_.images));
  DROVER_TRY(check_known(spec, "size", spec.size, config_.sizes));
  return check_known(spec, "network", spec.network, config_.networks);
}

Result<void> Cloud::check_tags(const InstanceSpec& spec) {
  if (spec.tags.size() > kTagsMax) return invalid(spec, "more than 50 tags");
  for (std::size_t i = 0; i < spec.tags.size(); ++i) {
    const auto& [key, value] = spec.tags[i];
    if (key.empty() || key.size() > kNameMax || value.size() > kNameMax)
      return invalid(spec, "a tag's key must have 1 to 255 bytes and its value at most 255");
    for (std::size_t j = 0; j < i; ++j)
      if (spec.tags[j].first == key) return invalid(spec, "tag \"" + key + "\" is given twice");
  }
  return success();
}

Result<void> Cloud::check_room(const InstanceSpec& spec) const {
  if (config_.quota_instances > 0 && quota_used_ >= config_.quota_instances)
    return make_error(ErrorCode::quota, "newInstance of \"" + spec.name + "\": the quota of " +
                                            std::to_string(config_.quota_instances) +
                                            " instances is used up; terminate some or raise the quota");
  const bool full = config_.capacity > 0 && live_ >= config_.capacity;
  if (full || addresses_.full() || zone_for(spec) == nullptr)
    return make_error(ErrorCode::capacity,
                      "newInstance of \"" + spec.name + "\": the cloud has no " +
                          (full                ? "capacity"
                           : addresses_.full() ? "address"
                                               : "zone in service") +
                          " for it now; try again later",
                      Effect::none, Retry::later);
  return success();
}

Result<std::uint32_t> Cloud::check_token(const std::string& key, std::uint64_t digest,
                                         const char* call) const {
  const auto found = tokens_.find(TextKey(key));
  if (found == tokens_.end()) return 0U;
  if (found->second.digest == digest) return found->second.number;
  return make_error(ErrorCode::already_exists, std::string(call) +
                                                   ": the idempotency token was used before with other "
                                                   "parameters; use a new token for a new request");
}

void Cloud::keep_token(const std::string& key, std::uint64_t digest, std::uint32_t number) {
  tokens_[TextKey(key)] = Token{digest, number};
  tables_->save_token({key, digest, number});
}

Result<InstanceInfo> Cloud::create(const InstanceSpec& spec, const std::string& token) {
  DROVER_TRY(check_spec(spec));
  const std::string key = token.empty() ? token : "instance:" + token;
  const std::uint64_t digest = digest_of(spec);
  if (!key.empty()) {
    DROVER_TRY(const auto number, check_token(key, digest, "newInstance"));
    if (number != 0) return info(instances_[number - 1]);
  }
  DROVER_TRY(check_room(spec));

  const BootOutcome outcome = take_boot_outcome(spec.name);
  Instance& vm = instances_.emplace_back();
  vm.number = static_cast<std::uint32_t>(instances_.size());
  vm.id = make_id("i-", vm.number);
  vm.spec = {spec.name, shared(spec.image), shared(spec.size), shared(spec.network), Text(spec.user_data),
             spec.tags, shared(spec.zone),  spec.extras};
  if (outcome.kind == BootOutcome::Kind::wrong_image) vm.spec.image = outcome.text;
  vm.zone = shared(*zone_for(spec));
  vm.token = token;
  for (const auto& [tag, value] : spec.tags)
    if (tag == "drover-token") vm.told_token = value;
  vm.created_at = vm.state_since = scheduler_.now();
  const std::string address = next_address();
  const Duration address_delay =
      config_.address_delay.sample(choices_, spec.name, "cloud.address_delay") + outcome.address_delay;
  if (address_delay <= Duration{0}) vm.address = address;

  latest_by_name_[TextKey(spec.name)] = vm.number;
  count_in(vm);
  tables_->insert_instance(vm);
  remember_appearance(vm);
  mark_changed(vm);
  if (!key.empty()) keep_token(key, digest, vm.number);
  if (address_delay > Duration{0}) arm(vm, TimerKind::address, scheduler_.later(address_delay), address);
  boot(vm, outcome);
  announce(vm, InstanceState::pending, "create");
  return info(vm);
}

// One request of a wire may end several instances: their ids with spaces between them.
Result<void> Cloud::kill(const std::string& id) {
  if (const auto space = id.find(' '); space != std::string::npos) {
    DROVER_TRY(kill(id.substr(0, space)));
    return kill(id.substr(space + 1));
  }
  DROVER_TRY(Instance * vm, require(id));
  if (is_gone(vm->state)) return success();
  if (vm->terminate_outcome == TerminateOutcome::ignored) {
    update(*vm, [&] { vm->terminate_outcome = TerminateOutcome::normal; });
    return success();
  }
  apply(*vm, Event::terminate);
  return success();
}

Result<InstanceInfo> Cloud::look_up(const std::string& id) const {
  const Instance* vm = instance(id);
  if (vm == nullptr || !is_listed(vm->state, vm->state_since, scheduler_.now()))
    return make_error(ErrorCode::not_found,
                      "getVMInfo: no instance " + id.substr(0, 80) +
                          " in this cloud: it was never created here, or is terminated and "
                          "forgotten");
  return info(*vm);
}

bool Cloud::is_listed(InstanceState state, TimePoint since, TimePoint view) const {
  return state != InstanceState::terminated || view - since < config_.terminated_listed;
}

Snapshot Cloud::list(Duration lag, const std::string& key, const std::string& value) {
  const TimePoint now = scheduler_.now();
  if (lagging()) {
    // What one listing has shown the next one does not take back.
    view_ = std::max(view_, now - lag);
    if (tables_->file()) tables_->touch();
  }
  const TimePoint view = lagging() ? view_ : now;
  Snapshot listing = snapshots_.begin(last_listed_);
  for (std::size_t i = first_listed_; i < instances_.size(); ++i) {
    const Instance& vm = instances_[i];
    if (vm.created_at > view) break;
    const Instance::Appearance* seen = nullptr;
    for (const auto& appearance : vm.past)
      if (appearance.at <= view) seen = &appearance;
    const InstanceState state = seen != nullptr ? seen->state : vm.state;
    if (!is_listed(state, seen != nullptr ? seen->at : vm.state_since, view)) {
      if (i == first_listed_) ++first_listed_;
      continue;
    }
    const auto matches = [&](const auto& tag) { return tag.first == key && tag.second == value; };
    if (!key.empty() && std::none_of(vm.spec.tags.begin(), vm.spec.tags.end(), matches)) continue;
    if (seen == nullptr) {
      Snapshots::add(listing, vm);
      continue;
    }
    auto told = std::make_unique<InstanceInfo>(info(vm));
    told->state = seen->state;
    told->address = seen->address;
    if (seen->state != InstanceState::error) told->fault.clear();
    Snapshots::add(listing, vm, std::move(told));
  }
  last_listed_ = listing.size();
  return listing;
}

}  // namespace drover::cloud

#include "scenarios/engine/check_cloud.hpp"

#include <algorithm>

namespace drover::scenario {

using S = InstanceState;

namespace {

constexpr std::pair<S, S> kSteps[] = {
    {S::pending, S::running},          {S::pending, S::error},           {S::pending, S::stopped},
    {S::pending, S::terminated},       {S::pending, S::shutting_down},   {S::running, S::stopping},
    {S::running, S::rebooting},        {S::running, S::stopped},         {S::running, S::error},
    {S::running, S::terminated},       {S::running, S::shutting_down},   {S::rebooting, S::running},
    {S::rebooting, S::stopping},       {S::rebooting, S::stopped},       {S::rebooting, S::error},
    {S::rebooting, S::terminated},     {S::rebooting, S::shutting_down}, {S::stopping, S::stopped},
    {S::stopping, S::error},           {S::stopping, S::terminated},     {S::stopping, S::shutting_down},
    {S::stopped, S::pending},          {S::stopped, S::error},           {S::stopped, S::terminated},
    {S::stopped, S::shutting_down},    {S::error, S::terminated},        {S::error, S::shutting_down},
    {S::shutting_down, S::terminated},
};

bool has_tag(const cloud::Instance& vm, const std::string& key, const std::string& value) {
  return key.empty() || std::any_of(vm.spec.tags.begin(), vm.spec.tags.end(),
                                    [&](const auto& tag) { return tag.first == key && tag.second == value; });
}

}  // namespace

bool is_legal_step(S from, S to) {
  return std::find(std::begin(kSteps), std::end(kSteps), std::pair(from, to)) != std::end(kSteps);
}

void CloudRules::report(const std::string& what, const std::string& fingerprint) {
  world_.report("W1", what, "W1 " + fingerprint);
}

void CloudRules::changed(const cloud::Instance& vm, S from) {
  if (vm.state == S::pending && from == S::pending) {
    if (vm.token.empty()) return;
    const auto [known, inserted] = tokens_.emplace(vm.token, vm.id);
    if (!inserted && known->second != vm.id)
      report("token " + vm.token + " made " + known->second + " and then " + vm.id, "token not honoured");
    return;
  }
  if (from != vm.state && !is_legal_step(from, vm.state))
    report("VM " + vm.id + " went from " + to_text(from) + " to " + to_text(vm.state),
           std::string("illegal step ") + to_text(from) + " " + to_text(vm.state));
}

void CloudRules::created(const InstanceSpec& spec, const std::string& token,
                         const Result<InstanceInfo>& answer) {
  if (answer.has_error()) return;
  const auto* vm = world_.cloud().instance(answer.value().id);
  if (vm == nullptr) return report("newInstance answered an instance that is none", "newInstance of nothing");
  const bool other_name =
      vm->spec.name != spec.name && !world_.evidence().any_to(*vm, {"vm.forget_name", "drop_name"});
  if (vm->token != token || other_name)
    report("newInstance of " + spec.name + " answered " + vm->spec.name, "newInstance of another");
  if (answer.value().tags != spec.tags && answer.value().tags == vm->spec.tags &&
      !world_.evidence().any_to(*vm, {"vm.forget_tags", "drop_tags"}))
    report("VM " + vm->id + " was made with other tags than asked for", "tags differ");
}

void CloudRules::killed(const std::string& id, const Result<void>& answer) {
  const auto* vm = world_.cloud().instance(id);
  if (answer.has_error() || vm == nullptr || is_gone(vm->state)) return;
  report("killInstance of " + id + " succeeded, and it is " + to_text(vm->state), "killInstance of nothing");
}

void CloudRules::check_told(const InstanceInfo& info, TimePoint asked) {
  const auto* vm = world_.cloud().instance(info.id);
  if (vm == nullptr) return report("the cloud tells of an instance that is none", "instance that is none");
  if (vm->state_since >= asked) return;  // it changed meanwhile
  if (info.state != vm->state)
    report("VM " + info.id + " is " + to_text(vm->state) + ", and was told as " + to_text(info.state),
           "state told wrongly");
}

void CloudRules::looked(const std::string& id, TimePoint asked, const Result<InstanceInfo>& answer) {
  if (answer.has_value()) {
    if (answer.value().id != id) report("getVMInfo of " + id + " answered another", "getVMInfo of another");
    return check_told(answer.value(), asked);
  }
  const auto* vm = world_.cloud().instance(id);
  if (answer.error().code == ErrorCode::not_found && vm != nullptr && vm->state != S::terminated)
    report("VM " + id + " is " + to_text(vm->state) + ", and getVMInfo did not find it", "VM not found");
}

void CloudRules::listed(const std::string& key, const std::string& value, TimePoint asked,
                        const Result<std::vector<InstanceInfo>>& answer) {
  if (answer.has_error()) return;
  const auto& infos = answer.value();
  if (world_.cloud().config().list_lag.median() > Duration{0}) return check_goes_on(key, value, asked, infos);
  for (const auto& info : infos) check_told(info, asked);
  std::size_t next = 0;  // listings are in the order of creation
  world_.cloud().for_each_instance([&](const cloud::Instance& vm) {
    if (next < infos.size() && infos[next].id == vm.id) {
      ++next;
      return;
    }
    if (vm.created_at < asked && vm.state != S::terminated && has_tag(vm, key, value))
      report("VM " + vm.id + " is " + to_text(vm.state) + ", and listVMs left it out", "VM left out");
  });
  if (next != infos.size()) report("listVMs is not in the order of creation", "listing out of order");
}

// A listing that lags shows the past, but never an earlier one than the listing before it.
void CloudRules::check_goes_on(const std::string& key, const std::string& value, TimePoint asked,
                               const std::vector<InstanceInfo>& infos) {
  if (asked < latest_listing_) return;  // overtaken on its way
  latest_listing_ = asked;
  std::set<std::string> listed;
  for (const auto& info : infos) {
    listed.insert(info.id);
    const auto [before, is_new] = shown_.emplace(info.id, info.state);
    if (!is_new && is_gone(before->second) && !is_gone(info.state))
      report("VM " + info.id + " is listed as " + to_text(info.state) + " after it was listed as " +
                 to_text(before->second),
             "listing goes back");
    before->second = info.state;
  }
  for (const auto& [id, state] : shown_) {
    const auto* vm = world_.cloud().instance(id);
    if (vm != nullptr && vm->state != S::terminated && has_tag(*vm, key, value) && !listed.contains(id))
      report("VM " + id + " was listed before, is " + to_text(vm->state) + ", and is left out",
             "listing goes back");
  }
}

}  // namespace drover::scenario

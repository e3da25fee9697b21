#include "mockcloud/fault/faulty_iaas.hpp"

#include "mockcloud/fault/faulty_call.hpp"

namespace drover::fault {
namespace {

constexpr CallSite site(std::string_view call) { return {Port::iaas, call, TraceKind::iaas_reply}; }
constexpr CallSite kNewInstance = site("newInstance");
constexpr CallSite kKillInstance = site("killInstance");
constexpr CallSite kGetVMInfo = site("getVMInfo");
constexpr CallSite kListVMs = site("listVMs");
constexpr CallSite kCreateVolume = site("createVolume");
constexpr CallSite kAttachVolume = site("attachVolume");
constexpr CallSite kDeleteVolume = site("deleteVolume");
constexpr CallSite kListVolumes = site("listVolumes");

template <class Item>
void erase(std::vector<Item>& items, std::ptrdiff_t from, std::ptrdiff_t count) {
  items.erase(items.begin() + from, items.begin() + from + count);
}
void erase(cloud::Snapshot& items, std::ptrdiff_t from, std::ptrdiff_t count) {
  items.erase(static_cast<std::size_t>(from), static_cast<std::size_t>(count));
}

// Takes the part that a torn listing lacks out of it.
template <class Listing>
void tear(Listing& items, const CallFaults& faults) {
  const auto size = static_cast<std::ptrdiff_t>(items.size());
  const auto kept = static_cast<std::ptrdiff_t>(static_cast<double>(size) * faults.torn_keep);
  std::ptrdiff_t from = kept;
  if (faults.torn_part == ListPart::start) from = 0;
  if (faults.torn_part == ListPart::middle) from = kept / 2;
  erase(items, from, size - kept);
}

// Cuts or replaces a listing, and remembers what the caller saw last.
template <class Listing>
void adjust_listing(Listing& items, Listing& seen, const CallFaults& faults, bool remember) {
  if (faults.stale) {
    items = faults.empty ? Listing() : seen;
    return;
  }
  if (faults.torn_keep < 1) tear(items, faults);
  if (remember) seen = items;
}

bool same_answer(const InstanceInfo& a, const InstanceInfo& b) {
  return a.state == b.state && a.address == b.address && a.tags == b.tags && a.fault == b.fault;
}

}  // namespace

void FaultyIaas::newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                             Handler<InstanceInfo> handler) {
  engine_.trace().add(TraceKind::iaas_call, context.subject, kNewInstance.call, spec.name, spec.image,
                      spec.size, token);
  CallFaults faults = engine_.at_call(Port::iaas, kNewInstance.call, Phase::before, context.subject);
  ReplyPath<InstanceInfo, NoAdjustment> reply(engine_, kNewInstance, context, std::move(handler), {});
  if (!faults.any) {
    inner_.newInstance(context, spec, as_sent(token), std::move(reply));
    return;
  }
  std::string ignored;
  if (faults.ignore_token) ignored = "/ignored-" + std::to_string(++ignored_tokens_);
  const bool drop_tags = faults.drop_tags;
  const bool drop_name = faults.drop_name;
  const bool expire = faults.expire_token;
  call_with_faults(engine_, context, std::move(faults), std::move(reply),
                   [this, spec, token, ignored, drop_tags, drop_name, expire](const CallContext& copy,
                                                                              Handler<InstanceInfo> done) {
                     if (drop_tags) done = without_tags(std::move(done));
                     if (drop_name) done = without_name(std::move(done));
                     if (expire) done = expiring(token, std::move(done));
                     inner_.newInstance(copy, spec, as_sent(token) + ignored, std::move(done));
                   });
}

// The token as the cloud must see it: one that it has forgotten is a new one to it.
std::string FaultyIaas::as_sent(const std::string& token) const {
  const auto expired = expired_tokens_.find(token);
  if (expired == expired_tokens_.end()) return token;
  return token + "/expired-" + std::to_string(expired->second);
}

template <class T>
Handler<T> FaultyIaas::expiring(const std::string& token, Handler<T> handler) {
  return [this, token, done = std::move(handler)](Result<T> result) mutable {
    if (result.has_value()) ++expired_tokens_[token];
    done(std::move(result));
  };
}

Handler<InstanceInfo> FaultyIaas::without_name(Handler<InstanceInfo> handler) {
  return [this, done = std::move(handler)](Result<InstanceInfo> result) mutable {
    if (result.has_value()) {
      engine_.perform("vm.forget_name", result.value().id);
      result.value().name.clear();
    }
    done(std::move(result));
  };
}

// The cloud is given the tags, so that it still knows a repeated request by its token; they are taken off the
// instance before anybody hears of it.
Handler<InstanceInfo> FaultyIaas::without_tags(Handler<InstanceInfo> handler) {
  return [this, done = std::move(handler)](Result<InstanceInfo> result) mutable {
    if (result.has_value()) {
      engine_.perform("vm.forget_tags", result.value().id);
      result.value().tags.clear();
    }
    done(std::move(result));
  };
}

void FaultyIaas::killInstance(const CallContext& context, const std::string& id, Handler<void> handler) {
  engine_.trace().add(TraceKind::iaas_call, context.subject, kKillInstance.call, id);
  CallFaults faults = engine_.at_call(Port::iaas, kKillInstance.call, Phase::before, context.subject);
  ReplyPath<void, NoAdjustment> reply(engine_, kKillInstance, context, std::move(handler), {});
  if (!faults.any) {
    inner_.killInstance(context, id, std::move(reply));
    return;
  }
  call_with_faults(engine_, context, std::move(faults), std::move(reply),
                   [this, id](const CallContext& copy, Handler<void> done) {
                     inner_.killInstance(copy, id, std::move(done));
                   });
}

void FaultyIaas::getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) {
  engine_.trace().add(TraceKind::iaas_call, context.subject, kGetVMInfo.call, id);
  CallFaults faults = engine_.at_call(Port::iaas, kGetVMInfo.call, Phase::before, context.subject);
  auto adjust = [this](Result<InstanceInfo>& result, const CallFaults& at_reply) {
    if (engine_.may_do(CallAction::backwards)) adjust_info(result.value(), at_reply);
  };
  ReplyPath<InstanceInfo, decltype(adjust)> reply(engine_, kGetVMInfo, context, std::move(handler), adjust);
  if (!faults.any) {
    inner_.getVMInfo(context, id, std::move(reply));
    return;
  }
  call_with_faults(engine_, context, std::move(faults), std::move(reply),
                   [this, id](const CallContext& copy, Handler<InstanceInfo> done) {
                     inner_.getVMInfo(copy, id, std::move(done));
                   });
}

void FaultyIaas::adjust_info(InstanceInfo& info, const CallFaults& faults) {
  const auto known = answers_.find(info.id);
  if (faults.backwards) {
    if (known != answers_.end() && known->second.before) {
      info = *known->second.before;
    } else if (known != answers_.end() && !same_answer(known->second.last, info)) {
      info = known->second.last;
    } else {
      info.state = InstanceState::pending;
      info.address.clear();
    }
    return;
  }
  if (known == answers_.end()) {
    answers_[info.id].last = info;
  } else if (!same_answer(known->second.last, info)) {
    known->second.before = std::move(known->second.last);
    known->second.last = info;
  }
}

void FaultyIaas::listVMs(const CallContext& context, const std::string& key, const std::string& value,
                         Handler<std::vector<InstanceInfo>> handler) {
  const auto list = [this](const CallContext& asked, const std::string& tag, const std::string& wanted,
                           Handler<std::vector<InstanceInfo>> done) {
    inner_.listVMs(asked, tag, wanted, std::move(done));
  };
  list_with(list, listings_, context, key, value, std::move(handler));
}

void FaultyIaas::list_snapshot(const CallContext& context, const std::string& key, const std::string& value,
                               Handler<cloud::Snapshot> handler) {
  const auto list = [this](const CallContext& asked, const std::string& tag, const std::string& wanted,
                           Handler<cloud::Snapshot> done) {
    cloud::list_snapshot(inner_, asked, tag, wanted, std::move(done));
  };
  list_with(list, snapshots_, context, key, value, std::move(handler));
}

template <class Listing, class List>
void FaultyIaas::list_with(List list, Seen<Listing>& seen, const CallContext& context, const std::string& key,
                           const std::string& value, Handler<Listing> handler) {
  engine_.trace().add(TraceKind::iaas_call, context.subject, kListVMs.call, key, value);
  CallFaults faults = engine_.at_call(Port::iaas, kListVMs.call, Phase::before, context.subject);
  const bool remember = engine_.may_do(CallAction::stale_list);
  auto adjust = [&seen, remember, filter = remember ? key + "=" + value : std::string()](
                    Result<Listing>& result, const CallFaults& at_reply) {
    if (remember || at_reply.any) adjust_listing(result.value(), seen[filter], at_reply, remember);
  };
  ReplyPath<Listing, decltype(adjust)> reply(engine_, kListVMs, context, std::move(handler), adjust);
  if (!faults.any) {
    list(context, key, value, std::move(reply));
    return;
  }
  call_with_faults(engine_, context, std::move(faults), std::move(reply),
                   [list, key, value](const CallContext& copy, Handler<Listing> done) {
                     list(copy, key, value, std::move(done));
                   });
}

void FaultyIaas::createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                              const std::string& token, Handler<VolumeInfo> handler) {
  engine_.trace().add(TraceKind::iaas_call, context.subject, kCreateVolume.call, name, gigabytes, token);
  CallFaults faults = engine_.at_call(Port::iaas, kCreateVolume.call, Phase::before, context.subject);
  ReplyPath<VolumeInfo, NoAdjustment> reply(engine_, kCreateVolume, context, std::move(handler), {});
  if (!faults.any) {
    inner_.createVolume(context, name, gigabytes, as_sent(token), std::move(reply));
    return;
  }
  const bool expire = faults.expire_token;
  call_with_faults(engine_, context, std::move(faults), std::move(reply),
                   [this, name, gigabytes, token, expire](const CallContext& copy, Handler<VolumeInfo> done) {
                     if (expire) done = expiring(token, std::move(done));
                     inner_.createVolume(copy, name, gigabytes, as_sent(token), std::move(done));
                   });
}

void FaultyIaas::attachVolume(const CallContext& context, const std::string& volume,
                              const std::string& instance, Handler<void> handler) {
  engine_.trace().add(TraceKind::iaas_call, context.subject, kAttachVolume.call, volume, instance);
  CallFaults faults = engine_.at_call(Port::iaas, kAttachVolume.call, Phase::before, context.subject);
  ReplyPath<void, NoAdjustment> reply(engine_, kAttachVolume, context, std::move(handler), {});
  if (!faults.any) {
    inner_.attachVolume(context, volume, instance, std::move(reply));
    return;
  }
  call_with_faults(engine_, context, std::move(faults), std::move(reply),
                   [this, volume, instance](const CallContext& copy, Handler<void> done) {
                     inner_.attachVolume(copy, volume, instance, std::move(done));
                   });
}

void FaultyIaas::deleteVolume(const CallContext& context, const std::string& volume, Handler<void> handler) {
  engine_.trace().add(TraceKind::iaas_call, context.subject, kDeleteVolume.call, volume);
  CallFaults faults = engine_.at_call(Port::iaas, kDeleteVolume.call, Phase::before, context.subject);
  ReplyPath<void, NoAdjustment> reply(engine_, kDeleteVolume, context, std::move(handler), {});
  if (!faults.any) {
    inner_.deleteVolume(context, volume, std::move(reply));
    return;
  }
  call_with_faults(engine_, context, std::move(faults), std::move(reply),
                   [this, volume](const CallContext& copy, Handler<void> done) {
                     inner_.deleteVolume(copy, volume, std::move(done));
                   });
}

void FaultyIaas::listVolumes(const CallContext& context, Handler<std::vector<VolumeInfo>> handler) {
  engine_.trace().add(TraceKind::iaas_call, context.subject, kListVolumes.call);
  CallFaults faults = engine_.at_call(Port::iaas, kListVolumes.call, Phase::before, context.subject);
  auto adjust = [this](Result<std::vector<VolumeInfo>>& result, const CallFaults& at_reply) {
    const bool remember = engine_.may_do(CallAction::stale_list);
    if (remember || at_reply.any) adjust_listing(result.value(), volumes_, at_reply, remember);
  };
  ReplyPath<std::vector<VolumeInfo>, decltype(adjust)> reply(engine_, kListVolumes, context,
                                                             std::move(handler), adjust);
  if (!faults.any) {
    inner_.listVolumes(context, std::move(reply));
    return;
  }
  call_with_faults(engine_, context, std::move(faults), std::move(reply),
                   [this](const CallContext& copy, Handler<std::vector<VolumeInfo>> done) {
                     inner_.listVolumes(copy, std::move(done));
                   });
}

}  // namespace drover::fault

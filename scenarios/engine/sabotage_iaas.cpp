// Broken clouds, as the manager sees them.
#include <deque>
#include <map>
#include <set>

#include "manager/ports/forwarding_iaas.hpp"
#include "scenarios/engine/sabotage_ports.hpp"

namespace drover::scenario {
namespace {

class Forwarding : public ForwardingIaas {
 public:
  explicit Forwarding(Iaas& inner) : inner_(inner) {}

 protected:
  // Destroys a VM as a manager that drew the wrong conclusion would.
  void destroy(const std::string& id) {
    inner_.killInstance(CallContext{"sabotage", 10s}, id, [](Result<void>) {});
  }
  // getVMInfo with a look at what it said.
  void look(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler,
            std::function<void(Result<InstanceInfo>&)> change) {
    inner_.getVMInfo(
        context, id,
        [handler = std::move(handler), change = std::move(change)](Result<InstanceInfo> info) mutable {
          change(info);
          handler(std::move(info));
        });
  }

  Iaas& target() override { return inner_; }

  Iaas& inner_;
};

template <class Broken>
IaasBreaker breaker() {
  return [](Iaas& inner) -> std::unique_ptr<Iaas> { return std::make_unique<Broken>(inner); };
}

class DeafToKills final : public Forwarding {
 public:
  DeafToKills(Iaas& inner, bool believed) : Forwarding(inner), believed_(believed) {}
  void killInstance(const CallContext&, const std::string& id, Handler<void> handler) override {
    killed_.insert(id);
    handler(success());
  }
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override {
    look(context, id, std::move(handler), [this, id](Result<InstanceInfo>& info) {
      if (believed_ && info.has_value() && killed_.contains(id))
        info.value().state = InstanceState::terminated;
    });
  }

 private:
  bool believed_;
  std::set<std::string> killed_;
};

class CreatesTwice final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    inner_.newInstance(context, spec, token + "-twin", [](Result<InstanceInfo>) {});
    inner_.newInstance(context, spec, token, std::move(handler));
  }
};

class NeverLooks final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    inner_.newInstance(context, spec, token + "-" + std::to_string(++calls_), std::move(handler));
  }
  void listVMs(const CallContext&, const std::string&, const std::string&,
               Handler<std::vector<InstanceInfo>> handler) override {
    handler(std::vector<InstanceInfo>());
  }

 private:
  unsigned calls_ = 0;
};

class LeavesTagsOut final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    InstanceSpec bare = spec;
    bare.tags.clear();
    inner_.newInstance(context, bare, token, std::move(handler));
  }
};

class SeesNoListing final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void listVMs(const CallContext&, const std::string&, const std::string&,
               Handler<std::vector<InstanceInfo>> handler) override {
    handler(std::vector<InstanceInfo>());
  }
};

class BelievesShortListings final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void listVMs(const CallContext& context, const std::string& key, const std::string& value,
               Handler<std::vector<InstanceInfo>> handler) override {
    if (key != kServiceTag) return inner_.listVMs(context, key, value, std::move(handler));
    inner_.listVMs(context, key, value,
                   [this, handler = std::move(handler)](Result<std::vector<InstanceInfo>> listed) mutable {
                     if (listed.has_value()) {
                       std::set<std::string> present;
                       for (const auto& info : listed.value()) present.insert(info.id);
                       for (const auto& id : known_)
                         if (!present.contains(id)) destroy(id);
                       known_.insert(present.begin(), present.end());
                     }
                     handler(std::move(listed));
                   });
  }
  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    inner_.newInstance(context, spec, token,
                       [this, handler = std::move(handler)](Result<InstanceInfo> info) mutable {
                         if (info.has_value()) known_.insert(info.value().id);
                         handler(std::move(info));
                       });
  }

 private:
  std::set<std::string> known_;
};

class GivesUpTheNotFound final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override {
    look(context, id, std::move(handler), [this, id](Result<InstanceInfo>& info) {
      if (info.has_error() && info.error().code == ErrorCode::not_found) destroy(id);
    });
  }
};

class BelievesBackwardLooks final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override {
    look(context, id, std::move(handler), [this, id](Result<InstanceInfo>& info) {
      if (info.has_error()) return;
      auto& furthest = seen_[id];
      if (info.value().state != InstanceState::pending)
        ++furthest;
      else if (furthest > 0)
        info.value().state = InstanceState::terminated;
    });
  }

 private:
  std::map<std::string, unsigned> seen_;
};

class CreatesOneAfterAnother final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    if (!awaited_.empty() || waiting_) {
      handler(make_error(ErrorCode::unavailable, "another VM is being created", Effect::none, Retry::soon));
      return;
    }
    waiting_ = true;
    inner_.newInstance(context, spec, token,
                       [this, handler = std::move(handler)](Result<InstanceInfo> info) mutable {
                         waiting_ = false;
                         if (info.has_value()) awaited_ = info.value().id;
                         handler(std::move(info));
                       });
  }
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override {
    look(context, id, std::move(handler), [this, id](Result<InstanceInfo>& info) {
      if (id == awaited_ && info.has_value() && info.value().state == InstanceState::running)
        awaited_.clear();
    });
  }

 private:
  bool waiting_ = false;
  std::string awaited_;
};

class DropsRetryAfter final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    inner_.newInstance(context, spec, token,
                       [handler = std::move(handler)](Result<InstanceInfo> info) mutable {
                         if (info.has_error()) info.error().retry_after = Duration{0};
                         handler(std::move(info));
                       });
  }
};

class NeverRecovers final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    if (broken_) return handler(*broken_);
    inner_.newInstance(context, spec, token, watch(std::move(handler)));
  }
  void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) override {
    if (broken_) return handler(*broken_);
    inner_.killInstance(context, id, watch(std::move(handler)));
  }
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override {
    if (broken_) return handler(*broken_);
    inner_.getVMInfo(context, id, watch(std::move(handler)));
  }
  void listVMs(const CallContext& context, const std::string& key, const std::string& value,
               Handler<std::vector<InstanceInfo>> handler) override {
    if (broken_) return handler(*broken_);
    inner_.listVMs(context, key, value, watch(std::move(handler)));
  }

 private:
  template <class T>
  Handler<T> watch(Handler<T> handler) {
    return [this, handler = std::move(handler)](Result<T> result) mutable {
      if (result.has_error()) broken_ = result.error();
      handler(std::move(result));
    };
  }
  std::optional<Error> broken_;
};

class HidesOrigins final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void listVMs(const CallContext& context, const std::string& key, const std::string& value,
               Handler<std::vector<InstanceInfo>> handler) override {
    if (key == kNodeTag) return Forwarding::listVMs(context, key, value, std::move(handler));
    inner_.listVMs(context, key, value,
                   [handler = std::move(handler)](Result<std::vector<InstanceInfo>> listed) mutable {
                     if (listed.has_value())
                       for (auto& info : listed.value())
                         for (auto& [name, text] : info.tags)
                           if (name == kNodeTag) text = "unknown";
                     handler(std::move(listed));
                   });
  }
};

class KeepsFirstAddress final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override {
    look(context, id, std::move(handler), [this, id](Result<InstanceInfo>& info) {
      if (info.has_error() || info.value().state != InstanceState::running) return;
      info.value().address = first_.emplace(id, info.value().address).first->second;
    });
  }

 private:
  std::map<std::string, std::string> first_;
};

class SeesNoBootFailures final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override {
    look(context, id, std::move(handler), [](Result<InstanceInfo>& info) {
      if (info.has_error()) return;
      auto& state = info.value().state;
      if (state == InstanceState::error || state == InstanceState::stopped) state = InstanceState::pending;
    });
  }
};

class TakesRefusalsForVms final : public Forwarding {
 public:
  using Forwarding::Forwarding;
  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    inner_.newInstance(context, spec, token,
                       [handler = std::move(handler)](Result<InstanceInfo> info) mutable {
                         InstanceInfo none;
                         none.id = "i-none";
                         if (info.has_error()) info = none;
                         handler(std::move(info));
                       });
  }
};

}  // namespace

IaasBreaker kills_do_nothing(bool believed) {
  return [believed](Iaas& inner) -> std::unique_ptr<Iaas> {
    return std::make_unique<DeafToKills>(inner, believed);
  };
}
IaasBreaker creates_twice() { return breaker<CreatesTwice>(); }
IaasBreaker never_looks_before_asking_again() { return breaker<NeverLooks>(); }
IaasBreaker leaves_tags_out() { return breaker<LeavesTagsOut>(); }
IaasBreaker sees_no_listing() { return breaker<SeesNoListing>(); }
IaasBreaker believes_short_listings() { return breaker<BelievesShortListings>(); }
IaasBreaker gives_up_what_is_not_found() { return breaker<GivesUpTheNotFound>(); }
IaasBreaker believes_backward_looks() { return breaker<BelievesBackwardLooks>(); }
IaasBreaker creates_one_after_another() { return breaker<CreatesOneAfterAnother>(); }
IaasBreaker drops_retry_after() { return breaker<DropsRetryAfter>(); }
IaasBreaker never_recovers_from_an_error() { return breaker<NeverRecovers>(); }
IaasBreaker hides_origins() { return breaker<HidesOrigins>(); }
IaasBreaker keeps_first_address() { return breaker<KeepsFirstAddress>(); }
IaasBreaker sees_no_boot_failures() { return breaker<SeesNoBootFailures>(); }
IaasBreaker takes_refusals_for_vms() { return breaker<TakesRefusalsForVms>(); }

}  // namespace drover::scenario

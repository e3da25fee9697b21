#include "scenarios/engine/sim_world.hpp"

#include "mockcloud/cloud/subject.hpp"
#include "scenarios/engine/world_settings.hpp"

namespace drover::scenario {

// --- counting ports, below the faults: what really went out, and what the cloud says to it ---

class SimWorld::CountingIaas final : public Iaas {
 public:
  CountingIaas(Iaas& inner, SimWorld& world) : inner_(inner), world_(world) {}
  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override {
    world_.count_call(true);
    inner_.newInstance(context, spec, token,
                       [this, spec, token, done = std::move(handler)](Result<InstanceInfo> answer) mutable {
                         if (world_.cloud_watch_) world_.cloud_watch_->created(spec, token, answer);
                         done(std::move(answer));
                       });
  }
  void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) override {
    world_.count_call(true);
    inner_.killInstance(context, id, [this, id, done = std::move(handler)](Result<void> answer) mutable {
      if (world_.cloud_watch_) world_.cloud_watch_->killed(id, answer);
      done(std::move(answer));
    });
  }
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override {
    world_.count_call(true);
    auto told = [this, id, asked = world_.scheduler_.now(),
                 done = std::move(handler)](Result<InstanceInfo> answer) mutable {
      if (world_.cloud_watch_) world_.cloud_watch_->looked(id, asked, answer);
      done(std::move(answer));
    };
    inner_.getVMInfo(context, id, std::move(told));
  }
  void listVMs(const CallContext& context, const std::string& key, const std::string& value,
               Handler<std::vector<InstanceInfo>> handler) override {
    world_.count_call(true);
    auto told = [this, key, value, asked = world_.scheduler_.now(),
                 done = std::move(handler)](Result<std::vector<InstanceInfo>> answer) mutable {
      if (world_.cloud_watch_) world_.cloud_watch_->listed(key, value, asked, answer);
      done(std::move(answer));
    };
    inner_.listVMs(context, key, value, std::move(told));
  }
  void createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                    const std::string& token, Handler<VolumeInfo> handler) override {
    world_.count_call(true);
    inner_.createVolume(context, name, gigabytes, token, std::move(handler));
  }
  void attachVolume(const CallContext& context, const std::string& volume, const std::string& instance,
                    Handler<void> handler) override {
    world_.count_call(true);
    inner_.attachVolume(context, volume, instance, std::move(handler));
  }
  void deleteVolume(const CallContext& context, const std::string& volume, Handler<void> handler) override {
    world_.count_call(true);
    inner_.deleteVolume(context, volume, std::move(handler));
  }
  void listVolumes(const CallContext& context, Handler<std::vector<VolumeInfo>> handler) override {
    world_.count_call(true);
    inner_.listVolumes(context, std::move(handler));
  }

 private:
  Iaas& inner_;
  SimWorld& world_;
};

class SimWorld::CountingAgent final : public Agent {
 public:
  CountingAgent(Agent& inner, SimWorld& world) : inner_(inner), world_(world) {}
  void call(const CallContext& context, const Endpoint& endpoint, const AgentCommand& command,
            Handler<AgentReply> handler) override {
    world_.count_call(false);
    inner_.call(context, endpoint, command, std::move(handler));
  }

 private:
  Agent& inner_;
  SimWorld& world_;
};

// --- making and starting ---

SimWorld::SimWorld(const Scenario& scenario, std::uint64_t seed, const Sabotage* sabotage, Detour* detour)
    : World(scenario, seed), sabotage_(sabotage), detour_(detour), cloud_domain_(scheduler_) {
  cloud_ =
      std::make_unique<cloud::Cloud>(scheduler_, cloud_domain_, choices_, trace_, cloud_config(scenario));
  auto fleet = fleet_config(scenario);
  fleet.on_heartbeat = [this](const node::Heartbeat& beat) { heartbeat(beat); };
  fleet.on_replication = [this](const std::string& id, node::ReplicationPhase phase) {
    replication_entered(id, phase);
  };
  fleet.read_dump = [this](const std::string& path) -> Result<std::string> {
    const auto found = uploads_.find(path);
    if (found == uploads_.end()) return make_error(ErrorCode::not_found, "there is no upload " + path);
    return found->second;
  };
  fleet.on_acknowledged = [this](const node::SimServer& server, node::Stamp stamp) {
    if (write_watch_) write_watch_(server, stamp);
  };
  network_ = std::make_unique<WorldNetwork>(*this, network_config(scenario));
  fleet_ = std::make_unique<node::Fleet>(scheduler_, choices_, trace_, std::move(fleet), &network_->links());
  cloud_->set_listener(fleet_.get());
  cloud_->set_observer([this](const cloud::Instance& vm, InstanceState from) { instance_changed(vm, from); });
  disk_ = std::make_unique<JournalDisk>(scheduler_, domain_, goes_back_in_journal(scenario));
  durable_ = std::make_unique<DurableView>(*disk_);
  engine_ = std::make_unique<fault::Engine>(scheduler_, domain_, choices_, trace_, scenario.faults,
                                            static_cast<fault::ActionSink&>(*this));
  evidence_ = std::make_unique<Evidence>(scheduler_, *engine_);
  counting_iaas_ = std::make_unique<CountingIaas>(*cloud_, *this);
  counting_agent_ = std::make_unique<CountingAgent>(*fleet_, *this);
  iaas_ = std::make_unique<fault::FaultyIaas>(*counting_iaas_, *engine_);
  agent_ = std::make_unique<fault::FaultyAgent>(*counting_agent_, *engine_);
  faulty_store_ = std::make_unique<fault::FaultyStore>(*durable_, *engine_);
  Iaas& calls = detour_ == nullptr ? *iaas_ : detour_->attach(scheduler_, *cloud_, *iaas_);
  watched_iaas_ = std::make_unique<WatchedIaas>(calls, port_watch_);
  watched_agent_ = std::make_unique<WatchedAgent>(*agent_, port_watch_);
  if (sabotage_ != nullptr) {
    if (sabotage_->configuration) sabotage_->configuration(configuration_);
    if (sabotage_->iaas) broken_iaas_ = sabotage_->iaas(*watched_iaas_);
    if (sabotage_->agent) broken_agent_ = sabotage_->agent(*watched_agent_);
    if (sabotage_->store) broken_store_ = sabotage_->store(*faulty_store_);
  }
  secrets_.insert(configuration_.replication_password.value);
  if (auto traffic = traffic_config(scenario)) {
    client_topology_ = std::make_unique<ClientTopology>(*this, scenario.traffic.duration("topology_every"));
    traffic->on_failure = [this] { client_topology_->doubt(); };
    traffic_ = std::make_unique<node::Traffic>(
        scheduler_, choices_, trace_, *fleet_, [this] { return client_topology_->master(); }, *traffic);
  }
}

SimWorld::~SimWorld() {
  cloud_->set_observer(nullptr);
  manager_.reset();
  former_.clear();
  if (detour_ != nullptr) detour_->detach();
  traffic_.reset();
  domain_.kill();
  cloud_domain_.kill();
}

void SimWorld::start() {
  start_manager();
  if (!traffic_) return;
  client_topology_->start();
  traffic_->start();
}

void SimWorld::instance_changed(const cloud::Instance& vm, InstanceState from) {
  if (vm.number > last_indexed_) {  // new
    last_indexed_ = vm.number;
    by_subject_[subject_of(vm)].push_back(&vm);
  }
  if (cloud_watch_ != nullptr) cloud_watch_->changed(vm, from);
  if (watch_ && is_gone(vm.state) && !is_gone(from)) watch_("vm.gone", vm.id);
  if (vm.state == InstanceState::running && !dying_.empty()) {
    const auto dying = dying_.extract(vm.id);
    if (!dying.empty()) die_after(vm.id, dying.mapped());
  }
  if (engine_->watching()) engine_->observe(std::string("vm.") + to_text(vm.state), subject_of(vm));
}

// Never from inside the server: what a rule does to it waits until the server is done.
void SimWorld::replication_entered(const std::string& id, node::ReplicationPhase phase) {
  if (!engine_->watching()) return;
  scheduler_.call_soon(domain_, [this, id, phase] {
    const auto* vm = cloud_->instance(id);
    if (vm != nullptr) engine_->observe(std::string("repl.") + node::to_text(phase), subject_of(*vm));
  });
}

std::string SimWorld::add_upload(std::string content) {
  std::string path = "upload-" + std::to_string(uploads_.size() + 1);
  uploads_[path] = std::move(content);
  return path;
}

void SimWorld::quiesce() {
  if (quiet_) return;
  quiet_ = true;
  trace_.add(TraceKind::step, "quiesce");
  engine_->stop();
  auto healers = std::exchange(healers_, {});
  for (auto& heal : healers) heal();
  evidence_->quiesce();
  network_->heal();
  if (traffic_) traffic_->await_answers();
  if (!manager_) start_manager();
}

void SimWorld::stop_traffic() {
  if (!traffic_) return;
  traffic_->stop();
  client_topology_->stop();
}

// --- truth ---

std::string SimWorld::master_vm() const {
  if (!manager_) return {};
  const auto& model = manager_->manager.model();
  const auto* primary = model.node(model.service.primary);
  return primary == nullptr ? std::string() : primary->vm;
}

std::string SimWorld::subject_of(const cloud::Instance& vm) {
  return cloud::subject_of(vm.spec.name, vm.spec.tags);
}

const cloud::Instance* SimWorld::instance_of(const std::string& target) const {
  if (const auto* exact = cloud_->instance(target); exact != nullptr) return exact;
  std::string node = target;
  if (!node.empty() && node.find_first_not_of("0123456789") == std::string::npos) node = "node-" + node;
  const cloud::Instance* found = nullptr;
  const auto look = [&](const cloud::Instance& vm) {
    if (subject_of(vm) == node && (found == nullptr || vm.live() || !found->live())) found = &vm;
  };
  for (const auto* vm : instances_for(node)) look(*vm);
  if (found == nullptr) cloud_->for_each_instance(look);  // by a name that it has since its tags are gone
  return found;
}

const std::vector<const cloud::Instance*>& SimWorld::instances_for(const std::string& node) const {
  static const std::vector<const cloud::Instance*> none;
  const auto found = by_subject_.find(node);
  return found == by_subject_.end() ? none : found->second;
}

bool SimWorld::is_unaccounted_for(const cloud::Instance& vm) const {
  if (is_gone(vm.state)) return false;  // zombies included: nobody can find those
  const auto* model = manager_ ? &manager_->manager.model() : nullptr;
  if (model == nullptr || model->find(vm.id) != nullptr) return false;
  // Created, but the answer has not come yet: the record has no VM so far.
  const std::string subject = subject_of(vm);
  const auto* node = subject.starts_with("node-") ? model->find(subject.substr(5)) : nullptr;
  return node == nullptr || !node->vm.empty();
}

std::size_t SimWorld::leaked_instances() const {
  std::size_t leaked = 0;
  cloud_->for_each_instance([&](const cloud::Instance& vm) { leaked += is_unaccounted_for(vm) ? 1 : 0; });
  return leaked;
}

}  // namespace drover::scenario

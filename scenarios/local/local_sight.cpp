// What a run on real servers sees: the servers, the machines, the writers' rows; and the metrics made of it.
#include <algorithm>
#include <boost/asio/post.hpp>

#include "scenarios/local/local_world.hpp"

namespace drover::scenario {
namespace {

constexpr Duration kLookEvery = 200ms;

double number(std::integral auto value) { return static_cast<double>(value); }

// What of it is worth waking whoever waits for a condition.
std::string essence(const Sight& sight) {
  std::string text;
  for (const auto& view : sight.servers) {
    text += view.vm + (view.answers ? (view.read_only ? " read-only" : " writable") : " silent");
    if (view.replication.configured)
      text += (view.replicates() ? " replicates " : " stopped ") +
              std::to_string(view.replication.seconds_behind);
    text += "; ";
  }
  return text;
}

}  // namespace

SightWanted LocalWorld::wanted() const {
  SightWanted wanted;
  for (const auto& vm : cloud_->machines())
    if (!is_gone(vm.state) && vm.has_power) wanted.servers.push_back({vm.id, vm.folder, vm.address});
  if (writers_) wanted.written = master_vm();
  wanted.checksums = quiet_ && traffic_ended_;
  return wanted;
}

void LocalWorld::take(Sight sight) {
  const bool changed = essence(sight) != essence(sight_);
  if (!sight.written) sight.written = std::move(sight_.written);
  sight_ = std::move(sight);
  if (changed || !sight_.writable_at_once.empty())
    trace_.add(TraceKind::database, "servers", essence(sight_));
  for (const auto& view : sight_.servers) {
    const auto opened = opened_.find(view.vm);
    if (opened == opened_.end() || !view.answers) continue;
    if (!view.read_only)
      opened->second = true;
    else if (opened->second)
      opened_.erase(opened);
  }
  watch_machines();
}

void LocalWorld::look(Handler<void> handler) {
  auto shared = std::make_shared<Handler<void>>(std::move(handler));
  servers_->look(wanted(), [this, self = std::weak_ptr(self_), shared, mark = mark()](Sight sight) {
    asio::post(io_, [this, self, shared, mark, sight = std::move(sight)]() mutable {
      if (!self.lock()) return;
      pump_.submit([&] {
        if (sight.written) written_mark_ = std::move(mark);
        take(std::move(sight));
        (*shared)(success());
      });
    });
  });
}

void LocalWorld::see_often() {
  if (!looking_) {
    looking_ = true;
    SightWanted often = wanted();
    often.checksums = false;
    often.written.clear();
    servers_->look(std::move(often), [this, self = std::weak_ptr(self_)](Sight sight) {
      asio::post(io_, [this, self, sight = std::move(sight)]() mutable {
        if (!self.lock()) return;
        pump_.submit([&] {
          looking_ = false;
          take(std::move(sight));
        });
      });
    });
  }
  scheduler_.call_after(domain_, kLookEvery, [this] { see_often(); });
}

// The observation points "vm.running" and so on, and the most VMs at once.
void LocalWorld::watch_machines() {
  std::size_t live = 0;
  for (const auto& vm : cloud_->machines()) {
    live += is_gone(vm.state) ? 0 : 1;
    const auto [known, is_new] = states_.emplace(vm.id, vm.state);
    if (!is_new && known->second == vm.state) continue;
    known->second = vm.state;
    machine_entered(vm);
  }
  high_water_ = std::max(high_water_, live);
}

void LocalWorld::machine_entered(const LocalCloud::Machine& vm) {
  trace_.add(TraceKind::instance, vm.id, vm.node, " ", to_text(vm.state));
  if (vm.state == InstanceState::pending && !scenario_.cloud.is_default("boot"))
    (void)hold_boot(vm.id, scenario_.cloud.distribution("boot").sample(choices_, vm.id, "boot"));
  if (vm.state == InstanceState::running)
    if (const auto dying = dying_.extract(vm.id); !dying.empty()) die_after(vm.id, dying.mapped());
  engine_->observe(std::string("vm.") + to_text(vm.state), vm.node);
}

std::size_t LocalWorld::leaked_instances() const {
  if (!manager_) return 0;
  const auto& model = manager_->manager.model();
  std::size_t leaked = 0;
  for (const auto& vm : cloud_->machines()) {
    if (is_gone(vm.state) || model.find(vm.id) != nullptr) continue;
    // Created, but the answer has not come yet: the record has no VM so far.
    const auto* node = vm.node.starts_with("node-") ? model.find(vm.node.substr(5)) : nullptr;
    if (node == nullptr || !node->vm.empty()) ++leaked;
  }
  return leaked;
}

bool LocalWorld::clients_reach(const std::string& vm) const {
  return !network_ || (network_->reaches(kClientsParty, vm) && network_->reaches(vm, kClientsParty));
}

bool LocalWorld::replicas_lag() {
  const auto* master = sight_.of(master_vm());
  return std::any_of(sight_.servers.begin(), sight_.servers.end(), [&](const ServerView& view) {
    if (!view.replication.configured) return false;
    if (view.replication.seconds_behind != 0) return true;
    return master != nullptr && !excess(master->logged, view.applied).empty();
  });
}

double LocalWorld::truth(Truth which) {
  const auto count = [this](auto&& is_so) {
    return number(std::count_if(sight_.servers.begin(), sight_.servers.end(), is_so));
  };
  const auto written = [this](auto&& of) {
    return writers_ && sight_.written ? number(of(writers_->account(), *sight_.written)) : 0.0;
  };
  const WriterCounts writes = writers_ ? writers_->account().counts() : WriterCounts();
  switch (which) {
    case Truth::healthy_replicas:
      return count([](const ServerView& view) { return view.replicates() && view.read_only; });
    case Truth::writable_masters: {
      const double open = count([this](const ServerView& view) {
        return view.takes_writes() && !view.replication.configured && clients_reach(view.vm);
      });
      // One after the other they were open; at once only if a second look said so.
      return open > 1 && sight_.writable_at_once.size() < 2 ? 1.0 : open;
    }
    case Truth::writable_servers:
      return count([this](const ServerView& view) { return view.takes_writes() && clients_reach(view.vm); });
    case Truth::lag_max: {
      double worst = 0;
      for (const auto& view : sight_.servers)
        if (view.replication.configured)
          worst = std::max(
              worst, view.replication.seconds_behind < 0 ? 1e9 : number(view.replication.seconds_behind));
      return worst;
    }
    case Truth::instances:
      return number(cloud_->count());
    case Truth::instances_created:
      return number(cloud_->created());
    case Truth::instances_terminated:
      return number(cloud_->terminated());
    case Truth::instances_high_water:
      return number(std::max(high_water_, cloud_->count()));
    case Truth::leaked_instances:
      return number(leaked_instances());
    case Truth::leaked_volumes:
    case Truth::zombies:
    case Truth::fenced_managers:
      return 0;
    case Truth::manager_starts:
      return number(incarnations_);
    case Truth::managers:
      return manager_ ? 1 : 0;
    case Truth::iaas_calls:
      return number(iaas_calls_);
    case Truth::agent_calls:
      return number(agent_calls_);
    case Truth::acknowledged_writes:
      return number(writes.acknowledged);
    case Truth::failed_writes:
      return number(writes.refused);
    case Truth::unknown_writes:
      return number(writes.unknown);
    case Truth::stale_reads:
      return number(writes.stale_reads);
    case Truth::lost_writes:
      return written([this](const WriteAccount& account, const auto& rows) {
        return account.lost(rows, written_mark_);
      });
    case Truth::phantom_writes:
      return written([](const WriteAccount& account, const auto& rows) { return account.phantoms(rows); });
    case Truth::longest_outage_s:
      return to_seconds(std::chrono::duration_cast<Duration>(writes.longest_gap));
  }
  return 0;
}

}  // namespace drover::scenario

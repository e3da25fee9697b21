// The reconciler: the cloud is searched for VMs of ours that no record knows, and the journal for what it
// does not know of the world. A journal that went back to an earlier state (a lost disk, an old backup) must
// not cost a VM that has become a member since: whoever is newer than the journal is kept, and the topology
// of the highest epoch holds.
#include <algorithm>
#include <charconv>
#include <utility>

#include "manager/model/failover.hpp"
#include "manager/ops/bring_up.hpp"
#include "manager/ops/disposal.hpp"
#include "manager/ops/manager.hpp"
#include "manager/ops/replication.hpp"
#include "manager/ops/replication_steps.hpp"
#include "manager/runtime/parallel.hpp"

namespace drover::ops {

using model::Node;
using model::node_name;
using model::NodeId;
using model::NodeState;

namespace {

// The node and the attempt that a VM was created for ("node-3.2"); 0 and 0 when its tag says something else.
struct Origin {
  NodeId node = 0;
  std::uint16_t attempt = 0;
};
Origin origin_of(const InstanceInfo& info) {
  const std::string tag = info.tag(kNodeTag);
  Origin origin;
  const auto dot = tag.find('.');
  if (!tag.starts_with("node-") || dot == std::string::npos) return origin;
  const char* end = tag.data() + tag.size();
  const auto node = std::from_chars(tag.data() + 5, tag.data() + dot, origin.node);
  const auto attempt = std::from_chars(tag.data() + dot + 1, end, origin.attempt);
  if (node.ptr != tag.data() + dot || attempt.ptr != end || origin.node < 1) return {};
  return origin;
}

// Marks a sweep as under way, until its coroutine ends or is ended.
class Sweep {
 public:
  Sweep(bool& sweeping, Signal& swept) : sweeping_(sweeping), swept_(swept) { sweeping_ = true; }
  Sweep(const Sweep&) = delete;
  Sweep& operator=(const Sweep&) = delete;
  ~Sweep() {
    sweeping_ = false;
    swept_.notify_all();
  }

 private:
  bool& sweeping_;
  Signal& swept_;
};

}  // namespace

Task<void> MySQLServerManager::sweep_doomed() {
  auto swept = co_await destroy_all_doomed(core_);
  if (swept.has_error()) core_.note("reconcile", swept.error().message);
}

Task<void> MySQLServerManager::reconcile_loop() {
  // Also when nothing was ever bought, as far as the journal knows: it may have been lost.
  while (true) {
    co_await sleep_for(core_.config.reconcile_interval);
    auto reconciled = co_await reconcile();
    if (reconciled.has_error()) core_.trace.add(TraceKind::note, "reconcile", reconciled.error().message);
  }
}

// Takes up a VM that was made after the state that the journal holds.
void MySQLServerManager::adopt(const InstanceInfo& info, NodeId id) {
  auto& model = core_.model;
  Node* present = model.node(id);
  if (present == nullptr) {
    Node node;
    node.id = id;
    node.state = NodeState::running;
    node.server_id = 0;  // its own, which learn_role() asks for: no server is given another's
    model.service.next_node = std::max(model.service.next_node, id + 1);
    core_.journal.service_changed();
    present = &model.add(std::move(node));
  }
  present->attempt = origin_of(info).attempt;
  present->address = info.address;
  model.set_vm(*present, info.id);
  core_.journal.node_changed(id);
  core_.note(node_name(id),
             "the journal is behind: it does not know " + info.id + ", which is kept as a member");
  core_.observe("node.adopted", node_name(id));
  spawn(core_.domain, learn_role(id));
}

// What its agent says that it is. Without an answer, and without one that can be true, it gets the server_id
// that it most likely had, or a new one.
Task<void> MySQLServerManager::learn_role(NodeId id) {
  GetServerState look;
  const AgentCommand looking = look;
  const auto seen = co_await core_.ask_persistently(id, looking);
  Node* node = core_.model.node(id);
  if (node == nullptr) co_return;
  auto& service = core_.model.service;
  const ServerState state = seen.has_value() ? seen.value().state : ServerState();
  if (state.role == Role::primary && service.primary == 0 && service.maybe_writable == 0 &&
      state.epoch == service.epoch) {
    node->role = Role::primary;
    service.primary = service.maybe_writable = id;
  }
  record_what_it_is(*node, state);
  co_await core_.journal.durable();
}

namespace {

// They are given in the order of the nodes' ids: most likely it is its own; else one that no member has which
// is still to tell its own.
std::uint32_t likely_server_id(const model::Model& model, NodeId id) {
  const auto own = static_cast<std::uint32_t>(id);
  if (static_cast<NodeId>(own) == id && !model.server_id_in_use(own)) return own;
  std::uint32_t next = model.service.next_server_id;
  for (const Node* other = model.node(next); other != nullptr && other->server_id == 0;
       other = model.node(next))
    ++next;
  return next;
}

}  // namespace

// In the records only; the caller commits.
void MySQLServerManager::record_what_it_is(Node& node, const ServerState& state) {
  auto& service = core_.model.service;
  if (node.role == Role::none && state.role == Role::replica) node.role = Role::replica;
  if (state.server_id != 0 && !core_.model.server_id_in_use(state.server_id))
    node.server_id = state.server_id;
  else if (node.server_id == 0)
    node.server_id = likely_server_id(core_.model, node.id);
  service.next_server_id = std::max(service.next_server_id, node.server_id + 1);
  core_.journal.node_changed(node.id);
  core_.journal.service_changed();
}

// Whether a VM without a record has heard of an epoch that the journal does not know.
Task<bool> MySQLServerManager::is_newer_than_journal(InstanceInfo info) {
  if (info.state != InstanceState::running || info.address.empty()) co_return false;
  GetServerState look;
  AgentCommand looking = look;
  set_generation(looking, core_.journal.generation());
  const Endpoint to{info.address, core_.config.agent_port};
  const Duration timeout = core_.config.agent_timeout;
  const auto seen = co_await await_reply<AgentReply>(timeout, [&](Handler<AgentReply> handler) {
    core_.agent.call(CallContext{"reconcile", timeout}, to, looking, std::move(handler));
  });
  co_return seen.has_value() &&
      seen.value().state.instance_id == info.id&& seen.value().state.epoch > core_.model.service.epoch;
}

// VMs that carry our tag and that no record accounts for: answers that never came, late effects. A VM of a
// node still in CREATING is left to that node's own look; one that is newer than the journal is no orphan.
Task<std::vector<std::string>> MySQLServerManager::find_orphans(std::vector<InstanceInfo> listed) {
  std::vector<std::string> orphans;
  bool adopted = false;
  auto& model = core_.model;
  for (const InstanceInfo& info : listed) {
    if (is_gone(info.state) || info.tag(kServiceTag) != core_.config.service_id) continue;
    if (model.node_of_vm(info.id) != nullptr || model.service.doomed.contains(info.id)) continue;
    if (core_.departed.contains(info.id, core_.now())) continue;
    const Origin origin = origin_of(info);
    const Node* node = model.node(origin.node);
    if (node != nullptr && node->vm.empty() && Core::node_tag(*node) == info.tag(kNodeTag)) continue;
    bool newer = origin.node >= model.service.next_node ||
                 (node != nullptr && model::is_listed(node->state) && origin.attempt > node->attempt);
    if (!newer) {
      InstanceInfo asked = info;
      newer = co_await is_newer_than_journal(std::move(asked));
      if (model.node_of_vm(info.id) != nullptr) continue;
      node = model.node(origin.node);
    }
    if (!newer) {
      orphans.push_back(info.id);
    } else if (is_to_leave_nothing()) {
      model.service.next_node = std::max(model.service.next_node, origin.node + 1);  // its token is used up
      orphans.push_back(info.id);
    } else if (!takes_members() || (node != nullptr && !model::is_listed(node->state))) {
      core_.note("reconcile", "the journal is behind: it does not know " + info.id + ", which is kept");
    } else {
      adopt(info, origin.node);
      adopted = true;
    }
  }
  if (adopted) co_await core_.journal.durable();  // what it is it may tell minutes later
  co_return orphans;
}

// One sweep at a time: two would find the same orphans, and each destroy them.
Task<Result<void>> MySQLServerManager::reconcile() {
  while (sweeping_) (void)co_await swept_.wait(kForever);
  const Sweep guard(sweeping_, swept_);
  co_return co_await sweep();
}

// Destroys what no record accounts for, once that is decided in the journal, and what was doomed before.
Task<Result<void>> MySQLServerManager::sweep() {
  auto listed = co_await core_.list_vms("reconcile", kServiceTag, core_.config.service_id);
  if (listed.has_error()) co_return std::move(listed).error();
  std::vector<InstanceInfo> infos = std::move(listed).value();
  const auto orphans = co_await find_orphans(std::move(infos));
  for (const std::string& vm : orphans) {
    // Once more, right before it: a record may have been made of it meanwhile.
    if (core_.model.node_of_vm(vm) != nullptr) continue;
    core_.note("reconcile", "destroying " + vm + ": no node accounts for it");
    doom(core_, vm);
  }
  if (!orphans.empty()) co_await core_.journal.durable();
  Result<void> outcome = co_await destroy_all_doomed(core_);
  // Nodes whose removal ended without confirmation.
  std::vector<NodeId> left;
  for (const auto& [id, node] : core_.model.nodes()) {
    if (node.state != NodeState::removing) continue;
    const auto* operation = core_.model.operation(node.operation);
    if (operation == nullptr || model::is_ended(operation->state)) left.push_back(id);
  }
  for (const NodeId id : left) {
    auto removed = co_await remove_node(core_, id);
    if (removed.has_error() && outcome.has_value()) outcome = removed;
  }
  co_return outcome;
}

// A shutdown that was asked of this very manager means what the journal has lost as well, also what comes
// into being late. One that is taken up again may be of a life that is over.
bool MySQLServerManager::is_to_leave_nothing() const {
  const auto state = dstate();
  if (state != model::ServiceState::S_EPILOGUE && state != model::ServiceState::S_STOPPED) return false;
  return std::ranges::any_of(core_.model.operations(), [&](const auto& entry) {
    return entry.first >= core_.inherited_below &&
           entry.second.request.kind == model::OperationKind::shutdown;
  });
}

bool MySQLServerManager::takes_members() const {
  const auto state = dstate();
  return state == model::ServiceState::S_PROLOGUE || state == model::ServiceState::S_RUNNING ||
         state == model::ServiceState::S_ADAPTING;
}

namespace {

// Of two that say that they are the master: with all that the other holds and more, or of a later epoch, or
// open, or the recorded one. The epoch tells less than the data does: who was closed has heard of a later one
// than who took over.
bool is_rather_the_master(const ServerState& one, const ServerState& other, bool recorded) {
  const auto held = model::applied_position(one), others = model::applied_position(other);
  const bool more = !excess(held, others).empty(), less = !excess(others, held).empty();
  if (more != less) return more;
  if (one.epoch != other.epoch) return one.epoch > other.epoch;
  if (one.read_only != other.read_only) return !one.read_only;
  return recorded;
}

}  // namespace

// What all members say, where not all were asked since the start or the journal is known to be behind;
// nothing elsewhere.
Task<MySQLServerManager::Answers> MySQLServerManager::hear_when_unsure() {
  if (surveyed_ && !is_behind()) co_return Answers{};
  std::vector<NodeId> nodes;  // also those that the journal calls booting, or going
  for (const auto& [id, node] : core_.model.nodes())
    if (!node.address.empty()) nodes.push_back(id);
  auto heard = co_await hear(std::move(nodes));
  if (heard.has_error()) co_return Answers{};
  co_return std::move(heard).value();
}

// Nobody but the target is perhaps the master: agents know of none that the journal has forgotten, and no
// other promotion is in doubt.
Task<Result<void>> MySQLServerManager::knows_the_master(NodeId target) {
  (void)co_await hear_when_unsure();
  if (contradicted_ || lacks_an_epoch())
    co_return make_error(
        ErrorCode::unavailable,
        "the journal is behind: agents know of another master; ask again when it has been found");
  if (core_.awaits_word_of_another_than(target))
    co_return make_error(ErrorCode::unavailable,
                         "the journal may be behind: " + node_name(core_.perhaps_promoted) +
                             " is perhaps the master; ask again when it has been "
                             "heard, or remove it");
  co_return success();
}

// Agents have heard of a higher epoch than the journal has, or say something else than it does of the present
// one, who is the master and who a replica: the topology of the highest epoch is taken over and goes on above
// it. Until then nobody is made writable.
Task<void> MySQLServerManager::catch_up() {
  if (contradicted_ || lacks_an_epoch()) {
    const auto reconciled = co_await reconcile();  // whoever holds that epoch may have no record
    if (reconciled.has_error()) co_return;
  }
  const auto nodes = listed_nodes();
  const auto asked = co_await hear(nodes);
  if (asked.has_error() || core_.model.active_operations() > 0) co_return;
  const bool contradicted = std::exchange(contradicted_, false), claimed = std::exchange(claimed_, false);
  const Node* master = nullptr;
  ServerState best;
  bool silent = false;
  std::string followed;  // by the recorded master, as it says itself
  for (const auto& [id, answer] : asked.value()) {
    const Node* node = core_.model.node(id);
    silent = silent || answer.has_error();
    if (contradicted && id == core_.model.service.primary && answer.has_value() &&
        answer.value().state.role == Role::replica && answer.value().state.epoch >= core_.model.service.epoch)
      followed = answer.value().state.replication.source_address;
    if (answer.has_error() && id == core_.model.service.primary && !is_behind()) {
      contradicted_ = contradicted;  // later, when it has had its say
      claimed_ = claimed;
      co_return;
    }
    if (node == nullptr || answer.has_error() || answer.value().state.role != Role::primary) continue;
    const ServerState& state = answer.value().state;
    // Left behind by a fail-over that the journal knows.
    if (!node->left_at.empty() && state.epoch <= core_.model.service.epoch) continue;
    if (master != nullptr && !is_rather_the_master(state, best, id == core_.model.service.primary)) continue;
    master = node;
    best = state;
  }
  // Whoever is silent may be it, unless one that is open was made the master in the latest epoch: a closed
  // one may have been left behind in that same epoch.
  if (silent && (master == nullptr || best.epoch < core_.highest_epoch || best.read_only)) {
    contradicted_ = contradicted;
    claimed_ = claimed;
    co_return;
  }
  core_.perhaps_promoted = 0;  // it has been heard, or is known to be the lesser one
  // Whom it follows was the master, and is gone: the journal has lost that, too.
  const bool bereft = master == nullptr && !followed.empty() &&
                      std::ranges::none_of(core_.model.nodes(), [&](const auto& entry) {
                        return entry.second.address == followed;
                      });
  // Of an epoch that the journal knows, only another master is news.
  if ((contradicted || claimed) && !is_behind() && !bereft &&
      (master == nullptr || best.epoch < core_.model.service.epoch ||
       master->id == core_.model.service.primary)) {
    judged_epoch_ = core_.model.service.epoch;
    co_return;
  }
  const std::uint64_t epoch = std::max(core_.highest_epoch, core_.model.service.epoch) + 1;
  const NodeId chosen = master == nullptr ? 0 : master->id;
  follow(chosen, epoch, !best.read_only);
  if (bereft) {
    core_.model.service.bereft_of = followed;
    core_.journal.service_changed();
  }
  // In the same commit: once the epoch is recorded nobody asks for the roles again.
  for (const auto& [id, answer] : asked.value()) {
    Node* node = core_.model.node(id);
    if (id == chosen || node == nullptr || node->role != Role::none) continue;
    if (answer.has_value())
      record_what_it_is(*node, answer.value().state);
    else
      spawn(core_.domain, learn_role(id));
  }
  co_await core_.journal.durable();
  // Not waited for: one that is silent is asked for minutes, and meanwhile the others are to be watched.
  for (const NodeId id : nodes)
    if (id != chosen && id != core_.model.service.maybe_writable) spawn(core_.domain, close(id, epoch));
}

Task<void> MySQLServerManager::close(NodeId id, std::uint64_t epoch) {
  const auto fenced = co_await fence(core_, id, epoch);
  if (fenced.has_error()) core_.note(node_name(id), fenced.error().message);
}

// One that is closed is not opened before the other is closed for certain: the monitor settles that.
void MySQLServerManager::follow(NodeId master, std::uint64_t epoch, bool open) {
  auto& service = core_.model.service;
  if (Node* former = core_.model.primary(); former != nullptr && former->id != master) {
    former->role = Role::replica;
    core_.journal.node_changed(former->id);
  }
  service.epoch = judged_epoch_ = epoch;
  core_.perhaps_promoted = 0;
  service.primary = master;
  if (open || master == 0 || core_.model.node(service.maybe_writable) == nullptr)
    service.maybe_writable = master;
  if (master != 0) service.bereft_of.clear();
  core_.journal.service_changed();
  if (Node* node = core_.model.node(master); node != nullptr) {
    node->role = Role::primary;
    core_.journal.node_changed(master);
  }
  core_.note("journal", "is behind: agents know of epoch " + std::to_string(epoch - 1) + "; " +
                            (master == 0 ? "nobody says that it is the master, set one up"
                                         : node_name(master) + " is the master") +
                            ", epoch " + std::to_string(epoch));
}

}  // namespace drover::ops

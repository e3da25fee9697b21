#include "scenarios/explore/ideal_service.hpp"

#include <algorithm>

namespace drover::explore {
namespace {

using scenario::Call;
using scenario::Value;

// Nothing but the method, its arguments and where its answer goes; with `ends`, that it ends well.
bool is_plain(const Call& call) {
  return call.expect == scenario::CallExpect{} && !call.background &&
         (call.ends.empty() || call.ends == "DONE");
}

bool leaves_the_members_alone(const Call& call) {
  constexpr std::string_view kMethods[] = {"configure_user", "delete_user", "set_password", "register_node"};
  return std::find(std::begin(kMethods), std::end(kMethods), call.method) != std::end(kMethods);
}

bool adds_nodes(const Call& call) { return call.method == "add_nodes" || call.method == "create_replica"; }

std::optional<std::string> text_of(const nlohmann::json& value) {
  if (value.is_number_integer()) return std::to_string(value.get<std::int64_t>());
  if (value.is_string()) return value.get<std::string>();
  return std::nullopt;
}

// "$nodes[2]" is the third node, as long as none was removed.
std::optional<std::string> resolved(std::string text, std::size_t nodes) {
  if (!text.starts_with('$')) return text;
  constexpr std::string_view kNode = "$nodes[";
  if (!text.starts_with(kNode) || !text.ends_with(']')) return std::nullopt;
  const std::string index = text.substr(kNode.size(), text.size() - kNode.size() - 1);
  if (index.empty() || index.size() > 3 || index.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  const std::size_t number = std::stoul(index);
  if (number >= nodes) return std::nullopt;
  return std::to_string(number + 1);
}

}  // namespace

bool only_reads(const Call& call) {
  const auto dry_run = call.with.find("dry_run");
  return call.method.starts_with("get_") || call.method.starts_with("list_") || call.expect.error ||
         call.expect.code || (dry_run != call.with.end() && *dry_run == true);
}

bool IdealService::take(const scenario::Step& step) {
  if (!known_) return false;
  if (const auto* call = std::get_if<Call>(&step.action)) {
    if (only_reads(*call)) return true;
    if (leaves_the_members_alone(*call)) return false;
    return is_plain(*call) && apply(*call) ? true : unforeseen();
  }
  if (const auto* await = std::get_if<scenario::Await>(&step.action)) {
    if (!carries_through(*await)) return unforeseen();
    const std::string as = await->operation.substr(1, await->operation.find('.') - 1);
    const auto begun =
        std::find_if(unsettled_.begin(), unsettled_.end(), [&](const Begun& b) { return b.as == as; });
    if (begun != unsettled_.end()) settle(Begun(*begun));
    return true;
  }
  const bool waits = std::holds_alternative<scenario::Wait>(step.action) ||
                     std::holds_alternative<scenario::Until>(step.action) ||
                     std::holds_alternative<scenario::Check>(step.action) ||
                     std::holds_alternative<scenario::Eventually>(step.action);
  return waits ? true : unforeseen();
}

bool IdealService::carries_through(const scenario::Await& await) const {
  const auto dot = await.operation.find('.');
  if (await.state != "DONE" || !await.operation.starts_with('$') || dot == std::string::npos) return false;
  return await.operation.substr(dot) == ".operation" &&
         awaitable_.contains(await.operation.substr(1, dot - 1));
}

bool IdealService::accepts(const Call& call) const {
  IdealService after = *this;
  return known_ && is_plain(call) && !only_reads(call) && after.apply(call);
}

std::optional<std::string> IdealService::node_of(const Call& call) const {
  const auto id = call.with.find("id");
  if (id == call.with.end() || call.with.size() > (call.with.contains("key") ? 2U : 1U)) return std::nullopt;
  const auto text = text_of(*id);
  if (!text) return std::nullopt;
  const auto node = resolved(*text, created_);
  if (!node || node->empty() || node->size() > 6 ||
      node->find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  const std::size_t number = std::stoul(*node);
  return number >= 1 && number <= created_ ? node : std::nullopt;
}

bool IdealService::adds_are_settled() const {
  return std::none_of(unsettled_.begin(), unsettled_.end(), [](const Begun& begun) { return begun.adds; });
}

void IdealService::settle(const Begun& ended) {
  std::vector<Begun> left;
  bool later = false;
  for (const Begun& begun : unsettled_) {
    const bool itself = !later && begun.as == ended.as && begun.adds == ended.adds;
    if (!itself && (later || ended.adds || begun.adds)) left.push_back(begun);
    later = later || itself;
  }
  unsettled_ = std::move(left);
}

bool IdealService::apply(const Call& call) {
  if (call.method == "add_nodes") {
    const auto count = call.with.find("count");
    if (count == call.with.end() || !count->is_number_integer() || *count < 1 || *count > 100) return false;
    if (call.with.size() > (call.with.contains("key") ? 2U : 1U)) return false;
    created_ += count->get<std::size_t>();
  } else if (call.method == "create_replica") {
    const auto master = call.with.find("master_id");
    if (master == call.with.end() || call.with.size() != 1 || master_.empty() || !adds_are_settled())
      return false;
    const auto text = text_of(*master);
    if (!text || resolved(*text, created_) != master_) return false;
    replicas_.insert(std::to_string(++created_));
  } else {
    const auto node = node_of(call);
    if (!node || !adds_are_settled()) return false;
    if (call.method == "set_up_replica_master") {
      if (!master_.empty()) return false;
      master_ = *node;
      epoch_ = 1;
    } else if (call.method == "set_up_replica_slave") {
      if (master_.empty() || *node == master_ || !replicas_.insert(*node).second) return false;
    } else if (call.method == "promote") {
      if (!is_settled() || !replicas_.contains(*node)) return false;
      replicas_.erase(*node);
      replicas_.insert(std::exchange(master_, *node));
      ++epoch_;
    } else {
      return false;
    }
  }
  const Begun begun{call.as, adds_nodes(call)};
  unsettled_.push_back(begun);
  if (!call.as.empty()) awaitable_.insert(call.as);
  if (call.ends != "DONE") return true;
  unsettled_.pop_back();
  if (!begun.adds) std::erase_if(unsettled_, [](const Begun& earlier) { return !earlier.adds; });
  return true;
}

std::optional<Value> IdealService::value(std::string_view metric) const {
  if (!known_) return std::nullopt;
  const auto number = [](std::size_t count) { return Value(static_cast<double>(count)); };
  if (metric == "nodes" || metric == "records" || metric == "running_nodes" || metric == "instances" ||
      metric == "instances_created")
    return number(created_);
  if (metric == "replicas" || metric == "healthy_replicas") return number(replicas_.size());
  if (metric == "writable_masters" || metric == "writable_servers") return number(master_.empty() ? 0 : 1);
  if (metric == "master") return Value(master_);
  if (metric == "epoch") return number(epoch_);
  if (metric == "state") return Value(std::string("RUNNING"));
  if (metric == "managers") return number(1);
  for (const std::string_view none :
       {"operations", "operations_failed", "operations_cancelled", "lost_nodes", "instances_terminated",
        "leaked_instances", "zombies", "lost_writes", "phantom_writes"})
    if (metric == none) return number(0);
  return std::nullopt;
}

std::string IdealService::to_text() const {
  std::string text =
      std::to_string(created_) + " nodes, master " + master_ + ", epoch " + std::to_string(epoch_);
  for (const std::string& replica : replicas_) text += ", " + replica;
  return text;
}

}  // namespace drover::explore

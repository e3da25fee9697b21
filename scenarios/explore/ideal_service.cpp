#include "scenarios/explore/ideal_service.hpp"

#include <algorithm>

namespace drover::explore {
namespace {

using scenario::Call;
using scenario::Value;

// Nothing is left to somebody else but how it ends.
bool is_plain(const Call& call) { return !call.background && !call.expect.error && !call.expect.code; }

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

bool waits_for_all_operations(const scenario::Checks& checks) {
  return std::ranges::any_of(checks.conditions, [](const scenario::Condition& condition) {
    return condition.name == "operations" && condition.comparison == scenario::Comparison::equal &&
           condition.value == 0;
  });
}

std::optional<std::size_t> number_in(std::string_view digits) {
  if (digits.empty() || digits.size() > 6) return std::nullopt;
  std::size_t number = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    number = 10 * number + static_cast<std::size_t>(c - '0');
  }
  return number;
}

// Whether `with` has no other arguments than these, and the key.
bool has_only(const nlohmann::json& with, std::initializer_list<std::string_view> arguments) {
  return std::ranges::all_of(with.items(), [&](const auto& entry) {
    return entry.key() == "key" || std::ranges::find(arguments, entry.key()) != arguments.end();
  });
}

std::string key_of(const Call& call) {
  const auto key = call.with.find("key");
  return key != call.with.end() && key->is_string() ? key->get<std::string>() : std::string();
}

// What a key is used for. "" when that depends on the moment.
std::string request_of(const Call& call) {
  nlohmann::json with = call.with;
  with.erase("key");
  const std::string text = call.method + with.dump();
  return text.find('$') == std::string::npos ? text : std::string();
}

}  // namespace

bool only_reads(const Call& call) {
  const auto dry_run = call.with.find("dry_run");
  return call.method.starts_with("get_") || call.method.starts_with("list_") || call.expect.error ||
         call.expect.code || (dry_run != call.with.end() && *dry_run == true);
}

bool IdealService::take(const scenario::Step& step) {
  const auto* call = std::get_if<Call>(&step.action);
  if (!known_) {
    if (call != nullptr) remember_key(*call, End::unforeseen);
    return false;
  }
  if (call != nullptr) {
    if (only_reads(*call)) return true;
    if (leaves_the_members_alone(*call)) return false;
    if (is_plain(*call) && apply(*call) != End::unforeseen) return true;
    remember_key(*call, End::unforeseen);
    return unforeseen();
  }
  if (const auto* await = std::get_if<scenario::Await>(&step.action)) {
    if (!carries_through(*await)) return unforeseen();
    const std::string as = await->operation.substr(1, await->operation.find('.') - 1);
    const auto begun = std::ranges::find_if(unsettled_, [&](const Begun& b) { return b.as == as; });
    if (begun != unsettled_.end()) settle(begun);
    return true;
  }
  if (const auto* eventually = std::get_if<scenario::Eventually>(&step.action)) {
    if (waits_for_all_operations(eventually->checks)) {
      unsettled_.clear();
      leaving_ = 0;
    }
    return true;
  }
  const bool waits = std::holds_alternative<scenario::Wait>(step.action) ||
                     std::holds_alternative<scenario::Until>(step.action) ||
                     std::holds_alternative<scenario::Check>(step.action);
  return waits ? true : unforeseen();
}

bool IdealService::carries_through(const scenario::Await& await) const {
  const auto dot = await.operation.find('.');
  if (!await.operation.starts_with('$') || dot == std::string::npos) return false;
  const auto begun = ends_.find(await.operation.substr(1, dot - 1));
  return await.operation.substr(dot) == ".operation" && begun != ends_.end() &&
         await.state == (begun->second == End::done ? "DONE" : "FAILED");
}

bool IdealService::accepts(const Call& call) const {
  IdealService after = *this;
  return known_ && is_plain(call) && call.expect == scenario::CallExpect{} && !only_reads(call) &&
         after.apply(call) != End::unforeseen;
}

bool IdealService::knows_the_key_of(const Call& call) const {
  const auto known = keys_.find(key_of(call));
  const std::string request = request_of(call);
  if (call.background || known == keys_.end() || request.empty() || known->second.request.empty())
    return false;
  scenario::CallExpect right;
  if (request != known->second.request)
    right.code = 5;
  else
    right.result = nlohmann::json{{"operation", "$" + known->second.as + ".operation"}};
  return call.expect == right && call.ends.empty();
}

// Whoever takes over from a master that is well: one of the replicas.
IdealService::End IdealService::fail_over(const nlohmann::json& with) {
  const bool force = with.value("force", nlohmann::json(false)) == true;
  if (!force || !has_only(with, {"force"}) || !is_settled() || replicas_.empty()) return End::unforeseen;
  has_moved_ = true;
  ++epoch_;
  return End::done;
}

// "$nodes[2]" is the third of the members.
std::optional<IdealService::Node> IdealService::node_of(const nlohmann::json& with,
                                                        const char* argument) const {
  const auto given = with.find(argument);
  const auto text = given == with.end() ? std::nullopt : text_of(*given);
  if (!text) return std::nullopt;
  std::optional<Node> node;
  constexpr std::string_view kNode = "$nodes[";
  if (!text->starts_with('$')) {
    node = number_in(*text);
  } else if (*text == "$master") {
    node = master_;
  } else if (text->starts_with(kNode) && text->ends_with(']') && adds_are_settled()) {
    const auto index =
        number_in(std::string_view(*text).substr(kNode.size(), text->size() - kNode.size() - 1));
    if (index && *index < members_.size()) node = *std::next(members_.begin(), static_cast<long>(*index));
  }
  return node && members_.contains(*node) ? node : std::nullopt;
}

bool IdealService::adds_are_settled() const {
  return std::none_of(unsettled_.begin(), unsettled_.end(), [](const Begun& begun) { return begun.adds; });
}

void IdealService::settle(std::vector<Begun>::const_iterator ended) {
  std::vector<Begun> left;
  for (auto begun = unsettled_.cbegin(); begun != unsettled_.cend(); ++begun)
    if (begun > ended || (begun != ended && (ended->adds || begun->adds))) left.push_back(*begun);
  unsettled_ = std::move(left);
  if (is_settled()) leaving_ = 0;
}

IdealService::End IdealService::apply(const Call& call) {
  const std::string key = key_of(call), request = request_of(call);
  const auto known = key.empty() ? keys_.end() : keys_.find(key);
  const bool is_new = known == keys_.end();
  End end = End::unforeseen;
  if (is_new) {
    end = begin(call);
    if (end == End::unforeseen) return end;
    unsettled_.push_back({call.as, key, adds_nodes(call)});
    remember_key(call, end);
  } else if (!request.empty() && request == known->second.request) {
    end = known->second.end;  // of the same operation
  } else {
    return End::unforeseen;
  }
  if (!call.as.empty()) ends_[call.as] = end;
  if (call.ends.empty()) return end;
  if (call.ends != (end == End::done ? "DONE" : "FAILED")) return End::unforeseen;
  const auto begun = is_new ? std::prev(unsettled_.end())
                            : std::ranges::find_if(unsettled_, [&](const Begun& b) { return b.key == key; });
  if (begun != unsettled_.end()) settle(begun);
  return end;
}

// Of a call that was accepted: the first one that has it.
void IdealService::remember_key(const Call& call, End end) {
  const std::string key = key_of(call);
  if (!key.empty() && is_plain(call)) keys_.try_emplace(key, Keyed{request_of(call), call.as, end});
}

IdealService::End IdealService::begin(const Call& call) {
  if (call.method == "add_nodes") {
    const auto count = call.with.find("count");
    if (count == call.with.end() || !count->is_number_integer() || *count < 1 || *count > 100 ||
        !has_only(call.with, {"count"}))
      return End::unforeseen;
    return add(count->get<std::size_t>());
  }
  if (call.method == "fail_over") return fail_over(call.with);
  if (has_moved_) return End::unforeseen;
  if (call.method == "remove_nodes") return remove(call.with);
  if (!adds_are_settled()) return End::unforeseen;
  if (call.method != "create_replica") return set_role(call);
  const auto master = node_of(call.with, "master_id");
  if (!master || *master != master_ || !has_only(call.with, {"master_id"})) return End::unforeseen;
  const End end = add(1);
  if (end == End::done) replicas_.insert(created_);
  return end;
}

// What is too much for the account is taken back as a whole.
IdealService::End IdealService::add(std::size_t count) {
  const std::size_t wanted = members_.size() + count;
  if (quota_ && wanted <= *quota_ && wanted + leaving_ > *quota_) return End::unforeseen;
  const bool fits = !quota_ || wanted <= *quota_;
  if (!fits && !is_settled()) return End::unforeseen;
  for (std::size_t i = 0; i < count; ++i) {
    ++created_;
    if (fits) members_.insert(created_);
  }
  if (!fits) {
    ++failed_;
    leaving_ += count;  // what it has bought goes again
  }
  return fits ? End::done : End::failed;
}

// By number: those without a role first, then replicas, the newest first; the master last, when it is forced.
IdealService::End IdealService::remove(const nlohmann::json& with) {
  if (!is_settled() || !has_only(with, {"serviceNodeId", "count", "force"})) return End::unforeseen;
  const bool force = with.value("force", nlohmann::json(false)) == true;
  std::vector<Node> candidates, going;
  if (with.contains("serviceNodeId")) {
    const auto node = node_of(with, "serviceNodeId");
    if (!node || with.contains("count")) return End::unforeseen;
    going = {*node};
  } else {
    const auto count = with.find("count");
    if (count == with.end() || !count->is_number_integer() || *count < 1) return End::unforeseen;
    for (const bool replicas : {false, true})
      for (auto node = members_.rbegin(); node != members_.rend(); ++node)
        if (*node != master_ && replicas_.contains(*node) == replicas) candidates.push_back(*node);
    if (master_ != 0 && force) candidates.push_back(master_);
    if (candidates.size() < count->get<std::size_t>()) return End::unforeseen;
    going.assign(candidates.begin(), candidates.begin() + count->get<long>());
  }
  for (const Node node : going) {
    if (node == master_ && !force) return End::unforeseen;
    take_away(node);
  }
  // Replicas without a master are another story.
  return master_ == 0 && !replicas_.empty() ? End::unforeseen : End::done;
}

void IdealService::take_away(Node node) {
  members_.erase(node);
  replicas_.erase(node);
  if (master_ == node) master_ = 0;
  ++leaving_;
  ++removed_;
}

IdealService::End IdealService::set_role(const Call& call) {
  const auto node = node_of(call.with, "id");
  if (!node || !has_only(call.with, {"id"})) return End::unforeseen;
  if (call.method == "set_up_replica_master") {
    if (master_ != 0 || epoch_ != 0) return End::unforeseen;
    master_ = *node;
    epoch_ = 1;
    return End::done;
  }
  if (call.method == "set_up_replica_slave") {
    if (master_ == 0 || *node == master_ || !replicas_.insert(*node).second) return End::unforeseen;
    return End::done;
  }
  if (call.method != "promote" || !is_settled() || !replicas_.contains(*node)) return End::unforeseen;
  replicas_.erase(*node);
  replicas_.insert(std::exchange(master_, *node));
  ++epoch_;
  return End::done;
}

std::optional<Value> IdealService::value(std::string_view metric) const {
  if (!known_) return std::nullopt;
  const auto number = [](std::size_t count) { return Value(static_cast<double>(count)); };
  if (metric == "nodes" || metric == "records" || metric == "running_nodes" || metric == "instances")
    return number(members_.size());
  if (metric == "replicas") return number(replicas_.size());
  // Writers may have left their mark on the former master alone.
  const bool leaves_open = metric == "healthy_replicas" || metric == "master" || metric == "lost_writes";
  if (has_moved_ && leaves_open) return std::nullopt;
  if (metric == "healthy_replicas") return number(replicas_.size());
  if (metric == "writable_masters" || metric == "writable_servers") return number(master_ == 0 ? 0 : 1);
  if (metric == "master") return Value(master_ == 0 ? std::string() : std::to_string(master_));
  if (metric == "epoch" && (master_ != 0 || epoch_ == 0)) return number(epoch_);
  if (metric == "state") return Value(std::string("RUNNING"));
  if (metric == "managers") return number(1);
  if (metric == "operations_failed") return number(failed_);
  // An addition that is too large has made as many as it could.
  if (metric == "instances_created" && failed_ == 0) return number(created_);
  if (metric == "instances_terminated" && failed_ == 0) return number(removed_);
  for (const std::string_view none : {"operations", "operations_cancelled", "lost_nodes", "leaked_instances",
                                      "zombies", "lost_writes", "phantom_writes"})
    if (metric == none) return number(0);
  return std::nullopt;
}

std::string IdealService::to_text() const {
  std::string text = std::to_string(created_) + " nodes, master " + std::to_string(master_) + ", epoch " +
                     std::to_string(epoch_) + ", failed " + std::to_string(failed_) + ", members";
  for (const Node node : members_) text += " " + std::to_string(node);
  text += has_moved_ ? ", moved, replicas" : ", replicas";
  for (const Node node : replicas_) text += " " + std::to_string(node);
  return text;
}

}  // namespace drover::explore

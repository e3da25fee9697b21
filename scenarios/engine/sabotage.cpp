#include "scenarios/engine/sabotage.hpp"

#include <algorithm>

#include "scenarios/engine/sabotage_ports.hpp"

namespace drover::scenario {
namespace {

using api::Request;
using api::Response;
using nlohmann::json;

constexpr Duration kNeverAgain = std::chrono::hours(24 * 365);

template <class... Commands>
bool is_any(const AgentCommand& command) {
  return (std::holds_alternative<Commands>(command) || ...);
}

bool opens(const AgentCommand& command) {
  const auto* change = std::get_if<SetReadOnly>(&command);
  return change != nullptr && !change->read_only;
}
bool fences(const AgentCommand& command) {
  const auto* change = std::get_if<SetReadOnly>(&command);
  return change != nullptr && change->read_only;
}

// --- the API ---

void turn_into_question(Request& request, const char* from, const char* question) {
  if (request.method != from) return;
  request.method = question;
  request.verb = api::Verb::get;
  if (request.method != "get_operation") request.params = json::object();
}

void take_any_count(Request& request) {
  const auto count = request.params.is_object() ? request.params.find("count") : request.params.end();
  if (count == request.params.end()) return;
  if (!count->is_number_integer() || *count < 1) *count = 1;
}

void count_one_more(Request& request) {
  if (!request.params.is_object() || !request.params.contains("count")) return;
  auto& count = request.params["count"];
  if (count.is_number_integer() && count > 0) count = count.get<std::int64_t>() + 1;
}

void swap_partial(Request& request) {
  if (!request.params.is_object() || !request.params.contains("partial")) return;
  auto& partial = request.params["partial"];
  partial = partial == "keep" ? "rollback" : "keep";
}

void erase_parameter(Request& request, const char* name) {
  if (request.params.is_object()) request.params.erase(name);
}

void take_numbers_for_nothing(Request& request) {
  for (const char* name : {"id", "serviceNodeId"})
    if (request.params.is_object() && request.params.contains(name) && request.params[name].is_number())
      request.params[name] = "none";
}

void forget_refusals(Response& response) {
  if (!response.failed) return;
  response.failed = false;
  response.error.clear();
}

void hide_a_node(const std::string& method, Response& response) {
  if (method != "list_nodes" || response.failed) return;
  for (auto& [key, ids] : response.result.items())
    if (ids.is_array() && !ids.empty()) ids.erase(ids.size() - 1);
}

void make_zeros(nlohmann::json& of) {
  for (auto& [key, value] : of.items()) {
    if (value.is_number()) value = 0;
    if (value.is_object()) make_zeros(value);
  }
}
void answer_with_zeros(Response& response) { make_zeros(response.result); }

Sabotage on_request(const char* name, const char* breaks, void (*change)(Request&)) {
  Sabotage sabotage{name, breaks};
  sabotage.request = change;
  return sabotage;
}
Sabotage on_response(const char* name, const char* breaks,
                     std::function<void(const std::string&, Response&)> change) {
  Sabotage sabotage{name, breaks};
  sabotage.response = std::move(change);
  return sabotage;
}
Sabotage on_iaas(const char* name, const char* breaks, IaasBreaker breaker) {
  Sabotage sabotage{name, breaks};
  sabotage.iaas = std::move(breaker);
  return sabotage;
}
Sabotage on_agent(const char* name, const char* breaks, AgentBreaker breaker) {
  Sabotage sabotage{name, breaks};
  sabotage.agent = std::move(breaker);
  return sabotage;
}
Sabotage on_store(const char* name, const char* breaks, StoreBreaker breaker) {
  Sabotage sabotage{name, breaks};
  sabotage.store = std::move(breaker);
  return sabotage;
}
Sabotage on_configuration(const char* name, const char* breaks, void (*change)(ops::Configuration&)) {
  Sabotage sabotage{name, breaks};
  sabotage.configuration = change;
  return sabotage;
}

void add_api(std::vector<Sabotage>& all) {
  all.push_back(on_response("refusals_become_success", "illegal calls are refused",
                            [](const std::string&, Response& r) { forget_refusals(r); }));
  all.push_back(on_response("answers_lose_the_code", "a refusal carries its documented code",
                            [](const std::string&, Response& r) { r.code = api::Code::E_CONFIG_NOT_EXIST; }));
  all.push_back(on_response("answers_lose_their_content", "questions are answered with what was asked for",
                            [](const std::string& method, Response& r) {
                              if (method.starts_with("get") || method == "sqldump" ||
                                  method == "list_operations")
                                r.result = json::object();
                            }));
  all.push_back(on_response("history_is_empty", "the history tells what happened",
                            [](const std::string& method, Response& r) {
                              if (method == "get_service_history") r.result["history"] = json::array();
                            }));
  all.push_back(
      on_response("state_always_running", "the state is told as it is", [](const std::string&, Response& r) {
        if (r.result.is_object() && r.result.contains("state")) r.result["state"] = "RUNNING";
      }));
  all.push_back(on_response("performance_is_a_placeholder", "performance is measured",
                            [](const std::string& method, Response& r) {
                              if (method == "get_service_performance") answer_with_zeros(r);
                            }));
  all.push_back(on_response("list_hides_a_node", "list_nodes names every node", hide_a_node));
  all.push_back(on_response("topology_forgets_the_master", "get_topology names the master",
                            [](const std::string& method, Response& r) {
                              if (method == "get_topology") r.result["master"] = nullptr;
                            }));
  all.push_back(on_request("keys_are_ignored", "a repeated key gives the same operation",
                           [](Request& r) { erase_parameter(r, "key"); }));
  all.push_back(on_request("any_count_is_taken", "a count is a positive integer", take_any_count));
  all.push_back(on_request("counts_one_more", "as many nodes as were asked for", count_one_more));
  all.push_back(on_request("numbers_are_no_ids", "ids compare as text", take_numbers_for_nothing));
  all.push_back(on_request("force_is_implied", "the master is removed only by force", [](Request& r) {
    if (r.method == "remove_nodes" && r.params.is_object()) r.params["force"] = true;
  }));
  all.push_back(on_request("cancel_does_nothing", "a cancelled operation stops",
                           [](Request& r) { turn_into_question(r, "cancel_operation", "get_operation"); }));
  all.push_back(on_request("shutdown_does_nothing", "a shutdown ends the service",
                           [](Request& r) { turn_into_question(r, "shutdown", "get_service_info"); }));
  all.push_back(on_request("startup_does_nothing", "startup starts the service",
                           [](Request& r) { turn_into_question(r, "startup", "get_service_info"); }));
}

void add_iaas(std::vector<Sabotage>& all) {
  all.push_back(on_iaas("kill_does_nothing", "VMs of removed nodes go away", kills_do_nothing(false)));
  all.push_back(on_iaas("kill_is_believed", "a VM's end is confirmed", kills_do_nothing(true)));
  all.push_back(on_iaas("creates_twice", "one VM a node", creates_twice()));
  all.push_back(on_iaas("never_looks_before_asking_again",
                        "a creation without an answer is looked for and repeated under its token",
                        never_looks_before_asking_again()));
  all.push_back(on_iaas("leaves_tags_out", "every VM carries tags by which it is found", leaves_tags_out()));
  all.push_back(on_iaas("sees_no_listing", "listings are searched for lost VMs", sees_no_listing()));
  all.push_back(on_iaas("believes_short_listings", "a listing that lacks a VM is not believed",
                        believes_short_listings()));
  all.push_back(on_iaas("gives_up_what_is_not_found", "not_found about one's own VM is not believed",
                        gives_up_what_is_not_found()));
  all.push_back(on_iaas("believes_backward_looks", "answers that go backwards are not believed",
                        believes_backward_looks()));
  all.push_back(
      on_iaas("creates_one_after_another", "VMs are created in parallel", creates_one_after_another()));
  all.push_back(on_iaas("drops_retry_after", "Retry-After is heeded", drops_retry_after()));
  all.push_back(on_iaas("never_recovers_from_an_error", "a call that failed is made again",
                        never_recovers_from_an_error()));
  all.push_back(on_iaas("keeps_first_address", "a changed address is noticed", keeps_first_address()));
  all.push_back(on_iaas("sees_no_boot_failures", "boot failures are noticed", sees_no_boot_failures()));
  all.push_back(on_iaas("takes_refusals_for_vms", "a refused creation is no VM", takes_refusals_for_vms()));
}

void add_agent(std::vector<Sabotage>& all) {
  all.push_back(on_agent("agent_commands_do_nothing", "roles are given to servers",
                         drops_commands(is_any<SetUpPrimary, SetUpReplica, StopReplica, SetReadOnly>)));
  all.push_back(on_agent("servers_are_not_started", "a server that is down is started",
                         drops_commands(is_any<StartServer>)));
  all.push_back(on_agent("users_are_dropped", "users and passwords reach the servers",
                         drops_commands(is_any<ConfigureUser, DeleteUser, SetPassword>)));
  all.push_back(on_agent("dumps_are_dropped", "dumps reach the servers", drops_commands(is_any<LoadDump>)));
  all.push_back(on_agent("master_stays_read_only", "the master takes writes", drops_commands(opens)));
  all.push_back(
      on_agent("fences_do_nothing", "who must not take writes is made read-only", drops_commands(fences)));
  all.push_back(on_agent("promotes_without_waiting", "the new master has everything before it takes over",
                         drops_commands(is_any<WaitForGtid>)));
  all.push_back(on_agent("data_is_not_cloned", "a new slave takes the master's data",
                         changes_commands([](AgentCommand& command) {
                           if (auto* replica = std::get_if<SetUpReplica>(&command)) replica->clone = false;
                         })));
  all.push_back(on_agent("sources_are_mistaken", "a slave replicates from whom it was told",
                         changes_commands([](AgentCommand& command) {
                           if (auto* replica = std::get_if<SetUpReplica>(&command))
                             replica->source.address = "10.255.255.1";
                         })));
  all.push_back(on_agent("server_ids_are_mistaken", "a slave gets the server-id that was asked for",
                         changes_commands([](AgentCommand& command) {
                           if (auto* replica = std::get_if<SetUpReplica>(&command)) replica->server_id = 1;
                         })));
  all.push_back(
      on_agent("believes_agents", "an agent's word is checked against its server", believes_agents()));
  all.push_back(
      on_agent("replicas_seem_deaf", "a master that a replica hears is not dead", deafens_replicas()));
  all.push_back(on_agent("ignores_identity", "who answers is checked", ignores_identity()));
  all.push_back(on_agent("hears_silent_agents", "silence is noticed", hears_silent_agents()));
  all.push_back(
      on_agent("never_repeats_commands", "a command that failed is given again", never_repeats_commands()));
  all.push_back(
      on_agent("sets_up_replicas_once", "broken replication is set up again", sets_up_replicas_once()));
}

void add_rest(std::vector<Sabotage>& all) {
  all.push_back(on_store("journal_forgets", "what was accepted survives a crash", forgets_commits(false)));
  all.push_back(
      on_store("journal_forgets_nodes", "records of nodes and operations survive", forgets_commits(true)));
  Sabotage unfenced =
      on_store("old_managers_are_obeyed", "a manager that was replaced is fenced off", obeys_everyone());
  unfenced.agent = changes_commands([](AgentCommand& command) { set_generation(command, 0); });
  all.push_back(std::move(unfenced));
  Sabotage older = on_iaas("newer_looks_older", "a VM or an epoch that is newer than the journal is noticed",
                           hides_origins());
  older.agent = hides_epochs();
  all.push_back(std::move(older));
  all.push_back(on_store("storage_errors_are_ignored", "nothing is done that is not journaled",
                         ignores_storage_errors()));
  all.push_back(on_configuration("retries_are_off", "calls that failed are repeated",
                                 [](ops::Configuration& c) { c.retry.attempts = 1; }));
  all.push_back(on_configuration("failover_is_off", "a dead master is replaced",
                                 [](ops::Configuration& c) { c.failover.automatic = false; }));
  all.push_back(on_configuration("one_failover_an_hour", "a second death is handled too",
                                 [](ops::Configuration& c) { c.failover.pause = 1h; }));
  all.push_back(on_configuration("errant_is_cloned", "a former master with its own transactions is refused",
                                 [](ops::Configuration& c) { c.failover.clone_errant = true; }));
  all.push_back(on_configuration("lost_at_the_first_miss", "one look that is not answered means nothing",
                                 [](ops::Configuration& c) { c.lost_after = 1; }));
  all.push_back(on_configuration("replacements_are_off", "a VM that does not come up is replaced",
                                 [](ops::Configuration& c) { c.boot_attempts = 1; }));
  all.push_back(on_configuration("patience_is_short", "slow VMs are waited for", [](ops::Configuration& c) {
    c.boot_timeout = 100s;
    c.boot_attempts = 1;
  }));
  all.push_back(
      on_configuration("calls_wait_for_ever", "a call without an answer times out",
                       [](ops::Configuration& c) { c.iaas_timeout = c.agent_timeout = kNeverAgain; }));
  all.push_back(on_configuration("reconciler_is_off", "VMs that nobody accounts for are found and destroyed",
                                 [](ops::Configuration& c) { c.reconcile_interval = kNeverAgain; }));
  all.push_back(on_configuration("polls_are_off", "agents are looked at",
                                 [](ops::Configuration& c) { c.poll_agents_timer = kNeverAgain; }));
  all.push_back(on_configuration("queue_has_no_end", "the queue is bounded",
                                 [](ops::Configuration& c) { c.limits.max_queued = 1'000'000; }));
  all.push_back(on_configuration("durability_is_swapped",
                                 "a write survives what the durability mode promises",
                                 [](ops::Configuration& c) { c.semi_sync = !c.semi_sync; }));
  Sabotage partial =
      on_configuration("partial_policies_are_swapped", "a partial creation is kept or rolled back as asked",
                       [](ops::Configuration& c) {
                         c.partial = c.partial == model::PartialPolicy::keep ? model::PartialPolicy::rollback
                                                                             : model::PartialPolicy::keep;
                       });
  partial.request = swap_partial;
  all.push_back(std::move(partial));
}

}  // namespace

std::span<const Sabotage> sabotages() {
  static const std::vector<Sabotage> all = [] {
    std::vector<Sabotage> table;
    add_api(table);
    add_iaas(table);
    add_agent(table);
    add_rest(table);
    return table;
  }();
  return all;
}

const Sabotage* find_sabotage(std::string_view name) {
  const auto all = sabotages();
  const auto found = std::ranges::find(all, name, &Sabotage::name);
  return found == all.end() ? nullptr : &*found;
}

}  // namespace drover::scenario

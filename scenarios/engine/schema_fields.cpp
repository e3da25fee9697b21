#include "scenarios/engine/schema_fields.hpp"

namespace drover::scenario {
namespace {

using enum FieldType;
using Text = std::string_view;

constexpr Field kQuota[] = {
    {"instances", integer, "VMs the account may have"},
    {"volumes", integer, "volumes the account may have"},
};
constexpr Field kThrottle[] = {
    {"rate", rate, "calls the provider takes in the long run; more are throttled"},
    {"burst", integer, "calls it takes at once", "20", {}, {}, 1},
    {"retry_after", duration, "what it says in Retry-After; none when left out"},
};
constexpr Field kCloud[] = {
    {"boot", distribution, "from accepted creation to running", "lognormal(p50=40s, p99=2m)"},
    {"address_delay", distribution, "from running to having an address", "0s"},
    {"list_lag", distribution, "how far listVMs and getVMInfo lag behind", "0s"},
    {"call_latency", distribution, "of every IaaS call, there and back", "lognormal(p50=80ms, p99=600ms)"},
    {"stop", distribution, "from the call to stopped", "uniform(5s, 20s)"},
    {"reboot", distribution, "from the call to running again", "uniform(20s, 60s)"},
    {"terminate", distribution, "from the call to terminated", "uniform(5s, 30s)"},
    {"terminated_listed", duration, "how long terminated VMs stay in listings", "1h"},
    {"terminated_counts", boolean, "whether they count against the quota while listed", "no"},
    {"quota", section, "limits of the account; none when left out", "", kQuota},
    {"capacity", integer, "VMs the provider has room for; no limit when left out"},
    {"throttle", section, "limit on the rate of calls", "", kThrottle},
    {"images", texts, "names of the images there are"},
    {"sizes", list, "names or descriptions of the sizes there are"},
    {"networks", texts, "names of the networks there are"},
};
constexpr Field kAgents[] = {
    {"start", distribution, "from a running VM to an agent that answers", "lognormal(p50=5s, p99=20s)"},
    {"heartbeat", duration, "gap between heartbeats; 0s: none", "30s"},
    {"command_latency", distribution, "of every command, there and back", "lognormal(p50=20ms, p99=300ms)"},
    {"lag", distribution, "how far replicas lag behind their primary", "lognormal(p50=50ms, p99=2s)"},
    {"data_mb", integer, "data on the primary, in MB: what a new replica has to copy", "50"},
    {"strict", boolean, "gtid_strict_mode of the servers", "yes"},
};
constexpr Text kDurability[] = {"async", "semi_sync"};
constexpr Text kStartup[] = {"auto", "manual"};
constexpr Text kPartial[] = {"rollback", "keep"};
constexpr Field kRetry[] = {
    {"first", duration, "wait before the first retry; it doubles from there", "1s"},
    {"limit", duration, "longest wait between retries", "60s"},
    {"attempts", integer, "tries in all", "8", {}, {}, 1, 1000},
};
constexpr Text kWhenLate[] = {"wait", "lose"};
constexpr Text kErrant[] = {"refuse", "clone"};
constexpr Field kFailover[] = {
    {"automatic", boolean, "a dead master is replaced without being asked", "no"},
    {"watch", duration, "gap between looks at the master", "250ms"},
    {"patience", duration, "of an agent, for its server's answer", "500ms"},
    {"hung_after", duration, "how long a server that runs may give no answer", "1500ms"},
    {"pause", duration, "after a fail-over, until the next automatic one", "1m"},
    {"drain_timeout", duration, "until the successor has applied what it has received", "1m"},
    {"when_late",
     choice,
     "then: wait (fail, and try again) or lose (go on without the rest, and say how much)",
     "wait",
     {},
     kWhenLate},
    {"kill_vm", boolean, "whether a master whose agent is silent may be fenced by destroying its VM", "yes"},
    {"replace", boolean, "whether a lost VM is replaced by another slave", "no"},
    {"errant",
     choice,
     "a former master with transactions that nobody else has: refuse it, or clone the new master over it",
     "refuse",
     {},
     kErrant},
};
constexpr Field kManager[] = {
    {"poll_agents_timer", duration, "gap between looks at every agent", "10s"},
    {"poll_interval", duration, "gap between looks at a VM that is being created or deleted", "10s"},
    {"boot_timeout", duration, "how long a VM may take until it runs", "10m"},
    {"agent_timeout", duration, "for one command to an agent", "10s"},
    {"iaas_timeout", duration, "for one call to the cloud", "10s"},
    {"durability", choice, "what an acknowledged write survives", "async", {}, kDurability},
    {"startup", choice, "whether the service starts with the manager", "auto", {}, kStartup},
    {"reconcile_interval", duration, "gap between comparisons of cloud and journal", "1m"},
    {"retry", section, "of failed calls", "", kRetry},
    {"failover", section, "of a dead master", "", kFailover},
    {"partial",
     choice,
     "what add_nodes does with the VMs it got when it cannot get all",
     "rollback",
     {},
     kPartial},
    {"parallelism", integer, "calls of one operation at the same time", "64", {}, {}, 1, 1000},
    {"max_queued",
     integer,
     "operations waiting at most; further requests are refused",
     "64",
     {},
     {},
     0,
     1'000'000},
};
constexpr Field kNetwork[] = {
    {"delay", distribution, "of every message, one way", "500us"},
    {"manager_delay", distribution, "to and from the manager; as `delay` when left out"},
    {"client_delay", distribution, "between clients and nodes; as `delay` when left out"},
    {"loss", number, "share of the segments lost, which are sent again later", "0", {}, {}, 0, 1},
};
constexpr Text kTrafficKinds[] = {"counter"};
constexpr Field kTraffic[] = {
    {"writers", integer, "clients writing to the master and checking what they read", "0", {}, {}, 0, 10'000},
    {"rate", rate, "writes of each writer", "10/s"},
    {"kind", choice, "what they write: increments of a counter of their own", "counter", {}, kTrafficKinds},
    {"topology_every", duration,
     "how often they ask the manager who the master is; also after a failed write", "10s"},
};

constexpr Field kCallExpect[] = {
    {"error", match, "the call must fail with this text in its error, or a match of /regex/"},
    {"code", code, "and with this code, by number or by name"},
    {"result", map, "keys and values that the answer must have"},
    {"state", text, "the `state` in the answer"},
};
constexpr Field kClient[] = {
    {"timeout", duration, "how long the client waits for an answer", "30s"},
    {"retries", integer, "how often it tries again after a timeout", "0", {}, {}, 0, 1000},
    {"backoff", duration, "how long it waits before each retry", "1s"},
};
constexpr Field kRepeat[] = {
    {"times", integer, "how often", "", {}, {}, 1, 10'000},
    {"steps", steps, "what"},
};
constexpr Field kAwait[] = {
    {"operation", text, "its id, usually \"$job.operation\""},
    {"state", text, "the state to wait for", "DONE"},
};
constexpr Text kEnds[] = {"DONE", "FAILED", "CANCELLED"};
constexpr Field kStep[] = {
    {"name", identifier, "name of the step: observation point step.<name>"},
    {"if", condition, "leaves the step out of the cases where it is false"},
    {"call", identifier, "API method to call"},
    {"with", map, "parameters of the call, the action or the workload; may hold references"},
    {"as", identifier, "name under which later steps see .operation, .result, .error and .code"},
    {"expect", section, "how the call must end; when left out, without an error", "", kCallExpect},
    {"client", section, "the patience of the caller", "", kClient},
    {"background", boolean, "go on without waiting for the answer", "no"},
    {"ends",
     choice,
     "waits for the end of the operation that the call began, which must be this",
     "",
     {},
     kEnds},
    {"eventually", checks, "waits until this holds"},
    {"check", checks, "must hold right now"},
    {"wait", duration, "lets this time pass"},
    {"until", duration, "lets time pass until so long after the start"},
    {"await", section, "waits for an operation to reach a state", "", kAwait},
    {"within", duration, "the longest wait of `eventually`, `await` and `ends`", "15m"},
    {"parallel", steps, "steps carried out at the same time; ends with the last"},
    {"repeat", section, "steps carried out several times", "", kRepeat},
    {"do", text, "fault made by the scenario itself at this moment"},
    {"on", text, "what the fault hits: a node, `$master`, `$nodes[0]`"},
    {"workload", identifier, "C++ workload to run, by its name"},
};

constexpr Text kBudget[] = {"tolerable", "beyond"};
constexpr Field kFault[] = {
    {"id", identifier, "name for other triggers and for expectations (<id>.fired)"},
    {"when", trigger, "fires at this observation point, e.g. iaas.newInstance.reply#1"},
    {"at", duration, "fires once, so long after the start"},
    {"every", distribution, "fires again and again, with gaps drawn from here"},
    {"until", duration, "no firing after this time"},
    {"subject", text, "only for this subject (node-2, node-*)"},
    {"probability", number, "chance of firing at each match", "", {}, {}, 0, 1},
    {"times", integer, "firings at most", "", {}, {}, 1},
    {"if", condition, "switches the fault off in the cases where it is false"},
    {"do", text, "action of the fault catalogue"},
    {"pick", texts, "draws one of these actions at each firing"},
    {"budget",
     choice,
     "tolerable: every invariant holds; beyond: only safety is judged",
     "tolerable",
     {},
     kBudget},
};
constexpr Text kCore[] = {"all", "random_majority"};
constexpr Field kQuiesce[] = {
    {"at", duration, "when faults stop; after the last step when left out"},
    {"core", choice, "who is healed: everyone, or a majority with faults for ever outside", "all", {}, kCore},
};
constexpr Field kExpectation[] = {
    {"always", expression, "holds after every event"},
    {"finally", expression, "holds at the end"},
    {"sometimes", expression, "holds at least once in the run"},
    {"never", expression, "holds after no event"},
};
constexpr Text kJudgedSteps[] = {"strict", "tolerant"};
constexpr Text kJudgedEnd[] = {"any", "as_without_faults"};
constexpr Field kJudge[] = {
    {"steps",
     choice,
     "tolerant: a step that does not end as it should is no failure, calls are repeated under a key until "
     "they "
     "are answered, and `expect` is not looked at; invariants always are",
     "strict",
     {},
     kJudgedSteps},
    {"end",
     choice,
     "as_without_faults: operations must end, and the service must look at the end, as in a run of the same "
     "file and seed without its faults",
     "any",
     {},
     kJudgedEnd},
};
constexpr Text kUnsupported[] = {"skip", "fail"};
constexpr Field kReal[] = {
    {"allow", boolean, "whether the scenario may run on a real cloud", "no"},
    {"max_instances",
     integer,
     "VMs at most; the run stops before it would exceed them",
     "6",
     {},
     {},
     1,
     1000},
    {"ttl", duration, "after which everything is cleaned up, whatever happens", "2h"},
    {"slack", factor, "every time limit is multiplied by it", "1x"},
    {"on_unsupported", choice, "for faults that this world cannot make", "skip", {}, kUnsupported},
};
constexpr Field kScenario[] = {
    {"schema", integer, "version of the language: 1", "", {}, {}, 1, 1},
    {"name", identifier, "name of the scenario, unique in a library"},
    {"description", text, "what must hold, in a sentence"},
    {"tags", texts, "for `drover run --tag`"},
    {"seeds", seeds, "seeds to run with", "1..5"},
    {"matrix", matrix, "every combination of these values is one case; steps and settings name them as $key"},
    {"cloud", section, "the IaaS", "", kCloud},
    {"agents", section, "agents and database servers", "", kAgents},
    {"network", section, "the network between manager, nodes and clients", "", kNetwork},
    {"manager", section, "configuration of the service manager", "", kManager},
    {"traffic", section, "clients of the database", "", kTraffic},
    {"steps", steps, "what happens, in order"},
    {"faults", faults, "what goes wrong, and when"},
    {"quiesce", section, "when faults stop: liveness is judged from here", "", kQuiesce},
    {"expect", expectations, "what must hold beside the built-in invariants"},
    {"judge", section, "how strictly steps and the end are judged", "", kJudge},
    {"real", section, "limits for real clouds", "", kReal},
};

}  // namespace

std::span<const Field> scenario_fields() { return kScenario; }
std::span<const Field> cloud_fields() { return kCloud; }
std::span<const Field> agents_fields() { return kAgents; }
std::span<const Field> network_fields() { return kNetwork; }
std::span<const Field> manager_fields() { return kManager; }
std::span<const Field> traffic_fields() { return kTraffic; }
std::span<const Field> step_fields() { return kStep; }
std::span<const Field> call_expect_fields() { return kCallExpect; }
std::span<const Field> client_fields() { return kClient; }
std::span<const Field> repeat_fields() { return kRepeat; }
std::span<const Field> await_fields() { return kAwait; }
std::span<const Field> fault_fields() { return kFault; }
std::span<const Field> quiesce_fields() { return kQuiesce; }
std::span<const Field> expectation_fields() { return kExpectation; }
std::span<const Field> judge_fields() { return kJudge; }
std::span<const Field> real_fields() { return kReal; }

std::span<const StepShape> step_shapes() {
  static const std::vector<StepShape> kShapes = {
      {"call", {"with", "as", "expect", "client", "background", "ends", "within"}},
      {"eventually", {"within"}},
      {"check", {}},
      {"wait", {}},
      {"until", {}},
      {"await", {"within"}},
      {"parallel", {}},
      {"repeat", {}},
      {"do", {"with", "on"}},
      {"workload", {"with"}},
  };
  return kShapes;
}

const Field* find_field(std::span<const Field> fields, std::string_view name) {
  for (const auto& field : fields)
    if (field.name == name) return &field;
  return nullptr;
}

std::vector<std::string> names_of(std::span<const Field> fields) {
  std::vector<std::string> names;
  for (const auto& field : fields) names.emplace_back(field.name);
  return names;
}

}  // namespace drover::scenario

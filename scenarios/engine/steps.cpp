#include "scenarios/engine/steps.hpp"

#include <regex>

#include "scenarios/engine/comparison.hpp"
#include "scenarios/engine/metrics.hpp"
#include "scenarios/engine/reference.hpp"
#include "scenarios/engine/workloads.hpp"

namespace drover::scenario {

using nlohmann::json;

namespace {

constexpr Duration kLookAgain = 5s;  // conditions on time or lag change without an event
constexpr Duration kLookBound = 10s;
constexpr Duration kPatience = 2min;  // how long a step without `client:` knocks at a dead manager's door
constexpr Duration kKnockEvery = 1s;
constexpr Duration kTolerantTimeout = 1min;    // of one attempt of a tolerant client
constexpr Duration kTolerantPatience = 15min;  // how much longer than the file says it waits
constexpr Duration kHopelessAfter = 2min;      // nothing under way for so long: it will not happen any more

std::string text_of(const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

bool matches(const Match& match, const std::string& text) {
  if (!match.is_regex) return text.find(match.text) != std::string::npos;
  return std::regex_search(text, std::regex(match.text, std::regex::ECMAScript));
}

std::optional<int> compare(const Value& left, const json& right) {
  if (const auto* text = std::get_if<std::string>(&left)) {
    const std::string other = right.is_null() ? std::string() : text_of(right);
    return text->compare(other) < 0 ? -1 : *text == other ? 0 : 1;
  }
  const double number =
      std::holds_alternative<bool>(left) ? (std::get<bool>(left) ? 1.0 : 0.0) : std::get<double>(left);
  double other = 0;
  if (right.is_boolean())
    other = right.get<bool>() ? 1 : 0;
  else if (right.is_number())
    other = right.get<double>();
  else if (right.is_string() && !right.get<std::string>().empty() &&
           right.get<std::string>().find_first_not_of("0123456789.") == std::string::npos)
    other = std::stod(right.get<std::string>());
  else
    return std::nullopt;
  return number < other ? -1 : number == other ? 0 : 1;
}

json captured(const ClientAnswer& answer) {
  json capture = json::object();
  if (answer.has_error()) {
    capture["error"] = answer.error().message;
    return capture;
  }
  const auto& response = answer.value();
  if (response.failed) {
    capture["error"] = response.error;
    capture["code"] = static_cast<int>(response.code);
    return capture;
  }
  capture["result"] = response.result;
  if (response.result.is_object() && response.result.contains("operation")) {
    const auto& operation = response.result.at("operation");
    capture["operation"] = operation.is_object() && operation.contains("id") ? operation.at("id") : operation;
  }
  return capture;
}

}  // namespace

bool is_subset(const json& part, const json& whole) {
  if (part.is_object()) {
    if (!whole.is_object()) return false;
    for (const auto& [key, value] : part.items())
      if (!whole.contains(key) || !is_subset(value, whole.at(key))) return false;
    return true;
  }
  if (part.is_array()) {
    if (!whole.is_array() || part.size() > whole.size()) return false;
    for (std::size_t i = 0; i < part.size(); ++i)
      if (!is_subset(part[i], whole[i])) return false;
    return true;
  }
  return part == whole;
}

api::Request make_request(World& world, const std::string& method, json params) {
  api::Request request;
  request.method = method;
  request.verb = api::Verb::post;
  for (const auto& row : api::exposed_functions())
    if (method == row.name) request.verb = row.verb;
  if (request.verb == api::Verb::upload) {
    for (const char* field : {"mysqldump", "mysqldump_file"}) {
      if (!params.contains(field) || !params.at(field).is_string()) continue;
      const std::string content = params.at(field).get<std::string>();
      request.files.push_back({field, world.add_upload(content), content.size()});
      params.erase(field);
    }
  }
  if (params.is_object() && params.contains("password") && params.at("password").is_string())
    world.add_secret(params.at("password").get<std::string>());
  request.params = std::move(params);
  return request;
}

json Steps::captures() const {
  json all = captures_;
  json nodes = json::array();
  json master = nullptr;
  if (const auto* manager = world_.manager(); manager != nullptr) {
    for (const auto id : manager->listed_nodes()) nodes.push_back(model::id_text(id));
    if (manager->model().service.primary != 0) master = model::id_text(manager->model().service.primary);
  }
  all["nodes"] = std::move(nodes);
  if (!captures_.contains("master")) all["master"] = std::move(master);
  return all;
}

void Steps::fail(const Step& step, const std::string& message) {
  if (is_tolerant()) {
    shortfalls_.push_back(describe(step));
    world_.trace().add(TraceKind::note, "step", message);
    return;
  }
  failed_ = true;
  const std::string name = step.name.empty() ? describe(step) : step.name + " (" + describe(step) + ")";
  world_.report("step", "line " + std::to_string(step.place.line) + ", " + name + ": " + message,
                "step " + describe(step));
}

Task<void> Steps::run(const std::vector<Step>& steps) {
  for (const Step& step : steps) {
    if (failed_) co_return;
    co_await run_one(&step);
  }
}

Task<void> Steps::run_one(const Step* step) {
  world_.trace().add(TraceKind::step, step->name, describe(*step));
  if (!step->name.empty()) world_.faults().observe("step." + step->name, step->name);
  if (const auto* one = std::get_if<Call>(&step->action)) {
    co_await call(step, one);
  } else if (const auto* wanted = std::get_if<Eventually>(&step->action)) {
    co_await eventually(step, wanted);
  } else if (const auto* check = std::get_if<Check>(&step->action)) {
    co_await check_now(step, check);
  } else if (const auto* wait = std::get_if<Wait>(&step->action)) {
    co_await sleep_for(wait->time);
  } else if (const auto* until = std::get_if<Until>(&step->action)) {
    if (kEpoch + until->time > world_.scheduler().now()) co_await sleep_until(kEpoch + until->time);
  } else if (const auto* awaited = std::get_if<Await>(&step->action)) {
    co_await await_operation(step, awaited);
  } else if (const auto* beside = std::get_if<Parallel>(&step->action)) {
    co_await parallel(&beside->steps);
  } else if (const auto* again = std::get_if<Repeat>(&step->action)) {
    for (unsigned i = 0; i < again->times && !failed_; ++i) co_await run(again->steps);
  } else if (const auto* action = std::get_if<Do>(&step->action)) {
    act(*step, *action);
  } else if (const auto* workload = std::get_if<Workload>(&step->action)) {
    co_await run_workload(step, workload);
  }
}

Task<void> Steps::parallel_one(const Step* step, std::size_t* left, Signal* done) {
  co_await run_one(step);
  if (--*left == 0) done->notify_all();
}

Task<void> Steps::parallel(const std::vector<Step>* steps) {
  std::size_t left = steps->size();
  Signal done;
  for (const Step& step : *steps) spawn(world_.domain(), parallel_one(&step, &left, &done));
  while (left > 0) (void)co_await done.wait(kForever);
}

// --- calls ---

Task<void> Steps::call(const Step* step, const Call* call) {
  auto params = resolve(call->with, captures());
  if (params.has_error()) {
    fail(*step, params.error().message);
    co_return;
  }
  json resolved = std::move(params).value();
  if (is_tolerant()) add_key(*call, resolved);
  api::Request request = make_request(world_, call->method, std::move(resolved));
  if (call->background) {
    spawn(world_.domain(), finish_in_background(step, call, std::move(request)));
    co_return;
  }
  const std::size_t shortfalls = shortfalls_.size();
  std::string began = co_await finish_call(step, call, std::move(request));
  if (call->ends.empty() || failed_ || shortfalls_.size() > shortfalls) co_return;
  if (began.empty()) {
    fail(*step, "began no operation");
    co_return;
  }
  std::string state = call->ends;
  co_await await_end(step, std::move(began), std::move(state), call->within);
}

Task<void> Steps::finish_in_background(const Step* step, const Call* call, api::Request request) {
  (void)co_await finish_call(step, call, std::move(request));
}

Task<std::string> Steps::finish_call(const Step* step, const Call* call, api::Request request) {
  std::string key;
  if (request.params.is_object() && request.params.contains("key") && request.params.at("key").is_string())
    key = request.params.at("key").get<std::string>();
  const Client client = call->client.value_or(Client{});
  ClientAnswer answer = make_error(ErrorCode::internal, "not asked");
  if (is_tolerant())
    answer = co_await ask_until_answered(std::move(request));
  else
    answer = co_await ask(std::move(request), client, !call->client.has_value());
  const json capture = captured(answer);
  if (!call->as.empty()) captures_[call->as] = capture;
  if (answer.has_value() && !answer.value().failed && answer.value().result.is_object()) {
    const auto& result = answer.value().result;
    if (result.contains("operation") && result.at("operation").is_string() && call->method != "get_operation")
      referee_.acknowledged(std::stoll(result.at("operation").get<std::string>()), key);
  }
  judge(*step, *call, answer);
  co_return capture.contains("operation") ? text_of(capture.at("operation")) : std::string();
}

// A client that waits, and tries again as it was told to. A step without `client:` only waits for a dead
// manager to come back: a refused connection has had no effect.
Task<ClientAnswer> Steps::ask(api::Request request, Client client, bool patient) {
  const TimePoint patience = world_.scheduler().later(kPatience);
  unsigned retries = 0;
  while (true) {
    const api::Request sent = request;
    const Duration timeout = client.timeout * (patient ? 40 : 1);
    ClientAnswer answer = co_await await_reply<api::Response>(timeout, [&](Handler<api::Response> handler) {
      auto shared = std::make_shared<Handler<api::Response>>(std::move(handler));
      world_.request(
          sent, [shared](ClientAnswer got) { (*shared)(std::move(got)); },
          patient ? Patience::keeps_on : Patience::once);
    });
    if (answer.has_value()) co_return answer;
    const bool refused = answer.error().code == ErrorCode::unavailable;
    if (patient) {
      if (!refused || world_.scheduler().now() >= patience) co_return answer;
      co_await sleep_for(kKnockEvery);
      continue;
    }
    if (retries++ >= client.retries) co_return answer;
    co_await sleep_for(client.backoff);
  }
}

void Steps::add_key(const Call& call, json& params) {
  for (const auto& row : api::exposed_functions()) {
    if (call.method != row.name) continue;
    for (const auto& parameter : row.parameters)
      if (std::string_view(parameter.name) == "key" && !params.contains("key"))
        params["key"] = "call-" + std::to_string(++keys_);
  }
}

// A client that does not let go: with a key, or when nothing can have happened, it asks until it is answered.
Task<ClientAnswer> Steps::ask_until_answered(api::Request request) {
  const bool has_key = request.params.is_object() && request.params.contains("key");
  const TimePoint limit = world_.scheduler().later(kTolerantPatience);
  while (true) {
    const api::Request sent = request;
    ClientAnswer answer =
        co_await await_reply<api::Response>(kTolerantTimeout, [&](Handler<api::Response> handler) {
          auto shared = std::make_shared<Handler<api::Response>>(std::move(handler));
          world_.request(sent, [shared](ClientAnswer got) { (*shared)(std::move(got)); });
        });
    if (answer.has_value() || world_.scheduler().now() >= limit) co_return answer;
    const bool refused = answer.error().code == ErrorCode::unavailable;
    if (!refused && !has_key && request.verb != api::Verb::get) co_return answer;
    co_await sleep_for(kKnockEvery);
  }
}

Duration Steps::patience(Duration within) const {
  return is_tolerant() ? within * 2 + kTolerantPatience : within;
}

// Whether waiting is pointless: nothing has been under way for a while.
bool Steps::is_hopeless(TimePoint& settled_since) {
  if (!is_tolerant()) return false;
  if (!referee_.settled()) {
    settled_since = kNever;
    return false;
  }
  if (settled_since == kNever) settled_since = world_.scheduler().now();
  return world_.scheduler().now() - settled_since > kHopelessAfter;
}

void Steps::judge(const Step& step, const Call& call, const ClientAnswer& answer) {
  const CallExpect& expect = call.expect;
  if (answer.has_value() && !answer.value().method_found) {
    if (!expect.error || !matches(*expect.error, "method not found")) fail(step, "method not found");
    return;
  }
  const bool failed = answer.has_error() || answer.value().failed;
  const std::string error = answer.has_error() ? answer.error().message : answer.value().error;
  if (!expect.error && !expect.code) {
    if (failed)
      return fail(step, "failed: " + error + (answer.has_value() ? " " + answer.value().data.dump() : ""));
  } else if (!failed) {
    return fail(step, "succeeded, but was to fail" +
                          (expect.error ? " with \"" + expect.error->text + "\"" : "") + ": " +
                          answer.value().result.dump());
  }
  if (expect.error && !matches(*expect.error, error) &&
      !(answer.has_value() && matches(*expect.error, answer.value().data.dump())))
    return fail(step, "failed with \"" + error + "\" instead of \"" + expect.error->text + "\"");
  if (expect.code && (answer.has_error() || static_cast<int>(answer.value().code) != *expect.code))
    return fail(step, "failed with another code than " + std::to_string(*expect.code) + ": " + error);
  if (failed) return;
  const json& result = answer.value().result;
  if (expect.result) {
    auto wanted = resolve(*expect.result, captures());
    if (wanted.has_error()) return fail(step, wanted.error().message);
    if (!is_subset(wanted.value(), result))
      return fail(step, "answered " + result.dump() + ", which does not hold " + wanted.value().dump());
  }
  if (expect.state) {
    const json state = result.is_object() ? result.value("state", json()) : json();
    if (state != *expect.state) fail(step, "answered state " + state.dump() + " instead of " + *expect.state);
  }
}

// --- conditions ---

std::string Steps::trouble(const Checks& checks) {
  if (checks.expression) {
    const auto value = checks.expression->holds([this](unsigned slot) { return read_slot(world_, slot); });
    if (value.has_error()) return value.error().message;
    if (value.value()) return {};
    std::string text = "\"" + checks.expression->text() + "\" does not hold:";
    for (const auto& name : checks.expression->names())
      text += " " + name.name + "=" + to_text(read_slot(world_, name.slot));
    return text;
  }
  for (const Condition& condition : checks.conditions) {
    const Metric* metric = find_metric(condition.name);
    if (metric == nullptr) return "there is no metric \"" + condition.name + "\"";
    json wanted = condition.value;
    if (wanted.is_string() && wanted.get_ref<const std::string&>().find('$') != std::string::npos) {
      auto resolved = resolve(wanted, captures());
      if (resolved.has_error()) return resolved.error().message;
      wanted = std::move(resolved).value();
    }
    const Value value = metric->read(world_);
    const auto order = compare(value, wanted);
    if (!order) return condition.name + " cannot be compared with " + wanted.dump();
    if (holds(*order, condition.comparison)) continue;
    std::string text = condition.name + " is " + to_text(value) + ", not " + to_text(condition.comparison) +
                       " " + text_of(wanted);
    // What else was asked for tells why: nobody writes, and the epoch is the old one.
    for (const Condition& other : checks.conditions)
      if (const Metric* beside = find_metric(other.name); beside != nullptr && other.name != condition.name)
        text += "; " + other.name + " is " + to_text(beside->read(world_));
    return text;
  }
  return {};
}

void Steps::after_change() {
  if (watchers_.empty()) return;
  std::vector<Watcher> woken;
  for (auto at = watchers_.begin(); at != watchers_.end();) {
    if (trouble(*at->checks).empty()) {
      woken.push_back(std::move(*at));
      at = watchers_.erase(at);
    } else {
      ++at;
    }
  }
  for (auto& watcher : woken) watcher.handler(success());
}

Task<void> Steps::look() {
  if (world_.sees_at_once()) co_return;
  (void)co_await await_reply<void>(kLookBound,
                                   [this](Handler<void> handler) { world_.look(std::move(handler)); });
}

Task<void> Steps::check_now(const Step* step, const Check* check) {
  co_await look();
  const std::string why = trouble(check->checks);
  if (!why.empty()) fail(*step, why);
}

Task<void> Steps::eventually(const Step* step, const Eventually* wanted) {
  const TimePoint deadline = world_.scheduler().later(patience(wanted->within));
  TimePoint settled_since = kNever;
  co_await look();
  std::string why = trouble(wanted->checks);
  while (!why.empty()) {
    const Duration left = deadline - world_.scheduler().now();
    if (left <= Duration{0} || is_hopeless(settled_since)) {
      const std::string message = "not within " + drover::to_text(wanted->within) + ": " + why;
      fail(*step, message);
      co_return;
    }
    const auto* checks = &wanted->checks;
    (void)co_await await_reply<void>(std::min(left, kLookAgain), [&](Handler<void> handler) {
      watchers_.push_back({checks, std::move(handler)});
    });
    std::erase_if(watchers_, [checks](const Watcher& watcher) { return watcher.checks == checks; });
    why = trouble(wanted->checks);
  }
}

Task<void> Steps::await_operation(const Step* step, const Await* wanted) {
  auto resolved = resolve_text(wanted->operation, captures());
  if (resolved.has_error()) {
    fail(*step, resolved.error().message);
    co_return;
  }
  std::string operation = std::move(resolved).value(), state = wanted->state;
  co_await await_end(step, std::move(operation), std::move(state), wanted->within);
}

Task<void> Steps::await_end(const Step* step, std::string text, std::string wanted, Duration within) {
  const TimePoint deadline = world_.scheduler().later(patience(within));
  const bool is_number =
      !text.empty() && text.size() < 18 && text.find_first_not_of("0123456789") == std::string::npos;
  if (!is_number) {
    fail(*step, "\"" + text + "\" is no operation");
    co_return;
  }
  const model::OperationId id = std::stoll(text);
  while (true) {
    const auto* manager = world_.manager();
    const auto* operation = manager == nullptr ? nullptr : manager->model().operation(id);
    if (operation != nullptr) {
      const std::string state = model::to_text(operation->state);
      if (state == wanted) co_return;
      if (model::is_ended(operation->state)) {
        const std::string message = "operation " + text + " ended " + state + " instead of " + wanted + ": " +
                                    operation->error + operation->warning;
        fail(*step, message);
        co_return;
      }
    } else if (manager != nullptr) {
      const std::string message = "there is no operation " + text;
      fail(*step, message);
      co_return;
    }
    if (world_.scheduler().now() >= deadline) {
      const std::string message =
          "operation " + text + " was not " + wanted + " within " + drover::to_text(within);
      fail(*step, message);
      co_return;
    }
    co_await sleep_for(world_.pace().await_look);
  }
}

// --- faults and workloads ---

void Steps::act(const Step& step, const Do& action) {
  const auto* row = fault::find_action(action.action);
  if (row == nullptr || row->is_call())
    return fail(step, "\"" + action.action + "\" cannot be done by a step; use a fault with a trigger");
  const auto all = captures();
  fault::Rule rule;
  rule.action = action.action;
  for (const auto& [name, value] : action.arguments) {
    auto text = resolve_text(value, all);
    if (text.has_error()) return fail(step, text.error().message);
    rule.arguments[name] = std::move(text).value();
  }
  const auto target = resolve_text(action.subject, all);
  if (target.has_error()) return fail(step, target.error().message);
  fault::Action performed;
  performed.name = action.action;
  performed.target = target.value();
  performed.rule = "step";
  performed.arguments = fault::resolve_arguments(*row, rule, world_.choices(), "step:" + describe(step));
  world_.trace().add(TraceKind::fault, action.action, performed.target);
  if (const auto done = world_.act(performed); done.has_error())
    fail(step, done.error().message);
  else
    world_.note_done(performed.name);
}

Task<void> Steps::run_workload(const Step* step, const Workload* workload) {
  auto parameters = resolve(workload->with, captures());
  if (parameters.has_error()) {
    fail(*step, parameters.error().message);
    co_return;
  }
  const auto* run = find_workload(workload->name);
  if (run == nullptr) {
    fail(*step, "there is no workload \"" + workload->name + "\"");
    co_return;
  }
  json with = std::move(parameters).value();
  const std::string why = co_await run->run(world_, referee_, std::move(with));
  if (!why.empty()) fail(*step, why);
}

}  // namespace drover::scenario

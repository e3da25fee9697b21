// The API as clients reach it: through the network, to whichever manager runs.
#include <algorithm>
#include <memory>

#include "scenarios/engine/check_write_ahead.hpp"
#include "scenarios/engine/sim_world.hpp"
#include "scenarios/engine/steps.hpp"

namespace drover::scenario {
namespace {

constexpr Duration kSendAgainEvery = 1s;

// What a retrying proxy may send twice: questions, and calls whose key makes them one.
bool may_be_repeated(const api::Request& request) {
  if (request.verb == api::Verb::get) return true;
  return request.verb == api::Verb::post && request.params.is_object() && request.params.contains("key");
}

// Of a call about one node.
const char* node_argument_of(std::string_view method) {
  if (method == "remove_nodes") return "serviceNodeId";
  if (method == "create_replica") return "master_id";
  if (method == "promote" || method.starts_with("set_up_replica_")) return "id";
  return nullptr;
}

// The observed operation, else the latest that is under way; 0: there is none.
model::OperationId operation_meant_by(const fault::Action& action, const model::Model& model) {
  if (const auto observed = operation_number(action.target); observed != 0) return observed;
  const auto active = model.active();
  return active.empty() ? 0 : *std::max_element(active.begin(), active.end());
}

}  // namespace

void SimWorld::carry(std::string_view from, std::string_view to, node::Message message, Patience patience,
                     std::function<void(bool)> arrive) {
  auto& links = network_->links();
  const node::Arrivals arrivals =
      links.can_reach(from, to) ? links.send(from, to, message) : node::Arrivals();
  const auto send_again = [this, from, to, message, patience](std::function<void(bool)> unsent) {
    if (patience == Patience::once) return;
    scheduler_.call_after(domain_, kSendAgainEvery,
                          [this, from, to, message, patience, unsent = std::move(unsent)]() mutable {
                            carry(from, to, message, patience, std::move(unsent));
                          });
  };
  if (arrivals.size() == 0) return send_again(std::move(arrive));
  if (arrivals.size() > 1)
    scheduler_.call_after(domain_, *(arrivals.begin() + 1), [this, from, to, arrive] {
      if (network_->links().can_reach(from, to)) arrive(true);
    });
  scheduler_.call_after(domain_, *arrivals.begin(),
                        [this, from, to, send_again, arrive = std::move(arrive)]() mutable {
                          if (!network_->links().can_reach(from, to)) return send_again(std::move(arrive));
                          arrive(false);
                        });
}

void SimWorld::request(api::Request request, std::function<void(ClientAnswer)> answer, Patience patience) {
  const auto sent = std::make_shared<const api::Request>(std::move(request));
  carry(node::kClients, node::kManager, node::Message::api_request, patience,
        [this, sent, patience, answer = std::move(answer)](bool is_copy) {
          deliver(*sent, is_copy, patience, answer);
        });
}

void SimWorld::deliver(const api::Request& request, bool is_copy, Patience patience,
                       const std::function<void(ClientAnswer)>& answer) {
  const bool listens = manager_ && !manager_->ending;
  if (is_copy) {
    if (listens && may_be_repeated(request)) take(0, request);
    return;
  }
  if (!listens) {
    answer_client(patience, answer,
                  make_error(ErrorCode::unavailable, "connection refused: the manager does not run"));
    return;
  }
  const std::uint64_t number = ++last_request_;
  ++counts_.api;
  auto on_its_way = [this, patience, answer](ClientAnswer with) {
    answer_client(patience, answer, std::move(with));
  };
  pending_[number] = OpenCall{std::move(on_its_way), manager_->number, request.method};
  if (!manager_->manager.frozen()) pending_since_[number] = Pending{scheduler_.now(), request.method};
  take(number, request);
}

// What arrives at a frozen manager waits until it goes on.
void SimWorld::take(std::uint64_t number, const api::Request& request) {
  if (!manager_->manager.frozen()) return handle(*manager_, number, request);
  manager_->waiting.push_back([this, number, incarnation = manager_->number, request] {
    if (auto* to = find_incarnation(incarnation); to != nullptr) handle(*to, number, request);
  });
}

// 0: nobody waits for the answer.
void SimWorld::handle(Incarnation& to, std::uint64_t number, api::Request request) {
  const std::string method = request.method;
  if (client_watch_.request) client_watch_.request(request);
  if (sabotage_ != nullptr && sabotage_->request) sabotage_->request(request);
  to.service.handle(std::move(request),
                    [this, number, method, incarnation = to.number](api::Response response) {
                      if (sabotage_ != nullptr && sabotage_->response) sabotage_->response(method, response);
                      const bool present = manager_ && manager_->number == incarnation;
                      if (present && client_watch_.response) client_watch_.response(method, response);
                      auto found = pending_.extract(number);
                      if (found.empty()) return;
                      pending_since_.erase(number);
                      found.mapped().answer(std::move(response));
                    });
}

void SimWorld::answer_client(Patience patience, std::function<void(ClientAnswer)> answer, ClientAnswer with) {
  auto sent = std::make_shared<ClientAnswer>(std::move(with));
  carry(node::kManager, node::kClients, node::Message::api_answer, patience,
        [answer = std::move(answer), sent = std::move(sent)](bool) { answer(std::move(*sent)); });
}

// What `api.call` does. Nobody waits for the answer.
Result<void> SimWorld::ask_as_client(const fault::Action& action) {
  const std::string method(action.arguments.text("method"));
  nlohmann::json params = nlohmann::json::object();
  const auto* model = manager_ ? &manager_->manager.model() : nullptr;
  if (const char* argument = node_argument_of(method); argument != nullptr) {
    auto node = node_number(action.target);
    if (node == 0 && model != nullptr) node = model->service.primary;
    if (node == 0) return make_error(ErrorCode::not_found, method + " is about no node");
    params[argument] = model::id_text(node);
  } else if (method == "cancel_operation") {
    const auto operation = model == nullptr ? 0 : operation_meant_by(action, *model);
    if (operation == 0) return make_error(ErrorCode::not_found, "there is no operation to cancel");
    params["id"] = model::id_text(operation);
  } else if (method == "add_nodes") {
    params["count"] = static_cast<std::int64_t>(action.arguments.number("count"));
  }
  if ((method == "remove_nodes" || method == "fail_over") && action.arguments.flag("force"))
    params["force"] = true;
  request(
      make_request(*this, method, std::move(params)), [](const ClientAnswer&) {}, Patience::once);
  return success();
}

}  // namespace drover::scenario

// The API as clients reach it: through the network, to whichever manager runs.
#include <memory>

#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {
namespace {

constexpr Duration kSendAgainEvery = 1s;

// What a retrying proxy may send twice: questions, and calls whose key makes them one.
bool may_be_repeated(const api::Request& request) {
  if (request.verb == api::Verb::get) return true;
  return request.verb == api::Verb::post && request.params.is_object() && request.params.contains("key");
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

}  // namespace drover::scenario

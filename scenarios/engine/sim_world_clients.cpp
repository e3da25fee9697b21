// The API as clients reach it: through the network, to whichever manager runs.
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
  if (arrivals.size() == 0) {
    if (patience == Patience::once) return;
    scheduler_.call_after(domain_, kSendAgainEvery,
                          [this, from, to, message, patience, arrive = std::move(arrive)]() mutable {
                            carry(from, to, message, patience, std::move(arrive));
                          });
    return;
  }
  bool is_copy = false;
  for (const Duration way : arrivals) {
    scheduler_.call_after(domain_, way, [this, from, to, message, patience, is_copy, arrive] {
      if (network_->links().can_reach(from, to))
        arrive(is_copy);
      else if (!is_copy && patience == Patience::keeps_on)
        carry(from, to, message, patience, arrive);
    });
    is_copy = true;
  }
}

void SimWorld::request(api::Request request, std::function<void(ClientAnswer)> answer, Patience patience) {
  const auto sent = std::make_shared<const api::Request>(std::move(request));
  carry(node::kClients, node::kManager, node::Message::api_request, patience,
        [this, sent, patience, answer = std::move(answer)](bool is_copy) {
          request_arrived(*sent, is_copy, patience, answer);
        });
}

void SimWorld::request_arrived(const api::Request& request, bool is_copy, Patience patience,
                               const std::function<void(ClientAnswer)>& answer) {
  const bool listens = manager_ && !crash_due_;
  api::Request handled = request;
  if (sabotage_ != nullptr && sabotage_->request) sabotage_->request(handled);
  if (is_copy) {
    if (listens && may_be_repeated(request))
      manager_->service.handle(std::move(handled), [](api::Response) {});
    return;
  }
  if (!listens) {
    answer_client(patience, answer,
                  make_error(ErrorCode::unavailable, "connection refused: the manager does not run"));
    return;
  }
  const std::uint64_t number = ++last_request_;
  ++counts_.api;
  pending_[number] = answer;
  pending_since_[number] = Pending{scheduler_.now(), request.method};
  manager_->service.handle(
      std::move(handled), [this, number, patience, method = request.method](api::Response response) {
        if (sabotage_ != nullptr && sabotage_->response) sabotage_->response(method, response);
        auto found = pending_.extract(number);
        if (found.empty()) return;
        pending_since_.erase(number);
        answer_client(patience, std::move(found.mapped()), std::move(response));
      });
}

void SimWorld::answer_client(Patience patience, std::function<void(ClientAnswer)> answer, ClientAnswer with) {
  carry(node::kManager, node::kClients, node::Message::api_answer, patience,
        [answer = std::move(answer), with = std::move(with)](bool is_copy) {
          if (!is_copy) answer(with);
        });
}

}  // namespace drover::scenario

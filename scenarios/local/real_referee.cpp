#include "scenarios/local/real_referee.hpp"

namespace drover::scenario {

using model::NodeState;
using model::ServiceState;

namespace {

constexpr Duration kAnswerBound = 15min;  // L7: a dump may take that long
constexpr std::size_t kSecretMin = 8;     // shorter ones are in texts by chance

}  // namespace

RealReferee::RealReferee(RealWorld& world) : real_(world) {
  real_.set_watch([this](const std::string& text, const char* where) { check_secret(text, where); });
}

RealReferee::~RealReferee() { real_.set_watch(nullptr); }

void RealReferee::acknowledged(model::OperationId operation, const std::string& key) {
  acknowledged_[operation] = key;
  if (key.empty()) return;
  const auto [known, is_new] = keys_.emplace(key, operation);
  if (!is_new && known->second != operation)
    real_.report("S7",
                 "the key \"" + key + "\" was answered with the operations " + std::to_string(known->second) +
                     " and " + std::to_string(operation),
                 "S7 two operations");
}

void RealReferee::after_event() {
  const TimePoint since = real_.pending_since();
  if (since != kNever && real_.scheduler().now() - since > kAnswerBound)
    real_.report("L7", "a call was not answered within " + drover::to_text(kAnswerBound), "L7");
}

void RealReferee::check_secret(const std::string& text, const char* where) {
  for (const auto& secret : real_.secrets())
    if (secret.size() >= kSecretMin && text.find(secret) != std::string::npos)
      real_.report("S11", std::string("a secret is in ") + where, std::string("S11 ") + where);
}

bool RealReferee::is_at_rest() const {
  const auto* manager = real_.manager();
  if (manager == nullptr || real_.has_pending_requests()) return false;
  const auto state = manager->dstate();
  if (state != ServiceState::S_RUNNING && state != ServiceState::S_STOPPED && state != ServiceState::S_INIT &&
      state != ServiceState::S_ERROR)
    return false;
  const auto& model = manager->model();
  return model.active_operations() == 0 && model.count(NodeState::removing) == 0 &&
         real_.leaked_instances() == 0;
}

bool RealReferee::check_manager(bool judged) {
  check_acknowledged();
  if (!judged) return false;
  const auto* manager = real_.manager();
  if (manager == nullptr) {
    real_.report("L2", "the manager does not run at the end", "L2 no manager");
    return false;
  }
  for (const auto id : manager->model().active()) {
    const auto* operation = manager->model().operation(id);
    real_.report("L1",
                 model::operation_name(id) + " (" + model::to_text(operation->request.kind) + ") is still " +
                     model::to_text(operation->state),
                 std::string("L1 ") + model::to_text(operation->request.kind));
  }
  const auto state = manager->dstate();
  if (state == ServiceState::S_PROLOGUE || state == ServiceState::S_ADAPTING ||
      state == ServiceState::S_EPILOGUE)
    real_.report("L2", std::string("the service is still ") + model::to_text(state), "L2 service state");
  if (const auto leaked = real_.leaked_instances(); leaked > 0)
    real_.report("L3", std::to_string(leaked) + " VM(s) live that nobody accounts for", "L3 leaked VM");
  return true;
}

void RealReferee::check_acknowledged() {
  const auto* manager = real_.manager();
  if (manager == nullptr) return;
  for (const auto& [operation, key] : acknowledged_)
    if (operation >= manager->model().service.next_operation)
      real_.report("S8",
                   model::operation_name(operation) + " was acknowledged, and the manager has forgotten it",
                   "S8 operation");
}

}  // namespace drover::scenario

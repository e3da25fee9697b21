#include "scenarios/engine/client_topology.hpp"

#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {
namespace {

constexpr Duration kDoubtAtMostEvery = 500ms;

// The address of the master in an answer of get_topology; "" when it has none yet, nothing without a master.
std::optional<std::string> master_address(const nlohmann::json& topology) {
  const auto master = topology.find("master");
  if (master == topology.end() || !master->is_string()) return std::nullopt;
  for (const auto& row : topology.value("nodes", nlohmann::json::array()))
    if (row.value("id", std::string()) == master->get<std::string>()) return row.value("ip", std::string());
  return std::nullopt;
}

}  // namespace

ClientTopology::ClientTopology(SimWorld& world, Duration every) : world_(world), every_(every) {
  DROVER_CHECK(every > Duration{0}, "clients must let time pass between two questions");
}

void ClientTopology::start() {
  if (running_) return;
  running_ = true;
  tick();
}

void ClientTopology::stop() { running_ = false; }

void ClientTopology::tick() {
  if (!running_) return;
  ask();
  world_.scheduler().call_after(world_.domain(), every_, [this] { tick(); });
}

void ClientTopology::doubt() {
  if (!running_ || doubting_) return;
  doubting_ = true;
  const TimePoint at = std::max(world_.scheduler().now(), asked_at_ + kDoubtAtMostEvery);
  world_.scheduler().call_at(world_.domain(), at, [this] {
    doubting_ = false;
    if (running_) ask();
  });
}

void ClientTopology::ask() {
  asked_at_ = world_.scheduler().now();
  api::Request request;
  request.verb = api::Verb::get;
  request.method = "get_topology";
  request.params = nlohmann::json::object();
  world_.request(
      std::move(request),
      [this, question = ++asked_](ClientAnswer answer) {
        if (answer.has_value() && !answer.value().failed) take(question, answer.value());
      },
      Patience::once);
}

void ClientTopology::take(std::uint64_t question, const api::Response& response) {
  if (question <= taken_ || !response.result.is_object()) return;
  taken_ = question;
  auto master = master_address(response.result);
  if (master == master_ || (master && master->empty())) return;
  world_.trace().add(TraceKind::client, "clients", "master:", master ? *master : "none");
  master_ = std::move(master);
}

}  // namespace drover::scenario

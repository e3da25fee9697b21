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
  world_.carry(node::kClients, node::kManager, node::Message::api_request, Patience::once,
               [this, question = ++asked_](bool is_copy) {
                 if (!is_copy) arrived(question);
               });
}

ClientTopology::Basis ClientTopology::basis() const {
  const auto* manager = world_.manager();
  if (manager == nullptr) return {};
  const auto& service = manager->model().service;
  const auto* primary = manager->model().node(service.primary);
  return {world_.incarnations(), service.epoch, service.primary,
          primary == nullptr ? std::string() : primary->address};
}

void ClientTopology::arrived(std::uint64_t question) {
  Basis now = basis();
  if (now == basis_) {
    taken_ = std::max(taken_, question);
    return;
  }
  api::Request request;
  request.verb = api::Verb::get;
  request.method = "get_topology";
  request.params = nlohmann::json::object();
  world_.deliver(request, false, Patience::once,
                 [this, question, basis = std::move(now)](const ClientAnswer& answer) {
                   if (answer.has_value() && !answer.value().failed) take(question, basis, answer.value());
                 });
}

void ClientTopology::take(std::uint64_t question, const Basis& basis, const api::Response& response) {
  if (question <= taken_ || !response.result.is_object()) return;
  taken_ = question;
  basis_ = basis;
  auto master = master_address(response.result);
  if (master == master_ || (master && master->empty())) return;
  world_.trace().add(TraceKind::client, "clients", "master:", master ? *master : "none");
  master_ = std::move(master);
}

}  // namespace drover::scenario

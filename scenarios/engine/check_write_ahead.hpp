// S8, write-ahead: what the manager does to the world, and what it promises its clients, is in the journal
// before, and in its present epoch. Asks the durable view at the moment of each call. S1: what is to be
// destroyed stays in the journal until it is.
#pragma once

#include "manager/api/request.hpp"
#include "scenarios/engine/port_watch.hpp"
#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {

class WriteAhead {
 public:
  explicit WriteAhead(SimWorld& world) : world_(world) {}

  void asked(const IaasCall& call);
  void asked(const std::string& subject, const AgentCommand& command);
  // A client was given this answer.
  void answered(const std::string& method, const api::Response& response);
  void stored(const Change& change, const std::string& before);

 private:
  void check_cancelled(const api::Response& response);
  void check_create(const IaasCall& call);
  void check_kill(const IaasCall& call);
  void check_opening(const std::string& subject, const char* method, std::uint64_t epoch);
  void check_replica(const std::string& subject, std::uint64_t epoch);
  void check_struck_off(const std::string& vm);
  void report(const std::string& what, const std::string& why, const std::string& fingerprint);

  SimWorld& world_;
};

// 3 of "node-3"; 0 when it is no node's name.
model::NodeId node_number(std::string_view name);
// 7 of "op-7"; 0 when it is no operation's name.
model::OperationId operation_number(std::string_view name);
// Which VM of its node a token asks for: 2 of "drover:node-3.2"; 0 when it says none.
std::uint64_t attempt_of_token(std::string_view token);

}  // namespace drover::scenario

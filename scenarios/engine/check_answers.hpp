// What clients are told: S7 (one operation a key), S12 (what is told is what the manager holds), and that
// numbers given to clients keep their meaning (S8).
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "manager/api/request.hpp"
#include "manager/ports/agent.hpp"
#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {

class Answers {
 public:
  explicit Answers(SimWorld& world) : world_(world) {}

  void answered(const std::string& method, const api::Response& response);
  void requested(const std::string& method);
  // What servers are told for a client, and how each answers.
  void asked(std::uint64_t number, const AgentCommand& command);
  void answered(std::uint64_t number, const Result<AgentReply>& reply);
  // A client was told of an accepted operation of its key ("" without one).
  void acknowledged(model::OperationId operation, const std::string& key);
  // The operation has ended, as the journal says.
  void stored(const Change& change);
  // Another manager has read the journal: it must know what clients were promised.
  void restarted();
  // The journal was put back to an earlier state: nothing told before counts any more.
  void forget();

 private:
  void check_nodes(const nlohmann::json& result);
  void check_operation(const nlohmann::json& told);
  void check_topology(const nlohmann::json& result);
  void check_change(const std::string& method);
  struct Round;
  Round& round_of(const std::string& method);
  void differs(const std::string& method, const std::string& what);

  // Changes that clients asked for at one moment, on all servers that they are about: those are told then.
  struct Round {
    std::string method;
    TimePoint asked{}, answered{};
    unsigned requests = 0, told = 0, done = 0;
  };

  SimWorld& world_;
  std::map<model::OperationId, std::string> acknowledged_;
  std::map<std::string, model::OperationId> keys_;
  std::map<model::OperationId, std::string> operations_;  // what each is and about whom, as first told
  std::map<model::OperationId, std::string> ended_;       // how each ended, as a client was told
  std::vector<Round> rounds_;
  std::map<std::uint64_t, std::size_t> round_of_;  // of a command that is not answered
};

}  // namespace drover::scenario

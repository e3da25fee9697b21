// Real nodes for tests: agents of this process, each with a mariadbd of its own on an address of its own in
// 127.0.0.0/8, asked through HttpAgent. All is ended, by process id, with the stage.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <string>

#include "manager/adapters/http_agent.hpp"
#include "manager/agent/heartbeat.hpp"
#include "manager/agent/http_face.hpp"
#include "tests/support/drover_process.hpp"

namespace drover::agent_test {

// Why the tests of this program cannot run here; "" when they can.
std::string missing_programs();
// A data directory to copy.
const std::string& template_folder();
// The address of node 1, 2, … of this process; the ports of agents and servers are free there.
std::string address_of(unsigned node);

inline constexpr const char* kToken = "token of the tests";

class RealNodes {
 public:
  // `without_backup`: the node on which mariadb-backup is not installed; 0: all have it.
  explicit RealNodes(unsigned without_backup = 0);
  ~RealNodes();

  Agent& agent() { return *agent_; }
  Endpoint endpoint(unsigned node) { return Endpoint{address_of(node), 60000}; }
  std::string identity(unsigned node) { return "i-" + std::to_string(node); }
  Endpoint nobody() { return Endpoint{address_of(9), 60000}; }
  bool run_until(const std::function<bool()>& done, Duration limit);
  std::string store_dump(const std::string& text) { return folder_.write("dump.sql", text); }

  asio::io_context& io() { return io_; }
  RealTimePump& pump() { return pump_; }
  // The process of a node's server, -1 when none runs.
  pid_t server(unsigned number) const;
  // SIGSTOP, and until every thread of it stands still.
  void freeze_server(unsigned number);
  std::string folder(unsigned number) const { return folder_.path("n" + std::to_string(number)); }
  // The agent ends as a crash ends it, the server goes on; and a new agent takes its place.
  void end_agent(unsigned number) { nodes_.erase(number); }
  void start_agent(unsigned number);
  std::string log() const { return log_; }

 private:
  struct Node {
    std::unique_ptr<agent::NodeAgent> agent;
    std::unique_ptr<agent::HttpFace> face;
  };

  testing_support::ScratchFolder folder_;
  asio::io_context io_{1};
  Scheduler scheduler_;
  RealTimePump pump_{io_, scheduler_};
  std::unique_ptr<HttpAgent> agent_;
  unsigned without_backup_;
  mutable std::mutex mutex_;
  std::string log_;
  std::map<unsigned, Node> nodes_;
};

}  // namespace drover::agent_test

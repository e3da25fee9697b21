// Tells the manager that this node is there: register_node, again and again. A manager that does not answer
// is told again at the next turn; nothing here stops the agent. One thread of its own.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "manager/agent/node_agent.hpp"

namespace drover::agent {

class Heartbeat {
 public:
  explicit Heartbeat(NodeAgent& agent) : agent_(agent) {}
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;
  void start();

 private:
  void run();
  bool tell();

  NodeAgent& agent_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace drover::agent

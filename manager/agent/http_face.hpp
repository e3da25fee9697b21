// The agent's face to managers and other agents: HTTP/1.1, one thread a connection, since every command
// blocks.
//
//   POST /METHOD       Drover-Token: …   the command's fields as JSON (manager/ports/agent_codec.hpp)
//     200 {"state", "users"}; with Drover-Reply-Length the JSON has so many bytes and the dump follows
//     another status   {"error": …}; 401 without the token
//   POST /load_dump?generation=N   the dump as the body; Drover-Dump: missing when the sender has none
//   POST /clone        {"kind": "backup" or "dump"}: the data of this node, chunked, for another agent
//   GET /healthz       "ok", without a token
//
// It is not the server of manager/api: that one knows the wire of the documented API, cannot stream an
// answer, and lives on one thread that no command may block.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "manager/agent/node_agent.hpp"
#include "manager/system/child_process.hpp"

namespace drover::agent {

class HttpFace {
 public:
  explicit HttpFace(NodeAgent& agent) : agent_(agent) {}
  // Ends every connection and waits for their threads.
  ~HttpFace();
  HttpFace(const HttpFace&) = delete;
  HttpFace& operator=(const HttpFace&) = delete;

  // Errors: unavailable, invalid.
  Result<void> start();
  // Takes no more connections, and ends those that wait for a request. Commands under way go on.
  void stop();

 private:
  void accept_loop();
  void serve(int descriptor);

  NodeAgent& agent_;
  system::Descriptor listening_;
  system::Descriptor wake_read_, wake_write_;
  std::thread accepting_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::set<int> open_;
  bool stopping_ = false;
};

}  // namespace drover::agent

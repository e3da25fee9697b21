// Data that moves: a whole copy from a donor's agent (mariadb-backup, or mariadb-dump where that is not to be
// had), and dumps. The tools run as children and talk to the server through the node's socket, so no password
// is needed. Any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "manager/agent/mariadb_server.hpp"
#include "manager/agent/server_process.hpp"

namespace drover::agent {

// How a donor gives its data.
enum class CopyKind : unsigned char { backup, dump };
const char* to_text(CopyKind kind);

class Transfer {
 public:
  // Takes one piece; false ends the whole.
  using Sink = std::function<bool(std::string_view piece)>;

  Transfer(const AgentSettings& settings, ServerProcess& process, MariaDbServer& server)
      : settings_(settings), process_(process), server_(server) {}

  // Donor: gives everything of the own server to `sink`. Errors: not_found (a tool is not installed),
  // unavailable; pieces given before an error are worth nothing.
  Result<void> give(CopyKind kind, const Sink& sink);

  // Recipient: a prepared data directory in `folder`, and where the copy stands. The own server may run.
  // Errors: unavailable with Effect::none.
  Result<std::string> take_backup(const Endpoint& donor, const std::string& folder);
  // Recipient: into the own server, which runs and is empty; nothing is logged there. Gives the position.
  Result<std::string> take_dump_of(const Endpoint& donor);

  // The users and all databases but the server's own as SQL.
  Result<std::string> dump();
  // Runs the statements of a file. Errors: database with the server's number; what ran before stays.
  Result<void> load(const std::string& path, bool logged);

 private:
  Result<void> fetch(const Endpoint& donor, CopyKind kind, const Sink& sink);
  Result<void> pipe_tool(std::vector<std::string> arguments, const Sink& sink);
  std::vector<std::string> client_arguments(const char* program) const;

  const AgentSettings& settings_;
  ServerProcess& process_;
  MariaDbServer& server_;
};

}  // namespace drover::agent

// How commands come in, wait for each other, and are answered.
#include "manager/agent/node_agent.hpp"

#include <unistd.h>

#include <chrono>
#include <sstream>

#include "manager/system/child_process.hpp"

namespace drover::agent {
namespace {

constexpr Duration kEndMoment = 100ms;
constexpr Duration kForcedFence = 1s;    // what a server has to close itself before it is ended
constexpr Duration kSignOfLife = 300ms;  // what it has to greet the one who asks that

Error stopped(const std::string& name) {
  return make_error(ErrorCode::wrong_state,
                    "The database server of " + name + " is stopped; start it first (start_server).");
}

// "mariadbd  Ver 10.11.6-MariaDB-… for …": the third word.
std::string installed_version() {
  auto pipe = system::make_pipe();
  if (pipe.has_error()) return {};
  auto& [in, out] = pipe.value();
  auto tool =
      system::Tool::start({.arguments = {"mariadbd", "--no-defaults", "--version"}, .out = out.get()});
  if (tool.has_error()) return {};
  out.close();
  std::string text(4096, '\0');
  const ssize_t count = ::read(in.get(), text.data(), text.size());
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  (void)tool.value().wait();
  std::istringstream words(text);
  std::string word;
  for (int i = 0; i < 3; ++i) words >> word;
  return word;
}

}  // namespace

// Changing commands in the order in which they came.
class NodeAgent::Turn {
 public:
  // `late` is called once when it has not come within `patience`; then it is waited for on.
  Turn(NodeAgent& agent, Duration patience, const std::function<void()>& late) : agent_(agent) {
    std::unique_lock lock(agent_.mutex_);
    const std::uint64_t ticket = agent_.next_ticket_++;
    const auto has_come = [&] { return agent_.now_serving_ == ticket; };
    if (!agent_.turn_ended_.wait_for(lock, patience, has_come)) {
      lock.unlock();
      late();
      lock.lock();
    }
    agent_.turn_ended_.wait(lock, has_come);
  }
  ~Turn() {
    const std::scoped_lock lock(agent_.mutex_);
    ++agent_.now_serving_;
    agent_.turn_ended_.notify_all();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  NodeAgent& agent_;
};

NodeAgent::NodeAgent(AgentSettings settings)
    : settings_(std::move(settings)),
      process_(settings_),
      server_(settings_, {}),
      transfer_(settings_, process_, server_) {}

Result<void> NodeAgent::open() {
  DROVER_TRY(process_.open());
  server_.set_place({process_.socket(), process_.user()});
  DROVER_TRY(state_, load_state(settings_.folder + "/agent.json"));
  version_ = installed_version();
  if (version_.empty())
    return make_error(ErrorCode::not_found,
                      "mariadbd is not installed on this node: apt-get install "
                      "mariadb-server-core mariadb-client mariadb-backup");
  if (process_.running()) settings_.log("the database server runs already");
  if (state_.server_wanted && !process_.running())
    if (auto started = start_server(0); started.has_error())
      settings_.log("the database server did not start: " + started.error().message);
  return success();
}

void NodeAgent::close() {
  process_.forbid_start();
  server_.forget_connections();
  if (auto down = process_.stop(); down.has_error()) settings_.log(down.error().message);
}

AgentState NodeAgent::state() {
  const std::scoped_lock lock(mutex_);
  return state_;
}

Result<void> NodeAgent::change_state(const std::function<Result<void>(AgentState&)>& change) {
  const std::scoped_lock lock(mutex_);
  AgentState changed = state_;
  DROVER_TRY(change(changed));
  if (changed == state_) return success();
  DROVER_TRY(system::save_file(settings_.folder + "/agent.json", encode_state(changed)));
  state_ = changed;
  return success();
}

// What a manager is told no word of before it is on disk: generation and epoch.
Result<void> NodeAgent::begin(const AgentCommand& command) {
  return change_state(
      [&](AgentState& state) { return admit_generation(state, command, settings_.instance_id); });
}

Result<void> NodeAgent::admit(std::uint64_t epoch) {
  return change_state([&](AgentState& state) { return admit_epoch(state, epoch, settings_.instance_id); });
}

Result<AgentReply> NodeAgent::carry_out(const AgentCommand& command) {
  AgentReply reply;
  if (is_reading(command)) {
    DROVER_TRY(begin(command));
    DROVER_TRY(perform_reading(command, reply));
  } else {
    // A forced fence waits for nobody: whatever is before it fails with the server.
    const auto* fence = std::get_if<SetReadOnly>(&command);
    const bool forced = fence != nullptr && fence->read_only && fence->force && may_fence(*fence);
    const Turn turn(*this, kForcedFence, [&] {
      if (forced) (void)end_server("a fence would have to wait for another command");
    });
    DROVER_TRY(begin(command));
    const auto begun = std::chrono::steady_clock::now();
    auto done = perform(command, reply);
    const auto took = std::chrono::steady_clock::now() - begun;
    settings_.log(std::string(agent_method(command)) + (done.has_value() ? " done" : " failed") + " in " +
                  std::to_string(took / 1ms) + " ms" +
                  (done.has_value() ? std::string() : ": " + done.error().message));
    DROVER_TRY(std::move(done));
  }
  const auto* look = std::get_if<GetServerState>(&command);
  const Duration patience =
      look == nullptr || look->patience <= Duration{0} ? settings_.server_timeout : look->patience;
  return answer(std::move(reply), std::min(patience, settings_.server_timeout));
}

Result<AgentReply> NodeAgent::answer(AgentReply reply, Duration patience) {
  const AgentState own = state();
  ServerState& state = reply.state;
  state.instance_id = settings_.instance_id;
  state.version = version_;
  state.epoch = own.epoch;
  state.generation = own.generation;
  state.role = own.role;
  state.mysqld_port = settings_.mysqld_port;
  state.running = process_.running();
  if (!state.running) return reply;
  // Opening a connection has no patience below a second.
  if (!server_.has_connection() && !process_.greets(patience) && process_.running())
    return make_error(ErrorCode::database, "2013: The database server of " + settings_.instance_id +
                                               " is running but does not answer");
  const ServerState before = state;
  const auto begun = std::chrono::steady_clock::now();
  auto read = server_.read_state(state, patience);
  if (read.has_value()) return reply;
  // Connections of the stock may be those of a server that has ended; one that ends takes a moment for it.
  if (std::chrono::steady_clock::now() - begun < patience / 2 && process_.running_after(kEndMoment)) {
    server_.forget_connections();
    state = before;
    read = server_.read_state(state, patience);
    if (read.has_value()) return reply;
  }
  if (!process_.running()) {
    state = before;
    state.running = false;
    return reply;
  }
  return std::move(read).error();
}

Result<void> NodeAgent::need_server() {
  if (!process_.running()) return stopped(settings_.instance_id);
  return success();
}

Result<void> NodeAgent::perform_reading(const AgentCommand& command, AgentReply& reply) {
  if (std::holds_alternative<GetServerState>(command)) return success();
  if (const auto* wait = std::get_if<WaitForGtid>(&command)) return wait_for_gtid(*wait);
  DROVER_TRY(need_server());
  if (std::holds_alternative<GetUsers>(command)) {
    DROVER_TRY(reply.users, server_.users());
  } else {
    DROVER_TRY(reply.dump, transfer_.dump());
  }
  return success();
}

Result<void> NodeAgent::perform(const AgentCommand& command, AgentReply& reply) {
  static_cast<void>(reply);
  if (const auto* c = std::get_if<StartServer>(&command)) return start_server(c->server_id);
  if (std::holds_alternative<StopServer>(command)) return stop_server();
  if (std::holds_alternative<RestartServer>(command)) {
    DROVER_TRY(stop_server());
    return start_server(0);
  }
  if (const auto* c = std::get_if<SetUpPrimary>(&command)) return set_up_primary(*c);
  if (const auto* c = std::get_if<SetUpReplica>(&command)) return set_up_replica(*c);
  if (const auto* c = std::get_if<StopReplica>(&command)) return stop_replica(*c);
  if (const auto* c = std::get_if<SetReadOnly>(&command)) return set_read_only(*c);
  if (const auto* c = std::get_if<LoadDump>(&command)) return load_dump(*c);
  return perform_on_users(command);
}

Result<void> NodeAgent::perform_on_users(const AgentCommand& command) {
  DROVER_TRY(need_server());
  DROVER_TRY(takes_changes());
  if (const auto* c = std::get_if<ConfigureUser>(&command))
    return server_.set_user(c->username, c->password, false);
  if (const auto* c = std::get_if<SetPassword>(&command))
    return server_.set_password(c->username, c->password);
  if (const auto* c = std::get_if<DeleteUser>(&command)) return server_.delete_user(c->username);
  return make_error(ErrorCode::internal, "a command that is not known here");
}

Result<void> NodeAgent::give_copy(CopyKind kind, const Transfer::Sink& sink) {
  DROVER_TRY(need_server());
  settings_.log(std::string("giving a copy (") + to_text(kind) + ")");
  return transfer_.give(kind, sink);
}

// The server's process.

Result<void> NodeAgent::start_server(std::uint32_t server_id) {
  DROVER_TRY(change_state([&](AgentState& state) -> Result<void> {
    state.server_wanted = true;
    if (server_id != 0) state.server_id = server_id;
    return success();
  }));
  const AgentState now = state();
  if (now.clone_unfinished)
    return make_error(ErrorCode::database,
                      "1: The data directory of " + settings_.instance_id +
                          " is the rest of an interrupted clone; set the replica up again with clone.");
  if (!process_.running()) {
    server_.forget_connections();
    return process_.start(now);
  }
  if (server_id == 0) return success();
  DROVER_TRY(process_.write_configuration(now));
  return server_.set_server_id(server_id);
}

Result<void> NodeAgent::stop_server() {
  DROVER_TRY(change_state([](AgentState& state) -> Result<void> {
    state.server_wanted = false;
    return success();
  }));
  server_.forget_connections();
  return process_.stop();
}

Result<void> NodeAgent::set_read_only(const SetReadOnly& c) {
  DROVER_TRY(admit(c.epoch));
  if (!process_.running()) {
    if (c.read_only) return success();  // its file says so for the next start
    return stopped(settings_.instance_id);
  }
  if (!c.force || !c.read_only) return server_.set_read_only(c.read_only, settings_.server_timeout + 2s);
  if (!process_.greets(kSignOfLife)) return end_server("it does not answer");
  if (auto closed = server_.set_read_only(true, kForcedFence); closed.has_error())
    return end_server(closed.error().message);
  const auto read_only = server_.is_read_only(kForcedFence);
  if (read_only.has_error() || !read_only.value()) return end_server("it does not say that it is read-only");
  return success();
}

// Whether its turn will not refuse it: nobody who has been replaced ends a server.
bool NodeAgent::may_fence(const SetReadOnly& c) {
  AgentState now = state();
  return admit_generation(now, c, settings_.instance_id).has_value() &&
         admit_epoch(now, c.epoch, settings_.instance_id).has_value();
}

// What does not run takes no writes; it starts read-only.
Result<void> NodeAgent::end_server(const std::string& why) {
  settings_.log("the database server is ended so that it takes no more writes: " + why);
  server_.forget_connections();
  return process_.end_now();
}

// A late one would make a replica differ from its primary, and be lost on a primary that hands over.
Result<void> NodeAgent::takes_changes() {
  const Role role = state().role;
  if (role == Role::replica)
    return make_error(ErrorCode::wrong_state,
                      settings_.instance_id + " is a replica: make the change on its primary.");
  if (role != Role::primary) return success();
  DROVER_TRY(const bool closed, server_.is_read_only(settings_.server_timeout));
  if (closed)
    return make_error(ErrorCode::wrong_state, settings_.instance_id +
                                                  " takes no writes now: make the change once there is a "
                                                  "primary that does.");
  return success();
}

Result<void> NodeAgent::load_dump(const LoadDump& c) {
  DROVER_TRY(need_server());
  DROVER_TRY(takes_changes());
  if (c.path.empty())
    return make_error(ErrorCode::not_found, "the dump cannot be read where it was to come from");
  return transfer_.load(c.path, true);
}

Result<void> NodeAgent::wait_for_gtid(const WaitForGtid& c) {
  DROVER_TRY(admit(c.epoch));
  if (!parse_gtid_position(c.gtid))
    return make_error(ErrorCode::invalid, "\"" + c.gtid + "\" is no GTID position (such as 0-1-100).");
  DROVER_TRY(need_server());
  DROVER_TRY(const bool reached, server_.wait_for_gtid(c.gtid, c.limit));
  if (reached) return success();
  DROVER_TRY(const std::string present, server_.applied_position());
  return make_error(ErrorCode::timeout, settings_.instance_id + " has not applied " + c.gtid + " within " +
                                            drover::to_text(c.limit) + "; it is at " + present + ".");
}

}  // namespace drover::agent

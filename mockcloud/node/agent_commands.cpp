// What each command does, step by step; a crash between two steps leaves what the first ones did.
#include <memory>

#include "mockcloud/node/agent.hpp"

namespace drover::node {
namespace {

Error stopped(const std::string& name) {
  return make_error(ErrorCode::wrong_state,
                    "The database server of " + name + " is stopped; start it first (start_server).");
}

Error database_error(int number, const std::string& text, Effect effect = Effect::none) {
  return make_error(ErrorCode::database, std::to_string(number) + ": " + text, effect);
}

}  // namespace

SimAgent::Outcome SimAgent::fence(std::uint64_t epoch) {
  if (epoch < disk_.epoch)
    return make_error(ErrorCode::wrong_state, "The agent of " + server_.name() + " has seen topology epoch " +
                                                  std::to_string(disk_.epoch) +
                                                  " and refuses a command of epoch " + std::to_string(epoch) +
                                                  ": whoever sent it has been replaced.");
  if (epoch > disk_.epoch) {
    disk_.epoch = epoch;
    host_.agent_changed(id_);
  }
  return success();
}

void SimAgent::set_role(Role role) {
  if (disk_.role == role) return;
  disk_.role = role;
  trace_.add(TraceKind::agent, server_.name(), "role", to_text(role));
  host_.agent_changed(id_);
}

Task<SimAgent::Outcome> SimAgent::need_server(Duration patience) {
  if (!server_.running()) co_return stopped(server_.name());
  if (server_.responsive()) co_return success();
  co_await pause(timeout(std::min(patience, times_.server_timeout)));
  if (!server_.running()) co_return stopped(server_.name());
  if (server_.responsive()) co_return success();
  co_return database_error(2013,
                           "The database server of " + server_.name() + " is running but does not answer");
}

Task<SimAgent::Outcome> SimAgent::carry_out(Job& job, AgentReply& reply) {
  const AgentCommand& command = job.command;
  const bool needs_disk = std::holds_alternative<SetUpPrimary>(command) ||
                          std::holds_alternative<SetUpReplica>(command) ||
                          std::holds_alternative<LoadDump>(command);
  if (needs_disk && controls_.disk_full)
    co_return make_error(ErrorCode::storage,
                         "The disk of " + server_.name() +
                             " is full (28: No space left on device); free space or replace it.");
  if (const auto* start = std::get_if<StartServer>(&command))
    co_return co_await start_server(start->server_id);
  if (std::holds_alternative<StopServer>(command)) co_return co_await stop_server();
  if (std::holds_alternative<RestartServer>(command)) {
    const Outcome down = co_await stop_server();
    if (!down) co_return down;
    co_await middle(job);
    co_return co_await start_server(0);
  }
  if (const auto* primary = std::get_if<SetUpPrimary>(&command))
    co_return co_await set_up_primary(job, *primary);
  if (const auto* replica = std::get_if<SetUpReplica>(&command))
    co_return co_await set_up_replica(job, *replica);
  if (std::holds_alternative<StopReplica>(command)) co_return co_await stop_replica(job);
  if (const auto* wait = std::get_if<WaitForGtid>(&command)) co_return co_await wait_for_gtid(*wait);
  if (const auto* load = std::get_if<LoadDump>(&command)) co_return co_await load_dump(*load);
  if (const auto* set = std::get_if<SetReadOnly>(&command)) {
    const Outcome fenced = fence(set->epoch);
    if (!fenced) co_return fenced;
    if (set->read_only && !server_.running()) co_return success();  // its file says so for the next start
    if (set->read_only && set->force) co_return co_await fence_by_force();
  }
  if (std::holds_alternative<GetServerState>(command) && !server_.running()) co_return success();
  const auto* look = std::get_if<GetServerState>(&command);
  const Duration patience =
      look == nullptr || look->patience <= Duration{0} ? times_.server_timeout : look->patience;
  const Outcome ready = co_await need_server(patience);
  if (!ready) co_return ready;
  if (const auto* set = std::get_if<SetReadOnly>(&command)) server_.set_read_only(set->read_only);
  if (std::holds_alternative<GetUsers>(command))
    for (const auto& [name, account] : server_.users())
      reply.users.push_back(DatabaseUser{name, account.location});
  if (std::holds_alternative<TakeDump>(command))
    reply.dump = make_dump(server_.users(), server_.named_counters());
  const bool changes_users = std::holds_alternative<ConfigureUser>(command) ||
                             std::holds_alternative<SetPassword>(command) ||
                             std::holds_alternative<DeleteUser>(command);
  if (changes_users) {
    const Outcome takes = takes_changes();
    if (!takes) co_return takes;
  }
  if (const auto* user = std::get_if<ConfigureUser>(&command))
    co_return set_password(user->username, user->password, false);
  if (const auto* user = std::get_if<SetPassword>(&command))
    co_return set_password(user->username, user->password, true);
  if (const auto* user = std::get_if<DeleteUser>(&command)) co_return delete_user(user->username);
  co_return success();
}

// A server that does not close itself is ended.
Task<SimAgent::Outcome> SimAgent::fence_by_force() {
  constexpr Duration kForcedFence = 1s;
  const Outcome ready = co_await need_server(kForcedFence);
  if (!server_.running()) co_return success();
  if (ready) server_.set_read_only(true);
  if (!ready || !server_.read_only()) server_.crash();
  co_return success();
}

// The server's process.

Task<SimAgent::Outcome> SimAgent::start_server(std::uint32_t server_id) {
  disk_.server_wanted = true;
  if (disk_.clone_unfinished)
    co_return database_error(
        1, "The data directory of " + server_.name() +
               " is the rest of an interrupted clone; set the replica up again with clone.");
  if (!server_.running()) {
    co_await pause(work_time(times_.server_start, "server_start"));
    if (server_id != 0) server_.set_server_id(server_id);
    server_.start();
  } else if (server_id != 0) {
    server_.set_server_id(server_id);
  }
  co_return success();
}

Task<SimAgent::Outcome> SimAgent::stop_server() {
  disk_.server_wanted = false;
  if (!server_.running()) co_return success();
  co_await pause(work_time(times_.server_stop, "server_stop"));
  server_.stop();
  co_return success();
}

// Roles.

Task<SimAgent::Outcome> SimAgent::set_up_primary(Job& job, const SetUpPrimary& c) {
  const Outcome fenced = fence(c.epoch);
  if (!fenced) co_return fenced;
  const Outcome up = co_await start_server(c.server_id);
  if (!up) co_return up;
  const Outcome ready = co_await need_server();
  if (!ready) co_return ready;
  if (server_.replication_configured()) {
    server_.stop_slave();
    static_cast<void>(server_.reset_slave_all());
  }
  co_await middle(job);
  server_.set_semi_sync_replica(false);
  server_.set_semi_sync_primary(c.semi_sync);
  set_role(Role::primary);
  co_await middle(job);
  if (!c.replication_user.empty()) {
    const Outcome account = set_password(c.replication_user, c.replication_password, false);
    if (!account) co_return account;
  }
  co_return success();
}

bool SimAgent::replicates_from(const SetUpReplica& c) const {
  if (!server_.running() || !server_.replication_configured()) return false;
  const ChangeMaster& source = server_.source();
  const ReplicationState state = server_.replication();
  return source.host == c.source.address && source.port == c.source_port &&
         source.user == c.replication_user &&
         source.password_hash == hash_password(c.replication_password.value) &&
         source.log_file == c.log_file && source.log_position == c.log_position &&
         state.io != ThreadState::no && state.sql_running;
}

Task<SimAgent::Outcome> SimAgent::set_up_replica(Job& job, const SetUpReplica& c) {
  const Outcome fenced = fence(c.epoch);
  if (!fenced) co_return fenced;
  Outcome prepared = success();
  if (c.clone)
    prepared = co_await clone(job, c);
  else
    prepared = co_await start_server(c.server_id);
  if (!prepared) co_return prepared;
  const Outcome ready = co_await need_server();
  if (!ready) co_return ready;
  server_.set_read_only(true);
  server_.set_semi_sync_primary(false);
  server_.set_semi_sync_replica(c.semi_sync);
  set_role(Role::replica);
  if (!c.clone && replicates_from(c)) co_return co_await await_connection(c);
  server_.stop_slave();
  co_await middle(job);
  ChangeMaster change;
  change.host = c.source.address;
  change.port = c.source_port;
  change.user = c.replication_user;
  change.password_hash = hash_password(c.replication_password.value);
  if (!c.clone) {
    change.log_file = c.log_file;
    change.log_position = c.log_position;
  }
  change.demote_to_slave = !c.clone;
  const Outcome changed = server_.change_master(change);
  if (!changed) co_return changed;
  co_await middle(job);
  const Outcome started = server_.start_slave();
  if (!started) co_return started;
  co_return co_await await_connection(c);
}

Task<SimAgent::Outcome> SimAgent::clone(Job& job, const SetUpReplica& c) {
  const auto reach = [this, &c]() -> SimServer* {
    SimServer* source = host_.server_at(c.source.address, c.source_port);
    const bool answers = source != nullptr && source->responsive() && host_.connected(server_, *source);
    return answers ? source : nullptr;
  };
  const std::string from = c.source.address + ":" + std::to_string(c.source_port);
  SimServer* source = reach();
  if (source == &server_)
    co_return make_error(ErrorCode::invalid,
                         server_.name() + " cannot be made a replica of itself (" + from + ").");
  if (source == nullptr)
    co_return make_error(
        ErrorCode::unavailable,
        "The source " + from + " cannot be reached from " + server_.name() +
            ", so its data was not cloned; nothing was changed. Check the source, then try again.",
        Effect::none, Retry::later);
  const std::uint64_t process = source->process();
  disk_.server_wanted = true;
  if (server_.running()) {
    co_await pause(work_time(times_.server_stop, "server_stop"));
    server_.stop();
  }
  server_.wipe();
  disk_.clone_unfinished = true;
  co_await pause(clone_time());
  co_await middle(job);
  if (std::exchange(controls_.interrupt_clone, false))
    co_return make_error(ErrorCode::unavailable,
                         "The clone of " + from + " to " + server_.name() +
                             " broke in the middle. The node holds no data; set it up again.",
                         Effect::possible, Retry::later);
  if (reach() != source || source->process() != process)
    co_return make_error(
        ErrorCode::unavailable,
        "The clone of " + from + " to " + server_.name() +
            " was interrupted: the source went away. The node holds no data; set it up again.",
        Effect::possible, Retry::later);
  if (server_.running()) server_.stop();  // somebody else started it on the unfinished data
  server_.restore_from(*source);
  disk_.clone_unfinished = false;
  co_return co_await start_server(c.server_id);
}

Task<SimAgent::Outcome> SimAgent::await_connection(const SetUpReplica& c) {
  const TimePoint limit = scheduler_.later(timeout(times_.connect_wait));
  const std::string from = c.source.address + ":" + std::to_string(c.source_port);
  while (true) {
    co_await pause(20ms);
    const ReplicationState state = server_.replication();
    if (state.io == ThreadState::yes) co_return success();
    const bool unreachable = state.io_errno == 2003 || state.io_errno == 1040;
    if (unreachable || (state.io_errno == 0 && scheduler_.now() >= limit))
      co_return make_error(ErrorCode::unavailable,
                           server_.name() + " is configured as a replica of " + from +
                               " but cannot connect: " + state.last_error + ". It goes on trying.",
                           Effect::possible, Retry::later);
    if (state.io_errno != 0 && state.io_errno != 2013)
      co_return database_error(state.io_errno, state.last_error, Effect::possible);
    if (scheduler_.now() >= limit)
      co_return make_error(ErrorCode::unavailable, "The source " + from + " broke the connection",
                           Effect::possible, Retry::later);
  }
}

Task<SimAgent::Outcome> SimAgent::stop_replica(Job& job) {
  const Outcome fenced = fence(std::get<StopReplica>(job.command).epoch);
  if (!fenced) co_return fenced;
  if (disk_.clone_unfinished) {
    // The rest of a copy is of no use to anybody: an empty server takes its place.
    if (!server_.running()) server_.wipe();
    disk_.clone_unfinished = false;
    const Outcome up = co_await start_server(0);
    if (!up) co_return up;
  }
  const Outcome ready = co_await need_server();
  if (!ready) co_return ready;
  server_.stop_slave();
  co_await middle(job);
  const Outcome reset = server_.reset_slave_all();
  if (disk_.role == Role::replica) set_role(Role::none);
  co_return reset;
}

Task<SimAgent::Outcome> SimAgent::wait_for_gtid(const WaitForGtid& c) {
  const Outcome fenced = fence(c.epoch);
  if (!fenced) co_return fenced;
  const auto position = GtidPosition::parse(c.gtid);
  if (!position)
    co_return make_error(ErrorCode::invalid, "\"" + c.gtid + "\" is no GTID position (such as 0-1-100).");
  const Outcome ready = co_await need_server();
  if (!ready) co_return ready;
  const auto start = [this, &position, &c](Handler<bool> handler) {
    auto shared = std::make_shared<Handler<bool>>(std::move(handler));
    server_.wait_for_gtid(*position, c.limit, [shared](bool reached) { (*shared)(reached); });
  };
  const Duration patience = timeout(c.limit) + 1s;
  const Result<bool> reached = co_await await_reply<bool>(patience, start);
  if (reached && reached.value()) co_return success();
  if (!server_.running()) co_return database_error(2013, "The server ended while waiting for " + c.gtid);
  co_return make_error(ErrorCode::timeout, server_.name() + " has not applied " + c.gtid + " within " +
                                               drover::to_text(c.limit) + "; it is at " +
                                               server_.gtid_slave_pos().to_text() + ".");
}

// Users and data.

void SimAgent::set_account(const std::string& name, std::optional<UserAccount> account) {
  Change change;
  change.users.emplace(name, std::move(account));
  server_.change(std::move(change), disk_.role != Role::replica);
}

SimAgent::Outcome SimAgent::set_password(const std::string& name, const Secret& password, bool must_exist) {
  if (name.empty() || name.size() > 128)
    return make_error(ErrorCode::invalid,
                      "A user name has 1 to 128 bytes; this one has " + std::to_string(name.size()) + ".");
  const auto user = server_.users().find(name);
  if (user == server_.users().end() && must_exist)
    return database_error(1133, "Can't find any matching row in the user table for '" + name + "'@'%'");
  const UserAccount account{"%", hash_password(password.value)};
  if (user == server_.users().end() || user->second != account) set_account(name, account);
  return success();
}

SimAgent::Outcome SimAgent::delete_user(const std::string& name) {
  if (server_.users().contains(name)) set_account(name, std::nullopt);
  return success();
}

// A late one would make a replica differ from its primary, and be lost on a primary that hands over.
SimAgent::Outcome SimAgent::takes_changes() const {
  if (disk_.role == Role::replica)
    return make_error(ErrorCode::wrong_state,
                      server_.name() + " is a replica: make the change on its primary.");
  if (disk_.role == Role::primary && server_.read_only())
    return make_error(
        ErrorCode::wrong_state,
        server_.name() + " takes no writes now: make the change once there is a primary that does.");
  return success();
}

Task<SimAgent::Outcome> SimAgent::load_dump(const LoadDump& c) {
  const Outcome ready = co_await need_server();
  if (!ready) co_return ready;
  const Outcome takes = takes_changes();
  if (!takes) co_return takes;
  const Result<std::string> text = host_.read_dump(c.path);
  if (!text) co_return text.error();
  const Result<Change> parsed = read_dump_text(text.value());
  if (!parsed) co_return parsed.error();
  co_await pause(server_.pace().work(Duration(static_cast<Duration::rep>(text.value().size()) * 100)));
  const Outcome still = co_await need_server();
  if (!still) co_return still;
  const Outcome takes_still = takes_changes();
  if (!takes_still) co_return takes_still;
  const Change& change = parsed.value();
  const auto counters = server_.named_counters();
  bool differs = false;
  for (const auto& [name, account] : change.users) {
    const auto user = server_.users().find(name);
    differs = differs || user == server_.users().end() || user->second != *account;
  }
  for (const auto& [name, value] : change.counters) {
    const auto own = counters.find(name);
    differs = differs || (own == counters.end() ? value != 0 : own->second != value);
  }
  if (differs) server_.change(change, true);
  co_return success();
}

}  // namespace drover::node

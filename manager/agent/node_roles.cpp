// Roles: primary, replica, and the copy of data that makes a replica.
#include <poll.h>

#include <chrono>
#include <filesystem>

#include "manager/agent/node_agent.hpp"
#include "manager/agent/rules.hpp"
#include "manager/system/child_process.hpp"
#include "manager/system/net_stream.hpp"

namespace drover::agent {
namespace {

using Clock = std::chrono::steady_clock;

std::string place_of(const SetUpReplica& c) { return c.source.address + ":" + std::to_string(c.source_port); }

}  // namespace

Result<void> NodeAgent::set_up_primary(const SetUpPrimary& c) {
  DROVER_TRY(admit(c.epoch));
  DROVER_TRY(start_server(c.server_id));
  DROVER_TRY(const ReplicationState replication, server_.replication());
  if (replication.configured) {
    DROVER_TRY(server_.forget_source());
  }
  DROVER_TRY(change_state([&](AgentState& state) -> Result<void> {
    state.semi_sync_primary = c.semi_sync;
    state.semi_sync_replica = false;
    state.role = Role::primary;
    return success();
  }));
  DROVER_TRY(process_.write_configuration(state()));
  // First the user: with semi-sync on it would wait for a replica, and none can log in yet.
  if (!c.replication_user.empty()) {
    DROVER_TRY(server_.set_user(c.replication_user, c.replication_password, true));
  }
  return server_.set_semi_sync(c.semi_sync, false);
}

Result<void> NodeAgent::set_up_replica(const SetUpReplica& c) {
  DROVER_TRY(admit(c.epoch));
  if (c.clone) {
    DROVER_TRY(clone(c));
  } else {
    DROVER_TRY(start_server(c.server_id));
  }
  DROVER_TRY(server_.set_read_only(true, settings_.server_timeout + 2s));
  const bool semi_sync_changes = state().semi_sync_replica != c.semi_sync;
  DROVER_TRY(change_state([&](AgentState& state) -> Result<void> {
    state.semi_sync_primary = false;
    state.semi_sync_replica = c.semi_sync;
    state.role = Role::replica;
    return success();
  }));
  DROVER_TRY(process_.write_configuration(state()));
  DROVER_TRY(server_.set_semi_sync(false, c.semi_sync));
  if (!c.clone && replication_password_ == c.replication_password.value) {
    DROVER_TRY(const bool already, server_.replicates_from(c));
    if (already && semi_sync_changes) {
      DROVER_TRY(server_.restart_io_thread());
    }
    if (already) return await_connection(c);
  }
  DROVER_TRY(server_.replicate_from(c, !c.clone));
  replication_password_ = c.replication_password.value;
  return await_connection(c);
}

Result<void> NodeAgent::clone(const SetUpReplica& c) {
  const std::string from = place_of(c);
  if (c.source.address == settings_.address && c.source.port == settings_.port)
    return make_error(ErrorCode::invalid,
                      settings_.instance_id + " cannot be made a replica of itself (" + from + ").");
  const auto unreachable = [&](const std::string& why) {
    return make_error(ErrorCode::unavailable,
                      "The source " + from + " cannot be reached from " + settings_.instance_id +
                          ", so its data was not cloned; nothing was changed. Check the source, then try "
                          "again. (" +
                          why + ")",
                      Effect::none, Retry::later);
  };
  for (const std::uint16_t port : {c.source.port, c.source_port})
    if (auto reached = system::connect_to(c.source.address, port, settings_.server_timeout);
        reached.has_error())
      return unreachable(reached.error().message);
  const std::string fresh = settings_.folder + "/data.new";
  const auto begun = Clock::now();
  auto copied = transfer_.take_backup(c.source, fresh);
  if (copied.has_error()) {
    std::error_code ignored;
    std::filesystem::remove_all(fresh, ignored);
    settings_.log("no copy by mariadb-backup (" + copied.error().message + "): trying mariadb-dump");
    return clone_by_dump(c);
  }
  const auto copied_at = Clock::now();
  DROVER_TRY(begin_clone(c.server_id));
  server_.forget_connections();
  // Its data goes: a clean end would write a second for nothing.
  DROVER_TRY(process_.end_now());
  DROVER_TRY(process_.swap_data(fresh));
  DROVER_TRY(process_.start(state()));
  // The copy of a server that was a replica itself holds what that one had applied.
  DROVER_TRY(const std::string own, server_.current_position());
  const auto position = merged(*parse_gtid_position(copied.value()), *parse_gtid_position(own));
  DROVER_TRY(finish_clone(to_text(position)));
  const auto ms = [](auto time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) + " ms";
  };
  settings_.log("cloned " + from + " at " + to_text(position) + ": copied and prepared in " +
                ms(copied_at - begun) + ", swapped and started in " + ms(Clock::now() - copied_at));
  return success();
}

// From here on the own data counts for nothing.
Result<void> NodeAgent::begin_clone(std::uint32_t server_id) {
  return change_state([&](AgentState& state) -> Result<void> {
    state.clone_unfinished = true;
    state.server_wanted = true;
    state.server_id = server_id;
    return success();
  });
}

// The slow way, for a donor without mariadb-backup: the own data has to go first.
Result<void> NodeAgent::clone_by_dump(const SetUpReplica& c) {
  DROVER_TRY(begin_clone(c.server_id));
  const auto broken = [&](const Error& why) {
    return make_error(ErrorCode::unavailable,
                      "The clone of " + place_of(c) + " to " + settings_.instance_id +
                          " broke in the middle. The node holds no data; set it up again. (" + why.message +
                          ")",
                      Effect::possible, Retry::later);
  };
  server_.forget_connections();
  DROVER_TRY(process_.end_now());
  DROVER_TRY(process_.wipe());
  DROVER_TRY(process_.start(state()));
  auto position = transfer_.take_dump_of(c.source);
  if (position.has_error()) {
    // Nobody is to use half of a copy.
    server_.forget_connections();
    DROVER_TRY(process_.stop());
    return broken(position.error());
  }
  // The accounts came as rows of tables: the server reads them at its next start.
  server_.forget_connections();
  DROVER_TRY(process_.stop());
  DROVER_TRY(process_.start(state()));
  return finish_clone(position.value());
}

Result<void> NodeAgent::finish_clone(const std::string& position) {
  DROVER_TRY(server_.forget_source());
  DROVER_TRY(server_.set_slave_position(position));
  return change_state([](AgentState& state) -> Result<void> {
    state.clone_unfinished = false;
    return success();
  });
}

Result<void> NodeAgent::await_connection(const SetUpReplica& c) {
  const auto until = Clock::now() + settings_.connect_wait;
  while (true) {
    DROVER_TRY(const ReplicationState replication, server_.replication());
    Error error;
    const bool late = Clock::now() >= until;
    switch (judge_connection(replication, late, settings_.instance_id, place_of(c), error)) {
      case Connecting::done:
        return success();
      case Connecting::failed:
        return error;
      case Connecting::wait:
        ::poll(nullptr, 0, 5);
    }
  }
}

Result<void> NodeAgent::stop_replica(const StopReplica& c) {
  DROVER_TRY(admit(c.epoch));
  if (state().clone_unfinished) {
    // The rest of a copy is of no use to anybody: an empty server takes its place.
    server_.forget_connections();
    DROVER_TRY(process_.stop());
    DROVER_TRY(process_.wipe());
    DROVER_TRY(change_state([](AgentState& state) -> Result<void> {
      state.clone_unfinished = false;
      return success();
    }));
    DROVER_TRY(start_server(0));
  }
  DROVER_TRY(need_server());
  DROVER_TRY(const ReplicationState replication, server_.replication());
  if (replication.configured) {
    DROVER_TRY(server_.forget_source());
  }
  return change_state([](AgentState& state) -> Result<void> {
    if (state.role == Role::replica) state.role = Role::none;
    return success();
  });
}

}  // namespace drover::agent

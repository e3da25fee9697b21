// What the fault engine and `do:` steps can do to the agents and the database servers of the simulated world.
#include "scenarios/engine/sim_world.hpp"

namespace drover::scenario {

namespace {

constexpr std::uint32_t kDefaultServerId = 1;

}  // namespace

// The server_id of the first other server that has one of its own.
std::optional<std::uint32_t> SimWorld::foreign_server_id(const std::string& id) const {
  const auto own = fleet_->truth(id);
  if (!own) return std::nullopt;
  for (const auto& other : fleet_->ids()) {
    const auto truth = fleet_->truth(other);
    if (other != id && truth && truth->server_id != own->server_id) return truth->server_id;
  }
  return std::nullopt;
}

Result<void> SimWorld::act_on_agent(const fault::Action& action, const std::string& id) {
  const std::string& name = action.name;
  const auto& arguments = action.arguments;
  const auto restart = [&]() -> std::optional<Duration> {
    const Duration after = arguments.duration("restart");
    if (after != fault::kNeverHappens) return after;
    healers_.push_back([this, id] { fleet_->restart_agent(id); });
    return std::nullopt;
  };
  bool known = true;
  healers_.push_back([this, id] { fleet_->calm(id); });
  if (name == "agent.crash") {
    known = fleet_->crash_agent(id, restart());
  } else if (name == "agent.crash_at_command") {
    const auto step = static_cast<unsigned>(arguments.number("step"));
    const auto point = step == 0 ? node::CrashPoint::start : node::CrashPoint::middle;
    known = fleet_->crash_agent_at(id, point, restart(), step);
  } else if (name == "agent.duplicate_command") {
    known = fleet_->duplicate_commands(id, static_cast<unsigned>(arguments.number("commands")),
                                       arguments.duration("after"));
  } else if (name == "agent.restart_in_command") {
    known = fleet_->crash_agent_at(id, node::CrashPoint::end, restart());
  } else if (name == "agent.partial_configuration") {
    known = fleet_->crash_agent_at(id, node::CrashPoint::middle, 1s);
  } else if (name == "agent.hang") {
    known = fleet_->hang_agent(id, true);
    later(action, arguments.duration("for"), [this, id] { fleet_->hang_agent(id, false); });
  } else if (name == "agent.lie") {
    known = fleet_->pretend_commands(id, static_cast<unsigned>(arguments.number("commands")));
  } else if (name == "agent.stale_result") {
    known = fleet_->answer_stale(id, static_cast<unsigned>(arguments.number("answers")),
                                 arguments.duration("age"));
  } else if (name == "agent.wrong_version") {
    known = fleet_->wrong_version(id, "0.0.1");
    healers_.push_back([this, id] { fleet_->wrong_version(id, std::nullopt); });
  } else if (name == "agent.wrong_credentials") {
    known = fleet_->wrong_credentials(id, true);
    healers_.push_back([this, id] { fleet_->wrong_credentials(id, false); });
  } else if (name == "agent.wrong_identity") {
    known = fleet_->wrong_identity(id, "i-somebody-else");
    healers_.push_back([this, id] { fleet_->wrong_identity(id, std::nullopt); });
  } else if (name == "agent.disk_full") {
    known = fleet_->disk_full(id, true);
    later(action, arguments.duration("for"), [this, id] { fleet_->disk_full(id, false); });
  } else {
    return make_error(ErrorCode::invalid, "the simulation does not know the action \"" + name + "\"");
  }
  if (!known) return make_error(ErrorCode::not_found, "no agent has started on " + id);
  return success();
}

Result<void> SimWorld::act_on_database(const fault::Action& action, const std::string& id) {
  const std::string& name = action.name;
  const auto& arguments = action.arguments;
  bool known = true;
  healers_.push_back([this, id] { fleet_->calm(id); });
  if (name == "db.lag") {
    known = fleet_->lag(id, arguments.duration("by"));
    later(action, arguments.duration("for"), [this, id] { fleet_->lag(id, std::nullopt); });
  } else if (name == "db.stop_sql") {
    known = fleet_->fail_sql_thread(id, std::stoi(std::string(arguments.text("errno"))));
  } else if (name == "db.stop_io") {
    known = fleet_->disconnect_io(id);
  } else if (name == "db.purge_binlogs") {
    known = fleet_->purge_binlogs(id);
  } else if (name == "db.errant") {
    known = fleet_->errant_transaction(id);
  } else if (name == "db.duplicate_server_id") {
    const auto other = foreign_server_id(id);
    if (!other)
      return make_error(ErrorCode::not_found, "there is no other server whose server_id could be taken");
    known = fleet_->change_server_id(id, *other);
  } else if (name == "db.reset_server_id") {
    known = fleet_->change_server_id(id, kDefaultServerId);
  } else if (name == "db.diverge") {
    known = fleet_->diverge(id);
  } else if (name == "db.lose_read_only") {
    known = fleet_->lose_read_only(id);
  } else if (name == "db.semi_sync_off") {
    known = fleet_->drop_semi_sync(id);
  } else if (name == "db.lose_relay_log") {
    known = fleet_->lose_relay_log(id);
  } else if (name == "db.corrupt_relay_log") {
    known = fleet_->corrupt_relay_log(id);
  } else if (name == "db.corrupt_binlog") {
    known = fleet_->corrupt_binlog(id);
  } else if (name == "db.interrupt_clone") {
    known = fleet_->interrupt_clone(id);
  } else if (name == "db.stick_read_only") {
    known = fleet_->stick_read_only(id, true);
    later(action, arguments.duration("for"), [this, id] { fleet_->stick_read_only(id, false); });
  } else if (name == "db.disk_full") {
    known = fleet_->fill_disk(id, true);
    later(action, arguments.duration("for"), [this, id] { fleet_->fill_disk(id, false); });
  } else if (name == "db.crash") {
    const Duration back = arguments.duration("restart");
    known =
        fleet_->crash_server(id, back == fault::kNeverHappens ? std::nullopt : std::optional<Duration>(back));
  } else if (name == "db.hang") {
    known = fleet_->hang_server(id, true);
    later(action, arguments.duration("for"), [this, id] { fleet_->hang_server(id, false); });
  } else if (name == "db.connections_exhausted") {
    known = fleet_->exhaust_connections(id, true);
    later(action, arguments.duration("for"), [this, id] { fleet_->exhaust_connections(id, false); });
  } else {
    return make_error(ErrorCode::invalid, "the simulation does not know the action \"" + name + "\"");
  }
  if (!known) return make_error(ErrorCode::not_found, "no server has started on " + id);
  return success();
}

}  // namespace drover::scenario

#include "manager/ports/agent_codec.hpp"

#include <array>

namespace drover {
namespace {

using nlohmann::json;

// One list of fields per command, used in both directions.
template <class V, class C>
requires(std::is_same_v<C, StopServer> || std::is_same_v<C, RestartServer> || std::is_same_v<C, GetUsers> ||
         std::is_same_v<C, TakeDump> || std::is_same_v<C, LoadDump>) void fields(V& v, C& c) {
  v("generation", c.generation);
}
template <class V>
void fields(V& v, GetServerState& c) {
  v("generation", c.generation);
  v("patience_ns", c.patience);
}
template <class V>
void fields(V& v, StartServer& c) {
  v("server_id", c.server_id);
  v("generation", c.generation);
}
template <class V>
void fields(V& v, SetUpPrimary& c) {
  v("epoch", c.epoch);
  v("server_id", c.server_id);
  v("semi_sync", c.semi_sync);
  v("replication_user", c.replication_user);
  v("replication_password", c.replication_password.value);
  v("generation", c.generation);
}
template <class V>
void fields(V& v, SetUpReplica& c) {
  v("epoch", c.epoch);
  v("server_id", c.server_id);
  v("source_address", c.source.address);
  v("source_agent_port", c.source.port);
  v("source_port", c.source_port);
  v("clone", c.clone);
  v("semi_sync", c.semi_sync);
  v("replication_user", c.replication_user);
  v("replication_password", c.replication_password.value);
  v("log_file", c.log_file);
  v("log_position", c.log_position);
  v("generation", c.generation);
}
template <class V>
void fields(V& v, StopReplica& c) {
  v("epoch", c.epoch);
  v("generation", c.generation);
}
template <class V>
void fields(V& v, SetReadOnly& c) {
  v("epoch", c.epoch);
  v("read_only", c.read_only);
  v("generation", c.generation);
  v("force", c.force);
}
template <class V>
void fields(V& v, WaitForGtid& c) {
  v("epoch", c.epoch);
  v("gtid", c.gtid);
  v("limit_ns", c.limit);
  v("generation", c.generation);
}
template <class V>
void fields(V& v, ConfigureUser& c) {
  v("username", c.username);
  v("password", c.password.value);
  v("generation", c.generation);
}
template <class V>
void fields(V& v, DeleteUser& c) {
  v("username", c.username);
  v("generation", c.generation);
}
template <class V>
void fields(V& v, SetPassword& c) {
  v("username", c.username);
  v("password", c.password.value);
  v("generation", c.generation);
}
template <class V>
void fields(V& v, ReplicationState& s) {
  v("configured", s.configured);
  v("source_address", s.source_address);
  v("source_port", s.source_port);
  v("io", s.io);
  v("sql_running", s.sql_running);
  v("io_errno", s.io_errno);
  v("sql_errno", s.sql_errno);
  v("last_error", s.last_error);
  v("gtid_io_pos", s.gtid_io_pos);
  v("seconds_behind", s.seconds_behind);
  v("source_server_id", s.source_server_id);
}
template <class V>
void fields(V& v, ServerState& s) {
  v("instance_id", s.instance_id);
  v("running", s.running);
  v("version", s.version);
  v("server_id", s.server_id);
  v("read_only", s.read_only);
  v("epoch", s.epoch);
  v("generation", s.generation);
  v("role", s.role);
  v("gtid_binlog_pos", s.gtid_binlog_pos);
  v("gtid_slave_pos", s.gtid_slave_pos);
  v("gtid_current_pos", s.gtid_current_pos);
  v("semi_sync_active", s.semi_sync_active);
  v("binlog_file", s.binlog_file);
  v("binlog_position", s.binlog_position);
  v("mysqld_port", s.mysqld_port);
  v("queries", s.queries);
  v("errors", s.errors);
  v("busy", s.busy);
  v("load", s.load);
}

template <class E>
struct Names;
template <>
struct Names<Role> {
  static constexpr std::array all{Role::none, Role::primary, Role::replica};
};
template <>
struct Names<ThreadState> {
  static constexpr std::array all{ThreadState::no, ThreadState::preparing, ThreadState::connecting,
                                  ThreadState::yes};
};

struct Writer {
  json& out;
  template <class T>
  void operator()(const char* name, const T& value) {
    if constexpr (std::is_same_v<T, Duration>)
      out[name] = value.count();
    else if constexpr (std::is_enum_v<T>)
      out[name] = to_text(value);
    else
      out[name] = value;
  }
};

struct Reader {
  const json& in;
  std::string problem;  // the first
  void wrong(const char* name, const char* what) {
    if (problem.empty()) problem = std::string("\"") + name + "\" " + what;
  }
  template <class T>
  void operator()(const char* name, T& value) {
    const auto found = in.find(name);
    if (found == in.end()) return wrong(name, "is missing");
    if constexpr (std::is_same_v<T, bool>) {
      if (!found->is_boolean()) return wrong(name, "must be true or false");
      value = found->get<bool>();
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (!found->is_string()) return wrong(name, "must be a text");
      value = found->get<std::string>();
    } else if constexpr (std::is_same_v<T, Duration>) {
      if (!found->is_number_integer()) return wrong(name, "must be a whole number");
      value = Duration(found->get<Duration::rep>());
    } else if constexpr (std::is_enum_v<T>) {
      for (const T one : Names<T>::all)
        if (*found == to_text(one)) {
          value = one;
          return;
        }
      wrong(name, "has an unknown value");
    } else if constexpr (std::is_floating_point_v<T>) {
      if (!found->is_number()) return wrong(name, "must be a number");
      value = found->get<T>();
    } else if constexpr (std::is_unsigned_v<T>) {
      if (!found->is_number_unsigned() || found->get<std::uint64_t>() > std::numeric_limits<T>::max())
        return wrong(name, "must be a whole number from 0 in its range");
      value = found->get<T>();
    } else {
      if (!found->is_number_integer()) return wrong(name, "must be a whole number");
      value = found->get<T>();
    }
  }
};

template <std::size_t I = 0>
Result<AgentCommand> decode_as(std::string_view method, const json& in) {
  if constexpr (I == std::variant_size_v<AgentCommand>) {
    return make_error(ErrorCode::not_found, "the agent knows no method \"" + std::string(method) + "\"");
  } else {
    std::variant_alternative_t<I, AgentCommand> command;
    if (method != agent_method(command)) return decode_as<I + 1>(method, in);
    Reader reader{in, {}};
    fields(reader, command);
    if (!reader.problem.empty())
      return make_error(ErrorCode::invalid, std::string(method) + ": " + reader.problem);
    return AgentCommand(std::move(command));
  }
}

constexpr std::array kCodes = {
    ErrorCode::unknown,         ErrorCode::invalid,    ErrorCode::not_found,   ErrorCode::already_exists,
    ErrorCode::wrong_state,     ErrorCode::quota,      ErrorCode::capacity,    ErrorCode::throttled,
    ErrorCode::unauthenticated, ErrorCode::permission, ErrorCode::unavailable, ErrorCode::timeout,
    ErrorCode::connection_lost, ErrorCode::protocol,   ErrorCode::storage,     ErrorCode::fenced,
    ErrorCode::cancelled,       ErrorCode::database,   ErrorCode::internal};
constexpr std::array kRetries = {"no", "soon", "later"};

}  // namespace

json encode_command(const AgentCommand& command) {
  json out = json::object();
  std::visit(
      [&out](auto copy) {
        Writer writer{out};
        fields(writer, copy);
      },
      command);
  return out;
}

Result<AgentCommand> decode_command(std::string_view method, const json& fields_) {
  if (!fields_.is_object())
    return make_error(ErrorCode::invalid, std::string(method) + ": the fields must be a JSON object");
  return decode_as(method, fields_);
}

json encode_reply(const AgentReply& reply) {
  json state = json::object(), replication = json::object(), users = json::array();
  ServerState copy = reply.state;
  Writer writer{state}, inner{replication};
  fields(writer, copy);
  fields(inner, copy.replication);
  state["replication"] = std::move(replication);
  for (const DatabaseUser& user : reply.users)
    users.push_back({{"username", user.username}, {"location", user.location}});
  return {{"state", std::move(state)}, {"users", std::move(users)}};
}

Result<AgentReply> decode_reply(const json& reply) {
  const auto broken = [](const std::string& why) {
    return make_error(ErrorCode::protocol, "the agent's answer cannot be understood: " + why,
                      Effect::possible);
  };
  if (!reply.is_object() || !reply.contains("state") || !reply["state"].is_object())
    return broken("it has no state");
  AgentReply result;
  Reader reader{reply["state"], {}};
  fields(reader, result.state);
  const auto replication = reply["state"].find("replication");
  if (replication == reply["state"].end() || !replication->is_object())
    return broken("it has no replication");
  Reader inner{*replication, {}};
  fields(inner, result.state.replication);
  if (!reader.problem.empty() || !inner.problem.empty()) return broken(reader.problem + inner.problem);
  if (const auto users = reply.find("users"); users != reply.end() && users->is_array())
    for (const json& user : *users) {
      if (!user.is_object()) return broken("a user is no object");
      DatabaseUser one;
      Reader each{user, {}};
      each("username", one.username);
      each("location", one.location);
      if (!each.problem.empty()) return broken(each.problem);
      result.users.push_back(std::move(one));
    }
  return result;
}

json encode_error(const Error& error) {
  return {{"error",
           {{"code", to_text(error.code)},
            {"effect", error.effect == Effect::possible ? "possible" : "none"},
            {"retry", kRetries.at(static_cast<std::size_t>(error.retry))},
            {"retry_after_ns", error.retry_after.count()},
            {"message", error.message}}}};
}

Error decode_error(const json& reply) {
  const Error unclear = make_error(
      ErrorCode::protocol, "the agent's answer cannot be understood: is something else listening there?",
      Effect::possible);
  if (!reply.is_object() || !reply.contains("error") || !reply["error"].is_object()) return unclear;
  const json& in = reply["error"];
  Error error = unclear;
  bool known = false;
  for (const ErrorCode code : kCodes)
    if (in.value("code", json()) == to_text(code)) {
      error.code = code;
      known = true;
    }
  if (!known || !in.value("message", json()).is_string()) return unclear;
  error.message = in["message"].get<std::string>();
  error.effect = in.value("effect", json()) == "none" ? Effect::none : Effect::possible;
  for (std::size_t i = 0; i < kRetries.size(); ++i)
    if (in.value("retry", json()) == kRetries.at(i)) error.retry = static_cast<Retry>(i);
  if (const json after = in.value("retry_after_ns", json()); after.is_number_integer())
    error.retry_after = Duration(after.get<Duration::rep>());
  return error;
}

}  // namespace drover

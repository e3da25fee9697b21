// The methods that reach through to database servers: users, passwords, dumps. Answered when every addressed
// agent has answered or run out of time. Names and passwords are data: nothing here builds SQL, nothing here
// is logged.
#include "manager/api/answers.hpp"
#include "manager/api/service.hpp"

namespace drover::api {

using model::Node;
using model::NodeId;
using nlohmann::json;

namespace {

constexpr std::size_t kLongestName = 80;  // MariaDB's limit for user names, in characters
// How long a commit waits for a slave at most (rpl_semi_sync_master_timeout, MariaDB's default).
constexpr Duration kSemiSyncWait{10s};

// Of a change that a master commits. Without a slave a semi-synchronous one waits first, and then does it.
Duration change_timeout(const ops::Configuration& config) {
  return config.agent_timeout + (config.semi_sync ? kSemiSyncWait : Duration{0});
}

const UploadedFile* file_of(const Request& request, const char* field) {
  for (const auto& file : request.files)
    if (file.field == field) return &file;
  return nullptr;
}

// A text parameter; answers and returns false when it is none.
bool read_text(const Request& request, const char* name, bool may_be_empty, std::string& to,
               Respond& respond) {
  const auto& value = request.params.at(name);
  if (!value.is_string() || (!may_be_empty && value.get_ref<const std::string&>().empty())) {
    respond(invalid_argument(name, std::string("\"") + name + "\" must be a text"));
    return false;
  }
  to = value.get<std::string>();
  return true;
}

bool read_username(const Request& request, const char* name, std::string& to, Respond& respond) {
  if (!read_text(request, name, false, to, respond)) return false;
  if (to.size() <= kLongestName && to.find('\0') == std::string::npos) return true;
  respond(invalid_argument(name, "a user name has at most 80 characters and no NUL"));
  return false;
}

}  // namespace

bool Service::addressed(const Request& request, std::vector<NodeId>& nodes, Respond& respond) const {
  const auto& id = request.params.at("serviceNodeId");
  if (id == "all") {
    // Replicas get everything from the master: writing there too would make errant transactions.
    for (const NodeId node : manager_.listed_nodes())
      if (manager_.model().node(node)->role != Role::replica) nodes.push_back(node);
    return true;
  }
  const Node* node = member(id);
  if (node == nullptr) {
    respond(invalid_reference("serviceNodeId",
                              "there is no such service node: list_nodes tells which there are"));
    return false;
  }
  if (node->role == Role::replica) {
    respond(wrong_state(model::node_name(node->id) + " is a slave: make the change on the master"));
    return false;
  }
  nodes.push_back(node->id);
  return true;
}

void Service::tell_nodes(const std::string& method, std::vector<NodeId> nodes, AgentCommand command,
                         Duration timeout, Respond respond) {
  manager_.ask_nodes(
      std::move(nodes), std::move(command), timeout,
      [method, answer = std::move(respond)](Result<ops::MySQLServerManager::Answers> answers) mutable {
        json failed = json::object();
        std::string text;
        for (const auto& [id, reply] : answers.value()) {
          if (reply.has_value()) continue;
          failed[model::id_text(id)] = reply.error().message;
          text += (text.empty() ? "" : "; ") + model::node_name(id) + ": " + reply.error().message;
        }
        if (failed.empty()) return answer(ok(json::object()));
        answer(failure(Code::E_UNKNOWN, method + " failed on " + text, json{{"nodes", std::move(failed)}}));
      });
}

void Service::get_users(const Request&, Respond respond) {
  GetUsers question;
  manager_.ask_nodes(manager_.listed_nodes(), question, manager_.config().agent_timeout,
                     [answer = std::move(respond)](Result<ops::MySQLServerManager::Answers> answers) mutable {
                       json result = json::object();
                       for (const auto& [id, reply] : answers.value()) {
                         json& row = result[model::id_text(id)];
                         if (reply.has_error()) {
                           row = json{{"error", reply.error().message}};
                           continue;
                         }
                         row = json::array();
                         for (const auto& user : reply.value().users)
                           row.push_back(json{{"username", user.username}, {"location", user.location}});
                       }
                       answer(ok(std::move(result)));
                     });
}

void Service::configure_user(const Request& request, Respond respond) {
  ConfigureUser command;
  std::vector<NodeId> nodes;
  if (!read_username(request, "username", command.username, respond)) return;
  if (!read_text(request, "password", true, command.password.value, respond)) return;
  if (!addressed(request, nodes, respond)) return;
  tell_nodes("configure_user", std::move(nodes), command, change_timeout(manager_.config()),
             std::move(respond));
}

void Service::delete_user(const Request& request, Respond respond) {
  DeleteUser command;
  std::vector<NodeId> nodes;
  if (!read_username(request, "username", command.username, respond)) return;
  if (!addressed(request, nodes, respond)) return;
  tell_nodes("delete_user", std::move(nodes), command, change_timeout(manager_.config()), std::move(respond));
}

void Service::set_password(const Request& request, Respond respond) {
  SetPassword command;
  if (!read_username(request, "user", command.username, respond)) return;
  if (!read_text(request, "password", true, command.password.value, respond)) return;
  std::vector<NodeId> nodes;
  for (const NodeId node : manager_.listed_nodes())
    if (manager_.model().node(node)->role != Role::replica) nodes.push_back(node);
  tell_nodes("set_password", std::move(nodes), command, change_timeout(manager_.config()),
             std::move(respond));
}

void Service::send_mysqldump(const Request& request, Respond respond) {
  const UploadedFile* file = file_of(request, "mysqldump");
  if (file == nullptr)
    return respond(invalid_argument("mysqldump", "\"mysqldump\" must be an uploaded file"));
  std::vector<NodeId> nodes;
  if (!addressed(request, nodes, respond)) return;
  LoadDump command;
  command.path = file->path;
  tell_nodes("send_mysqldump", std::move(nodes), command, manager_.config().clone_timeout,
             std::move(respond));
}

namespace {

// Where a dump is taken from or loaded to when nobody says: the master, or the only node.
const Node* principal(const model::Model& model) {
  if (const Node* primary = model.node(model.service.primary); primary != nullptr) return primary;
  const Node* only = nullptr;
  for (const auto& [id, node] : model.nodes()) {
    if (!model::is_listed(node.state)) continue;
    if (only != nullptr) return nullptr;
    only = &node;
  }
  return only;
}

}  // namespace

void Service::load_dump(const Request& request, Respond respond) {
  const UploadedFile* file = file_of(request, "mysqldump_file");
  if (file == nullptr)
    return respond(invalid_argument("mysqldump_file", "\"mysqldump_file\" must be an uploaded file"));
  const Node* node = principal(manager_.model());
  if (node == nullptr)
    return respond(wrong_state("there is neither a master nor a single node to load the dump on"));
  LoadDump command;
  command.path = file->path;
  std::vector<NodeId> nodes{node->id};
  tell_nodes("load_dump", std::move(nodes), command, manager_.config().clone_timeout, std::move(respond));
}

void Service::sqldump(const Request&, Respond respond) {
  const Node* node = principal(manager_.model());
  if (node == nullptr) return respond(wrong_state("there is neither a master nor a single node to dump"));
  TakeDump command;
  std::vector<NodeId> nodes{node->id};
  manager_.ask_nodes(std::move(nodes), command, manager_.config().clone_timeout,
                     [answer = std::move(respond)](Result<ops::MySQLServerManager::Answers> answers) mutable {
                       const auto& reply = answers.value().front().second;
                       if (reply.has_error())
                         return answer(failure(Code::E_UNKNOWN, "sqldump failed: " + reply.error().message));
                       answer(ok(reply.value().dump));
                     });
}

}  // namespace drover::api

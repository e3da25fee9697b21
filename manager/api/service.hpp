// The documented API over a MySQLServerManager: exposed_functions (the table of methods by verb), the order
// of checks, the documented texts and codes, and the shapes of results. Free of HTTP: the server
// (http_server.hpp) and the scenario runner call handle(). The only place where master and slave are spelled.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "manager/api/request.hpp"
#include "manager/ops/manager.hpp"

namespace drover::api {

class Service;

struct Parameter {
  const char* name;
  bool required;
};

// One row of exposed_functions.
struct Method {
  Verb verb;
  const char* name;
  std::vector<Parameter> parameters;
  bool takes_anything;  // the original ignored unexpected arguments here
  void (Service::*handler)(const Request& request, Respond respond);
  const char* summary;
};

// The documented `exposed_functions`, in the order of the documentation; `expose` is the act of adding a row.
const std::vector<Method>& exposed_functions();

// Requests counted over a sliding minute, for get_service_performance, and for ever, for /metrics.
class Measurements {
 public:
  void count(TimePoint now, Duration taken, bool failed, std::uint64_t bytes);
  struct Rates {
    double request_rate = 0;   // requests/s
    double error_rate = 0;     // failed requests/s
    double throughput = 0;     // answered successfully/s
    double response_time = 0;  // mean, ms
  };
  Rates rates(TimePoint now) const;
  std::uint64_t requests() const { return requests_; }
  std::uint64_t errors() const { return errors_; }
  double seconds_sum() const { return seconds_; }

 private:
  static constexpr std::int64_t kWindow = 60;
  struct Bucket {
    std::int64_t second = -1;
    std::uint32_t requests = 0, errors = 0;
    double seconds = 0;
  };
  std::array<Bucket, kWindow> buckets_;
  std::uint64_t requests_ = 0, errors_ = 0;
  double seconds_ = 0;
};

class Service {
 public:
  Service(ops::MySQLServerManager& manager, Scheduler& scheduler, Trace& trace)
      : manager_(manager), scheduler_(scheduler), trace_(trace) {}

  void handle(Request request, Respond respond);

  // The state as the scenario language and tests look at it: {"state", "nodes", "master", "operations", …}.
  nlohmann::json topology() const;
  // The same for people (an indented tree) and for Graphviz.
  std::string topology_text() const;
  std::string topology_dot() const;
  // Prometheus text.
  std::string metrics() const;
  const Measurements& measurements() const { return measurements_; }

 private:
  friend const std::vector<Method>& exposed_functions();

  void list_nodes(const Request& request, Respond respond);
  void get_node_info(const Request& request, Respond respond);
  void add_nodes(const Request& request, Respond respond);
  void remove_nodes(const Request& request, Respond respond);
  void get_service_info(const Request& request, Respond respond);
  void set_up_replica_master(const Request& request, Respond respond);
  void set_up_replica_slave(const Request& request, Respond respond);
  void create_replica(const Request& request, Respond respond);
  void promote(const Request& request, Respond respond);
  void fail_over(const Request& request, Respond respond);
  void shutdown(const Request& request, Respond respond);
  void startup(const Request& request, Respond respond);
  void get_service_performance(const Request& request, Respond respond);
  void get_log(const Request& request, Respond respond);
  void get_users(const Request& request, Respond respond);
  void configure_user(const Request& request, Respond respond);
  void delete_user(const Request& request, Respond respond);
  void set_password(const Request& request, Respond respond);
  void send_mysqldump(const Request& request, Respond respond);
  void load_dump(const Request& request, Respond respond);
  void sqldump(const Request& request, Respond respond);
  void register_node(const Request& request, Respond respond);
  void get_mean_load(const Request& request, Respond respond);
  void get_operation(const Request& request, Respond respond);
  void list_operations(const Request& request, Respond respond);
  void cancel_operation(const Request& request, Respond respond);
  void get_topology(const Request& request, Respond respond);
  void get_service_history(const Request& request, Respond respond);

  // An operation on the member named by the parameter `parameter`; answers its details.
  void node_operation(const Request& request, const char* parameter, model::OperationRequest operation,
                      Respond respond);
  void submit(model::OperationRequest operation, bool one_node, Respond respond);
  bool read_common(const Request& request, model::OperationRequest& operation, Respond& respond) const;
  // The command to the addressed members ("all": those that do not replicate); answers {} or what failed
  // where.
  void tell_nodes(const std::string& method, std::vector<model::NodeId> nodes, AgentCommand command,
                  Duration timeout, Respond respond);
  // The members a serviceNodeId names; false when the error has been answered.
  bool addressed(const Request& request, std::vector<model::NodeId>& nodes, Respond& respond) const;
  const model::Node* member(const nlohmann::json& id) const;
  nlohmann::json node_details(const model::Node& node) const;
  nlohmann::json analysis_details(const ops::Analysis& analysis) const;
  nlohmann::json operation_details(const model::Operation& operation) const;

  ops::MySQLServerManager& manager_;
  Scheduler& scheduler_;
  Trace& trace_;
  Measurements measurements_;
};

}  // namespace drover::api

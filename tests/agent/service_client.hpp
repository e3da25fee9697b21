// A client of `drover serve` in front of real servers: its API, and the servers of its nodes. One thread.
#pragma once

#include <gtest/gtest.h>

#include "tests/agent/sql_client.hpp"
#include "tests/support/drover_process.hpp"

namespace drover::agent_test {

inline constexpr const char* kAppUser = "app";
inline constexpr const char* kAppPassword = "s3cret-app";

class ServiceClient {
 public:
  using json = nlohmann::json;
  explicit ServiceClient(std::uint16_t port) : port_(port) {}

  json get(const std::string& method, const json& params = json::object()) const {
    return testing_support::call_api(port_, "GET", method, params);
  }
  json post(const std::string& method, const json& params = json::object()) const {
    return testing_support::call_api(port_, "POST", method, params);
  }
  // Until the service accepts it; then until the operation has ended. Gives how it ended.
  json done(const std::string& method, const json& params) const {
    json answer;
    EXPECT_TRUE(testing_support::eventually([&] {
      answer = post(method, params);
      return answer.contains("result");
    })) << method
        << ": " << answer;
    const json id = answer["result"]["operation"];
    json operation;
    EXPECT_TRUE(testing_support::eventually([&] {
      operation = get("get_operation", {{"id", id}})["result"]["operation"];
      return operation["state"] == "DONE" || operation["state"] == "FAILED";
    })) << method
        << ": " << operation;
    EXPECT_EQ(operation["state"], "DONE") << method << ": " << operation;
    return operation;
  }
  json node(const std::string& id) const {
    return get("get_node_info", {{"serviceNodeId", id}})["result"]["serviceNode"];
  }
  std::string address(const std::string& id) const { return node(id)["ip"].get<std::string>(); }
  SqlClient sql(const std::string& id) const { return {address(id), kAppUser, kAppPassword}; }

  // Node 1 as the master, with a user, and the table shop.t with one row.
  void make_master() const {
    done("set_up_replica_master", {{"id", "1"}});
    ASSERT_TRUE(
        post("configure_user", {{"serviceNodeId", "1"}, {"username", kAppUser}, {"password", kAppPassword}})
            .contains("result"));
    SqlClient app = sql("1");
    ASSERT_EQ(app.run("CREATE DATABASE shop"), 0U) << app.message();
    ASSERT_EQ(app.run("CREATE TABLE shop.t (id INT PRIMARY KEY)"), 0U) << app.message();
    ASSERT_EQ(app.run("INSERT INTO shop.t VALUES (1)"), 0U) << app.message();
  }
  bool has_rows(const std::string& id, const std::string& count) const {
    // Its server may be down at first.
    return testing_support::eventually([&] { return sql(id).value("SELECT COUNT(*) FROM shop.t") == count; });
  }

 private:
  std::uint16_t port_;
};

}  // namespace drover::agent_test

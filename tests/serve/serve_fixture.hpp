// A serving drover for one test, quick in time: boots of minutes pass in a tenth of a second.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>

#include "tests/support/drover_process.hpp"

namespace drover::serve_test {

using namespace testing_support;
using nlohmann::json;

class Serve : public testing::Test {
 protected:
  DroverProcess& start(std::vector<std::string> more = {}, const std::string& time_scale = "1000") {
    std::vector<std::string> arguments{"serve",        "--listen", "127.0.0.1:0", "--cloud", "mock",
                                       "--time-scale", time_scale, "--log-level", "error"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    server_ = std::make_unique<DroverProcess>(arguments);
    if (server_->wait_until_listening() == 0) throw std::runtime_error(server_->err());
    return *server_;
  }
  json get(const std::string& method, const json& params = json::object()) const {
    return call_api(server_->port(), "GET", method, params);
  }
  json post(const std::string& method, const json& params = json::object()) const {
    return call_api(server_->port(), "POST", method, params);
  }
  // Until the service accepts it: it is in PROLOGUE for a moment after the start.
  json add_nodes(std::size_t count, const std::string& key) const {
    json added;
    EXPECT_TRUE(eventually([&] {
      added = post("add_nodes", {{"count", count}, {"key", key}});
      return added.contains("result");
    })) << added;
    return added;
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()) + "/"; }

  ScratchFolder scratch_;
  std::unique_ptr<DroverProcess> server_;
};

}  // namespace drover::serve_test

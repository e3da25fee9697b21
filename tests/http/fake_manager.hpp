// A handler with made-up methods for the tests of the HTTP layer: it shows what reached it, answers late,
// never, or badly. Runs in the server's thread.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "manager/api/http_server.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/http_server_thread.hpp"

namespace drover::http_test {

using testing_support::form_body;
using testing_support::form_request;
using testing_support::FormField;
using testing_support::get_request;
using testing_support::HttpAnswer;
using testing_support::HttpClient;
using testing_support::HttpServerThread;
using testing_support::post_request;

// echo (GET, POST, UPLOAD): {"params": …, "files": [{"field", "bytes", "hash", "path"}]}; list_nodes (GET);
// add_nodes (POST): {}; later (GET): after 30 ms; never (GET): when the server ends; drop (GET): the Respond
// is destroyed; twice (GET): answers twice; fault (GET): throws; refuse (POST): E_STATE_ERROR; big (GET): 1
// MB.
api::ServerHooks fake_manager(boost::asio::io_context& io);

class Http : public ::testing::Test {
 protected:
  HttpServerThread& start(api::ServerLimits limits = {});
  HttpClient connect() { return HttpClient(server_->port()); }
  HttpAnswer ask(std::string_view request) { return connect().exchange(request); }
  // The parsed envelope of an answer with status 200.
  static nlohmann::json envelope(const HttpAnswer& answer);
  // Access log entries so far, as "VERB PATH METHOD STATUS".
  std::vector<std::string> log();

  std::unique_ptr<HttpServerThread> server_;

 private:
  struct Log {
    std::mutex mutex;
    std::vector<std::string> entries;
  };
  std::shared_ptr<Log> log_ = std::make_shared<Log>();
};

// Resident memory of this process in bytes: now, and the highest since reset_peak_memory().
std::size_t peak_memory();
void reset_peak_memory();
std::size_t resident_memory();
// now - before; 0 under sanitizers, whose own memory is not comparable.
std::size_t memory_growth(std::size_t now, std::size_t before);

// The request line and headers of a JSON POST, its framing and the blank line still to come.
std::string json_post_head();

}  // namespace drover::http_test

// The mock cloud as a program: the cloud on a scheduler that somebody else drives, its faults, and the faces
// that clients speak to. Single-threaded.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "manager/adapters/real_time.hpp"
#include "mockcloud/fault/faulty_iaas.hpp"
#include "mockcloud/wire/control_face.hpp"
#include "mockcloud/wire/wire_server.hpp"
#include "tools/drover/local_machines.hpp"
#include "tools/drover/mock_config.hpp"
#include "tools/drover/serve_world.hpp"

namespace drover::tools {

class MockHost final : public fault::ActionSink {
 public:
  using Log = std::function<void(const std::string& line)>;

  // Opens the database and reads the faults. Errors: invalid ("file:line:column: …"), unavailable, storage.
  static Result<std::unique_ptr<MockHost>> open(const MockSettings& settings, asio::io_context& io, Log log);
  ~MockHost() override;

  Scheduler& scheduler() { return scheduler_; }
  // Listens; the pump runs the scheduler from now on. Errors: invalid, unavailable.
  Result<void> start(RealTimePump& pump);
  std::uint16_t port() const { return server_->port(); }

  void perform(const fault::Action& action) override;

 private:
  // The cloud behind the faults of the moment: rules can be replaced, calls under way keep theirs.
  class Calls;
  struct Rules {
    std::unique_ptr<fault::Engine> engine;
    std::unique_ptr<fault::FaultyIaas> iaas;
  };
  struct Asked {
    const char* api = "";
    std::string request;
  };
  struct Entry {
    TimePoint at{};
    TimePoint answered{};
    std::shared_ptr<const Asked> asked;  // one for many that ask the same
    int status = 0;                      // 0: not answered (yet)
  };

  MockHost(const MockSettings& settings, asio::io_context& io, Log log);
  Result<void> open_parts();
  void use(std::vector<fault::Rule> rules);
  fault::Engine& engine() { return *rules_.back().engine; }
  wire::Controls controls();
  nlohmann::json state() const;
  nlohmann::json journal(std::uint64_t after, std::size_t limit) const;
  nlohmann::json rules() const;
  Result<void> set_faults(const std::string& text);
  Result<void> act(const std::string& action, const std::string& target, const nlohmann::json& with);
  std::uint64_t begun(const wire::Face& face, const http::Request& request);
  void ended(std::uint64_t number, int status);

  const MockSettings settings_;
  asio::io_context& io_;
  Log log_;
  RealTimePump* pump_ = nullptr;
  Scheduler scheduler_;
  Domain domain_{scheduler_};
  Domain cloud_domain_{scheduler_};
  Choices choices_;
  Trace trace_;
  FileLock lock_;
  std::unique_ptr<cloud::Cloud> cloud_;
  std::vector<Rules> rules_;  // the last one counts
  std::unique_ptr<Calls> calls_;
  std::unique_ptr<wire::Backend> backend_;
  std::unique_ptr<LocalMachines> machines_;  // null: none
  std::vector<std::unique_ptr<wire::Face>> faces_;
  std::unique_ptr<wire::WireServer> server_;
  std::uint64_t first_number() const { return last_number_ + 1 - entries_.size(); }
  std::deque<Entry> entries_;  // of the journal, oldest first: those of the requests up to last_number_
  std::unordered_map<std::string, std::shared_ptr<const Asked>> asked_;  // by api and request
  std::uint64_t last_number_ = 0;
};

// The rules in a text: a scenario file, a map with `faults:`, or a list of rules. Errors: invalid with
// "file:line:column: …", unavailable for actions that a mock cloud without nodes cannot make.
Result<std::vector<fault::Rule>> read_mock_faults(const std::string& text, const std::string& file,
                                                  TimePoint start);

}  // namespace drover::tools

// What a test says to the mock cloud itself, beside the clients it is tested with: state, journal, faults,
// time. JSON over HTTP under /_drover (docs/mock-cloud.md). What is behind it comes as functions: the host
// owns the engine and the clock. Single-threaded, on the scheduler's thread.
#pragma once

#include <deque>
#include <functional>
#include <nlohmann/json.hpp>

#include "manager/base/result.hpp"
#include "mockcloud/wire/face.hpp"

namespace drover::wire {

// What the control API can do. `nlohmann::json` arguments are as in the request; errors: invalid, not_found,
// wrong_state, unavailable.
struct Controls {
  std::function<nlohmann::json()> state;
  // Requests numbered above `after`, at most `limit`, oldest first.
  std::function<nlohmann::json(std::uint64_t after, std::size_t limit)> journal;
  std::function<nlohmann::json()> faults;
  // YAML or JSON text with the rules that replace those there are; "" for none.
  std::function<Result<void>(const std::string& text)> set_faults;
  std::function<Result<void>(const std::string& action, const std::string& target,
                             const nlohmann::json& with)>
      act;
  // Exactly one of them is given.
  std::function<Result<void>(std::optional<double> scale, std::optional<Duration> step)> set_time;
};

class ControlFace final : public Face {
 public:
  explicit ControlFace(Controls controls) : controls_(std::move(controls)) {}
  const char* name() const override { return "control"; }
  bool claims(const http::Request& request) const override;
  void handle(http::Request request, Respond respond) override;
  http::Response refusal(int status, const std::string& why) const override;

 private:
  http::Response answer(const http::Request& request);
  http::Response set_time(const nlohmann::json& body);
  http::Response act(const nlohmann::json& body);

  Controls controls_;
};

}  // namespace drover::wire

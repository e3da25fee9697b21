#include "tests/support/wired_cloud.hpp"

#include "manager/base/check.hpp"

namespace drover::test {

WiredCloud::WiredCloud(const MakeFace& make_face, cloud::CloudConfig config, wire::Settings settings,
                       const std::function<std::unique_ptr<Iaas>(Iaas&)>& calls_through) {
  trace_.follow(scheduler_.now_address());
  cloud_ = std::make_unique<cloud::Cloud>(scheduler_, cloud_domain_, choices_, trace_, std::move(config));
  if (calls_through) through_ = calls_through(*cloud_);
  Iaas& calls = through_ ? *through_ : static_cast<Iaas&>(*cloud_);
  backend_ = std::make_unique<wire::Backend>(*cloud_, calls, scheduler_, std::move(settings),
                                             [this] { return scheduler_.now(); });
  face_ = make_face(*backend_);
  pump_ = std::make_unique<wire::VirtualPump>(io_, scheduler_, traffic_);
  const auto enter = [this](std::move_only_function<void()> input) { pump_->enter(std::move(input)); };
  client_ = std::make_unique<NetHttpClient>(io_, domain_, enter, HttpClientConfig{}, &traffic_);
  server_ = std::make_unique<wire::WireServer>(io_, enter, std::vector<wire::Face*>{face_.get()},
                                               wire::ServerConfig{}, &traffic_);
  const auto listening = server_->listen("127.0.0.1", 0);
  DROVER_CHECK(listening.has_value(), "a loopback port is free");
}

WiredCloud::~WiredCloud() {
  domain_.kill();
  cloud_domain_.kill();
}

http::Url WiredCloud::url() const {
  http::Url url;
  url.host = "127.0.0.1";
  url.port = server_->port();
  return url;
}

bool WiredCloud::run_until(const std::function<bool()>& done, Duration limit) {
  if (done()) return true;
  const TimePoint end = scheduler_.later(limit);
  pump_->run(end, [&] { return !done(); });
  if (!done() && scheduler_.now() < end) scheduler_.advance_to(end);
  return done();
}

Result<http::Response> WiredCloud::ask(http::Request request, Duration timeout) {
  std::optional<Result<http::Response>> answer;
  client_->send(url(), std::move(request), timeout, true,
                [&](Result<http::Response> result) { answer.emplace(std::move(result)); });
  run_until([&] { return answer.has_value(); }, timeout * 2);
  if (!answer) return make_error(ErrorCode::timeout, "the request was never answered");
  return *std::move(answer);
}

}  // namespace drover::test

// The way to OpenStack's services: a token that is renewed in time, the catalogue that says where they are,
// and repetition where it is safe.
#pragma once

#include <map>
#include <string>

#include "manager/adapters/openstack/answers.hpp"
#include "manager/adapters/openstack/openstack_cloud.hpp"

namespace drover::openstack {

enum class Service : unsigned char { compute, image, network, volume };
const char* to_text(Service service);

// When a call must be over, and for whom it is.
struct Budget {
  TimePoint deadline{};
  std::string subject;
};

struct ServiceCall {
  Service service = Service::compute;
  std::string method = "GET";
  std::string path;      // below the service's endpoint: "/servers?limit=10"
  std::string body;      // JSON
  bool changes = false;  // must not be done twice

  std::string what() const {
    return std::string(to_text(service)) + " " + method + " " + path.substr(0, 120);
  }
};

class Session {
 public:
  Session(Scheduler& scheduler, HttpClient& client, const OpenStackConfig& config);

  // Any answer but 401, 429 and 5xx, which are errors here after what can be done about them: the token is
  // renewed once, "too many" is waited for within the deadline, reads are repeated. Errors: unavailable for a
  // service that the catalogue does not have, else as docs/openstack.md says.
  Task<Result<http::Response>> call(const ServiceCall& call, const Budget& budget);
  // The same for a call of which only success will do.
  Task<Result<http::Response>> succeed(const ServiceCall& call, const Budget& budget);
  // A token, and compute's version; what call() does by itself.
  Task<Result<void>> open(const Budget& budget);

  // After open().
  bool has(Service service) const { return endpoints_.contains(service); }
  const std::string& endpoint(Service service) { return endpoints_[service]; }
  unsigned minor() const { return minor_; }          // of compute's microversion
  unsigned minor_max() const { return minor_max_; }  // that the server has; 0: knows none
  const std::string& user() const { return user_; }
  const std::string& project() const { return project_; }
  Duration token_left() const { return expires_ - scheduler_.now(); }
  // A moment of the server's on the scheduler's axis.
  TimePoint local(TimePoint server_time) const { return server_time - ahead_; }

  Scheduler& scheduler() const { return scheduler_; }
  const OpenStackConfig& config() const { return config_; }
  bool is_over(const Budget& budget) const { return scheduler_.now() >= budget.deadline; }

 private:
  Task<Result<http::Response>> send(const http::Url& url, const http::Request& request, bool repeatable,
                                    const Budget& budget);
  Task<Result<void>> ensure_token(const Budget& budget);
  Task<Result<void>> authenticate(const Budget& budget);
  Task<Result<void>> negotiate(const Budget& budget);
  Result<void> take_token(const http::Response& response);
  void take_catalogue(const Json& catalogue);
  std::string login() const;  // the body; holds the secret
  http::Request request_for(const ServiceCall& call, const http::Url& url, const Budget& budget) const;
  bool has_token() const { return !token_.value.empty() && scheduler_.now() < renew_at_; }
  Error late(const ServiceCall& call) const;

  Scheduler& scheduler_;
  HttpClient& client_;
  const OpenStackConfig& config_;
  Secret token_;
  TimePoint expires_{};
  TimePoint renew_at_{};
  Duration ahead_{0};  // of the server's time before the scheduler's
  std::map<Service, std::string> endpoints_;
  std::string user_;
  std::string project_;
  bool negotiated_ = false;
  unsigned minor_ = 1;
  unsigned minor_max_ = 0;
  // One login at a time; the others wait for how it ends.
  bool logging_in_ = false;
  std::uint64_t logins_ = 0;
  std::optional<Error> login_error_;
  Signal logged_in_;
};

}  // namespace drover::openstack

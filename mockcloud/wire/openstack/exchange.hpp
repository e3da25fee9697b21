// One request to a service of OpenStack and its answer, and the ways in which the services say no. The parts
// of the face share it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mockcloud/wire/backend.hpp"
#include "mockcloud/wire/face.hpp"
#include "mockcloud/wire/openstack/json_body.hpp"

namespace drover::wire::openstack {

enum class Service : unsigned char { identity, compute, image, network, volume };

// Compute's microversions "2.1" to "2.93".
inline constexpr int kMinorMin = 1;
inline constexpr int kMinorMax = 93;

// Who is behind a token.
struct Identity {
  std::string token;
  std::string user;                  // an account's name
  bool scoped = false;               // to the one project
  std::vector<std::string> methods;  // "password", "token", "application_credential"
  std::vector<std::string> audits;   // its own audit id, then that of the token it was made from
  TimePoint issued{};                // of the clients' time
  TimePoint expires{};
};

struct Exchange {
  http::Request request;
  Respond respond;
  Service service = Service::identity;
  std::string origin;             // "http://127.0.0.1:8774", as the client reached us
  std::vector<std::string> path;  // below the service's own, decoded, without empty parts
  http::Fields query;
  Identity who;
  int minor = kMinorMin;       // compute's microversion
  bool known_route = true;     // false: the service's front end answers, which knows no microversions
  std::string wanted_version;  // echoed when it is not supported
  std::string subject;         // of the calls made for it

  bool is(std::string_view method, std::size_t parts) const {
    return request.method == method && path.size() == parts;
  }
  // A parameter of the query, or null.
  const std::string* parameter(std::string_view name) const;
};
// Shared by the handlers of the calls that a request makes. Destroyed unanswered, the client hears nothing.
using ExchangePtr = std::shared_ptr<Exchange>;

// Answers. Every request is answered at most once.
void answer(Exchange& exchange, http::Response response);
void answer(Exchange& exchange, int status, const Json& body);
void answer_empty(Exchange& exchange, int status);

// The service's own form of an error.
void refuse(Exchange& exchange, int status, const std::string& message, const std::string& type = {});
// What the front end says of a path or method that it does not know.
void refuse_route(Exchange& exchange);
void refuse_token(Exchange& exchange);
void refuse_policy(Exchange& exchange, const std::string& rule);
// An error of the cloud behind the wire.
void refuse(Exchange& exchange, const Error& error);

// The body as a JSON object; nothing, after an answer, when it is none.
std::optional<Json> body_of(Exchange& exchange);

// A request that changes nothing: pays the cloud's latency and is throttled, then `then` answers it.
void look_up(Backend& backend, const ExchangePtr& exchange, const char* site,
             std::move_only_function<void(Exchange&)> then);

// What cannot be read at all, by whoever would have got it.
http::Response unreadable(int status, const std::string& why);

// The cloud's time as clients see it.
class Calendar {
 public:
  explicit Calendar(const Backend& backend) : ahead_(backend.wall() - backend.now()) {}
  TimePoint of(TimePoint at) const { return at + ahead_; }
  std::string text(TimePoint at) const { return to_iso8601(of(at), false); }

 private:
  Duration ahead_;
};

// A page of `items` by "limit" and "marker"; `id_of` gives an item's id. Nothing, after an answer, when these
// make no sense. `more` is set when items remain behind the page.
template <class T, class IdOf>
std::optional<std::vector<T>> page_of(Exchange& exchange, std::vector<T> items, std::size_t most, IdOf id_of,
                                      bool& more);
std::optional<std::size_t> limit_of(Exchange& exchange, std::size_t most);
// The present URL with another marker.
std::string next_page(const Exchange& exchange, const std::string& path, const std::string& marker);

template <class T, class IdOf>
std::optional<std::vector<T>> page_of(Exchange& exchange, std::vector<T> items, std::size_t most, IdOf id_of,
                                      bool& more) {
  const auto limit = limit_of(exchange, most);
  if (!limit) return std::nullopt;
  std::size_t begin = 0;
  if (const std::string* marker = exchange.parameter("marker"); marker != nullptr) {
    while (begin < items.size() && id_of(items[begin]) != *marker) ++begin;
    if (begin == items.size()) {
      refuse(exchange, 400, "marker [" + marker->substr(0, 255) + "] not found");
      return std::nullopt;
    }
    ++begin;
  }
  const std::size_t end = std::min(items.size(), begin + *limit);
  more = end < items.size();
  using Offset = typename std::vector<T>::difference_type;
  items.erase(items.begin() + static_cast<Offset>(end), items.end());
  items.erase(items.begin(), items.begin() + static_cast<Offset>(begin));
  return items;
}

}  // namespace drover::wire::openstack

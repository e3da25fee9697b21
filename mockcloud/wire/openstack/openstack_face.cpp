#include "mockcloud/wire/openstack/openstack_face.hpp"

#include "mockcloud/wire/openstack/ids.hpp"

namespace drover::wire {
namespace {

using openstack::Exchange;
using openstack::Service;

constexpr std::size_t kPartsMax = 16;
constexpr std::size_t kHostMax = 255;

struct Prefix {
  std::string_view part;
  Service service;
};
constexpr Prefix kPrefixes[] = {
    {"identity", Service::identity}, {"compute", Service::compute}, {"image", Service::image},
    {"network", Service::network},   {"volume", Service::volume},
};

// The path's first part.
std::string_view first_part(std::string_view path) {
  if (!path.starts_with('/')) return {};
  return path.substr(1, path.substr(1).find('/'));
}

// The path's parts, decoded; nothing for a broken escape or too many.
std::optional<std::vector<std::string>> parts_of(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const auto slash = path.find('/');
    if (const std::string_view part = path.substr(0, slash); !part.empty()) {
      auto decoded = http::percent_decode(part);
      if (!decoded || parts.size() == kPartsMax) return std::nullopt;
      parts.push_back(std::move(*decoded));
    }
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return parts;
}

// Host as the client wrote it, when it is one.
std::string host_of(const http::Request& request) {
  const std::string_view host = request.value("Host");
  const bool plain =
      !host.empty() && host.size() <= kHostMax &&
      host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]") ==
          std::string_view::npos;
  return plain ? std::string(host) : "localhost";
}

}  // namespace

OpenStackFace::OpenStackFace(Backend& backend, Duration token_lifetime)
    : backend_(backend),
      calendar_(backend),
      catalogue_(backend),
      tokens_(backend, token_lifetime),
      servers_(backend),
      volumes_(backend),
      keystone_(backend, catalogue_, tokens_),
      nova_(backend, catalogue_, servers_, calendar_),
      glance_(backend, catalogue_, calendar_),
      neutron_(backend, catalogue_, servers_, calendar_),
      cinder_(backend, catalogue_, volumes_, calendar_) {}

bool OpenStackFace::claims(const http::Request& request) const {
  const std::string_view first = first_part(request.path());
  if (first == "v3") return true;
  for (const Prefix& prefix : kPrefixes)
    if (first == prefix.part) return true;
  if (request.field("X-Auth-Token") != nullptr) return true;
  // EC2's calls name an Action, in the query or in a form.
  return request.method == "GET" && first.empty() &&
         request.query().find("Action=") == std::string_view::npos &&
         request.value("Authorization").find("AWS") == std::string_view::npos;
}

bool OpenStackFace::place(Exchange& exchange) {
  auto& path = exchange.path;
  if (path.empty() || path[0] == "v3") {  // Keystone without a prefix
    exchange.service = Service::identity;
    return true;
  }
  for (const Prefix& prefix : kPrefixes) {
    if (path[0] != prefix.part) continue;
    exchange.service = prefix.service;
    path.erase(path.begin());
    return true;
  }
  return false;
}

void OpenStackFace::handle(http::Request request, Respond respond) {
  auto exchange = std::make_shared<Exchange>();
  exchange->request = std::move(request);
  exchange->origin = "http://" + host_of(exchange->request);
  // Every answer carries the id of its request.
  const std::string id = "req-" + openstack::with_dashes(backend_.token("openstack.request", 32));
  exchange->respond = [id, service = exchange.get(),
                       respond = std::move(respond)](http::Response response) mutable {
    response.fields.emplace_back("X-Openstack-Request-Id", id);
    if (service->service == Service::compute) response.fields.emplace_back("X-Compute-Request-Id", id);
    respond(std::move(response));
  };
  auto parts = parts_of(exchange->request.path());
  auto query = http::parse_form(exchange->request.query());
  if (parts) exchange->path = std::move(*parts);
  if (!parts || !query || !place(*exchange)) {
    exchange->service = Service::compute;
    return openstack::refuse_route(*exchange);
  }
  exchange->query = std::move(*query);
  dispatch(exchange);
}

void OpenStackFace::dispatch(const openstack::ExchangePtr& exchange) {
  Exchange& e = *exchange;
  if (e.service == Service::identity) {
    if (e.path.empty()) return openstack::Keystone::versions(e);
    if (e.path[0] != "v3") return openstack::refuse_route(e);
    e.path.erase(e.path.begin());
    return keystone_.handle(exchange);
  }
  switch (e.service) {
    case Service::compute:
      if (openstack::Nova::is_version(e)) return openstack::Nova::version(e);
      break;
    case Service::image:
      if (openstack::Glance::is_version(e)) return openstack::Glance::versions(e);
      break;
    case Service::network:
      if (openstack::Neutron::is_version(e)) return openstack::Neutron::versions(e);
      break;
    case Service::volume:
      if (openstack::Cinder::is_version(e)) return openstack::Cinder::versions(e);
      break;
    case Service::identity:
      break;
  }
  auto who = tokens_.find(std::string(e.request.value("X-Auth-Token")));
  if (!who) return openstack::refuse_token(e);
  e.who = std::move(*who);
  if (e.service == Service::compute) return nova_.handle(exchange);
  if (!e.who.scoped) return openstack::refuse_policy(e, "project_scoped");
  if (e.service == Service::image) return glance_.handle(exchange);
  if (e.service == Service::network) return neutron_.handle(exchange);
  cinder_.handle(exchange);
}

http::Response OpenStackFace::refusal(int status, const std::string& why) const {
  return openstack::unreadable(status, why);
}

}  // namespace drover::wire

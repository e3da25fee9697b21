// The compute service, Nova v2.1 with microversions 2.1 to 2.93.
#pragma once

#include "mockcloud/wire/openstack/servers.hpp"

namespace drover::wire::openstack {

inline constexpr std::size_t kPageMax = 1000;  // items in one listing, as Nova's max_limit
inline constexpr std::size_t kServerMetaMax = 128;

class Nova {
 public:
  Nova(Backend& backend, const Catalogue& catalogue, Servers& servers, const Calendar& calendar)
      : backend_(backend), catalogue_(catalogue), servers_(servers), calendar_(calendar) {}

  // `exchange->path` is what follows "/compute"; the token has been checked where one is needed.
  void handle(const ExchangePtr& exchange);
  // Whether the path asks for a version document, which needs no token.
  static bool is_version(const Exchange& exchange);
  static void version(Exchange& exchange);

 private:
  struct Creation;
  struct Filter;

  bool set_version(Exchange& exchange);
  void route(const ExchangePtr& exchange);
  void route_server(const ExchangePtr& exchange);

  // Servers (nova_servers.cpp).
  void list(const ExchangePtr& exchange, bool detail);
  std::optional<Filter> filter_of(Exchange& exchange) const;
  void answer_list(Exchange& exchange, const Filter& filter, const cloud::Snapshot& listed, bool detail);
  void with_server(const ExchangePtr& exchange, std::move_only_function<void(const Server&)> then);
  void show(const ExchangePtr& exchange);
  void update(const ExchangePtr& exchange);
  void remove(const ExchangePtr& exchange);

  // Creation (nova_create.cpp).
  void create(const ExchangePtr& exchange);
  bool check_body(Exchange& exchange, const Json& wanted) const;
  bool read_places(Exchange& exchange, const Json& wanted, Creation& creation) const;
  bool read_network(Exchange& exchange, const Json& wanted, Creation& creation) const;
  bool read_details(Exchange& exchange, const Json& wanted, Creation& creation) const;
  bool read_counts(Exchange& exchange, const Json& wanted, Creation& creation) const;
  void create_next(const std::shared_ptr<Creation>& creation);
  void finish(Creation& creation);

  // What is done to servers (nova_actions.cpp).
  void action(const ExchangePtr& exchange);
  void act(const ExchangePtr& exchange, const std::string& name, const Json& argument);
  void metadata(const ExchangePtr& exchange);
  void server_tags(const ExchangePtr& exchange);
  void attachments(const ExchangePtr& exchange);
  void attach(const ExchangePtr& exchange);
  // The instance of the path, if clients may change it; nothing after an answer otherwise.
  const cloud::Instance* changeable(Exchange& exchange, const char* verb);
  void not_found(Exchange& exchange, const std::string& uuid) const;

  // What is not about servers (nova_catalogue.cpp).
  void catalogue(Exchange& exchange);
  void flavors(Exchange& exchange);
  void images(Exchange& exchange);
  void keypairs(const ExchangePtr& exchange);
  void create_keypair(Exchange& exchange);
  Json keypair_json(const Exchange& exchange, const std::string& name, const std::string& text) const;
  Json quota_json() const;
  void limits(Exchange& exchange);
  void zones(Exchange& exchange);

  Backend& backend_;
  const Catalogue& catalogue_;
  Servers& servers_;
  const Calendar& calendar_;
};

inline constexpr const char* kKeypairs = "openstack.keypair";

// Reads metadata into tags; on anything but short texts answers 400 and gives nothing.
std::optional<Tags> metadata_of(Exchange& exchange, const Json& metadata);
// How Nova says that a field cannot be so.
std::string bad_field(const std::string& field, const Json& value, const std::string& why);
// A server's name; false after an answer.
bool check_name(Exchange& exchange, const Json& name);
// 2026-11-22T09:44:14Z, with or without a fraction, "Z" or an offset; nothing for anything else.
std::optional<TimePoint> parse_time(std::string_view text);

}  // namespace drover::wire::openstack

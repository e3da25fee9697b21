// The identity service, Keystone v3: tokens, the catalogue, and what clients ask about themselves.
#pragma once

#include "mockcloud/wire/openstack/tokens.hpp"

namespace drover::wire::openstack {

class Keystone {
 public:
  Keystone(Backend& backend, const Catalogue& catalogue, Tokens& tokens)
      : backend_(backend), catalogue_(catalogue), tokens_(tokens) {}

  // `exchange->path` is what follows "/v3".
  void handle(const ExchangePtr& exchange);
  // The list of versions, with status 300: what "/" and "/identity" answer.
  static void versions(Exchange& exchange);

 private:
  // An identity, or why there is none: 0 for the one 401 of all wrong credentials.
  struct Refusal {
    int status = 401;
    std::string message;
  };
  struct Proof {
    std::optional<Identity> who;  // not yet issued
    Refusal refusal;
    std::optional<TimePoint> expires;
  };

  void authenticate(Exchange& exchange);
  Proof prove(const Json& auth) const;
  Proof prove_password(const Json& identity) const;
  Proof prove_token(const Json& identity) const;
  Proof prove_credential(const Json& identity) const;
  // Whether the scope asked for is the one project, none, or something that nobody here may have.
  enum class Scope : unsigned char { project, none, refused };
  Scope scope_of(const Json& auth) const;
  const Account* user_of(const Json& user) const;

  void tokens(Exchange& exchange);
  void known(Exchange& exchange);
  void credentials(Exchange& exchange);
  void create_credential(Exchange& exchange);
  Json token_json(const Exchange& exchange, const Identity& who, bool with_catalogue) const;
  Json services(const Exchange& exchange) const;
  Json project_json(const Exchange& exchange) const;
  Json user_json(const Exchange& exchange, const std::string& name) const;
  Json credential_json(const Exchange& exchange, const ApplicationCredential& credential) const;

  Backend& backend_;
  const Catalogue& catalogue_;
  Tokens& tokens_;
};

}  // namespace drover::wire::openstack

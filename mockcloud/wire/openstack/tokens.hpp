// Tokens and application credentials: kept as documents in the cloud's database, so that they survive its
// restart as real ones survive Keystone's. Times are those of the clients.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mockcloud/wire/openstack/catalogue.hpp"

namespace drover::wire::openstack {

inline constexpr Duration kTokenLifetime = std::chrono::hours(1);
inline constexpr std::size_t kTokensMax = 10'000;  // above, the oldest are forgotten

struct ApplicationCredential {
  std::string id;
  std::string name;
  std::string user;
  std::string secret;
  std::string description;
};

class Tokens {
 public:
  explicit Tokens(Backend& backend, Duration lifetime = kTokenLifetime)
      : backend_(backend), lifetime_(lifetime) {}

  // `expires` bounds the lifetime: a token made from another does not outlive it.
  Identity issue(const std::string& user, bool scoped, std::vector<std::string> methods,
                 const std::string& parent_audit, std::optional<TimePoint> expires);
  // Nothing for one that is unknown, revoked or expired.
  std::optional<Identity> find(const std::string& token) const;
  void revoke(const std::string& token);

  // A user's, in the order of their ids. Every account has one from the beginning: its id is made from the
  // account's name, its name is "default" and its secret the account's.
  std::vector<ApplicationCredential> credentials(const std::string& user) const;
  std::optional<ApplicationCredential> credential(const std::string& id) const;
  ApplicationCredential create_credential(ApplicationCredential wanted);
  void erase_credential(const std::string& id);

 private:
  void forget_expired();

  Backend& backend_;
  Duration lifetime_;
};

}  // namespace drover::wire::openstack

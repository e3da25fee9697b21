// S11: nothing secret in the log, the journal, the trace or an answer; looked for as each text is made.
#include <algorithm>

#include "scenarios/engine/invariants.hpp"

namespace drover::scenario {
namespace {

constexpr std::size_t kShortest = 6;  // shorter ones are found in innocent texts

}  // namespace

void Checkers::watch_secrets() {
  if (secrets_watched_ == world_.secrets().size()) return;
  secrets_watched_ = world_.secrets().size();
  std::size_t shortest = SIZE_MAX;
  for (const auto& secret : world_.secrets())
    if (secret.size() >= kShortest) shortest = std::min(shortest, secret.size());
  world_.trace().watch_texts(shortest, [this](std::string_view text) { check_secret(text, "the trace"); });
}

bool Checkers::holds_secret(std::string_view text) const {
  return std::any_of(world_.secrets().begin(), world_.secrets().end(), [&](const std::string& secret) {
    return secret.size() >= kShortest && text.find(secret) != std::string_view::npos;
  });
}

void Checkers::check_secret(std::string_view text, const char* where) {
  if (!holds_secret(text)) return;
  // The report is an entry of the trace itself: it does not repeat the text.
  world_.report("S11", std::string(where) + " holds a secret", std::string("S11 ") + where);
}

}  // namespace drover::scenario

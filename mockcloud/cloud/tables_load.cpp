// Reading everything back when a file is opened again. The file may have been changed by hand: what cannot be
// is an error that names the row.
#include "mockcloud/cloud/lifecycle.hpp"
#include "mockcloud/cloud/tables.hpp"

namespace drover::cloud {
namespace {

template <class Enum>
std::optional<Enum> parse(const std::string& text, int count) {
  for (int i = 0; i < count; ++i)
    if (text == to_text(static_cast<Enum>(i))) return static_cast<Enum>(i);
  return std::nullopt;
}

}  // namespace

Error unreadable_database(const std::string& what) {
  return make_error(ErrorCode::storage,
                    "the cloud's database cannot be used: " + what +
                        "; it was changed by hand or belongs to another version: move it away");
}

Result<StoredCloud> Tables::load(TimePoint now) {
  StoredCloud stored;
  stored.fresh = fresh_;
  if (fresh_) return stored;
  Statement clock(database_, "SELECT now_ns FROM counters");
  clock.query([&](Row row) { offset_ = Duration(row.integer(0)) - now.time_since_epoch(); });
  DROVER_TRY(load_instances(stored));
  DROVER_TRY(load_timers(stored));
  DROVER_TRY(load_boot_outcomes(stored));
  DROVER_TRY(load_tokens(stored));
  load_rest(stored);
  return stored;
}

Result<void> Tables::load_instances(StoredCloud& stored) {
  std::string wrong;
  Statement instances(
      database_,
      "SELECT number, id, name, state, address, image, size, network, zone, token, created_at_ns, "
      "state_since_ns, user_data, fault, powered, paused, counts_to_quota, terminate_outcome, extras "
      "FROM instances ORDER BY number");
  instances.query([&](Row row) {
    const auto state = parse_state(row.text(3));
    const auto outcome = parse<TerminateOutcome>(row.text(17), kTerminateOutcomes);
    const auto number = row.integer(0);
    if (!state || !outcome || number != static_cast<std::int64_t>(stored.instances.size()) + 1) {
      if (wrong.empty()) wrong = "row " + std::to_string(number) + " of instances";
      return;
    }
    Instance vm;
    vm.number = static_cast<std::uint32_t>(number);
    vm.id = row.text(1);
    vm.spec = {row.text(2), Text(row.text(5)), Text(row.text(6)), Text(row.text(7)), Text(row.text(12)), {},
               {},          row.text(18)};
    vm.state = *state;
    vm.address = row.text(4);
    vm.zone = row.text(8);
    vm.token = row.text(9);
    vm.created_at = from_stored(row.integer(10));
    vm.state_since = from_stored(row.integer(11));
    vm.fault = row.text(13);
    vm.powered = row.integer(14) != 0;
    vm.paused = row.integer(15) != 0;
    vm.counts_to_quota = row.integer(16) != 0;
    vm.terminate_outcome = *outcome;
    stored.instances.push_back(std::move(vm));
  });
  if (!wrong.empty()) return unreadable_database(wrong + " is not as the cloud writes them");
  load_belongings(stored);
  return success();
}

void Tables::load_belongings(StoredCloud& stored) {
  const auto at = [&](std::int64_t number) -> Instance* {
    if (number < 1 || number > static_cast<std::int64_t>(stored.instances.size())) return nullptr;
    return &stored.instances[static_cast<std::size_t>(number) - 1];
  };
  Statement tags(database_, "SELECT instance, key, value FROM tags ORDER BY instance, position");
  tags.query([&](Row row) {
    if (Instance* vm = at(row.integer(0))) vm->spec.tags.emplace_back(row.text(1), row.text(2));
  });
  Statement appearances(database_, "SELECT instance, at_ns, state, address FROM appearances ORDER BY number");
  appearances.query([&](Row row) {
    const auto state = parse_state(row.text(2));
    Instance* vm = at(row.integer(0));
    if (vm != nullptr && state) vm->past.make().push_back({from_stored(row.integer(1)), *state, row.text(3)});
  });
  Statement volumes(database_,
                    "SELECT number, id, name, gigabytes, attached_to FROM volumes ORDER BY number");
  volumes.query([&](Row row) {
    Volume volume{static_cast<std::uint32_t>(row.integer(0)), row.text(1), row.text(2),
                  static_cast<unsigned>(row.integer(3)), 0};
    if (Instance* vm = at(row.integer(4))) {
      volume.attached_to = vm->number;
      vm->volumes.make().push_back(volume.number);
    }
    stored.volumes.push_back(std::move(volume));
  });
}

Result<void> Tables::load_timers(StoredCloud& stored) {
  std::string wrong;
  Statement timers(database_, "SELECT id, due_ns, kind, instance, argument FROM timers ORDER BY due_ns, id");
  timers.query([&](Row row) {
    const auto kind = parse<TimerKind>(row.text(2), kTimerKinds);
    const auto instance = row.integer(3);
    if (!kind || instance < 1 || instance > static_cast<std::int64_t>(stored.instances.size())) {
      wrong = "row " + std::to_string(row.integer(0)) + " of timers";
      return;
    }
    stored.timers.push_back({static_cast<std::uint64_t>(row.integer(0)), from_stored(row.integer(1)), *kind,
                             static_cast<std::uint32_t>(instance), Text(row.text(4))});
  });
  if (!wrong.empty()) return unreadable_database(wrong + " is not as the cloud writes them");
  return success();
}

Result<void> Tables::load_boot_outcomes(StoredCloud& stored) {
  std::string wrong;
  Statement outcomes(database_,
                     "SELECT name, kind, extra_ns, text, address_delay_ns FROM boot_outcomes ORDER BY name");
  outcomes.query([&](Row row) {
    const auto kind = parse<BootOutcome::Kind>(row.text(1), kBootOutcomes);
    if (kind)
      stored.boot_outcomes.emplace_back(
          row.text(0), BootOutcome{*kind, Duration(row.integer(2)), row.text(3), Duration(row.integer(4))});
    else
      wrong = "row " + row.text(0) + " of boot_outcomes";
  });
  if (!wrong.empty()) return unreadable_database(wrong + " is not as the cloud writes them");
  return success();
}

Result<void> Tables::load_tokens(StoredCloud& stored) {
  std::string wrong;
  Statement tokens(database_, "SELECT token, digest, number FROM tokens ORDER BY token");
  tokens.query([&](Row row) {
    TokenRow token{row.text(0), static_cast<std::uint64_t>(row.integer(1)),
                   static_cast<std::uint32_t>(row.integer(2))};
    const bool of_instance = token.token.starts_with("instance:");
    if (token.number == 0 || (of_instance && token.number > stored.instances.size()))
      wrong = "row " + token.token + " of tokens";
    stored.tokens.push_back(std::move(token));
  });
  if (!wrong.empty()) return unreadable_database(wrong + " is not as the cloud writes them");
  return success();
}

void Tables::load_rest(StoredCloud& stored) {
  Statement zones(database_, "SELECT name, up FROM zones ORDER BY name");
  zones.query([&](Row row) { stored.zones.emplace_back(row.text(0), row.integer(1) != 0); });
  Statement images(database_, "SELECT name FROM images ORDER BY name");
  images.query([&](Row row) { stored.images.push_back(row.text(0)); });
  Statement sizes(database_, "SELECT name FROM sizes ORDER BY name");
  sizes.query([&](Row row) { stored.sizes.push_back(row.text(0)); });
  Statement networks(database_, "SELECT name FROM networks ORDER BY name");
  networks.query([&](Row row) { stored.networks.push_back(row.text(0)); });
  Statement documents(database_, "SELECT kind, id, text FROM documents");
  documents.query([&](Row row) { stored.documents.push_back({row.text(0), row.text(1), row.text(2)}); });
  Statement bucket(database_, "SELECT full_at_ns FROM rate_buckets WHERE name = 'account'");
  bucket.query([&](Row row) { stored.bucket_full_at = from_stored(row.integer(0)); });
  Statement counters(database_,
                     "SELECT now_ns, view_ns, next_address, next_volume, high_water, released_address, "
                     "reuse_address FROM counters");
  counters.query([&](Row row) {
    stored.counters = Counters{from_stored(row.integer(0)),
                               from_stored(row.integer(1)),
                               static_cast<std::uint32_t>(row.integer(2)),
                               static_cast<std::uint32_t>(row.integer(3)),
                               static_cast<std::size_t>(row.integer(4)),
                               row.text(5),
                               row.integer(6) != 0};
  });
}

}  // namespace drover::cloud

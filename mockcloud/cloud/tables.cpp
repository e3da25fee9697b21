#include "mockcloud/cloud/tables.hpp"

#include <limits>

#include "manager/base/check.hpp"

namespace drover::cloud {
namespace {

constexpr const char* kSchema = R"sql(
CREATE TABLE instances (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, address TEXT NOT NULL,
  image TEXT NOT NULL, size TEXT NOT NULL, network TEXT NOT NULL, zone TEXT NOT NULL, token TEXT NOT NULL,
  created_at_ns INTEGER NOT NULL, state_since_ns INTEGER NOT NULL, user_data TEXT NOT NULL, fault TEXT NOT NULL,
  powered INTEGER NOT NULL, paused INTEGER NOT NULL, counts_to_quota INTEGER NOT NULL,
  terminate_outcome TEXT NOT NULL, extras TEXT NOT NULL DEFAULT '');
CREATE TABLE tags (
  instance INTEGER NOT NULL, position INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (instance, position)) WITHOUT ROWID;
CREATE TABLE appearances (
  number INTEGER PRIMARY KEY, instance INTEGER NOT NULL, at_ns INTEGER NOT NULL, state TEXT NOT NULL,
  address TEXT NOT NULL);
CREATE TABLE volumes (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, gigabytes INTEGER NOT NULL,
  attached_to INTEGER NOT NULL);
CREATE TABLE tokens (token TEXT PRIMARY KEY, digest INTEGER NOT NULL, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE timers (
  id INTEGER PRIMARY KEY, due_ns INTEGER NOT NULL, kind TEXT NOT NULL, instance INTEGER NOT NULL,
  argument TEXT NOT NULL);
CREATE TABLE boot_outcomes (
  name TEXT PRIMARY KEY, kind TEXT NOT NULL, extra_ns INTEGER NOT NULL, text TEXT NOT NULL,
  address_delay_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE images (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE sizes (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE networks (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE zones (name TEXT PRIMARY KEY, up INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE rate_buckets (name TEXT PRIMARY KEY, full_at_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE fault_counts (rule TEXT PRIMARY KEY, fired INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
  kind TEXT NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE counters (
  number INTEGER PRIMARY KEY, now_ns INTEGER NOT NULL, view_ns INTEGER NOT NULL, next_address INTEGER NOT NULL,
  next_volume INTEGER NOT NULL, high_water INTEGER NOT NULL, released_address TEXT NOT NULL,
  reuse_address INTEGER NOT NULL);
CREATE VIEW states AS SELECT state, count(*) AS instances FROM instances GROUP BY state ORDER BY state;
PRAGMA application_id = 1685222002;
PRAGMA user_version = 2;
)sql";
// What layout 1 lacks.
constexpr const char* kFromLayout1 = R"sql(
BEGIN IMMEDIATE;
ALTER TABLE instances ADD COLUMN extras TEXT NOT NULL DEFAULT '';
CREATE TABLE documents (
  kind TEXT NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
PRAGMA user_version = 2;
COMMIT;
)sql";
constexpr std::int64_t kApplicationId = 1685222002;  // "drov"
constexpr std::int64_t kVersion = 2;

// The empty schema, made once: opening a database in memory from it costs less than running the statements.
const std::string& empty_image() {
  static const std::string image = [] {
    Database database = Database::memory();
    database.execute("PRAGMA page_size = 1024");
    database.execute(kSchema);
    return database.image();
  }();
  return image;
}

// Opening tables and preparing their statements costs as much as a short run of a scenario.
std::vector<std::unique_ptr<Tables>>& spare_tables() {
  thread_local std::vector<std::unique_ptr<Tables>> spare;
  return spare;
}

std::int64_t pragma(Database& database, const char* sql) {
  std::int64_t value = 0;
  Statement statement(database, sql);
  statement.query([&](Row row) { value = row.integer(0); });
  return value;
}

}  // namespace

const char* to_text(TimerKind kind) {
  switch (kind) {
    case TimerKind::boot:
      return "boot";
    case TimerKind::boot_failed:
      return "boot_failed";
    case TimerKind::boot_stopped:
      return "boot_stopped";
    case TimerKind::stop:
      return "stop";
    case TimerKind::reboot:
      return "reboot";
    case TimerKind::terminate:
      return "terminate";
    case TimerKind::crash:
      return "crash";
    case TimerKind::address:
      return "address";
    case TimerKind::release_quota:
      return "release_quota";
  }
  return "?";
}

const char* to_text(BootOutcome::Kind kind) {
  switch (kind) {
    case BootOutcome::Kind::normal:
      return "normal";
    case BootOutcome::Kind::never:
      return "never";
    case BootOutcome::Kind::error:
      return "error";
    case BootOutcome::Kind::stopped:
      return "stopped";
    case BootOutcome::Kind::dies:
      return "dies";
    case BootOutcome::Kind::wrong_image:
      return "wrong_image";
  }
  return "?";
}

const char* to_text(TerminateOutcome outcome) {
  switch (outcome) {
    case TerminateOutcome::normal:
      return "normal";
    case TerminateOutcome::zombie:
      return "zombie";
    case TerminateOutcome::stuck:
      return "stuck";
    case TerminateOutcome::ignored:
      return "ignored";
  }
  return "?";
}

bool is_transition(TimerKind kind) { return kind < TimerKind::crash; }

Tables::Tables(Database database, bool file)
    : database_(std::move(database)),
      file_(file),
      begin_(database_, "BEGIN IMMEDIATE"),
      commit_(database_, "COMMIT"),
      insert_instance_(
          database_,
          "INSERT INTO instances VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
          "?15, ?16, ?17, ?18, ?19)"),
      save_instance_(
          database_,
          "UPDATE instances SET state = ?2, address = ?3, image = ?4, state_since_ns = ?5, fault = ?6, "
          "powered = ?7, paused = ?8, counts_to_quota = ?9, terminate_outcome = ?10 WHERE number = ?1"),
      insert_tag_(database_, "INSERT INTO tags VALUES (?1, ?2, ?3, ?4)"),
      erase_tags_(database_, "DELETE FROM tags WHERE instance = ?1"),
      save_name_(database_, "UPDATE instances SET name = ?2 WHERE number = ?1"),
      insert_appearance_(database_, "INSERT INTO appearances VALUES (NULL, ?1, ?2, ?3, ?4)"),
      save_token_(database_, "INSERT OR REPLACE INTO tokens VALUES (?1, ?2, ?3)"),
      erase_token_(database_, "DELETE FROM tokens WHERE token = ?1"),
      insert_timer_(database_, "INSERT INTO timers VALUES (?1, ?2, ?3, ?4, ?5)"),
      erase_timer_(database_, "DELETE FROM timers WHERE id = ?1"),
      insert_volume_(database_, "INSERT INTO volumes VALUES (?1, ?2, ?3, ?4, ?5)"),
      save_volume_(database_, "UPDATE volumes SET attached_to = ?2 WHERE number = ?1"),
      erase_volume_(database_, "DELETE FROM volumes WHERE number = ?1"),
      save_boot_outcome_(database_, "INSERT OR REPLACE INTO boot_outcomes VALUES (?1, ?2, ?3, ?4, ?5)"),
      erase_boot_outcome_(database_, "DELETE FROM boot_outcomes WHERE name = ?1"),
      save_zone_(database_, "INSERT OR REPLACE INTO zones VALUES (?1, ?2)"),
      save_bucket_(database_, "INSERT OR REPLACE INTO rate_buckets VALUES ('account', ?1)"),
      save_counters_(database_, "INSERT OR REPLACE INTO counters VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
      save_fault_count_(database_, "INSERT OR REPLACE INTO fault_counts VALUES (?1, ?2)"),
      fault_counts_(database_, "SELECT rule, fired FROM fault_counts ORDER BY rule"),
      save_document_(database_, "INSERT OR REPLACE INTO documents VALUES (?1, ?2, ?3)"),
      erase_document_(database_, "DELETE FROM documents WHERE kind = ?1 AND id = ?2") {}

Result<std::unique_ptr<Tables>> Tables::open(const std::string& path, const CloudConfig& config) {
  std::unique_ptr<Tables> tables;
  if (path == ":memory:" && !spare_tables().empty()) {
    tables = std::move(spare_tables().back());
    spare_tables().pop_back();
    tables->clear();
  } else if (path == ":memory:") {
    Database database = Database::memory();
    database.load_image(empty_image());
    database.execute("PRAGMA journal_mode = OFF; PRAGMA cache_size = -65536; BEGIN");
    tables.reset(new Tables(std::move(database), false));
    tables->fresh_ = tables->spare_ = true;
  } else if (path.empty()) {
    DROVER_TRY(Database database, Database::open(path));
    // Nothing reads these tables while the process lives, so that they need hardly any cache.
    database.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1024");
    database.execute(kSchema);
    database.execute("BEGIN");
    tables.reset(new Tables(std::move(database), false));
    tables->fresh_ = true;
  } else {
    DROVER_TRY(Database database, Database::open(path));
    if (auto mode = database.try_execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL"); !mode)
      return unreadable_database(path + ": " + mode.error().message);
    tables.reset(new Tables(std::move(database), true));
    Database& opened = tables->database_;
    if (pragma(opened, "SELECT count(*) FROM sqlite_schema") == 0) {
      opened.execute("BEGIN IMMEDIATE");
      opened.execute(kSchema);
      opened.execute("COMMIT");
      tables->fresh_ = true;
    }
    if (pragma(opened, "PRAGMA application_id") != kApplicationId)
      return unreadable_database(path + " is not the database of a mock cloud");
    if (pragma(opened, "PRAGMA user_version") == 1) {
      if (auto grown = opened.try_execute(kFromLayout1); !grown)
        return unreadable_database(path + ": " + grown.error().message);
    }
    if (const auto version = pragma(opened, "PRAGMA user_version"); version != kVersion)
      return unreadable_database(path + " has layout " + std::to_string(version) +
                                 ", this version reads layout " + std::to_string(kVersion));
  }
  tables->begin_change();
  tables->save_catalogue(config);
  if (tables->end_change()) tables->commit_.run();
  tables->dirty_ = false;
  return tables;
}

void Tables::give_back(std::unique_ptr<Tables> tables) {
  if (tables != nullptr && tables->spare_) spare_tables().push_back(std::move(tables));
}

void Tables::clear() {
  for (const char* table :
       {"instances", "tags", "appearances", "volumes", "tokens", "timers", "boot_outcomes", "images", "sizes",
        "networks", "zones", "rate_buckets", "fault_counts", "documents", "counters"})
    database_.execute(("DELETE FROM " + std::string(table)).c_str());
  depth_ = 0;
  dirty_ = false;
  fresh_ = true;
  offset_ = Duration{0};
}

void Tables::save_catalogue(const CloudConfig& config) {
  Statement image(database_, "INSERT OR IGNORE INTO images VALUES (?1)");
  Statement size(database_, "INSERT OR IGNORE INTO sizes VALUES (?1)");
  Statement network(database_, "INSERT OR IGNORE INTO networks VALUES (?1)");
  Statement zone(database_, "INSERT OR IGNORE INTO zones VALUES (?1, 1)");
  write();
  for (const auto& name : config.images) image.run(name);
  for (const auto& name : config.sizes) size.run(name);
  for (const auto& name : config.networks) network.run(name);
  for (const auto& name : config.zones) zone.run(name);
}

void Tables::commit(const Counters& counters) {
  save_counters(counters);
  commit_.run();
  dirty_ = false;
}

std::int64_t Tables::to_stored(TimePoint at) const {
  if (at == kNever) return std::numeric_limits<std::int64_t>::max();
  if (at == TimePoint::min()) return std::numeric_limits<std::int64_t>::min();
  return (at.time_since_epoch() + offset_).count();
}

TimePoint Tables::from_stored(std::int64_t ns) const {
  if (ns == std::numeric_limits<std::int64_t>::max()) return kNever;
  if (ns == std::numeric_limits<std::int64_t>::min()) return TimePoint::min();
  return TimePoint(Duration(ns) - offset_);
}

void Tables::insert_instance(const Instance& vm) {
  write();
  insert_instance_.run(vm.number, vm.id, vm.spec.name, to_text(vm.state), vm.address, vm.spec.image,
                       vm.spec.size, vm.spec.network, vm.zone, vm.token, to_stored(vm.created_at),
                       to_stored(vm.state_since), vm.spec.user_data, vm.fault, vm.powered, vm.paused,
                       vm.counts_to_quota, to_text(vm.terminate_outcome), vm.spec.extras);
  insert_tags(vm);
}

void Tables::insert_tags(const Instance& vm) {
  write();
  std::size_t position = 0;
  for (const auto& [key, value] : vm.spec.tags) insert_tag_.run(vm.number, position++, key, value);
}

void Tables::save_instance(const Instance& vm) {
  write();
  save_instance_.run(vm.number, to_text(vm.state), vm.address, vm.spec.image, to_stored(vm.state_since),
                     vm.fault, vm.powered, vm.paused, vm.counts_to_quota, to_text(vm.terminate_outcome));
}

void Tables::save_name(const Instance& vm) {
  write();
  save_name_.run(vm.number, vm.spec.name);
}

void Tables::save_document(std::string_view kind, const std::string& id, const std::string& text) {
  write();
  save_document_.run(kind, id, text);
}

void Tables::erase_document(std::string_view kind, const std::string& id) {
  write();
  erase_document_.run(kind, id);
}

void Tables::erase_tags(const Instance& vm) {
  write();
  erase_tags_.run(vm.number);
}

void Tables::insert_appearance(const Instance& vm, const Instance::Appearance& appearance) {
  write();
  insert_appearance_.run(vm.number, to_stored(appearance.at), to_text(appearance.state), appearance.address);
}

void Tables::save_token(const TokenRow& row) {
  write();
  save_token_.run(row.token, row.digest, row.number);
}

void Tables::erase_token(const std::string& token) {
  write();
  erase_token_.run(token);
}

void Tables::insert_timer(const TimerRow& timer) {
  write();
  insert_timer_.run(timer.id, to_stored(timer.due), to_text(timer.kind), timer.instance, timer.argument);
}

void Tables::erase_timer(std::uint64_t id) {
  write();
  erase_timer_.run(id);
}

void Tables::insert_volume(const Volume& volume) {
  write();
  insert_volume_.run(volume.number, volume.id, volume.name, volume.gigabytes, volume.attached_to);
}

void Tables::save_volume(const Volume& volume) {
  write();
  save_volume_.run(volume.number, volume.attached_to);
}

void Tables::erase_volume(std::uint32_t number) {
  write();
  erase_volume_.run(number);
}

void Tables::save_boot_outcome(const std::string& name, const BootOutcome& outcome) {
  write();
  save_boot_outcome_.run(name, to_text(outcome.kind), outcome.extra.count(), outcome.text,
                         outcome.address_delay.count());
}

void Tables::erase_boot_outcome(const std::string& name) {
  write();
  erase_boot_outcome_.run(name);
}

void Tables::save_zone(const std::string& name, bool up) {
  write();
  save_zone_.run(name, up);
}

void Tables::save_bucket(TimePoint full_at) {
  write();
  save_bucket_.run(to_stored(full_at));
}

void Tables::save_counters(const Counters& counters) {
  save_counters_.run(to_stored(counters.now), to_stored(counters.view), counters.next_address,
                     counters.next_volume, counters.high_water, counters.released_address,
                     counters.reuse_address);
}

void Tables::save_fault_count(const std::string& rule, std::uint64_t fired) {
  write();
  save_fault_count_.run(rule, fired);
}

std::vector<std::pair<std::string, std::uint64_t>> Tables::fault_counts() {
  std::vector<std::pair<std::string, std::uint64_t>> counts;
  fault_counts_.query(
      [&](Row row) { counts.emplace_back(row.text(0), static_cast<std::uint64_t>(row.integer(1))); });
  return counts;
}

Result<void> Tables::save_copy(const std::string& path, const Counters& counters) {
  if (!file_) {
    save_counters(counters);
    database_.execute("COMMIT");
  }
  auto copied = database_.copy_to(path);
  if (!file_) database_.execute("BEGIN");
  return copied;
}

}  // namespace drover::cloud

// The tables of the mock cloud and every statement on them. Times are stored on the cloud's own axis, which
// goes on where it stood when a file is opened again; the members translate to and from the scheduler's.
// Single-threaded.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mockcloud/cloud/cloud_config.hpp"
#include "mockcloud/cloud/database.hpp"
#include "mockcloud/cloud/instance.hpp"

namespace drover::cloud {

enum class TimerKind : unsigned char {
  boot,  // argument: "" or how long after that it loses power ("45s")
  boot_failed,
  boot_stopped,
  stop,
  reboot,  // argument: "keep_disk" or "lose_disk"
  terminate,
  crash,
  address,  // argument: the address, or "" for a fresh one
  release_quota,
};
inline constexpr int kTimerKinds = 9;
const char* to_text(TimerKind kind);
// Whether it ends a state; an instance has at most one such timer, and any transition disarms it.
bool is_transition(TimerKind kind);

struct TimerRow {
  std::uint64_t id = 0;
  TimePoint due{};
  TimerKind kind{};
  std::uint32_t instance = 0;
  Text argument;
};

// What cannot be computed from the other tables.
struct Counters {
  TimePoint now{};
  TimePoint view{};
  std::uint32_t next_address = 0;
  std::uint32_t next_volume = 1;
  std::size_t high_water = 0;
  std::string released_address;
  bool reuse_address = false;
};

struct TokenRow {
  std::string token;  // "instance:" or "volume:" and the caller's token
  std::uint64_t digest = 0;
  std::uint32_t number = 0;
};

struct StoredCloud {
  bool fresh = false;  // a new database: nothing else is set
  Counters counters;
  std::vector<Instance> instances;  // by number, without gaps; with tags and past
  std::vector<Volume> volumes;
  std::vector<TokenRow> tokens;
  std::vector<TimerRow> timers;  // by due time, then id
  std::vector<std::pair<std::string, BootOutcome>> boot_outcomes;
  std::vector<std::pair<std::string, bool>> zones;
  std::vector<std::string> images, sizes, networks;
  struct Document {
    std::string kind, id, text;
  };
  std::vector<Document> documents;
  std::optional<TimePoint> bucket_full_at;
};

// ErrorCode::storage: `what` says what is wrong with the database.
Error unreadable_database(const std::string& what);

class Tables {
 public:
  // ":memory:", or a file, made when missing, or "": a file of SQLite's own in the folder for temporary
  // files, which nobody else sees and which goes with the process, but is otherwise as tables in memory.
  // ErrorCode::storage for a file that is no cloud's database.
  static Result<std::unique_ptr<Tables>> open(const std::string& path, const CloudConfig& config);

  // Everything stored. `now` is the scheduler's: the stored clock is made to stand at it.
  Result<StoredCloud> load(TimePoint now);

  // A change is one transaction on a file. Changes nest; the outermost one commits: end_change() says true
  // when the caller has to finish with commit(). In memory and in a temporary file nothing happens.
  void begin_change() { ++depth_; }
  bool end_change() { return --depth_ == 0 && dirty_ && file_; }
  void commit(const Counters& counters);
  // Makes the present change commit although only the counters have changed.
  void touch() { write(); }
  bool file() const { return file_; }

  // Tables in memory that are not needed any more: the next open(":memory:") of this thread uses them.
  static void give_back(std::unique_ptr<Tables> tables);

  void insert_instance(const Instance& vm);
  void save_instance(const Instance& vm);
  void erase_tags(const Instance& vm);
  void insert_tags(const Instance& vm);
  void save_name(const Instance& vm);
  void save_document(std::string_view kind, const std::string& id, const std::string& text);
  void erase_document(std::string_view kind, const std::string& id);
  void insert_appearance(const Instance& vm, const Instance::Appearance& appearance);
  void save_token(const TokenRow& row);
  void erase_token(const std::string& token);
  void insert_timer(const TimerRow& timer);
  void erase_timer(std::uint64_t id);
  void insert_volume(const Volume& volume);
  void save_volume(const Volume& volume);
  void erase_volume(std::uint32_t number);
  void save_boot_outcome(const std::string& name, const BootOutcome& outcome);
  void erase_boot_outcome(const std::string& name);
  void save_zone(const std::string& name, bool up);
  void save_bucket(TimePoint full_at);
  void save_fault_count(const std::string& rule, std::uint64_t fired);
  std::vector<std::pair<std::string, std::uint64_t>> fault_counts();

  Result<void> save_copy(const std::string& path, const Counters& counters);

 private:
  Tables(Database database, bool file);

  void clear();
  void save_catalogue(const CloudConfig& config);
  void save_counters(const Counters& counters);
  Result<void> load_instances(StoredCloud& stored);
  // Tags, appearances and volumes.
  void load_belongings(StoredCloud& stored);
  Result<void> load_timers(StoredCloud& stored);
  Result<void> load_boot_outcomes(StoredCloud& stored);
  Result<void> load_tokens(StoredCloud& stored);
  void load_rest(StoredCloud& stored);
  // Opens the file's transaction before the first write of a change.
  void write() {
    if (file_ && !dirty_) begin_.run();
    dirty_ = true;
  }
  std::int64_t to_stored(TimePoint at) const;
  TimePoint from_stored(std::int64_t ns) const;

  Database database_;
  bool file_;           // outlives the process
  bool spare_ = false;  // worth keeping for the next open()
  bool dirty_ = false;
  bool fresh_ = false;
  unsigned depth_ = 0;
  Duration offset_{0};  // the cloud's time minus the scheduler's

  Statement begin_, commit_;
  Statement insert_instance_, save_instance_, insert_tag_, erase_tags_, save_name_, insert_appearance_;
  Statement save_token_, erase_token_, insert_timer_, erase_timer_;
  Statement insert_volume_, save_volume_, erase_volume_;
  Statement save_boot_outcome_, erase_boot_outcome_, save_zone_, save_bucket_, save_counters_;
  Statement save_fault_count_, fault_counts_, save_document_, erase_document_;
};

}  // namespace drover::cloud

// The mock cloud: an Iaas whose instances boot, stop and die in virtual time, with its state in SQLite. The
// cloud obeys its configuration and never misbehaves by itself: faults are the controls below, driven by
// mockcloud/fault.
//
// Every change is written to the tables (tables.hpp) in the event that makes it; reads come from memory. With
// a file the pending timers go on when it is opened again, from the moment where the cloud's time stood.
//
// Single-threaded: every member is called on the scheduler's thread. Pending work lives in the Domain; once
// that is killed the cloud stands still. The references given to the constructor must outlive the cloud, and
// the domain must be killed or destroyed before the scheduler runs again without the cloud.
#pragma once

#include <array>
#include <boost/container/deque.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "manager/base/choices.hpp"
#include "manager/base/trace.hpp"
#include "manager/ports/iaas.hpp"
#include "mockcloud/cloud/address_pool.hpp"
#include "mockcloud/cloud/cloud_config.hpp"
#include "mockcloud/cloud/instance.hpp"
#include "mockcloud/cloud/instance_listener.hpp"
#include "mockcloud/cloud/lifecycle.hpp"
#include "mockcloud/cloud/snapshot.hpp"
#include "mockcloud/cloud/tables.hpp"
#include "mockcloud/cloud/text_key.hpp"

namespace drover::cloud {

class Cloud : public Iaas, public Lister {
 public:
  // Aborts when the database cannot be opened or the configuration is invalid: for these use open().
  Cloud(Scheduler& scheduler, Domain& domain, Choices& choices, Trace& trace, CloudConfig config,
        std::string database_path = ":memory:");
  // ErrorCode::storage when the file cannot be opened or is no cloud's database, ErrorCode::invalid for the
  // configuration.
  static Result<std::unique_ptr<Cloud>> open(Scheduler& scheduler, Domain& domain, Choices& choices,
                                             Trace& trace, CloudConfig config,
                                             const std::string& database_path);
  ~Cloud() override;
  Cloud(const Cloud&) = delete;
  Cloud& operator=(const Cloud&) = delete;

  // Told of everything that happens to the machines; null: nobody. Not told again of what happened before.
  void set_listener(InstanceListener* listener) { listener_ = listener; }
  // Called after every change of an instance's state, also at its creation (`from` is then pending).
  using Observer = std::function<void(const Instance&, InstanceState from)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }

  // Iaas. Half of the latency passes before the effect, half after it. listVMs with an empty key lists all.
  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override;
  void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) override;
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override;
  void listVMs(const CallContext& context, const std::string& key, const std::string& value,
               Handler<std::vector<InstanceInfo>> handler) override;
  void list_snapshot(const CallContext& context, const std::string& key, const std::string& value,
                     Handler<Snapshot> handler) override;
  void createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                    const std::string& token, Handler<VolumeInfo> handler) override;
  void attachVolume(const CallContext& context, const std::string& volume, const std::string& instance,
                    Handler<void> handler) override;
  void deleteVolume(const CallContext& context, const std::string& volume, Handler<void> handler) override;
  void listVolumes(const CallContext& context, Handler<std::vector<VolumeInfo>> handler) override;

  // A request of a client that is none of the port's calls (a wire's: stop, tag, …): it pays the latency of a
  // call and is throttled like one; `effect` runs half-way. `site` is of static lifetime.
  void perform_request(const CallContext& context, std::string_view site,
                       std::move_only_function<Result<void>()> effect, Handler<void> handler);

  // Controls: at once, without latency. Errors: not_found for an unknown instance, volume or zone,
  // wrong_state where the lifecycle has no such transition, invalid for arguments that make no sense.

  // How the boot of an instance ends. `name` is an id or a name: a pending instance so called is changed at
  // once, otherwise the next instance created with that name; "" is the next one created, whatever its name.
  Result<void> set_boot_outcome(const std::string& name, BootOutcome outcome);
  // Abrupt power-off, or (`gone`) terminated at once without any request.
  Result<void> crash_instance(const std::string& id, bool gone = false);
  // The provider declares the instance failed; it loses its power.
  Result<void> fail_instance(const std::string& id, const std::string& fault);
  Result<void> stop_instance(const std::string& id);
  Result<void> start_instance(const std::string& id);
  // Listeners hear instance_stopped now and instance_rebooted when it is up again.
  Result<void> reboot_instance(const std::string& id, bool keep_disk = true);
  // Pausing twice is once. Only of a powered instance.
  Result<void> pause_instance(const std::string& id);
  Result<void> resume_instance(const std::string& id);
  // Gives the instance `address`, or with "" a fresh one.
  Result<void> change_address(const std::string& id, const std::string& address = {});
  // Gives the instance the address that `other` has, too.
  Result<void> duplicate_address(const std::string& id, const std::string& other);
  // Takes the address away; it comes back after `delay`.
  Result<void> delay_address(const std::string& id, Duration delay);
  // The next instance created gets the address most recently given back (a fresh one when there is none).
  void reuse_address_next();
  // What the following killInstance of this instance does.
  Result<void> set_terminate_outcome(const std::string& id, TerminateOutcome outcome);
  // Ends a zombie, or a deletion that is stuck.
  Result<void> finish_termination(const std::string& id);
  Result<void> forget_tags(const std::string& id);
  Result<void> forget_name(const std::string& id);
  // What newInstance and killInstance do, at once and without being counted as a call: further instances of
  // one request.
  Result<InstanceInfo> launch(const InstanceSpec& spec, const std::string& token);
  Result<void> terminate(const std::string& id);
  // Replaces all tags. Also invalid, for tags that newInstance would refuse.
  Result<void> set_tags(const std::string& id, Tags tags);
  // Errors: also invalid (empty, or longer than 255 bytes).
  Result<void> rename(const std::string& id, const std::string& name);
  // The token no longer protects: the next newInstance or createVolume with it creates anew.
  void forget_token(const std::string& token);
  // Every instance of the zone loses its power (`gone`: is terminated), and no new one is placed there.
  Result<void> lose_zone(const std::string& zone, bool gone = false);
  // New instances may be placed there again. Those that lost their power stay stopped.
  Result<void> restore_zone(const std::string& zone);
  // Detaching a detached volume succeeds.
  Result<void> detach_volume(const std::string& volume);
  // Changes limits and latencies from now on; pending timers stay. The catalogue, the zones, the address
  // prefix and whether listings lag at all cannot change.
  Result<void> reconfigure(const CloudConfig& config);

  // Counts of fault rules, kept with the cloud's state so that they survive a restart.
  void set_fault_count(const std::string& rule, std::uint64_t fired);
  std::vector<std::pair<std::string, std::uint64_t>> fault_counts();  // ordered by rule

  // What only wires know (key pairs, security groups, …): texts by kind and id, kept with the cloud's state.
  using Documents = std::map<std::string, std::string>;  // by id
  const Documents& documents(std::string_view kind) const;
  void put_document(std::string_view kind, const std::string& id, std::string text);
  void erase_document(std::string_view kind, const std::string& id);

  // Truth for checkers.
  const CloudConfig& config() const { return config_; }
  std::uint64_t seed() const { return choices_.seed(); }
  std::size_t count(InstanceState state) const { return counts_[static_cast<std::size_t>(state)]; }
  std::size_t live() const { return live_; }  // zombies too
  std::size_t zombies() const { return zombies_; }
  std::size_t high_water() const { return high_water_; }  // most live instances ever
  std::uint64_t total_created() const { return instances_.size(); }
  std::uint64_t total_terminated() const { return count(InstanceState::terminated); }
  std::size_t quota_used() const { return quota_used_; }
  std::size_t volumes() const { return volumes_.size(); }
  const std::map<std::uint32_t, Volume>& all_volumes() const { return volumes_; }  // by number
  // By id, or null. The pointer stays valid as long as the cloud.
  const Instance* instance(std::string_view id) const;
  // The latest instance created with this name, or null.
  const Instance* instance_named(const std::string& name) const;
  // In the order of creation.
  template <class F>
  void for_each_instance(F&& function) const {
    for (const Instance& vm : instances_) function(vm);
  }
  // Ids of the instances changed since the last call, in the order of their first change.
  std::vector<std::string> take_changed();
  // What getVMInfo would say now.
  InstanceInfo info(const Instance& vm) const;

  // Writes a copy of the database that `sqlite3` can open; `path` must not exist. ErrorCode::storage.
  Result<void> save_copy(const std::string& path);

 private:
  struct Token {
    std::uint64_t digest = 0;  // of the parameters it was used with
    std::uint32_t number = 0;  // of the instance or volume
  };

  // One transaction; they nest.
  class Change;

  Cloud(Scheduler& scheduler, Domain& domain, Choices& choices, Trace& trace, CloudConfig config,
        std::unique_ptr<Tables> tables);

  // Calls (cloud_calls.cpp, cloud_volumes.cpp).
  template <class T, class Function>
  void call(std::string_view subject, std::string_view site, Handler<T> handler, Function effect);
  Result<void> admit();
  Result<InstanceInfo> create(const InstanceSpec& spec, const std::string& token);
  Result<void> check_spec(const InstanceSpec& spec) const;
  static Result<void> check_tags(const InstanceSpec& spec);
  Result<void> check_room(const InstanceSpec& spec) const;
  Result<void> kill(const std::string& id);
  Result<InstanceInfo> look_up(const std::string& id) const;
  Snapshot list(Duration lag, const std::string& key, const std::string& value);
  Result<VolumeInfo> create_volume(const std::string& name, unsigned gigabytes, const std::string& token);
  Result<void> attach_volume(const std::string& volume, const std::string& instance);
  Result<void> delete_volume(const std::string& volume);
  VolumeInfo info(const Volume& volume) const;
  // The number that the token has already made, 0 for a new token; already_exists for other parameters.
  Result<std::uint32_t> check_token(const std::string& key, std::uint64_t digest, const char* call) const;
  void keep_token(const std::string& key, std::uint64_t digest, std::uint32_t number);

  // Lifecycle (cloud_lifecycle.cpp).
  bool apply(Instance& vm, Event event, const std::string& argument = {});
  void enter(Instance& vm, Event event, const std::string& argument);
  void enter_terminated(Instance& vm);
  void announce(const Instance& vm, InstanceState from, std::string_view event);
  void boot(Instance& vm, const BootOutcome& outcome);
  void arm_boot(Instance& vm, const BootOutcome& outcome, TimePoint due);
  void set_address(Instance& vm, const std::string& address);
  void release_address(const std::string& address);
  void let_go(Instance& vm);
  std::string next_address();
  // The one Text that all instances with this text have.
  Text shared(const std::string& text);
  BootOutcome take_boot_outcome(const std::string& name);
  const std::string* zone_for(const InstanceSpec& spec) const;

  // Runs `change` on the instance and keeps counts, tables, appearances and the list of changes true to it.
  template <class Function>
  void update(Instance& vm, Function change);
  void count_in(const Instance& vm);
  void remember_appearance(Instance& vm);
  void mark_changed(Instance& vm);

  // Timers (cloud_lifecycle.cpp).
  void arm(Instance& vm, TimerKind kind, TimePoint due, std::string argument = {});
  void disarm(Instance& vm);
  void schedule(TimerRow timer);
  void fire(std::uint64_t id, TimerKind kind, std::uint32_t instance, const Text& argument);

  Instance* find(std::string_view id);
  Result<Instance*> require(std::string_view id);
  Result<Volume*> require_volume(std::string_view id);
  Result<void> request(const std::string& id, Event event, const std::string& argument = {});
  void set_attachment(Volume& volume, std::uint32_t instance);
  Result<void> load();
  void take_over(StoredCloud stored);
  bool lagging() const;
  bool is_listed(InstanceState state, TimePoint since, TimePoint view) const;
  Counters counters() const;

  Scheduler& scheduler_;
  Domain& domain_;
  Choices& choices_;
  Trace& trace_;
  CloudConfig config_;
  std::unique_ptr<Tables> tables_;
  InstanceListener* listener_ = nullptr;
  Observer observer_;

  // Several in a block, where std::deque gives each a block of its own; pointers stay valid as well.
  using Instances =
      boost::container::deque<Instance, void,
                              boost::container::deque_options<boost::container::block_size<16U>>::type>;
  Instances instances_;                                                              // instances_[number - 1]
  boost::unordered_flat_map<TextKey, std::uint32_t, TextKey::Hash> latest_by_name_;  // never iterated
  boost::unordered_flat_map<TextKey, Token, TextKey::Hash> tokens_;                  // never iterated
  std::unordered_map<std::string, Text> shared_texts_;                               // never iterated
  std::map<std::string, BootOutcome> boot_outcomes_;
  std::map<std::string, bool> zones_up_;
  std::map<std::uint32_t, Volume> volumes_;
  std::map<std::string, Documents, std::less<>> documents_;  // by kind
  AddressPool addresses_;
  std::string released_address_;
  bool reuse_address_ = false;
  Snapshots snapshots_;
  TimePoint view_{Duration::min()};  // the latest moment that a listing has shown; never goes back
  std::size_t first_listed_ = 0;     // all instances before this index are no longer listed
  std::size_t last_listed_ = 0;      // how many the last listing had: what the next one reserves
  TimePoint bucket_full_at_{Duration::min()};
  std::uint64_t next_timer_ = 1;
  std::uint32_t next_volume_ = 1;
  std::uint64_t gigabytes_ = 0;

  std::array<std::size_t, kInstanceStates> counts_{};
  std::size_t live_ = 0;
  std::size_t zombies_ = 0;
  std::size_t high_water_ = 0;
  std::size_t quota_used_ = 0;
  std::vector<std::uint32_t> changed_;
};

}  // namespace drover::cloud

// The Iaas port over the query API of Amazon EC2, and of clouds that speak it. Requests are posted forms,
// signed with version 4. What differs from the port's words is written down in docs/ec2.md.
//
// Errors: those of the cloud as ErrorCode (ec2_errors.hpp), those of HttpClient, protocol (an answer that is
// no XML of this API). Calls that were refused for their rate, and calls whose repetition does no harm and
// that the cloud could not answer, are made again until CallContext.timeout. Single-threaded.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "manager/adapters/ec2/ec2_query.hpp"
#include "manager/ports/iaas.hpp"

namespace drover {

struct Ec2Config {
  std::string endpoint;  // "https://host[:port][/path]"; "": https://ec2.<region>.amazonaws.com
  std::string region = "us-east-1";
  AwsCredentials credentials;
  std::string api_version = "2016-11-15";
  std::string key_name;                      // "": none
  std::vector<std::string> security_groups;  // ids (sg-…) or names; none: the network's default
  std::string subnet;                        // for specs whose network is "" or "default"; "": the cloud's
  std::string availability_zone;             // "": the cloud's choice, for volumes its first zone
  std::string volume_type;                   // "": the cloud's default
  bool public_address = false;               // which address InstanceInfo has; true also asks for one
  unsigned page_size = 1000;                 // 5 to 1000 a page of a listing
};

// Errors: invalid, naming the field.
Result<void> check_config(const Ec2Config& config);

class Ec2Cloud final : public Iaas {
 public:
  // `wall` is the time for signatures: nanoseconds since 1970. The references must outlive this. With a
  // configuration that check_config() refuses every call fails with its error.
  Ec2Cloud(Scheduler& scheduler, HttpClient& client, Ec2Config config, std::function<TimePoint()> wall);
  // Calls under way are never answered.
  ~Ec2Cloud() override;

  void newInstance(const CallContext& context, const InstanceSpec& spec, const std::string& token,
                   Handler<InstanceInfo> handler) override;
  void killInstance(const CallContext& context, const std::string& id, Handler<void> handler) override;
  void getVMInfo(const CallContext& context, const std::string& id, Handler<InstanceInfo> handler) override;
  // An empty key lists every instance of the account in the region.
  void listVMs(const CallContext& context, const std::string& key, const std::string& value,
               Handler<std::vector<InstanceInfo>> handler) override;
  void createVolume(const CallContext& context, const std::string& name, unsigned gigabytes,
                    const std::string& token, Handler<VolumeInfo> handler) override;
  void attachVolume(const CallContext& context, const std::string& volume, const std::string& instance,
                    Handler<void> handler) override;
  void deleteVolume(const CallContext& context, const std::string& volume, Handler<void> handler) override;
  void listVolumes(const CallContext& context, Handler<std::vector<VolumeInfo>> handler) override;

  // Whether VMs like `spec` could be had, without making one: a line for each thing that is wrong, which says
  // how to mend it; none when all is well.
  void check(const InstanceSpec& spec, Handler<std::vector<std::string>> handler);

 private:
  using Infos = std::vector<InstanceInfo>;
  using Volumes = std::vector<VolumeInfo>;

  Ec2Call call(const CallContext& context, const char* action, std::string about) const;
  Task<Result<InstanceInfo>> create(Ec2Call run, InstanceSpec spec, std::string token);
  Task<Result<InstanceInfo>> find_by_token(Ec2Call look, std::string token);
  Task<Result<void>> terminate(Ec2Call call, std::string id);
  Task<Result<InstanceInfo>> look_up(Ec2Call call, std::string id);
  Task<Result<Infos>> list(Ec2Call call);
  Task<Result<VolumeInfo>> create_volume(Ec2Call call, std::string name);
  Task<Result<void>> attach(Ec2Call call, std::string volume, std::string instance);
  Task<Result<void>> delete_volume(Ec2Call call);
  Task<Result<Volumes>> list_volumes(Ec2Call call);
  Task<Result<std::string>> volume_zone(Ec2Call like);
  Task<std::vector<std::string>> find_problems(InstanceSpec spec);
  Task<void> look(std::string what, Ec2Call call, std::string advice, std::vector<std::string>* problems);

  template <class T>
  static Task<void> answer(Task<Result<T>> task, Handler<T> handler);
  InstanceInfo as_seen(InstanceInfo info) const;
  void remember_created(const std::string& id);
  void remember_killed(const std::string& id);

  Scheduler& scheduler_;
  Domain domain_{scheduler_};
  const Ec2Config config_;
  Ec2Query query_;
  std::string zone_;                          // of volumes, once asked for
  std::map<std::string, TimePoint> created_;  // of the last minutes, by id
  std::set<std::string> killed_;              // ids whose termination was accepted
  std::deque<std::string> killed_order_;
};

}  // namespace drover

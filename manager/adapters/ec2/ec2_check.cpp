// What `drover doctor` finds out about an account before a VM is wanted.
#include <algorithm>

#include "manager/adapters/ec2/ec2_cloud.hpp"
#include "manager/adapters/ec2/ec2_words.hpp"

namespace drover {
namespace {

// A cloud that has not this question cannot be asked it; that is no fault of the configuration.
bool is_unknown_question(std::string_view code) {
  return code == "InvalidAction" || code == "UnknownAction" || code == "UnsupportedOperation" ||
         code == "NotImplemented";
}

}  // namespace

void Ec2Cloud::check(const InstanceSpec& spec, Handler<std::vector<std::string>> handler) {
  const auto run = [](Ec2Cloud* cloud, InstanceSpec wanted,
                      Handler<std::vector<std::string>> to) -> Task<void> {
    std::vector<std::string> problems = co_await cloud->find_problems(std::move(wanted));
    to(std::move(problems));
  };
  spawn(domain_, run(this, spec, std::move(handler)));
}

Task<void> Ec2Cloud::look(std::string what, Ec2Call call, std::string advice,
                          std::vector<std::string>* problems) {
  std::string code;
  const Result<Ec2Answer> answered = co_await query_.ask(std::move(call), &code);
  if (answered.has_value() || is_unknown_question(code) || code == "DryRunOperation") co_return;
  std::string message = answered.error().message;
  // The general advice to correct something; here it is known what.
  if (answered.error().code == ErrorCode::invalid)
    message.erase(std::min(message.size(), message.rfind("; ")));
  problems->push_back(what + ": " + message + ". " + advice);
}

Task<std::vector<std::string>> Ec2Cloud::find_problems(InstanceSpec spec) {
  std::vector<std::string> problems;
  if (auto checked = check_config(config_); checked.has_error()) {
    problems.push_back(checked.error().message);
    co_return problems;
  }
  const CallContext context{"doctor", 20s};
  co_await look("account", call(context, "DescribeRegions", ""),
                "Set ec2.endpoint, ec2.region and the access key to those of one account", &problems);
  if (!problems.empty()) co_return problems;  // nothing else can be asked

  Ec2Call question = call(context, "DescribeImages", spec.image);
  question.parameters = {{"ImageId.1", spec.image}};
  co_await look("image", std::move(question),
                "Set ec2.image to an id (ami-…) that the account sees in this region", &problems);
  question = call(context, "DescribeInstanceTypes", spec.size);
  question.parameters = {{"InstanceType.1", spec.size}};
  co_await look("size", std::move(question), "Set ec2.size to an instance type that this region has",
                &problems);
  if (!config_.key_name.empty()) {
    question = call(context, "DescribeKeyPairs", config_.key_name);
    question.parameters = {{"KeyName.1", config_.key_name}};
    co_await look("key pair", std::move(question),
                  "Import the key pair under this name, or leave ec2.key_name out", &problems);
  }
  for (const auto& group : config_.security_groups) {
    question = call(context, "DescribeSecurityGroups", group);
    const char* name = group.starts_with("sg-") ? "GroupId.1" : "GroupName.1";
    question.parameters.emplace_back(name, group);
    co_await look("security group", std::move(question), "Correct ec2.security_groups", &problems);
  }
  if (!config_.subnet.empty()) {
    question = call(context, "DescribeSubnets", config_.subnet);
    question.parameters = {{"SubnetId.1", config_.subnet}};
    co_await look("subnet", std::move(question), "Correct ec2.subnet", &problems);
  }
  if (!problems.empty()) co_return problems;  // the launch would only repeat them
  spec.name = "drover-doctor";
  question = call(context, "RunInstances", "a VM (only tried, nothing is created)");
  auto parameters = ec2::run_parameters(spec, "", config_);
  if (parameters.has_error()) {
    problems.push_back(parameters.error().message);
    co_return problems;
  }
  question.parameters = std::move(parameters).value();
  question.parameters.emplace_back("DryRun", "true");
  co_await look("launch", std::move(question), "Mend this, or VMs will not come up", &problems);
  co_return problems;
}

}  // namespace drover

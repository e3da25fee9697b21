// drover call METHOD [KEY=VALUE...]: a client of the manager's API, for people and scripts.
#include <CLI/CLI.hpp>
#include <cctype>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tools/drover/api_client.hpp"
#include "tools/drover/exit_codes.hpp"
#include "tools/drover/subcommands.hpp"

namespace drover::tools {
namespace {

using nlohmann::json;

struct CallArguments {
  std::string method;
  std::vector<std::string> assignments;
  std::string url = "http://127.0.0.1:50000/";
  std::string verb;
};

// 5, true, null, [..], {..} and "quoted" are JSON; everything else is text. What looks like a number but
// would not come back as it was written (007, 12345678901234567890123) is text too.
json value_of(const std::string& text) {
  const json parsed = json::parse(text, nullptr, false);
  if (parsed.is_discarded()) return text;
  if (parsed.is_number() && parsed.dump() != text) return text;
  return parsed;
}

// Splits KEY=VALUE and KEY=@FILE; an error's text, or nothing.
std::string read_assignments(const std::vector<std::string>& assignments, ApiCall& call) {
  for (const std::string& assignment : assignments) {
    const auto equals = assignment.find('=');
    if (equals == 0 || equals == std::string::npos)
      return "\"" + assignment + "\" is no KEY=VALUE. Example: drover call add_nodes count=2";
    const std::string key = assignment.substr(0, equals);
    const std::string value = assignment.substr(equals + 1);
    if (value.starts_with('@'))
      call.files.push_back({key, value.substr(1)});
    else
      call.params[key] = value_of(value);
  }
  return {};
}

int run(const CallArguments& arguments) {
  ApiCall call;
  call.method = arguments.method;
  std::string problem = read_assignments(arguments.assignments, call);
  const std::optional<ApiAddress> address = parse_api_url(arguments.url);
  if (problem.empty() && !address)
    problem = "\"" + arguments.url + "\" is no URL of a manager. Example: --url http://127.0.0.1:50000/";
  call.verb = arguments.verb.empty() ? verb_of_method(call.method, !call.files.empty()) : arguments.verb;
  if (problem.empty() && !call.files.empty() && call.verb != "UPLOAD")
    problem = call.method + " takes no files: @FILE works with UPLOAD methods only";
  if (!problem.empty()) {
    std::cerr << "drover call: " << problem << "\n";
    return kExitUsage;
  }
  const ApiOutcome outcome = call_api(*address, call);
  switch (outcome.kind) {
    case ApiOutcome::Kind::result:
      std::cout << outcome.result.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
      return kExitPassed;
    case ApiOutcome::Kind::refused:
      std::cerr << "drover call: " << call.method << ": " << outcome.text << "\n";
      if (!outcome.result.empty())
        std::cerr << outcome.result.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
      return kExitFailed;
    case ApiOutcome::Kind::bad_file:
      std::cerr << "drover call: " << outcome.text << "\n";
      return kExitUsage;
    case ApiOutcome::Kind::unreachable:
      std::cerr << "drover call: " << outcome.text << "\n";
      return kExitUnavailable;
  }
  return kExitFailed;
}

}  // namespace

void add_call(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("call", "Call a method of a running manager and print its result as JSON");
  auto arguments = std::make_shared<CallArguments>();
  command->add_option("method", arguments->method, "e.g. list_nodes, add_nodes, get_service_info")
      ->required();
  command->add_option("params", arguments->assignments,
                      "KEY=VALUE; a value that is JSON is sent as JSON, KEY=@FILE uploads a file");
  command->add_option("--url", arguments->url, "The manager's address")->capture_default_str();
  command->add_option("--verb", arguments->verb, "For methods that this client does not know")
      ->check(CLI::IsMember({"GET", "POST", "UPLOAD"}));
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace drover::tools

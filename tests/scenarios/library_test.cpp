// The library as a whole: what it must cover, and that the guide lists all of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "manager/api/service.hpp"
#include "manager/model/states.hpp"
#include "paths.hpp"
#include "scenarios/engine/load_library.hpp"

namespace drover::scenario {
namespace {

std::vector<std::string> library_files() {
  return find_scenarios({DROVER_SOURCE_DIR "/scenarios/library"}).value();
}

// Every file of the library, loaded once; a file that cannot be loaded has no cases.
const std::map<std::string, ScenarioFile>& library() {
  static const std::map<std::string, ScenarioFile> loaded = [] {
    std::map<std::string, ScenarioFile> files;
    for (const auto& path : library_files()) {
      auto file = load_scenario(path);
      EXPECT_TRUE(file.has_value()) << (file.has_error() ? file.error().message : "");
      if (file.has_value()) files.emplace(path, std::move(file).value());
    }
    return files;
  }();
  return loaded;
}

void for_each_step(const std::vector<Step>& steps, const std::function<void(const Step&)>& look) {
  for (const Step& step : steps) {
    look(step);
    if (const auto* beside = std::get_if<Parallel>(&step.action)) for_each_step(beside->steps, look);
    if (const auto* again = std::get_if<Repeat>(&step.action)) for_each_step(again->steps, look);
  }
}

TEST(Library, HasFiftyFilesOrMore) { EXPECT_GE(library().size(), 50U); }

TEST(Library, NamesItsFilesAfterItsScenariosAndDescribesThemInASentence) {
  for (const auto& [path, file] : library()) {
    const Scenario& one = file.cases.front();
    EXPECT_THAT(path, testing::EndsWith("/" + one.name + ".yaml"));
    EXPECT_THAT(one.description, testing::EndsWith(".")) << path;
    EXPECT_FALSE(one.tags.empty()) << path;
  }
}

TEST(Library, CallsEveryMethod) {
  std::set<std::string> called;
  for (const auto& [path, file] : library())
    for (const Scenario& one : file.cases)
      for_each_step(one.steps, [&](const Step& step) {
        if (const auto* call = std::get_if<Call>(&step.action)) called.insert(call->method);
      });
  for (const auto& method : api::exposed_functions())
    EXPECT_TRUE(called.contains(method.name)) << method.name;
}

TEST(Library, SeesEveryServiceState) {
  std::set<std::string> seen;
  for (const auto& [path, file] : library())
    for (const Scenario& one : file.cases)
      for_each_step(one.steps, [&](const Step& step) {
        const auto* call = std::get_if<Call>(&step.action);
        if (call != nullptr && call->method == "get_service_info" && call->expect.state)
          seen.insert(*call->expect.state);
      });
  for (int i = 0; i < model::kServiceStates; ++i) {
    const std::string state = model::to_text(static_cast<model::ServiceState>(i));
    EXPECT_TRUE(seen.contains(state)) << "no scenario expects get_service_info to say " << state;
  }
}

// The index of docs/scenarios.md, a table for each folder.
std::string index_of_the_library() {
  const std::string root = DROVER_SOURCE_DIR "/scenarios/library/";
  std::string text;
  std::string folder;
  for (const auto& [path, file] : library()) {
    const std::string name = path.substr(root.size());
    if (const auto of = name.substr(0, name.find('/')); of != folder) {
      folder = of;
      text += "\n### " + folder + "\n\n| file | what it shows |\n|---|---|\n";
    }
    text += "| `" + name + "` | " + file.cases.front().description + " |\n";
  }
  return text;
}

// DROVER_UPDATE_DOCS=1 writes the index anew.
TEST(Library, IsListedInTheGuideFileByFile) {
  const std::string path = DROVER_SOURCE_DIR "/docs/scenarios.md";
  const std::string heading = "## The library\n";
  std::ifstream in(path);
  std::ostringstream read;
  read << in.rdbuf();
  const std::string guide = read.str();
  const auto start = guide.find(heading);
  ASSERT_NE(start, std::string::npos) << path << " has no heading \"" << heading << "\"";
  const std::string wanted = index_of_the_library();
  if (std::getenv("DROVER_UPDATE_DOCS") != nullptr) {
    std::ofstream(path) << guide.substr(0, start + heading.size()) + wanted;
    return;
  }
  EXPECT_EQ(guide.substr(start + heading.size()), wanted) << "run this test with DROVER_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace drover::scenario

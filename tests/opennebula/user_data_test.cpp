// The user data of a new node: what is in it, and that a shell reads back what was put in.
#include "manager/adapters/user_data.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include "paths.hpp"

namespace drover {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string output_of(const std::string& command) {
  std::string out;
  FILE* const pipe = ::popen(command.c_str(), "r");
  char buffer[4096];
  while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, size);
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return out;
}

AgentStart start() {
  AgentStart made;
  made.manager_ip = "10.0.0.1";
  made.token = Secret{"abc123"};
  return made;
}

TEST(UserData, IsTheScriptWithItsValuesInFront) {
  std::ifstream file(DROVER_SOURCE_DIR "/tools/cloud-init/agent.sh");
  std::ostringstream script;
  script << file.rdbuf();
  ASSERT_EQ(std::string(agent_script()), script.str());
  const std::string text = render_user_data(start());
  EXPECT_THAT(text, StartsWith("#!/bin/sh\nDROVER_MANAGER_IP='10.0.0.1'\nDROVER_MANAGER_PORT='50000'\n"
                               "DROVER_TOKEN='abc123'\n"));
  EXPECT_TRUE(text.ends_with(script.str().substr(script.str().find('\n'))));
}

TEST(UserData, FitsIntoEveryCloudsLimit) {
  AgentStart made = start();
  made.token.value = std::string(1024, 't');
  made.binary_url = "https://" + std::string(500, 'u');
  made.binary_sha256 = std::string(64, 'a');
  EXPECT_LT(render_user_data(made).size(), 16384U) << "EC2's";
}

TEST(UserData, AWordIsReadBackByAShell) {
  for (const std::string& text :
       {std::string(), std::string("plain"), std::string("it's"), std::string("'"),
        std::string("''\"\\$(id)`id`"), std::string("two\nlines"), std::string(" $HOME *"),
        std::string("!x#y;z&"), std::string("Gr\xc3\xbc\xc3\x9f"), std::string("\xff\x01")})
    EXPECT_EQ(output_of("printf %s " + shell_quote(text)), text);
  EXPECT_EQ(shell_quote(std::string_view("a\0b", 3)), "'ab'");
}

TEST(UserData, ValuesRunNothing) {
  AgentStart made = start();
  made.manager_ip = "'; echo broken out; '";
  made.token.value = "$(echo broken out)";
  made.instance_id = "`echo broken out`\necho broken out";
  made.binary_url = "\"; echo broken out";
  const std::string text =
      "DROVER_SOURCED=1\n" + render_user_data(made) +
      "\nprintf '%s|%s|%s|%s' \"$DROVER_MANAGER_IP\" \"$DROVER_TOKEN\" \"$DROVER_INSTANCE_ID\" "
      "\"$DROVER_BINARY_URL\"\n";
  EXPECT_EQ(output_of("sh -c " + shell_quote(text)),
            made.manager_ip + "|" + made.token.value + "|" + made.instance_id + "|" + made.binary_url);
}

}  // namespace
}  // namespace drover

// tools/cloud-init/agent.sh, part by part, in a folder instead of a machine: programs that would change a
// machine (systemctl, apt-get, ip, …) are scripts that only say what they were called with.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include "paths.hpp"

namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

struct Outcome {
  int code = -1;
  std::string out;  // both streams
};

class CloudInit : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "drover-init-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    root_ = folder_ / "root";
    fs::create_directories(root_);
    for (const char* name : {"systemctl", "apt-get", "useradd", "mount", "umount", "chown"})
      stub(name, "echo \"" + std::string(name) + " $*\" >>\"$LOG\"");
    stub("ip", "echo '10.0.0.1 via 10.0.0.254 dev eth0 src 10.0.0.7 uid 0 \\    cache'");
    // Never root, so that no file changes its owner.
    stub("id", "case $1 in -u) echo 1000 ;; *) exit 1 ;; esac");
    stub("sleep", ":");
    for (const char* name : {"mariadbd", "mariadb", "mariadb-dump", "mariadb-backup", "mariadb-install-db"})
      stub(name, ":");
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  void write(const fs::path& path, const std::string& text, bool program = false) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    if (program) fs::permissions(path, fs::perms::owner_all);
  }
  void stub(const std::string& name, const std::string& body) {
    write(folder_ / "bin" / name, "#!/bin/sh\n" + body + "\n", true);
  }
  std::string read(const fs::path& path) const {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  unsigned mode(const std::string& path) const {
    struct stat found {};
    EXPECT_EQ(::stat((root_ / path).c_str(), &found), 0) << path;
    return found.st_mode & 07777U;
  }
  std::string log() const { return read(folder_ / "log"); }

  // Runs `body` behind the functions of the script.
  Outcome run(const std::string& body, const std::string& values = {}) {
    const std::string script =
        "LOG='" + (folder_ / "log").string() + "'; export LOG\nPATH='" + (folder_ / "bin").string() +
        "':/usr/bin:/bin\nDROVER_ROOT='" + root_.string() +
        "'\nDROVER_MANAGER_IP=10.0.0.1\nDROVER_TOKEN=abc123\nDROVER_ATTEMPTS=3\n"
        "DROVER_SOURCED=1\n" +
        values + "\n. '" DROVER_SOURCE_DIR "/tools/cloud-init/agent.sh'\n" + body + "\n";
    write(folder_ / "script", script);
    FILE* const pipe = ::popen(("sh '" + (folder_ / "script").string() + "' 2>&1").c_str(), "r");
    Outcome outcome;
    char buffer[4096];
    while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, pipe))
      outcome.out.append(buffer, size);
    outcome.code = WEXITSTATUS(::pclose(pipe));
    return outcome;
  }
  void put_drover(const std::string& path = "usr/local/bin/drover") {
    write(root_ / path, "#!/bin/sh\necho drover 0.1.0\n", true);
  }

  fs::path folder_, root_;
};

TEST_F(CloudInit, MakesANodeFromBeginningToEnd) {
  put_drover();
  const Outcome outcome = run("drover_main", "DROVER_INSTANCE_ID=i-1");
  ASSERT_EQ(outcome.code, 0) << outcome.out;
  EXPECT_EQ(
      read(root_ / "etc/drover/agent.yaml"),
      "id: \"i-1\"\nlisten: \"10.0.0.7:60000\"\nmysqld_port: 3306\ndir: \"/var/lib/drover/node\"\n"
      "manager: \"http://10.0.0.1:50000\"\ntoken_file: \"/etc/drover/agent.token\"\nbuffer_pool_mb: 128\n");
  EXPECT_EQ(read(root_ / "etc/drover/agent.token"), "abc123\n");
  EXPECT_EQ(mode("etc/drover/agent.token"), 0600U);
  EXPECT_EQ(mode("etc/drover/agent.yaml"), 0644U);
  const std::string unit = read(root_ / "etc/systemd/system/drover-agent.service");
  EXPECT_THAT(unit, HasSubstr("ExecStart=/usr/local/bin/drover agent --config /etc/drover/agent.yaml\n"));
  EXPECT_THAT(unit, HasSubstr("KillMode=process\n"));
  EXPECT_THAT(log(), HasSubstr("systemctl daemon-reload\nsystemctl enable drover-agent.service\n"
                               "systemctl restart drover-agent.service\n"));
  EXPECT_THAT(log(), Not(HasSubstr("apt-get"))) << "everything was there";
  EXPECT_THAT(outcome.out, Not(HasSubstr("abc123"))) << "the token is in no log";
  EXPECT_EQ(run("drover_main", "DROVER_INSTANCE_ID=i-1").code, 0) << "and may run again";
}

TEST_F(CloudInit, FindsOutWhatItsCloudCallsIt) {
  EXPECT_NE(run("drover_instance_id").code, 0) << "nothing tells";
  write(root_ / "var/lib/cloud/data/instance-id", "i-0abc\n");
  EXPECT_EQ(run("drover_instance_id").out, "i-0abc\n");
  write(root_ / "var/lib/cloud/data/instance-id", "iid-dsopennebula\n");
  EXPECT_NE(run("drover_instance_id").code, 0) << "this is what cloud-init makes up on OpenNebula";
  write(root_ / "run/one-context/one_env", "export NAME=\"x\"\nexport VMID=\"42\"\n");
  EXPECT_EQ(run("drover_instance_id").out, "42\n");
  EXPECT_EQ(run("drover_instance_id", "DROVER_INSTANCE_ID=mine").out, "mine\n");
  fs::remove_all(root_ / "run");
  write(root_ / "mnt/context/context.sh", "# Context variables\nETH0_IP='10.0.0.7'\nVMID='43'\n");
  EXPECT_EQ(run("drover_instance_id").out, "43\n");
  write(root_ / "mnt/context/context.sh", "VMID='$(echo 44)'\n");
  EXPECT_NE(run("drover_instance_id").code, 0) << "that is no id";
}

TEST_F(CloudInit, MountsTheContextDisk) {
  write(root_ / "dev/disk/by-label/CONTEXT", "");
  stub("mount", "echo \"VMID='7'\" >\"$4/context.sh\"");
  stub("umount", "rm \"$1/context.sh\"");
  const Outcome outcome = run("drover_instance_id");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "7\n");
}

TEST_F(CloudInit, InstallsWhatIsMissing) {
  fs::remove(folder_ / "bin/mariadb-backup");
  const Outcome outcome = run("PATH=" + (folder_ / "bin").string() +
                              "\ndrover_has mariadb-backup || "
                              "drover_install_once $DROVER_PACKAGES");
  ASSERT_EQ(outcome.code, 0) << outcome.out;
  EXPECT_THAT(log(), HasSubstr("apt-get -qq update\n"));
  EXPECT_THAT(log(), HasSubstr("install mariadb-server-core mariadb-client mariadb-backup\n"));
}

TEST_F(CloudInit, TriesAgainWhatNeedsTheNetworkAndThenGivesUp) {
  stub("flaky", "echo x >>\"$LOG\"; [ \"$(wc -l <\"$LOG\")\" -ge 3 ]");
  EXPECT_EQ(run("drover_again flaky").code, 0);
  fs::remove(folder_ / "log");
  EXPECT_NE(run("drover_again flaky", "DROVER_ATTEMPTS=2").code, 0);
}

TEST_F(CloudInit, StopsAServiceThatWouldHoldThePort) {
  stub(
      "systemctl",
      "echo \"systemctl $*\" >>\"$LOG\"; case $1 in list-unit-files) echo 'mariadb.service enabled' ;; esac");
  ASSERT_EQ(run("drover_install_mariadb").code, 0);
  EXPECT_THAT(log(), HasSubstr("systemctl disable --now mariadb.service\n"));
}

TEST_F(CloudInit, FindsTheBinaryOfTheImage) {
  const Outcome none = run("drover_install_binary");
  EXPECT_NE(none.code, 0);
  EXPECT_THAT(none.out, HasSubstr("the image has no drover"));
  put_drover("opt/drover/bin/drover");
  EXPECT_EQ(run("drover_install_binary; echo $DROVER_BINARY").out, "/opt/drover/bin/drover\n");
}

TEST_F(CloudInit, FetchesTheBinaryOnlyWithTheRightSum) {
  const std::string program = "#!/bin/sh\necho fetched\n";
  write(folder_ / "program", program);
  stub("curl",
       "while [ $# -gt 2 ]; do [ \"$1\" = -o ] && out=$2; shift; done; echo \"curl $2\" >>\"$LOG\"; "
       "cp '" +
           (folder_ / "program").string() + "' \"$out\"");
  const std::string url = "DROVER_BINARY_URL=https://example.org/drover\n";
  EXPECT_THAT(run("drover_install_binary", url).out, HasSubstr("DROVER_BINARY_SHA256")) << "a sum is needed";
  const Outcome wrong = run("drover_install_binary", url + "DROVER_BINARY_SHA256=" + std::string(64, '0'));
  EXPECT_NE(wrong.code, 0);
  EXPECT_THAT(wrong.out, HasSubstr("another SHA-256"));
  EXPECT_FALSE(fs::exists(root_ / "usr/local/bin/drover"));
  EXPECT_FALSE(fs::exists(root_ / "usr/local/bin/drover.part"));
  const std::string sum =
      run("sha256sum '" + (folder_ / "program").string() + "' | cut -d ' ' -f 1").out.substr(0, 64);
  const std::string right = url + "DROVER_BINARY_SHA256=" + sum;
  ASSERT_EQ(run("drover_install_binary", right).code, 0);
  EXPECT_EQ(read(root_ / "usr/local/bin/drover"), program);
  EXPECT_EQ(mode("usr/local/bin/drover"), 0755U);
  fs::remove(folder_ / "log");
  ASSERT_EQ(run("drover_install_binary", right).code, 0);
  EXPECT_FALSE(fs::exists(folder_ / "log")) << "it is there already, and is not fetched again";
}

TEST_F(CloudInit, RefusesValuesThatMakeNoSense) {
  put_drover();
  for (const char* values :
       {"DROVER_MANAGER_IP=", "DROVER_MANAGER_IP='10.0.0.1\"'", "DROVER_MANAGER_IP='a b'", "DROVER_TOKEN=",
        "DROVER_TOKEN='a\tb'", "DROVER_TOKEN='a\n'", "DROVER_TOKEN='a\nb'", "DROVER_MANAGER_PORT=http",
        "DROVER_MYSQLD_PORT='3306\nx: y'", "DROVER_BUFFER_POOL_MB=-1", "DROVER_INSTANCE_ID='i-1\"'"}) {
    const Outcome outcome = run("drover_main", std::string("DROVER_INSTANCE_ID=i-1\n") + values);
    EXPECT_NE(outcome.code, 0) << values;
    EXPECT_FALSE(fs::exists(root_ / "etc/drover/agent.yaml")) << values;
  }
}

TEST_F(CloudInit, TakesAnyTokenOfOneLine) {
  put_drover();
  ASSERT_EQ(run("drover_main", "DROVER_INSTANCE_ID=i-1\nDROVER_TOKEN='it is $HOME, %s \"quoted\" \\n'").code,
            0);
  EXPECT_EQ(read(root_ / "etc/drover/agent.token"), "it is $HOME, %s \"quoted\" \\n\n");
}

TEST_F(CloudInit, WritesIPv6AddressesInBrackets) {
  ASSERT_EQ(run("drover_write_config i-1 10.0.0.7", "DROVER_MANAGER_IP=fd00::1").code, 0);
  EXPECT_THAT(read(root_ / "etc/drover/agent.yaml"), HasSubstr("manager: \"http://[fd00::1]:50000\"\n"));
}

}  // namespace

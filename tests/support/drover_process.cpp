#include "tests/support/drover_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <fstream>
#include <sstream>
#include "paths.hpp"

namespace drover::testing_support {
namespace {

using nlohmann::json;

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

int exit_code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

}  // namespace

ScratchFolder::ScratchFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "drover-test-XXXXXX").string();
  if (::mkdtemp(name.data()) != nullptr) folder_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

std::string ScratchFolder::write(const std::string& name, const std::string& content) const {
  std::ofstream(path(name), std::ios::binary) << content;
  return path(name);
}

DroverProcess::DroverProcess(const std::vector<std::string>& arguments) {
  std::string binary = DROVER_BINARY;
  std::vector<std::string> words = arguments;
  std::vector<char*> raw{binary.data()};
  for (std::string& word : words) raw.push_back(word.data());
  raw.push_back(nullptr);
  const std::string out_path = folder_.path("out");
  const std::string err_path = folder_.path("err");
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC;
  ::dup2(::open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
  ::dup2(::open(out_path.c_str(), kFlags | O_CLOEXEC, 0600), STDOUT_FILENO);
  ::dup2(::open(err_path.c_str(), kFlags | O_CLOEXEC, 0600), STDERR_FILENO);
  ::execv(binary.c_str(), raw.data());
  ::_exit(127);
}

DroverProcess::~DroverProcess() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  ::waitpid(pid_, &status, 0);
}

std::uint16_t DroverProcess::wait_until_listening() {
  constexpr std::string_view kSign = "listening on http://127.0.0.1:";
  const auto announced = [&] {
    const bool over = !running();
    const std::string text = err();
    const auto at = text.find(kSign);
    if (at == std::string::npos || text.find('\n', at) == std::string::npos) return over;
    const char* begin = text.data() + at + kSign.size();
    std::from_chars(begin, text.data() + text.size(), port_);
    return true;
  };
  (void)eventually(announced);
  return port_;
}

void DroverProcess::send_signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

bool DroverProcess::running() {
  if (pid_ <= 0) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  pid_ = -1;
  status_ = exit_code_of(status);
  return false;
}

int DroverProcess::wait(std::chrono::seconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (running() && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  return pid_ > 0 ? -1 : status_;
}

std::string DroverProcess::out() const { return read_text(folder_.path("out")); }
std::string DroverProcess::err() const { return read_text(folder_.path("err")); }

std::size_t DroverProcess::resident_mib() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  std::string word;
  std::size_t kib = 0;
  while (status >> word)
    if (word == "VmRSS:") status >> kib;
  return kib / 1024;
}

Outcome run_drover(const std::vector<std::string>& arguments) {
  DroverProcess process(arguments);
  Outcome outcome;
  outcome.exit_code = process.wait();
  outcome.out = process.out();
  outcome.err = process.err();
  return outcome;
}

json call_api(std::uint16_t port, const std::string& verb, const std::string& method, const json& params) {
  HttpClient client(port);
  std::string request;
  if (verb == "GET") {
    std::string encoded;
    for (const unsigned char c : params.dump()) {
      constexpr char kDigits[] = "0123456789ABCDEF";
      encoded += {'%', kDigits[c >> 4U], kDigits[c & 15U]};
    }
    request = get_request("method=" + method + "&id=1&params=" + encoded);
  } else {
    request = post_request(json{{"method", method}, {"params", params}, {"id", 1}}.dump());
  }
  client.send(request);
  const HttpAnswer answer = client.read_answer(false, kPatience);
  const json envelope = json::parse(answer.body, nullptr, false);
  return envelope.is_object() ? envelope : json();
}

bool settles_with_nodes(std::uint16_t port, std::size_t count) {
  return eventually([&] {
    const json topology = call_api(port, "GET", "get_topology");
    if (!topology.contains("result") || topology["result"]["state"] != "RUNNING") return false;
    const json& nodes = topology["result"]["nodes"];
    const auto up = [](const json& node) { return node["state"] == "RUNNING"; };
    return nodes.size() == count && std::all_of(nodes.begin(), nodes.end(), up);
  });
}

}  // namespace drover::testing_support

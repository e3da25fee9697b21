#include "tools/drover/ini_config.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

namespace drover::tools {
namespace {

constexpr std::size_t kLinesMax = 10'000;

struct Entry {
  std::string value;
  std::size_t line = 0;
};
using Section = std::map<std::string, Entry>;  // keys in capitals
using File = std::map<std::string, Section>;   // names in lower case

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

std::string changed(std::string_view text, char first, char last, int by) {
  std::string result(text);
  for (char& c : result)
    if (c >= first && c <= last) c = static_cast<char>(c + by);
  return result;
}
std::string upper(std::string_view text) { return changed(text, 'a', 'z', 'A' - 'a'); }
std::string lower(std::string_view text) { return changed(text, 'A', 'Z', 'a' - 'A'); }

// Reading, and collecting what is wrong with it.
class Reader {
 public:
  explicit Reader(std::string path) : path_(std::move(path)) {}

  void complain(std::size_t line, const std::string& message) {
    if (!problems_.empty()) problems_ += '\n';
    problems_ += path_ + ":" + std::to_string(line) + ": " + message;
  }
  const std::string& problems() const { return problems_; }

  File read(std::string_view text) {
    File file;
    Section* section = nullptr;
    Entry* last = nullptr;
    for (std::size_t line = 1; !text.empty() && line <= kLinesMax; ++line) {
      const auto end = text.find('\n');
      const std::string_view whole = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      const std::string_view content = trimmed(whole);
      if (content.empty() || content.front() == '#' || content.front() == ';') continue;
      if (content.front() == '[') {
        last = nullptr;
        if (content.back() != ']' || content.size() < 3) {
          complain(line, "a section is [name]");
          continue;
        }
        section = &file[lower(trimmed(content.substr(1, content.size() - 2)))];
      } else if (whole.front() == ' ' || whole.front() == '\t') {
        // The value of the line before goes on.
        if (last == nullptr)
          complain(line, "an indented line continues a value, and there is none above it");
        else
          last->value += '\n' + std::string(content);
      } else {
        last = read_key(content, line, section);
      }
    }
    return file;
  }

 private:
  Entry* read_key(std::string_view content, std::size_t line, Section* section) {
    const auto equals = content.find_first_of("=:");
    if (equals == std::string_view::npos || equals == 0 || section == nullptr) {
      complain(line, section == nullptr ? "a key comes after a [section]" : "a key is NAME = value");
      return nullptr;
    }
    Entry& entry = (*section)[upper(trimmed(content.substr(0, equals)))];
    if (entry.line != 0)
      complain(line, "the key is given twice, first in line " + std::to_string(entry.line));
    entry = {std::string(trimmed(content.substr(equals + 1))), line};
    return &entry;
  }

  std::string path_;
  std::string problems_;
};

// From the original's keys to drover's. A key that is used is taken out; what stays is unknown.
class Translation {
 public:
  Translation(File file, Reader& reader, IniConfig& to) : file_(std::move(file)), reader_(reader), to_(to) {}

  void run() {
    driver();
    manager();
    agent_template();
    for (const auto& [name, section] : file_)
      for (const auto& [key, entry] : section)
        reader_.complain(entry.line, "[" + name + "] " + key + " is unknown here");
  }

 private:
  std::optional<Entry> take(const char* section, const std::string& key) {
    const auto found = file_.find(section);
    if (found == file_.end()) return std::nullopt;
    const auto entry = found->second.find(key);
    if (entry == found->second.end()) return std::nullopt;
    Entry taken = std::move(entry->second);
    found->second.erase(entry);
    if (taken.value.empty()) return std::nullopt;
    return taken;
  }
  // A key of [iaas], with or without the driver's prefix.
  std::optional<Entry> iaas(const std::string& key) {
    auto plain = take("iaas", key);
    auto prefixed = take("iaas", prefix_ + key);
    return prefixed ? prefixed : plain;
  }
  void put(const char* section, const char* key, const std::optional<Entry>& entry) {
    if (entry) to_.document[section][key] = entry->value;
  }
  void note(const std::optional<Entry>& entry, const std::string& text) {
    if (entry) to_.notes.push_back(text);
  }
  void required(const std::optional<Entry>& entry, const std::string& key, std::size_t line) {
    if (!entry) reader_.complain(line, "[iaas] " + prefix_ + key + " is missing");
  }

  void driver() {
    const auto chosen = take("iaas", "DRIVER");
    if (!chosen) {
      reader_.complain(1, "[iaas] DRIVER is missing; it takes EC2, OPENNEBULA_XMLRPC or OPENSTACK");
      return;
    }
    const std::string name = upper(chosen->value);
    if (name == "EC2")
      ec2(chosen->line);
    else if (name == "OPENNEBULA_XMLRPC" || name == "OPENNEBULA")
      opennebula(chosen->line);
    else if (name == "OPENSTACK")
      openstack(chosen->line);
    else if (name == "OPENNEBULA_DUMMY" || name == "DUMMY")
      dummy();
    else
      reader_.complain(chosen->line,
                       "[iaas] DRIVER takes EC2, OPENNEBULA_XMLRPC, OPENSTACK or OPENNEBULA_DUMMY");
  }

  void ec2(std::size_t line) {
    prefix_ = "EC2_";
    to_.document["cloud"] = "ec2";
    const auto user = iaas("USER"), password = iaas("PASSWORD"), image = iaas("IMAGE_ID"),
               size = iaas("SIZE_ID");
    required(user, "USER", line);
    required(password, "PASSWORD", line);
    required(image, "IMAGE_ID", line);
    put("ec2", "access_key", user);
    put("ec2", "image", image);
    put("ec2", "size", size);
    put("ec2", "key_name", iaas("KEY_NAME"));
    put("ec2", "endpoint", iaas("URL"));
    if (const auto group = iaas("SECURITY_GROUP_NAME"))
      to_.document["ec2"]["security_groups"] = nlohmann::json::array({group->value});
    if (auto region = iaas("REGION")) {
      // Later versions name the host of the endpoint: ec2.us-east-1.amazonaws.com.
      std::string text = region->value;
      if (text.starts_with("ec2.")) text = text.substr(4, text.find('.', 4) - 4);
      to_.document["ec2"]["region"] = text;
    }
    if (password) to_.password.value = password->value;
  }

  void opennebula(std::size_t line) {
    prefix_ = "OPENNEBULA_";
    to_.document["cloud"] = "opennebula";
    const auto xmlrpc = iaas("XMLRPC"), url = iaas("URL"), user = iaas("USER"), password = iaas("PASSWORD");
    required(xmlrpc ? xmlrpc : url, "URL", line);
    required(user, "USER", line);
    required(password, "PASSWORD", line);
    put("opennebula", "url", xmlrpc ? xmlrpc : url);
    put("opennebula", "user", user);
    put("opennebula", "image", iaas("IMAGE_ID"));
    const auto network = iaas("NETWORK_ID"), net = iaas("NET_ID");
    put("opennebula", "network", network ? network : net);
    if (password) to_.password.value = password->value;
    for (const char* key : {"SIZE_ID", "INST_TYPE"})
      note(iaas(key), std::string(key) + ": CPU and MEM_SIZE of [onevm_agent_template] decide");
    for (const char* key :
         {"NETWORK_GATEWAY", "NETWORK_NAMESERVER", "NET_GATEWAY", "NET_NETMASK", "NET_NAMESERVER"})
      note(iaas(key), std::string(key) + ": the virtual network's own settings decide, and CONTEXT");
  }

  void openstack(std::size_t line) {
    prefix_ = "OPENSTACK_";
    to_.document["cloud"] = "openstack";
    const auto url = iaas("URL"), user = iaas("USER"), password = iaas("PASSWORD");
    required(url, "URL", line);
    required(user, "USER", line);
    required(password, "PASSWORD", line);
    put("openstack", "auth_url", url);
    put("openstack", "user", user);
    put("openstack", "project", iaas("PROJECT"));
    put("openstack", "region", iaas("REGION"));
    put("openstack", "image", iaas("IMAGE_ID"));
    put("openstack", "flavor", iaas("SIZE_ID"));
    put("openstack", "network", iaas("NETWORK_ID"));
    put("openstack", "key_name", iaas("KEY_NAME"));
    if (const auto group = iaas("SECURITY_GROUP_NAME"))
      to_.document["openstack"]["security_groups"] = nlohmann::json::array({group->value});
    if (password) to_.password.value = password->value;
  }

  void dummy() {
    to_.document["cloud"] = "mock";
    to_.notes.push_back("OPENNEBULA_DUMMY: the mock cloud takes its place");
    file_.erase("iaas");
  }

  void manager() {
    if (const auto timer = take("manager", "POLL_AGENTS_TIMER")) {
      unsigned seconds = 0;
      const char* end = timer->value.data() + timer->value.size();
      const auto [stop, error] = std::from_chars(timer->value.data(), end, seconds);
      if (error != std::errc() || stop != end || seconds == 0)
        reader_.complain(timer->line, "[manager] poll_agents_timer takes seconds such as 10");
      else
        to_.document["manager"]["poll_agents_timer"] = std::to_string(seconds) + "s";
    }
    note(take("manager", "FIND_EXISTING_AGENTS"),
         "find_existing_agents: drover always goes on with its journal");
    note(take("manager", "LOGFILE"), "logfile: drover writes to stderr; redirect it");
  }

  void agent_template() {
    const char* section = "onevm_agent_template";
    const bool used = to_.document.value("cloud", "") == "opennebula";
    const std::map<std::string, const char*> texts = {{"FILENAME", "template_file"},
                                                      {"USERDATA", "agent_script_file"},
                                                      {"OS", "os"},
                                                      {"DISK", "disk"},
                                                      {"CONTEXT", "context"}};
    for (const auto& [key, name] : texts) {
      const auto entry = take(section, key);
      if (used) put("opennebula", name, entry);
    }
    for (const auto& [key, name] :
         std::map<std::string, const char*>{{"IMAGE_ID", "image"}, {"NETWORK_ID", "network"}}) {
      // As in the original, these are what its VMs got; [iaas] repeats them.
      const auto entry = take(section, key);
      if (used) put("opennebula", name, entry);
    }
    number(take(section, "CPU"), "cpu", used);
    number(take(section, "MEM_SIZE"), "memory_mb", used);
    note(take(section, "NAME"), "NAME: VMs are called after service_id and their node");
  }
  void number(const std::optional<Entry>& entry, const char* name, bool used) {
    if (!entry || !used) return;
    const auto value = nlohmann::json::parse(entry->value, nullptr, false);
    if (value.is_number())
      to_.document["opennebula"][name] = value;
    else
      reader_.complain(entry->line, std::string(name) + " takes a number");
  }

  File file_;
  Reader& reader_;
  IniConfig& to_;
  std::string prefix_;
};

}  // namespace

bool is_ini_name(const std::string& path) {
  const std::string name = lower(path);
  for (const std::string_view ending : {".ini", ".cnf", ".cfg", ".conf"})
    if (name.ends_with(ending)) return true;
  return false;
}

Result<IniConfig> read_ini(const std::string& text, const std::string& path) {
  IniConfig config;
  config.document = nlohmann::json::object();
  Reader reader(path);
  File file = reader.read(text);
  if (!reader.problems().empty()) return make_error(ErrorCode::invalid, reader.problems());
  Translation(std::move(file), reader, config).run();
  if (!reader.problems().empty()) return make_error(ErrorCode::invalid, reader.problems());
  return config;
}

}  // namespace drover::tools

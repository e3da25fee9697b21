#include "mockcloud/wire/backend.hpp"

#include <charconv>

#include "manager/base/hash.hpp"
#include "manager/system/http_message.hpp"
#include "mockcloud/cloud/subject.hpp"

namespace drover::wire {
namespace {

constexpr std::size_t kSubjectMax = 64;

// The subject that a client of drover's names in its User-Agent, or "".
std::string_view told_subject(const http::Request& request) {
  constexpr std::string_view kMark = "subject/";
  const std::string_view agent = request.value("User-Agent");
  const auto at = agent.find(kMark);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = agent.substr(at + kMark.size());
  return rest.substr(0, std::min(rest.find(' '), kSubjectMax));
}

}  // namespace

Backend::Backend(cloud::Cloud& cloud, Iaas& calls, Scheduler& scheduler, Settings settings,
                 std::function<TimePoint()> wall)
    : cloud_(cloud),
      calls_(calls),
      scheduler_(scheduler),
      settings_(std::move(settings)),
      wall_(std::move(wall)) {}

const Account* Backend::account(std::string_view name) const {
  for (const Account& account : settings_.accounts)
    if (account.name == name) return &account;
  return nullptr;
}

TimePoint Backend::now() const { return scheduler_.now(); }

std::string Backend::subject(const http::Request& request, const cloud::Instance* vm,
                             std::string_view fallback) const {
  if (const auto told = told_subject(request); !told.empty()) return std::string(told);
  if (vm == nullptr) return std::string(fallback);
  return cloud::subject_of(vm->spec.name, vm->spec.tags);
}

std::string Backend::subject(const http::Request& request, const InstanceSpec& spec) const {
  if (const auto told = told_subject(request); !told.empty()) return std::string(told);
  return cloud::subject_of(spec.name, spec.tags);
}

void Backend::request(std::string_view subject, std::string_view site,
                      std::move_only_function<Result<void>()> effect, Handler<void> handler) {
  CallContext context;
  context.subject = subject;
  cloud_.perform_request(context, site, std::move(effect), std::move(handler));
}

const Backend::Documents& Backend::documents(std::string_view kind) const { return cloud_.documents(kind); }

const std::string* Backend::document(std::string_view kind, const std::string& id) const {
  const Documents& all = cloud_.documents(kind);
  const auto found = all.find(id);
  return found == all.end() ? nullptr : &found->second;
}

void Backend::put(std::string_view kind, const std::string& id, std::string text) {
  cloud_.put_document(kind, id, std::move(text));
}

void Backend::erase(std::string_view kind, const std::string& id) { cloud_.erase_document(kind, id); }

std::uint64_t Backend::next_number(std::string_view kind) {
  const std::string id(kind);
  std::uint64_t number = 0;
  if (const std::string* last = document("number", id); last != nullptr)
    std::from_chars(last->data(), last->data() + last->size(), number);
  put("number", id, std::to_string(++number));
  return number;
}

std::string Backend::token(std::string_view kind, std::size_t hex_digits) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  std::uint64_t state = mix(hash_text(kind, next_number(kind)), cloud_.seed());
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < hex_digits; ++i) {
    if (i % 16 == 0) word = state = mix(state, i + 1);
    text += kDigits[word & 15U];
    word >>= 4U;
  }
  return text;
}

}  // namespace drover::wire

// one.template.* and one.templatepool.*: templates are documents beside the cloud.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "mockcloud/wire/opennebula/allocation.hpp"

namespace drover::wire::opennebula {
namespace {

constexpr const char* kKind = "one_template";
constexpr std::size_t kTemplatesMax = 10'000;

std::string missing(std::int64_t id) {
  return "Error getting virtual machine template [" + std::to_string(id) + "].";
}

struct Stored {
  std::string name;
  std::int64_t registered = 0;
  one::Template body;
};

std::optional<Stored> stored(const Backend& backend, std::int64_t id) {
  const std::string* text = backend.document(kKind, std::to_string(id));
  if (text == nullptr) return std::nullopt;
  const auto value = nlohmann::json::parse(*text);
  Stored made;
  made.name = value.at("name").get<std::string>();
  made.registered = value.at("registered").get<std::int64_t>();
  made.body = template_from_json(value.at("body").get<std::string>());
  return made;
}

void store(Backend& backend, std::int64_t id, const Stored& what) {
  const nlohmann::json value{
      {"name", what.name}, {"registered", what.registered}, {"body", to_json(what.body)}};
  backend.put(kKind, std::to_string(id), value.dump());
}

// The ids, smallest first.
std::vector<std::int64_t> ids(const Backend& backend) {
  std::vector<std::int64_t> all;
  for (const auto& [key, text] : backend.documents(kKind)) {
    std::int64_t id = 0;
    std::from_chars(key.data(), key.data() + key.size(), id);
    all.push_back(id);
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::optional<std::int64_t> id_of(const Backend& backend, const std::string& name) {
  for (const std::int64_t id : ids(backend))
    if (stored(backend, id)->name == name) return id;
  return std::nullopt;
}

std::string template_element(const Backend& backend, std::int64_t id, const Stored& what) {
  return element("VMTEMPLATE", element("ID", id) + owner_elements(backend) + text_element("NAME", what.name) +
                                   kPermissions + element("REGTIME", what.registered) +
                                   element("TEMPLATE", one::write_xml(what.body)));
}

// What all of them do: a request that finds its template, or says that there is none.
template <class F>
void with_template(Backend& backend, Exchange exchange, F effect) {
  const std::int64_t id = exchange.number(0);
  const std::string subject = backend.subject(exchange.http, nullptr, "opennebula");
  perform(backend, std::move(exchange), subject,
          [&backend, id, effect = std::move(effect)](const Exchange& asked) {
            const auto found = stored(backend, id);
            if (!found) return refused(kNoExists, missing(id), id);
            return effect(asked, id, *found);
          });
}

Outcome check_name(const Backend& backend, const std::string& name) {
  if (name.empty()) return refused(kInternal, "No NAME in template for object.");
  if (const auto taken = id_of(backend, name))
    return refused(kInternal, "NAME is already taken by TEMPLATE " + std::to_string(*taken) + ".");
  return done(0);
}

void template_allocate(Backend& backend, Exchange exchange) {
  const std::string subject = backend.subject(exchange.http, nullptr, "opennebula");
  perform(backend, std::move(exchange), subject, [&backend](const Exchange& asked) {
    const auto parsed = one::parse_template(asked.text(0));
    if (!parsed) return refused(kInternal, parsed.error().message);
    if (backend.documents(kKind).size() >= kTemplatesMax)
      return refused(kAuthorization, "limit exceeded: 10000 templates (quota)");
    Stored made{one::value_of(parsed.value(), "NAME"), seconds_of(backend.now()), parsed.value()};
    one::drop(made.body, "NAME");
    const Outcome named = check_name(backend, made.name);
    if (named.failed) return named;
    const auto id = static_cast<std::int64_t>(backend.next_number(kKind)) - 1;
    store(backend, id, made);
    return done(id);
  });
}

void template_info(Backend& backend, Exchange exchange) {
  with_template(backend, std::move(exchange),
                [&backend](const Exchange&, std::int64_t id, const Stored& found) {
                  return done(template_element(backend, id, found));
                });
}

void template_delete(Backend& backend, Exchange exchange) {
  with_template(backend, std::move(exchange), [&backend](const Exchange&, std::int64_t id, const Stored&) {
    backend.erase(kKind, std::to_string(id));
    return done(id);
  });
}

void template_rename(Backend& backend, Exchange exchange) {
  with_template(backend, std::move(exchange),
                [&backend](const Exchange& asked, std::int64_t id, const Stored& found) {
                  if (asked.text(1) == found.name) return done(id);
                  const Outcome named = check_name(backend, asked.text(1));
                  if (named.failed) return named;
                  Stored changed = found;
                  changed.name = asked.text(1);
                  store(backend, id, changed);
                  return done(id);
                });
}

void template_update(Backend& backend, Exchange exchange) {
  with_template(backend, std::move(exchange),
                [&backend](const Exchange& asked, std::int64_t id, const Stored& found) {
                  const auto parsed = one::parse_template(asked.text(1));
                  if (!parsed) return refused(kInternal, "Cannot update template. " + parsed.error().message);
                  Stored changed = found;
                  if (asked.number(2, 0) != 1) changed.body.clear();
                  for (const one::Attribute& each : parsed.value()) one::drop(changed.body, each.name);
                  changed.body.insert(changed.body.end(), parsed.value().begin(), parsed.value().end());
                  one::drop(changed.body, "NAME");
                  store(backend, id, changed);
                  return done(id);
                });
}

void template_instantiate(Backend& backend, Exchange exchange) {
  const std::int64_t id = exchange.number(0);
  const auto found = stored(backend, id);
  if (!found) return fail(exchange, kNoExists, missing(id), id);
  one::Template body = found->body;
  const auto extra = one::parse_template(exchange.text(3));
  if (!extra) return fail(exchange, kInternal, extra.error().message);
  for (const one::Attribute& each : extra.value()) one::drop(body, each.name);
  body.insert(body.end(), extra.value().begin(), extra.value().end());
  if (const std::string name = exchange.text(1); !name.empty()) one::set(body, one::single("NAME", name));
  if (one::find(body, "NAME") == nullptr)
    one::set(body, one::single("NAME", found->name + "-" + std::to_string(backend.cloud().total_created())));
  const bool hold = exchange.truth(2);
  allocate(backend, std::move(exchange), body, hold, id);
}

void templatepool_info(Backend& backend, Exchange exchange) {
  const std::string subject = backend.subject(exchange.http, nullptr, "opennebula");
  perform(backend, std::move(exchange), subject, [&backend](const Exchange& asked) {
    const std::int64_t start = asked.number(1), end = asked.number(2);
    if (asked.number(0) < -4) return refused(kApi, "Incorrect filter_flag");
    std::string text;
    for (const std::int64_t id : ids(backend)) {
      if (end >= -1 && start != -1 && (id < start || (end != -1 && id > end))) continue;
      text += template_element(backend, id, *stored(backend, id));
    }
    return done(element("VMTEMPLATE_POOL", text));
  });
}

constexpr Method kMethods[] = {
    {"one.template.allocate", "s", template_allocate},
    {"one.template.instantiate", "i|sbsb", template_instantiate},
    {"one.template.info", "i|bb", template_info},
    {"one.template.delete", "i|b", template_delete},
    {"one.template.rename", "is", template_rename},
    {"one.template.update", "is|i", template_update},
    {"one.templatepool.info", "iii", templatepool_info},
};

}  // namespace

std::span<const Method> template_methods() { return kMethods; }

}  // namespace drover::wire::opennebula

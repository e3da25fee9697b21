// Tags of instances (the cloud's own) and of everything else (documents).
#include <algorithm>
#include <nlohmann/json.hpp>

#include "mockcloud/wire/ec2/call.hpp"

namespace drover::wire::ec2 {
namespace {

constexpr std::size_t kResourcesMax = 1000;

const char* type_of(std::string_view id) {
  struct Row {
    const char* prefix;
    const char* type;
  };
  for (const Row& row :
       {Row{"i-", "instance"}, Row{"vol-", "volume"}, Row{"sg-", "security-group"}, Row{"key-", "key-pair"},
        Row{"ami-", "image"}, Row{"subnet-", "subnet"}, Row{"vpc-", "vpc"}})
    if (id.starts_with(row.prefix)) return row.type;
  return "";
}

Answer<void> check_resources(const Call& call, const std::vector<std::string>& ids) {
  if (ids.empty()) return missing_parameter("ResourceId");
  if (ids.size() > kResourcesMax)
    return Fault{400, "InvalidParameterValue", "More than 1000 resources in one request.", {}};
  for (const std::string& id : ids) {
    if (id.starts_with("i-")) {
      DROVER_TRY(require_instance(call.backend, id));
    } else if (*type_of(id) == '\0') {
      return Fault{400, "InvalidID", "The ID '" + id.substr(0, 100) + "' is not valid", {}};
    }
  }
  return success();
}

void set(Tags& tags, const std::string& key, const std::string& value) {
  for (auto& [known, old] : tags)
    if (known == key) {
      old = value;
      return;
    }
  tags.emplace_back(key, value);
}

// The change of one instance's tags; the Name tag is its name.
Answer<void> change_instance(Call& call, const std::string& id,
                             const std::function<void(Tags&, std::string& name)>& change) {
  const cloud::Instance* vm = call.cloud().instance(id);
  Tags tags = vm->spec.tags;
  std::string name = vm->spec.name;
  change(tags, name);
  if (tags.size() > 50) return Fault{400, "TagLimitExceeded", "More than 50 tags for one resource.", {}};
  if (name.empty()) name = std::string(kUnnamed) + std::to_string(vm->number);
  if (name != vm->spec.name) {
    const auto renamed = call.cloud().rename(id, name);
    if (renamed.has_error()) return fault_of(renamed.error());
  }
  const auto changed = call.cloud().set_tags(id, std::move(tags));
  if (changed.has_error()) return fault_of(changed.error());
  return success();
}

void create_tags(const CallPtr& call) {
  const auto ids = call->query.list("ResourceId");
  const auto known = check_resources(*call, ids);
  if (known.has_error()) return call->fail(known.error());
  auto tags = call->query.tags("Tag");
  if (tags.has_error()) return call->fail(tags.error());
  if (tags.value().empty()) return call->fail(missing_parameter("Tag"));
  call->perform(
      "ec2.CreateTags", call->backend.subject(call->request, nullptr, ids.front()),
      [ids, added = tags.value()](Call& self) -> Answer<void> {
        for (const std::string& id : ids) {
          if (!id.starts_with("i-")) {
            Tags all = resource_tags(self.backend, id);
            for (const auto& [key, value] : added) set(all, key, value);
            set_resource_tags(self.backend, id, all);
            continue;
          }
          DROVER_TRY(change_instance(self, id, [&](Tags& all, std::string& name) {
            for (const auto& [key, value] : added) {
              if (key == "Name")
                name = value;
              else
                set(all, key, value);
            }
          }));
        }
        return success();
      },
      [](XmlWriter& xml) { xml.flag("return", true); });
}

void delete_tags(const CallPtr& call) {
  const auto ids = call->query.list("ResourceId");
  const auto known = check_resources(*call, ids);
  if (known.has_error()) return call->fail(known.error());
  // A tag without a value goes whatever its value is; no tag at all means all of them.
  struct Wanted {
    std::string key;
    std::optional<std::string> value;
  };
  std::vector<Wanted> wanted;
  for (const unsigned number : call->query.numbers("Tag")) {
    const std::string one = "Tag." + std::to_string(number);
    const std::string* value = call->query.find(one + ".Value");
    wanted.push_back(
        {call->query.value(one + ".Key"), value == nullptr ? std::nullopt : std::optional(*value)});
  }
  const auto goes = [wanted](const std::string& key, const std::string& value) {
    return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), [&](const Wanted& each) {
             return each.key == key && (!each.value || *each.value == value);
           });
  };
  call->perform(
      "ec2.DeleteTags", call->backend.subject(call->request, nullptr, ids.front()),
      [ids, goes](Call& self) -> Answer<void> {
        for (const std::string& id : ids) {
          if (!id.starts_with("i-")) {
            Tags all = resource_tags(self.backend, id);
            std::erase_if(all, [&](const auto& tag) { return goes(tag.first, tag.second); });
            set_resource_tags(self.backend, id, all);
            continue;
          }
          DROVER_TRY(change_instance(self, id, [&](Tags& all, std::string& name) {
            std::erase_if(all, [&](const auto& tag) { return goes(tag.first, tag.second); });
            if (goes("Name", name)) name.clear();
          }));
        }
        return success();
      },
      [](XmlWriter& xml) { xml.flag("return", true); });
}

struct Row {
  std::string id;
  std::string key;
  std::string value;
};

bool passes(const std::vector<Filter>& filters, const Row& row) {
  return std::all_of(filters.begin(), filters.end(), [&](const Filter& filter) {
    if (filter.name == "resource-id") return filter.matches(row.id);
    if (filter.name == "resource-type") return filter.matches(type_of(row.id));
    if (filter.name == "key") return filter.matches(row.key);
    if (filter.name == "value") return filter.matches(row.value);
    if (filter.name.starts_with("tag:")) return row.key == filter.name.substr(4) && filter.matches(row.value);
    return false;
  });
}

void describe_tags(const CallPtr& call) {
  auto filters = call->query.filters();
  if (filters.has_error()) return call->fail(filters.error());
  call->perform(
      "ec2.DescribeTags", call->backend.subject(call->request, nullptr),
      [](Call&) -> Answer<void> { return success(); },
      [call, wanted = filters.value()](XmlWriter& xml) {
        const auto show = [&](const std::string& id, const Tags& tags) {
          for (const auto& [key, value] : tags) {
            if (!passes(wanted, {id, key, value})) continue;
            xml.element("item", [&] {
              xml.text("resourceId", id);
              xml.text("resourceType", type_of(id));
              xml.text("key", key);
              xml.text("value", value);
            });
          }
        };
        xml.element("tagSet", [&] {
          call->cloud().for_each_instance([&](const cloud::Instance& vm) {
            if (require_instance(call->backend, vm.id).has_value())
              show(vm.id, shown_tags(call->cloud().info(vm)));
          });
          for (const auto& [id, text] : call->backend.documents("ec2.tags"))
            show(id, resource_tags(call->backend, id));
        });
      });
}

constexpr Action kActions[] = {
    {"CreateTags", create_tags}, {"DeleteTags", delete_tags}, {"DescribeTags", describe_tags}};

}  // namespace

std::span<const Action> tag_actions() { return kActions; }

Tags resource_tags(const Backend& backend, const std::string& id) {
  Tags tags;
  const std::string* text = backend.document("ec2.tags", id);
  if (text == nullptr) return tags;
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_object()) return tags;
  for (const auto& [key, value] : json.items())
    if (value.is_string()) tags.emplace_back(key, value.get<std::string>());
  return tags;
}

void set_resource_tags(Backend& backend, const std::string& id, const Tags& tags) {
  if (tags.empty()) return backend.erase("ec2.tags", id);
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [key, value] : tags) json[key] = value;
  backend.put("ec2.tags", id, json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::optional<bool> passes_tag_filter(const Filter& filter, const Tags& tags) {
  const bool keys = filter.name == "tag-key", values = filter.name == "tag-value";
  const bool one = filter.name.starts_with("tag:");
  if (!keys && !values && !one) return std::nullopt;
  const std::string wanted = one ? filter.name.substr(4) : std::string();
  return std::any_of(tags.begin(), tags.end(), [&](const auto& tag) {
    if (keys) return filter.matches(tag.first);
    if (values) return filter.matches(tag.second);
    return tag.first == wanted && filter.matches(tag.second);
  });
}

}  // namespace drover::wire::ec2

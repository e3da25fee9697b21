// Listings of instances: filters, pages, and answers of any length.
#include <algorithm>

#include "manager/system/digest.hpp"
#include "mockcloud/wire/ec2/call.hpp"

namespace drover::wire::ec2 {
namespace {

constexpr Duration kInitializing{60s};  // until the status checks have passed

struct View {
  InstanceInfo info;
  const cloud::Instance* vm;
  Extras extras;
};

using Get = std::string (*)(const Backend& backend, const View& view);
struct FilterRow {
  std::string_view name;
  Get get;
};

constexpr FilterRow kFilters[] = {
    {"instance-id", [](const Backend&, const View& v) { return v.vm->id; }},
    {"instance-state-name",
     [](const Backend&, const View& v) { return std::string(state_of(v.info.state).name); }},
    {"instance-state-code",
     [](const Backend&, const View& v) { return std::to_string(state_of(v.info.state).code); }},
    {"image-id", [](const Backend&, const View& v) { return v.info.image; }},
    {"instance-type", [](const Backend&, const View& v) { return v.info.size; }},
    {"key-name", [](const Backend&, const View& v) { return v.extras.key_name; }},
    {"client-token",
     [](const Backend&, const View& v) { return v.vm->token.substr(0, v.vm->token.find('/')); }},
    {"reservation-id", [](const Backend&, const View& v) { return reservation_of(*v.vm, v.extras); }},
    {"owner-id", [](const Backend& b, const View&) { return b.settings().owner_id; }},
    {"private-ip-address", [](const Backend&, const View& v) { return v.info.address; }},
    {"network-interface.addresses.private-ip-address",
     [](const Backend&, const View& v) { return v.info.address; }},
    {"ip-address", [](const Backend&, const View& v) { return v.info.address; }},
    {"subnet-id", [](const Backend&, const View& v) { return v.vm->spec.network.str(); }},
    {"vpc-id", [](const Backend& b, const View&) { return vpc_id(b); }},
    {"availability-zone", [](const Backend& b, const View& v) { return zone_shown(b, v.vm->zone); }},
    {"launch-time", [](const Backend&, const View& v) { return to_iso8601(v.info.created_at, true); }},
    {"launch-index", [](const Backend&, const View& v) { return std::to_string(v.extras.index); }},
    {"architecture", [](const Backend&, const View&) { return std::string("x86_64"); }},
    {"hypervisor", [](const Backend&, const View&) { return std::string("xen"); }},
    {"virtualization-type", [](const Backend&, const View&) { return std::string("hvm"); }},
    {"root-device-type", [](const Backend&, const View&) { return std::string("ebs"); }},
    {"tenancy", [](const Backend&, const View&) { return std::string("default"); }},
    {"monitoring-state", [](const Backend&, const View&) { return std::string("disabled"); }},
    {"instance-lifecycle", [](const Backend&, const View&) { return std::string(); }},
};

Answer<bool> passes(const Backend& backend, const std::vector<Filter>& filters, const View& view) {
  for (const Filter& filter : filters) {
    if (const auto tagged = passes_tag_filter(filter, shown_tags(view.info))) {
      if (!*tagged) return false;
      continue;
    }
    if (filter.name == "instance.group-id" || filter.name == "group-id" ||
        filter.name == "instance.group-name" || filter.name == "group-name") {
      std::vector<std::string> texts = view.extras.groups;
      if (texts.empty()) texts.emplace_back(kDefaultGroup);
      if (filter.name.ends_with("name"))
        for (std::string& id : texts) id = group_name(backend, id);
      if (!filter.matches_any(texts)) return false;
      continue;
    }
    const auto* row = std::find_if(std::begin(kFilters), std::end(kFilters),
                                   [&](const FilterRow& each) { return each.name == filter.name; });
    if (row == std::end(kFilters))
      return Fault{
          400, "InvalidParameterValue", "The filter '" + filter.name.substr(0, 100) + "' is invalid", {}};
    if (!filter.matches(row->get(backend, view))) return false;
  }
  return true;
}

// A filter that does not exist is an error although nothing may be there to be filtered.
Answer<void> check_filters(const Backend& backend, const std::vector<Filter>& filters) {
  static const cloud::Instance nobody{};
  for (const Filter& filter : filters) {
    DROVER_TRY(passes(backend, {filter}, View{InstanceInfo{}, &nobody, Extras{}}));
  }
  return success();
}

struct Page {
  std::size_t size = 0;  // 0: everything
  std::uint64_t after = 0;
};

Answer<Page> read_page(const Call& call, bool by_id) {
  Page page;
  DROVER_TRY(const auto size, call.query.number("MaxResults", 5, 1000));
  if (size && by_id)
    return Fault{400,
                 "InvalidParameterCombination",
                 "The parameter instancesSet cannot be used with the parameter maxResults",
                 {}};
  if (size) page.size = static_cast<std::size_t>(*size);
  if (const std::string token = call.query.value("NextToken"); !token.empty()) {
    DROVER_TRY(page.after, parse_page_token(token));
    if (page.size == 0) page.size = 1000;
  }
  return page;
}

// What a listing shows of one page: those that pass, and the token of the next page.
struct Listing {
  cloud::Snapshot all;
  std::vector<std::uint32_t> rows;  // of `all`
  std::string next;
};

// Overwrites `view`, so that a walk over many takes memory for one.
void look(const Backend& backend, const cloud::Snapshot& all, std::size_t row, View& view) {
  all.tell(row, view.info);
  view.vm = backend.cloud().instance(view.info.id);
  view.extras = read_extras(view.vm->spec.extras);
}

Answer<Listing> choose(const Backend& backend, cloud::Snapshot all, const std::vector<Filter>& filters,
                       const Page& page) {
  Listing listing;
  View view{};
  std::uint32_t last = 0;
  for (std::size_t row = 0; row < all.size(); ++row) {
    const cloud::Instance* vm = backend.cloud().instance(all.id(row));
    if (vm == nullptr || vm->number <= page.after) continue;
    if (!filters.empty()) {
      look(backend, all, row, view);
      DROVER_TRY(const bool wanted, passes(backend, filters, view));
      if (!wanted) continue;
    }
    if (page.size > 0 && listing.rows.size() == page.size) {
      listing.next = to_page_token(last);
      break;
    }
    listing.rows.push_back(static_cast<std::uint32_t>(row));
    last = vm->number;
  }
  listing.all = std::move(all);
  return listing;
}

// Writes the items of a listing, as many at a time as are asked for. `Set` writes what they have in common.
template <class Set>
class Items {
 public:
  Items(const Backend& backend, Listing listing, Set set)
      : backend_(backend), listing_(std::move(listing)), set_(std::move(set)) {}

  // Appends to `text` until it has `enough` bytes; false when nothing is left.
  bool write(std::string& text, std::size_t enough) {
    XmlWriter xml(text);
    if (next_ == 0) set_.begin(xml);
    for (; next_ < listing_.rows.size() && text.size() < enough; ++next_) {
      look(backend_, listing_.all, listing_.rows[next_], view_);
      set_.item(xml, backend_, view_);
    }
    if (next_ < listing_.rows.size()) return true;
    set_.end(xml);
    xml.maybe("nextToken", listing_.next);
    return false;
  }

 private:
  const Backend& backend_;
  Listing listing_;
  Set set_;
  View view_{};
  std::size_t next_ = 0;
};

template <class Set>
void answer_listing(Call& call, Listing listing, Set set) {
  call.answer_in_parts(
      [items = Items<Set>(call.backend, std::move(listing), std::move(set))](
          std::string& text, std::size_t enough) mutable { return items.write(text, enough); });
}

// Instances of one launch that follow each other are in one item.
class ReservationSet {
 public:
  static void begin(XmlWriter& xml) { xml.open("reservationSet"); }
  void item(XmlWriter& xml, const Backend& backend, const View& view) {
    const bool follows = open_ && !view.extras.reservation.empty() && view.extras.reservation == reservation_;
    if (!follows) {
      close(xml);
      open_ = true;
      reservation_ = view.extras.reservation;
      xml.open("item");
      xml.text("reservationId", reservation_of(*view.vm, view.extras));
      xml.text("ownerId", backend.settings().owner_id);
      xml.open("groupSet");
      xml.close("groupSet");
      xml.open("instancesSet");
    }
    write_instance(xml, backend, view.info, *view.vm, view.extras);
  }
  void end(XmlWriter& xml) {
    close(xml);
    xml.close("reservationSet");
  }

 private:
  void close(XmlWriter& xml) const {
    if (!open_) return;
    xml.close("instancesSet");
    xml.close("item");
  }
  bool open_ = false;
  std::string reservation_;
};

// The tag that a listing can be narrowed to before anything else is looked at, or ("", "").
std::pair<std::string, std::string> narrow_tag(const std::vector<Filter>& filters) {
  for (const Filter& filter : filters)
    if (filter.name.starts_with("tag:") && filter.name != "tag:Name" && filter.values.size() == 1 &&
        filter.values.front().find_first_of("*?\\") == std::string::npos)
      return {filter.name.substr(4), filter.values.front()};
  return {};
}

// Asks for the instances that a request is about, through the port: `then` gets what passes.
void list_instances(const CallPtr& call, std::function<void(Call&, Listing)> then) {
  auto filters = call->query.filters();
  if (filters.has_error()) return call->fail(filters.error());
  if (const auto valid = check_filters(call->backend, filters.value()); valid.has_error())
    return call->fail(valid.error());
  const auto ids = call->query.list("InstanceId");
  const auto page = read_page(*call, !ids.empty());
  if (page.has_error()) return call->fail(page.error());
  if (call->is_dry()) return;
  const auto finish = [call, then, filters = filters.value(), page = page.value()](cloud::Snapshot all) {
    auto listing = choose(call->backend, std::move(all), filters, page);
    if (listing.has_error()) return call->fail(listing.error());
    then(*call, std::move(listing).value());
  };
  if (ids.empty()) {
    const auto [key, value] = narrow_tag(filters.value());
    const CallContext context = call->context(call->backend.subject(call->request, nullptr));
    call->backend.list(context, key, value, [call, finish](Result<cloud::Snapshot> all) {
      if (all.has_error()) return call->fail(all.error());
      finish(std::move(all).value());
    });
    return;
  }
  const auto known = require_instances(call->backend, ids);
  if (known.has_error()) return call->fail(known.error());
  // The first one is asked for through the port, so that its faults apply; it stands for the request.
  const cloud::Instance* first = known.value().front();
  const CallContext context = call->context(call->backend.subject(call->request, first));
  call->backend.calls().getVMInfo(
      context, first->id, [call, finish, all = known.value()](Result<InstanceInfo> info) {
        if (info.has_error()) return call->fail(info.error());
        std::vector<InstanceInfo> infos{std::move(info).value()};
        for (std::size_t i = 1; i < all.size(); ++i) infos.push_back(call->cloud().info(*all[i]));
        std::sort(infos.begin(), infos.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
        finish(cloud::Snapshot(std::move(infos)));
      });
}

void describe_instances(const CallPtr& call) {
  list_instances(
      call, [](Call& self, Listing listing) { answer_listing(self, std::move(listing), ReservationSet()); });
}

void write_status(XmlWriter& xml, const Backend& backend, const View& view) {
  const bool running =
      view.info.state == InstanceState::running || view.info.state == InstanceState::rebooting;
  std::string status = "not-applicable";
  if (running) status = backend.now() - view.vm->state_since < kInitializing ? "initializing" : "ok";
  if (running && view.vm->paused) status = "impaired";
  xml.element("item", [&] {
    xml.text("instanceId", view.vm->id);
    xml.text("availabilityZone", zone_shown(backend, view.vm->zone));
    xml.element("instanceState", [&] {
      xml.number("code", state_of(view.info.state).code);
      xml.text("name", state_of(view.info.state).name);
    });
    for (const char* name : {"systemStatus", "instanceStatus"}) {
      xml.element(name, [&] {
        xml.text("status", status);
        if (!running) return;
        xml.element("details", [&] {
          xml.element("item", [&] {
            xml.text("name", "reachability");
            xml.text("status", status == "ok" ? "passed" : status == "impaired" ? "failed" : "initializing");
          });
        });
      });
    }
  });
}

struct StatusSet {
  bool with_all = false;
  static void begin(XmlWriter& xml) { xml.open("instanceStatusSet"); }
  void item(XmlWriter& xml, const Backend& backend, const View& view) const {
    if (with_all || state_of(view.info.state).code == 16) write_status(xml, backend, view);
  }
  static void end(XmlWriter& xml) { xml.close("instanceStatusSet"); }
};

void describe_status(const CallPtr& call) {
  const auto all = call->query.flag("IncludeAllInstances");
  if (all.has_error()) return call->fail(all.error());
  list_instances(call, [with_all = all.value()](Call& self, Listing listing) {
    answer_listing(self, std::move(listing), StatusSet{with_all});
  });
}

constexpr Action kActions[] = {{"DescribeInstances", describe_instances},
                               {"DescribeInstanceStatus", describe_status}};

}  // namespace

std::span<const Action> describe_actions() { return kActions; }

}  // namespace drover::wire::ec2

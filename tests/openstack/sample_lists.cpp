#include "tests/openstack/samples.hpp"

namespace drover::test {

const std::vector<std::string>& sequence() {
  static const std::vector<std::string> names{
      // Keystone
      "ks-v3", "ks-auth-scoped", "ks-auth-unscoped", "ks-auth-scoped-nocatalog", "ks-auth-token-method",
      "ks-auth-appcred-bad", "ks-auth-badmethod", "ks-auth-badpw", "ks-auth-noproject", "ks-auth-norole",
      "ks-auth-projects", "ks-catalog", "ks-validate-garbage", "ks-validate-head", "ks-validate-notoken",
      // Glance and Neutron
      "glance-404", "glance-image", "glance-images", "neutron-404", "neutron-networks", "neutron-ports",
      "neutron-root", "neutron-unauth",
      // Nova: versions, and what is no server
      "nova-root", "nova-v21", "nova-v21-noslash", "nova-mv-406", "nova-mv-latest", "nova-unauthenticated",
      "nova-badtoken", "nova-badpath", "nova-badmethod", "nova-az", "nova-limits", "nova-quota",
      "nova-flavor-404", "nova-flavor-create-demo-403", "nova-flavors-detail", "nova-flavors-detail-2.61",
      "nova-keypair-404", "nova-keypair-create", "nova-keypair-conflict-409", "nova-keypairs",
      "nova-keypair-delete",
      // Servers, asked
      "nova-servers", "nova-servers-detail-2.1", "nova-servers-detail-2.93", "nova-show-active-2.1",
      "nova-show-active-2.37", "nova-show-active-2.47", "nova-show-active-2.93", "nova-show-net", "nova-ips",
      "nova-instance-actions", "nova-list-badmarker", "nova-list-changes-since", "nova-list-status",
      "nova-list-unknownparam", "nova-list-unknownparam-2.75", "nova-consolelog", "nova-action-404",
      "nova-action-unknown", "nova-start-active-409", "nova-delete-404",
      // Servers, refused
      "nova-create-badaz", "nova-create-badflavor", "nova-create-badimage", "nova-create-badimage-notuuid",
      "nova-create-badjson", "nova-create-badnet", "nova-create-bigmeta", "nova-create-extraprop",
      "nova-create-noimage", "nova-create-noname", "nova-create-nonetworks-2.37",

      // Recorded later
      "ks-versions", "ks-auth-empty", "ks-auth-list", "ks-auth-nodomain", "ks-auth-nopassword",
      "ks-auth-nouser", "ks-auth-unknownuser", "ks-auth-explicit-unscoped", "ks-auth-domainscope",
      "ks-appcred-list", "ks-appcred-404", "ks-project", "ks-users-403", "ks-unknown-path", "glance-name",
      "glance-none", "glance-unauth", "glance-badpath", "neutron-name", "neutron-none", "neutron-subnets",
      "neutron-badpath", "nova-create-list", "nova-create-empty", "nova-create-emptyname",
      "nova-create-numbername", "nova-create-nullname", "nova-create-noflavor", "nova-create-badnetworks",
      "nova-create-badkey", "nova-create-badgroup", "nova-create-badmeta", "nova-create-metalist",
      "nova-create-badmax", "nova-create-badport", "nova-list-badname", "nova-list-badlimit",
      "nova-list-badsince", "nova-list-baddir", "nova-list-badkey", "nova-list-alltenants",
      "nova-list-deleted", "nova-list-unknownstatus", "nova-mv-bad", "nova-servers-put", "nova-metadata",
      "nova-metadata-item", "nova-metadata-item-404", "nova-metadata-post", "nova-metadata-put-item",
      "nova-metadata-put-mismatch", "nova-metadata-bad", "nova-metadata-delete", "nova-metadata-delete-404",
      "nova-metadata-put", "nova-metadata-404", "nova-action-empty", "nova-reboot-bad", "nova-unpause-409",
      "nova-rename-bad", "nova-rename-extra", "nova-tags", "nova-attachments", "nova-secgroups",
      "nova-interfaces", "nova-diagnostics-403", "nova-services-403", "nova-hypervisors-403", "nova-flavors",
      "nova-flavor", "nova-flavor-specs", "nova-flavors-badram", "nova-flavors-limit", "nova-images",
      "nova-images-2.36", "nova-extensions", "nova-keypair-bad", "nova-keypair-noname", "nova-keypair-badkey",
      "nova-stop-404", "nova-servergroups",
      // Servers, made
      "nova-create-multi", "nova-list-name", "nova-list-limit"};
  return names;
}

const std::map<std::string, std::vector<std::string>>& known_differences() {
  // Servers of the recording without a network have no address; a listing that also shows one with a network
  // has more fields.
  static const std::vector<std::string> listed{"servers[].addresses*", "servers[].security_groups*",
                                               "servers[].metadata*", "servers_links*"};
  static const std::map<std::string, std::vector<std::string>> known{
      {"nova-create-bigmeta", {"message"}},                 // shortened here
      {"ks-auth-list", {"message"}},                        // without the schema
      {"ks-appcred-list", {"application_credentials[]*"}},  // every account has one from the beginning
      {"ks-auth-appcred-bad", {}},
      {"neutron-subnets", {"subnets[].allocation_pools*", "subnets[].gateway_ip"}},
      {"nova-list-badkey", {"message"}},  // without the list of columns
      {"nova-secgroups", {"security_groups[].rules*"}},
      {"nova-extensions", {"extensions[]*"}},
      {"nova-mv-latest", {"servers[]*"}},            // recorded before there were servers
      {"nova-show-deleting", {"server.metadata*"}},  // the recording has other metadata
      {"nova-servers-detail-2.1", listed},
      {"nova-servers-detail-2.93", listed},
      {"nova-list-changes-since", listed},
  };
  return known;
}

}  // namespace drover::test

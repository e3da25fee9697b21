// What EC2 calls the things of the port, in requests and in answers. Pure.
#pragma once

#include <pugixml.hpp>
#include <string>
#include <vector>

#include "manager/ports/iaas.hpp"
#include "manager/system/http_message.hpp"

namespace drover {
struct Ec2Config;
}

namespace drover::ec2 {

// At most 64 ASCII characters, equal for equal tokens only: the token itself where it is such, else a hash.
std::string client_token(const std::string& token);

// The parameters of RunInstances. Errors: invalid (a tag "Name" that is not the instance's name).
Result<http::Fields> run_parameters(const InstanceSpec& spec, const std::string& token,
                                    const Ec2Config& config);

// An <item> of an instancesSet. Errors: protocol, with what is missing.
Result<InstanceInfo> read_instance(pugi::xml_node item, bool public_address);
// Every instance of all reservations of a DescribeInstancesResponse, appended in its order.
Result<void> read_instances(pugi::xml_node root, bool public_address, std::vector<InstanceInfo>& to);
// CreateVolumeResponse, or an <item> of a volumeSet.
Result<VolumeInfo> read_volume(pugi::xml_node item);
// The volumes of a DescribeVolumesResponse but those that are being deleted, appended in its order.
Result<void> read_volumes(pugi::xml_node root, std::vector<VolumeInfo>& to);

}  // namespace drover::ec2

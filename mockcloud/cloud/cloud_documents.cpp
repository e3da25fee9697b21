// What clients of the wires change that the Iaas port knows nothing of: tags, names, documents.
#include "mockcloud/cloud/cloud_internal.hpp"

namespace drover::cloud {

void Cloud::perform_request(const CallContext& context, std::string_view site,
                            std::move_only_function<Result<void>()> effect, Handler<void> handler) {
  call<void>(context.subject, site, std::move(handler), std::move(effect));
}

Result<InstanceInfo> Cloud::launch(const InstanceSpec& spec, const std::string& token) {
  Change change(*this);
  return create(spec, token);
}

Result<void> Cloud::terminate(const std::string& id) {
  Change change(*this);
  return kill(id);
}

Result<void> Cloud::set_tags(const std::string& id, Tags tags) {
  Change change(*this);
  DROVER_TRY(Instance * vm, require(id));
  InstanceSpec changed = vm->spec;
  changed.tags = std::move(tags);
  DROVER_TRY(check_tags(changed));
  update(*vm, [&] { vm->spec.tags = std::move(changed.tags); });
  tables_->erase_tags(*vm);
  tables_->insert_tags(*vm);
  return success();
}

Result<void> Cloud::rename(const std::string& id, const std::string& name) {
  if (name.empty() || name.size() > 255)
    return make_error(ErrorCode::invalid, "rename: a name has 1 to 255 bytes");
  Change change(*this);
  DROVER_TRY(Instance * vm, require(id));
  update(*vm, [&] { vm->spec.name = name; });
  latest_by_name_[TextKey(name)] = vm->number;
  tables_->save_name(*vm);
  return success();
}

const Cloud::Documents& Cloud::documents(std::string_view kind) const {
  static const Documents none;
  const auto found = documents_.find(kind);
  return found == documents_.end() ? none : found->second;
}

void Cloud::put_document(std::string_view kind, const std::string& id, std::string text) {
  Change change(*this);
  tables_->save_document(kind, id, text);
  documents_[std::string(kind)][id] = std::move(text);
}

void Cloud::erase_document(std::string_view kind, const std::string& id) {
  const auto found = documents_.find(kind);
  if (found == documents_.end() || found->second.erase(id) == 0) return;
  Change change(*this);
  tables_->erase_document(kind, id);
}

}  // namespace drover::cloud

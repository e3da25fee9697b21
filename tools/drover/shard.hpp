// Which part of the work is this process's: "I/N" from the command line, else what the surroundings say
// (GTEST_TOTAL_SHARDS/GTEST_SHARD_INDEX, SLURM_ARRAY_TASK_ID/_COUNT, JOB_COMPLETION_INDEX with
// JOB_COMPLETIONS).
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

namespace drover::tools {

struct Shard {
  std::size_t index = 0;
  std::size_t count = 1;
};

inline std::optional<std::size_t> shard_number(const std::string& text) {
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return std::stoull(text);
}

// Nothing for a text that is no shard.
inline std::optional<Shard> shard_of(const std::string& text) {
  if (!text.empty()) {
    const auto slash = text.find('/');
    if (slash == std::string::npos) return std::nullopt;
    const auto index = shard_number(text.substr(0, slash)), count = shard_number(text.substr(slash + 1));
    if (!index || !count || *count == 0 || *index >= *count) return std::nullopt;
    return Shard{*index, *count};
  }
  static constexpr const char* kSurroundings[][2] = {{"GTEST_SHARD_INDEX", "GTEST_TOTAL_SHARDS"},
                                                     {"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"},
                                                     {"JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"}};
  for (const auto& names : kSurroundings) {
    const char* index_text = std::getenv(names[0]);
    const char* count_text = std::getenv(names[1]);
    if (index_text == nullptr || count_text == nullptr) continue;
    const auto index = shard_number(index_text), count = shard_number(count_text);
    if (index && count && *count > 0 && *index < *count) return Shard{*index, *count};
  }
  return Shard{};
}

}  // namespace drover::tools

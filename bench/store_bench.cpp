// The journal's database: commits per second, each of one operation, one node and one line of history, as an
// operation's step makes them. In memory (the simulation) and in a file with WAL and synchronous FULL, below
// the present directory: that one measures the disk.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <filesystem>

#include "manager/adapters/sqlite_store.hpp"

namespace drover {
namespace {

std::vector<Change> step_of_an_operation(std::int64_t n) {
  return {
      {Table::node, 1 + n % 100, false,
       R"({"address":"10.0.0.17","attempt":1,"id":17,"mysqld_port":3306,"operation":1,"role":"replica",)"
       R"("server_id":17,"state":"RUNNING","vm":"i-00000017"})"},
      {Table::operation, 1 + n % 10, false,
       R"({"accepted_at_ns":1000000000,"id":1,"kind":"set_up_replica_slave","node":17,"nodes":[17],)"
       R"("state":"RUNNING"})"},
      {Table::history, 1 + n, false,
       R"({"at_s":61.5,"event":"registered at 10.0.0.17","subject":"node-17"})"},
      {Table::history, 1 + n - 1000, true, {}},
  };
}

void commit(benchmark::State& state, const std::string& path) {
  auto store = SqliteStore::open(path);
  if (store.has_error()) {
    state.SkipWithError(store.error().message.c_str());
    return;
  }
  const std::uint64_t generation = store.value()->take_generation(0, 0).value();
  std::int64_t number = 0;
  for (auto _ : state) {
    bool written = false;
    store.value()->commit(generation, step_of_an_operation(number++),
                          [&written](Result<void> result) { written = result.has_value(); });
    if (!written) {
      state.SkipWithError("a commit failed");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations());
}

void journal_memory(benchmark::State& state) { commit(state, ":memory:"); }
BENCHMARK(journal_memory)->Name("journal_commits/memory")->Unit(benchmark::kMicrosecond);

void journal_disk(benchmark::State& state) {
  const auto folder = std::filesystem::current_path() / "drover_bench.journal";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directory(folder);
  commit(state, (folder / "journal.db").string());
  std::filesystem::remove_all(folder);
}
BENCHMARK(journal_disk)->Name("journal_commits/disk_wal_full")->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace drover

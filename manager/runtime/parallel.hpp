// Bounded parallel work in coroutines: at most `window` bodies at once, in the order of the items.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "manager/runtime/task.hpp"

namespace drover {

// Runs body(item) for every item and returns when all have ended. The workers live in the caller's domain.
inline Task<void> for_each_parallel(std::vector<std::int64_t> items, unsigned window,
                                    std::function<Task<void>(std::int64_t)> body) {
  struct Shared {
    std::vector<std::int64_t> items;
    std::function<Task<void>(std::int64_t)> body;
    std::size_t next = 0;
    std::size_t working = 0;
    Signal ended;
  };
  struct Worker {
    static Task<void> run(std::shared_ptr<Shared> shared) {
      while (shared->next < shared->items.size()) {
        const std::int64_t item = shared->items[shared->next++];
        co_await shared->body(item);
      }
      if (--shared->working == 0) shared->ended.notify_all();
    }
  };
  const Executor executor = co_await asio::this_coro::executor;
  auto shared = std::make_shared<Shared>();
  shared->items = std::move(items);
  shared->body = std::move(body);
  shared->working = std::min<std::size_t>(shared->items.size(), window);
  for (std::size_t i = shared->working; i > 0; --i) spawn(executor.domain(), Worker::run(shared));
  while (shared->working > 0) (void)co_await shared->ended.wait(kForever);
}

}  // namespace drover

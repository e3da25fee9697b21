// A vector that is empty in nearly all of the many objects that have one: a pointer then.
#pragma once

#include <memory>
#include <vector>

namespace drover::cloud {

template <class T>
class RareVector {
 public:
  RareVector() = default;
  RareVector(const RareVector& other)
      : vector_(other.empty() ? nullptr : std::make_unique<std::vector<T>>(*other.vector_)) {}
  RareVector(RareVector&&) noexcept = default;
  RareVector& operator=(RareVector other) noexcept {
    vector_ = std::move(other.vector_);
    return *this;
  }
  ~RareVector() = default;

  const T* begin() const { return vector_ == nullptr ? nullptr : vector_->data(); }
  const T* end() const { return begin() + size(); }
  std::size_t size() const { return vector_ == nullptr ? 0 : vector_->size(); }
  bool empty() const { return size() == 0; }
  // To change it; made when missing.
  std::vector<T>& make() {
    if (vector_ == nullptr) vector_ = std::make_unique<std::vector<T>>();
    return *vector_;
  }

 private:
  std::unique_ptr<std::vector<T>> vector_;
};

}  // namespace drover::cloud

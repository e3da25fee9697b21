// A text that is empty or the same for many instances: eight bytes in each of them. Not thread-safe.
#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace drover::cloud {

// Copies share the text; an empty one takes no memory. Reads as a std::string.
class Text {
 public:
  Text() = default;
  explicit Text(std::string text) : shared_(text.empty() ? nullptr : new Shared(std::move(text))) {}
  Text& operator=(std::string text) { return *this = Text(std::move(text)); }

  const std::string& str() const {
    static const std::string none;
    return shared_ == nullptr ? none : shared_->text;
  }
  operator const std::string&() const { return str(); }
  operator std::string_view() const { return str(); }
  bool empty() const { return shared_ == nullptr; }

  friend bool operator==(const Text& left, std::string_view right) { return left.str() == right; }
  friend std::string operator+(const char* left, const Text& right) { return left + right.str(); }

 private:
  struct Shared : boost::intrusive_ref_counter<Shared, boost::thread_unsafe_counter> {
    explicit Shared(std::string value) : text(std::move(value)) {}
    const std::string text;
  };
  boost::intrusive_ptr<Shared> shared_;
};

}  // namespace drover::cloud

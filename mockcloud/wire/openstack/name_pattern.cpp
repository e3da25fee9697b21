#include "mockcloud/wire/openstack/name_pattern.hpp"

namespace drover::wire::openstack {
namespace {

constexpr std::size_t kPatternMax = 1024;
constexpr int kDepthMax = 32;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
std::size_t byte(char c) { return static_cast<unsigned char>(c); }

}  // namespace

// Builds the states from the pattern's end to its beginning: each part is given the state that follows it.
class NamePattern::Parser {
 public:
  Parser(std::string_view pattern, std::vector<State>& states) : pattern_(pattern), states_(states) {}

  std::optional<std::uint32_t> parse() {
    const Node tree = alternatives(0);
    if (broken_ || at_ != pattern_.size()) return std::nullopt;
    return build(tree, add({}));
  }

 private:
  struct Node {
    enum class Kind : unsigned char {
      empty,
      bytes,
      begin,
      end,
      chain,
      either,
      star,
      plus,
      maybe
    } kind = Kind::empty;
    std::bitset<256> bytes;
    std::vector<Node> parts;
  };

  bool more() const { return !broken_ && at_ < pattern_.size(); }

  Node alternatives(int depth) {
    if (depth > kDepthMax) broken_ = true;
    Node either;
    either.kind = Node::Kind::either;
    either.parts.push_back(chain(depth));
    while (more() && pattern_[at_] == '|') {
      ++at_;
      either.parts.push_back(chain(depth));
    }
    return either;
  }

  Node chain(int depth) {
    Node chain;
    chain.kind = Node::Kind::chain;
    while (more() && pattern_[at_] != '|' && pattern_[at_] != ')') chain.parts.push_back(repeated(depth));
    return chain;
  }

  Node repeated(int depth) {
    Node node = single(depth);
    int times = 0;
    while (more()) {
      const char c = pattern_[at_];
      if (c != '*' && c != '+' && c != '?') break;
      ++at_;
      if (++times > 2) broken_ = true;
      Node outer;
      outer.kind = c == '*' ? Node::Kind::star : c == '+' ? Node::Kind::plus : Node::Kind::maybe;
      outer.parts.push_back(std::move(node));
      node = std::move(outer);
    }
    return node;
  }

  Node single(int depth) {
    Node node;
    const char c = pattern_[at_++];
    switch (c) {
      case '^':
        node.kind = Node::Kind::begin;
        return node;
      case '$':
        node.kind = Node::Kind::end;
        return node;
      case '(':
        node = alternatives(depth + 1);
        if (!more() || pattern_[at_] != ')') broken_ = true;
        ++at_;
        return node;
      case '[':
        return set();
      case '*':
      case '+':
      case '?':
        broken_ = true;
        return node;
      case '.':
        node.kind = Node::Kind::bytes;
        node.bytes.set();
        return node;
      case '\\':
        if (!more()) {
          broken_ = true;
          return node;
        }
        return literal(pattern_[at_++]);
      default:
        return literal(c);
    }
  }

  static Node literal(char c) {
    Node node;
    node.kind = Node::Kind::bytes;
    node.bytes.set(byte(lower(c)));
    node.bytes.set(byte(upper(c)));
    return node;
  }

  Node set() {
    Node node;
    node.kind = Node::Kind::bytes;
    const bool negated = more() && pattern_[at_] == '^';
    if (negated) ++at_;
    bool first = true;
    while (more() && (first || pattern_[at_] != ']')) {
      first = false;
      char from = pattern_[at_++];
      if (from == '\\' && more()) from = pattern_[at_++];
      char to = from;
      if (at_ + 1 < pattern_.size() && pattern_[at_] == '-' && pattern_[at_ + 1] != ']') {
        to = pattern_[at_ + 1];
        at_ += 2;
      }
      for (std::size_t each = byte(from); each <= byte(to); ++each) {
        node.bytes.set(byte(lower(static_cast<char>(each))));
        node.bytes.set(byte(upper(static_cast<char>(each))));
      }
    }
    if (!more()) broken_ = true;
    ++at_;
    if (negated) node.bytes.flip();
    return node;
  }

  std::uint32_t add(State state) {
    states_.push_back(state);
    return static_cast<std::uint32_t>(states_.size() - 1);
  }
  std::uint32_t split(std::uint32_t next, std::uint32_t other) {
    State state;
    state.kind = State::Kind::split;
    state.next = next;
    state.other = other;
    return add(state);
  }

  // The nesting is bounded by kDepthMax.
  std::uint32_t build(const Node& node, std::uint32_t next) {
    State state;
    state.next = next;
    switch (node.kind) {
      case Node::Kind::empty:
        return next;
      case Node::Kind::bytes:
        state.kind = State::Kind::bytes;
        state.bytes = node.bytes;
        return add(state);
      case Node::Kind::begin:
        state.kind = State::Kind::begin;
        return add(state);
      case Node::Kind::end:
        state.kind = State::Kind::end;
        return add(state);
      case Node::Kind::chain:
        for (auto part = node.parts.rbegin(); part != node.parts.rend(); ++part) next = build(*part, next);
        return next;
      case Node::Kind::either: {
        std::uint32_t way = build(node.parts.back(), next);
        for (std::size_t i = node.parts.size() - 1; i > 0; --i)
          way = split(build(node.parts[i - 1], next), way);
        return way;
      }
      case Node::Kind::maybe:
        return split(build(node.parts.front(), next), next);
      case Node::Kind::star:
      case Node::Kind::plus:
        break;
    }
    const std::uint32_t again = split(next, next);
    const std::uint32_t body = build(node.parts.front(), again);
    states_[again].next = body;
    return node.kind == Node::Kind::star ? again : body;
  }

  std::string_view pattern_;
  std::vector<State>& states_;
  std::size_t at_ = 0;
  bool broken_ = false;
};

std::optional<NamePattern> NamePattern::parse(std::string_view pattern) {
  if (pattern.size() > kPatternMax) return std::nullopt;
  NamePattern result;
  const auto start = Parser(pattern, result.states_).parse();
  if (!start) return std::nullopt;
  result.start_ = *start;
  return result;
}

void NamePattern::follow(std::uint32_t state, std::size_t at, std::size_t size, std::vector<bool>& known,
                         std::vector<std::uint32_t>& reached) const {
  std::vector<std::uint32_t> open{state};
  while (!open.empty()) {
    const std::uint32_t index = open.back();
    open.pop_back();
    if (known[index]) continue;
    known[index] = true;
    const State& here = states_[index];
    switch (here.kind) {
      case State::Kind::split:
        open.push_back(here.other);
        open.push_back(here.next);
        break;
      case State::Kind::begin:
        if (at == 0) open.push_back(here.next);
        break;
      case State::Kind::end:
        if (at == size) open.push_back(here.next);
        break;
      case State::Kind::bytes:
      case State::Kind::match:
        reached.push_back(index);
        break;
    }
  }
}

bool NamePattern::found_in(std::string_view text) const {
  std::vector<std::uint32_t> now, after;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    std::vector<bool> known(states_.size(), false);
    std::vector<std::uint32_t> here;
    for (const std::uint32_t state : now) follow(state, at, text.size(), known, here);
    follow(start_, at, text.size(), known, here);
    after.clear();
    for (const std::uint32_t state : here) {
      if (states_[state].kind == State::Kind::match) return true;
      if (at < text.size() && states_[state].bytes.test(byte(text[at]))) after.push_back(states_[state].next);
    }
    std::swap(now, after);
  }
  return false;
}

}  // namespace drover::wire::openstack

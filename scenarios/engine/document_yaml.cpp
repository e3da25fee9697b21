// YAML through yaml-cpp's events, which carry marks. Its scanner sees the text only after the guards below.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <sstream>
#include <unordered_set>

#include "scenarios/engine/document_text.hpp"

namespace drover::scenario {
namespace {

// YAML ends a plain word at '[' inside {…}, but "{id: $nodes[0]}" is how people write references. While
// yaml-cpp reads, the brackets of an index stand there as control characters, which no clean text contains.
constexpr char kOpen = '\x01';
constexpr char kClose = '\x02';

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.'; }

void hide_indices(std::string& text) {
  bool in_reference = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '$') {
      in_reference = true;
    } else if (in_reference && text[i] == '[') {
      auto end = i + 1;
      while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0) ++end;
      if (end == i + 1 || end == text.size() || text[end] != ']') {
        in_reference = false;
        continue;
      }
      text[i] = kOpen;
      text[end] = kClose;
      i = end;
    } else if (!is_name(text[i])) {
      in_reference = false;
    }
  }
}

std::string shown(std::string text) {
  for (auto& c : text) {
    if (c == kOpen) c = '[';
    if (c == kClose) c = ']';
  }
  return text;
}

// Whether the quoted text that begins at `open` is closed: yaml-cpp takes the end of the file for its end.
bool is_closed(std::string_view text, std::size_t open) {
  const char quote = text[open];
  for (auto i = open + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 == text.size() || text[i + 1] != quote) return true;
      ++i;
    }
  }
  return false;
}

struct YamlProblem {
  std::size_t offset;
  std::string message;
};

class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string_view text) : text_(text), locator_(text) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    if (wants_key()) throw YamlProblem{offset(mark), "a key is missing before ':'"};
    count(mark);
    add(plain_scalar("", place_of_null(mark)));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw YamlProblem{offset(mark), "aliases (*name) are refused; write the value again"};
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    const bool plain = tag == "?";
    const auto at = offset(mark);
    const bool is_quoted = !plain && at < text_.size() && (text_[at] == '"' || text_[at] == '\'');
    if (is_quoted && !is_closed(text_, at)) throw YamlProblem{at, "this text has no closing quote"};
    auto text = shown(value);
    const auto place = locator_.place_of(offset(mark));
    if (wants_key()) return key(std::move(text), place, plain, mark);
    count(mark);
    Node node = plain ? plain_scalar(text, place) : Node{};
    if (!plain) {
      node.kind = Node::Kind::text;
      node.place = place;
      node.text = text;
    }
    for (const int inset : {0, 1})
      if (node.text_offset < 0 &&
          text_.substr(std::min(text_.size(), offset(mark) + static_cast<std::size_t>(inset)),
                       value.size()) == value)
        node.text_offset = inset;
    add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::list);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::map);
  }
  void OnMapEnd() override { close(); }

  bool started() const { return root_.has_value() || !open_.empty(); }
  Node take_root() { return root_ ? std::move(*root_) : Node{}; }

 private:
  struct Frame {
    Node node;
    std::optional<Member> member;          // its key has been read, its value not yet
    std::unordered_set<std::string> keys;  // looked up, never iterated
  };

  static std::size_t offset(const YAML::Mark& mark) {
    return mark.pos < 0 ? 0 : static_cast<std::size_t>(mark.pos);
  }
  bool wants_key() const {
    return !open_.empty() && open_.back().node.kind == Node::Kind::map && !open_.back().member;
  }
  // yaml-cpp marks a missing value where the next token stands; its key is where a person looks.
  Place place_of_null(const YAML::Mark& mark) {
    if (!open_.empty() && open_.back().member) return open_.back().member->place;
    return locator_.place_of(offset(mark));
  }

  static void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0)
      throw YamlProblem{offset(mark),
                        "anchors (&name) are refused; write the value again where it is needed"};
  }
  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!")
      throw YamlProblem{offset(mark), "tags (" + in_quotes(tag) + ") are refused; quotes make a text"};
  }

  void count(const YAML::Mark& mark) {
    if (++values_ > kDocumentValuesMax) throw YamlProblem{offset(mark), std::string(kTooMany)};
  }

  void key(std::string text, Place place, bool plain, const YAML::Mark& mark) {
    if (plain && text == "<<")
      throw YamlProblem{offset(mark), "merge keys (<<) are refused; write the keys out"};
    auto& frame = open_.back();
    if (!frame.keys.insert(text).second)
      throw YamlProblem{offset(mark), "the key " + in_quotes(text) + " stands here twice"};
    frame.member.emplace(Member{std::move(text), place, Node{}});
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Kind kind) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (wants_key()) throw YamlProblem{offset(mark), "a list or a map cannot be a key"};
    count(mark);
    if (open_.size() > static_cast<std::size_t>(kDocumentDepthMax))
      throw YamlProblem{offset(mark), std::string(kTooDeep)};
    Frame frame;
    frame.node.kind = kind;
    frame.node.place = locator_.place_of(offset(mark));
    open_.push_back(std::move(frame));
  }
  void close() {
    auto node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }
  void add(Node node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (auto& frame = open_.back(); frame.node.kind == Node::Kind::list) {
      frame.node.items.push_back(std::move(node));
    } else {
      frame.member->value = std::move(node);
      frame.node.members.push_back(std::move(*frame.member));
      frame.member.reset();
    }
  }

  std::string_view text_;
  Locator locator_;
  std::vector<Frame> open_;
  std::optional<Node> root_;
  std::size_t values_ = 0;
};

// Brackets pile up as tokens in yaml-cpp's scanner before it hands out the first one.
std::optional<std::size_t> too_many_brackets(std::string_view text) {
  constexpr int kOpenMax = 1000;
  int open = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] == '[' || text[i] == '{') && ++open > kOpenMax) return i;
    if ((text[i] == ']' || text[i] == '}') && open > 0) --open;
  }
  return std::nullopt;
}

std::optional<std::size_t> tab_in_indentation(std::string_view text) {
  for (std::size_t line = 0; line < text.size();) {
    auto at = line;
    std::size_t tab = std::string_view::npos;
    for (; at < text.size() && (text[at] == ' ' || text[at] == '\t'); ++at)
      if (text[at] == '\t' && tab == std::string_view::npos) tab = at;
    const bool blank = at == text.size() || text[at] == '\n' || text[at] == '#';
    if (tab != std::string_view::npos && !blank) return tab;
    const auto end = text.find('\n', at);
    if (end == std::string_view::npos) break;
    line = end + 1;
  }
  return std::nullopt;
}

}  // namespace

Result<Node> parse_yaml(std::string_view text, const std::string& file) {
  DROVER_TRY(auto clean, clean_text(text, file));
  const auto fail = [&](std::size_t offset, std::string_view message) {
    return document_error(file, Locator(clean).place_of(offset), message);
  };
  if (const auto tab = tab_in_indentation(clean))
    return fail(*tab, "a tab in the indentation; YAML takes spaces only");
  if (const auto bracket = too_many_brackets(clean)) return fail(*bracket, kTooDeep);
  hide_indices(clean);
  TreeBuilder builder(clean);
  try {
    std::istringstream stream(clean);
    YAML::Parser parser(stream);
    while (!builder.started() && parser.HandleNextDocument(builder)) {
      if (!builder.started()) break;
    }
    TreeBuilder second(clean);
    if (builder.started() && parser.HandleNextDocument(second))
      return document_error(file, second.take_root().place,
                            "a second document starts here; a file holds one scenario");
  } catch (const YamlProblem& problem) {
    return fail(problem.offset, shown(problem.message));
  } catch (const YAML::Exception& problem) {
    const auto offset = problem.mark.pos < 0 ? 0 : static_cast<std::size_t>(problem.mark.pos);
    return fail(offset, "not valid YAML: " + shown(problem.msg));
  }
  Node root = builder.take_root();
  if (root.kind == Node::Kind::null) return document_error(file, {1, 1}, kNothingThere);
  if (root.is_scalar())
    return document_error(file, root.place, "expected a map of keys, found " + describe(root));
  return root;
}

}  // namespace drover::scenario

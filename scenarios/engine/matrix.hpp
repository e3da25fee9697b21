// The matrix of a scenario file: every combination of its values is one case. A pure part of loading a file.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "scenarios/engine/document.hpp"

namespace drover::scenario {

inline constexpr std::size_t kCasesMax = 1000;

// Keys in file order, each with its values (booleans, numbers, texts).
struct Matrix {
  struct Row {
    std::string key;
    std::vector<nlohmann::json> values;
    friend bool operator==(const Row&, const Row&) = default;
  };
  std::vector<Row> rows;
  friend bool operator==(const Matrix&, const Matrix&) = default;
};

// One value per key, in the order of the matrix.
struct Case {
  std::vector<std::pair<std::string, nlohmann::json>> values;
  // The value of a key, or nullptr.
  const nlohmann::json* find(std::string_view key) const;
  friend bool operator==(const Case&, const Case&) = default;
};
// "n=3,crash=true"; "" for the only case of a file without a matrix.
std::string to_text(const Case& one);

// Every combination, the first key changing slowest; one empty case when there are no keys.
std::vector<Case> expand(const Matrix& matrix);
// How many expand() gives, or kCasesMax + 1 when there are more than kCasesMax.
std::size_t count_cases(const Matrix& matrix);

// Writes the case's values into every reference to them below `node`: "$n" alone becomes the value with its
// type. Keys and references to anything else stay. Problems: a path into a value ("$n.x").
Node substitute(const Node& node, const Case& one, Problems& problems);

// Decides an `if:`: a boolean, "$crash", or an expression over the matrix ("n > 1 and not crash"; the '$' is
// optional). Anything else is a problem, and false.
bool decide(const Node& condition, const Case& one, Problems& problems);

}  // namespace drover::scenario

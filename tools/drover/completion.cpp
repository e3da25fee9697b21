// drover completion bash|zsh|fish: a script that completes subcommands and their options, made from the app
// itself.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "tools/drover/exit_codes.hpp"
#include "tools/drover/subcommands.hpp"

namespace drover::tools {
namespace {

struct Word {
  std::string text;
  std::string description;
};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::vector<Word> subcommands_of(const CLI::App& app) {
  std::vector<Word> words;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    words.push_back({sub->get_name(), first_line(sub->get_description())});
  return words;
}

std::vector<Word> options_of(const CLI::App& app) {
  std::vector<Word> words;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames())
      words.push_back({"--" + name, first_line(option->get_description())});
    for (const std::string& name : option->get_snames())
      words.push_back({"-" + name, first_line(option->get_description())});
  }
  return words;
}

std::string joined(const std::vector<Word>& words) {
  std::string text;
  for (const Word& word : words) text += (text.empty() ? "" : " ") + word.text;
  return text;
}

// 'text' for a shell; fish wants quotes escaped by a backslash, the others by leaving the quotes.
std::string shell_quoted(const std::string& text, const char* quote) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'')
      quoted += quote;
    else
      quoted += c;
  }
  return quoted + "'";
}

void write_bash(const CLI::App& app, std::ostream& out) {
  out << "_drover() {\n  local word=\"${COMP_WORDS[COMP_CWORD]}\" words=\n  if [ \"$COMP_CWORD\" -eq 1 ]; "
         "then\n"
      << "    words='" << joined(subcommands_of(app)) << " " << joined(options_of(app)) << "'\n  else\n"
      << "    case \"${COMP_WORDS[1]}\" in\n";
  for (const CLI::App* sub :
       app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); }))
    out << "      " << sub->get_name() << ") words='" << joined(options_of(*sub)) << "' ;;\n";
  out << "    esac\n  fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      << "  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$word\"))\n}\ncomplete -F _drover "
         "drover\n";
}

void write_zsh(const CLI::App& app, std::ostream& out) {
  const auto described = [](const std::vector<Word>& words) {
    std::string text;
    for (const Word& word : words) text += " " + shell_quoted(word.text + ":" + word.description, "'\\''");
    return text;
  };
  out << "#compdef drover\n_drover() {\n  local -a choices\n  if (( CURRENT == 2 )); then\n    choices=("
      << described(subcommands_of(app)) << described(options_of(app))
      << " )\n  else\n    case $words[2] in\n";
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    out << "      " << sub->get_name() << ") choices=(" << described(options_of(*sub)) << " ) ;;\n";
  out << "    esac\n  fi\n  _describe 'drover' choices || _files\n}\ncompdef _drover drover\n";
}

void write_fish(const CLI::App& app, std::ostream& out) {
  const auto option_flag = [](const std::string& text) {
    return text.starts_with("--") ? " -l " + text.substr(2) : " -s " + text.substr(1);
  };
  for (const Word& word : subcommands_of(app))
    out << "complete -c drover -n __fish_use_subcommand -a " << word.text << " -d "
        << shell_quoted(word.description, "\\'") << "\n";
  for (const Word& word : options_of(app))
    out << "complete -c drover -n __fish_use_subcommand" << option_flag(word.text) << " -d "
        << shell_quoted(word.description, "\\'") << "\n";
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    for (const Word& word : options_of(*sub))
      out << "complete -c drover -n '__fish_seen_subcommand_from " << sub->get_name() << "'"
          << option_flag(word.text) << " -d " << shell_quoted(word.description, "\\'") << "\n";
}

}  // namespace

void add_completion(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "completion",
      "Print a completion script for a shell, e.g. drover completion bash > ~/.drover-completion");
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback([&app, &exit_code, shell] {
    if (*shell == "bash") write_bash(app, std::cout);
    if (*shell == "zsh") write_zsh(app, std::cout);
    if (*shell == "fish") write_fish(app, std::cout);
    exit_code = std::cout.good() ? kExitPassed : kExitFailed;
  });
}

}  // namespace drover::tools

// The options and words of one verb: declares, parses, and explains them for --help.
//
// A facade over CLI11, which only args.cc includes (it takes seconds to compile). CLI11 sees only
// what is before "--", since it would split "[a,b]". Used by one thread; the targets must outlive
// the Args.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/base/output.h"

namespace taskd::ctl {

struct HelpText {
  std::string_view usage;      // what follows "taskctl VERB"
  std::string_view paragraph;  // what the verb does
  std::string_view examples;   // lines of "command   # comment"
};

class Args {
 public:
  Args(std::string_view verb, const HelpText& text);

  // `names` in CLI11's form: "-q,--queue". Help is one or more lines joined by '
  // '.
  void flag(std::string_view names, bool& target, std::string_view help);
  // May be given only once.
  void option(std::string_view names, std::string_view value, std::optional<std::string>& target,
              std::string_view help);
  // May be given more than once.
  void list(std::string_view names, std::string_view value, std::vector<std::string>& target,
            std::string_view help);
  // Accepts words that are not options. Without this they are an error.
  void words(std::vector<std::string>& target);
  // Receives the words after the first "--"; without it, they are added to the other words.
  void command(std::vector<std::string>& target, bool& was_given);

  // Returns false if --help was given and printed to `out`. Throws UsageError (64).
  bool parse(const std::vector<std::string>& argv, Output& out);

 private:
  struct Entry {
    std::string names;
    std::string value;  // "" = a flag
    std::string help;
    bool* flag = nullptr;
    std::optional<std::string>* option = nullptr;
    std::vector<std::string>* list = nullptr;
  };

  void parse_options(std::vector<std::string> argv, std::vector<std::string>& rest);
  std::string help() const;

  std::string verb_;
  HelpText text_;
  std::vector<Entry> entries_;
  std::vector<std::string>* words_ = nullptr;
  std::vector<std::string>* command_ = nullptr;
  bool* command_given_ = nullptr;
};

// Options of every verb.
struct CommonOptions {
  std::optional<std::string> socket;
  std::optional<std::string> daemon_user;
  std::optional<std::string> color;
};
void add_common(Args& args, CommonOptions& common);

}  // namespace taskd::ctl

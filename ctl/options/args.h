// The options and words of one verb: declared, parsed, and explained by --help.
//
// A facade over CLI11, which is named in args.cc only (it costs seconds to compile) and which sees
// only what stands before a "--": it would take "[a,b]" apart. One thread; the targets outlive
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

  // `names` as CLI11 has them: "-q,--queue". Help is one line or several joined by '\n'.
  void flag(std::string_view names, bool& target, std::string_view help);
  // Given more than once, it is refused.
  void option(std::string_view names, std::string_view value, std::optional<std::string>& target,
              std::string_view help);
  // Given more than once, all count.
  void list(std::string_view names, std::string_view value, std::vector<std::string>& target,
            std::string_view help);
  // Words that are not options. Without this they are an error.
  void words(std::vector<std::string>& target);
  // What stands after the first "--" goes here; else it is added to the words.
  void command(std::vector<std::string>& target, bool& was_given);

  // Returns false when --help was asked for and is written to `out`. Throws UsageError (64).
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

// Options every verb has.
struct CommonOptions {
  std::optional<std::string> socket;
  std::optional<std::string> daemon_user;
  std::optional<std::string> color;
};
void add_common(Args& args, CommonOptions& common);

}  // namespace taskd::ctl

// Verbs that have verbs of their own, such as `queue pause`, and what those have in common.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/commands/verbs.h"
#include "daemon/base/errors.h"

namespace taskd::ctl {

// A UsageError that already says which verb's --help to read.
struct HintedUsageError : UsageError {
  using UsageError::UsageError;
};

struct VerbFamily {
  std::string_view noun;  // "queue"
  std::string_view paragraph;
  std::span<const Verb> verbs;
  std::string_view examples;
};

// Finds the verb in `argv` and runs it, or prints the family's help. Throws UsageError (64), which
// names the nearest, when there is no such verb.
int run_sub_verb(Context& context, const VerbFamily& family, const Words& argv);

// What every verb about one thing takes: its name, --json and, if it changes something, --quiet.
class NamedArgs {
 public:
  // Declares them. The noun is a literal.
  NamedArgs(Args& args, std::string_view noun, bool changes);
  NamedArgs(const NamedArgs&) = delete;  // Args points into it
  // Checked, since it becomes part of a path. Throws UsageError (64).
  const std::string& name() const;
  // What was done, in JSON if that was asked for and in words unless --quiet.
  void say_done(Context& context, nlohmann::json answer, const std::string& done) const;

  bool as_json = false;
  bool quiet = false;
  CommonOptions common;

 private:
  const std::string_view noun_;
  Words words_;
};

// `document` as --json prints it, with its version.
void print_document(Context& context, nlohmann::json document);
// Asks with a method that Client has no name for.
nlohmann::json ask(const Client& client, std::string method, const std::string& target,
                   const nlohmann::json& body);
nlohmann::json ask_to_remove(const Client& client, const std::string& target);

}  // namespace taskd::ctl

// Verbs with sub-verbs, such as `queue pause`, and what the sub-verbs share.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/commands/verbs.h"
#include "daemon/base/errors.h"

namespace taskd::ctl {

// A UsageError that already names the --help to read.
struct HintedUsageError : UsageError {
  using UsageError::UsageError;
};

struct VerbFamily {
  std::string_view noun;  // "queue"
  std::string_view paragraph;
  std::span<const Verb> verbs;
  std::string_view examples;
};

// Finds the verb in `argv` and runs it, or prints the family's help. Throws UsageError (64), naming
// the nearest verb, if there is none.
int run_sub_verb(Context& context, const VerbFamily& family, const Words& argv);

// The arguments of verbs about one thing: its name, --json and, if the verb changes something,
// --quiet.
class NamedArgs {
 public:
  // Declares them. The noun must be a literal.
  NamedArgs(Args& args, std::string_view noun, bool changes);
  NamedArgs(const NamedArgs&) = delete;  // Args points into it
  // Validated, since it becomes part of a path. Throws UsageError (64).
  const std::string& name() const;
  // Reports the result: as JSON with --json, otherwise in words unless --quiet.
  void say_done(Context& context, nlohmann::json answer, const std::string& done) const;

  bool as_json = false;
  bool quiet = false;
  CommonOptions common;

 private:
  const std::string_view noun_;
  Words words_;
};

// Prints `document` for --json, with its version.
void print_document(Context& context, nlohmann::json document);
// For methods that Client has no function for.
nlohmann::json ask(const Client& client, std::string method, const std::string& target,
                   const nlohmann::json& body);
nlohmann::json ask_to_remove(const Client& client, const std::string& target);

}  // namespace taskd::ctl

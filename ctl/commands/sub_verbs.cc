#include "ctl/commands/sub_verbs.h"

#include <nlohmann/json.hpp>

#include "ctl/options/selector.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/task/spec_json.h"

namespace taskd::ctl {
namespace {

std::string help_of(const VerbFamily& family) {
  const std::string noun(family.noun);
  std::string out = "Usage: taskctl " + noun + " VERB [OPTIONS] [NAME]\n\n";
  out.append(family.paragraph).append("\n");
  for (const Verb& verb : family.verbs) {
    std::string left = "  " + std::string(verb.name);
    left.resize(12, ' ');
    out.append(left).append(verb.summary).append("\n");
  }
  out.append("\nExamples:\n").append(family.examples);
  return out + "\n\"taskctl " + noun + " VERB --help\" shows the options of a verb.\n";
}

// "list, show or rm"
std::string names_of(std::span<const Verb> verbs) {
  std::string out;
  for (std::size_t i = 0; i < verbs.size(); ++i) {
    if (i > 0) out += i + 1 == verbs.size() ? " or " : ", ";
    out += verbs[i].name;
  }
  return out;
}

int run_hinted(Context& context, const std::string& noun, const Verb& verb, const Words& words) {
  try {
    return verb.run(context, Words(words.begin() + 1, words.end()));
  } catch (const UsageError& e) {
    if (e.exit_code != kExitUsage) throw;
    throw HintedUsageError(kExitUsage, std::string(e.what()) + "; try \"taskctl " + noun + " " +
                                           std::string(verb.name) + " --help\"");
  }
}

}  // namespace

int run_sub_verb(Context& context, const VerbFamily& family, const Words& argv) {
  const std::string noun(family.noun);
  const Words words = verb_first(argv);
  if (!words.empty() && (words[0] == "--help" || words[0] == "-h")) {
    context.out.write(help_of(family));
    return kExitOk;
  }
  if (words.empty() || words[0].starts_with('-'))
    throw UsageError(kExitUsage, noun + " needs a verb: " + names_of(family.verbs));
  const Verb* const verb = find_verb(words[0], family.verbs);
  if (verb != nullptr) return run_hinted(context, noun, *verb, words);
  std::string what = "there is no verb \"" + noun + " " + escape_for_humans(words[0]) + "\"";
  const std::string_view nearest = nearest_verb(words[0], family.verbs);
  if (!nearest.empty())
    what.append(" (did you mean \"" + noun + " ").append(nearest).append("\"?)");
  throw UsageError(kExitUsage, what);
}

NamedArgs::NamedArgs(Args& args, std::string_view noun, bool changes) : noun_(noun) {
  args.words(words_);
  args.flag("--json", as_json, "print the answer as JSON");
  if (changes) args.flag("--quiet", quiet, "print nothing on success");
  add_common(args, common);
}

const std::string& NamedArgs::name() const {
  const std::string noun(noun_);
  if (words_.size() != 1) throw UsageError(kExitUsage, "name one " + noun);
  if (is_valid_queue_name(words_[0])) return words_[0];
  throw UsageError(kExitUsage, "\"" + escape_for_humans(words_[0]) + "\" is not a " + noun +
                                   " name: use 1 to 64 letters, digits, '.', '_' or '-', "
                                   "beginning with a letter or digit");
}

void NamedArgs::say_done(Context& context, nlohmann::json answer, const std::string& done) const {
  if (as_json) print_document(context, std::move(answer));
  if (!quiet) context.say(std::string(noun_) + " " + name() + done);
}

void print_document(Context& context, nlohmann::json document) {
  document["version"] = 1;
  context.out.line(print_json(document));
}

nlohmann::json ask(const Client& client, std::string method, const std::string& target,
                   const nlohmann::json& body) {
  HttpRequest request;
  request.method = std::move(method);
  request.target = target;
  request.body = body.dump();
  return client.call(request);
}

nlohmann::json ask_to_remove(const Client& client, const std::string& target) {
  HttpRequest request;
  request.method = "DELETE";
  request.target = target;
  return client.call(request);
}

}  // namespace taskd::ctl

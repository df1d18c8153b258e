#include "ctl/commands/verbs.h"

namespace taskd::ctl {

std::string help_text() {
  std::string out =
      "taskctl submits tasks to the job daemon taskd, and manages them.\n\n"
      "Usage: taskctl VERB [OPTIONS] …\n";
  std::string_view group;
  for (const Verb& verb : all_verbs()) {
    if (verb.group != group) {
      group = verb.group;
      out.append("\n").append(group).append(":\n");
    }
    std::string left = "  " + std::string(verb.name);
    left.resize(12, ' ');
    out.append(left).append(verb.summary).append("\n");
  }
  return out +
         "\nExamples:\n"
         "  taskctl submit -- make -j4 all           # prints an id, say 12\n"
         "  taskctl submit --shell 'pg_dump db | gzip > db.gz' --max-attempts 3\n"
         "  taskctl run -- ./import.sh               # watch it live\n"
         "  taskctl list --state failed              # what went wrong\n"
         "  taskctl logs -f last                     # follow its output\n"
         "  taskctl wait 12 && echo done\n"
         "\nFor more, see \"taskctl VERB --help\" and man taskctl. --version shows the version.\n";
}

int help_command(Context& context, const Words& argv) {
  Words names;
  for (const std::string& word : argv) {
    if (!word.starts_with('-')) names.push_back(word);
  }
  if (names.empty() || names[0] == "help") {
    context.out.write(help_text());
    return kExitOk;
  }
  Words rest(names.begin() + 1, names.end());
  rest.emplace_back("--help");
  return verb_named(names[0]).run(context, rest);
}

}  // namespace taskd::ctl

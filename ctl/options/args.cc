#include "ctl/options/args.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "ctl/base/failure.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

constexpr std::size_t kHelpColumn = 28;

// "-q,--queue" -> "  -q, --queue NAME"
std::string left_side(std::string_view names, std::string_view value) {
  std::string left = names.starts_with("--") ? "      " : "  ";
  for (const char c : names) {
    left.push_back(c);
    if (c == ',') left.push_back(' ');
  }
  if (!value.empty()) left.append(" ").append(value);
  return left;
}

void append_option_help(std::string& out, std::string_view names, std::string_view value,
                        std::string_view help) {
  std::string left = left_side(names, value);
  if (left.size() + 2 > kHelpColumn) {
    out.append(left).push_back('\n');
    left.clear();
  }
  while (true) {
    left.resize(kHelpColumn, ' ');
    const std::size_t end = std::min(help.find('\n'), help.size());
    out.append(left).append(help.substr(0, end)).push_back('\n');
    if (end == help.size()) return;
    help.remove_prefix(end + 1);
    left.clear();
  }
}

// CLI11 reads "--name=" as "--name" and would take the next word as its value.
std::vector<std::string> split_empty_values(std::vector<std::string> argv) {
  std::vector<std::string> out;
  for (std::string& word : argv) {
    if (word.size() > 3 && word.starts_with("--") && word.find('=') == word.size() - 1) {
      word.pop_back();
      out.push_back(std::move(word));
      out.emplace_back();
    } else {
      out.push_back(std::move(word));
    }
  }
  return out;
}

// Whether a word may use one of the names in "-q,--queue": "--queue", "--queue=x", "-q", "-qx",
// "-aq".
bool may_be_named(std::string_view names, const std::vector<std::string>& words) {
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find(','));
    names.remove_prefix(std::min(name.size() + 1, names.size()));
    const bool is_long = name.starts_with("--");
    for (const std::string_view word : words) {
      if (is_long ? word.substr(0, word.find('=')) == name
                  : word.starts_with('-') && word.find(name[1]) != word.npos) {
        return true;
      }
    }
  }
  return false;
}

// "-q,--queue" -> "--queue"
std::string long_name(const std::string& names) {
  return names.substr(names.rfind(',') + 1);
}

[[noreturn]] void fail_usage(const std::string& what) {
  throw UsageError(kExitUsage, what);
}

}  // namespace

Args::Args(std::string_view verb, const HelpText& text) : verb_(verb), text_(text) {}

void Args::flag(std::string_view names, bool& target, std::string_view help) {
  entries_.push_back({std::string(names), "", std::string(help), &target, nullptr, nullptr});
}

void Args::option(std::string_view names, std::string_view value,
                  std::optional<std::string>& target, std::string_view help) {
  entries_.push_back(
      {std::string(names), std::string(value), std::string(help), nullptr, &target, nullptr});
}

void Args::list(std::string_view names, std::string_view value, std::vector<std::string>& target,
                std::string_view help) {
  entries_.push_back(
      {std::string(names), std::string(value), std::string(help), nullptr, nullptr, &target});
}

void Args::words(std::vector<std::string>& target) {
  words_ = &target;
}

void Args::command(std::vector<std::string>& target, bool& was_given) {
  command_ = &target;
  command_given_ = &was_given;
}

bool Args::parse(const std::vector<std::string>& argv, Output& out) {
  const auto dashes = std::find(argv.begin(), argv.end(), "--");
  const std::vector<std::string> before(argv.begin(), dashes);
  if (std::find(before.begin(), before.end(), "--help") != before.end() ||
      std::find(before.begin(), before.end(), "-h") != before.end()) {
    out.write(help());
    return false;
  }
  std::vector<std::string> rest;
  parse_options(before, rest);
  if (dashes != argv.end()) {
    std::vector<std::string>& target = command_ != nullptr ? *command_ : rest;
    target.insert(target.end(), dashes + 1, argv.end());
    if (command_ != nullptr) *command_given_ = true;
  }
  if (!rest.empty() && words_ == nullptr) {
    if (command_ != nullptr)
      fail_usage("put \"--\" before the command: taskctl " + verb_ + " -- " +
                 escape_for_humans(rest.front()) + " …");
    fail_usage("unexpected \"" + escape_for_humans(rest.front()) + "\"");
  }
  if (words_ != nullptr) *words_ = std::move(rest);
  return true;
}

void Args::parse_options(std::vector<std::string> argv, std::vector<std::string>& rest) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  // CLI11 compares each declared option with all earlier ones, which for a submit would take longer
  // than the rest of taskctl. So only options that may be used are declared.
  std::vector<std::pair<const Entry*, CLI::Option*>> named;
  for (const Entry& entry : entries_) {
    if (!may_be_named(entry.names, argv)) continue;
    if (entry.flag != nullptr) {
      named.emplace_back(&entry, app.add_flag(entry.names, *entry.flag));
      continue;
    }
    CLI::Option* option = app.add_option(entry.names);
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    option->allow_extra_args(false);
    named.emplace_back(&entry, option);
  }
  std::vector<std::string> reversed = split_empty_values(std::move(argv));
  std::reverse(reversed.begin(), reversed.end());
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ArgumentMismatch& e) {
    fail_usage(escape_for_humans(
                   std::string_view(e.what()).substr(0, std::string_view(e.what()).find(':'))) +
               " needs a value");
  } catch (const CLI::ConversionError& e) {  // options are text: only flags are converted
    fail_usage("a flag takes no value: " + escape_for_humans(e.what()));
  } catch (const CLI::ParseError& e) {
    fail_usage(escape_for_humans(e.what()));
  }
  rest = app.remaining();
  for (const std::string& word : rest) {
    if (word.size() > 1 && word.front() == '-')
      fail_usage("unknown option " + escape_for_humans(word));
  }
  for (const auto& [entry, option] : named) {
    const std::vector<std::string>& results = option->results();
    if (results.empty()) continue;
    // Choosing one silently would be wrong, most of all for a filter.
    if (entry->option != nullptr && results.size() > 1)
      fail_usage(long_name(entry->names) + " is given twice");
    if (entry->option != nullptr) *entry->option = results.back();
    if (entry->list != nullptr) *entry->list = results;
  }
}

std::string Args::help() const {
  std::string out = "Usage: taskctl " + verb_;
  if (!text_.usage.empty()) out.append(" ").append(text_.usage);
  out.append("\n\n").append(text_.paragraph).append("\n\nOptions:\n");
  for (const Entry& entry : entries_) append_option_help(out, entry.names, entry.value, entry.help);
  append_option_help(out, "-h,--help", "", "show this help");
  if (!text_.examples.empty()) out.append("\nExamples:\n").append(text_.examples);
  return out;
}

void add_common(Args& args, CommonOptions& common) {
  args.option("--socket", "PATH", common.socket,
              "the daemon's socket (default: TASKD_SOCKET, then\n"
              "$XDG_RUNTIME_DIR/taskctl/taskctl.sock, then\n"
              "/run/taskctl/taskctl.sock)");
  args.option("--daemon-user", "USER", common.daemon_user,
              "trust a daemon of this user, too, not only root's\n"
              "and your own (default: TASKD_DAEMON_USER)");
  args.option("--color", "WHEN", common.color, "auto, always or never (default: auto)");
}

}  // namespace taskd::ctl

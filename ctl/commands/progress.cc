#include <nlohmann/json.hpp>

#include "ctl/commands/job_report.h"
#include "ctl/commands/verbs.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

constexpr HelpText kProgressHelp{
    .usage = "[OPTIONS] [PERCENT]",
    .paragraph =
        R"(Reports, from inside a job, how far it is. "taskctl list", "show" and "wait" show it
within a second; of many reports in a second the latest counts. What is left out stays
as it was, so a report without anything only says that the job is alive, which is enough
for --progress-timeout. A restart of the daemon is waited out.)",
    .examples =
        R"(  taskctl progress 45
  taskctl progress 80 --message "packing"
  taskctl progress                         # alive
)"};

int percent_of(std::string text) {
  if (text.ends_with('%')) text.pop_back();
  const auto percent = parse_int(text);
  if (!percent || *percent < 0 || *percent > 100)
    throw UsageError(kExitUsage,
                     "\"" + escape_for_humans(text) + "\" is not a whole number from 0 to 100");
  return static_cast<int>(*percent);
}

}  // namespace

int progress_command(Context& context, const Words& argv) {
  CommonOptions common;
  Words words;
  std::optional<std::string> message;
  Report report;
  Args args("progress", kProgressHelp);
  args.words(words);
  args.option("--message", "TEXT", message, "what it is doing, at most 200 bytes");
  report.declare(args);
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;

  if (words.size() > 1) throw UsageError(kExitUsage, "give only one percentage");
  const AttemptKey attempt = own_attempt(context.env, "progress");
  nlohmann::json body = report_of(attempt);
  if (!words.empty()) body["percent"] = percent_of(words[0]);
  if (message) {
    if (!is_valid_utf8(*message))
      throw UsageError(kExitBadData, "--message is not UTF-8 and cannot be sent");
    body["message"] = *message;
  }
  report.send(context, common, attempt, "progress", body);
  return kExitOk;
}

}  // namespace taskd::ctl

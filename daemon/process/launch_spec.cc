#include "daemon/process/launch_spec.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "daemon/process/shim/protocol.h"

namespace taskd {
namespace {

using Environment = std::map<std::string, std::string>;

Environment environment(const Launch& launch, const User& user, const LaunchSettings& settings) {
  Environment env = launch.spec.env;
  const std::string bins = "/usr/local/bin:/usr/bin:/bin";
  const std::string with_sbins = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  // emplace: the task's own values win over these …
  env.emplace("PATH", user.uid == 0 ? with_sbins : bins);
  env.emplace("HOME", user.home);
  env.emplace("USER", user.name);
  env.emplace("LOGNAME", user.name);
  env.emplace("SHELL", user.shell);
  // … and these over the task's.
  env["TASKD_TASK_ID"] = std::to_string(launch.task);
  env["TASKD_ATTEMPT"] = std::to_string(launch.attempt);
  env["TASKD_QUEUE"] = launch.spec.queue;
  env["TASKD_TOKEN"] = launch.secret;
  env["TASKD_RESULT_FILE"] = settings.folder + "/" + shim::kResultPipe;
  for (const JobFile& file : launch.files) env[file.variable] = settings.folder + "/" + file.name;
  if (!settings.socket.empty()) env["TASKD_SOCKET"] = settings.socket;
  for (const auto& [name, value] : launch.extra_env) env[name] = value;
  return env;
}

// A file that the job is given, as the shim finds it: see shim/protocol.h.
std::string place_of(const char* name, const LaunchSettings& settings) {
  return settings.switch_user ? settings.folder + "/" + name : name;
}

// What the shim opens as stdin; see shim/protocol.h.
std::string stdin_of(const TaskSpec& spec, const LaunchSettings& settings) {
  if (!spec.handler.empty()) return place_of(kPayloadFile, settings);
  return spec.stdin_text.empty() ? spec.stdin_file : shim::kInputFile;
}

// The strings of a spec, each with its NUL.
class Strings {
 public:
  void add(const std::string& text) {
    if (text.find('\0') != std::string::npos) has_nul_ = true;
    bytes_.append(text.c_str(), text.size() + 1);
  }
  const std::string& bytes() const { return bytes_; }
  bool has_nul() const { return has_nul_; }

 private:
  std::string bytes_;
  bool has_nul_ = false;
};

// Service accounts often have a home that is not there.
std::string start_folder(const User& user) {
  struct stat info {};
  const bool is_there = ::stat(user.home.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  return is_there && user.home.front() == '/' ? user.home : "/";
}

}  // namespace

EncodedSpec encode_spec(const Launch& launch, const User& user, const LaunchSettings& settings,
                        const std::string& cgroup) {
  const TaskSpec& spec = launch.spec;
  const std::vector<std::string> argv =
      spec.argv.empty() ? std::vector<std::string>{"/bin/sh", "-c", spec.shell} : spec.argv;
  const Environment env = environment(launch, user, settings);

  Strings strings;
  strings.add(launch.token);
  strings.add(settings.boot_id);
  strings.add(spec.cwd.empty() ? start_folder(user) : spec.cwd);
  strings.add(cgroup);
  strings.add(stdin_of(spec, settings));
  strings.add(place_of(shim::kResultPipe, settings));
  for (const std::string& arg : argv) strings.add(arg);
  for (const auto& [name, value] : env) strings.add(name + "=" + value);
  if (strings.has_nul()) return {{}, EINVAL};

  const std::size_t group_bytes = user.groups.size() * sizeof(gid_t);
  const std::size_t body_bytes = group_bytes + strings.bytes().size();
  if (body_bytes > shim::kMaxSpecBytes || argv.size() > shim::kMaxSpecStrings ||
      env.size() > shim::kMaxSpecStrings || user.groups.size() > shim::kMaxSpecGroups) {
    return {{}, E2BIG};
  }

  const shim::SpecHeader header{
      .magic = shim::kSpecMagic,
      .version = shim::kSpecVersion,
      .body_bytes = static_cast<std::uint32_t>(body_bytes),
      .argc = static_cast<std::uint32_t>(argv.size()),
      .envc = static_cast<std::uint32_t>(env.size()),
      .groups = static_cast<std::uint32_t>(user.groups.size()),
      .switch_user = settings.switch_user ? 1u : 0u,
      .uid = user.uid,
      .gid = user.gid,
      .process = spec.process,
      .reset_oom_score = settings.reset_oom_score ? 1u : 0u,
      .task = launch.task,
      .attempt = launch.attempt,
      .timeout_ms = spec.timeout_ms,
      .grace_ms = spec.grace_ms,
      .output_cap_bytes = settings.output_cap_bytes,
  };
  EncodedSpec encoded;
  encoded.bytes.reserve(sizeof header + body_bytes);
  encoded.bytes.append(reinterpret_cast<const char*>(&header), sizeof header);
  encoded.bytes.append(reinterpret_cast<const char*>(user.groups.data()), group_bytes);
  encoded.bytes.append(strings.bytes());
  return encoded;
}

}  // namespace taskd

// Runs every example of docs/GUIDE.md as a reader would: a daemon, a folder and a shell for each
// section, and compares what is said with what the guide shows. A command may fail only where the
// guide shows it, by "$ echo $?" as the next one.
#include "tests/support/guide.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "tests/support/daemon.h"

using namespace taskd::test;

namespace {

constexpr char kMark = '\1';  // before the exit code of each command in a shell's output
constexpr unsigned kSectionsAtOnce = 6;

// The reader's folder, and where what is installed lies, as the guide calls them.
constexpr char kHome[] = "/home/ana";
constexpr char kInstalled[] = "/usr/share/doc/taskctl/";

struct Said {
  std::vector<std::string> output;
  std::string exit_code;
};

void replace_all(std::string& text, const std::string& what, const std::string& with) {
  for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

std::string as_it_is_here(std::string text, const std::string& folder) {
  replace_all(text, kHome, folder);
  replace_all(text, kInstalled, TASKD_SOURCE_DIR "/");
  return text;
}

std::string as_the_guide_has_it(std::string text, const std::string& folder) {
  replace_all(text, folder, kHome);
  replace_all(text, TASKD_SOURCE_DIR "/", kInstalled);
  return text;
}

// All commands in one shell, which thus keeps its variables and its folder.
std::string script_of(const GuideSection& section) {
  std::string script = std::string("exec 2>&1\ncd ") + kHome + "\n";
  for (const Example& example : section.examples) {
    script += example.command + "\n__code=$?; printf '\\001%s\\n' $__code; (exit $__code)\n";
  }
  return script;
}

std::vector<Said> split_output(const std::string& all) {
  std::vector<Said> said;
  std::size_t begin = 0;
  for (std::size_t mark = all.find(kMark); mark != all.npos; mark = all.find(kMark, begin)) {
    const std::size_t end = all.find('\n', mark);
    said.push_back(
        {split_lines(all.substr(begin, mark - begin)), all.substr(mark + 1, end - mark - 1)});
    begin = end + 1;
  }
  return said;
}

// What the section says of the daemon's settings, be it in several blocks.
std::string config_of(const GuideSection& section, const std::string& folder) {
  std::string config;
  for (const GuideFile& file : section.files) {
    if (file.name == "taskctl.toml") config += as_it_is_here(file.text, folder);
  }
  return config;
}

void write_files(const GuideSection& section, const std::string& folder) {
  for (const GuideFile& file : section.files) {
    if (file.name == "taskctl.toml") continue;
    const std::string path = folder + "/" + file.name;
    write_text(path, as_it_is_here(file.text, folder));
    if (file.name.ends_with(".sh")) REQUIRE(::chmod(path.c_str(), 0755) == 0);
  }
}

std::vector<Said> run_section(const GuideSection& section) {
  const TempDir home;
  const TempDir scratch;
  const TestDaemon daemon({.workers = 2, .config = config_of(section, home.path())});
  write_files(section, home.path());
  RunOptions options;
  options.env["TASKD_SOCKET"] = daemon.socket();
  options.env["PATH"] = TASKD_BINARY_DIR ":" + std::string(::getenv("PATH"));
  options.env["LC_ALL"] = "C.UTF-8";
  options.env["TZ"] = "UTC";
  write_text(scratch / "script", as_it_is_here(script_of(section), home.path()));
  return split_output(
      as_the_guide_has_it(run({"sh", scratch / "script"}, options).out, home.path()));
}

std::string indented(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += "\n    " + line;
  return out.empty() ? "\n    (nothing)" : out;
}

// What is wrong with one example, or "".
std::string compare(const Example& example, const Said& said, bool code_is_shown) {
  const std::string where =
      "docs/GUIDE.md:" + std::to_string(example.line) + ": $ " + example.command;
  if (!output_matches(example.output, said.output))
    return where + "\n  the guide shows" + indented(example.output) + "\n  it said" +
           indented(said.output);
  if (said.exit_code != "0" && !code_is_shown)
    return where + "\n  exited with " + said.exit_code + ", which the guide does not show";
  return "";
}

std::vector<std::string> faults_of(const GuideSection& section) {
  const std::vector<Said> said = run_section(section);
  std::vector<std::string> faults;
  for (std::size_t i = 0; i < section.examples.size(); ++i) {
    const Example& example = section.examples[i];
    if (i >= said.size()) {
      faults.push_back("docs/GUIDE.md:" + std::to_string(example.line) + ": not run: $ " +
                       example.command);
      break;
    }
    const bool code_is_shown =
        i + 1 < section.examples.size() && section.examples[i + 1].command == "echo $?";
    const std::string fault = compare(example, said[i], code_is_shown);
    if (!fault.empty()) faults.push_back(fault);
  }
  return faults;
}

// Sections have nothing in common, so some run side by side.
void check_all(const std::vector<GuideSection>& sections) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  const auto work = [&] {
    for (std::size_t i = next++; i < sections.size(); i = next++) {
      std::vector<std::string> faults;
      try {
        faults = faults_of(sections[i]);
      } catch (...) {  // a REQUIRE inside, which has said why
        faults = {"the section could not be run"};
      }
      const std::lock_guard lock(mutex);
      for (const std::string& fault : faults)
        FAIL_CHECK("## " << sections[i].title << "\n" << fault);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kSectionsAtOnce; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("every example of the guide does what the guide shows") {
  const auto sections = parse_guide(read_text(TASKD_SOURCE_DIR "/docs/GUIDE.md"));
  std::size_t examples = 0;
  for (const GuideSection& section : sections) examples += section.examples.size();
  REQUIRE(sections.size() > 10);
  REQUIRE(examples > 100);
  check_all(sections);
}

// The sources themselves under test: which folder may use which, and who may touch time.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

struct Include {
  std::string from;  // path below the root
  std::string what;  // as written, without quotes or brackets
};

std::vector<fs::path> sources(const std::string& folder) {
  std::vector<fs::path> result;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(TASKD_SOURCE_DIR) / folder)) {
    const auto extension = entry.path().extension();
    if (extension == ".cc" || extension == ".h") result.push_back(entry.path());
  }
  return result;
}

std::string below_root(const fs::path& path) {
  return fs::relative(path, TASKD_SOURCE_DIR);
}

std::vector<Include> includes(const std::string& folder) {
  std::vector<Include> result;
  for (const fs::path& path : sources(folder)) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("#include ")) continue;
      result.push_back({below_root(path), line.substr(10, line.size() - 11)});
    }
  }
  return result;
}

// The layer a path belongs to: "daemon/store/x.cc" -> "daemon/store".
std::string layer_of(const std::string& path) {
  if (path.starts_with("wire/")) return "wire";
  if (path.starts_with("daemon/process/shim/")) return "daemon/process/shim";
  for (const char* const parted : {"ctl/", "daemon/api/"}) {
    if (path.starts_with(parted)) return path.substr(0, path.rfind('/'));
  }
  if (path.starts_with("daemon/store/db/")) return "daemon/store/db";
  const auto slash = path.find('/', std::string("daemon/").size());
  return slash == std::string::npos ? "daemon" : path.substr(0, slash);
}

}  // namespace

TEST_CASE("every include follows the allowed edges between the layers") {
  const std::map<std::string, std::set<std::string>> allowed = {
      {"daemon/base", {}},
      {"daemon/task", {"daemon/base"}},
      {"daemon/limits", {"daemon/base", "daemon/task"}},
      {"daemon/store/db", {"daemon/base", "daemon/task"}},
      {"daemon/store", {"daemon/base", "daemon/task", "daemon/limits", "daemon/store/db"}},
      {"daemon/process", {"daemon/base", "daemon/task", "daemon/process/shim"}},
      {"daemon/process/shim", {"daemon/base"}},
      {"daemon/schedule", {"daemon/base", "daemon/task"}},
      {"daemon/hooks", {"daemon/base", "daemon/task"}},
      {"daemon/engine",
       {"daemon/base", "daemon/task", "daemon/limits", "daemon/schedule", "daemon/store",
        "daemon/process", "daemon/hooks"}},
      {"wire", {"daemon/base", "daemon/task", "daemon/limits"}},
      {"daemon/api/http", {"daemon/base", "daemon/process", "daemon/store", "wire"}},
      {"daemon/api/request",
       {"daemon/base", "daemon/task", "daemon/limits", "daemon/store", "daemon/process",
        "daemon/engine", "wire", "daemon/api/http"}},
      {"daemon/api/routes",
       {"daemon/base", "daemon/task", "daemon/limits", "daemon/schedule", "daemon/store",
        "daemon/process", "daemon/hooks", "daemon/engine", "wire", "daemon/api/http",
        "daemon/api/request"}},
      {"daemon/api",
       {"daemon/base", "daemon/api/http", "daemon/api/request", "daemon/api/routes"}},
      {"daemon/config",
       {"daemon/base", "daemon/task", "daemon/limits", "daemon/store", "daemon/process",
        "daemon/hooks", "daemon/api/http"}},
      {"daemon",
       {"daemon/base", "daemon/task", "daemon/limits", "daemon/schedule", "daemon/store",
        "daemon/store/db", "daemon/process", "daemon/hooks", "daemon/engine", "daemon/api",
        "daemon/api/http", "wire", "daemon/config"}},
      {"ctl/base", {"daemon/base"}},
      {"ctl/net", {"daemon/base", "daemon/task", "wire", "ctl/base"}},
      {"ctl/options",
       {"daemon/base", "daemon/task", "daemon/limits", "wire", "ctl/base", "ctl/net"}},
      {"ctl/view",
       {"daemon/base", "daemon/task", "daemon/limits", "wire", "ctl/base", "ctl/net", "ctl/options"}},
      {"ctl/terminal", {"daemon/base", "ctl/base", "ctl/options"}},
      {"ctl/follow",
       {"daemon/base", "daemon/task", "wire", "ctl/base", "ctl/net", "ctl/options", "ctl/view",
        "ctl/terminal"}},
      {"ctl/bulk",
       {"daemon/base", "daemon/task", "wire", "ctl/base", "ctl/net", "ctl/options", "ctl/view",
        "ctl/terminal"}},
      {"ctl/commands",
       {"daemon/base", "daemon/task", "daemon/limits", "wire", "ctl/base", "ctl/net", "ctl/options",
        "ctl/view", "ctl/terminal", "ctl/follow", "ctl/bulk"}},
      {"ctl", {"daemon/base", "ctl/base", "ctl/options", "ctl/commands"}},
  };
  std::vector<Include> all = includes("daemon");
  for (const char* const folder : {"wire", "ctl"}) {
    const std::vector<Include> more = includes(folder);
    all.insert(all.end(), more.begin(), more.end());
  }
  REQUIRE(all.size() > 100);
  for (const Include& include : all) {
    const bool ours = include.what.starts_with("daemon/") || include.what.starts_with("wire/") ||
                      include.what.starts_with("ctl/");
    if (!ours) continue;
    const std::string from = layer_of(include.from);
    const std::string to = layer_of(include.what);
    // The version is generated and belongs to nobody.
    const bool fine =
        from == to || allowed.at(from).contains(to) || include.what == "daemon/version.h";
    CHECK_MESSAGE(fine, include.from, " includes ", include.what);
  }
}

TEST_CASE("each library is named only where it may be") {
  const std::map<std::string, std::vector<std::string>> homes = {
      {"SQLiteCpp/", {"daemon/store/"}},
      {"sqlite3.h", {"daemon/store/"}},
      {"httplib.h", {"daemon/api/server.cc", "daemon/hooks/webhook.cc"}},
      {"openssl/",
       {"ctl/bulk/digest.cc", "daemon/base/digest.cc", "daemon/hooks/channel.cc",
        "daemon/hooks/signature.cc"}},
      {"spdlog/", {"daemon/base/log.cc"}},
      {"CLI/", {"daemon/config/", "ctl/options/args.cc"}},
      {"toml++/", {"daemon/config/", "ctl/options/workflow_file.cc"}},
      {"systemd/", {"daemon/service_manager.cc"}},
  };
  std::vector<Include> all = includes("daemon");
  for (const char* const folder : {"wire", "ctl"}) {
    const std::vector<Include> more = includes(folder);
    all.insert(all.end(), more.begin(), more.end());
  }
  for (const Include& include : all) {
    for (const auto& [library, places] : homes) {
      if (!include.what.starts_with(library)) continue;
      bool at_home = false;
      for (const std::string& place : places) at_home |= include.from.starts_with(place);
      CHECK_MESSAGE(at_home, include.from, " includes ", include.what);
    }
  }
}

TEST_CASE("the daemon reads the clocks in one file and never sleeps") {
  for (const fs::path& path : sources("daemon")) {
    const std::string where = below_root(path);
    if (where.starts_with("daemon/process/shim/")) continue;  // a program of its own
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      if (line.find("sleep_for") != std::string::npos ||
          line.find("usleep(") != std::string::npos ||
          line.find("nanosleep(") != std::string::npos) {
        FAIL_CHECK(where << " sleeps: " << line);
      }
      if (where == "daemon/base/clock.cc") continue;
      if (line.find("clock_gettime(") != std::string::npos ||
          line.find("system_clock::now") != std::string::npos ||
          line.find("::time(") != std::string::npos) {
        FAIL_CHECK(where << " reads a clock: " << line);
      }
    }
  }
}

// One namespace for all layers: the linker would silently merge two classes of one name.
TEST_CASE("no two headers define a class of the same name") {
  std::map<std::string, std::string> homes;
  for (const fs::path& path : sources("daemon")) {
    const std::string where = below_root(path);
    if (path.extension() != ".h" || where.starts_with("daemon/process/shim/")) continue;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      const bool is_class = line.starts_with("class ") || line.starts_with("struct ");
      if (!is_class || line.find('{') == std::string::npos) continue;
      const auto begin = line.find(' ') + 1;
      const std::string name = line.substr(begin, line.find_first_of(" {", begin) - begin);
      if (name.starts_with("TASKD_") || name.find("::") != name.npos) continue;
      const auto [home, is_new] = homes.emplace(name, where);
      CHECK_MESSAGE(is_new, name, " is defined in ", home->second, " and in ", where);
    }
  }
  CHECK(homes.size() > 50);
}

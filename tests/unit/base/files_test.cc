#include "daemon/base/files.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "daemon/base/errors.h"
#include "tests/support/temp_dir.h"

namespace taskd {
namespace {

using test::TempDir;

void write_file(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

unsigned mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

std::string error_of(const auto& call) {
  try {
    call();
  } catch (const std::system_error& failure) {
    return failure.what();
  }
  return "";
}

TEST_CASE("a file is read whole, up to the limit, and its absence is no error") {
  const TempDir dir;
  CHECK(read_file(dir / "none", 10) == std::nullopt);
  write_file(dir / "empty", "");
  CHECK(read_file(dir / "empty", 10) == "");
  const std::string big(100'000, 'x');
  write_file(dir / "big", big);
  CHECK(read_file(dir / "big", 1'000'000) == big);
  CHECK(read_file(dir / "big", 99'999)->size() == 99'999);
  CHECK(read_file(dir / "big", 0) == "");

  const UniqueFd fd(::open((dir / ".").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CHECK(read_file_at(fd.get(), "empty", 10) == "");
  CHECK(read_file_at(fd.get(), "none", 10) == std::nullopt);
}

TEST_CASE("a failed read names the file") {
  const TempDir dir;
  CHECK(error_of([&] { read_file(dir / ".", 10); }).find(dir / ".") != std::string::npos);
}

TEST_CASE("folders are made with their parents and the mode that was asked for") {
  const TempDir dir;
  const mode_t old_mask = ::umask(0027);
  make_dirs(dir / "a/b//c/", 0755);
  make_dirs(dir / "private", 0700);
  ::umask(old_mask);
  CHECK(mode_of(dir / "a") == 0755);
  CHECK(mode_of(dir / "a/b/c") == 0755);
  CHECK(mode_of(dir / "private") == 0700);
}

TEST_CASE("a folder that is there is left as it is") {
  const TempDir dir;
  make_dirs(dir / "a", 0700);
  make_dirs(dir / "a/b", 0750);
  CHECK(mode_of(dir / "a") == 0700);
  std::filesystem::create_directory_symlink(dir / "a", dir / "link");
  make_dirs(dir / "link/b", 0700);
  CHECK(mode_of(dir / "a/b") == 0750);
}

TEST_CASE("a file in the way of a folder is an error that names it") {
  const TempDir dir;
  write_file(dir / "file", "");
  CHECK(error_of([&] { make_dirs(dir / "file", 0700); }).find(dir / "file") != std::string::npos);
  CHECK(error_of([&] { make_dirs(dir / "file/sub", 0700); }).find(dir / "file") !=
        std::string::npos);
}

TEST_CASE("a folder is listed without itself and its parent, and a link to one is not followed") {
  const TempDir dir;
  make_dirs(dir / "a/b", 0700);
  write_file(dir / "a/.hidden", "");
  std::vector<std::string> names = list_folder_at(AT_FDCWD, dir / "a");
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{".hidden", "b"});
  CHECK(list_folder_at(AT_FDCWD, dir / "missing").empty());
  std::filesystem::create_directory_symlink(dir / "a", dir / "link");
  CHECK(error_of([&] { list_folder_at(AT_FDCWD, dir / "link"); }).find(dir / "link") !=
        std::string::npos);
}

TEST_CASE("the boot id is one line without its end") {
  const std::string id = read_boot_id();
  CHECK(id.size() == 36);
  CHECK(id.find('\n') == std::string::npos);
  CHECK(id == read_boot_id());
}

}  // namespace
}  // namespace taskd

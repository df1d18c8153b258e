#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <sys/stat.h>

int main(int argc, char** argv) {
  ::umask(022);  // tasks inherit the umask of the submitter, and tests expect this one
  return doctest::Context(argc, argv).run();
}

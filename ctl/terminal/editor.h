// Opens a text in the user's editor.
#pragma once

#include <string>

#include "ctl/base/context.h"

namespace taskd::ctl {

// A private file, edited with $VISUAL, $EDITOR or vi, and removed in the end unless it is to be
// kept. Throws Failure.
class EditedFile {
 public:
  EditedFile(const Context& context, const std::string& text);
  ~EditedFile();
  EditedFile(const EditedFile&) = delete;
  EditedFile& operator=(const EditedFile&) = delete;

  // Runs the editor and waits for it. Throws Failure: 78 if it cannot start, 74 if it fails.
  void edit(const Context& context) const;
  std::string text() const;
  const std::string& path() const { return path_; }
  void keep() { keep_ = true; }

 private:
  std::string path_;
  bool keep_ = false;
};

}  // namespace taskd::ctl

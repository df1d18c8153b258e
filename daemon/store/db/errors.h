// What an error of the store means, decided in this one place.
//
// | the store says                                   | means    | what follows |
// |--------------------------------------------------|----------|----------------------------------|
// | FULL, IOERR with EDQUOT, IOERR_SHMSIZE           | no_space | DiskFull; ends use the ballast |
// | BUSY, LOCKED, PROTOCOL: another program's lock   | busy     | StoreBusy; tried again later | |
// CANTOPEN, NOMEM: no descriptor, no memory        | busy     | StoreBusy; tried again later     |
// | IOERR, CORRUPT, NOTADB, READONLY, a failed COMMIT| fatal    | the daemon stops with the reason
// | | a row that cannot be read                        | –        | it fails, or is passed over |
// | anything else                                    | command  | that request fails |
#pragma once

#include <stdexcept>

namespace SQLite {
class Exception;
}

namespace taskd {

class Connection;

enum class Failure {
  command,   // this command failed; the connection is fine
  busy,      // nothing can be done for the moment, and nothing changed
  no_space,  // the disk is full
  fatal,     // nothing can be trusted any more
};

// Classifies SQLite's extended result code; `over_quota`: the latest failed write returned EDQUOT.
// Pure.
Failure failure_of(int extended_code, bool over_quota);
Failure failure_of(const SQLite::Exception& error);  // ignores quotas
// Must be called before the connection is used again.
Failure classify(Connection& db, const SQLite::Exception& error);

// Nothing changed; a retry may succeed later.
struct StoreUnavailable : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct DiskFull : StoreUnavailable {
  using StoreUnavailable::StoreUnavailable;
};
struct StoreBusy : StoreUnavailable {
  using StoreUnavailable::StoreUnavailable;
};
// The database is a copy of a store that lies elsewhere (identity.h), and is read-only.
struct StoreIsCopy : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace taskd

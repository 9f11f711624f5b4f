// A sealed memfd and the host's mapping of it: guest RAM, or the control area.
// No file name exists, so nothing is left behind when every process that holds it has died. The seals keep the other
// process from shrinking it under us, which would turn a read here into SIGBUS.
#pragma once

#include <memory>

#include "../shared/types.h"
#include "outcome.h"

namespace rz::host {

class SharedRegion {
 public:
  /// @param label  shows in /proc/PID/maps; at most 200 characters
  /// @param bytes  non-zero multiple of 4096; pages are allocated when first touched
  static Outcome create(const char* label, u64 bytes, std::shared_ptr<SharedRegion>& out);
  /// A second holder of a region that create() made, here or in another addon of the program.
  /// @param fd     stays the caller's
  /// @param bytes  what the region must have, exactly
  static Outcome adopt(int fd, u64 bytes, std::shared_ptr<SharedRegion>& out);
  ~SharedRegion();
  SharedRegion(const SharedRegion&) = delete;
  SharedRegion& operator=(const SharedRegion&) = delete;

  int fd() const { return fd_; }
  u8* data() const { return data_; }
  u64 bytes() const { return bytes_; }
  /// Close the descriptor once the other process has its own; the mapping stays.
  void close_fd();
  /// The descriptor, for adopt(); the region's own.
  int share() {
    shared_ = true;
    return fd_;
  }
  /// Give the pages back now, also those of other holders if there ever was one, while the address range stays valid,
  /// private and zero: for views that are released only by garbage collection, or in use by an I/O request that is
  /// still under way. No thread may be running on the contents.
  void drop_pages();

 private:
  SharedRegion(int fd, u8* data, u64 bytes) : fd_(fd), data_(data), bytes_(bytes) {}
  int fd_;
  u8* data_;
  u64 bytes_;
  bool shared_ = false;  // there was another holder at some time
};

}  // namespace rz::host

// memfd creation, sealing and mapping.
#include "shared_region.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../shared/layout.h"

namespace rz::host {

using shared::kHugePageBytes;

namespace {

// Well above the numbers that the engine gets, so that placing those in it cannot overwrite ours.
constexpr int kLowestFd = 16;
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

/// Where `bytes` are free at a multiple of kHugePageBytes, so that huge pages of the file can be mapped as such.
u8* aligned_room(u64 bytes) {
  u8* room = static_cast<u8*>(
      mmap(nullptr, bytes + kHugePageBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (room == MAP_FAILED) return nullptr;
  const u64 before = -reinterpret_cast<u64>(room) % kHugePageBytes;
  if (before != 0) munmap(room, before);
  munmap(room + before + bytes, kHugePageBytes - before);
  return room + before;
}

Outcome map(int fd, u64 bytes, u8*& out) {
  u8* room = bytes >= kHugePageBytes ? aligned_room(bytes) : nullptr;
  const int where = room != nullptr ? MAP_FIXED : 0;
  void* data = mmap(room, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | where, fd, 0);
  if (data == MAP_FAILED) {
    const int why = errno;
    if (room != nullptr) munmap(room, bytes);
    return Outcome::failed("mmap", why);
  }
  madvise(data, bytes, MADV_DONTDUMP);  // a core of the embedder should not hold its guests
  madvise(data, bytes, MADV_DONTFORK);  // nor should its children
  out = static_cast<u8*>(data);
  return {};
}

}  // namespace

Outcome SharedRegion::create(const char* label, u64 bytes, std::shared_ptr<SharedRegion>& out) {
  const int low_fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (low_fd < 0) return Outcome::failed("memfd_create", errno);
  const int fd = fcntl(low_fd, F_DUPFD_CLOEXEC, kLowestFd);
  const int dup_errno = errno;
  close(low_fd);
  if (fd < 0) return Outcome::failed("fcntl(F_DUPFD_CLOEXEC)", dup_errno);
  Outcome made;
  u8* data = nullptr;
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) {
    made = Outcome::failed("ftruncate", errno);
  } else if (fcntl(fd, F_ADD_SEALS, kSeals) != 0) {
    made = Outcome::failed("fcntl(F_ADD_SEALS)", errno);
  } else {
    made = map(fd, bytes, data);
  }
  if (!made.ok()) {
    close(fd);
    return made;
  }
  out.reset(new SharedRegion(fd, data, bytes));
  return {};
}

Outcome SharedRegion::adopt(int given, u64 bytes, std::shared_ptr<SharedRegion>& out) {
  struct stat status;
  if (fstat(given, &status) != 0) return Outcome::failed("fstat of the shared memory", errno);
  if (static_cast<u64>(status.st_size) != bytes) return Outcome::failed("size of the shared memory", EINVAL);
  const int seals = fcntl(given, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) return Outcome::failed("seals of the shared memory", EINVAL);
  const int fd = fcntl(given, F_DUPFD_CLOEXEC, kLowestFd);
  if (fd < 0) return Outcome::failed("fcntl(F_DUPFD_CLOEXEC)", errno);
  u8* data = nullptr;
  if (Outcome mapped = map(fd, bytes, data); !mapped.ok()) {
    close(fd);
    return mapped;
  }
  out.reset(new SharedRegion(fd, data, bytes));
  out->shared_ = true;
  return {};
}

SharedRegion::~SharedRegion() {
  close_fd();
  munmap(data_, bytes_);
}

void SharedRegion::close_fd() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void SharedRegion::drop_pages() {
  if (shared_ && fd_ >= 0)
    (void)!fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes_));
  mmap(data_, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

}  // namespace rz::host

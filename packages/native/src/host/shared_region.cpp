// memfd creation, sealing and mapping.
#include "shared_region.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace rz::host {

Outcome SharedRegion::create(const char* label, u64 bytes, std::shared_ptr<SharedRegion>& out) {
  const int low_fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (low_fd < 0) return Outcome::failed("memfd_create", errno);
  // Well above the numbers that the engine gets, so that placing those cannot overwrite this one.
  const int fd = fcntl(low_fd, F_DUPFD_CLOEXEC, 16);
  const int dup_errno = errno;
  close(low_fd);
  if (fd < 0) return Outcome::failed("fcntl(F_DUPFD_CLOEXEC)", dup_errno);
  const char* call = nullptr;
  void* data = MAP_FAILED;
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) {
    call = "ftruncate";
  } else if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    call = "fcntl(F_ADD_SEALS)";
  } else {
    data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (data == MAP_FAILED) call = "mmap";
  }
  if (call != nullptr) {
    const int host_errno = errno;
    close(fd);
    return Outcome::failed(call, host_errno);
  }
  madvise(data, bytes, MADV_DONTDUMP);  // a core of the embedder should not hold its guests
  madvise(data, bytes, MADV_DONTFORK);  // nor should its children
  out.reset(new SharedRegion(fd, static_cast<u8*>(data), bytes));
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
  mmap(data_, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

}  // namespace rz::host

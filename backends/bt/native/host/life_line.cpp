// The life-line thread.
#include "life_line.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <thread>

#include "crash.h"

namespace rz {

void watch_life_line(int socket_fd) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::thread([socket_fd] {
    prctl(PR_SET_NAME, "rz-lifeline");
    enter_thread("life line");
    char byte;
    ssize_t got;
    do { got = read(socket_fd, &byte, 1); } while (got > 0 || (got < 0 && errno == EINTR));
    _exit(0);  // the embedder died: nobody is left to tell
  }).detach();
}

}  // namespace rz

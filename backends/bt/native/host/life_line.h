// Makes sure that an engine does not outlive its embedder: the kernel's parent-death signal, and a thread that reads
// the life-line socket, whose end means that the embedder is gone even where the signal does not reach.
#pragma once

namespace rz {

/// Ask for SIGKILL at the parent's death and start the watching thread. Before anything else that takes time.
void watch_life_line(int socket_fd);

}  // namespace rz

// What goes wrong on purpose: a process that dies, or a disk that fails, before any change of a
// file.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <new>

#include "drawstore/error.hpp"
#include "file/file.hpp"

namespace faults {

inline int changes_left = 0;

// For file::before_change.
inline void die_after_some_changes() {
    if (--changes_left < 0) _exit(0);
}

inline void fail_after_some_changes() {
    if (--changes_left == -1) throw drawstore::SystemError(EIO, "", "the disk failed");
}

// An object that a child shares with its parent.
template <typename T>
class Shared {
  public:
    Shared()
        : object_(new (mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                            -1, 0)) T) {}
    ~Shared() { munmap(object_, sizeof(T)); }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    T* operator->() const { return object_; }

  private:
    T* object_;
};

}  // namespace faults

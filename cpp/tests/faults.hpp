// What goes wrong on purpose: a process that dies, or a disk that fails, before any change of a
// file.
#pragma once

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <new>

#include "drawstore/error.hpp"
#include "file/file.hpp"
#include "file_stores.hpp"

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

// Has children write, each of which dies one change later than the one before, up to one that comes
// to its end; looks at what each has left. Every change is tried up to `closely`, then each so
// many.
template <typename Told, typename Write, typename Check>
void die_before_changes(int closely, int step, Write&& write, Check&& check) {
    constexpr int at_its_end = 7;
    for (int k = 0, status = 0; WEXITSTATUS(status) != at_its_end; k += k < closely ? 1 : step) {
        const file_stores::Folder folder;
        const Shared<Told> told;
        const pid_t child = fork();
        if (child == 0) {
            changes_left = k;
            drawstore::file::before_change = die_after_some_changes;
            write(folder / "file", told);
            _exit(at_its_end);
        }
        waitpid(child, &status, 0);
        REQUIRE(WIFEXITED(status));
        check(folder / "file", told);
    }
}

}  // namespace faults

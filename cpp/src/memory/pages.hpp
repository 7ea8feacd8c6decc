// Large memory straight from the system: address space that is backed by pages only where it is
// touched, and huge pages. What is Linux-only about memory stands behind this file.
#pragma once

#include <cstddef>

namespace drawstore {

// A range of readable and writable addresses whose pages, small ones, appear when they are first
// touched; what they hold at first is undefined. Size classes are powers of two.
//
// Released pages are kept for the next reservation of the same class, up to a limit and marked so
// that the system takes them back when memory is short: first-touch faults, not copying, are the
// cost of large draws.
//
// Any thread may reserve and release. One object belongs to one thread at a time.
class Pages {
  public:
    Pages() = default;
    ~Pages();
    Pages(Pages&& other) noexcept;
    Pages& operator=(Pages&& other) noexcept;
    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;

    // Whether this process may reserve far more than it needs: not under `ulimit -v`, not under
    // strict overcommit, and not on systems without lazily backed reservations.
    static bool may_reserve_ahead() noexcept;

    // At least `bytes` of addresses, or an empty object where the system refuses them.
    static Pages reserve(std::size_t bytes) noexcept;

    std::byte* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    explicit operator bool() const noexcept { return data_ != nullptr; }

    // Asks for huge pages in [offset, offset + bytes). Only a wish: it cannot fail.
    void prefer_huge(std::size_t offset, std::size_t bytes) noexcept;

    // How much of the range was written to, as far as its owner knows: the cost of keeping it.
    void set_touched(std::size_t bytes) noexcept { touched_ = bytes; }

  private:
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t touched_ = 0;
};

}  // namespace drawstore

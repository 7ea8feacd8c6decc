#include "memory/pages.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#ifdef __linux__

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <mutex>

namespace drawstore {
namespace {

// Address space is 128 TiB a process; we take no more than a quarter of it.
constexpr std::size_t address_budget = std::size_t{1} << 45;
std::atomic<std::size_t> reserved_bytes{0};

std::byte* map(std::size_t bytes) noexcept {
    if (reserved_bytes.load(std::memory_order_relaxed) + bytes > address_budget) return nullptr;
    void* address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address == MAP_FAILED) return nullptr;
    reserved_bytes += bytes;
    return static_cast<std::byte*>(address);
}

void unmap(std::byte* data, std::size_t bytes) noexcept {
    munmap(data, bytes);
    reserved_bytes -= bytes;
}

// The released reservations, newest last. A fork may copy the mutex while another thread holds it,
// so it is only ever tried: whoever does not get it goes straight to the system.
class Shelf {
  public:
    std::byte* take(std::size_t size) noexcept {
        const std::unique_lock lock(mutex_, std::try_to_lock);
        if (!lock) return nullptr;
        for (std::size_t i = count_; i-- > 0;) {
            if (items_[i].size == size) return remove(i).data;
        }
        return nullptr;
    }

    bool keep(std::byte* data, std::size_t size, std::size_t touched) noexcept {
        if (touched == 0 || touched > limit) return false;
        if (madvise(data, size, MADV_FREE) != 0) return false;
        const std::unique_lock lock(mutex_, std::try_to_lock);
        if (!lock) return false;
        while (count_ == items_.size() || touched_ + touched > limit) {
            const Item oldest = remove(0);
            unmap(oldest.data, oldest.size);
        }
        items_[count_++] = {data, size, touched};
        touched_ += touched;
        return true;
    }

  private:
    struct Item {
        std::byte* data;
        std::size_t size;
        std::size_t touched;
    };

    Item remove(std::size_t index) noexcept {
        const Item item = items_[index];
        std::move(items_.begin() + index + 1, items_.begin() + count_, items_.begin() + index);
        --count_;
        touched_ -= item.touched;
        return item;
    }

    static constexpr std::size_t limit = std::size_t{1} << 30;
    std::mutex mutex_;
    std::array<Item, 8> items_{};
    std::size_t count_ = 0;
    std::size_t touched_ = 0;
};

constinit Shelf shelf;

bool overcommit_is_strict() noexcept {
    const int file = open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    char mode = '0';
    const bool known = read(file, &mode, 1) == 1;
    close(file);
    return known && mode == '2';
}

}  // namespace

bool Pages::may_reserve_ahead() noexcept {
    static const bool strict = overcommit_is_strict();
    rlimit limit{};
    const bool limited = getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    return !strict && !limited;
}

Pages Pages::reserve(std::size_t bytes) noexcept {
    Pages pages;
    if (bytes > address_budget) return pages;
    // Without room to spare a class of its own would waste up to half of what there is.
    const std::size_t size = may_reserve_ahead() ? std::bit_ceil(std::max(bytes, std::size_t{4096}))
                                                 : (bytes + 4095) / 4096 * 4096;
    pages.data_ = shelf.take(size);
    if (!pages.data_) pages.data_ = map(size);
    if (pages.data_) {
        pages.size_ = size;
        // Else a system that gives huge pages to everybody puts one under the first value of each
        // of a thousand columns.
        madvise(pages.data_, size, MADV_NOHUGEPAGE);
    }
    return pages;
}

void Pages::prefer_huge(std::size_t offset, std::size_t bytes) noexcept {
    madvise(data_ + offset, bytes, MADV_HUGEPAGE);
}

Pages::~Pages() {
    if (data_ && !shelf.keep(data_, size_, touched_)) unmap(data_, size_);
}

}  // namespace drawstore

#else  // systems where reservations are not made: the callers fall back on plain allocations

namespace drawstore {

bool Pages::may_reserve_ahead() noexcept { return false; }
Pages Pages::reserve(std::size_t) noexcept { return {}; }
void Pages::prefer_huge(std::size_t, std::size_t) noexcept {}
Pages::~Pages() = default;

}  // namespace drawstore

#endif

namespace drawstore {

Pages::Pages(Pages&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      touched_(std::exchange(other.touched_, 0)) {}

Pages& Pages::operator=(Pages&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(touched_, other.touched_);
    return *this;
}

}  // namespace drawstore

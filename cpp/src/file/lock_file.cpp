#include "file/lock_file.hpp"

#include <time.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

#include "drawstore/error.hpp"
#include "file/file.hpp"

// Two processes, on two machines, exclude each other by one thing alone: that a file is made only
// where there is none (O_EXCL). NFS has that from version 3 on: the server decides, and knows a
// request again that it has answered before. What was written is on the server when the file is
// closed, and who opens it asks the server whether it has changed; so each look at a mark opens it.
//
// A mark of somebody else is removed under a claim, a lock file by the name of the mark's token.
// Without it, of two who both find a dead mark, the slower one would remove that of the faster. A
// holder that comes late takes the claim as well before it renews: so it is taken over or goes on,
// and never both.
namespace drawstore::file {
namespace {

namespace fs = std::filesystem;

constexpr int max_tries = 100;  // that a mark was gone when it was to be read

// Milliseconds of a clock that goes on while the machine sleeps: others wait for us meanwhile.
std::int64_t now() noexcept {
#ifdef CLOCK_BOOTTIME
    timespec time{};
    clock_gettime(CLOCK_BOOTTIME, &time);
    return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
#else
    using namespace std::chrono;
    return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
#endif
}

bool make(const fs::path& path, const Mark& mark) {
    std::optional<File> file;
    try {
        file = File::create(path);
    } catch (const SystemError& error) {
        if (error.code() == EEXIST) return false;
        throw;
    }
    try {
        file->write(0, encode(mark));
        file->sync();
    } catch (...) {
        file->remove();
        throw;
    }
    return true;
}

bool remove(const fs::path& path, const Mark& mark, Heartbeat& heartbeat);

// Makes the mark, in the place of a dead one if need be. False where another has the place.
bool put(const fs::path& path, const Mark& mark, Heartbeat& heartbeat) {
    for (int tries = 0; tries < max_tries; ++tries) {
        if (make(path, mark)) return true;
        const auto found = read_mark(path);
        if (!found) continue;
        if (heartbeat.judge(*found) != Watch::Verdict::Dead) return false;
        if (!remove(path, *found, heartbeat)) return false;
    }
    return false;
}

// The right to remove or to renew a mark that may be taken for dead.
class Claim {
  public:
    Claim(const fs::path& path, std::uint64_t token, Heartbeat& heartbeat) : path_(path) {
        std::array<char, 16> digits{};
        const auto end = std::to_chars(digits.data(), digits.data() + 16, token, 16).ptr;
        path_ += ".";
        path_ += std::string(digits.data(), end);
        has_ = put(path_, heartbeat.make_mark(), heartbeat);
    }
    ~Claim() {
        std::error_code ignored;
        if (has_) fs::remove(path_, ignored);
    }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    explicit operator bool() const noexcept { return has_; }

  private:
    fs::path path_;
    bool has_ = false;
};

// Removes a mark, if it is still as it was read. False where another one is about to.
bool remove(const fs::path& path, const Mark& mark, Heartbeat& heartbeat) {
    const Claim claim(path, mark.token, heartbeat);
    if (!claim) return false;
    const auto found = read_mark(path);
    if (found && found->token == mark.token && found->beat == mark.beat) {
        about_to_change();
        std::error_code error;
        fs::remove(path, error);
        if (error) {
            throw SystemError(error.value(), path.string(),
                              "cannot remove a lock file: " + error.message());
        }
    }
    return true;
}

}  // namespace

fs::path LockFile::path_for(const fs::path& locked) {
    fs::path path = locked;
    path += "-lock";
    return path;
}

std::unique_ptr<LockFile> LockFile::try_take(const fs::path& locked) {
    Heartbeat& heartbeat = Heartbeat::get();
    const fs::path path = path_for(fs::absolute(locked));
    const std::int64_t made_at = now();
    const Mark mark = heartbeat.make_mark();
    if (!put(path, mark, heartbeat)) return nullptr;
    std::unique_ptr<LockFile> lock(new LockFile(path, mark, made_at, heartbeat));
    heartbeat.add(*lock);
    return lock;
}

std::optional<Mark> LockFile::find_holder(const fs::path& locked) {
    auto found = read_mark(path_for(locked));
    const bool is_dead = found && Heartbeat::get().judge(*found) == Watch::Verdict::Dead;
    return is_dead ? std::nullopt : found;
}

LockFile::LockFile(fs::path path, Mark mark, std::int64_t made_at, Heartbeat& heartbeat)
    : path_(std::move(path)), mark_(std::move(mark)), heartbeat_(heartbeat), renewed_at_(made_at) {}

LockFile::~LockFile() {
    if (!heartbeat_.is_of_this_process()) return;
    heartbeat_.remove(*this);
    if (is_lost()) return;
    try {
        remove(path_, mark_, heartbeat_);
    } catch (const std::exception&) {
        // It is a dead one's when this process ends.
    }
}

// Others wait for twice as long before they take a lock over.
bool LockFile::is_late() const noexcept {
    constexpr int most = Watch::beats_until_dead / 2;
    return now() - renewed_at_.load(std::memory_order_acquire) >
           std::int64_t{most} * mark_.interval;
}

void LockFile::check() {
    if (!is_lost() && is_late()) heartbeat_.renew(*this);
    if (is_lost()) fail_lost();
}

void LockFile::renew(std::uint64_t beat) {
    if (is_lost()) return;
    std::optional<Claim> claim;
    if (is_late()) {
        claim.emplace(path_, mark_.token, heartbeat_);
        if (!*claim) {
            throw SystemError(EAGAIN, path_.string(),
                              "another process is about to take a lock over, because this one was "
                              "stopped for too long");
        }
    }
    const std::int64_t begun_at = now();
    try {
        // Where it is taken over meanwhile, what is written goes to a file that is nobody's.
        File file = File::open_to_write(path_);
        if (const Mark found = read_mark(file); found.token != mark_.token) {
            taken_by_ = found.holder();
            lost_.store(true, std::memory_order_release);
            return;
        }
        mark_.beat = beat;
        file.write(0, encode(mark_));
        file.sync();
    } catch (const SystemError& error) {
        if (error.code() != ENOENT && error.code() != ESTALE) throw;
        lost_.store(true, std::memory_order_release);
        return;
    }
    renewed_at_.store(begun_at, std::memory_order_release);
}

void LockFile::fail_lost() const {
    std::string text = "this process does not hold '";
    text += path_.string() + "' any more";
    if (!taken_by_.empty()) text += ", but " + taken_by_;
    throw StateError(text +
                     ": it was stopped, or could not reach the disk, for so long that it seemed "
                     "dead, or somebody removed that file. What was appended before is kept; "
                     "nothing more is written from here. Open the store again to go on");
}

}  // namespace drawstore::file

#include "stores/file_run.hpp"

#include <mutex>
#include <string>
#include <system_error>
#include <utility>

#include "drawstore/error.hpp"
#include "drawstore/write_lock.hpp"
#include "file/file_rows.hpp"
#include "file/fork.hpp"
#include "file/names.hpp"

namespace drawstore {
namespace {

namespace fs = std::filesystem;

// The handles that live in this process, so that all who ask for a chain get the same one. A
// forked child does not have its parent's.
class Handles {
  public:
    std::unique_lock<std::mutex> lock() {
        std::unique_lock lock(mutex_);
        if (generation_ != file::fork_generation()) {
            chains_.clear();
            generation_ = file::fork_generation();
        }
        return lock;
    }

    // The rest only with the lock.
    std::shared_ptr<Chain> find(const fs::path& path) const {
        const auto it = chains_.find(path);
        return it == chains_.end() ? nullptr : it->second.lock();
    }
    void put(const fs::path& path, const std::shared_ptr<Chain>& chain) {
        std::erase_if(chains_, [](const auto& item) { return item.second.expired(); });
        chains_[path] = chain;
    }
    void forget(const fs::path& folder) {
        std::erase_if(chains_,
                      [&](const auto& item) { return item.first.parent_path() == folder; });
    }

  private:
    std::mutex mutex_;
    std::map<fs::path, std::weak_ptr<Chain>> chains_;
    unsigned generation_ = file::fork_generation();
};

Handles& handles() {
    static auto* const all = new Handles;  // never destroyed: chains may outlive static objects
    return *all;
}

FileRows& rows_of(const Chain& chain) { return static_cast<FileRows&>(chain.rows()); }

}  // namespace

FileRun::FileRun(fs::path folder, file::StoredMeta stored, Mode mode, TailStore tail,
                 double sync_interval)
    : folder_(std::move(folder)),
      meta_(std::make_shared<const RunMeta>(std::move(stored.meta))),
      layout_(*meta_),
      created_at_(stored.created_at),
      mode_(mode),
      tail_(tail),
      sync_interval_(sync_interval) {}

std::shared_ptr<Chain> FileRun::init_chain(std::uint32_t chain_number, Existing existing) {
    if (mode_ == Mode::Read) {
        throw StateError("run '" + meta_->rid +
                         "' was opened to read only; open it to write to add chains");
    }
    const fs::path path = folder_ / file::chain_file_name(chain_number);
    watch_holder(path);
    const auto lock = handles().lock();
    if (std::error_code ignored; fs::exists(path, ignored)) {
        if (existing == Existing::Refuse) {
            throw ValueError("run '" + meta_->rid + "' has a chain " +
                             std::to_string(chain_number) + " already, with " +
                             std::to_string(FileRows::count_rows(path)) +
                             " draws; to go on with it, resume it");
        }
        if (auto live = handles().find(path); live && rows_of(*live).may_write()) {
            rows_of(*live).reopen();
            return live;
        }
    } else if (auto rows = FileRows::create(path, chain_number, layout_.columns(),
                                            {.tail = tail_, .sync_interval = sync_interval_})) {
        auto chain = std::make_shared<Chain>(meta_, chain_number, std::move(rows));
        handles().put(path, chain);
        return chain;
    } else if (existing == Existing::Refuse) {
        throw ValueError("run '" + meta_->rid + "' has a chain " + std::to_string(chain_number) +
                         " already: another process has just made it");
    }
    auto rows = FileRows::open_to_write(path, {.tail = tail_, .sync_interval = sync_interval_});
    rows->check_columns(layout_.columns());
    auto chain = std::make_shared<Chain>(meta_, chain_number, std::move(rows));
    handles().put(path, chain);
    return chain;
}

std::vector<std::shared_ptr<Chain>> FileRun::get_chains() {
    const auto lock = handles().lock();
    std::vector<std::shared_ptr<Chain>> chains;
    for (const auto& [number, path] : chain_files(folder_)) {
        std::shared_ptr<Chain> chain = handles().find(path);
        if (!chain) {
            auto rows = FileRows::open_to_read(path);
            rows->check_columns(layout_.columns());
            chain = std::make_shared<Chain>(meta_, number, std::move(rows));
            handles().put(path, chain);
        }
        chains.push_back(std::move(chain));
    }
    return chains;
}

std::uint64_t FileRun::bytes() const { return folder_bytes(folder_); }

std::map<std::uint32_t, fs::path> chain_files(const fs::path& folder) {
    return system_call(folder, [&] {
        std::map<std::uint32_t, fs::path> files;
        for (const auto& entry : fs::directory_iterator(folder)) {
            const auto number = file::chain_number_of(entry.path().filename().string());
            if (number) files.emplace(*number, entry.path());
        }
        return files;
    });
}

std::uint64_t folder_bytes(const fs::path& folder) {
    return system_call(folder, [&] {
        std::uint64_t bytes = 0;
        for (const auto& entry : fs::recursive_directory_iterator(folder)) {
            // One that goes meanwhile has no bytes.
            std::error_code gone;
            if (!entry.is_regular_file(gone)) continue;
            const std::uintmax_t size = entry.file_size(gone);
            if (!gone) bytes += size;
        }
        return bytes;
    });
}

void forget_chains(const fs::path& folder) {
    const auto lock = handles().lock();
    handles().forget(folder);
}

}  // namespace drawstore

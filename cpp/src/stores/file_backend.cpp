#include "drawstore/file_backend.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "drawstore/error.hpp"
#include "drawstore/write_lock.hpp"
#include "file/file_rows.hpp"
#include "file/mapping.hpp"
#include "file/names.hpp"
#include "file/run_meta.hpp"
#include "file/syncer.hpp"
#include "stores/file_run.hpp"

namespace drawstore {
namespace {

namespace fs = std::filesystem;

bool is_gone(const SystemError& error) { return error.code() == ENOENT || error.code() == ENOTDIR; }

// The runs of a directory: names that begin with a point are those that are being made or deleted.
template <typename Use>
void for_each_run(const fs::path& directory, Mode mode, Use&& use) {
    system_call(directory, [&] {
        if (mode == Mode::Write && !fs::exists(directory)) return;  // the first run makes it
        for (const auto& entry : fs::directory_iterator(directory)) {
            const fs::path& folder = entry.path();
            if (folder.filename().string().starts_with(".")) continue;
            if (!fs::exists(folder / file::run_meta_name)) continue;
            try {
                use(folder);
            } catch (const SystemError& error) {
                if (!is_gone(error)) throw;  // it was deleted meanwhile
            }
        }
    });
}

// Has the files of all chains open, so that nobody begins to write them; throws StateError where
// one is being written.
std::vector<file::File> held_chains(const fs::path& folder, const std::string& rid,
                                    const char* what) {
    std::vector<file::File> held;
    for (const auto& [number, path] : chain_files(folder)) {
        watch_holder(path);
        held.push_back(file::File::open_to_write(path));
        if (held.back().try_lock()) continue;
        const std::string beside = lock_file_holder(path);
        throw StateError("run '" + rid + "' cannot be " + what + ": its chain " +
                         std::to_string(number) + " is being written by " +
                         (beside.empty() ? file::read_holder(held.back()) : beside) +
                         "; close it there first");
    }
    return held;
}

}  // namespace

FileBackend::FileBackend(fs::path directory, Mode mode, TailStore tail, double sync_interval)
    : directory_(system_call(directory, [&] { return fs::weakly_canonical(directory); })),
      mode_(mode),
      tail_(tail),
      sync_interval_(sync_interval) {}

bool FileBackend::is_mapped() const {
    if (tail_ != TailStore::Auto) return tail_ == TailStore::Mapped;
    fs::path there = directory_;
    std::error_code ignored;
    while (there.has_relative_path() && !fs::exists(there, ignored)) there = there.parent_path();
    return file::Mapping::is_safe(file::File::open_to_read(there));
}

fs::path FileBackend::folder(const std::string& rid) const {
    return directory_ / file::encode_name(rid);
}

void FileBackend::check_writable(const char* what) const {
    if (mode_ == Mode::Write) return;
    throw StateError("'" + directory_.string() + "' was opened to read only; open it to write to " +
                     what);
}

void FileBackend::fail_unknown(const std::string& rid) const {
    std::string known;
    for_each_run(directory_, mode_, [&](const fs::path& folder) {
        known += known.empty() ? "'" : ", '";
        known += file::read_run_meta(folder).meta.rid + "'";
    });
    throw NameError("there is no run '" + rid + "' in '" + directory_.string() + "'; there " +
                    (known.empty() ? "are none" : "are " + known));
}

std::shared_ptr<Run> FileBackend::init_run(RunMeta meta) {
    check_writable("make runs");
    if (meta.rid.empty()) meta.rid = fresh_rid();
    static_cast<void>(Layout(meta));  // checks the names
    const fs::path folder = this->folder(meta.rid);
    const fs::path made = directory_ / (".new-" + fresh_rid());
    const Time now = std::chrono::time_point_cast<Time::duration>(std::chrono::system_clock::now());
    system_call(directory_, [&] { fs::create_directories(made); });
    std::error_code error;
    try {
        file::write_run_meta(made, meta, now);
        file::sync_folder(made);
        file::about_to_change();
        fs::rename(made, folder, error);
        if (!error) file::sync_folder(directory_);
    } catch (...) {
        fs::remove_all(made, error);
        throw;
    }
    if (error) {
        std::error_code ignored;
        fs::remove_all(made, ignored);
        if (error == std::errc::directory_not_empty || error == std::errc::file_exists ||
            error == std::errc::not_a_directory) {
            if (fs::exists(folder / file::run_meta_name, ignored)) {
                throw ValueError("there is a run '" + meta.rid + "' in '" + directory_.string() +
                                 "' already; choose another id, or none");
            }
            throw ValueError("'" + folder.string() +
                             "', which is not a run, is in the way of run '" + meta.rid +
                             "'; choose another id, or none");
        }
        throw SystemError(error.value(), folder.string(),
                          "cannot make the folder of a run: " + error.message());
    }
    return std::make_shared<FileRun>(folder, file::StoredMeta{std::move(meta), now}, mode_, tail_,
                                     sync_interval_);
}

std::vector<RunInfo> FileBackend::get_runs() const {
    std::vector<RunInfo> infos;
    for_each_run(directory_, mode_, [&](const fs::path& folder) {
        const auto [meta, created_at] = file::read_run_meta(folder);
        RunInfo info{meta.rid, created_at, {}, folder_bytes(folder)};
        for (const auto& [number, path] : chain_files(folder)) {
            info.chains[number] = FileRows::count_rows(path);
        }
        infos.push_back(std::move(info));
    });
    std::ranges::sort(infos, {},
                      [](const RunInfo& info) { return std::pair(info.created_at, info.rid); });
    return infos;
}

std::shared_ptr<Run> FileBackend::get_run(const std::string& rid) {
    const fs::path folder = this->folder(rid);
    try {
        return std::make_shared<FileRun>(folder, file::read_run_meta(folder), mode_, tail_,
                                         sync_interval_);
    } catch (const SystemError& error) {
        if (!is_gone(error)) throw;
        fail_unknown(rid);
    }
}

void FileBackend::delete_run(const std::string& rid) {
    check_writable("delete runs");
    const fs::path folder = this->folder(rid);
    if (std::error_code ignored; !fs::exists(folder / file::run_meta_name, ignored)) {
        fail_unknown(rid);
    }
    const fs::path trash = directory_ / (".deleted-" + fresh_rid());
    system_call(folder, [&] {
        const auto held = held_chains(folder, rid, "deleted");
        file::about_to_change();
        fs::rename(folder, trash);
        forget_chains(folder);
        fs::remove_all(trash);
    });
}

void FileBackend::take_run(const FileBackend& from, const std::string& rid) {
    check_writable("take runs");
    const fs::path folder = this->folder(rid), made = from.folder(rid);
    system_call(folder, [&] {
        fs::create_directories(directory_);
        if (!fs::exists(folder / file::run_meta_name)) {
            file::about_to_change();
            fs::rename(made, folder);
        } else {
            const auto held = held_chains(folder, rid, "replaced");
            file::exchange_folders(made, folder);
            forget_chains(folder);
        }
        file::sync_folder(directory_);
        forget_chains(made);
        fs::remove_all(made);
    });
}

void resume_syncing() noexcept { file::resume_syncing(); }

}  // namespace drawstore

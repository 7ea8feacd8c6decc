// Runs in files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "drawstore/run.hpp"

namespace drawstore {

enum class Mode : std::uint8_t { Read, Write };

// How the newest rows of a chain get into its file.
enum class TailStore : std::uint8_t {
    Auto,     // mapped, where the system of files is known to keep what is stored there
    Mapped,   // stored straight into the file's pages
    Written,  // collected in memory, and written at each commit: slower, and works everywhere
};

// Keeps each run in a folder of a directory: run.meta says what it is, and chain-<number>.draws
// holds the draws of a chain, as FORMAT.md describes. Once an append returns, the draw survives the
// death of the process; after flush(true) or close(), or by itself within `sync_interval` seconds
// (0 or less: never), a loss of power. Where that fails, the next append or flush throws.
//
// Several processes may write different chains of one run, while others read. A chain that is
// written has one writer: a second one gets a StateError that names the first. What was opened to
// read writes nothing. Any thread may call any method.
class FileBackend final : public Backend {
  public:
    // The directory is made with the first run.
    explicit FileBackend(std::filesystem::path directory, Mode mode = Mode::Write,
                         TailStore tail = TailStore::Auto, double sync_interval = 1);

    const std::filesystem::path& directory() const noexcept { return directory_; }
    Mode mode() const noexcept { return mode_; }

    std::shared_ptr<Run> init_run(RunMeta meta) override;

    // Throw SystemError where there is no directory, and DataError where a file is damaged.
    std::vector<RunInfo> get_runs() const override;
    std::shared_ptr<Run> get_run(const std::string& rid) override;

    // Throws StateError where a chain of the run is being written.
    void delete_run(const std::string& rid) override;

    // Moves a run that is whole and closed from another directory on the same disk to this one, in
    // place of the run of its id, if there is one: whoever looks finds the one or the other. Throws
    // StateError, and changes nothing, where a chain of the latter is being written.
    void take_run(const FileBackend& from, const std::string& rid);

    // Whether new rows are mapped there: chosen by the system of files, if not told.
    bool is_mapped() const;

    // The folder of a run.
    std::filesystem::path folder(const std::string& rid) const;

  private:
    void check_writable(const char* what) const;
    [[noreturn]] void fail_unknown(const std::string& rid) const;

    const std::filesystem::path directory_;
    const Mode mode_;
    const TailStore tail_;
    const double sync_interval_;
};

// In a process that has forked another one: goes on to make durable, each sync_interval, what was
// appended before. The next append does that, too; this is for those who append nothing for a
// while.
void resume_syncing() noexcept;

}  // namespace drawstore

// A run in a folder.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "drawstore/error.hpp"
#include "drawstore/file_backend.hpp"
#include "file/run_meta.hpp"

namespace drawstore {

// Errors of std::filesystem as errors of the library.
template <typename Call>
auto system_call(const std::filesystem::path& path, Call&& call) {
    try {
        return call();
    } catch (const std::filesystem::filesystem_error& error) {
        throw SystemError(error.code().value(), path.string(), error.code().message());
    }
}

class FileRun final : public Run {
  public:
    FileRun(std::filesystem::path folder, file::StoredMeta stored, Mode mode, TailStore tail,
            double sync_interval);

    const RunMeta& meta() const override { return *meta_; }
    Time created_at() const override { return created_at_; }
    std::shared_ptr<Chain> init_chain(std::uint32_t chain_number, Existing existing) override;
    std::vector<std::shared_ptr<Chain>> get_chains() override;
    std::uint64_t bytes() const override;

  private:
    const std::filesystem::path folder_;
    const std::shared_ptr<const RunMeta> meta_;
    const Layout layout_;  // its constructor checks the names
    const Time created_at_;
    const Mode mode_;
    const TailStore tail_;
    const double sync_interval_;
};

// The chain files of a folder, by number.
std::map<std::uint32_t, std::filesystem::path> chain_files(const std::filesystem::path& folder);

// Bytes of all files in a folder.
std::uint64_t folder_bytes(const std::filesystem::path& folder);

// Forgets the handles of a run that is deleted.
void forget_chains(const std::filesystem::path& folder);

}  // namespace drawstore

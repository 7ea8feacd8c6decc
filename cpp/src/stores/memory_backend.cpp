#include "drawstore/memory_backend.hpp"

#include <algorithm>
#include <utility>

#include "drawstore/error.hpp"
#include "stores/memory_rows.hpp"

namespace drawstore {
namespace {

class MemoryRun final : public Run {
  public:
    MemoryRun(RunMeta meta, std::uint64_t preallocate)
        : meta_(std::make_shared<const RunMeta>(std::move(meta))),
          layout_(*meta_),
          preallocate_(preallocate),
          created_at_(
              std::chrono::time_point_cast<Time::duration>(std::chrono::system_clock::now())) {}

    const RunMeta& meta() const override { return *meta_; }
    Time created_at() const override { return created_at_; }

    std::shared_ptr<Chain> init_chain(std::uint32_t chain_number, Existing existing) override {
        const std::lock_guard lock(mutex_);
        if (const auto it = chains_.find(chain_number); it != chains_.end()) {
            if (existing == Existing::Refuse) {
                throw ValueError("run '" + meta_->rid + "' has a chain " +
                                 std::to_string(chain_number) + " already, with " +
                                 std::to_string(it->second->size()) +
                                 " draws; to go on with it, resume it");
            }
            static_cast<MemoryRows&>(it->second->rows()).reopen();
            return it->second;
        }
        auto chain = std::make_shared<Chain>(meta_, chain_number,
                                             std::make_unique<MemoryRows>(layout_.columns()));
        chain->announce(preallocate_);
        chains_.emplace(chain_number, chain);
        return chain;
    }

    std::vector<std::shared_ptr<Chain>> get_chains() override {
        const std::lock_guard lock(mutex_);
        std::vector<std::shared_ptr<Chain>> chains;
        for (const auto& [number, chain] : chains_) chains.push_back(chain);
        return chains;
    }

    std::uint64_t bytes() const override {
        const std::lock_guard lock(mutex_);
        std::uint64_t bytes = 0;
        for (const auto& [number, chain] : chains_) bytes += chain->rows().bytes();
        return bytes;
    }

  private:
    const std::shared_ptr<const RunMeta> meta_;
    const Layout layout_;  // its constructor checks the names
    const std::uint64_t preallocate_;
    const Time created_at_;
    mutable std::mutex mutex_;
    std::map<std::uint32_t, std::shared_ptr<Chain>> chains_;
};

template <typename Runs>
auto find_run(Runs& runs, const std::string& rid) {
    const auto is_it = [&rid](const auto& run) { return run->meta().rid == rid; };
    const auto it = std::find_if(runs.begin(), runs.end(), is_it);
    if (it != runs.end()) return it;
    std::string known;
    for (const auto& run : runs) known += (known.empty() ? "'" : ", '") + run->meta().rid + "'";
    throw NameError("there is no run '" + rid + "' in memory; there " +
                    (known.empty() ? "are none" : "are " + known));
}

}  // namespace

std::shared_ptr<Run> MemoryBackend::init_run(RunMeta meta) {
    if (meta.rid.empty()) meta.rid = fresh_rid();
    auto run = std::make_shared<MemoryRun>(std::move(meta), preallocate_);
    const std::string& rid = run->meta().rid;
    const std::lock_guard lock(mutex_);
    for (const auto& other : runs_) {
        if (other->meta().rid == rid) {
            throw ValueError("there is a run '" + rid + "' already; choose another id, or none");
        }
    }
    runs_.push_back(run);
    return run;
}

std::vector<RunInfo> MemoryBackend::get_runs() const {
    const std::lock_guard lock(mutex_);
    std::vector<RunInfo> infos;
    for (const auto& run : runs_) {
        RunInfo info{run->meta().rid, run->created_at(), {}, run->bytes()};
        for (const auto& chain : run->get_chains()) {
            info.chains[chain->chain_number()] = chain->size();
        }
        infos.push_back(std::move(info));
    }
    return infos;
}

std::shared_ptr<Run> MemoryBackend::get_run(const std::string& rid) {
    const std::lock_guard lock(mutex_);
    return *find_run(runs_, rid);
}

void MemoryBackend::delete_run(const std::string& rid) {
    const std::lock_guard lock(mutex_);
    runs_.erase(find_run(runs_, rid));
}

}  // namespace drawstore

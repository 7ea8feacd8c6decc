#include "drawstore/journal.hpp"

#include "journal/journal_rows.hpp"

namespace drawstore {
namespace {

constexpr std::size_t longest_label = 400;

// What fits into the record of a use, without half a character.
std::string shortened(std::string label) {
    if (label.size() <= longest_label) return label;
    std::size_t end = longest_label;
    while (end > 0 && (static_cast<unsigned char>(label[end]) & 0xC0) == 0x80) --end;
    label.resize(end);
    return label;
}

}  // namespace

JournalChain::JournalChain(std::shared_ptr<const RunMeta> meta, std::uint32_t chain_number,
                           std::unique_ptr<JournalRows> rows)
    : Chain(std::move(meta), chain_number, std::move(rows)),
      rows_(static_cast<JournalRows&>(Chain::rows())) {}

std::uint64_t JournalChain::released() const noexcept { return rows_.released(); }
std::uint64_t JournalChain::synced() const noexcept { return rows_.synced(); }
std::uint64_t JournalChain::waiting_bytes() const { return rows_.bytes(); }
std::uint32_t JournalChain::sum_of(std::uint64_t row) const { return rows_.sum_of(row); }
void JournalChain::release(std::uint64_t row) { rows_.release(row); }
void JournalChain::discard() { rows_.discard(); }

Journal::Journal(const std::filesystem::path& path, Options options)
    : segments_(std::make_shared<journal::Segments>(path, options.segment_bytes, options.store,
                                                    options.sync_interval)) {}

Journal::Journal(Options options)
    : segments_(std::make_shared<journal::Segments>(options.segment_bytes)) {}

std::shared_ptr<JournalChain> Journal::begin_chain(const JournalId& id, std::string label,
                                                   std::shared_ptr<const RunMeta> meta,
                                                   std::uint32_t chain_number,
                                                   std::uint64_t first_row,
                                                   std::uint32_t previous_sum) {
    auto rows = std::make_unique<JournalRows>(Layout(*meta).columns(), segments_, id,
                                              shortened(std::move(label)), first_row, previous_sum);
    return std::make_shared<JournalChain>(std::move(meta), chain_number, std::move(rows));
}

void Journal::sync() { segments_->sync(); }
void Journal::close(bool remove) { segments_->close(remove); }
bool Journal::is_mapped() const noexcept { return segments_->is_mapped(); }
std::uint64_t Journal::bytes() const { return segments_->bytes(); }

}  // namespace drawstore
